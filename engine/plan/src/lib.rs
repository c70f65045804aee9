//! Differences and verdicts to an ordered, immutable [`Plan`].
//!
//! [`plan`] takes everything that was found out and decided, and nothing else: no clock, no cluster. Equal input, in any
//! order, gives an equal plan, so that an approval of its digest means something. After it nobody has a choice left.
//!
//! What it guarantees, and [`lint`] checks on its own:
//! nothing that Git has is deleted; nothing is deleted that no policy let go; a revision without manifests deletes
//! nothing unless that was allowed; an object that another application owns blocks the plan instead of being taken.
//!
//! Where to start reading: [`PlanInput`], [`plan`], then `order` for phases, waves and kinds.
#![forbid(unsafe_code)]

mod input;
pub mod lint;
mod order;

use sluice_model::plan::Plan;

pub use input::{DesiredObject, Hooks, Options, PlanInput, PruneCandidate};
pub use order::hook_name;

/// Decides what is done, in which order.
pub fn plan(input: PlanInput) -> Plan {
    Plan {
        version: sluice_model::plan::PLAN_VERSION.to_owned(),
        application: input.application,
        revision: input.revision,
        destination_namespace: input.destination_namespace,
        policies: input.policies,
        steps: Vec::new(),
        held: Vec::new(),
        kept: Vec::new(),
        blocked: Vec::new(),
        unchanged: 0,
    }
}
