//! The last preparation of each application, which holds as long as nothing changes that it follows from. So an application at
//! rest costs one look at what it has, however often something has it looked at.

use std::sync::Arc;

use sluice_model::application::ApplicationSpec;
use sluice_model::census::Census;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::PluginHost;

use crate::{Claimed, Intent, Job, Live, Pipeline, Prepared};

/// What a preparation follows from, beside the objects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grounds {
    key: ApplicationKey,
    spec: ApplicationSpec,
    synced: Option<String>,
    completed: Vec<String>,
    owned_before: Option<Census>,
    intent: Intent,
    /// The plugins that were asked.
    policies: Vec<String>,
}

impl Grounds {
    pub(crate) fn of(plugins: &PluginHost, job: &Job, intent: &Intent) -> Self {
        Self {
            key: job.key.clone(),
            spec: job.spec.clone(),
            synced: job.synced.clone(),
            completed: job.completed.clone(),
            owned_before: job.owned_before.clone(),
            intent: intent.clone(),
            policies: plugins.digests(&job.spec.policies),
        }
    }
}

/// A preparation and all that it follows from.
#[derive(Debug)]
pub(crate) struct CachedPlan {
    grounds: Grounds,
    others: Vec<Object>,
    claims: Claimed,
    manifests: Vec<Manifest>,
    prepared: Arc<Prepared>,
}

impl Pipeline {
    /// The last preparation, where it would be made the same again.
    pub(crate) fn recall(
        &self,
        grounds: &Grounds,
        manifests: &[Manifest],
        live: &Live,
    ) -> Option<Arc<Prepared>> {
        let last = self.prepared.get(&grounds.key)?;
        let holds = last.grounds == *grounds
            && last.claims == live.claims
            && last.manifests == manifests
            && (Arc::ptr_eq(&last.prepared.members, &live.members)
                || same(last.prepared.members.values(), live.members.values()))
            && same(last.others.iter(), live.others.values());
        holds.then(|| Arc::clone(&last.prepared))
    }

    /// Keeps a preparation, unless asking again may give another.
    pub(crate) fn remember(
        &self,
        grounds: Grounds,
        manifests: &[Manifest],
        live: &Live,
        prepared: &Arc<Prepared>,
    ) {
        if prepared.uses_time || !prepared.problems.is_empty() {
            return;
        }
        let recalled = CachedPlan {
            others: live.others.values().cloned().collect(),
            claims: live.claims.clone(),
            manifests: manifests.to_vec(),
            prepared: Arc::clone(prepared),
            grounds,
        };
        let key = recalled.grounds.key.clone();
        self.prepared.put(&key, Arc::new(recalled));
    }
}

/// True where the cluster has the same objects in the same state.
pub(super) fn same<'o>(
    before: impl ExactSizeIterator<Item = &'o Object>,
    now: impl ExactSizeIterator<Item = &'o Object>,
) -> bool {
    before.len() == now.len() && before.zip(now).all(|(before, now)| before.is_same_state(now))
}
