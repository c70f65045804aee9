//! Repositories, revisions and paths that are not there, and keyrings that cannot be read: a coded condition, and what was
//! running stays untouched.

use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, short_reason, text};

/// Changes a running Application's spec, and expects this condition to be False with a code of this stage.
fn check(name: &str, change: impl FnOnce(&mut Value), kind: &str, stage: char) -> Value {
    let world = World::shared(name).unwrap();
    let commit = world.running().unwrap();
    let before = world.version("configmap/running").unwrap();

    let mut application = world.application();
    change(&mut application["spec"]);
    world.apply(&application).unwrap();
    let refused = world.wait_refused(kind).unwrap();

    assert!(short_reason(&refused).unwrap().starts_with(stage), "{refused}");
    assert!(
        text(&refused, "/message").len() > 20,
        "too little to go on: {refused}"
    );
    assert_eq!(world.version("configmap/running").unwrap(), before);
    let status = world.get().unwrap()["status"].take();
    assert_eq!(
        text(&status, "/sync/revision"),
        commit,
        "the cluster is still where it was"
    );

    // A mended spec needs no further help.
    world.apply(&world.application()).unwrap();
    let status = world.wait_status(|status| {
        anyhow::ensure!(
            condition(status, kind)?["status"] == "True",
            "{kind} is not True again"
        );
        Ok(())
    });
    assert_eq!(text(&status.unwrap(), "/sync/status"), "Synced");
    refused
}

#[test]
fn unknown_repository() {
    let refused = check(
        "unknown-repository",
        |spec| {
            spec["source"]["repoURL"] = text(spec, "/source/repoURL")
                .replace("app.git", "nothing.git")
                .into()
        },
        "SourceReady",
        'S',
    );
    assert!(text(&refused, "/message").contains("nothing.git"), "{refused}");
}

#[test]
fn unreachable_repository() {
    // Port 1 of loopback: nobody listens, and the kernel says so at once.
    let url = "http://127.0.0.1:1/app.git";
    let refused = check(
        "unreachable-repository",
        |spec| spec["source"]["repoURL"] = url.into(),
        "SourceReady",
        'S',
    );
    assert!(text(&refused, "/message").contains("127.0.0.1:1"), "{refused}");
}

#[test]
fn unknown_revision() {
    let change = |spec: &mut Value| spec["source"]["targetRevision"] = "v9.9".into();
    let refused = check("unknown-revision", change, "SourceReady", 'S');
    assert!(text(&refused, "/message").contains("v9.9"), "{refused}");
}

#[test]
fn unknown_path() {
    let change = |spec: &mut Value| spec["source"]["path"] = "no/such/folder".into();
    let refused = check("unknown-path", change, "SourceReady", 'S');
    assert!(text(&refused, "/message").contains("no/such/folder"), "{refused}");
}

#[test]
fn unknown_cluster() {
    let change = |spec: &mut Value| spec["destination"]["name"] = "elsewhere".into();
    let refused = check("unknown-cluster", change, "Synced", 'K');
    assert_eq!(short_reason(&refused).unwrap(), "K03");
}

#[test]
fn missing_keyring() {
    let keyring = json!({"mode": "head", "keyrings": [{"configMap": {"name": "nowhere"}}]});
    let refused = check(
        "missing-keyring",
        |spec| spec["verification"] = keyring,
        "Verified",
        'K',
    );
    assert!(text(&refused, "/message").contains("nowhere"), "{refused}");
}

#[test]
fn unreadable_keyring() {
    let world = World::shared("unreadable-keyring").unwrap();
    world.running().unwrap();
    let before = world.version("configmap/running").unwrap();
    let keys = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keys", "namespace": world.namespace},
        "data": {"a.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n-----END PGP PUBLIC KEY BLOCK-----\n"},
    });
    world.apply(&keys).unwrap();
    let mut application = world.application();
    application["spec"]["verification"] =
        json!({"mode": "head", "keyrings": [{"configMap": {"name": "keys"}}]});
    world.apply(&application).unwrap();
    let refused = world.wait_refused("Verified").unwrap();
    assert!(text(&refused, "/message").contains("keys"), "{refused}");
    assert_eq!(world.version("configmap/running").unwrap(), before);
}
