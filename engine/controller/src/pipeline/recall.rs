//! The last preparation of each application, which holds as long as nothing changes that it follows from. So an application at
//! rest costs one look at what it has, however often something has it looked at.

use std::sync::Arc;

use sluice_model::application::ApplicationSpec;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::PluginHost;

use crate::pipeline::{Claimed, Intent, Job, Live, Pipeline, Prepared};

/// What a preparation follows from, beside the objects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grounds {
    key: ApplicationKey,
    spec: ApplicationSpec,
    synced: Option<String>,
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
            intent: intent.clone(),
            policies: plugins.digests(&job.spec.policies),
        }
    }
}

/// A preparation and all that it follows from.
#[derive(Debug)]
pub(crate) struct Recalled {
    grounds: Grounds,
    others: Vec<Object>,
    claims: Claimed,
    manifests: Vec<Object>,
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
            && same(
                last.manifests.iter(),
                manifests.iter().map(|manifest| &manifest.object),
                |a, b| a.is_same_state(b) || a == b,
            )
            && same(last.prepared.objects.iter(), manifests.iter(), |a, b| {
                a.origin == b.origin
            })
            && same(
                last.prepared.members.iter(),
                live.members.values(),
                Object::is_same_state,
            )
            && same(last.others.iter(), live.others.values(), Object::is_same_state);
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
        let recalled = Recalled {
            others: live.others.values().cloned().collect(),
            claims: live.claims.clone(),
            manifests: manifests.iter().map(|manifest| manifest.object.clone()).collect(),
            prepared: Arc::clone(prepared),
            grounds,
        };
        let key = recalled.grounds.key.clone();
        self.prepared.put(&key, Arc::new(recalled));
    }
}

fn same<A, B>(
    a: impl ExactSizeIterator<Item = A>,
    b: impl ExactSizeIterator<Item = B>,
    same: impl Fn(A, B) -> bool,
) -> bool {
    a.len() == b.len() && a.zip(b).all(|(a, b)| same(a, b))
}
