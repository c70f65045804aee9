//! What an Application's loop decides, as a function of data: [`step`].
//!
//! The task around it (in `controller`) wakes for a reason and hands in what it sees. Each step gives back what is to be done
//! next. Some of these effects are questions, whose answers are handed in as the next observation; and when nothing is left to
//! do, [`Next`] says when to wake and why.
//!
//! ```text
//! Woken ─▶ Assess ─▶ Prepare ─▶ Announce ─▶ Execute ─▶ Assess … ─▶ rest
//!  why     what Git   which      say it in   carry it
//!          wants, how plan       the status  out
//!          it stands
//! ```
//!
//! Nothing here reads a clock, does I/O or needs a runtime. The status of the Application is the memory that lasts: a state can be
//! lost at any time: the next one goes on from the status.
//!
//! Where to start reading: [`step`], then `turn.rs`, which is one turn from waking to resting. What a turn decides is in a file of its
//! own each: `automation` (whether to sync without being asked), `gate` (whether a sync ended well), `requests` (what a person
//! asks for), `conclusion` (what a sync came to), `pause`, `deletion` (the end of the Application).
#![forbid(unsafe_code)]

mod automation;
pub mod codes;
mod conclusion;
mod deletion;
mod effect;
mod gate;
mod healing;
mod interruption;
mod observation;
pub mod operation;
mod pause;
mod requests;
mod state;
mod step;
mod time;
mod turn;
pub mod waits;

pub use effect::{Effect, Next, Order, Wanted, Why};
pub use gate::{Unfit, explain, waiting_for};
pub use interruption::{Stop, stop, superseded};
pub use observation::{
    Assessment, DeletionFacts, DeletionResult, End, Execution, Found, Observation, Outlook, PlanFacts,
    Progress, Reasons, Terms, Woken,
};
pub use pause::who;
pub use state::State;
pub use time::{Moment, Now};
pub use turn::step;

use sluice_model::Application;

/// Returns the version of an Application, which grows with every change. Versions are numbers on every API server that there is.
pub fn version(application: &Application) -> u64 {
    let version = application
        .metadata
        .resource_version
        .as_deref()
        .unwrap_or_default();
    version.parse().unwrap_or_default()
}

/// Returns the value of an annotation.
pub fn annotation<'a>(application: &'a Application, key: &str) -> Option<&'a str> {
    let annotations = application.metadata.annotations.as_ref()?;
    annotations.get(key).map(String::as_str)
}
