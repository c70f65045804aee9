//! The objects of one kind, by ApplySet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use sluice_model::Object;
use sluice_model::applyset;

use crate::lean::lean;
use crate::watching::Held;

/// Namespace (empty for none) and name.
type Place = (Box<str>, Box<str>);

fn place(namespace: Option<&str>, name: &str) -> Place {
    (namespace.unwrap_or_default().into(), name.into())
}

fn place_of(object: &Object) -> Place {
    place(object.namespace(), object.name())
}

/// The objects of one kind.
#[derive(Debug, Default)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    members: BTreeMap<Arc<str>, BTreeMap<Place, Object>>,
    /// Whose an object was when it was last seen: that may change.
    owner: BTreeMap<Place, Arc<str>>,
    /// The last states of what was removed after it had completed, until they are taken.
    finished: BTreeMap<Place, Object>,
}

/// So many last states at most are kept: a Job that is removed after so many others is one that was not seen to complete.
const FINISHED: usize = 1000;

impl Store {
    /// The objects of one ApplySet in a fixed order.
    pub(crate) fn members(&self, applyset: &str) -> Vec<Object> {
        self.lock()
            .members
            .get(applyset)
            .map(|members| members.values().cloned().collect())
            .unwrap_or_default()
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().owner.len()
    }

    /// As [`Held::apply`], for what is not from the watch: an object that was never ours stays out. Returns the ApplySet that lost
    /// it. The one that wrote it knows, and for the watch the event that follows is no news.
    pub(crate) fn learn(&self, object: Object) -> Option<Arc<str>> {
        let mut inner = self.lock();
        let owner = applyset::owner(&object).map(str::to_owned);
        if owner.is_none() && !inner.owner.contains_key(&place_of(&object)) {
            return None;
        }
        let mut changed = inner.apply(object).into_iter();
        changed.find(|changed| Some(&**changed) != owner.as_deref())
    }

    /// The last states of those objects of an ApplySet that were removed after they had completed.
    pub(crate) fn finished(&self, applyset: &str) -> Vec<Object> {
        let inner = self.lock();
        let of_set = inner
            .finished
            .values()
            .filter(|object| applyset::owner(object) == Some(applyset));
        of_set.cloned().collect()
    }

    /// As [`Store::finished`]; they are kept no longer.
    pub(crate) fn take_finished(&self, applyset: &str) -> Vec<Object> {
        let taken = self.finished(applyset);
        let mut inner = self.lock();
        for object in &taken {
            inner.finished.remove(&place_of(object));
        }
        taken
    }

