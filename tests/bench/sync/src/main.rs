//! How long a sync takes: ours, a raw client's (the ceiling), and that of others, on one control plane in one run.
//!
//! `cargo run --release -p sluice-bench-sync -- [--objects 1000,5000] [--memory 10000] [--peers]` prints one JSON line a figure:
//! what was measured, seconds, requests for ConfigMaps that the API server counted, and what was promised where something was.
//! `--peers` builds Flux's and Argo CD's libraries first (`peers/`, Go) and runs `kubectl` too. Figures that were measured are kept
//! in `runs/`.
//!
//! Every object is a ConfigMap with a value of 1 KB. Ours is the whole way that the engine goes: sync policies, comparing, planning, a
//! dry-run of the whole plan, and the writes.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod memory;
mod ours;
mod peers;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use serde_json::{Value, json};
use sluice_cluster::{Cluster, ConnectOptions};
use sluice_sandbox::ControlPlane;

/// Bytes of each value.
const SIZE: usize = 1024;
/// What the raw client has under way.
const IN_FLIGHT: usize = 32;

struct Arguments {
    objects: Vec<usize>,
    memory: Option<usize>,
    peers: bool,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments {
        objects: vec![1000],
        memory: None,
        peers: false,
    };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut value = || given.next().with_context(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--objects" => {
                let counts = value()?;
                arguments.objects = counts.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--memory" => arguments.memory = Some(value()?.parse()?),
            "--peers" => arguments.peers = true,
            other => bail!("{other} is unknown; see the head of main.rs"),
        }
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<()> {
    let peers = arguments.peers.then(peers::Peers::build).transpose()?;
    let plane = ControlPlane::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for count in &arguments.objects {
        runtime.block_on(measure(&plane, *count))?;
        if let Some(peers) = &peers {
            peers.measure(&plane, *count)?;
        }
    }
    drop(plane);
    match arguments.memory {
        Some(count) => memory::measure(count),
        None => Ok(()),
    }
}

async fn measure(plane: &ControlPlane, count: usize) -> Result<()> {
    let options = ConnectOptions {
        kubeconfig: Some(plane.kubeconfig().to_owned()),
        context: None,
    };
    let cluster = Cluster::connect(&options).await?;
    let namespace = format!("ceiling-{count}");
    plane.kubectl(&format!("create namespace {namespace}"))?;
    let before = requests(plane)?;
    let seconds = ceiling(&cluster, &namespace, count).await?;
    report(
        "raw client, 32 in flight",
        count,
        seconds,
        requests(plane)? - before,
        None,
    );
    ours::measure(plane, &cluster, count, seconds).await
}

/// One server-side apply for each object, and nothing else.
async fn ceiling(cluster: &Cluster, namespace: &str, count: usize) -> Result<f64> {
    let client = cluster.client().clone();
    let start = Instant::now();
    let sent = (0..count).map(|index| {
        let (client, object) = (client.clone(), config_map(namespace, index));
        async move {
            let path = format!(
                "/api/v1/namespaces/{namespace}/configmaps/map-{index:05}?fieldManager=raw&force=true"
            );
            let request = http::Request::patch(path)
                .header("content-type", "application/apply-patch+yaml")
                .body(object.to_string().into_bytes())?;
            client.request::<Value>(request).await?;
            anyhow::Ok(())
        }
    });
    let mut answers = futures::stream::iter(sent).buffer_unordered(IN_FLIGHT);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// One of the objects.
fn config_map(namespace: &str, index: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("map-{index:05}"), "namespace": namespace},
        "data": {"value": "x".repeat(SIZE)},
    })
}

/// How many requests for ConfigMaps the API server has answered, watches aside.
fn requests(plane: &ControlPlane) -> Result<u64> {
    let metrics = plane.kubectl("get --raw /metrics")?;
    let counts = metrics
        .lines()
        .filter(|line| {
            line.starts_with("apiserver_request_total{") && line.contains("resource=\"configmaps\"")
        })
        .filter(|line| !line.contains("verb=\"WATCH\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of requests"
    )]
    Ok(counts.sum::<f64>() as u64)
}

/// One line. `promised` are seconds.
fn report(measured: &str, objects: usize, seconds: f64, requests: u64, promised: Option<f64>) {
    let met = promised.map(|promised| seconds <= promised);
    println!(
        "{}",
        json!({"measured": measured, "objects": objects, "seconds": seconds, "requests": requests, "promised": promised, "met": met})
    );
}
