//! A second sync of anything is empty: manifests that others publish, with every place set to its zero, empty and null value, are
//! applied to a real API server, and then nothing differs.
//!
//! A part of it, chosen at random, runs with all tests. `cargo test --release -p sluice-compare --test settling -- --ignored sample`
//! tries each place of each kind, without `sample` every place of every object, in random order, for as long as SWEEP_SECONDS says.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod variants;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use sluice_cluster::{Cluster, ClusterError, ConnectOptions, Kind, Patch};
use sluice_compare::{against, compare, prepare};
use sluice_model::decision::Propagation;
use sluice_model::object::Object;
use sluice_observe::lean;
use sluice_sandbox::{ControlPlane, bundle};
use variants::{Variant, variants, with_empties};

/// Where manifests are, by the module that publishes them.
const PARTS: &[(&str, &str)] = &[
    (
        "github.com/prometheus-operator/prometheus-operator",
        "bundle.yaml",
    ),
    ("github.com/prometheus-operator/prometheus-operator", "example"),
    ("sigs.k8s.io/gateway-api", "config/crd/experimental"),
    ("sigs.k8s.io/gateway-api", "conformance"),
    ("sigs.k8s.io/gateway-api", "examples/standard"),
    ("k8s.io/kubernetes", "cluster/addons"),
    ("k8s.io/kubernetes", "test/e2e/testing-manifests"),
    ("knative.dev/serving", "config/core"),
    ("knative.dev/serving", "config/hpa-autoscaling"),
    ("knative.dev/serving", "third_party/contour-latest"),
    ("knative.dev/serving", "third_party/cert-manager-latest"),
    (
        "knative.dev/operator",
        "cmd/operator/kodata/knative-eventing/1.15.0",
    ),
];

/// What is tried with the other tests is chosen by it.
const SEED: u64 = 11;

/// All objects that can be read, each once, in the namespace of the test.
fn objects() -> Vec<Object> {
    let mut objects = BTreeMap::new();
    for (module, place) in PARTS {
        for file in manifests(&bundle(module).unwrap().join(place)) {
            let content = fs_err::read(&file).unwrap();
            for manifest in sluice_render::decode("a.yaml", &content).unwrap_or_default() {
                objects.entry(manifest.object.key()).or_insert(manifest.object);
            }
        }
    }
    objects.into_values().collect()
}

fn manifests(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(place).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml") {
            found.extend(manifests(&path));
        }
    }
    found.sort();
    found
}

/// What came of many variants.
#[derive(Debug, Default)]
struct Figures {
    /// So many there are.
    there: usize,
    tried: usize,
    refused: Vec<String>,
    /// Comparing says that nothing differs.
    equal: usize,
    /// Comparing cannot tell, and the server says that nothing differs.
    asked: usize,
    asked_about: BTreeSet<String>,
    differ: Vec<String>,
}

enum Came {
    Refused(String),
    Equal,
    Asked,
    Differs(String),
}

struct World {
    cluster: Cluster,
}

/// The same under a name that nothing else has; a definition is of a kind that nothing else needs.
fn of_its_own(variant: &Object) -> Object {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
    variant.edit(|map| match variant.kind() {
        "CustomResourceDefinition" => {
            let group = format!("{name}.settling.example.com");
            let plural = map["spec"]["names"]["plural"].as_str().unwrap_or_default();
            map["metadata"]["name"] = format!("{plural}.{group}").into();
            map["spec"]["group"] = group.into();
        }
        // Its name says what it is about.
        "APIService" => {}
        _ => map["metadata"]["name"] = name.into(),
    })
}

impl World {
    async fn new() -> Self {
        let plane = tokio::task::spawn_blocking(ControlPlane::shared).await.unwrap();
        let options = ConnectOptions {
            kubeconfig: Some(plane.kubeconfig().to_owned()),
            context: None,
        };
        Self {
            cluster: Cluster::connect(&options).await.unwrap(),
        }
    }

