//! What the cluster has of an application: its members, and what it is about to adopt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use sluice_apply::Members;
use sluice_cluster::{ClusterError, Kind, Kinds, Target};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::manifest::Manifest;
use sluice_model::object::{GroupKind, Object, ObjectKey};

use crate::error::PipelineError;
use crate::plan_cache::same;
use crate::{Job, Live, Pipeline};

const RBAC: &str = "rbac.authorization.k8s.io";
/// So many single requests at once.
const PARALLEL: usize = 24;
/// From so many missing objects of one kind in one place on, their names are listed instead of asked for one by one.
const LIST_FROM: usize = 4;

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
    /// Returns the kinds whose live objects matter: those desired, at each version they are written in, and those of earlier members.
    ///
    /// # Errors
    /// [`ClusterError::GroupDown`] if there may be members of a kind that cannot be looked at now.
    pub async fn kinds(&self, job: &Job, manifests: &[Manifest]) -> Result<Vec<Kind>, PipelineError> {
        let hidden = |kinds: &Kinds| {
            unserved(kinds, job)
                .find(|kind| kinds.is_down(&kind.group))
                .cloned()
        };
        let mut kinds = self.target.kinds().await?;
        if hidden(&kinds).is_some() {
            kinds = self.target.refresh_kinds().await?;
        }
        match hidden(&kinds) {
            Some(GroupKind { group, .. }) => Err(ClusterError::GroupDown { group }.into()),
            None => Ok(relevant(&kinds, job, manifests)),
        }
    }

    /// Returns true if the application may have objects of a kind that the cluster is not known to serve.
    pub fn misses_kinds(&self, job: &Job) -> bool {
        unserved(&self.target.known_kinds(), job).next().is_some()
    }

    /// What is recorded of members that cannot be looked at now, since the cluster serves their kinds no longer, or not yet again.
    pub(super) fn out_of_sight(&self, job: &Job) -> Members {
        let kinds: BTreeSet<GroupKind> = unserved(&self.target.known_kinds(), job).cloned().collect();
        match kinds.is_empty() {
            true => Members::default(),
            false => Members {
                kinds,
                namespaces: job.recorded.namespaces.clone(),
            },
        }
    }

    /// Returns what the cluster has of the application, asking it for everything: for commands, which have no watches.
    ///
    /// # Errors
    /// [`PipelineError::Cluster`] if the cluster refuses or cannot be reached.
    pub async fn ask_live(&self, job: &Job, manifests: &[Manifest]) -> Result<Live, PipelineError> {
        let kinds = self.kinds(job, manifests).await?;
        let selector = format!("{PART_OF_LABEL}={}", job.applyset());
        let cluster = self.target_of(job);
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

    /// Returns what watches or lists `found`, with the desired objects that exist without being known as members. Asks for nothing if
    /// all of them are known, and finds nothing out again if that was so before, with the same objects in the same state.
    ///
    /// # Errors
    /// [`PipelineError::Cluster`] if the cluster refuses or cannot be reached.
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
        let cluster = self.target_of(job);
        let kinds = self.target.kinds().await?;
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
        // The right to see them may come with this very commit. Where it does not, the rehearsal is refused; where one of them is there
        // after all, it finds that, and the plan is made anew.
        let may_come = manifests.iter().any(|manifest| manifest.object.group() == RBAC);
        let looks: Vec<_> = missing
            .into_iter()
            .map(|(kind, objects)| {
                let look = look(&cluster, kind, objects);
                look.map(|found| match found {
                    Err(ClusterError::Forbidden { .. }) if may_come => Ok(Vec::new()),
                    found => found,
                })
            })
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

async fn look(cluster: &Target, kind: Kind, objects: Vec<&Object>) -> Result<Vec<Object>, ClusterError> {
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
}
