//! Objects that are not ours, watched for health checks that ask to see them.
//!
//! A watch begins when a check asks for a kind in a namespace, serves all applications, and ends a while after the last one asked. Of a
//! place with too many objects, and beyond a number of places, nothing is known. So nothing is as well if the engine may not look there:
//! a check then judges by what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sluice_cluster::Target;
use sluice_model::object::GroupKind;
use sluice_model::related::{Need, Related, bounded};
use sluice_model::{Object, secret};
use tokio::sync::watch;

use crate::OnChange;
use crate::lean::lean;
use crate::watching::{Held, Place, State, Watching};

/// So many places are watched at most.
const PLACES: usize = 200;
/// Of so many objects in one place at most something is known.
const OBJECTS: usize = 5_000;
/// How long a place is watched after somebody asked last.
const LINGER: Duration = Duration::from_secs(120);

/// A kind in a namespace, or in none.
type PlaceKey = (Option<String>, GroupKind);

/// The watches for health checks. Dropping it ends them.
pub struct Relatives {
    cluster: Target,
    /// Only into these it ever looks, if there are any.
    namespaces: Option<BTreeSet<String>>,
    on_change: OnChange,
    places: Mutex<BTreeMap<PlaceKey, Watched>>,
    /// What each application's verdicts rest on.
    needs: Mutex<BTreeMap<Arc<str>, BTreeSet<Need>>>,
}

struct Watched {
    watching: Watching<Neighbours>,
    asked: Instant,
}

impl Relatives {
    /// Watches nothing yet, and never looks outside of `namespaces`. `on_change` is told whose needs a change concerns.
    pub fn new(cluster: Target, namespaces: Option<BTreeSet<String>>, on_change: OnChange) -> Self {
        Self {
            cluster,
            namespaces,
            on_change,
            places: Mutex::default(),
            needs: Mutex::default(),
        }
    }

