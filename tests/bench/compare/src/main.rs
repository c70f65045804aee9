//! How long the pure stages take: `cargo run --release -p sluice-bench-compare`.
//!
//! Prints one JSON line a figure: what, how many, and the minimum, median and maximum of the rounds in microseconds each.
//! `clock` says of what: the thread's own time on a processor where the system tells it (Linux), so that a busy machine
//! shows less; otherwise time on the wall.
//! The Deployment is of ordinary size, as an API server returns it: defaults, an injected container, status and the
//! record of fields of four managers, about 6 KB.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use sluice_compare::{compare, diff, prepare};
use sluice_model::decision::{Occasion, SyncDecision};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;
use sluice_plan::{DesiredObject, Options, PlanInput, plan};
use sluice_render::decode;

const ROUNDS: usize = 15;

fn main() {
    let desired = object(desired());
    let same = live(desired.value(), "web:1");
    let drifted = live(desired.value(), "web:2");
    assert!(
        compare(&desired, Some(&same), &[]).is_same(),
        "{:?}",
        compare(&desired, Some(&same), &[])
    );
    assert!(!compare(&desired, Some(&drifted), &[]).is_same());
    measure("compare a Deployment, same", 20_000, || {
        drop(black_box(compare(&desired, Some(&same), &[])))
    });
    measure("compare a Deployment, one field changed", 20_000, || {
        drop(black_box(compare(&desired, Some(&drifted), &[])))
    });
    measure("prepare a Deployment", 500_000, || {
        drop(black_box(prepare(&desired, Some(&same), &[])))
    });
    measure("diff text of a Deployment, one field changed", 500, || {
        drop(black_box(pair(&desired, &drifted).unified(3)));
    });
    let document = format!("---\n{}\n", yaml(desired.value(), 0));
    measure("decode a Deployment from YAML", 2_000, || {
        drop(black_box(decode("a.yaml", document.as_bytes())))
    });
    let thousand = document.repeat(1_000);
    measure("decode 1,000 Deployments from YAML", 1, || {
        drop(black_box(decode("a.yaml", thousand.as_bytes())))
    });
    let unchanged = input(&desired, &same, 1_000);
    measure("plan 1,000 unchanged objects", 20, || {
        drop(black_box(plan(unchanged.clone())))
    });
    let changed = input(&desired, &drifted, 1_000);
    measure("plan 1,000 changed objects", 5, || {
        drop(black_box(plan(changed.clone())))
    });
}

/// Runs `work` `count` times a round and prints what one of them took.
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn measure(what: &str, count: u32, mut work: impl FnMut()) {
    let start = Instant::now();
    let clock = if on_processor().is_some() { "cpu" } else { "wall" };
    let now = || on_processor().unwrap_or_else(|| start.elapsed().as_secs_f64());
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = now();
            (0..count).for_each(|_| work());
            (now() - before) * 1e6 / f64::from(count)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let at = |index: usize| (rounds.get(index).copied().unwrap_or_default() * 100.0).round() / 100.0;
    let figures = json!({"what": what, "clock": clock, "count": count, "rounds": ROUNDS, "unit": "µs", "min": at(0), "median": at(ROUNDS / 2), "max": at(ROUNDS - 1)});
    println!("{figures}");
}

/// Seconds that this thread has spent on a processor.
fn on_processor() -> Option<f64> {
    let statistics = fs_err::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: u64 = statistics.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}

fn input(desired: &Object, live: &Object, count: usize) -> PlanInput {
    let one = |index: usize| {
        let name = format!("web-{index}");
        let rename = |object: &Object| {
            object.edit(|map| {
                if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                    metadata.insert("name".into(), name.clone().into());
                }
            })
        };
        let (object, live) = (rename(desired), rename(live));
        let difference = compare(&object, Some(&live), &[]);
        let origin = Origin {
            file: "a.yaml".into(),
            line: 1,
        };
        DesiredObject {
            manifest: Manifest { object, origin },
            live: Some(live),
            difference,
            decision: SyncDecision::default(),
            predecessors: Vec::new(),
            record: Default::default(),
            recreate: false,
            released: false,
        }
    };
    PlanInput {
        application: ApplicationKey {
            namespace: "shop".into(),
            name: "shop".into(),
        },
        revision: "0123456789".repeat(4),
        destination_namespace: "shop".into(),
        policies: Vec::new(),
        occasion: Occasion::Sync,
        desired: (0..count).map(one).collect(),
        candidates: Vec::new(),
        namespace: None,
        selection: Vec::new(),
        options: Options::default(),
    }
}

fn pair<'a>(desired: &'a Object, live: &'a Object) -> diff::Pair<'a> {
    diff::Pair {
        desired,
        live: Some(live),
        ignore: &[],
        predecessors: &[],
        changes: None,
    }
}

fn object(value: Value) -> Object {
    Object::new(value).expect("the objects here have a kind")
}

