//! Differences and verdicts to an ordered, immutable [`Plan`].
//!
//! [`plan`] takes everything that was found out and decided, and nothing else: no clock, no cluster. Equal input, in any
//! order, gives an equal plan, so that an approval of its digest means something. After it no choice is left.
//!
//! What it guarantees, and [`lint`] checks on its own:
//! nothing that Git has is deleted, under whichever API group; nothing is deleted that no policy let go; a revision without manifests deletes
//! nothing unless that was allowed; an object that another application owns blocks the plan instead of being taken, until
//! that application no longer wants it; an object that another application wants is never deleted.
//!
//! Where to start reading: [`PlanInput`], [`plan`], then `order` for phases, waves and kinds.
#![forbid(unsafe_code)]

mod desired;
mod input;
pub mod lint;
mod naming;
mod order;
mod prune;
mod rests;

use sluice_model::applyset;
use sluice_model::decision::Occasion;
use sluice_model::plan::{Action, PLAN_VERSION, Plan, Step};

pub use input::{DesiredObject, DestinationNamespace, Hooks, Options, PlanInput, PruneCandidate};
pub use naming::HookNames;
pub use prune::EMPTY_REVISION;

/// Decides what is done, in which order.
///
/// A step for each object that differs, in phases, waves, kinds and names; namespaces and CRDs directly before what needs
/// them first. Deletions come after the applies of their wave, in the reverse order, the highest wave first; what is on its way
/// out already is waited for where others follow. What a policy
/// holds is in [`Plan::held`], what stays in [`Plan::kept`], and what forbids doing anything in [`Plan::blocked`].
pub fn plan(input: PlanInput) -> Plan {
    let set = applyset::id(&input.application.namespace, &input.application.name);
    let mut deletions = prune::decide(&input, &set);
    let applies = desired::decide(&input, &set, deletions.any_done());
    deletions
        .steps
        .extend(prune::earlier_runs(&input, &set, &applies.steps));
    let kept = deletions.kept;
    let (deleted, held) = prune::place(deletions.steps, &applies.waves);
    let mut steps: Vec<Step> = applies.steps.into_iter().chain(deleted).collect();
    // Stable: within a wave everything stays in the order it was given, applies before deletions.
    steps.sort_by_key(|step| {
        let last = matches!(step.action, Action::Delete { .. });
        (order::phase_rank(input.occasion, step.phase), step.wave, last)
    });
    rests::note(&mut steps);
    let mut policies = input.policies;
    policies.sort_unstable();
    policies.dedup();
    Plan {
        version: PLAN_VERSION.to_owned(),
        application: input.application,
        revision: input.revision,
        destination_namespace: input.destination_namespace,
        policies,
        steps,
        held,
        kept,
        blocked: applies.blocked,
        unchanged: applies.unchanged,
    }
}

/// The phases in which hooks run on an occasion.
fn runs(occasion: Occasion, phase: sluice_model::decision::Phase) -> bool {
    use sluice_model::decision::Phase::{PostDelete, PostSync, PreDelete, PreSync, Skip, Sync, SyncFail};
    match phase {
        PreSync | Sync | PostSync | SyncFail => occasion == Occasion::Sync,
        PreDelete | PostDelete => occasion == Occasion::ApplicationDeleted,
        Skip => false,
    }
}
