//! The whole engine on a control plane of its own: many Applications of four objects each in one repository.
//!
//! `cargo run --release -p sluice-bench-engine -- --sluice PATH [--applications 100,300]` prints one JSON line a run:
//!
//! | figure | from → to |
//! |---|---|
//! | `createdToHealthySeconds` | the first Application is created → all are Synced and Healthy |
//! | `refreshToAppliedSeconds` | `sluice.dev/refresh` on one, after a commit that touches all → all are at it, Synced and Healthy |
//! | `residentMiB`, `peakMiB` | of the controller's process, after that |
//! | `restingCpuSeconds` | its CPU time in 30 s in which nothing happens |
//! | `requests` | what the API server answered until all were Healthy, by verb and resource, watches aside: not the engine's alone |
//!
//! It fails where a figure of 100 Applications is above its promise, or where more Applications cost more than their number.
//! API server, etcd and the engine share the machine, so a busy one says nothing. What was measured is kept in `runs/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use sluice_cluster::{Cluster, ConnectOptions, Kind, Patch};
use sluice_model::application::{ApplicationStatus, OperationPhase, SyncStatus};
use sluice_model::health::HealthStatus;
use sluice_model::{Application, Object, ObjectRef};
use sluice_sandbox::{ControlPlane, Folder, GitServer, Process, Repository, Signature, output};

/// What is promised for [`FEW`] Applications; more may need as much more as they are more.
const PROMISED: [(&str, f64); 4] = [
    ("createdToHealthySeconds", 5.0),
    ("refreshToAppliedSeconds", 4.0),
    ("residentMiB", 64.0),
    ("restingCpuSeconds", 0.1),
];
/// The number of Applications that the promises are about.
const FEW: usize = 100;
/// How long the engine is left alone before its rest is measured, and how long it is measured.
const SETTLE: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(30);
/// Longer than anything takes that can still be called working.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many Applications are created at once.
const PARALLEL: usize = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (sluice, numbers) = match arguments.as_slice() {
        ["--sluice", path] => (*path, "100,300"),
        ["--sluice", path, "--applications", numbers] => (*path, *numbers),
        _ => {
            eprintln!("usage: sluice-bench-engine --sluice PATH [--applications 100,300]");
            return ExitCode::from(2);
        }
    };
    match run(sluice, numbers) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(sluice: &str, numbers: &str) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut kept = true;
    for number in numbers.split(',') {
        let number: usize = number.parse().with_context(|| format!("{number} is no number"))?;
        let mut figures = runtime.block_on(measure(sluice, number))?;
        // Never less than for the few: what does not depend on the number stays.
        let more = (number as f64 / FEW as f64).max(1.0);
        let limits = PROMISED.iter().map(|(name, promised)| (*name, promised * more));
        let broken: Vec<&str> = limits
            .filter(|(name, limit)| figures[*name].as_f64().is_none_or(|figure| figure > *limit))
            .map(|(name, _)| name)
            .collect();
        kept &= broken.is_empty();
        figures["applications"] = number.into();
        figures["abovePromise"] = json!(broken);
        println!("{figures}");
    }
    Ok(kept)
}

async fn measure(sluice: &str, number: usize) -> Result<Value> {
    let plane = ControlPlane::start()?;
    let folder = Folder::new("bench-engine")?;
    let (server, repository) = (GitServer::start()?, Repository::new()?);
    server.create("apps")?;
    write(&repository, number, 1)?;
    let first = repository.commit("all of them", Signature::None)?;
    let url = server.push(&repository, "apps")?;
    let engine = |arguments: &[&str]| {
        let mut command = Command::new(sluice);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("KUBECONFIG", plane.kubeconfig())
            .args(arguments);
        command
    };
    plane.apply(&output(&mut engine(&["crds"]))?)?;
    plane.kubectl("wait --for=condition=Established crd/applications.sluice.dev --timeout=60s")?;
    plane.kubectl("create namespace apps")?;
    let options = ConnectOptions {
        kubeconfig: Some(plane.kubeconfig().to_owned()),
        context: None,
    };
    let cluster = Cluster::connect(&options).await?;
    let log = folder.path().join("controller.log");
    let controller = Process::start("sluice controller", &mut engine(&["controller", "-v"]), &log)?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle = memory(controller.id(), "VmRSS")?;

    let earlier = requests(&plane)?;
    let begin = Instant::now();
    create(&cluster, number, &url).await?;
    let created = begin.elapsed();
    until(&cluster, number, &first).await?;
    let healthy = begin.elapsed();
    let mut asked = requests(&plane)?;
    asked.retain(|what, count| {
        *count -= earlier.get(what).copied().unwrap_or_default();
        *count >= number as u64
    });

    write(&repository, number, 2)?;
    let second = repository.commit("another value everywhere", Signature::None)?;
    server.push(&repository, "apps")?;
    let begin = Instant::now();
    refresh(&cluster).await?;
    until(&cluster, number, &second).await?;
    let applied = begin.elapsed();

    tokio::time::sleep(SETTLE).await;
    let (before, requests) = (cpu(controller.id())?, server.requests());
    tokio::time::sleep(REST).await;
    let resting = cpu(controller.id())? - before;
    Ok(json!({
        "createdSeconds": created.as_secs_f64(),
        "createdToHealthySeconds": healthy.as_secs_f64(),
        "refreshToAppliedSeconds": applied.as_secs_f64(),
        "idleMiB": idle,
        "residentMiB": memory(controller.id(), "VmRSS")?,
        "peakMiB": memory(controller.id(), "VmHWM")?,
        "restingCpuSeconds": resting,
        "restingGitRequests": server.requests() - requests,
        "totalCpuSeconds": cpu(controller.id())?,
        "requests": asked,
    }))
}

