//! What the cluster has of an application, and what other applications want of that.

use std::cell::LazyCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluice_model::application::ApplicationStatus;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::claims::may_be_one;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};
use sluice_model::plan::ApplicationKey;

/// What the cluster has of an application.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// By key: everything that is in its ApplySet.
    pub members: Arc<BTreeMap<ObjectKey, Object>>,
    /// Desired objects that exist without it.
    pub others: BTreeMap<ObjectKey, Object>,
    /// The last state of Jobs that completed and were then removed, as far as that was seen.
    pub finished: BTreeMap<ObjectKey, Object>,
    /// What other applications want of all this.
    pub claims: Claimed,
}

/// What other applications want of an application's objects, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// Members that another application's Git has: who that is, in words. They are never deleted.
    pub members: BTreeMap<ObjectKey, String>,
    /// Why nothing may be deleted yet: it is not known what every other application wants.
    pub unsettled: Option<String>,
    /// Others' objects that their application no longer wants: they may be taken over.
    pub released: BTreeSet<ObjectKey>,
}

impl Claimed {
    /// Returns what other Applications want of `live`, as far as their statuses say so: for commands, which know nothing else of
    /// them.
    pub fn said<'a>(
        live: &Live,
        others: impl Iterator<Item = (ApplicationKey, &'a ApplicationStatus)>,
    ) -> Self {
        let mut claimed = Self::default();
        for (other, status) in others {
            let Some(claims) = &status.claims else {
                continue;
            };
            for (key, object) in live.members.iter() {
                if claims.want(key, object.metadata("uid")) {
                    claimed
                        .members
                        .entry(key.clone())
                        .or_insert_with(|| wanted_by(&other));
                }
            }
            let owner = applyset::id(&other.namespace, &other.name);
            for (key, object) in &live.others {
                if object.label(PART_OF_LABEL) == Some(&owner) && claims.release(key, object.metadata("uid"))
                {
                    claimed.released.insert(key.clone());
                }
            }
        }
        claimed
    }

    /// Why a member must not be deleted.
    pub fn reason(&self, key: &ObjectKey) -> Option<&String> {
        let alias = || {
            let claimed = self.members.iter().find(|(claimed, _)| may_be_one(claimed, key));
            claimed.map(|(_, reason)| reason)
        };
        self.members.get(key).or_else(alias).or(self.unsettled.as_ref())
    }
}

/// The state in [`ApplicationStatus::attention`] of what another application owns.
pub const BLOCKED: &str = "Blocked";

/// Why an object is not deleted that another application wants.
pub fn wanted_by(other: &ApplicationKey) -> String {
    format!("Application {other} wants it too, and takes it over once no other one does")
}

impl Live {
    /// From what watches or lists of members gave. What they give at several versions is taken at the one that it is written in.
    pub fn of_members(found: Vec<Object>, manifests: &[Manifest]) -> Self {
        let written = LazyCell::new(|| {
            let objects = manifests.iter().map(|manifest| &manifest.object);
            objects
                .map(|object| (object.key(), object.api_version()))
                .collect::<BTreeMap<_, _>>()
        });
        let mut members = BTreeMap::new();
        for object in found {
            match members.entry(object.key()) {
                Entry::Vacant(place) => drop(place.insert(object)),
                Entry::Occupied(mut place) => {
                    if written.get(place.key()) == Some(&object.api_version()) {
                        place.insert(object);
                    }
                }
            }
        }
        Self {
            members: Arc::new(members),
            ..Self::default()
        }
    }

    /// Leaves out members that are there a second time: the server has some objects in two API groups (an Event, an Ingress of old),
    /// and one identity is one object. What stays is what the manifests name.
    pub fn without_aliases(&mut self, manifests: &[Manifest]) {
        let wanted: BTreeSet<ObjectKey> = manifests.iter().map(|manifest| manifest.object.key()).collect();
        if self.members.keys().all(|key| wanted.contains(key)) {
            return;
        }
        let uid = |key: &ObjectKey| self.find(key)?.metadata("uid").map(str::to_owned);
        let uids: BTreeSet<String> = wanted.iter().filter_map(uid).collect();
        let is_alias = |(key, object): &(&ObjectKey, &Object)| {
            !wanted.contains(*key) && object.metadata("uid").is_some_and(|uid| uids.contains(uid))
        };
        let aliases = self.members.iter().filter(is_alias).map(|(key, _)| key.clone());
        let aliases: Vec<ObjectKey> = aliases.collect();
        if !aliases.is_empty() {
            let members = Arc::make_mut(&mut self.members);
            members.retain(|key, _| !aliases.contains(key));
        }
    }

    /// The live object of a key.
    pub fn find(&self, key: &ObjectKey) -> Option<&Object> {
        self.members.get(key).or_else(|| self.others.get(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::manifest::Origin;

    fn lock(version: &str, name: &str) -> Object {
        Object::new(json!({"apiVersion": version, "kind": "Lock", "metadata": {"name": name}})).unwrap()
    }

    fn manifest(object: Object) -> Manifest {
        let origin = Origin {
            file: "a.yaml".to_owned(),
            line: 1,
        };
        Manifest { object, origin }
    }

    /// Reported: an Event that Git moved from `v1` to `events.k8s.io/v1` was deleted under its old name.
    #[test]
    fn one_identity_is_one_object() {
        let event = |api_version: &str, name: &str, uid: &str| {
            let metadata = json!({"name": name, "uid": uid});
            Object::new(json!({"apiVersion": api_version, "kind": "Event", "metadata": metadata})).unwrap()
        };
        let found = vec![
            event("v1", "moved", "1"),
            event("events.k8s.io/v1", "moved", "1"),
            event("v1", "gone", "2"),
            event("events.k8s.io/v1", "other", "3"),
        ];
        let manifests = [event("events.k8s.io/v1", "moved", "")].map(manifest);
        let mut live = Live::of_members(found.clone(), &manifests);
        live.without_aliases(&manifests);
        let left: Vec<String> = live
            .members
            .values()
            .map(|object| object.reference().to_string())
            .collect();
        assert_eq!(
            left,
            [
                "Event gone",
                "Event.events.k8s.io moved",
                "Event.events.k8s.io other"
            ]
        );
        // The one that Git has is known from elsewhere.
        let mut live = Live::of_members(found[..1].to_vec(), &manifests);
        live.others.insert(found[1].key(), found[1].clone());
        live.without_aliases(&manifests);
        assert!(live.members.is_empty());
    }

    #[test]
    fn what_is_there_at_several_versions_is_taken_at_the_one_that_it_is_written_in() {
        let found = ["e.com/v1", "e.com/v1beta1"]
            .into_iter()
            .flat_map(|version| ["new", "old", "unwanted"].map(|name| lock(version, name)))
            .collect();
        let manifests = [lock("e.com/v1", "new"), lock("e.com/v1beta1", "old")].map(manifest);
        let live = Live::of_members(found, &manifests);
        let versions: Vec<_> = live
            .members
            .values()
            .map(|object| (object.name(), object.api_version()))
            .collect();
        assert_eq!(
            versions,
            [
                ("new", "e.com/v1"),
                ("old", "e.com/v1beta1"),
                ("unwanted", "e.com/v1")
            ]
        );
    }
}
