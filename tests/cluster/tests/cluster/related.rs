//! What an application's health rests on beside its own objects: Pods, Events, other Applications. And how it went.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, config_map, text};

use crate::operations::stuck;

/// Waits until the application's health has this status, and its message all of these words.
fn wait_health(world: &World<'_>, status: &str, words: &[&str]) -> Value {
    world
        .wait_status(|found| {
            let health = &found["health"];
            let message = text(health, "/message");
            let is_so = text(health, "/status") == status && words.iter().all(|word| message.contains(word));
            ensure!(is_so, "{health:#}");
            Ok(())
        })
        .unwrap()["health"]
        .take()
}

/// The Pod of the Deployment `stuck`, once there is one.
fn pod(world: &World<'_>) -> String {
    let mut name = String::new();
    sluice_sandbox::wait_for("the Pod", std::time::Duration::from_secs(60), || {
        name = world.kubectl(&["get", "pods", "-l", "app=stuck", "-o", "name"])?;
        ensure!(!name.trim().is_empty(), "there is none");
        Ok(())
    })
    .unwrap();
    name.trim().trim_start_matches("pod/").to_owned()
}

/// Has a Pod say something of itself, as the kubelet would.
fn say(world: &World<'_>, pod: &str, status: &Value) {
    let patch = json!({"status": status}).to_string();
    world
        .kubectl(&[
            "patch",
            "pod",
            pod,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ])
        .unwrap();
}

#[test]
fn a_deployment_says_which_pod_fails_and_why() {
    let world = World::shared("related-pods").unwrap();
    world.write("stuck.yaml", &stuck(600, "")).unwrap();
    let commit = world.commit("a Deployment").unwrap();
    world.apply(&world.application()).unwrap();
    let pod = pod(&world);
    let waits = json!({"name": "c", "image": "registry.example.org/c:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}});
    say(&world, &pod, &json!({"containerStatuses": [waits]}));
    // A wave that waits for it says so.
    world
        .wait_status(|status| {
            let message = text(status, "/operation/waitingFor/message");
            ensure!(
                message.contains(&pod) && message.contains("cannot be had"),
                "{message}"
            );
            Ok(())
        })
        .unwrap();
    // It runs, but is never ready. The Event tells why; nothing of the Deployment has changed.
    let uid = world
        .kubectl(&["get", "pod", &pod, "-o", "jsonpath={.metadata.uid}"])
        .unwrap();
    let runs = json!({"name": "c", "image": "registry.example.org/c:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-30T10:00:00Z"}}});
    let scheduled = json!({"type": "PodScheduled", "status": "True"});
    say(
        &world,
        &pod,
        &json!({"phase": "Running", "conditions": [scheduled], "containerStatuses": [runs]}),
    );
    world
        .apply(&json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "unready", "namespace": world.namespace},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": world.namespace, "uid": uid},
            "type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: nobody is there",
            "lastTimestamp": "2026-11-30T10:00:00Z",
        }))
        .unwrap();
    world.done(&["terminate", "app"]);
    wait_health(
        &world,
        "Progressing",
        &[&pod, "Readiness probe failed: nobody is there"],
    );
    let ready = json!({"type": "Ready", "status": "True"});
    say(&world, &pod, &json!({"conditions": [scheduled, ready]}));
    let health = wait_health(&world, "Healthy", &[]);
    let statuses: Vec<&str> = health["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|transition| text(transition, "/status"))
        .collect();
    assert_eq!(statuses.first(), Some(&"Healthy"), "{health:#}");
    assert!(statuses.contains(&"Progressing"), "{health:#}");
    assert_eq!(text(&health, "/since"), text(&health, "/transitions/0/since"));
    world.refresh().unwrap();
    let later = world.wait_synced(&commit).unwrap();
    assert_eq!(
        later["health"]["since"], health["since"],
        "it has not changed since"
    );
}

#[test]
fn an_application_within_another_one_counts_with_its_reason() {
    let world = World::shared("related-applications").unwrap();
    let mut child = world.application();
    child["metadata"]["name"] = "child".into();
    child["spec"]["source"]["path"] = "others".into();
    world.write("child.yaml", &child.to_string()).unwrap();
    world.repository.write("others/stuck.yaml", stuck(2, "")).unwrap();
    world.commit("one within another").unwrap();
    world.apply(&world.application()).unwrap();
    wait_health(
        &world,
        "Degraded",
        &[
            "Application.sluice.dev",
            "/child",
            "Deployment.apps",
            "progress deadline",
        ],
    );
    world
        .repository
        .write("others/stuck.yaml", config_map("fine", "1"))
        .unwrap();
    world.commit("the fix").unwrap();
    world.done(&["refresh", "child"]);
    wait_health(&world, "Healthy", &[]);
}

#[test]
fn what_is_to_be_ignored_does_not_count() {
    let world = World::shared("related-ignored").unwrap();
    let ignored = "sluice.dev/ignore-healthcheck: \"true\", sluice.dev/wait: \"false\"";
    world.write("stuck.yaml", &stuck(2, ignored)).unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let commit = world.commit("one that nobody waits for").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    let health = wait_health(&world, "Healthy", &[]);
    assert!(text(&health, "/message").is_empty(), "{health:#}");
}
