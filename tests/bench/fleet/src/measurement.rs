//! One measurement: a control plane of its own, one engine, all Applications, one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::stream::SelectAll;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{DynamicResourceScope, GroupVersionKind, PartialObjectMeta};
use kube::runtime::watcher;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde_json::{Value, json};
use sluice_sandbox::{ControlPlane, Folder, GitServer};

use crate::contender::{Contender, NAMESPACE};
use crate::usage::{Running, cpu, machine};
use crate::{flux, repository};

/// The kinds of an Application's objects.
const KINDS: [(&str, &str); 4] = [
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
];
/// An engine is left alone for so long before something is asked of it, and before what it has used is read.
const SETTLE: Duration = Duration::from_secs(5);
/// Longer than anything takes that can still be called working.
const PATIENCE: Duration = Duration::from_secs(180);
/// So many Applications are created at once.
const PARALLEL: usize = 16;

pub(crate) type Figures = BTreeMap<String, f64>;

pub(crate) async fn measure(contender: &dyn Contender, applications: usize) -> Result<Figures> {
    let (plane, folder, server) = (
        ControlPlane::start()?,
        Folder::new("bench-fleet")?,
        GitServer::start()?,
    );
    let (repository, first) = repository::create(applications)?;
    let url = server.push(&repository, "fleet")?;
    plane.kubectl(&format!("create namespace {NAMESPACE}"))?;
    plane.apply(&contender.definitions()?)?;
    plane.kubectl("wait --for=condition=Established crd --all --timeout=60s")?;
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig())?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let mut processes = contender.start(&plane, &folder)?;
    let bench = Bench {
        contender,
        client,
        applications,
    };
    bench.share(&url).await?;
    tokio::time::sleep(SETTLE).await;
    let quiet = (Instant::now(), machine()?);
    tokio::time::sleep(SETTLE).await;
    let busy = (machine()? - quiet.1) / quiet.0.elapsed().as_secs_f64();

    let mut figures = Figures::from([("busyProcessorsBefore".to_owned(), busy)]);
    let created = bench.phase(bench.create(&url), "1", &first, &mut processes);
    figures.extend(named("created", created.await?));

    let second = repository::change(&repository)?;
    server.push(&repository, "fleet")?;
    let pushed = bench.phase(bench.nudge(), "2", &second, &mut processes);
    figures.extend(named("pushed", pushed.await?));

    let mut peaks = 0.0;
    for process in &processes {
        let peak = process.peak()?;
        peaks += peak;
        figures.insert(format!("peakMiB of {}", process.name), peak);
    }
    figures.insert("peakMiB".to_owned(), peaks);
    Ok(figures)
}

/// What one phase came to.
struct Phase {
    applied: f64,
    ready: f64,
    cpu: f64,
}

fn named(name: &str, phase: Phase) -> [(String, f64); 3] {
    [
        (format!("{name}ToAppliedSeconds"), phase.applied),
        (format!("{name}ToReadySeconds"), phase.ready),
        (format!("{name}CpuSeconds"), phase.cpu),
    ]
}

struct Bench<'a> {
    contender: &'a dyn Contender,
    client: Client,
    applications: usize,
}

impl Bench<'_> {
    /// Creates what is shared and waits until it is Ready.
    async fn share(&self, url: &str) -> Result<()> {
        for object in self.contender.shared(url) {
            self.create_one(&object).await?;
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let api = self.api_of(&object)?;
            let ready = async {
                while !flux::is_ready(&api.get(name).await?) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                anyhow::Ok(())
            };
            within(ready, "what is shared").await?;
        }
        Ok(())
    }

    /// Does something, and takes the time until all objects are of a revision, and until all Applications say so.
    async fn phase(
        &self,
        begin: impl Future<Output = Result<()>>,
        revision: &str,
        commit: &str,
        processes: &mut [Running],
    ) -> Result<Phase> {
        let before = cpu(processes)?;
        let start = Instant::now();
        begin.await?;
        let ends = tokio::try_join!(
            within(self.applied(revision, start), "objects that are as committed"),
            within(self.ready(commit, start), "Applications that are ready"),
        );
        let (applied, ready) = ends.with_context(|| last_words(processes))?;
        tokio::time::sleep(SETTLE).await;
        for process in processes.iter_mut() {
            process.check()?;
        }
        Ok(Phase {
            applied,
            ready,
            cpu: cpu(processes)? - before,
        })
    }

    async fn create(&self, url: &str) -> Result<()> {
        let creations = (0..self.applications).map(|index| async move {
            let application = self.contender.application(url, index);
            self.create_one(&application).await
        });
        futures::stream::iter(creations)
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn nudge(&self) -> Result<()> {
        let nudge = self.contender.nudge();
        let (annotation, value) = nudge.annotation;
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        self.api::<DynamicObject>(nudge.api_version, nudge.kind)
            .patch(nudge.name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// When the last object has the label, seen by a watch.
    async fn applied(&self, revision: &str, start: Instant) -> Result<f64> {
        let mut changes: SelectAll<_> = KINDS
            .iter()
            .map(|(api_version, kind)| {
                let labeled = Config::default().labels(&format!("fleet=bench,revision={revision}"));
                let api: Api<PartialObjectMeta<DynamicObject>> = self.api(api_version, kind);
                watcher(api, labeled).map_ok(move |event| (*kind, event)).boxed()
            })
            .collect();
        let mut there = BTreeSet::new();
        while let Some((kind, event)) = changes.try_next().await? {
            if let Event::Apply(object) | Event::InitApply(object) = event {
                there.insert((kind, object.name_any()));
            }
            if there.len() == self.applications * KINDS.len() {
                return Ok(start.elapsed().as_secs_f64());
            }
        }
        bail!("the watch has ended")
    }

    /// When the last Application is ready, seen by a watch.
    async fn ready(&self, commit: &str, start: Instant) -> Result<f64> {
        let api = self.api_of(&self.contender.application("", 0))?;
        let mut changes = pin!(watcher(api, Config::default()));
        let mut ready = BTreeMap::new();
        while let Some(event) = changes.try_next().await? {
            if let Event::Apply(application) | Event::InitApply(application) = event {
                let is_ready = self.contender.is_ready(&application, commit);
                ready.insert(application.name_any(), is_ready);
            }
            if ready.values().filter(|ready| **ready).count() == self.applications {
                return Ok(start.elapsed().as_secs_f64());
            }
        }
        bail!("the watch has ended")
    }

    async fn create_one(&self, object: &Value) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let kind = object.types.clone().context("a kind")?;
        self.api::<DynamicObject>(&kind.api_version, &kind.kind)
            .create(&PostParams::default(), &object)
            .await?;
        Ok(())
    }

    fn api_of(&self, object: &Value) -> Result<Api<DynamicObject>> {
        let text = |name: &str| object[name].as_str().context("an object has a kind");
        Ok(self.api(text("apiVersion")?, text("kind")?))
    }

    fn api<K>(&self, api_version: &str, kind: &str) -> Api<K>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }
}

async fn within<T>(future: impl Future<Output = Result<T>>, what: &str) -> Result<T> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .with_context(|| format!("{what}: not after {PATIENCE:?}"))?
}

fn last_words(processes: &[Running]) -> String {
    processes.iter().map(Running::last_words).collect()
}
