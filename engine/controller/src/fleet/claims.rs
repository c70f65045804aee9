//! What every Application wants, so that none deletes what another one has taken over.
//!
//! An object moves from one application to another in one direction only: the new one wants it, the old one no longer does,
//! the new one takes it over, with its identity and its data. In between it is not deleted. So before an application prunes,
//! every other one must have said what it wants: at a state of their repositories that is as new, where both follow the same ones.
//!
//! An Application that this controller looks at says so here, with all that it wants. What any other one says stands in its status
//! ([`sluice_model::claims`]): one of another controller, and each of them after a restart. Who cannot say (its manifests are
//! broken) keeps what it said last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use sluice_decide::wanted_by;
use sluice_model::Application;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::claims::may_be_one;
use sluice_model::object::{GroupKind, Object, ObjectKey};
use sluice_model::plan::ApplicationKey;
use sluice_model::revisions;
use sluice_pipeline::{Claimed, Live};

/// What all Applications want.
#[derive(Debug, Default)]
pub(crate) struct ClaimRegistry {
    all: Mutex<All>,
}

/// What revisions mean in the repositories of the Application that asks, as they were fetched: by URL and name.
pub(crate) type Meanings = BTreeMap<(String, String), String>;

/// How new repositories were, by URL.
pub(crate) type Versions = BTreeMap<String, u64>;

