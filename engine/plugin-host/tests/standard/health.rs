//! What `health-kubernetes` says of objects.

use serde_json::{Value, json};
use sluice_model::health::HealthStatus;
use sluice_plugin_host::PluginHost;

use crate::{now, object};

fn health_of(value: Value) -> (HealthStatus, String, Option<String>) {
    let answer = PluginHost::standard().health(&[], &[object(value)], now());
    let verdict = answer.value.into_iter().next().unwrap();
    (verdict.status, verdict.message, verdict.plugin)
}

#[test]
fn health_of_a_deployment_follows_its_rollout() {
    let deployment = |generation: u32, spec: Value, status: Value| {
        let metadata = json!({"name": "web", "namespace": "shop", "generation": generation});
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec, "status": status});
        let (status, message, plugin) = health_of(object);
        assert_eq!(plugin.as_deref(), Some("health-kubernetes"));
        (status, message)
    };
    let done = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
    assert_eq!(
        deployment(2, json!({"replicas": 3}), done.clone()),
        (HealthStatus::Healthy, String::new())
    );
    assert_eq!(
        deployment(3, json!({"replicas": 3}), done.clone()).0,
        HealthStatus::Progressing
    );
    assert_eq!(
        deployment(2, json!({"replicas": 4}), done.clone()).0,
        HealthStatus::Progressing
    );
    assert_eq!(
        deployment(2, json!({"replicas": 3, "paused": true}), done).0,
        HealthStatus::Suspended
    );
    let failed = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]});
    let want = (
        HealthStatus::Degraded,
        "Deployment \"web\" exceeded its progress deadline".to_owned(),
    );
    assert_eq!(deployment(2, json!({}), failed), want);
    let (status, message) = deployment(2, json!({}), json!({"observedGeneration": "two"}));
    assert_eq!(status, HealthStatus::Unknown);
    assert!(
        message.contains("`/status/observedGeneration` is not an integer"),
        "{message}"
    );
}

#[test]
fn health_of_what_nobody_knows_is_no_opinion_without_a_status() {
    let odd = json!({"apiVersion": "serving.example.com/v1", "kind": "Service", "metadata": {"name": "x"}});
    assert_eq!(health_of(odd), (HealthStatus::Healthy, String::new(), None));
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}});
    assert_eq!(health_of(config), (HealthStatus::Healthy, String::new(), None));
}

#[test]
fn health_by_conditions() {
    let check = |status: Value, want: HealthStatus| {
        let metadata = json!({"name": "x", "generation": 2});
        let got = health_of(
            json!({"apiVersion": "x.example.com/v1", "kind": "X", "metadata": metadata, "status": status}),
        );
        assert_eq!(got.0, want, "{status}: {}", got.1);
    };
    let ready = |status: &str, reason: &str| json!({"conditions": [{"type": "Ready", "status": status, "reason": reason}]});
    check(ready("True", "Up"), HealthStatus::Healthy);
    check(ready("Unknown", "Waiting"), HealthStatus::Progressing);
    check(ready("False", "Starting"), HealthStatus::Progressing);
    check(ready("False", "InstallFailed"), HealthStatus::Degraded);
    check(
        json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}),
        HealthStatus::Progressing,
    );
    let stalled = json!([{"type": "Stalled", "status": "True"}, {"type": "Ready", "status": "True"}]);
    check(json!({"conditions": stalled}), HealthStatus::Degraded);
    check(json!({"conditions": "none"}), HealthStatus::Healthy);
}

#[test]
fn an_object_that_is_being_deleted_is_progressing_whatever_its_kind() {
    for (api_version, kind) in [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("v1", "ConfigMap"),
        ("x.example.com/v1", "X"),
    ] {
        let metadata = json!({"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let got = health_of(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}));
        assert_eq!(
            (got.0, got.1.as_str()),
            (HealthStatus::Progressing, "Pending deletion"),
            "{kind}"
        );
    }
}
