//! The API server refuses a write: a coded condition, and nothing of the sync was done.

use serde_json::json;
use sluice_cluster_tests::{Engine, World, condition, config_map, short_reason, text};

/// Commits a change of what runs together with an object called `refused`, and expects the reason and the words.
fn check(world: &World<'_>, manifest: &str, code: &str, words: &[&str]) {
    let before = world.version("configmap/running").unwrap();
    let good = text(&world.get().unwrap(), "/status/sync/revision").to_owned();
    world.write("running.yaml", &config_map("running", "2")).unwrap();
    world.write("refused.yaml", manifest).unwrap();
    world.commit("something the server refuses").unwrap();
    world.refresh().unwrap();
    let refused = world.wait_refused("Synced").unwrap();
    let message = text(&refused, "/message");
    assert!(
        short_reason(&refused).unwrap() == code || message.contains(code),
        "{code} is not in {refused}"
    );
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {refused}");
    }
    assert_eq!(
        world.version("configmap/running").unwrap(),
        before,
        "nothing of the sync is done: {refused}"
    );
    assert_eq!(text(&world.get().unwrap(), "/status/sync/revision"), good);
}

/// What was refused is taken out of Git, and the rest goes on.
fn mend(world: &World<'_>) {
    world.repository.remove("manifests/refused.yaml").unwrap();
    let mended = world.commit("without it").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&mended).unwrap();
    assert_eq!(
        text(&world.object("configmap/running").unwrap(), "/data/value"),
        "2"
    );
}

#[test]
fn admission() {
    let world = World::shared("admission").unwrap();
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "no-wine"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"],
            }]},
            "validations": [{"expression": "object.metadata.name != 'wine'", "message": "no wine before noon"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-wine"},
        "spec": {
            "policyName": "no-wine", "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}},
        },
    });
    world.apply(&policy).unwrap();
    world.apply(&binding).unwrap();
    world.running().unwrap();
    // A policy holds from when the server has seen it, which nothing announces.
    let probe = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: wine, namespace: {}}}\n",
        world.namespace
    );
    sluice_sandbox::wait_for("the policy", std::time::Duration::from_secs(30), || {
        let probe = world.engine.write("probe.yaml", &probe)?;
        let said = world.engine.plane.kubectl_with(&[
            "create",
            "--dry-run=server",
            "-f",
            &probe.display().to_string(),
        ]);
        anyhow::ensure!(said.is_err(), "it lets everything through");
        Ok(())
    })
    .unwrap();
    check(
        &world,
        &config_map("wine", "red"),
        "K14",
        &["wine", "no wine before noon"],
    );
    mend(&world);
}

#[test]
fn quota() {
    let world = World::shared("quota").unwrap();
    world.running().unwrap();
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "services", "namespace": world.namespace},
        "spec": {"hard": {"services": "0"}},
    });
    world.apply(&quota).unwrap();
    let of_quota = format!("-n {} resourcequota/services", world.namespace);
    world
        .engine
        .plane
        .wait_for(&of_quota, std::time::Duration::from_secs(30), |quota| {
            anyhow::ensure!(
                quota.pointer("/status/used/services").is_some(),
                "not counted yet"
            );
            Ok(())
        })
        .unwrap();
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: refused\nspec:\n  ports: [{port: 80}]\n";
    check(&world, service, "K16", &["refused", "services"]);
    mend(&world);
}

#[test]
fn invalid() {
    let world = World::shared("invalid").unwrap();
    world.running().unwrap();
    let service =
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: refused\nspec:\n  ports: [{port: 123456}]\n";
    check(&world, service, "K17", &["refused", "port"]);
    mend(&world);
}

#[test]
fn conflict_with_another_field_manager() {
    let world = World::shared("conflict").unwrap();
    world.running().unwrap();
    // Somebody else, and none of the tools that people come from, has a field of an object that Git will now want to set.
    let theirs = config_map("theirs", "theirs");
    let theirs = world
        .engine
        .write("theirs.yaml", theirs)
        .unwrap()
        .display()
        .to_string();
    let apply = [
        "-n",
        &world.namespace,
        "apply",
        "--server-side",
        "--field-manager=payroll",
        "-f",
        &theirs,
    ];
    world.engine.plane.kubectl_with(&apply).unwrap();
    let manifest = format!("{}  more: \"x\"\n", config_map("theirs", "ours"));
    let before = world.version("configmap/theirs").unwrap();
    check(&world, &manifest, "K15", &["theirs", "payroll"]);
    assert_eq!(world.version("configmap/theirs").unwrap(), before);
    mend(&world);
}

#[test]
fn rbac() {
    // A control plane of its own: its controller may do less.
    let engine = Engine::without_controller().unwrap();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "modest"},
        "rules": [
            {"apiGroups": ["sluice.dev"], "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        ],
    });
    engine
        .plane
        .kubectl("create serviceaccount modest -n default")
        .unwrap();
    engine.plane.apply(&role.to_string()).unwrap();
    engine
        .plane
        .kubectl("create clusterrolebinding modest --clusterrole=modest --serviceaccount=default:modest")
        .unwrap();
    let token = engine.plane.kubectl("create token modest -n default").unwrap();
    let all = engine.plane.kubectl("config view --raw -o json").unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&all).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let kubeconfig = engine.write("modest.json", config.to_string()).unwrap();
    engine
        .start_controller(&["--kubeconfig", &kubeconfig.display().to_string()])
        .unwrap();

    let world = World::new(&engine, "rbac").unwrap();
    world.running().unwrap();
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: refused\nspec:\n  ports: [{port: 80}]\n";
    check(&world, service, "K13", &["refused", "services"]);
    mend(&world);
    let status = world.get().unwrap()["status"].take();
    assert_eq!(condition(&status, "Synced").unwrap()["status"], "True");
}
