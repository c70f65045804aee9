//! What every Application wants, so that none deletes what another one has taken over.
//!
//! An object moves from one application to another in one direction only: the new one wants it, the old one no longer does,
//! the new one takes it over, with its identity and its data. In between nobody deletes it. So before an application prunes,
//! every other one must have said what it wants: once since the controller started, and, where both follow the same
//! repository, at a state of it that is as new. Who cannot say (its manifests are broken) keeps what it said last; after a
//! restart that is what its status says that it cannot have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::application::ApplicationStatus;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::object::{GroupKind, Object, ObjectKey};
use sluice_model::plan::ApplicationKey;

use crate::pipeline::{Claimed, Live, denied, may_be_one, wanted_by};

/// What all Applications want.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    /// True once every Application is known by name.
    listed: bool,
    applications: BTreeMap<ApplicationKey, Wants>,
    /// Those that wait for others to say what they want, or to let something go.
    waiting: BTreeSet<ApplicationKey>,
}

#[derive(Debug, Default)]
struct Wants {
    id: String,
    repository: String,
    /// The version of the repository at which it said so; none where it has said nothing yet.
    version: Option<u64>,
    /// None where that was never known.
    objects: Option<Arc<BTreeSet<ObjectKey>>>,
    /// The kinds of those, each once.
    kinds: Vec<GroupKind>,
    /// What the cluster has of those, by which a wanted object is known under another key too; none where that was not looked at.
    live: Option<Known>,
    /// What it wants and cannot have.
    denied: BTreeSet<ObjectKey>,
}

/// What an application found in the cluster of what it wants.
#[derive(Debug)]
struct Known {
    members: Arc<BTreeMap<ObjectKey, Object>>,
    others: BTreeMap<ObjectKey, Object>,
}

impl Known {
    fn uid(&self, key: &ObjectKey) -> Option<&str> {
        let object = self.members.get(key).or_else(|| self.others.get(key))?;
        object.metadata("uid")
    }
}

impl Wants {
    /// True where it wants the object, under this key or another: the server has some objects in two API groups, and tells them by
    /// their identity. Where that is not known, what has the same kind, namespace and name may be the same.
    fn wants(&self, key: &ObjectKey, object: &Object) -> bool {
        let Some(objects) = &self.objects else {
            return self.denied.iter().any(|denied| may_be_one(denied, key));
        };
        let under = |kind: &GroupKind| {
            let other = ObjectKey {
                group_kind: kind.clone(),
                ..key.clone()
            };
            if !objects.contains(&other) {
                return false;
            }
            let uid = self.live.as_ref().map(|live| live.uid(&other));
            match uid {
                Some(uid) => uid.is_some() && uid == object.metadata("uid"),
                None => may_be_one(&other, key),
            }
        };
        objects.contains(key) || self.kinds.iter().any(under)
    }
}

impl Claims {
    /// An Application is there. `status` is what it said before this process began.
    pub(crate) fn add(&self, key: &ApplicationKey, repository: &str, status: Option<&ApplicationStatus>) {
        let mut all = self.lock();
        let wants = all.applications.entry(key.clone()).or_insert_with(|| Wants {
            id: applyset::id(&key.namespace, &key.name),
            denied: status.map(denied).unwrap_or_default(),
            ..Wants::default()
        });
        if wants.repository != repository {
            repository.clone_into(&mut wants.repository);
            // It is about to say something new.
            wants.version = None;
        }
    }

    /// Every Application is known by name now. Returns who waited for that.
    pub(crate) fn listed(&self) -> Vec<ApplicationKey> {
        let mut all = self.lock();
        all.listed = true;
        std::mem::take(&mut all.waiting).into_iter().collect()
    }

    /// An Application is gone. Returns whom that may concern.
    pub(crate) fn remove(&self, key: &ApplicationKey) -> Vec<ApplicationKey> {
        let mut all = self.lock();
        all.applications.remove(key);
        all.waiting.remove(key);
        std::mem::take(&mut all.waiting).into_iter().collect()
    }

    /// An application says what it wants, at a version of its repository; nothing new where it cannot tell. Returns whom
    /// that may concern.
    pub(crate) fn say(
        &self,
        key: &ApplicationKey,
        version: u64,
        objects: Option<Arc<BTreeSet<ObjectKey>>>,
    ) -> Vec<ApplicationKey> {
        let mut all = self.lock();
        let Some(wants) = all.applications.get_mut(key) else {
            return Vec::new();
        };
        let newer = wants.version != Some(version);
        let other = objects.is_some() && objects != wants.objects;
        wants.version = Some(version);
        if let Some(objects) = objects.filter(|_| other) {
            let mut kinds: Vec<GroupKind> = objects.iter().map(|key| key.group_kind.clone()).collect();
            kinds.dedup();
            wants.kinds = kinds;
            wants.objects = Some(objects);
            // It has not looked for those yet.
            wants.live = None;
        }
        if !newer && !other {
            return Vec::new();
        }
        let ready: Vec<ApplicationKey> = all
            .waiting
            .iter()
            .filter(|waiting| *waiting != key && (other || all.unsettled(waiting).is_none()))
            .cloned()
            .collect();
        all.waiting.retain(|waiting| !ready.contains(waiting));
        ready
    }

