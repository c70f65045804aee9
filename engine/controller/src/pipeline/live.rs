//! What the cluster has of an application: its members, and what it is about to adopt.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use sluice_cluster::{Cluster, Kind, Kinds};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};

use crate::error::PipelineError;
use crate::pipeline::{Job, Pipeline};

/// So many single requests at once.
const PARALLEL: usize = 24;
/// From so many missing objects of one kind in one place on, their names are listed instead of asked for one by one.
const LIST_FROM: usize = 4;

/// What the cluster has of an application.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// By key: everything that carries the application's id.
    pub members: BTreeMap<ObjectKey, Object>,
    /// Desired objects that exist without it.
    pub others: BTreeMap<ObjectKey, Object>,
}

impl Live {
    /// From what a watch or a list of members gave.
    pub fn of_members(members: Vec<Object>) -> Self {
        let members = members
            .into_iter()
            .map(|object| (object.reference().key(), object))
            .collect();
        Self {
            members,
            others: BTreeMap::new(),
        }
    }

    /// The live object of a key.
    pub fn find(&self, key: &ObjectKey) -> Option<&Object> {
        self.members.get(key).or_else(|| self.others.get(key))
    }
}

impl Pipeline {
    /// The kinds whose live objects matter: those desired, at the version they are written in, and those of earlier members.
    pub async fn kinds(&self, job: &Job, manifests: &[Manifest]) -> Result<Vec<Kind>, PipelineError> {
        let kinds = self.cluster.kinds().await?;
        Ok(relevant(&kinds, job, manifests))
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
        let members = lists.into_iter().flatten().map(sluice_observe::lean).collect();
        self.with_others(job, Live::of_members(members), manifests).await
    }

    /// Adds the desired objects that exist without being members. Asks for nothing where all of them are.
    pub async fn with_others(
        &self,
        job: &Job,
        mut live: Live,
        manifests: &[Manifest],
    ) -> Result<Live, PipelineError> {
        let cluster = self.cluster_of(job)?;
        let kinds = self.cluster.kinds().await?;
        let missing = missing(&kinds, &live, manifests);
        let looks: Vec<_> = missing
            .into_iter()
            .map(|(kind, objects)| look(&cluster, kind, objects))
            .collect();
        let found: Vec<Vec<Object>> = futures::stream::iter(looks)
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        for object in found.into_iter().flatten() {
            let key = object.reference().key();
            // A member at another version than the one it is written in: compared in the latter.
            live.members.remove(&key);
            live.others.insert(key, sluice_observe::lean(object));
        }
        Ok(live)
    }
}

fn relevant(kinds: &Kinds, job: &Job, manifests: &[Manifest]) -> Vec<Kind> {
    let mut chosen: BTreeMap<(String, String), Kind> = BTreeMap::new();
    for Manifest { object, .. } in manifests {
        if let Some(kind) = kinds.find(object.group(), object.version(), object.kind()) {
            chosen
                .entry((kind.group.clone(), kind.kind.clone()))
                .or_insert_with(|| kind.clone());
        }
    }
    for group_kind in &job.recorded.kinds {
        if let Some(kind) = kinds.preferred(group_kind) {
            chosen
                .entry((kind.group.clone(), kind.kind.clone()))
                .or_insert_with(|| kind.clone());
        }
    }
    // Empty verbs: an old server that does not say.
    chosen
        .into_values()
        .filter(|kind| kind.verbs.is_empty() || kind.can("list"))
        .collect()
}

/// The desired objects that are no members at the version they are written in, by kind and namespace.
fn missing<'a>(kinds: &Kinds, live: &Live, manifests: &'a [Manifest]) -> Vec<(Kind, Vec<&'a Object>)> {
    let mut places: BTreeMap<String, (Kind, Vec<&Object>)> = BTreeMap::new();
    for Manifest { object, .. } in manifests {
        let member = live.members.get(&object.reference().key());
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
