//! `health-kstatus`: another model, for whoever names it.

use serde_json::{Value, json};
use sluice_model::application::PolicyRef;
use sluice_model::health::HealthStatus;
use sluice_plugin_host::PluginHost;

use crate::{now, object};

fn judged(plugins: &[&str], value: Value) -> (HealthStatus, String, Option<String>) {
    let policies: Vec<PolicyRef> = plugins
        .iter()
        .map(|plugin| serde_json::from_value(json!({"plugin": plugin})).unwrap())
        .collect();
    let answer = PluginHost::standard().health(&policies, &[object(value)], now());
    let verdict = answer.value.into_iter().next().unwrap();
    (verdict.status, verdict.message, verdict.plugin)
}

#[test]
fn it_judges_only_where_it_is_named() {
    let failed =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "status": {"phase": "Failed"}});
    let (status, _, plugin) = judged(&[], failed.clone());
    assert_eq!(
        (status, plugin.as_deref()),
        (HealthStatus::Degraded, Some("health-kubernetes"))
    );
    // In its model what has ended is done.
    let (status, _, plugin) = judged(&["health-kstatus"], failed.clone());
    assert_eq!(
        (status, plugin.as_deref()),
        (HealthStatus::Healthy, Some("health-kstatus"))
    );
    // Of equal claims that of the plugin named later counts.
    let (_, _, plugin) = judged(&["health-kubernetes", "health-kstatus"], failed.clone());
    assert_eq!(plugin.as_deref(), Some("health-kstatus"));
    let (_, _, plugin) = judged(&["health-kstatus", "health-kubernetes"], failed);
    assert_eq!(plugin.as_deref(), Some("health-kubernetes"));
}

#[test]
fn it_looks_at_the_clock() {
    let unschedulable = |created: &str| {
        let conditions = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
        let metadata = json!({"name": "x", "creationTimestamp": created});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": "Pending", "conditions": conditions}});
        judged(&["health-kstatus"], pod).0
    };
    // The clock of these tests stands at midnight.
    assert_eq!(unschedulable("2025-12-31T23:59:50Z"), HealthStatus::Progressing);
    assert_eq!(unschedulable("2025-12-31T23:59:40Z"), HealthStatus::Degraded);
}
