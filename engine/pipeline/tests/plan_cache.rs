//! What was found out about an application is found out once, and again as soon as anything changes that it follows from.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::sync::Arc;

use serde_json::{Value, json};
use sluice_cluster::{Cluster, Home, Target};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::{Application, Object, applyset};
use sluice_pipeline::mirrors::Mirrors;
use sluice_pipeline::{Defaults, Intent, Job, Live, Pipeline, Prepared};
use sluice_plugin_host::PluginHost;
use sluice_source::Repositories;

/// An application with one ConfigMap, and a server that does not answer: the test finds out everything without one.
struct Stage {
    pipeline: Pipeline,
    job: Job,
    manifests: Vec<Manifest>,
    live: Live,
    _cache: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mirrors = Mirrors::new(Repositories::open(cache.path().to_owned()).unwrap());
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let cluster = Cluster::from_config(nowhere).unwrap();
        let application: Application = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"name": "app", "namespace": "n"},
            "spec": {"source": {"repoURL": "file:///nowhere"}},
        }))
        .unwrap();
        Self {
            pipeline: Pipeline::new(
                mirrors,
                PluginHost::standard(),
                Home::new(cluster.clone()),
                Target::new(cluster),
            ),
            job: Job::resolve(&application, &Defaults::default()).unwrap(),
            manifests: vec![manifest("wanted", 1)],
            live: live("1"),
            _cache: cache,
        }
    }

    async fn prepare(&self) -> Arc<Prepared> {
        let intent = Intent::whole("0123");
        self.pipeline
            .prepare(
                &self.job,
                intent,
                &self.manifests,
                &self.live,
                jiff::Timestamp::now(),
            )
            .await
            .unwrap()
    }

    /// Whether what was found out before is taken for the answer still.
    async fn recalls(&self, before: &Arc<Prepared>) -> bool {
        Arc::ptr_eq(before, &self.prepare().await)
    }
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn manifest(value: &str, line: u32) -> Manifest {
    Manifest {
        object: object(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": value},
        })),
        origin: Origin {
            file: "a.yaml".to_owned(),
            line,
        },
    }
}

fn live(version: &str) -> Live {
    let set = applyset::id("n", "app");
    Live::of_members(
        vec![object(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": version,
                "labels": {(applyset::PART_OF_LABEL): set},
                "managedFields": [{"manager": "sluice", "operation": "Apply", "apiVersion": "v1",
                    "fieldsV1": {"f:data": {"f:k": {}}}}],
            },
            "data": {"k": "wanted"},
        }))],
        &[],
    )
}

#[tokio::test]
async fn nothing_is_found_out_twice() {
    let mut stage = Stage::new();
    let first = stage.prepare().await;
    assert!(stage.recalls(&first).await);
    // The same again, read anew.
    stage.live = live("1");
    stage.manifests = vec![manifest("wanted", 1)];
    assert!(stage.recalls(&first).await);
}

#[tokio::test]
async fn whatever_changes_is_looked_at() {
    type Change = fn(&mut Stage);
    let changes: [(&str, Change); 8] = [
        ("a manifest", |stage| stage.manifests = vec![manifest("other", 1)]),
        ("where a manifest is written", |stage| {
            stage.manifests = vec![manifest("wanted", 2)]
        }),
        ("no manifest any more", |stage| stage.manifests.clear()),
        ("the live object", |stage| stage.live = live("2")),
        ("no live object any more", |stage| stage.live = Live::default()),
        ("whose the live object is", |stage| {
            let others = std::mem::take(&mut stage.live.members);
            stage.live.others = (*others).clone();
        }),
        ("what others want", |stage| {
            stage.live.claims.unsettled = Some("not known yet".to_owned())
        }),
        ("the spec", |stage| {
            let options = &mut stage.job.spec.sync_policy.sync_options;
            options.push("PruneLast=true".to_owned());
        }),
    ];
    for (what, change) in changes {
        let mut stage = Stage::new();
        let first = stage.prepare().await;
        change(&mut stage);
        assert!(!stage.recalls(&first).await, "{what}");
    }
}

#[tokio::test]
async fn what_is_forgotten_is_found_out_again() {
    let stage = Stage::new();
    let first = stage.prepare().await;
    stage.pipeline.forget(&stage.job.key);
    assert!(!stage.recalls(&first).await);
}

#[tokio::test]
async fn a_policy_that_does_not_answer_is_asked_again() {
    let mut stage = Stage::new();
    let missing = json!([{"plugin": "nobody"}]);
    stage.job.spec.policies.sync = serde_json::from_value(missing).unwrap();
    let first = stage.prepare().await;
    assert!(!first.problems.is_empty());
    assert!(!stage.recalls(&first).await);
}
