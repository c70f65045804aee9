//! What the cluster has of what we manage, kept current by watches.
//!
//! One watch for each kind that some application manages (and for each namespace, where it is bound to some), selected by the
//! ApplySet label, shared by all of them. At rest
//! nothing is asked: [`Observer::snapshot`] reads memory, and a callback tells whose objects changed. Objects are
//! kept as JSON without the parts that the engine never reads ([`lean`]).
//!
//! What the label does not select (an object that is still to be adopted) is not here; ask the cluster for it by name.
//!
//! A watch that breaks goes on from where it was; one that missed something lists again and tells what differs. While
//! one is broken [`Observer::ensure`] fails, so that no plan is made of what may be old.
//!
//! Where to start reading: [`Observer`]; the life of one watch is in `watching`.
#![forbid(unsafe_code)]

mod error;
mod lean;
mod related;
mod store;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_cluster::{Kind, Target};
use sluice_model::Object;
use sluice_model::object::ObjectKey;

pub use error::{ObserveError, codes};
pub use lean::lean;
pub use related::Relatives;
use sluice_model::applyset::PART_OF_LABEL;
use store::Store;
use watching::{Place, Watching};

/// Group, version, kind, and the namespace where there is one: what one watch is about.
type WatchKey = (String, String, String, Option<String>);

fn watch_key(kind: &Kind, namespace: Option<&str>) -> WatchKey {
    let namespace = namespace.map(str::to_owned);
    (
        kind.group.clone(),
        kind.version.clone(),
        kind.kind.clone(),
        namespace,
    )
}

/// Called with the ApplySet id whose objects changed. Must not block.
pub type OnChange = Arc<dyn Fn(&str) + Send + Sync>;

/// The watches of one cluster. Dropping it ends them.
pub struct Observer {
    cluster: Target,
    namespaces: Option<BTreeSet<String>>,
    on_change: OnChange,
    watches: Mutex<BTreeMap<WatchKey, Watching<Store>>>,
}

impl Observer {
    /// Watches nothing yet. With `namespaces` it only ever looks into those, each by a watch of its own, so that no right beyond
    /// them is needed; what is in no namespace is then not seen at all.
    pub fn new(cluster: Target, namespaces: Option<BTreeSet<String>>, on_change: OnChange) -> Self {
        Self {
            cluster,
            namespaces,
            on_change,
            watches: Mutex::default(),
        }
    }

    /// Makes sure that all of `kinds` are watched and current, waiting for first lists.
    ///
    /// # Errors
    /// [`ObserveError::Watch`] where one is broken, [`ObserveError::Late`] where the first list takes longer than `patience`.
    pub async fn ensure(&self, kinds: &[Kind], patience: Duration) -> Result<(), ObserveError> {
        let mut waits = Vec::new();
        {
            let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
            for (kind, namespace) in kinds.iter().flat_map(|kind| self.places(kind)) {
                let key = watch_key(kind, namespace);
                if watches.get(&key).is_some_and(Watching::has_ended) {
                    watches.remove(&key);
                }
                let watching = watches.entry(key).or_insert_with(|| {
                    let place = Place {
                        kind: kind.clone(),
                        namespace: namespace.map(str::to_owned),
                        selector: PART_OF_LABEL,
                        is_optional: false,
                    };
                    let (cluster, on_change) = (self.cluster.clone(), Arc::clone(&self.on_change));
                    Watching::start(cluster, place, Store::default(), on_change)
                });
                waits.push((kind.clone(), watching.state()));
            }
        }
        let all = async {
            for (kind, mut state) in waits {
                watching::current(&kind, &mut state).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(patience, all).await {
            Ok(result) => result,
            Err(_) => Err(ObserveError::Late {
                seconds: patience.as_secs(),
            }),
        }
    }

    /// Where the objects of a kind are looked for: in each namespace, or everywhere at once.
    fn places<'k>(&'k self, kind: &'k Kind) -> Vec<(&'k Kind, Option<&'k str>)> {
        match &self.namespaces {
            None => vec![(kind, None)],
            Some(namespaces) if kind.namespaced => {
                let each = namespaces.iter();
                each.map(|namespace| (kind, Some(namespace.as_str()))).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// The objects of an ApplySet, of the given kinds, in a fixed order.
    pub fn snapshot(&self, kinds: &[Kind], applyset: &str) -> Vec<Object> {
        let mut objects = Vec::new();
        for store in self.stores(kinds) {
            objects.extend(store.members(applyset));
        }
        objects
    }

    /// The last states of an ApplySet's Jobs that completed and were removed since, as far as that was seen.
    pub fn finished(&self, kinds: &[Kind], applyset: &str) -> Vec<Object> {
        let stores = self.stores(kinds).into_iter();
        stores.flat_map(|store| store.finished(applyset)).collect()
    }

    /// As [`Observer::finished`]; they are not told again.
    pub fn take_finished(&self, kinds: &[Kind], applyset: &str) -> Vec<Object> {
        let stores = self.stores(kinds).into_iter();
        stores.flat_map(|store| store.take_finished(applyset)).collect()
    }

    /// Takes in an object as the server answered a write, so that the next snapshot is not older than our own writes. Whoever had
    /// it before is told.
    pub fn learn(&self, object: &Object) {
        let store = self.store_of(object);
        if let Some(loser) = store.and_then(|store| store.learn(lean(object.clone()))) {
            (self.on_change)(&loser);
        }
    }

    /// Takes in that an object is gone.
    pub fn forget(&self, object: &ObjectKey) {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for ((group, _, kind, namespace), watching) in watches.iter() {
            let here = namespace.is_none() || *namespace == object.namespace;
            if here && *group == object.group_kind.group && *kind == object.group_kind.kind {
                watching.held().forget(object.namespace.as_deref(), &object.name);
            }
        }
    }

    /// Ends every watch whose kind `keep` does not want.
    pub fn retain(&self, keep: impl Fn(&Kind) -> bool) {
        self.watches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, watching| keep(watching.kind()));
    }

    /// How many kinds are watched, and how many objects are held.
    pub fn size(&self) -> (usize, usize) {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        (
            watches.len(),
            watches.values().map(|watching| watching.held().len()).sum(),
        )
    }

    fn stores(&self, kinds: &[Kind]) -> Vec<Arc<Store>> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        kinds
            .iter()
            .flat_map(|kind| self.places(kind))
            .filter_map(|(kind, namespace)| Some(watches.get(&watch_key(kind, namespace))?.held()))
            .collect()
    }

    fn store_of(&self, object: &Object) -> Option<Arc<Store>> {
        let key = (
            object.group().to_owned(),
            object.version().to_owned(),
            object.kind().to_owned(),
            object
                .namespace()
                .filter(|_| self.namespaces.is_some())
                .map(str::to_owned),
        );
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        Some(watches.get(&key)?.held())
    }
}