/// How many requests the API server has answered, by verb and resource: `APPLY configmaps`, `APPLY configmaps (dry run)`.
fn requests(plane: &ControlPlane) -> Result<BTreeMap<String, u64>> {
    let metrics = plane.kubectl("get --raw /metrics")?;
    let mut counts = BTreeMap::new();
    for line in metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
    {
        let label = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0).filter(|value| !value.is_empty())
        };
        let (Some(verb), Some(resource), Some((_, count))) =
            (label("verb"), label("resource"), line.rsplit_once(' '))
        else {
            continue;
        };
        if verb == "WATCH" {
            continue;
        }
        let part = label("subresource")
            .map(|part| format!("/{part}"))
            .unwrap_or_default();
        let tried = label("dry_run").map_or("", |_| " (dry run)");
        let count: f64 = count
            .parse()
            .with_context(|| format!("an unknown form of metric: {line}"))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of requests"
        )]
        let count = count as u64;
        *counts
            .entry(format!("{verb} {resource}{part}{tried}"))
            .or_default() += count;
    }
    Ok(counts)
}

/// Three ConfigMaps and a Deployment without replicas in a folder for each Application.
fn write(repository: &Repository, number: usize, value: u32) -> Result<()> {
    for application in 0..number {
        for part in 0..3 {
            let manifest = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app-{application}-{part}}}\ndata: {{value: \"{value}\", text: \"{}\"}}\n",
                "x".repeat(200)
            );
            repository.write(&format!("{application}/config-{part}.yaml"), manifest)?;
        }
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{application}}}\nspec:\n  replicas: 0\n  \
             selector: {{matchLabels: {{app: app-{application}}}}}\n  template:\n    metadata: {{labels: {{app: app-{application}}}}}\n    \
             spec: {{containers: [{{name: c, image: \"registry.example.org/c:{value}\"}}]}}\n"
        );
        repository.write(&format!("{application}/deployment.yaml"), manifest)?;
    }
    Ok(())
}

async fn create(cluster: &Cluster, number: usize, url: &str) -> Result<()> {
    let creations = (0..number).map(|application| async move {
        let object = Object::new(json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "Application",
            "metadata": {"name": format!("app-{application}"), "namespace": "apps"},
            "spec": {
                "source": {"repoURL": url, "targetRevision": "main", "path": application.to_string()},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
            },
        }))?;
        cluster
            .create(&Kind::applications(), &object, Patch::default())
            .await?;
        Ok::<(), anyhow::Error>(())
    });
    let mut creations = futures::stream::iter(creations).buffer_unordered(PARALLEL);
    while let Some(created) = creations.next().await {
        created?;
    }
    Ok(())
}

async fn refresh(cluster: &Cluster) -> Result<()> {
    let reference = ObjectRef {
        group: "sluice.dev".to_owned(),
        version: "v1alpha1".to_owned(),
        kind: "Application".to_owned(),
        namespace: Some("apps".to_owned()),
        name: "app-0".to_owned(),
    };
    let patch = json!({"metadata": {"annotations": {"sluice.dev/refresh": "normal"}}});
    cluster
        .merge_patch(&Kind::applications(), &reference, None, "sluice-bench", &patch)
        .await?;
    Ok(())
}

/// Until all Applications are Synced at a commit, and Healthy; told by a watch, which costs the API server least.
async fn until(cluster: &Cluster, number: usize, commit: &str) -> Result<()> {
    let applications: Api<Application> = Api::namespaced(cluster.client().clone(), "apps");
    let mut changes = pin!(watcher(applications, watcher::Config::default()));
    let mut states = BTreeMap::new();
    let all = async {
        while let Some(change) = changes.try_next().await? {
            if let Event::Apply(application) | Event::InitApply(application) = change {
                states.insert(application.name_any(), application.status.unwrap_or_default());
            }
            if states.values().filter(|status| is_there(status, commit)).count() == number {
                break;
            }
        }
        Ok::<(), watcher::Error>(())
    };
    let Ok(watched) = tokio::time::timeout(PATIENCE, all).await else {
        let late = states.iter().find(|(_, status)| !is_there(status, commit));
        bail!("not all Applications get there: {late:#?}");
    };
    Ok(watched?)
}

fn is_there(status: &ApplicationStatus, commit: &str) -> bool {
    status.sync.status == SyncStatus::Synced
        && status.sync.revision == commit
        && status.health.status == HealthStatus::Healthy
        && status
            .operation
            .as_ref()
            .is_some_and(|operation| operation.phase() == OperationPhase::Succeeded)
}

/// A line of `/proc/PID/status` that is given in KiB, in MiB.
fn memory(process: u32, line: &str) -> Result<f64> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status"))?;
    let kib = status
        .lines()
        .find_map(|text| {
            text.strip_prefix(line)?
                .strip_prefix(':')?
                .trim()
                .strip_suffix(" kB")
        })
        .with_context(|| format!("no {line} of the controller"))?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// The CPU seconds of a process and of its ended children: fields 14 to 17 of `/proc/PID/stat`, in ticks of 10 ms.
fn cpu(process: u32) -> Result<f64> {
    let stat = fs_err::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of stat")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse().ok())
        .collect();
    ensure!(ticks.len() == 4, "an unknown form of stat: {stat}");
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
