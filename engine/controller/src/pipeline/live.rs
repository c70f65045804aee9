//! What the cluster has of an application: its members, and what it is about to adopt.

use std::cell::LazyCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use sluice_apply::Members;
use sluice_cluster::{Cluster, ClusterError, Kind, Kinds};
use sluice_model::application::{ApplicationStatus, ObjectState};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::manifest::Manifest;
use sluice_model::object::{GroupKind, Object, ObjectKey};
use sluice_model::plan::ApplicationKey;

use crate::error::PipelineError;
use crate::pipeline::recall::same;
use crate::pipeline::{Job, Pipeline};

/// So many single requests at once.
const PARALLEL: usize = 24;
/// From so many missing objects of one kind in one place on, their names are listed instead of asked for one by one.
const LIST_FROM: usize = 4;

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
    /// What others want as far as their statuses say so: for commands, which know nothing else of them.
    pub fn said<'a>(others: impl Iterator<Item = (ApplicationKey, &'a ApplicationStatus)>) -> Self {
        let mut members = BTreeMap::new();
        for (other, status) in others {
            for object in denied(status) {
                members.entry(object).or_insert_with(|| wanted_by(&other));
            }
        }
        Self {
            members,
            ..Self::default()
        }
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
pub(crate) const BLOCKED: &str = "Blocked";

/// Why an object is not deleted that another application wants.
pub(crate) fn wanted_by(other: &ApplicationKey) -> String {
    format!("Application {other} wants it too, and takes it over once nobody else does")
}

/// True for two keys that may mean one object, which the server has in two API groups. Only its identity tells for certain.
pub(crate) fn may_be_one(a: &ObjectKey, b: &ObjectKey) -> bool {
    a.group_kind.kind == b.group_kind.kind && (&a.namespace, &a.name) == (&b.namespace, &b.name)
}

/// What an Application wants and cannot have, as its status says.
pub(crate) fn denied(status: &ApplicationStatus) -> BTreeSet<ObjectKey> {
    let blocked = status.attention.iter().filter(|object| object.state == BLOCKED);
    let key = |object: &ObjectState| {
        let (kind, group) = object.kind.split_once('.').unwrap_or((&object.kind, ""));
        ObjectKey {
            group_kind: GroupKind::new(group, kind),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }
    };
    blocked.map(key).collect()
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
    fn without_aliases(&mut self, manifests: &[Manifest]) {
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

/// What was found of an application where all that its manifests say is among its members.
#[derive(Debug)]
pub(crate) struct Complete {
    found: Vec<Object>,
    manifests: Vec<Manifest>,
    members: Arc<BTreeMap<ObjectKey, Object>>,
}

impl Complete {
    fn is_of(&self, found: &[Object], manifests: &[Manifest]) -> bool {
        same(self.found.iter(), found.iter()) && self.manifests == manifests
    }
}

impl Pipeline {
    /// The kinds whose live objects matter: those desired, at each version they are written in, and those of earlier members.
    ///
    /// # Errors
    /// [`ClusterError::GroupDown`] where there may be members of a kind that cannot be looked at now.
    pub async fn kinds(&self, job: &Job, manifests: &[Manifest]) -> Result<Vec<Kind>, PipelineError> {
        let hidden = |kinds: &Kinds| {
            unserved(kinds, job)
                .find(|kind| kinds.is_down(&kind.group))
                .cloned()
        };
        let mut kinds = self.cluster.kinds().await?;
        if hidden(&kinds).is_some() {
            kinds = self.cluster.refresh_kinds().await?;
        }
        match hidden(&kinds) {
            Some(GroupKind { group, .. }) => Err(ClusterError::GroupDown { group }.into()),
            None => Ok(relevant(&kinds, job, manifests)),
        }
    }

    /// True where an application may have objects of a kind that the cluster is not known to serve.
    pub(crate) fn misses_kinds(&self, job: &Job) -> bool {
        unserved(&self.cluster.known_kinds(), job).next().is_some()
    }

    /// What is recorded of members that nobody can look at now, since the cluster serves their kinds no longer, or not yet again.
    pub(super) fn out_of_sight(&self, job: &Job) -> Members {
        let kinds: BTreeSet<GroupKind> = unserved(&self.cluster.known_kinds(), job).cloned().collect();
        match kinds.is_empty() {
            true => Members::default(),
            false => Members {
                kinds,
                namespaces: job.recorded.namespaces.clone(),
            },
        }
    }

    /// Asks the cluster for everything: for commands, which have no watches.
    pub async fn ask_live(&self, job: &Job, manifests: &[Manifest]) -> Result<Live, PipelineError> {
        let kinds = self.kinds(job, manifests).await?;
        let selector = format!("{PART_OF_LABEL}={}", job.applyset());
        let cluster = self.cluster_of(job)?;
        let lists: Vec<_> = kinds
            .iter()
            .flat_map(|kind| self.bounds.places(kind))
            .map(|(kind, namespace)| cluster.list(kind, namespace, &selector))
            .collect();
        let lists: Vec<Vec<Object>> = futures::stream::iter(lists)
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let members = lists
            .into_iter()
            .flatten()
            .filter(|object| applyset::owner(object).is_some());
        let members = members.map(sluice_observe::lean).collect();
        self.live(job, members, manifests).await
    }

    /// What watches or lists gave, with the desired objects that exist without being known as members. Asks for nothing where all of
    /// them are, and where that was so before, with the same objects in the same state, finds nothing out again.
    pub async fn live(
        &self,
        job: &Job,
        found: Vec<Object>,
        manifests: &[Manifest],
    ) -> Result<Live, PipelineError> {
        let known = self.complete.get(&job.key);
        if let Some(complete) = known.filter(|complete| complete.is_of(&found, manifests)) {
            return Ok(Live {
                members: Arc::clone(&complete.members),
                ..Live::default()
            });
        }
        let mut live = Live::of_members(found.clone(), manifests);
        let cluster = self.cluster_of(job)?;
        let kinds = self.cluster.kinds().await?;
        let missing = missing(&kinds, &live, manifests);
        live.without_aliases(manifests);
        // Of a kind that is not served nothing could be missing.
        if missing.is_empty() && manifests.iter().all(|manifest| kinds.has(&manifest.object)) {
            let complete = Complete {
                found,
                manifests: manifests.to_vec(),
                members: Arc::clone(&live.members),
            };
            self.complete.put(&job.key, Arc::new(complete));
            return Ok(live);
        }
        drop(self.complete.take(&job.key));
        let looks: Vec<_> = missing
            .into_iter()
            .map(|(kind, objects)| look(&cluster, kind, objects))
            .collect();
        let found: Vec<Vec<Object>> = futures::stream::iter(looks)
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let set = job.applyset();
        let members = Arc::make_mut(&mut live.members);
        for object in found.into_iter().flatten() {
            let (key, object) = (object.key(), sluice_observe::lean(object));
            // Of one that is known at another version than the one it is written in: the latter is what is compared.
            members.remove(&key);
            let place = match applyset::owner(&object) == Some(set.as_str()) {
                true => &mut *members,
                false => &mut live.others,
            };
            place.insert(key, object);
        }
        live.without_aliases(manifests);
        Ok(live)
    }
}

fn unserved<'a>(kinds: &'a Kinds, job: &'a Job) -> impl Iterator<Item = &'a GroupKind> {
    let recorded = job.recorded.kinds.iter();
    recorded.filter(|kind| kinds.preferred(kind).is_none())
}

fn relevant(kinds: &Kinds, job: &Job, manifests: &[Manifest]) -> Vec<Kind> {
    let objects = manifests.iter().map(|manifest| &manifest.object);
    let written: BTreeSet<(&str, &str)> = objects
        .map(|object| (object.api_version(), object.kind()))
        .collect();
    let mut chosen: BTreeMap<GroupKind, BTreeMap<&str, &Kind>> = BTreeMap::new();
    for (api_version, kind) in written {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if let Some(kind) = kinds.find(group, version, kind) {
            let versions = chosen.entry(kind.group_kind()).or_default();
            versions.insert(&kind.version, kind);
        }
    }
    for group_kind in &job.recorded.kinds {
        if !chosen.contains_key(group_kind)
            && let Some(kind) = kinds.preferred(group_kind)
        {
            chosen.insert(group_kind.clone(), [(kind.version.as_str(), kind)].into());
        }
    }
    let chosen = chosen.into_values().flat_map(BTreeMap::into_values);
    // Empty verbs: an old server that does not say.
    chosen
        .filter(|kind| kind.verbs.is_empty() || kind.can("list"))
        .cloned()
        .collect()
}

/// The desired objects that are no members at the version they are written in, by kind and namespace.
fn missing<'a>(kinds: &Kinds, live: &Live, manifests: &'a [Manifest]) -> Vec<(Kind, Vec<&'a Object>)> {
    let mut places: BTreeMap<String, (Kind, Vec<&Object>)> = BTreeMap::new();
    for Manifest { object, .. } in manifests {
        let member = live.members.get(&object.key());
        if object.name().is_empty()
            || member.is_some_and(|member| member.api_version() == object.api_version())
        {
            continue;
        }
        let Some(kind) = kinds.find(object.group(), object.version(), object.kind()) else {
            continue;
        };
        let place = kind.path(object.namespace());
        places
            .entry(place)
            .or_insert_with(|| (kind.clone(), Vec::new()))
            .1
            .push(object);
    }
    places.into_values().collect()
}

async fn look(cluster: &Cluster, kind: Kind, objects: Vec<&Object>) -> Result<Vec<Object>, PipelineError> {
    let namespace = objects.first().and_then(|object| object.namespace());
    let existing: Option<BTreeSet<String>> = match objects.len() >= LIST_FROM && kind.can("list") {
        true => Some(cluster.names(&kind, namespace).await?),
        false => None,
    };
    let wanted = objects.into_iter().filter(|object| {
        existing
            .as_ref()
            .is_none_or(|names| names.contains(object.name()))
    });
    let references: Vec<_> = wanted.map(Object::reference).collect();
    let answers: Vec<_> = references
        .iter()
        .map(|reference| cluster.get(&kind, reference))
        .collect();
    let found: Vec<Option<Object>> = futures::stream::iter(answers)
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
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

    #[test]
    fn what_was_complete_is_so_for_the_same_objects_alone() {
        let found = vec![lock("e.com/v1", "a"), lock("e.com/v1", "b")];
        let manifests = vec![manifest(lock("e.com/v1", "a")), manifest(lock("e.com/v1", "b"))];
        let complete = Complete {
            members: Live::of_members(found.clone(), &manifests).members,
            found: found.clone(),
            manifests: manifests.clone(),
        };
        assert!(complete.is_of(&found, &manifests));
        assert!(!complete.is_of(&found[1..], &manifests));
        assert!(!complete.is_of(&found, &manifests[1..]));
        // The same content again is another state of the object.
        assert!(!complete.is_of(&[found[0].clone(), lock("e.com/v1", "b")], &manifests));
        let other = [manifests[0].clone(), manifest(lock("e.com/v1", "c"))];
        assert!(!complete.is_of(&found, &other));
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
