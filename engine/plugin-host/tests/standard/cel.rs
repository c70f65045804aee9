//! `health-cel`: expressions as settings, judged in the sandbox.

use serde_json::{Value, json};
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_plugin_host::{Answer, PluginHost};

use crate::{now, object};

fn policies(settings: Value) -> Vec<PolicyRef> {
    let named = json!([{"plugin": "health-kubernetes"}, {"plugin": "health-cel", "settings": settings}]);
    serde_json::from_value(named).unwrap()
}

fn thing(kind: &str, status: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "x", "generation": 2}, "status": status})
}

fn words(verdict: &HealthVerdict) -> (HealthStatus, &str, Option<&str>) {
    (verdict.status, &verdict.message, verdict.plugin.as_deref())
}

#[test]
fn expressions_of_flux_judge_their_kinds_and_no_others() {
    let policies = policies(json!({"healthCheckExprs": [{
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "inProgress": "status.phase == 'Starting'",
        "failed": "status.phase == 'Broken'",
        "current": "status.phase == 'Running' && status.ready >= 2",
    }]}));
    let host = PluginHost::standard();
    let stale = json!({"observedGeneration": 1, "phase": "Running", "ready": 3});
    let objects = [
        thing("Thing", json!({"phase": "Starting"})),
        thing("Thing", json!({"phase": "Broken"})),
        thing("Thing", json!({"phase": "Running", "ready": 3})),
        thing("Thing", stale),
        thing("Thing", json!({"phase": "Running"})),
        thing(
            "Other",
            json!({"conditions": [{"type": "Ready", "status": "True"}]}),
        ),
    ];
    let Answer { value, problems } = host.health(&policies, &objects.map(object), now());
    assert_eq!(problems, []);
    let by_cel = Some("health-cel");
    let wanted = [
        (
            HealthStatus::Progressing,
            "`inProgress` is true: status.phase == 'Starting'",
            by_cel,
        ),
        (
            HealthStatus::Degraded,
            "`failed` is true: status.phase == 'Broken'",
            by_cel,
        ),
        (HealthStatus::Healthy, "", by_cel),
        (
            HealthStatus::Progressing,
            "its controller has seen generation 1, and it is at 2",
            by_cel,
        ),
        (
            HealthStatus::Unknown,
            "/healthCheckExprs/0/current: no such key: ready",
            by_cel,
        ),
        (HealthStatus::Healthy, "", Some("health-kubernetes")),
    ];
    assert_eq!(value.iter().map(words).collect::<Vec<_>>(), wanted);
}

#[test]
fn what_does_not_parse_is_refused_with_its_place() {
    let named = |current: &str| Policies {
        health: policies(json!({"healthCheckExprs": [
            {"apiVersion": "example.com/v1", "kind": "Other", "current": "true"},
            {"apiVersion": "example.com/v1", "kind": "Thing", "current": current},
        ]})),
        ..Policies::default()
    };
    let host = PluginHost::standard();
    assert_eq!(host.check(&named("status.phase == 'Running'")), []);
    let wrong = named("status.phase = 'Running'");
    let problems = host.check(&wrong);
    let said: Vec<(&str, &str)> = problems
        .iter()
        .map(|problem| (problem.code.id, problem.message.as_str()))
        .collect();
    let message = "its settings are wrong: `/healthCheckExprs/1/current`: line 1, column 14: `=` is no operator; `==` compares, \
                   in: status.phase = 'Running'";
    assert_eq!(said, [("P07", message)]);
    // Whoever goes on all the same knows of no object how it is, since there might be a rule for it.
    let answer = host.health(&wrong.health, &[object(thing("Other", json!({})))], now());
    assert_eq!(answer.value[0].status, HealthStatus::Unknown);
    // The schema is held against them before the plugin is asked.
    let problems = host.check(&Policies {
        health: policies(
            json!({"rules": [{"kind": "Thing", "checks": [{"when": "true", "status": "Fine"}]}]}),
        ),
        ..Policies::default()
    });
    assert!(
        problems[0].message.contains("`/rules/0/checks/0/status`"),
        "{problems:?}"
    );
}

/// The expressions of `plugins/cel/tests/cel/hostile.txt`, over what a hostile controller writes: within the real limits of an instance.
#[test]
fn no_expression_takes_the_instance_with_it() {
    let lines = include_str!("../../../../plugins/cel/tests/cel/hostile.txt").lines();
    let host = PluginHost::standard();
    let mut hostile = thing("Hostile", json!({}));
    let more = [
        ("many", json!((0..10_000).collect::<Vec<i32>>())),
        ("long", json!("a".repeat(1 << 20))),
        ("words", json!(vec!["a".repeat(1 << 10); 1_000])),
    ];
    hostile
        .as_object_mut()
        .unwrap()
        .extend(more.map(|(name, value)| (name.to_owned(), value)));
    let objects = [object(hostile), object(thing("Thing", json!({})))];
    let (mut refused, mut limited, mut judged) = (0, 0, 0);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let expression = written_out(line);
        let policies = policies(json!({"rules": [
            {"group": "example.com", "kind": "Hostile", "checks": [
                {"when": format!("type({expression}\n) == bool || true"), "status": "Healthy"},
            ]},
            {"group": "example.com", "kind": "Thing", "checks": [{"when": "true", "status": "Healthy", "message": "unharmed"}]},
        ]}));
        let Answer { value, problems } = host.health(&policies, &objects, now());
        if let Some(problem) = problems.first() {
            // It does not parse, or is too deep: no rule is in service.
            assert_eq!(problem.code.id, "P07", "{line}: {problem:?}");
            assert!(
                value
                    .iter()
                    .all(|verdict| verdict.status == HealthStatus::Unknown)
            );
            refused += 1;
            continue;
        }
        let over_a_limit = value[0].message.contains("it takes more than");
        let wanted = if over_a_limit {
            HealthStatus::Unknown
        } else {
            HealthStatus::Healthy
        };
        assert_eq!(value[0].status, wanted, "{line}: {}", value[0].message);
        limited += usize::from(over_a_limit);
        judged += usize::from(!over_a_limit);
        let unharmed = (HealthStatus::Healthy, "unharmed", Some("health-cel"));
        assert_eq!(words(&value[1]), unharmed, "after {line}");
    }
    assert!(
        limited >= 40 && refused >= 10 && judged >= 10,
        "{limited} {refused} {judged}"
    );
}

/// `⟨3×ab⟩` written out: `ababab`. They may be within each other.
fn written_out(line: &str) -> String {
    let mut text = line.to_owned();
    while let Some((before, after)) = text.split_once('⟩') {
        let (before, repeated) = before.rsplit_once('⟨').unwrap();
        let (times, part) = repeated.split_once('×').unwrap();
        text = format!("{before}{}{after}", part.repeat(times.parse().unwrap()));
    }
    text
}