    async fn apply(&self, object: &Object, dry_run: bool) -> Result<(Kind, Object), ClusterError> {
        let kind = self.cluster.kind_of(&object.reference()).await?;
        let how = Patch {
            force: true,
            strict: true,
            dry_run,
        };
        let mut tries = 0;
        loop {
            match self.cluster.apply(&kind, object, how).await {
                Ok(reply) => return Ok((kind, lean(reply.object()?))),
                // A webhook of another variant, until that is gone again.
                Err(error) if error.is_transient() && tries < 50 => tries += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Defines the kinds, so that objects of them can be applied.
    async fn define(&self, objects: &[Object]) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "settling"}});
        self.apply(&Object::new(namespace).unwrap(), false).await.unwrap();
        let crds = objects
            .iter()
            .filter(|object| object.kind() == "CustomResourceDefinition");
        futures::stream::iter(crds)
            .for_each_concurrent(8, |crd| async move {
                drop(self.apply(&prepare(crd, None, &[]), false).await.unwrap());
            })
            .await;
        let defined: Vec<Kind> = objects.iter().flat_map(Kind::defined_by).collect();
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            let kinds = self.cluster.refresh_kinds().await.unwrap();
            let is_there = |kind: &Kind| kinds.find(&kind.group, &kind.version, &kind.kind).is_some();
            if defined.iter().all(is_there) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("not all kinds are served");
    }

    /// In the namespace of the test; none of a kind that is not there.
    async fn placed(&self, object: &Object) -> Option<Object> {
        let kind = self.cluster.kind_of(&object.reference()).await.ok()?;
        Some(object.edit(|map| {
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.remove("namespace");
                if kind.namespaced {
                    metadata.insert("namespace".to_owned(), "settling".into());
                }
            }
        }))
    }

    /// Applies a variant, without storing it, and compares.
    async fn settle(&self, variant: &Object) -> Came {
        let desired = prepare(variant, None, &[]);
        let (_, live) = match self.apply(&desired, true).await {
            Ok(answer) => answer,
            Err(error) => return Came::Refused(error.to_string()),
        };
        let difference = compare(&prepare(variant, Some(&live), &[]), Some(&live), &[]);
        match difference.is_same() {
            true => Came::Equal,
            false => self.ask(&of_its_own(variant)).await,
        }
    }

    /// Stores it, and asks the server what applying it once more would change.
    async fn ask(&self, variant: &Object) -> Came {
        let (kind, stored) = match self.apply(&prepare(variant, None, &[]), false).await {
            Ok(answer) => answer,
            Err(error) => return Came::Refused(error.to_string()),
        };
        let came = self.ask_again(&kind, variant, &stored).await;
        let how = Propagation::Background;
        // It may be going already.
        drop(
            self.cluster
                .delete(&kind, &variant.reference(), how, None, false)
                .await,
        );
        came
    }

    /// What a second sync would find, as soon as no controller writes in between.
    async fn ask_again(&self, kind: &Kind, variant: &Object, stored: &Object) -> Came {
        let mut live = stored.clone();
        for _ in 0..10 {
            let desired = prepare(variant, Some(&live), &[]);
            let found = compare(&desired, Some(&live), &[]);
            let answer = match self.apply(&desired, true).await {
                Ok((_, answer)) => answer,
                Err(error) => return Came::Differs(format!("{found:?}, and then {error}")),
            };
            let Ok(Some(now)) = self.cluster.get(kind, &variant.reference()).await else {
                return Came::Differs(format!("{found:?}, and it is gone"));
            };
            let now = lean(now);
            let changes = against(&live, &answer);
            match (changes.is_empty(), against(&live, &now).is_empty()) {
                (true, _) => return Came::Asked,
                (false, true) => {
                    return Came::Differs(format!("{found:?}, and the server changes {changes:?}"));
                }
                (false, false) => live = now,
            }
        }
        Came::Differs("it never rests".to_owned())
    }

    /// Those objects that the server takes as they are written: of what it refuses anyway no variant tells anything.
    async fn fit(&self, objects: &[Object]) -> Vec<Object> {
        let fit = futures::stream::iter(objects)
            .map(|object| async move {
                let object = self
                    .placed(object)
                    .await
                    .filter(|object| !object.name().is_empty())?;
                let taken = self.apply(&prepare(&object, None, &[]), true).await.is_ok();
                taken.then_some(object)
            })
            .buffered(24);
        fit.filter_map(|object| async move { object }).collect().await
    }

    async fn sweep(&self, variants: Vec<Variant>, until: Option<Instant>) -> Figures {
        let mut figures = Figures::default();
        let in_time = |_: &Variant| until.is_none_or(|until| Instant::now() < until);
        let mut results = futures::stream::iter(variants.into_iter().take_while(in_time))
            .map(|variant| async move {
                let came = self.settle(&variant.object).await;
                (variant, came)
            })
            .buffer_unordered(24);
        while let Some((variant, came)) = results.next().await {
            figures.tried += 1;
            match came {
                Came::Refused(why) => figures.refused.push(format!("{}: {why}", variant.what)),
                Came::Equal => figures.equal += 1,
                Came::Asked => {
                    figures.asked += 1;
                    figures.asked_about.insert(variant.shape);
                }
                Came::Differs(how) => figures.differ.push(format!("{}: {how}", variant.what)),
            }
        }
        figures
    }
}