    /// What others want of what an application has, and what they let go of what it wants.
    pub(crate) fn about(&self, key: &ApplicationKey, live: &Live, desired: &BTreeSet<ObjectKey>) -> Claimed {
        let mut all = self.lock();
        let mut claimed = Claimed::default();
        if let Some(wants) = all.applications.get_mut(key) {
            wants.live = Some(Known {
                members: Arc::clone(&live.members),
                others: live.others.clone(),
            });
        }
        let mut prunes = false;
        for (place, object) in live.members.iter().filter(|(place, _)| !desired.contains(*place)) {
            prunes = true;
            let claimant = all
                .applications
                .iter()
                .find(|(other, wants)| *other != key && wants.wants(place, object));
            if let Some((claimant, _)) = claimant {
                let reason = wanted_by(claimant);
                claimed.members.insert(place.clone(), reason);
            }
        }
        claimed.unsettled = all.unsettled(key).filter(|_| prunes);
        let mut denied = false;
        for (object, live) in &live.others {
            let Some(owner) = live.label(PART_OF_LABEL) else {
                continue;
            };
            denied = true;
            let owner = all.applications.values().find(|wants| wants.id == owner);
            let lets_go = owner.is_some_and(|owner| owner.objects.is_some() && !owner.wants(object, live));
            if lets_go {
                claimed.released.insert(object.clone());
            }
        }
        if claimed.unsettled.is_some() || !claimed.members.is_empty() || denied {
            all.waiting.insert(key.clone());
        }
        claimed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Why an application cannot know yet what others want.
    fn unsettled(&self, key: &ApplicationKey) -> Option<String> {
        if !self.listed {
            return Some("the Applications of the cluster are still being listed".to_owned());
        }
        let own = self.applications.get(key)?;
        let late = self.applications.iter().find(|(other, wants)| {
            let same = wants.repository == own.repository;
            *other != key && (wants.version.is_none() || same && wants.version < own.version)
        });
        late.map(|(other, _)| format!("what Application {other} wants is not known yet"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::application::ObjectState;

    fn application(name: &str) -> ApplicationKey {
        ApplicationKey {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    fn live(name: &str, owner: &str) -> Object {
        let labels = json!({PART_OF_LABEL: applyset::id("shop", owner)});
        Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop", "labels": labels}}))
            .unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        live(name, "").key()
    }

    fn keys(names: &[&str]) -> Option<Arc<BTreeSet<ObjectKey>>> {
        Some(Arc::new(names.iter().map(|name| key(name)).collect()))
    }

    /// Two applications of one repository, and what the first has in the cluster: `x`.
    fn two() -> (Claims, Live) {
        let claims = Claims::default();
        claims.add(&application("a"), "repo", None);
        claims.add(&application("b"), "repo", None);
        claims.listed();
        (claims, Live::of_members(vec![live("x", "a")], &[]))
    }

    #[test]
    fn nothing_is_pruned_before_everybody_has_spoken_about_the_same_commit() {
        let (claims, members) = two();
        claims.say(&application("a"), 1, keys(&[]));
        let about = || claims.about(&application("a"), &members, &BTreeSet::new());
        assert!(about().unsettled.is_some_and(|why| why.contains("shop/b")));
        assert_eq!(
            claims.say(&application("b"), 1, keys(&[])),
            [application("a")],
            "who waited is told"
        );
        assert!(about().unsettled.is_none() && about().members.is_empty());
        // A newer state of the repository, which the other one has not seen.
        claims.say(&application("a"), 2, keys(&[]));
        assert!(about().unsettled.is_some());
        // It has seen it and cannot tell: what it wanted before still counts.
        claims.say(&application("b"), 2, None);
        assert!(about().unsettled.is_none());
        // Of another repository: as new as it ever was.
        claims.add(&application("c"), "other", None);
        assert!(about().unsettled.is_some_and(|why| why.contains("shop/c")));
        claims.say(&application("c"), 0, None);
        assert!(about().unsettled.is_none());
    }

    #[test]
    fn an_object_moves_without_being_deleted() {
        let (claims, members) = two();
        let (a, b) = (application("a"), application("b"));
        let theirs = Live {
            others: [(key("x"), live("x", "a"))].into(),
            ..Live::default()
        };
        claims.say(&a, 1, keys(&["x"]));
        claims.say(&b, 1, keys(&["x"]));
        let wanted = keys(&["x"]).unwrap();
        assert!(
            claims.about(&b, &theirs, &wanted).released.is_empty(),
            "its owner still wants it"
        );
        assert_eq!(
            claims.say(&a, 2, keys(&[])),
            std::slice::from_ref(&b),
            "who waits for it is told"
        );
        claims.say(&b, 2, keys(&["x"]));
        let kept = claims.about(&a, &members, &BTreeSet::new());
        assert!(kept.reason(&key("x")).is_some_and(|why| why.contains("shop/b")));
        assert_eq!(claims.about(&b, &theirs, &wanted).released, *wanted);
        // Nobody else wants it any more.
        claims.say(&b, 2, keys(&[]));
        assert_eq!(
            claims.about(&a, &members, &BTreeSet::new()).reason(&key("x")),
            None
        );
    }

    /// Reported: one object in two API groups was deleted under one although it was wanted under the other.
    #[test]
    fn an_object_in_two_groups_is_wanted_under_either() {
        let event = |api_version: &str, name: &str, uid: &str| {
            let labels = json!({PART_OF_LABEL: applyset::id("shop", "a")});
            let metadata = json!({"name": name, "namespace": "shop", "uid": uid, "labels": labels});
            Object::new(json!({"apiVersion": api_version, "kind": "Event", "metadata": metadata})).unwrap()
        };
        let (claims, _) = two();
        let (a, b) = (application("a"), application("b"));
        let (old, new) = (event("v1", "x", "1"), event("events.k8s.io/v1", "x", "1"));
        let other = event("v1", "y", "2");
        let members = Live::of_members(vec![old.clone(), other.clone()], &[]);
        claims.say(&a, 1, Some(Arc::default()));
        let wanted = BTreeSet::from([new.key(), event("events.k8s.io/v1", "y", "").key()]);
        claims.say(&b, 1, Some(Arc::new(wanted.clone())));
        let reason = |key: &ObjectKey| claims.about(&a, &members, &BTreeSet::new()).reason(key).is_some();
        assert!(
            reason(&old.key()) && reason(&other.key()),
            "not looked at: it may be the same"
        );
        // It is the same in one case, and another in the other.
        let theirs = Live {
            others: [&new, &event("events.k8s.io/v1", "y", "3")]
                .into_iter()
                .map(|object| (object.key(), object.clone()))
                .collect(),
            ..Live::default()
        };
        let about = claims.about(&b, &theirs, &wanted);
        assert!(
            about.released.contains(&new.key()),
            "its owner no longer wants it"
        );
        assert!(reason(&old.key()) && !reason(&other.key()));
        // Its owner wants it as before, under the old group: then it is not to be had.
        claims.say(&a, 2, Some(Arc::new([old.key()].into())));
        claims.about(&a, &members, &[old.key()].into());
        assert!(!claims.about(&b, &theirs, &wanted).released.contains(&new.key()));
    }

    #[test]
    fn what_was_denied_before_a_restart_is_still_wanted() {
        let claims = Claims::default();
        let (a, b) = (application("a"), application("b"));
        let status = ApplicationStatus {
            attention: vec![ObjectState {
                kind: "ConfigMap".to_owned(),
                namespace: Some("shop".to_owned()),
                name: "x".to_owned(),
                state: crate::pipeline::BLOCKED.to_owned(),
                message: String::new(),
            }],
            ..ApplicationStatus::default()
        };
        claims.add(&a, "repo", None);
        claims.add(&b, "repo", Some(&status));
        let members = Live::of_members(vec![live("x", "a"), live("y", "a")], &[]);
        let about = || claims.about(&a, &members, &BTreeSet::new());
        assert!(about().unsettled.is_some_and(|why| why.contains("listed")));
        assert_eq!(claims.listed(), std::slice::from_ref(&a));
        claims.say(&a, 1, keys(&[]));
        // Its repository cannot be read.
        claims.say(&b, 1, None);
        let claimed = about();
        assert!(claimed.unsettled.is_none() && claimed.reason(&key("y")).is_none());
        assert!(claimed.reason(&key("x")).is_some());
        assert_eq!(claims.remove(&b), std::slice::from_ref(&a));
        assert!(about().reason(&key("x")).is_none());
    }

    #[test]
    fn who_owns_nothing_that_is_to_go_waits_for_nobody() {
        let (claims, members) = two();
        claims.say(&application("a"), 1, keys(&["x"]));
        let claimed = claims.about(&application("a"), &members, &keys(&["x"]).unwrap());
        assert!(claimed.unsettled.is_none());
        assert_eq!(claims.say(&application("b"), 1, keys(&[])), []);
    }
}
