//! What stands beside Git's and is nobody's will: it goes, or it is said that it stays. From public reports about other engines.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, config_map, text};

const IMAGE: &str = "registry.example.com/web:1";

fn deployment(strategy: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 0\n{strategy}  selector: {{matchLabels: {{app: web}}}}\n  \
         template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: web, image: \"{IMAGE}\"}}]}}\n"
    )
}

/// The pointers of all changes of the plan.
fn planned(world: &World<'_>) -> Vec<String> {
    let plan: Value = serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let changes = steps
        .iter()
        .flat_map(|step| step["changes"].as_array().into_iter().flatten());
    changes
        .map(|change| text(change, "/pointer").to_owned())
        .collect()
}

/// Git changes a file, and the controller does what that asks for.
fn moved(world: &World<'_>, file: &str, content: &str) {
    world.write(file, content).unwrap();
    let commit = world.commit(content).unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    assert_eq!(planned(world), Vec::<String>::new());
}

/// `rollingUpdate` is the server's default, and it does not take `Recreate` beside it.
#[test]
fn a_default_beside_the_new_member_of_a_union_goes() {
    for (name, strategy) in [
        ("union", "  strategy: {type: Recreate}\n"),
        (
            "union-null",
            "  strategy: {type: Recreate, rollingUpdate: null}\n",
        ),
    ] {
        let world = World::shared(name).unwrap();
        world.write("web.yaml", &deployment("")).unwrap();
        let commit = world.commit("rolls by default").unwrap();
        world.apply(&world.application()).unwrap();
        world.wait_synced(&commit).unwrap();
        moved(&world, "web.yaml", &deployment(strategy));
        let live = world.object("deployment/web").unwrap();
        assert_eq!(live["spec"]["strategy"], json!({"type": "Recreate"}));
    }
}

/// `clusterIP: None` that Git drops.
#[test]
fn a_field_that_the_server_keeps_is_said_and_not_tried_again_and_again() {
    let service = |more: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{ports: [{{port: 80}}], selector: {{a: b}}{more}}}\n"
        )
    };
    let world = World::shared("kept-field").unwrap();
    world.write("web.yaml", &service(", clusterIP: None")).unwrap();
    let commit = world.commit("headless").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    world.write("web.yaml", &service("")).unwrap();
    world.commit("ordinary").unwrap();
    world.refresh().unwrap();
    world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            ensure!(text(synced, "/reason") == "FieldKept", "{synced:#}");
            ensure!(text(synced, "/message").contains("/spec/clusterIP"), "{synced:#}");
            ensure!(text(status, "/sync/status") == "OutOfSync", "{status:#}");
            Ok(())
        })
        .unwrap();
    assert_eq!(planned(&world), ["/spec/clusterIP"]);
    let version = world.version("service/web").unwrap();
    world.refresh().unwrap();
    assert_eq!(world.version("service/web").unwrap(), version);
}

#[test]
fn an_entry_whose_key_was_edited_by_hand_gives_way_to_gits() {
    let world = World::shared("edited-key").unwrap();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}], selector: {a: b}}\n";
    world.write("web.yaml", service).unwrap();
    let commit = world.commit("a service").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"]["automated"]["selfHeal"] = false.into();
    world.apply(&application).unwrap();
    world.wait_synced(&commit).unwrap();
    let patch = r#"[{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]"#;
    world
        .kubectl(&[
            "patch",
            "service",
            "web",
            "--field-manager",
            "kubectl-edit",
            "--type",
            "json",
            "-p",
            patch,
        ])
        .unwrap();
    world
        .wait_status(|status| {
            ensure!(text(status, "/sync/status") == "OutOfSync", "{status:#}");
            Ok(())
        })
        .unwrap();
    world.done(&["sync", "app"]);
    let live = world.object("service/web").unwrap();
    let ports: Vec<&Value> = live["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| &port["port"])
        .collect();
    assert_eq!(ports, [80]);
}

/// The new version has a field more, with a default, which the old one cannot read.
#[test]
fn our_record_moves_to_the_version_that_git_has() {
    let world = World::shared("record-version").unwrap();
    let group = "record-version.example.com";
    let (before, after) = ("v1beta1", "v1beta2");
    let version = |name: &str, properties: Value| {
        let spec = json!({"type": "object", "properties": properties});
        json!({"name": name, "served": true, "storage": name == after,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}})
    };
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("gates.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": "Gate", "plural": "gates"},
            "versions": [
                version(before, json!({"port": {"type": "string"}})),
                version(after, json!({"port": {"type": "string"}, "access": {"type": "string", "default": "deny"}})),
            ],
        },
    });
    world.apply(&crd).unwrap();
    let plane = &world.engine.plane;
    plane
        .kubectl(&format!(
            "wait --for=condition=Established crd/gates.{group} --timeout=30s"
        ))
        .unwrap();
    let gate = |version: &str, port: &str| {
        format!("apiVersion: {group}/{version}\nkind: Gate\nmetadata: {{name: a}}\nspec: {{port: {port}}}\n")
    };
    world.write("gate.yaml", &gate(before, "one")).unwrap();
    let commit = world.commit("the old version").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    moved(&world, "gate.yaml", &gate(after, "one"));
    moved(&world, "gate.yaml", &gate(after, "two"));
}

