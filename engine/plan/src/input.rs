//! What a plan is made of.

use sluice_model::decision::{Occasion, PruneDecision, SyncDecision};
use sluice_model::difference::Difference;
use sluice_model::manager::Manager;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_model::plan::{ApplicationKey, Rerecord};
use sluice_model::selection::Selector;

/// Everything that was found out and decided about one application at one revision.
#[derive(Debug, Clone)]
pub struct PlanInput {
    /// Whose plan it is; the ApplySet's id follows from it.
    pub application: ApplicationKey,
    /// The commit, full object id. Empty where the application is being deleted.
    pub revision: String,
    /// Where namespaced objects without a namespace went.
    pub destination_namespace: String,
    /// The policies that were asked, `name@sha256:…`, in any order.
    pub policies: Vec<String>,
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// Every settled manifest, in any order.
    pub desired: Vec<DesiredObject>,
    /// Every live object with the application's ApplySet id, in any order. Those that are desired are left alone,
    /// so the caller need not sort them out.
    pub candidates: Vec<PruneCandidate>,
    /// The destination namespace, where the application is to see to it.
    pub namespace: Option<DestinationNamespace>,
    /// Which objects the operation is about; everything where empty. What is not meant is neither applied nor deleted, and
    /// what stands in its way does not matter.
    pub selection: Vec<Selector>,
    /// What the operation may do.
    pub options: Options,
}

/// The namespace that objects without one go to.
#[derive(Debug, Clone)]
pub struct DestinationNamespace {
    /// As it is to be: its name, labels and annotations.
    pub desired: Object,
    /// As the cluster has it.
    pub live: Option<Object>,
    /// How the two differ.
    pub difference: Difference,
}

impl PlanInput {
    /// True where the operation is about this object.
    pub(crate) fn selects(&self, object: &Object) -> bool {
        self.selection.is_empty() || Selector::any(&self.selection, &object.reference())
    }
}

/// One manifest, with what was found and decided about it.
#[derive(Debug, Clone)]
pub struct DesiredObject {
    /// As it is to be sent (`sluice_compare::prepare`), without the label of ownership. A Secret's values are masked here.
    pub manifest: Manifest,
    /// As the cluster has it.
    pub live: Option<Object>,
    /// How the two differ.
    pub difference: Difference,
    /// What the sync policies said.
    pub decision: SyncDecision,
    /// Earlier deployers whose fields become ours ([`sluice_model::manager::predecessors`]).
    pub predecessors: Vec<Manager>,
    /// What else is written into the record of managers first.
    pub record: Rerecord,
    /// True where the server takes the change only as a new object, and the strategy allows for that.
    pub recreate: bool,
    /// True where the application that owns the live object is known not to want it any more: then it may be taken over.
    pub released: bool,
}

/// One live object that might have to go.
#[derive(Debug, Clone)]
pub struct PruneCandidate {
    /// As the cluster has it.
    pub live: Object,
    /// What the prune policies said.
    pub prune: PruneDecision,
    /// What the sync policies said about the live object: its wave, whether it is a hook, whether it goes last.
    pub sync: SyncDecision,
    /// Why it belongs to another application by now, or may: that one's Git has it. Then it is never deleted.
    pub claimed: Option<String>,
}

/// What the operation may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Delete what Git no longer has, as far as the policies let it. Otherwise everything is kept and said to be.
    pub prune: bool,
    /// Take a revision without any manifest for desired state.
    pub allow_empty: bool,
    /// When hooks run.
    pub hooks: Hooks,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prune: true,
            allow_empty: false,
            hooks: Hooks::WithChanges,
        }
    }
}

/// When hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hooks {
    /// Together with any other step: a sync that has nothing else to do runs none, so that the second sync is empty.
    WithChanges,
    /// In any case: a person asked for a sync, or an earlier attempt at this revision did not come to its end.
    Always,
    /// Not at all: only drift is being undone.
    Never,
}
