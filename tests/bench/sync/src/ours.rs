//! What the engine needs, in this process: the stages as the controller composes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sluice_apply::{Options, Request};
use sluice_cluster::{Cluster, Home, Target};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::{Application, Object};
use sluice_observe::Observer;
use sluice_pipeline::mirrors::Mirrors;
use sluice_pipeline::{Defaults, Intent, Job, Pipeline, Prepared};
use sluice_plugin_host::PluginHost;
use sluice_sandbox::ControlPlane;
use sluice_source::Repositories;

use crate::{config_map, report, requests};

/// Of the ceiling's time.
const AT_MOST: f64 = 2.5;
/// At rest, however many objects there are.
const UNCHANGED: f64 = 0.010;
/// How often what takes no request is measured.
const ROUNDS: usize = 10;

pub(crate) async fn measure(
    plane: &ControlPlane,
    cluster: &Cluster,
    count: usize,
    ceiling: f64,
) -> Result<()> {
    let namespace = format!("ours-{count}");
    plane.kubectl(&format!("create namespace {namespace}"))?;
    let cache = tempfile::tempdir()?;
    let mirrors = Mirrors::new(Repositories::open(cache.path())?);
    let target = &Target::new(cluster.clone());
    let pipeline = Pipeline::new(
        mirrors,
        PluginHost::standard(),
        Home::new(cluster.clone()),
        target.clone(),
    );
    let job = Job::resolve(&application(&namespace)?, &Defaults::default())
        .map_err(sluice_pipeline::PipelineError::from)?;
    let manifests: Vec<Manifest> = (0..count)
        .map(|index| {
            let object = Object::new(config_map(&namespace, index)).context("a ConfigMap is an object")?;
            let origin = Origin {
                file: format!("map-{index:05}.yaml"),
                line: 1,
            };
            Ok(Manifest { object, origin })
        })
        .collect::<Result<_>>()?;
    let observer = Observer::new(target.clone(), None, Arc::new(|_: &str| ()));
    let kinds = pipeline.kinds(&job, &manifests).await?;
    observer.ensure(&kinds, Duration::from_secs(30)).await?;
    let prepare = async || -> Result<Arc<Prepared>> {
        let found = observer.snapshot(&kinds, &job.applyset());
        let live = pipeline.live(&job, found, &manifests).await?;
        let now = jiff::Timestamp::UNIX_EPOCH;
        Ok(pipeline
            .prepare(&job, Intent::whole("0"), &manifests, &live, now)
            .await?)
    };

    let (before, start) = (requests(plane)?, Instant::now());
    let prepared = prepare().await?;
    ensure!(
        prepared.plan.steps.len() == count,
        "{} steps",
        prepared.plan.steps.len()
    );
    let none = BTreeMap::new();
    let request = Request {
        plan: &prepared.plan,
        manifests: &none,
        approval: None,
        parent: None,
        options: Options::default(),
    };
    let wait = |_, _| -> futures::future::BoxFuture<'static, _> { Box::pin(std::future::ready(Ok(()))) };
    let finished = sluice_apply::apply(target, request, &wait, &mut |event| {
        if let sluice_apply::Event::Stored(object) = event {
            observer.learn(&object);
        }
    })
    .await;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(failure) = finished.failure {
        return Err(failure.into());
    }
    let sent = requests(plane)? - before;
    report(
        "sluice, first, with a dry-run of all",
        count,
        seconds,
        sent,
        Some(AT_MOST * ceiling),
    );

    let before = requests(plane)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let prepared = prepare().await?;
        times.push(start.elapsed().as_secs_f64());
        ensure!(prepared.plan.is_empty(), "the second sync has something to do");
    }
    let first = times.first().copied().context("a first round")?;
    times.sort_by(f64::total_cmp);
    let median = times.get(ROUNDS / 2).copied().context("some rounds")?;
    let sent = requests(plane)? - before;
    report(
        "sluice, the first look after it: everything is compared",
        count,
        first,
        sent,
        None,
    );
    report("sluice, unchanged", count, median, sent, Some(UNCHANGED));
    ensure!(sent == 0, "an unchanged application costs {sent} requests");
    Ok(())
}

fn application(namespace: &str) -> Result<Application> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"name": "app", "namespace": namespace},
        "spec": {"source": {"repoURL": "file:///nowhere"}, "destination": {"namespace": namespace}},
    }))?)
}
