//! An Application from its creation to its end.

use std::time::Duration;

use anyhow::ensure;
use sluice_cluster_tests::{World, config_map, text};

const A_WHILE: Duration = Duration::from_secs(60);

const CLAIM: &str = "\
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
";

#[test]
fn what_git_no_longer_has_is_deleted_and_nothing_else() {
    let world = World::shared("prune").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.running().unwrap();
    let somebody_elses = format!("-n {} create configmap other", world.namespace);
    world.engine.plane.kubectl(&somebody_elses).unwrap();
    world.repository.remove("manifests/a.yaml").unwrap();
    let commit = world.commit("without a").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    world
        .engine
        .plane
        .wait_gone(&format!("-n {} configmap/a", world.namespace), A_WHILE)
        .unwrap();
    world.object("configmap/other").unwrap();
    world.object("configmap/running").unwrap();
}

#[test]
fn nothing_is_deleted_where_pruning_is_off() {
    let world = World::shared("no-prune").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let first = world.commit("two").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"]["automated"]["prune"] = false.into();
    world.apply(&application).unwrap();
    world.wait_synced(&first).unwrap();
    world.repository.remove("manifests/a.yaml").unwrap();
    let commit = world.commit("one").unwrap();
    world.refresh().unwrap();
    world
        .wait_status(|status| {
            ensure!(text(status, "/sync/revision") == commit, "not there yet");
            ensure!(text(status, "/operation/phase") != "Running", "still at it");
            Ok(())
        })
        .unwrap();
    assert!(
        world
            .object("configmap/a")
            .unwrap()
            .pointer("/metadata/deletionTimestamp")
            .is_none()
    );
}

#[test]
fn deleting_an_application_deletes_what_it_owns_where_the_spec_says_so() {
    let world = World::shared("delete-prune").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.write("data.yaml", CLAIM).unwrap();
    let commit = world.commit("with data").unwrap();
    let mut application = world.application();
    application["spec"]["deletionPolicy"] = "Prune".into();
    world.apply(&application).unwrap();
    world.wait_synced(&commit).unwrap();

    let namespace = &world.namespace;
    world
        .engine
        .plane
        .kubectl(&format!(
            "-n {namespace} delete applications.sluice.dev/app --wait=false"
        ))
        .unwrap();
    world
        .engine
        .plane
        .wait_gone(&format!("-n {namespace} configmap/running"), A_WHILE)
        .unwrap();
    // The same policy as ever: data waits for an approval, and the Application with it.
    let status = world
        .wait_status(|status| {
            ensure!(
                status
                    .pointer("/pendingApproval/count")
                    .is_some_and(|count| *count == 1),
                "nothing is held"
            );
            Ok(())
        })
        .unwrap();
    world.object("pvc/data").unwrap();
    let digest = text(&status, "/pendingApproval/planDigest");
    world
        .engine
        .sluice(&["approve", "app", "--plan", digest, "--namespace", namespace])
        .unwrap();
    world
        .engine
        .plane
        .wait_gone(&format!("-n {namespace} applications.sluice.dev/app"), A_WHILE)
        .unwrap();
    world
        .engine
        .plane
        .wait_gone(&format!("-n {namespace} pvc/data"), A_WHILE)
        .unwrap();
}

#[test]
fn deleting_an_application_leaves_what_it_owns_by_default() {
    let world = World::shared("delete-orphan").unwrap();
    world.running().unwrap();
    let (uid, _) = world.version("configmap/running").unwrap();
    let namespace = &world.namespace;
    world
        .engine
        .plane
        .kubectl(&format!(
            "-n {namespace} delete applications.sluice.dev/app --timeout=60s"
        ))
        .unwrap();
    let left = world.object("configmap/running").unwrap();
    assert_eq!(text(&left, "/metadata/uid"), uid);
    assert!(left.pointer("/metadata/deletionTimestamp").is_none());
}

#[test]
fn without_automation_a_sync_is_asked_for() {
    let world = World::shared("manual").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let commit = world.commit("first").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = serde_json::json!({});
    world.apply(&application).unwrap();
    world
        .wait_status(|status| {
            ensure!(text(status, "/sync/status") == "OutOfSync", "not OutOfSync");
            Ok(())
        })
        .unwrap();
    assert!(
        world.object("configmap/running").is_err(),
        "nothing is done without being asked"
    );
    world
        .engine
        .sluice(&["sync", "app", "--namespace", &world.namespace])
        .unwrap();
    world.wait_synced(&commit).unwrap();
}

#[test]
fn members_carry_the_labels_of_an_apply_set() {
    let world = World::shared("labels").unwrap();
    world.running().unwrap();
    let member = world.object("configmap/running").unwrap();
    let part_of = member
        .pointer("/metadata/labels/applyset.kubernetes.io~1part-of")
        .cloned()
        .unwrap_or_default();
    assert!(
        part_of.as_str().is_some_and(|id| id.starts_with("applyset-")),
        "{member:#}"
    );
    let managers: Vec<&str> = member["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| text(it, "/manager"))
        .collect();
    // kubectl leaves them out of what it prints unless it is told otherwise.
    assert!(managers.is_empty() || managers == ["sluice"], "{managers:?}");
}
