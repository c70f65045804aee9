//! What is decided about one application at one revision: from its resolved spec, the manifests, the live objects, what other
//! applications want of them, and what the policies say, to what [`sluice_plan::plan`] takes, and the plan.
//!
//! ```text
//! compare ─▶ Doubts ─▶ decide ─▶ Decided
//! sync       the server  prune     plan, and plans for less
//! policies   is asked    policies
//! ```
//!
//! Nothing here does I/O, reads a clock or needs a runtime. Policies are asked through [`Policies`], and what only the server can
//! tell through [`DryRun`], which the caller drives ([`Doubts`]). So the controller, the command line and the
//! golden tests decide by the same code, each with its own way of asking.
//!
//! What is missing or broken holds a sync and never widens it: an object about which a policy said nothing is held or kept.
//!
//! Where to start reading: [`compare`], then [`decide`].
#![forbid(unsafe_code)]

mod candidates;
mod compared;
mod completed;
mod decided;
mod dry_run;
mod intent;
mod live;
mod namespace;
mod policies;

use sluice_compare::Rules;
use sluice_model::census::Census;
use sluice_model::plan::ApplicationKey;

pub use compared::{Compared, compare};
pub use completed::marks;
pub use decided::{Decided, decide};
pub use dry_run::{Answer, Answers, Doubt, Doubts, DryRun, Refusal, Verdict, ask};
pub use intent::Intent;
pub use live::{BLOCKED, Claimed, Live, wanted_by};
pub use namespace::{destination_namespace, namespace_manifest};
pub use policies::{Candidate, Change, Deletion, Policies};

/// The application that is decided about: what of its spec and status counts here.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Which application.
    pub key: ApplicationKey,
    /// Where namespaced objects without a namespace went.
    pub destination: String,
    /// Fields that something else decides, by the Application's rules.
    pub rules: Rules,
    /// Its Jobs that completed and may be gone since ([`sluice_model::application::ApplicationStatus::completed`]).
    pub completed: Vec<String>,
    /// What it owned when deletions began to wait, if any waits ([`sluice_model::application::ApplicationStatus::owned_before`]).
    pub owned_before: Option<Census>,
    /// A revision without any manifest counts as desired state.
    pub allow_empty: bool,
}
