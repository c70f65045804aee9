//! What the cluster has of an application: its members, and what it is about to adopt.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use sluice_cluster::{Cluster, Kind, Kinds};
use sluice_model::application::{ApplicationStatus, ObjectState};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::manifest::Manifest;
use sluice_model::object::{GroupKind, Object, ObjectKey};
use sluice_model::plan::ApplicationKey;

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
        self.members.get(key).or(self.unsettled.as_ref())
    }
}

/// The state in [`ApplicationStatus::attention`] of what another application owns.
pub(crate) const BLOCKED: &str = "Blocked";

/// Why an object is not deleted that another application wants.
pub(crate) fn wanted_by(other: &ApplicationKey) -> String {
    format!("Application {other} wants it too, and takes it over once nobody else does")
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
    /// From what a watch or a list of members gave.
    pub fn of_members(members: Vec<Object>) -> Self {
        let members = members.into_iter().map(|object| (object.key(), object)).collect();
        Self {
            members,
            ..Self::default()
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
            let key = object.key();
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
