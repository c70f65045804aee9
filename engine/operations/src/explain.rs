//! What the policies decide about manifests, and which of them decided it.

use jiff::Timestamp;
use sluice_model::application::Policies;
use sluice_model::census::Census;
use sluice_model::decision::{Occasion, PruneDecision, SyncDecision};
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::{PluginHost, PluginProblem, PruneContext, PruneObject, SyncContext, SyncObject};

/// Who asks, for the policies.
#[derive(Debug)]
pub struct Asker {
    /// The policies of an Application, and in which order they are asked; those that apply to all if it names none.
    pub policies: Policies,
    /// The sync options of an Application.
    pub options: Vec<String>,
    /// Which Application the policies are told of.
    pub application: ApplicationKey,
}

/// What was decided about manifests.
#[derive(Debug)]
pub struct Explained {
    /// One for each manifest, in the order of the manifests.
    pub objects: Vec<ExplainedObject>,
    /// Policies that did not answer. What they would have decided is at its cautious default.
    pub problems: Vec<PluginProblem>,
}

/// What was decided about an object.
#[derive(Debug)]
pub struct ExplainedObject {
    /// How it is synced.
    pub sync: SyncDecision,
    /// What becomes of it if Git has all others and no longer this one.
    pub prune: PruneDecision,
    /// What becomes of it if the Application is deleted.
    pub deletion: PruneDecision,
}

/// Asks the policies about manifests. No cluster is asked: the objects are taken as Git has them.
pub fn explain(host: &PluginHost, manifests: &[Manifest], asker: &Asker, now: Timestamp) -> Explained {
    let objects: Vec<SyncObject> = manifests
        .iter()
        .map(|manifest| manifest.object.clone().into())
        .collect();
    let context = SyncContext {
        now,
        application: None,
        options: asker.options.clone(),
    };
    let sync = host.sync(&asker.policies.sync, &objects, &context);
    let mut problems = sync.problems;
    let all: Census = manifests.iter().map(|manifest| &manifest.object).collect();
    let mut end = |object: &Object, occasion, desired| {
        let context = PruneContext {
            now,
            occasion,
            application: asker.application.clone(),
            owned: all.clone(),
            desired,
            options: asker.options.clone(),
        };
        // One at a time: the question is what becomes of this one if only this one goes.
        let candidate = PruneObject::from(object.clone());
        let answer = host.prune(&asker.policies.prune, &[candidate], &context);
        PluginProblem::add_new(&mut problems, answer.problems);
        answer.value.into_iter().next()
    };
    let objects = manifests
        .iter()
        .zip(sync.value)
        .filter_map(|(manifest, sync)| {
            let object = &manifest.object;
            Some(ExplainedObject {
                sync,
                prune: end(object, Occasion::Sync, all.without(object))?,
                deletion: end(object, Occasion::ApplicationDeleted, Census::default())?,
            })
        })
        .collect();
    Explained { objects, problems }
}