    /// Takes in that an object is gone, without knowing which state of it.
    pub(crate) fn forget(&self, namespace: Option<&str>, name: &str) {
        self.lock().remove(&place(namespace, name));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ApplySets that a change concerns. A state that is older than the one that is held changes nothing.
impl Held for Store {
    fn slim(object: Object) -> Object {
        lean(object)
    }

    fn apply(&self, object: Object) -> Vec<Arc<str>> {
        self.lock().apply(object)
    }

    fn delete(&self, object: &Object) -> Vec<Arc<str>> {
        let mut inner = self.lock();
        let place = place_of(object);
        if inner.held(&place).is_some_and(|held| is_newer(held, object)) {
            return Vec::new();
        }
        let owner = inner.remove(&place);
        if owner.is_some() && is_finished(object) && inner.finished.len() < FINISHED {
            inner.finished.insert(place, object.clone());
        }
        owner.into_iter().collect()
    }

    fn replace(&self, objects: Vec<Object>) -> Vec<Arc<str>> {
        let mut inner = self.lock();
        let mut changed = BTreeSet::new();
        let listed: BTreeSet<Place> = objects.iter().map(place_of).collect();
        let gone: Vec<Place> = inner
            .owner
            .keys()
            .filter(|place| !listed.contains(*place))
            .cloned()
            .collect();
        for place in gone {
            changed.extend(inner.remove(&place));
        }
        for object in objects {
            changed.extend(inner.apply(object));
        }
        changed.into_iter().collect()
    }
}

impl Inner {
    fn held(&self, place: &Place) -> Option<&Object> {
        self.members.get(self.owner.get(place)?)?.get(place)
    }

    fn apply(&mut self, object: Object) -> Vec<Arc<str>> {
        let place = place_of(&object);
        self.finished.remove(&place);
        if let Some(held) = self.held(&place)
            && (is_newer(held, &object)
                || held.metadata("resourceVersion") == object.metadata("resourceVersion"))
        {
            return Vec::new();
        }
        let mut changed = Vec::new();
        let owner = applyset::owner(&object);
        if self.owner.get(&place).map(|owner| &**owner) != owner {
            changed.extend(self.remove(&place));
        }
        let Some(owner) = owner else { return changed };
        let owner = match self.members.get_key_value(owner) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(owner),
        };
        self.members
            .entry(Arc::clone(&owner))
            .or_default()
            .insert(place.clone(), object);
        self.owner.insert(place, Arc::clone(&owner));
        changed.push(owner);
        changed
    }

    fn remove(&mut self, place: &Place) -> Option<Arc<str>> {
        let owner = self.owner.remove(place)?;
        if let Some(members) = self.members.get_mut(&owner) {
            members.remove(place);
            if members.is_empty() {
                self.members.remove(&owner);
            }
        }
        Some(owner)
    }
}

/// True for a Job that has succeeded and that the cluster removes some time after that.
fn is_finished(object: &Object) -> bool {
    let value = object.value();
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
    let complete = |condition: &Value| {
        condition.get("type").and_then(Value::as_str) == Some("Complete")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    };
    object.group() == "batch"
        && object.kind() == "Job"
        && value.pointer("/spec/ttlSecondsAfterFinished").is_some()
        && conditions.into_iter().flatten().any(complete)
}

/// True where `held` is a later state than `other`. Versions are numbers on every API server that there is; where they are
/// not, nothing is known to be newer.
fn is_newer(held: &Object, other: &Object) -> bool {
    let version = |object: &Object| object.metadata("resourceVersion")?.parse::<u64>().ok();
    matches!((version(held), version(other)), (Some(held), Some(other)) if held > other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::application::FIELD_MANAGER;

    fn object(name: &str, owner: Option<&str>, version: u64) -> Object {
        let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "n", "resourceVersion": version.to_string()}});
        if let Some(owner) = owner {
            value["metadata"]["labels"] = json!({applyset::PART_OF_LABEL: owner});
            value["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Apply"}]);
        }
        Object::new(value).unwrap()
    }

    fn names(store: &Store, owner: &str) -> Vec<String> {
        store
            .members(owner)
            .iter()
            .map(|object| object.name().to_owned())
            .collect()
    }

    fn ids(changed: Vec<Arc<str>>) -> Vec<String> {
        changed.iter().map(|id| id.to_string()).collect()
    }

    #[test]
    fn an_object_that_changes_hands_changes_both() {
        let store = Store::default();
        assert_eq!(ids(store.apply(object("a", Some("x"), 1))), ["x"]);
        assert_eq!(ids(store.apply(object("a", Some("y"), 2))), ["x", "y"]);
        assert_eq!(
            (names(&store, "x"), names(&store, "y")),
            (vec![], vec!["a".to_owned()])
        );
        assert_eq!(ids(store.apply(object("a", None, 3))), ["y"]);
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn what_is_older_than_our_own_write_changes_nothing() {
        let store = Store::default();
        assert_eq!(store.learn(object("a", Some("x"), 5)), None);
        assert!(store.apply(object("a", Some("x"), 4)).is_empty());
        assert!(store.apply(object("a", Some("x"), 5)).is_empty());
        assert!(store.delete(&object("a", Some("x"), 4)).is_empty());
        assert_eq!(ids(store.delete(&object("a", Some("x"), 6))), ["x"]);
    }

    /// Seen: an Application went on saying that it keeps what another one had taken over. It was never told that it had lost it.
    #[test]
    fn who_loses_an_object_to_our_own_write_is_told() {
        let store = Store::default();
        store.apply(object("a", Some("x"), 1));
        assert_eq!(store.learn(object("a", Some("y"), 2)).as_deref(), Some("x"));
        assert!(
            store.apply(object("a", Some("y"), 2)).is_empty(),
            "the watch's event is no news"
        );
        assert_eq!(store.learn(object("a", None, 3)).as_deref(), Some("y"));
    }

    #[test]
    fn a_new_list_tells_only_what_differs() {
        let store = Store::default();
        store.replace(vec![
            object("a", Some("x"), 1),
            object("b", Some("y"), 2),
            object("c", Some("z"), 3),
        ]);
        let changed = store.replace(vec![object("a", Some("x"), 1), object("b", Some("y"), 4)]);
        assert_eq!(ids(changed), ["y", "z"]);
        assert_eq!(names(&store, "z"), Vec::<String>::new());
    }

    #[test]
    fn what_was_never_ours_is_not_learnt() {
        let store = Store::default();
        assert_eq!(store.learn(object("a", None, 1)), None);
        assert_eq!(store.len(), 0);
        // What a controller copied of ours.
        let copy = object("b", Some("x"), 2).edit(|map| {
            map["metadata"]["managedFields"] = json!([{"manager": "other", "operation": "Update"}])
        });
        assert!(store.apply(copy).is_empty());
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn a_job_that_completed_and_went_is_told_once() {
        let job = |name: &str, ttl: bool, condition: &str, version: u64| {
            let status = json!({"conditions": [{"type": condition, "status": "True"}]});
            let spec = if ttl {
                json!({"ttlSecondsAfterFinished": 1})
            } else {
                json!({})
            };
            object(name, Some("x"), version).edit(|map| {
                map.insert("apiVersion".to_owned(), "batch/v1".into());
                map.insert("kind".to_owned(), "Job".into());
                map.insert("spec".to_owned(), spec);
                map.insert("status".to_owned(), status);
            })
        };
        let store = Store::default();
        for job in [
            job("done", true, "Complete", 1),
            job("failed", true, "Failed", 1),
            job("stays", false, "Complete", 1),
            job("ours", true, "Complete", 1),
            job("again", true, "Complete", 1),
        ] {
            store.apply(job.clone());
            if job.name() == "ours" {
                store.forget(job.namespace(), job.name());
            }
            store.delete(&job);
        }
        store.apply(job("again", true, "Suspended", 2));
        let names = |jobs: Vec<Object>| jobs.iter().map(|job| job.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(store.finished("x")), ["done"]);
        assert_eq!(names(store.take_finished("other")), Vec::<String>::new());
        assert_eq!(names(store.take_finished("x")), ["done"]);
        assert_eq!(names(store.finished("x")), Vec::<String>::new());
    }
}
