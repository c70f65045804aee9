//! What an application may do is what its account may do, and its namespace is made as it says.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, condition, config_map, text};

/// A ServiceAccount that may do what is said in the namespace of the test.
fn account(world: &World<'_>, name: &str, rules: &Value) {
    let namespace = &world.namespace;
    world
        .apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}))
        .unwrap();
    world
        .apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name, "namespace": namespace},
            "rules": rules}))
        .unwrap();
    world
        .apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]}))
        .unwrap();
}

fn as_account(world: &World<'_>, name: &str) -> Value {
    let mut application = world.application();
    application["spec"]["destination"]["serviceAccount"] = name.into();
    application
}

/// Waits until the sync is refused with this code somewhere in the words.
fn refused(world: &World<'_>, code: &str) -> String {
    let status = world.wait_status(|status| {
        ensure!(
            status["conditions"].to_string().contains(code),
            "{code} is not said"
        );
        Ok(())
    });
    status.unwrap()["conditions"].to_string()
}

#[test]
fn an_application_may_do_what_its_account_may() {
    let world = World::shared("tenancy-account").unwrap();
    let maps = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"]}]);
    account(&world, "deployer", &maps);
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    let commit = world.commit("what it may").unwrap();
    world.apply(&as_account(&world, "deployer")).unwrap();
    world.wait_synced(&commit).unwrap();

    // The whole plan is tried first: what it may not do keeps back what it may.
    world.write("a.yaml", &config_map("a", "2")).unwrap();
    world
        .write(
            "b.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 80}]}\n",
        )
        .unwrap();
    world.commit("what it may not").unwrap();
    world.refresh().unwrap();
    let said = refused(&world, "K13");
    assert!(
        said.contains(&format!("system:serviceaccount:{}:deployer", world.namespace))
            && said.contains("services"),
        "{said}"
    );
    assert_eq!(text(&world.object("configmap/a").unwrap(), "/data/value"), "1");

    // Nor does its deletion reach further than that.
    world.repository.remove("manifests/b.yaml").unwrap();
    let commit = world.commit("without it").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
}

/// The account may bind a role, and write ConfigMaps thanks to that binding only: the right comes with the commit that needs it.
#[test]
fn a_right_comes_with_the_commit_that_needs_it() {
    let world = World::shared("tenancy-right").unwrap();
    let namespace = world.namespace.clone();
    let role = format!("{namespace}-writes");
    let rbac = "rbac.authorization.k8s.io";
    world
        .apply(
            &json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": role},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"]}]}),
        )
        .unwrap();
    let all = json!(["get", "list", "create", "patch", "delete"]);
    let binds = json!([{"apiGroups": [rbac], "resources": ["rolebindings"], "verbs": all},
        {"apiGroups": [rbac], "resources": ["clusterroles"], "resourceNames": [role], "verbs": ["bind"]}]);
    account(&world, "robot", &binds);
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    // It is there, which the account cannot know yet.
    world
        .kubectl(&["create", "configmap", "b", "--from-literal=value=0"])
        .unwrap();
    world.write("b.yaml", &config_map("b", "1")).unwrap();
    world.commit("what it may not").unwrap();
    world.apply(&as_account(&world, "robot")).unwrap();
    refused(&world, "K13");

    let binding = json!({"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": {"name": "writes"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}]});
    // A later wave than what needs it: it goes first all the same.
    let mut late = binding.clone();
    late["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-wave": "1"});
    world.write("z.yaml", &late.to_string()).unwrap();
    let commit = world.commit("with the right to").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    for name in ["a", "b"] {
        let map = world.object(&format!("configmap/{name}")).unwrap();
        assert_eq!(text(&map, "/data/value"), "1", "{name}");
    }
}

#[test]
fn an_account_without_rights_can_do_nothing() {
    let world = World::shared("tenancy-nobody").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.commit("something").unwrap();
    // One that there is not is not a way around it.
    world.apply(&as_account(&world, "nobody")).unwrap();
    refused(&world, "K13");
    assert!(world.object("configmap/a").is_err());
    let mut odd = as_account(&world, "Not A Name");
    world.apply(&odd).unwrap();
    refused(&world, "K04");
    odd["spec"]["destination"]["serviceAccount"] = Value::Null;
    world.apply(&odd).unwrap();
}

#[test]
fn with_a_default_account_nobody_has_the_rights_of_the_engine() {
    let engine = Engine::without_controller().unwrap();
    engine
        .start_controller(&["--default-service-account", "deployer"])
        .unwrap();
    let world = World::new(&engine, "tenancy-default").unwrap();
    let maps = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"]}]);
    account(&world, "deployer", &maps);
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    let commit = world.commit("what it may").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();

    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: tenancy-all}\n\
                rules: [{apiGroups: [\"*\"], resources: [\"*\"], verbs: [\"*\"]}]\n";
    world.write("role.yaml", role).unwrap();
    world.commit("more than it may").unwrap();
    world.refresh().unwrap();
    let said = refused(&world, "K13");
    assert!(
        said.contains("system:serviceaccount:tenancy-default:deployer") && said.contains("clusterroles"),
        "{said}"
    );
    assert!(world.object("clusterrole/tenancy-all").is_err());
}

#[test]
fn the_namespace_gets_its_labels_and_keeps_those_of_others() {
    let world = World::shared("tenancy-metadata").unwrap();
    let namespace = || world.engine.plane.get("namespace/tenancy-made");
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    let commit = world.commit("something").unwrap();
    let mut application = world.application();
    application["spec"]["destination"]["namespace"] = "tenancy-made".into();
    application["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    application["spec"]["syncPolicy"]["managedNamespaceMetadata"] =
        json!({"labels": {"team": "a", "tier": "one"}, "annotations": {"owner": "me"}});
    world.apply(&application).unwrap();
    world.wait_synced(&commit).unwrap();
    let made = namespace().unwrap();
    assert_eq!(
        (
            text(&made, "/metadata/labels/team"),
            text(&made, "/metadata/annotations/owner")
        ),
        ("a", "me")
    );
    assert_eq!(
        made["metadata"]["labels"].get("applyset.kubernetes.io/part-of"),
        None
    );

    world
        .engine
        .plane
        .kubectl("label namespace tenancy-made theirs=kept")
        .unwrap();
    application["spec"]["syncPolicy"]["managedNamespaceMetadata"] = json!({"labels": {"team": "b"}});
    world.apply(&application).unwrap();
    world.refresh().unwrap();
    sluice_sandbox::wait_for("the labels", std::time::Duration::from_secs(60), || {
        let labels = namespace()?["metadata"]["labels"].clone();
        ensure!(
            labels["team"] == "b" && labels["theirs"] == "kept" && labels.get("tier").is_none(),
            "{labels}"
        );
        Ok(())
    })
    .unwrap();
    // It outlives the application: whatever else is in it must not go with it.
    application["spec"]["deletionPolicy"] = "Prune".into();
    world.apply(&application).unwrap();
    world
        .engine
        .sluice(&["refresh", "app", "-n", &world.namespace, "--wait"])
        .unwrap();
    let status = world.get().unwrap()["status"].take();
    assert!(condition(&status, "Synced").is_ok());
    assert!(namespace().is_ok());
}
