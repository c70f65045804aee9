//! How long policies take, through the interface that the engine uses.
//!
//! `cargo run --release -p sluice-bench-plugin-host [-- --sluice PATH]` prints one JSON line per measurement, with every raw figure,
//! and what was promised beside it; it fails where the median of one is above its promise. With `--sluice`, the start of that
//! program is measured too. Beside the time on the clock stands the time that the measuring thread was given: on a machine that
//! does other things the two differ. Figures that were measured are kept in `results/`.
//!
//! A call of the host is a batch and has an instance of its own, so a batch of one object is what a fresh instance costs.
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
use sluice_plugin_host::{Answer, PluginHost, PruneContext, PruneObject, SyncContext, SyncObject};

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
    let mut report = Report { is_kept: true };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let host = PluginHost::standard();
    let deployments: Vec<Object> = (0..BATCH).map(deployment).collect();
    let pods: Vec<Object> = (0..BATCH).map(pod).collect();
    let others: Vec<Object> = (0..BATCH).map(other).collect();
    let one = deployments.get(..1).unwrap_or_default();

    let health = |objects: &[Object]| sound(host.health(&[], objects, now));
    report.per_object(
        "health of a Deployment of 2.6 KB, in a batch of 1,000",
        Some(6.0),
        BATCH,
        || health(&deployments),
    );
    report.per_object("health of a Pod, in a batch of 1,000", None, BATCH, || {
        health(&pods)
    });
    report.per_object("health by conditions, in a batch of 1,000", None, BATCH, || {
        health(&others)
    });
    for (name, make) in [
        (
            "health of a Certificate by the catalogue, in a batch of 1,000",
            certificate as fn(usize) -> Object,
        ),
        (
            "health of a Rollout by the catalogue, in a batch of 1,000",
            rollout,
        ),
        (
            "health of an OpenShift Route by the catalogue, in a batch of 1,000",
            route,
        ),
        (
            "health of an S3 Bucket by the catalogue's pattern, in a batch of 1,000",
            bucket,
        ),
    ] {
        let objects: Vec<Object> = (0..BATCH).map(make).collect();
        report.per_object(name, Some(8.0), BATCH, || health(&objects));
    }
    report.per_object(
        "health of a Deployment, in a fresh instance",
        Some(45.0),
        200,
        || {
            (0..200).for_each(|_| health(one));
        },
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
    report.per_object(
        "sync decision by three policies, in a batch of 1,000",
        None,
        BATCH,
        || {
            sound(host.sync(&[], &changes, &context));
        },
    );

    let annotated: Vec<SyncObject> = (0..BATCH).map(|number| annotated(number).into()).collect();
    report.per_object(
        "sync decision on an object with twelve annotations, in a batch of 1,000",
        None,
        BATCH,
        || {
            sound(host.sync(&[], &annotated, &context));
        },
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
    let candidates: Vec<PruneObject> = deployments.iter().cloned().map(PruneObject::from).collect();
    report.per_object(
        "prune decision by four policies, in a plan of 1,000",
        None,
        BATCH,
        || {
            sound(host.prune(&[], &candidates, &context));
        },
    );

    report.whole(
        "a new engine, health plugin loaded, one object judged",
        None,
        RUNS,
        || {
            sound(PluginHost::standard().health(&[], one, now));
        },
    );
    if let Some(file) = example() {
        report.whole(
            "wrapping, compiling and describing the example plugin",
            None,
            5,
            || {
                if let Err(error) = host.inspect(&file) {
                    eprintln!("{}: {error}", file.display());
                }
            },
        );
    }
    if let Some(sluice) = sluice {
        let text = one
            .first()
            .map(|object| object.value().to_string())
            .unwrap_or_default();
        report.whole(
            "`sluice health` on one object, process start to exit",
            Some(60.0),
            RUNS,
            || {
                judge_by_process(&sluice, &text);
            },
        );
    }
    if report.is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What is fast must also be right.
fn sound<T>(answer: Answer<T>) {
    for problem in answer.problems {
        eprintln!("{}", problem.one_line());
    }
}

/// Prints what was measured.
struct Report {
    /// True as long as every promise was kept.
    is_kept: bool,
}

impl Report {
    /// Work on so many objects, in microseconds each.
    fn per_object(&mut self, name: &str, promised: Option<f64>, objects: usize, work: impl FnMut()) {
        self.print(name, promised, "µs", 1e6 / objects as f64, &timed(RUNS, work));
    }

    /// Work as a whole, in milliseconds.
    fn whole(&mut self, name: &str, promised: Option<f64>, runs: usize, work: impl FnMut()) {
        self.print(name, promised, "ms", 1e3, &timed(runs, work));
    }

    fn print(&mut self, name: &str, promised: Option<f64>, unit: &str, scale: f64, runs: &[Run]) {
        let figures: Vec<f64> = runs.iter().map(|run| run.clock * scale).collect();
        let given: Vec<f64> = runs.iter().map(|run| run.given * scale).collect();
        let sorted = sorted(&figures);
        let is_met = promised.is_none_or(|promised| median(&sorted) <= promised);
        self.is_kept &= is_met;
        println!(
            "{}",
            json!({"measured": name, "unit": unit, "promised": promised, "met": is_met,
                   "median": median(&sorted), "min": sorted.first(), "max": sorted.last(),
                   "medianOfTimeGiven": median(&self::sorted(&given)), "figures": figures})
        );
    }
}

/// Seconds of one run.
struct Run {
    /// On the clock.
    clock: f64,
    /// That the kernel gave to this thread; what other threads and processes did is not in it.
    given: f64,
}

/// Runs, after one to warm up.
fn timed(runs: usize, mut work: impl FnMut()) -> Vec<Run> {
    work();
    (0..runs)
        .map(|_| {
            let (started, given) = (Instant::now(), time_given());
            work();
            Run {
                clock: started.elapsed().as_secs_f64(),
                given: time_given() - given,
            }
        })
        .collect()
}

/// Seconds that this thread has had a processor so far; not a number where the system does not say.
fn time_given() -> f64 {
    let text = fs_err::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse::<f64>().ok());
    nanoseconds.map_or(f64::NAN, |nanoseconds| nanoseconds / 1e9)
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
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

/// With much to say of it: each word of a policy is a call of the host.
fn annotated(number: usize) -> Object {
    object(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": format!("job-{number}"), "namespace": "shop", "annotations": {
            "sluice.dev/sync-wave": "3", "sluice.dev/hook": "PreSync", "sluice.dev/hook-delete-policy": "HookSucceeded",
            "sluice.dev/sync-strategy": "replace", "sluice.dev/force-conflicts": "true", "sluice.dev/prune-last": "true",
            "sluice.dev/wait": "false", "sluice.dev/hook-timeout": "90s", "sluice.dev/ignore-fields": "/spec/replicas",
            "sluice.dev/ignore-managers": "a,b", "argocd.argoproj.io/sync-wave": "2",
            "argocd.argoproj.io/sync-options": "Replace=true,PruneLast=true,Validate=false"}},
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

fn certificate(number: usize) -> Object {
    object(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "generation": 1,
                     "managedFields": [{"manager": "sluice", "operation": "Apply", "apiVersion": "cert-manager.io/v1", "fieldsType": "FieldsV1",
                                        "fieldsV1": {"f:spec": {"f:dnsNames": {}, "f:issuerRef": {}, "f:secretName": {}}}}]},
        "spec": {"secretName": "web-tls", "dnsNames": ["shop.example.com"], "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}},
        "status": {"notAfter": "2026-04-01T00:00:00Z", "notBefore": "2026-01-01T00:00:00Z", "renewalTime": "2026-03-01T00:00:00Z", "revision": 1,
                   "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "observedGeneration": 1,
                                   "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "Certificate is up to date and has not expired"}]},
    }))
}

/// The rule with the most fields.
fn rollout(number: usize) -> Object {
    let condition = |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason, "message": "as it should be", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    object(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "generation": 4},
        "spec": {"replicas": 3, "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
                 "template": {"spec": {"containers": [{"name": "web", "image": "registry.example.com/shop/web:1.2.3"}]}}},
        "status": {"observedGeneration": "4", "phase": "Progressing", "message": "more replicas need to be updated", "replicas": 4,
                   "updatedReplicas": 1, "availableReplicas": 4, "currentPodHash": "6b8cf6f7db", "stableRS": "754cb84d5",
                   "conditions": [condition("Available", "AvailableReason"), condition("Progressing", "ReplicaSetUpdated")]},
    }))
}

/// A rule that looks into a list.
fn route(number: usize) -> Object {
    object(json!({
        "apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": {"name": format!("web-{number}"), "namespace": "shop"},
        "spec": {"host": "shop.example.com", "to": {"kind": "Service", "name": "web", "weight": 100}},
        "status": {"ingress": [{"host": "shop.example.com", "routerName": "default", "wildcardPolicy": "None",
                                "routerCanonicalHostname": "router-default.apps.example.com",
                                "conditions": [{"type": "Admitted", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}]},
    }))
}

fn bucket(number: usize) -> Object {
    object(json!({
        "apiVersion": "s3.services.k8s.aws/v1alpha1", "kind": "Bucket", "metadata": {"name": format!("b-{number}"), "namespace": "shop", "generation": 1},
        "status": {"ackResourceMetadata": {"region": "eu-central-1"},
                   "conditions": [{"type": "ACK.ResourceSynced", "status": "True", "message": "synced", "reason": ""}]},
    }))
}

fn other(number: usize) -> Object {
    object(json!({
        "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": format!("thing-{number}"), "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "Up", "message": "it works"}]},
    }))
}
