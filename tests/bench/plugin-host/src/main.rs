//! How long policies take, through the interface that the engine uses.
//!
//! `cargo run --release -p sluice-bench-plugin-host [-- --sluice PATH]` prints one JSON line per measurement, with every raw figure,
//! and what was promised beside it; it fails where the median of one is above its promise. With `--sluice`, the start of that
//! program is measured too. Figures that were measured are kept in `results/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::decision::Occasion;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::{PluginHost, PruneCandidate, PruneContext, SyncContext, SyncObject};

/// Objects of one batch.
const BATCH: usize = 1_000;
/// How often each is measured.
const RUNS: usize = 30;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sluice = match arguments.as_slice() {
        [flag, path] if flag == "--sluice" => Some(path.clone()),
        [] => None,
        _ => {
            eprintln!("usage: sluice-bench-plugin-host [--sluice PATH]");
            return ExitCode::from(2);
        }
    };
    let mut kept = true;
    let mut report = |name: &str, promised: Option<f64>, unit: &str, figures: Vec<f64>| {
        let mut sorted = figures.clone();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
        let met = promised.is_none_or(|promised| median <= promised);
        kept &= met;
        println!(
            "{}",
            json!({"measured": name, "unit": unit, "median": median, "min": sorted.first(), "max": sorted.last(),
                   "promised": promised, "met": met, "figures": figures})
        );
    };

    let now = jiff::Timestamp::UNIX_EPOCH;
    let host = PluginHost::standard();
    let deployments: Vec<Object> = (0..BATCH).map(deployment).collect();
    let pods: Vec<Object> = (0..BATCH).map(pod).collect();
    let others: Vec<Object> = (0..BATCH).map(other).collect();

    let per_object = |objects: &[Object]| {
        timed(RUNS, || drop(host.health(&[], objects, now)))
            .into_iter()
            .map(|seconds| seconds * 1e6 / BATCH as f64)
            .collect()
    };
    report(
        "health of a Deployment of 2.6 KB, in a batch of 1,000",
        Some(6.0),
        "µs",
        per_object(&deployments),
    );
    report(
        "health of a Pod, in a batch of 1,000",
        None,
        "µs",
        per_object(&pods),
    );
    report(
        "health by conditions, in a batch of 1,000",
        None,
        "µs",
        per_object(&others),
    );

    let one = deployments.get(..1).unwrap_or_default();
    let fresh = timed(RUNS, || (0..200).for_each(|_| drop(host.health(&[], one, now))));
    let fresh = fresh.into_iter().map(|seconds| seconds * 1e6 / 200.0).collect();
    report(
        "health of a Deployment, in a fresh instance",
        Some(45.0),
        "µs",
        fresh,
    );

    let context = SyncContext {
        now,
        application: None,
        options: Vec::new(),
    };
    let changes: Vec<SyncObject> = deployments
        .iter()
        .map(|object| SyncObject {
            desired: Some(object.clone()),
            live: Some(object.clone()),
        })
        .collect();
    let sync = timed(RUNS, || drop(host.sync(&[], &changes, &context)));
    let sync = sync
        .into_iter()
        .map(|seconds| seconds * 1e6 / BATCH as f64)
        .collect();
    report(
        "sync decision by three policies, in a batch of 1,000",
        None,
        "µs",
        sync,
    );

    let context = PruneContext {
        now,
        occasion: Occasion::Sync,
        application: ApplicationKey {
            namespace: "shop".to_owned(),
            name: "shop".to_owned(),
        },
        owned: deployments.iter().collect(),
        desired: [].into_iter().collect(),
        options: Vec::new(),
    };
    let candidates: Vec<PruneCandidate> = deployments.iter().cloned().map(PruneCandidate::from).collect();
    let prune = timed(RUNS, || drop(host.prune(&[], &candidates, &context)));
    let prune = prune
        .into_iter()
        .map(|seconds| seconds * 1e6 / BATCH as f64)
        .collect();
    report(
        "prune verdict by four policies, in a plan of 1,000",
        None,
        "µs",
        prune,
    );

    let start = timed(RUNS, || drop(PluginHost::standard().health(&[], one, now)));
    let start = start.into_iter().map(|seconds| seconds * 1e3).collect();
    report(
        "a new engine, health plugin loaded, one object judged",
        None,
        "ms",
        start,
    );

    if let Some(file) = example() {
        let compile = timed(5, || drop(host.inspect(&file)));
        let compile = compile.into_iter().map(|seconds| seconds * 1e3).collect();
        report(
            "wrapping, compiling and describing the example plugin",
            None,
            "ms",
            compile,
        );
    }
    if let Some(sluice) = sluice {
        let text = one
            .first()
            .map(|object| object.value().to_string())
            .unwrap_or_default();
        let start = timed(RUNS, || judge_by_process(&sluice, &text));
        let start = start.into_iter().map(|seconds| seconds * 1e3).collect();
        report(
            "`sluice health` on one object, process start to exit",
            Some(60.0),
            "ms",
            start,
        );
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Seconds of each run, after one to warm up.
fn timed(runs: usize, mut work: impl FnMut()) -> Vec<f64> {
    work();
    (0..runs)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64()
        })
        .collect()
}

fn judge_by_process(sluice: &str, text: &str) {
    let child = Command::new(sluice)
        .args(["health", "-f", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("{sluice} cannot be run");
        return;
    };
    if let Some(mut input) = child.stdin.take()
        && input.write_all(text.as_bytes()).is_err()
    {
        eprintln!("{sluice} does not read its input");
    }
    if !child.wait().is_ok_and(|status| status.success()) {
        eprintln!("{sluice} failed");
    }
}

/// The example plugin, where `cargo xtask plugins` has built it.
fn example() -> Option<std::path::PathBuf> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../target/plugins/examples/health-plugin.wasm");
    file.exists().then_some(file)
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap_or_else(|error| unreachable!("{error}"))
}

/// As a cluster has it: with the fields that servers add.
fn deployment(number: usize) -> Object {
    let condition = |kind: &str, reason: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": "Deployment has minimum availability.",
               "lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let container = json!({
        "name": "web", "image": "registry.example.com/shop/web:1.2.3", "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10},
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    });
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "generation": 4, "uid": format!("uid-{number}"),
                     "resourceVersion": "123456", "creationTimestamp": "2026-01-01T00:00:00Z",
                     "labels": {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "shop"},
                     "annotations": {"deployment.kubernetes.io/revision": "4"},
                     "managedFields": [{"manager": "sluice", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                                        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {}}}}}]},
        "spec": {"replicas": 3, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                 "selector": {"matchLabels": {"app.kubernetes.io/name": "web"}},
                 "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                 "template": {"metadata": {"labels": {"app.kubernetes.io/name": "web"}},
                              "spec": {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
                                       "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30}}},
        "status": {"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
                   "conditions": [condition("Available", "MinimumReplicasAvailable"), condition("Progressing", "NewReplicaSetAvailable")]},
    }))
}

fn pod(number: usize) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("web-{number}"), "namespace": "shop"},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": "registry.example.com/shop/web:1.2.3"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
                   "containerStatuses": [{"name": "web", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]},
    }))
}

fn other(number: usize) -> Object {
    object(json!({
        "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": format!("thing-{number}"), "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "Up", "message": "it works"}]},
    }))
}
