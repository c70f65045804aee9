//! What policies are asked, and who answers.

use std::iter;

use sluice_model::census::Census;
use sluice_model::decision::{Occasion, Propagation, PruneDecision, PruneVerdict, SyncDecision};
use sluice_model::object::Object;

/// An object as Git wants it beside the same object as the cluster has it, values of Secrets masked. At least one of the two is
/// there.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// None where Git no longer has it.
    pub desired: Option<Object>,
    /// None where the cluster does not have it yet.
    pub live: Option<Object>,
}

/// An object that would be deleted, values of Secrets masked.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// As the cluster has it.
    pub live: Object,
    /// As Git has it, where it still does (when the Application is deleted).
    pub desired: Option<Object>,
}

/// What a verdict on a deletion may depend on besides the candidates.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// What the application owns before the plan, candidates included; without what is being deleted already. While deletions
    /// wait, no more than it owned when they began to.
    pub owned: Census,
    /// What Git wants it to own.
    pub desired: Census,
}

/// What answers the questions that a team decides for itself.
pub trait Policies {
    /// How each object is applied, in their order.
    fn sync(&mut self, changes: Vec<Change>) -> Vec<SyncDecision>;

    /// Whether each object may be deleted, in their order.
    fn prune(&mut self, candidates: Vec<Candidate>, deletion: &Deletion) -> Vec<PruneDecision>;

    /// The policies, `name@sha256:…`, in any order.
    fn digests(&self) -> Vec<String>;
}

const SILENCE: &str = "no policy said anything about it";

/// As [`Policies::sync`], with exactly as many decisions as changes: what nothing was said about is held.
pub(crate) fn sync(policies: &mut impl Policies, changes: Vec<Change>) -> Vec<SyncDecision> {
    let number = changes.len();
    let held = SyncDecision {
        hold: Some(SILENCE.to_owned()),
        ..SyncDecision::default()
    };
    let said = policies.sync(changes).into_iter();
    said.chain(iter::repeat(held)).take(number).collect()
}

/// As [`Policies::prune`], with exactly as many decisions as candidates: what nothing was said about is kept.
pub(crate) fn prune(
    policies: &mut impl Policies,
    candidates: Vec<Candidate>,
    deletion: &Deletion,
) -> Vec<PruneDecision> {
    let number = candidates.len();
    let kept = PruneDecision {
        verdict: PruneVerdict::Keep {
            reason: SILENCE.to_owned(),
        },
        propagation: Propagation::default(),
        decided_by: None,
    };
    let said = policies.prune(candidates, deletion).into_iter();
    said.chain(iter::repeat(kept)).take(number).collect()
}