/// How much is tried.
enum Part {
    /// Every place of every object, as far as it gets within so long, in random order.
    All(Duration),
    /// Each place of each kind once.
    Shapes,
    /// The same for so long, at random, but at random in the same way each time.
    Some(Duration),
}

async fn sweep(part: Part) -> Figures {
    let world = World::new().await;
    let objects = objects();
    world.define(&objects).await;
    let (mut seen, mut wanted) = (BTreeSet::new(), Vec::new());
    for object in world.fit(&objects).await {
        let empties = with_empties(&object).map(|empties| Variant {
            what: format!("{} with empty lists", object.reference()),
            shape: format!("{} with empty lists", object.group_kind()),
            object: empties,
        });
        let as_written = Variant {
            what: format!("{} as it is written", object.reference()),
            shape: format!("{} as it is written", object.group_kind()),
            object: object.clone(),
        };
        let some = [as_written].into_iter().chain(empties).chain(variants(&object));
        let all = matches!(part, Part::All(_));
        wanted.extend(some.filter(|variant| all || seen.insert(variant.shape.clone())));
    }
    let there = wanted.len();
    let until = match part {
        Part::Shapes => None,
        Part::All(time) | Part::Some(time) => {
            wanted.sort_by_cached_key(|variant| {
                let mut hasher = DefaultHasher::new();
                (SEED, &variant.what).hash(&mut hasher);
                hasher.finish()
            });
            Some(Instant::now() + time)
        }
    };
    let mut figures = world.sweep(wanted, until).await;
    figures.there = there;
    figures
}

/// What comparing cannot tell without the server is asked about once for each state, and stays the smaller part.
fn check(figures: &Figures) {
    assert!(figures.differ.is_empty(), "{:#?}", figures.differ);
    assert!(figures.equal > figures.asked * 3, "{figures:#?}");
    assert!(
        figures.equal + figures.asked > figures.refused.len(),
        "{figures:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_nothing_settles_at_random_places() {
    let figures = told(sweep(Part::Some(Duration::from_secs(25)))).await;
    assert!(figures.tried > 20, "{figures:#?}");
    check(&figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: each place of each kind"]
async fn a_sample_settles_for_every_place_of_every_kind() {
    let figures = told(sweep(Part::Shapes)).await;
    assert!(figures.tried > 700, "{figures:#?}");
    check(&figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes many minutes (SWEEP_SECONDS, or 25 of them): every place of every object"]
async fn what_says_nothing_settles_for_every_place_of_every_object() {
    let seconds = std::env::var("SWEEP_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(1_500));
    check(&told(sweep(Part::All(time))).await);
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn told(sweep: impl Future<Output = Figures>) -> Figures {
    let started = Instant::now();
    let figures = sweep.await;
    println!("{figures:#?}\nin {} s", started.elapsed().as_secs());
    figures
}