fn desired() -> Value {
    let env: Vec<Value> = (0..8)
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value {n}")}))
        .collect();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "app.kubernetes.io/name": "web", "tier": "front"},
            "annotations": {"example.com/owner": "shop", "sluice.dev/sync-wave": "1"}},
        "spec": {
            "replicas": 3, "revisionHistoryLimit": 5,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "tier": "front"}},
                "spec": {
                    "serviceAccountName": "web",
                    "securityContext": {"runAsNonRoot": true},
                    "containers": [{
                        "name": "web", "image": "web:1", "args": ["--port", "8080", "--verbose"],
                        "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "metrics"}],
                        "env": env,
                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}},
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
                        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}, {"name": "tmp", "mountPath": "/tmp"}],
                    }],
                    "volumes": [{"name": "config", "configMap": {"name": "web"}}, {"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    })
}

fn live(desired: &Value, image: &str) -> Object {
    let mut live = desired.clone();
    let fields = owned(desired);
    live["metadata"]["uid"] = "5d2c2a3e-0000-4000-8000-000000000000".into();
    live["metadata"]["labels"]["applyset.kubernetes.io/part-of"] =
        sluice_model::applyset::id("shop", "shop").into();
    live["metadata"]["resourceVersion"] = "123456".into();
    live["metadata"]["generation"] = 7.into();
    live["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "7".into();
    let spec = &mut live["spec"];
    spec["progressDeadlineSeconds"] = 600.into();
    spec["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let pod = &mut spec["template"]["spec"];
    for (field, value) in [
        ("dnsPolicy", "ClusterFirst"),
        ("restartPolicy", "Always"),
        ("schedulerName", "default-scheduler"),
    ] {
        pod[field] = value.into();
    }
    let container = &mut pod["containers"][0];
    container["image"] = image.into();
    container["imagePullPolicy"] = "IfNotPresent".into();
    container["resources"]["limits"] = json!({"cpu": "1", "memory": "1Gi"});
    container["ports"][0]["protocol"] = "TCP".into();
    container["ports"][1]["protocol"] = "TCP".into();
    for probe in ["readinessProbe", "livenessProbe"] {
        container[probe]["failureThreshold"] = 3.into();
        container[probe]["httpGet"]["scheme"] = "HTTP".into();
    }
    if let Some(containers) = pod["containers"].as_array_mut() {
        containers
            .push(json!({"name": "proxy", "image": "proxy:1", "args": ["run"], "imagePullPolicy": "Always"}));
    }
    live["status"] = json!({"observedGeneration": 7, "replicas": 3, "readyReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]});
    live["metadata"]["managedFields"] = json!([
        {"manager": "injector", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"proxy\"}": {".": {}, "f:args": {}, "f:image": {}, "f:name": {}}}}}}}},
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}},
        {"manager": "sluice", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields},
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}, "f:readyReplicas": {}}}},
    ]);
    object(live)
}

/// The record of a manifest that was applied.
fn owned(desired: &Value) -> Value {
    fn tree(value: &Value, field: &str) -> Value {
        let keys: &[&str] = match field {
            "containers" | "env" | "volumes" => &["name"],
            "ports" => &["containerPort", "protocol"],
            "volumeMounts" => &["mountPath"],
            _ => &[],
        };
        match value {
            Value::Object(fields) if field != "selector" => fields
                .iter()
                .map(|(name, value)| (format!("f:{name}"), tree(value, name)))
                .collect(),
            Value::Array(entries) if !keys.is_empty() => entries
                .iter()
                .map(|entry| {
                    let key: Value = keys
                        .iter()
                        .map(|key| {
                            (
                                (*key).to_owned(),
                                entry.get(*key).cloned().unwrap_or("TCP".into()),
                            )
                        })
                        .collect::<serde_json::Map<_, _>>()
                        .into();
                    let mut below = tree(entry, "");
                    below["."] = json!({});
                    (format!("k:{key}"), below)
                })
                .collect(),
            _ => json!({}),
        }
    }
    let metadata =
        json!({"labels": desired["metadata"]["labels"], "annotations": desired["metadata"]["annotations"]});
    json!({"f:metadata": tree(&metadata, ""), "f:spec": tree(&desired["spec"], "")})
}

/// Block style, as people write it.
fn yaml(value: &Value, indent: usize) -> String {
    let pad = "  ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Object(below) if !below.is_empty() => {
                    format!("{pad}{name}:\n{}", yaml(value, indent + 1))
                }
                Value::Array(below) if !below.is_empty() => format!("{pad}{name}:\n{}", yaml(value, indent)),
                _ => format!("{pad}{name}: {value}\n"),
            })
            .collect(),
        Value::Array(entries) => entries
            .iter()
            .map(|entry| match entry {
                Value::Object(_) => {
                    let block = yaml(entry, indent + 1);
                    let rest = block.get(2 * (indent + 1)..).unwrap_or_default();
                    format!("{pad}- {rest}")
                }
                _ => format!("{pad}- {entry}\n"),
            })
            .collect(),
        _ => format!("{pad}{value}\n"),
    }
}