/// A definition drops a version at which others are on record: the server answered each later change with 500.
#[test]
fn what_others_wrote_at_a_version_that_is_gone_is_no_obstacle() {
    let world = World::shared("gone-version").unwrap();
    let group = "gone-version.example.com";
    let definition = |versions: &[&str]| {
        let stored = versions.last().unwrap();
        let version = |name: &&str| {
            json!({"name": name, "served": true, "storage": name == stored,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
        };
        let versions: Vec<Value> = versions.iter().map(version).collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("gates.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Gate", "plural": "gates"}, "versions": versions},
        })
    };
    let name = format!("crd/gates.{group}");
    let established = format!("wait --for=condition=Established {name} --timeout=30s");
    world.apply(&definition(&["v1"])).unwrap();
    world.engine.plane.kubectl(&established).unwrap();
    let gate = |version: &str, spec: Value| {
        json!({"apiVersion": format!("{group}/{version}"), "kind": "Gate", "metadata": {"name": "a"}, "spec": spec}).to_string()
    };
    world.write("gate.yaml", &gate("v1", json!({"size": 1}))).unwrap();
    let commit = world.commit("at the old version").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    let theirs = world
        .engine
        .write("gone-version.json", gate("v1", json!({"colour": "red"})))
        .unwrap();
    let theirs = theirs.display().to_string();
    for manager in ["painter", "decorator"] {
        let manager = format!("--field-manager={manager}");
        world
            .kubectl(&["apply", "--server-side", &manager, "-f", &theirs])
            .unwrap();
    }
    world.apply(&definition(&["v1", "v2"])).unwrap();
    let next = gate("v2", json!({"size": 1}));
    sluice_sandbox::wait_for("v2", std::time::Duration::from_secs(60), || {
        world.kubectl(&["get", &format!("gates.v2.{group}")]).map(drop)
    })
    .unwrap();
    moved(&world, "gate.yaml", &next);
    let stored = json!({"status": {"storedVersions": ["v2"]}}).to_string();
    world
        .kubectl(&[
            "patch",
            &name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &stored,
        ])
        .unwrap();
    world.apply(&definition(&["v2"])).unwrap();
    sluice_sandbox::wait_for("v1 to go", std::time::Duration::from_secs(60), || {
        let found = world.kubectl(&["get", &format!("gates.v1.{group}")]);
        ensure!(found.is_err(), "still served");
        Ok(())
    })
    .unwrap();
    moved(&world, "gate.yaml", &gate("v2", json!({"size": 2})));
    moved(&world, "gate.yaml", &gate("v2", json!({"size": 3})));
    let live = world
        .kubectl(&["get", "gate", "a", "-o", "json", "--show-managed-fields"])
        .unwrap();
    let live: Value = serde_json::from_str(&live).unwrap();
    assert_eq!(live["spec"], json!({"size": 3, "colour": "red"}));
    let record = live["metadata"]["managedFields"].as_array().unwrap();
    for manager in ["painter", "decorator"] {
        let entry = record.iter().find(|entry| entry["manager"] == manager).unwrap();
        assert_eq!(entry["apiVersion"], format!("{group}/v2"));
        assert!(
            entry["fieldsV1"]["f:spec"]["f:colour"].is_object(),
            "what it owns it goes on owning: {entry}"
        );
    }
}

/// Zeros, empty values and nulls that the server answers by its defaults: nothing is left to do after a sync, and nothing of it is in
/// the next plan.
#[test]
fn what_says_nothing_settles() {
    let world = World::shared("says-nothing").unwrap();
    let template = serde_json::json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"initContainers": [], "containers": [{
            "name": "web", "image": "registry.example.org/web:1", "env": [], "imagePullPolicy": "",
            "ports": [{"containerPort": 80, "protocol": null}, {"containerPort": 81, "protocol": ""}],
            "resources": {"limits": {"cpu": null, "memory": "64Mi"}},
            "livenessProbe": {"timeoutSeconds": 0, "periodSeconds": null, "httpGet": {"port": 80, "path": "", "scheme": ""}},
        }]},
    });
    let deployment = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "finalizers": [], "ownerReferences": []},
        "spec": {"replicas": null, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    });
    let service = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "clusterIP": null, "sessionAffinity": "", "ports": [
            {"port": 80, "protocol": null, "targetPort": 0}, {"port": 81, "protocol": "", "name": "b"}, {"port": 82, "name": "c", "nodePort": 0},
        ]},
    });
    let mut service = service;
    service["spec"]["ports"][0]["name"] = "a".into();
    world.write("web.yaml", &deployment.to_string()).unwrap();
    world.write("service.yaml", &service.to_string()).unwrap();
    let first = world.commit("values that say nothing").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&first).unwrap();
    let generation = |what: &str| world.object(what).unwrap()["metadata"]["generation"].clone();
    let before = generation("deployment/web");
    world.refresh().unwrap();
    world.wait_synced(&first).unwrap();
    let plan: Value = serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap();
    assert_eq!(plan["steps"], serde_json::json!([]), "{plan:#}");
    world.done(&["diff", "app"]);

    world.write("beside.yaml", &config_map("beside", "1")).unwrap();
    let second = world.commit("something else").unwrap();
    let plan: Value = serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap();
    let steps: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["object"]["name"].as_str())
        .collect();
    assert_eq!(steps, ["beside"], "{plan:#}");
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    assert_eq!(generation("deployment/web"), before, "it was written again");
}

/// An address and a port that Git pinned and no longer gives are what the server would choose: nothing to be told for ever.
#[test]
fn an_address_that_git_no_longer_pins_is_no_difference() {
    let world = World::shared("unpinned").unwrap();
    let service = |pinned: bool| {
        let mut spec =
            serde_json::json!({"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]});
        if pinned {
            spec["ports"][0]["nodePort"] = 31_877.into();
        }
        serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
            .to_string()
    };
    world.write("service.yaml", &service(true)).unwrap();
    let first = world.commit("pinned").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&first).unwrap();
    world.write("service.yaml", &service(false)).unwrap();
    let second = world.commit("not pinned").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    assert_eq!(
        world.object("service/web").unwrap()["spec"]["ports"][0]["nodePort"],
        31_877
    );
}