/// A repository that an Application follows.
#[derive(Debug, Clone, PartialEq)]
struct Followed {
    /// The name of its source; empty for one that is alone.
    source: String,
    repository: String,
    /// The name of the revision there.
    revision: String,
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
    follows: Vec<Followed>,
    /// What its status says; none if that is about another spec, or if there is nothing.
    published: Option<sluice_model::claims::Claims>,
    /// How new its repositories were when it said so in this process; none if it has said nothing yet.
    versions: Option<Versions>,
    /// None if that was never known in this process.
    objects: Option<Arc<BTreeSet<ObjectKey>>>,
    /// The kinds of those, each once.
    kinds: Vec<GroupKind>,
    /// What the cluster has of those, by which a wanted object is known under another key too; none if that was not looked at.
    live: Option<Known>,
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
    /// Returns true if it wants the object, under this key or another: the server has some objects in two API groups, and tells them
    /// by their identity. If that is not known, what has the same kind, namespace and name may be the same.
    fn wants(&self, key: &ObjectKey, object: &Object) -> bool {
        let Some(objects) = &self.objects else {
            let published = self.published.as_ref();
            return published.is_some_and(|published| published.want(key, object.metadata("uid")));
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

    /// Returns true if it owns the object and no longer wants it.
    fn releases(&self, key: &ObjectKey, object: &Object) -> bool {
        match &self.objects {
            Some(_) => !self.wants(key, object),
            None => self
                .published
                .as_ref()
                .is_some_and(|published| published.release(key, object.metadata("uid"))),
        }
    }

    /// The repositories that `own` follows too.
    fn shared_with<'a>(&'a self, own: &'a Self) -> impl Iterator<Item = &'a Followed> {
        let shares = |one: &&Followed| own.follows.iter().any(|other| other.repository == one.repository);
        self.follows.iter().filter(shares)
    }

    /// Returns true if what it said is about a state of the repositories that is as new as that of `own`, which follows some of them too.
    fn is_as_new(&self, own: &Self, meanings: &Meanings, fetched: &str) -> bool {
        let mut shared = self.shared_with(own);
        match (&self.versions, &self.published) {
            (Some(versions), _) => {
                let Some(own) = &own.versions else { return true };
                shared.all(|one| versions.get(&one.repository) >= own.get(&one.repository))
            }
            (None, None) => false,
            (None, Some(published)) => {
                let could_not_tell = published.unknown_at.as_deref().is_some_and(|at| at >= fetched);
                let said = |source: &str| revisions::of(&published.revision, source);
                let means = |one: &Followed| {
                    let meaning = meanings.get(&(one.repository.clone(), one.revision.clone()));
                    meaning.is_some() && meaning.map(String::as_str) == said(&one.source)
                };
                could_not_tell || shared.all(means)
            }
        }
    }
}

impl ClaimRegistry {
    /// An Application is there, or was changed. Returns whom that may concern.
    pub(crate) fn add(&self, key: &ApplicationKey, application: &Application) -> Vec<ApplicationKey> {
        let spec = &application.spec;
        let mut all = self.lock();
        let wants = all.applications.entry(key.clone()).or_insert_with(|| Wants {
            id: applyset::id(&key.namespace, &key.name),
            ..Wants::default()
        });
        let status = application.status.as_ref();
        // What it said of another spec says nothing of this one.
        let status = status.filter(|status| status.observed_generation == application.metadata.generation);
        let published = status.and_then(|status| status.claims.clone());
        let news = published != wants.published && wants.versions.is_none();
        wants.published = published;
        let pin = spec.pin.as_ref().map(|pin| pin.revision.as_str());
        let follows = spec.named_sources().map(|(name, source)| {
            let pinned = pin.and_then(|pin| revisions::of(pin, &name));
            Followed {
                repository: source.repo_url.clone(),
                revision: pinned.unwrap_or(&source.target_revision).to_owned(),
                source: name,
            }
        });
        let follows: Vec<Followed> = follows.collect();
        let repositories = |follows: &[Followed]| -> BTreeSet<String> {
            follows.iter().map(|one| one.repository.clone()).collect()
        };
        if repositories(&wants.follows) != repositories(&follows) {
            // It is about to say something new.
            wants.versions = None;
        }
        wants.follows = follows;
        match news {
            true => std::mem::take(&mut all.waiting)
                .into_iter()
                .filter(|waiting| waiting != key)
                .collect(),
            false => Vec::new(),
        }
    }

    /// Returns the names of revisions whose meaning has to be known before an Application can tell whether others of the same
    /// repositories have said what they want of them: of those that have said nothing in this process. Each with its repository.
    pub(crate) fn unknown_revisions(&self, key: &ApplicationKey) -> BTreeSet<(String, String)> {
        let all = self.lock();
        let Some(own) = all.applications.get(key) else {
            return BTreeSet::new();
        };
        let others = all.applications.iter();
        let silent = others.filter(|(other, wants)| *other != key && wants.versions.is_none());
        let shared = silent.flat_map(|(_, wants)| wants.shared_with(own));
        shared
            .map(|one| (one.repository.clone(), one.revision.clone()))
            .collect()
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

    /// An application says what it wants, at versions of its repositories; nothing new where it cannot tell. Returns whom
    /// that may concern.
    pub(crate) fn say(
        &self,
        key: &ApplicationKey,
        versions: Versions,
        objects: Option<Arc<BTreeSet<ObjectKey>>>,
    ) -> Vec<ApplicationKey> {
        let mut all = self.lock();
        let Some(wants) = all.applications.get_mut(key) else {
            return Vec::new();
        };
        let newer = wants.versions.as_ref() != Some(&versions);
        let other = objects.is_some() && objects != wants.objects;
        wants.versions = Some(versions);
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
            .filter(|waiting| *waiting != key && (other || all.may_settle(waiting)))
            .cloned()
            .collect();
        all.waiting.retain(|waiting| !ready.contains(waiting));
        ready
    }

    /// What others want of what an application has, and what they let go of what it wants.
    /// `meanings` are what [`ClaimRegistry::unknown_revisions`] mean where it looked, and `fetched` is when that was fetched, RFC 3339.
    pub(crate) fn about(
        &self,
        key: &ApplicationKey,
        live: &Live,
        desired: &BTreeSet<ObjectKey>,
        meanings: &Meanings,
        fetched: &str,
    ) -> Claimed {
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
        claimed.unsettled = all.unsettled(key, meanings, fetched).filter(|_| prunes);
        let mut denied = false;
        for (object, live) in &live.others {
            let Some(owner) = live.label(PART_OF_LABEL) else {
                continue;
            };
            denied = true;
            let owner = all.applications.values().find(|wants| wants.id == owner);
            let lets_go = owner.is_some_and(|owner| owner.releases(object, live));
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
    /// Returns true if all whom an application may wait for have spoken, as far as that can be told without its repository.
    fn may_settle(&self, key: &ApplicationKey) -> bool {
        let Some(own) = self.applications.get(key).filter(|_| self.listed) else {
            return false;
        };
        let mut others = self.applications.iter().filter(|(other, _)| *other != key);
        others.all(|(_, wants)| match wants.versions {
            Some(_) => wants.is_as_new(own, &Meanings::new(), ""),
            None => wants.published.is_some(),
        })
    }

    /// Returns why an application cannot know yet what others want, if it cannot.
    fn unsettled(&self, key: &ApplicationKey, meanings: &Meanings, fetched: &str) -> Option<String> {
        if !self.listed {
            return Some("the Applications of the cluster are still being listed".to_owned());
        }
        let own = self.applications.get(key)?;
        let mut others = self.applications.iter().filter(|(other, _)| *other != key);
        let late = others.find(|(_, wants)| !wants.is_as_new(own, meanings, fetched));
        late.map(|(other, _)| format!("what Application {other} wants is not known yet"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::claims::{ClaimedObject, Claims as Published};

    fn application(name: &str) -> ApplicationKey {
        ApplicationKey {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    /// An Application of a repository, with what its status claims.
    fn with(repository: &str, claims: Option<Published>) -> Application {
        let status = claims.map(|claims| json!({"observedGeneration": 1, "claims": claims}));
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"name": "x", "generation": 1},
            "spec": {"source": {"repoURL": repository, "targetRevision": "main"}}, "status": status,
        }))
        .unwrap()
    }

    fn at(version: u64) -> Versions {
        Versions::from([("repo".to_owned(), version)])
    }

    fn asked(
        claims: &ClaimRegistry,
        key: &ApplicationKey,
        live: &Live,
        desired: &BTreeSet<ObjectKey>,
    ) -> Claimed {
        let meanings = Meanings::from([(("repo".to_owned(), "main".to_owned()), "c2".to_owned())]);
        claims.about(key, live, desired, &meanings, "2026-09-21T00:00:00Z")
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
    fn two() -> (ClaimRegistry, Live) {
        let claims = ClaimRegistry::default();
        claims.add(&application("a"), &with("repo", None));
        claims.add(&application("b"), &with("repo", None));
        claims.listed();
        (claims, Live::of_members(vec![live("x", "a")], &[]))
    }

    #[test]
    fn nothing_is_pruned_before_everybody_has_spoken_about_the_same_commit() {
        let (claims, members) = two();
        claims.say(&application("a"), at(1), keys(&[]));
        let about = || asked(&claims, &application("a"), &members, &BTreeSet::new());
        assert!(about().unsettled.is_some_and(|why| why.contains("shop/b")));
        assert_eq!(
            claims.say(&application("b"), at(1), keys(&[])),
            [application("a")],
            "who waited is told"
        );
        assert!(about().unsettled.is_none() && about().members.is_empty());
        // A newer state of the repository, which the other one has not seen.
        claims.say(&application("a"), at(2), keys(&[]));
        assert!(about().unsettled.is_some());
        // It has seen it and cannot tell: what it wanted before still counts.
        claims.say(&application("b"), at(2), None);
        assert!(about().unsettled.is_none());
        // Of another repository: as new as it ever was.
        claims.add(&application("c"), &with("other", None));
        assert!(about().unsettled.is_some_and(|why| why.contains("shop/c")));
        claims.say(&application("c"), at(0), None);
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
        claims.say(&a, at(1), keys(&["x"]));
        claims.say(&b, at(1), keys(&["x"]));
        let wanted = keys(&["x"]).unwrap();
        assert!(
            asked(&claims, &b, &theirs, &wanted).released.is_empty(),
            "its owner still wants it"
        );
        assert_eq!(
            claims.say(&a, at(2), keys(&[])),
            std::slice::from_ref(&b),
            "who waits for it is told"
        );
        claims.say(&b, at(2), keys(&["x"]));
        let kept = asked(&claims, &a, &members, &BTreeSet::new());
        assert!(kept.reason(&key("x")).is_some_and(|why| why.contains("shop/b")));
        assert_eq!(asked(&claims, &b, &theirs, &wanted).released, *wanted);
        // No other one wants it any more.
        claims.say(&b, at(2), keys(&[]));
        assert_eq!(
            asked(&claims, &a, &members, &BTreeSet::new()).reason(&key("x")),
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
        claims.say(&a, at(1), Some(Arc::default()));
        let wanted = BTreeSet::from([new.key(), event("events.k8s.io/v1", "y", "").key()]);
        claims.say(&b, at(1), Some(Arc::new(wanted.clone())));
        let reason = |key: &ObjectKey| {
            asked(&claims, &a, &members, &BTreeSet::new())
                .reason(key)
                .is_some()
        };
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
        let about = asked(&claims, &b, &theirs, &wanted);
        assert!(
            about.released.contains(&new.key()),
            "its owner no longer wants it"
        );
        assert!(reason(&old.key()) && !reason(&other.key()));
        // Its owner wants it as before, under the old group: then it is not to be had.
        claims.say(&a, at(2), Some(Arc::new([old.key()].into())));
        asked(&claims, &a, &members, &[old.key()].into());
        assert!(!asked(&claims, &b, &theirs, &wanted).released.contains(&new.key()));
    }

    #[test]
    fn what_was_denied_before_a_restart_is_still_wanted() {
        let claims = ClaimRegistry::default();
        let (a, b) = (application("a"), application("b"));
        let published = Published {
            revision: "c1".to_owned(),
            wanted: vec![claimed("x")],
            ..Published::default()
        };
        claims.add(&a, &with("repo", None));
        claims.add(&b, &with("repo", Some(published)));
        let members = Live::of_members(vec![live("x", "a"), live("y", "a")], &[]);
        let about = || asked(&claims, &a, &members, &BTreeSet::new());
        assert!(about().unsettled.is_some_and(|why| why.contains("listed")));
        assert_eq!(claims.listed(), std::slice::from_ref(&a));
        claims.say(&a, at(1), keys(&[]));
        // Its repository cannot be read.
        claims.say(&b, at(1), None);
        let claimed = about();
        assert!(claimed.unsettled.is_none() && claimed.reason(&key("y")).is_none());
        assert!(claimed.reason(&key("x")).is_some());
        assert_eq!(claims.remove(&b), std::slice::from_ref(&a));
        assert!(about().reason(&key("x")).is_none());
    }

    fn claimed(name: &str) -> ClaimedObject {
        ClaimedObject {
            kind: "ConfigMap".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            ..ClaimedObject::default()
        }
    }

    /// Applications of other controllers never speak in this process: their statuses do.
    #[test]
    fn what_another_controller_looks_at_is_known_from_its_status() {
        let (a, b) = (application("a"), application("b"));
        let at = |revision: &str, unknown_at: Option<&str>| Published {
            revision: revision.to_owned(),
            unknown_at: unknown_at.map(str::to_owned),
            wanted: vec![claimed("x")],
            ..Published::default()
        };
        let members = Live::of_members(vec![live("x", "a"), live("y", "a")], &[]);
        let cases = [
            ("as new", with("repo", Some(at("c2", None))), true),
            ("older", with("repo", Some(at("c1", None))), false),
            ("of another repository", with("other", Some(at("c1", None))), true),
            ("says nothing", with("repo", None), false),
            (
                "cannot tell since then",
                with("repo", Some(at("c1", Some("2026-09-21T00:00:00Z")))),
                true,
            ),
            (
                "could not tell before",
                with("repo", Some(at("c1", Some("2026-09-20T00:00:00Z")))),
                false,
            ),
        ];
        for (case, other, settled) in cases {
            let claims = ClaimRegistry::default();
            claims.add(&a, &with("repo", None));
            claims.add(&b, &other);
            claims.listed();
            claims.say(&a, super::tests::at(7), keys(&[]));
            let found = asked(&claims, &a, &members, &BTreeSet::new());
            assert_eq!(found.unsettled.is_none(), settled, "{case}");
            let said = other.status.is_some();
            assert_eq!(found.members.contains_key(&key("x")), said, "{case}");
            assert!(!found.members.contains_key(&key("y")), "{case}");
        }
        // What it says of another spec says nothing.
        let claims = ClaimRegistry::default();
        let mut stale = with("repo", Some(at("c2", None)));
        stale.metadata.generation = Some(2);
        claims.add(&a, &with("repo", None));
        claims.add(&b, &stale);
        claims.listed();
        claims.say(&a, super::tests::at(7), keys(&[]));
        assert!(asked(&claims, &a, &members, &BTreeSet::new()).unsettled.is_some());
        // As soon as it is up to date, the one that waited is told.
        assert_eq!(
            claims.add(&b, &with("repo", Some(at("c2", None)))),
            std::slice::from_ref(&a)
        );
        assert_eq!(
            claims.unknown_revisions(&a),
            BTreeSet::from([("repo".to_owned(), "main".to_owned())])
        );
    }

    #[test]
    fn what_another_controller_lets_go_may_be_taken_over() {
        let (a, b) = (application("a"), application("b"));
        let mut x = live("x", "b");
        x = x.edit(|map| map["metadata"]["uid"] = "1".into());
        let theirs = Live {
            others: [(key("x"), x)].into(),
            ..Live::default()
        };
        let wanted = keys(&["x"]).unwrap();
        for (uid, released) in [(Some("1"), true), (Some("2"), false), (None, false)] {
            let claims = ClaimRegistry::default();
            let lets_go = Published {
                released: vec![ClaimedObject {
                    uid: uid.map(str::to_owned),
                    ..claimed("x")
                }],
                ..Published::default()
            };
            claims.add(&a, &with("repo", None));
            claims.add(&b, &with("repo", Some(lets_go)));
            claims.listed();
            claims.say(&a, at(1), keys(&["x"]));
            let found = asked(&claims, &a, &theirs, &wanted);
            assert_eq!(found.released.contains(&key("x")), released, "{uid:?}");
        }
    }

    #[test]
    fn who_owns_nothing_that_is_to_go_waits_for_nobody() {
        let (claims, members) = two();
        claims.say(&application("a"), at(1), keys(&["x"]));
        let claimed = asked(&claims, &application("a"), &members, &keys(&["x"]).unwrap());
        assert!(claimed.unsettled.is_none());
        assert_eq!(claims.say(&application("b"), at(1), keys(&[])), []);
    }
}