    /// Looks where it has to for these needs, and waits at most `patience` until it knows.
    pub async fn learn<'n>(&self, needs: impl IntoIterator<Item = &'n Need>, patience: Duration) {
        let places: BTreeSet<PlaceKey> = needs.into_iter().map(place_of).collect();
        let Ok(kinds) = self.cluster.kinds().await else {
            return;
        };
        let mut waits = Vec::new();
        for key in places {
            let (namespace, group_kind) = &key;
            let kind = kinds.preferred(group_kind);
            let kind = kind.filter(|kind| kind.namespaced == namespace.is_some() && kind.can("watch"));
            let is_within = match (&self.namespaces, namespace) {
                (Some(all), Some(namespace)) => all.contains(namespace),
                (Some(_), None) => false,
                (None, _) => true,
            };
            if let Some(kind) = kind.filter(|_| is_within) {
                let place = Place {
                    kind: kind.clone(),
                    namespace: namespace.clone(),
                    selector: "",
                    is_optional: true,
                };
                waits.extend(self.watch(key, place));
            }
        }
        let all = async {
            for mut state in waits {
                // A watch that ended tells nothing more.
                let _ended = state.wait_for(|state| !matches!(state, State::Starting)).await;
            }
        };
        // Who is not told in time is told by a change.
        let _in_time = tokio::time::timeout(patience, all).await;
    }

    /// Sees to it that a place is watched.
    fn watch(&self, key: PlaceKey, place: Place) -> Option<watch::Receiver<State>> {
        let mut places = lock(&self.places);
        if places
            .get(&key)
            .is_some_and(|watched| watched.watching.has_ended())
        {
            places.remove(&key);
        }
        if places.len() >= PLACES && !places.contains_key(&key) {
            let (namespace, kind) = &key;
            tracing::warn!(%kind, namespace, "more places than {PLACES} are asked for by health checks: this one is not watched");
            return None;
        }
        let watched = places.entry(key).or_insert_with(|| Watched {
            watching: Watching::start(
                self.cluster.clone(),
                place,
                Neighbours::default(),
                Arc::clone(&self.on_change),
            ),
            asked: Instant::now(),
        });
        watched.asked = Instant::now();
        Some(watched.watching.state())
    }

    /// Says what an application's verdicts rest on from now on. Places that nobody needs any more are left after a while.
    pub fn rest_on(&self, whose: &str, needs: BTreeSet<Need>) {
        let mut all = lock(&self.needs);
        let is_news = match all.get(whose) {
            Some(before) => *before != needs,
            None => !needs.is_empty(),
        };
        if is_news {
            match needs.is_empty() {
                true => all.remove(whose),
                false => all.insert(Arc::from(whose), needs),
            };
        }
        let mut places = lock(&self.places);
        if is_news {
            let mut of_place: BTreeMap<PlaceKey, Vec<(Arc<str>, Need)>> = BTreeMap::new();
            for (whose, needs) in &*all {
                for need in needs {
                    let of_place = of_place.entry(place_of(need)).or_default();
                    of_place.push((Arc::clone(whose), need.clone()));
                }
            }
            for (key, watched) in &*places {
                let needed = of_place.remove(key).unwrap_or_default();
                watched.watching.held().serve(needed);
            }
        }
        places.retain(|_, watched| watched.watching.held().is_needed() || watched.asked.elapsed() < LINGER);
    }

    /// How many places are watched.
    pub fn len(&self) -> usize {
        lock(&self.places).len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Related for Relatives {
    fn find(&self, need: &Need) -> Option<Vec<Object>> {
        let mut places = lock(&self.places);
        let watched = places.get_mut(&place_of(need))?;
        watched.asked = Instant::now();
        let is_current = matches!(*watched.watching.state().borrow(), State::Current);
        let held = watched.watching.held();
        drop(places);
        is_current.then(|| held.find(need)).flatten()
    }
}

fn place_of(need: &Need) -> PlaceKey {
    (need.namespace.clone(), need.kind.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The objects of one place, and whose verdicts rest on which of them.
#[derive(Debug, Default)]
struct Neighbours {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<Box<str>, Object>,
    /// There were more than can be kept: until the next list nothing is known.
    too_many: bool,
    needs: Vec<(Arc<str>, Need)>,
}

impl Neighbours {
    fn find(&self, need: &Need) -> Option<Vec<Object>> {
        let inner = lock(&self.inner);
        let picked = inner
            .objects
            .values()
            .filter(|object| need.selection.picks(object));
        (!inner.too_many).then(|| bounded(picked)).flatten()
    }

    fn serve(&self, needs: Vec<(Arc<str>, Need)>) {
        lock(&self.inner).needs = needs;
    }

    fn is_needed(&self) -> bool {
        !lock(&self.inner).needs.is_empty()
    }
}

impl Inner {
    /// Whose needs one of these objects is for.
    fn concerned<'o>(&self, objects: impl IntoIterator<Item = &'o Object> + Clone) -> BTreeSet<Arc<str>> {
        let concerned = self.needs.iter().filter(|(_, need)| {
            let mut objects = objects.clone().into_iter();
            objects.any(|object| need.selection.picks(object))
        });
        concerned.map(|(whose, _)| Arc::clone(whose)).collect()
    }

    fn everybody(&self) -> BTreeSet<Arc<str>> {
        self.needs.iter().map(|(whose, _)| Arc::clone(whose)).collect()
    }

    /// Beyond what can be kept nothing is.
    fn bound(&mut self) {
        if self.objects.len() > OBJECTS {
            self.too_many = true;
            self.objects.clear();
        }
    }
}

impl Held for Neighbours {
    /// No check sees a Secret's values, nor who manages fields.
    fn slim(object: Object) -> Object {
        let object = secret::mask(&object).edit(|map| {
            if let Some(metadata) = map.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
                metadata.remove("managedFields");
            }
        });
        lean(object)
    }

    fn apply(&self, object: Object) -> Vec<Arc<str>> {
        let mut inner = lock(&self.inner);
        if inner.too_many {
            return Vec::new();
        }
        let before = inner.objects.insert(object.name().into(), object.clone());
        let concerned = inner.concerned(before.iter().chain([&object]));
        inner.bound();
        match inner.too_many {
            true => inner.everybody().into_iter().collect(),
            false => concerned.into_iter().collect(),
        }
    }

    fn delete(&self, object: &Object) -> Vec<Arc<str>> {
        let mut inner = lock(&self.inner);
        let before = inner.objects.remove(object.name());
        inner.concerned(before.iter()).into_iter().collect()
    }

    fn replace(&self, objects: Vec<Object>) -> Vec<Arc<str>> {
        let mut inner = lock(&self.inner);
        let named = objects.into_iter().map(|object| (object.name().into(), object));
        inner.objects = named.collect();
        inner.too_many = false;
        inner.bound();
        inner.everybody().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::related::Selection;

    fn pod(name: &str, owner: &str) -> Object {
        let metadata = json!({"name": name, "namespace": "shop", "ownerReferences": [{"uid": owner}],
            "managedFields": [{"manager": "kubelet"}]});
        Neighbours::slim(
            Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})).unwrap(),
        )
    }

    fn owned_by(owner: &str) -> Need {
        Need {
            namespace: Some("shop".to_owned()),
            kind: GroupKind::new("", "Pod"),
            selection: Selection::OwnedBy(owner.to_owned()),
        }
    }

    fn names(whose: Vec<Arc<str>>) -> Vec<String> {
        whose.iter().map(|whose| whose.to_string()).collect()
    }

    #[test]
    fn who_rests_on_a_changed_object_is_told() {
        let neighbours = Neighbours::default();
        neighbours.serve(vec![
            (Arc::from("a"), owned_by("1")),
            (Arc::from("b"), owned_by("2")),
        ]);
        assert_eq!(names(neighbours.replace(vec![pod("x", "1")])), ["a", "b"]);
        assert_eq!(neighbours.find(&owned_by("1")).unwrap().len(), 1);
        assert!(neighbours.find(&owned_by("1")).unwrap()[0].record().is_none());
        assert_eq!(names(neighbours.apply(pod("x", "1"))), ["a"]);
        // It changes hands: that concerns both.
        assert_eq!(names(neighbours.apply(pod("x", "2"))), ["a", "b"]);
        assert_eq!(names(neighbours.apply(pod("y", "3"))), Vec::<String>::new());
        assert_eq!(names(neighbours.delete(&pod("x", "2"))), ["b"]);
        assert!(neighbours.find(&owned_by("2")).unwrap().is_empty());
    }

    #[test]
    fn of_a_place_with_too_many_objects_nothing_is_known_until_it_has_fewer() {
        let neighbours = Neighbours::default();
        neighbours.serve(vec![(Arc::from("a"), owned_by("1"))]);
        let many = |count: usize| (0..count).map(|number| pod(&format!("p{number}"), "2")).collect();
        neighbours.replace(many(OBJECTS));
        assert!(neighbours.find(&owned_by("1")).is_some());
        assert_eq!(names(neighbours.apply(pod("one-more", "2"))), ["a"]);
        assert!(neighbours.find(&owned_by("1")).is_none());
        neighbours.replace(many(3));
        assert!(neighbours.find(&owned_by("1")).is_some());
    }

    #[test]
    fn secrets_are_seen_without_their_values() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"},
            "data": {"password": "aHVudGVyMg=="}});
        let kept = Neighbours::slim(Object::new(secret).unwrap());
        assert!(!kept.whole().to_string().contains("aHVudGVyMg"));
        assert!(kept.value().pointer("/data/password").is_some());
    }
}
