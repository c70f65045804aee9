//! Write Sluice policies in Rust.
//!
//! A policy is a type that implements one of three traits, and one line that exports it:
//!
//! - [`HealthCheck`] and [`health_check!`]: does an object do its work?
//! - [`PrunePolicy`] and [`prune_policy!`]: may an object be deleted?
//! - [`SyncPolicy`] and [`sync_policy!`]: how is an object applied?
//!
//! ```
//! use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};
//!
//! struct Database;
//!
//! impl HealthCheck for Database {
//!     fn describe() -> Descriptor {
//!         Descriptor::new("databases are healthy once they accept connections", [Claim::new("example.com", "Database")])
//!     }
//!
//!     fn configure(_: &Settings) -> Result<Self, Vec<Problem>> {
//!         Ok(Self)
//!     }
//!
//!     fn assess(&self, object: &Object<'_>, _: &HealthContext) -> Result<Verdict, String> {
//!         Ok(match object.text("/status/phase").as_deref() {
//!             Some("Running") => Verdict::Healthy(String::new()),
//!             Some("Broken") => Verdict::Degraded(object.text("/status/reason").unwrap_or_default()),
//!             _ => Verdict::Progressing("the database is starting".to_owned()),
//!         })
//!     }
//! }
//!
//! sluice_plugin::health_check!(Database);
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown`; the `.wasm` file is the plugin. Test it natively with golden cases
//! ([`golden`]); nothing of WebAssembly is needed for that.
//!
//! The interface itself, with everything that an answer means, is documented in `wit/policy/`.

mod adapt;
mod answers;
#[doc(hidden)]
pub mod bindings {
    //! What wit-bindgen makes of the three worlds.
    pub use sluice_plugin_health as health;
    pub use sluice_plugin_prune as prune;
    pub use sluice_plugin_sync as sync;
}
mod context;
#[cfg(not(target_arch = "wasm32"))]
pub mod golden;
#[cfg(not(target_arch = "wasm32"))]
mod json;
pub mod log;
mod object;
pub mod patterns;
mod related;
mod settings;
mod sides;
mod traits;
pub mod words;

pub use answers::{Decision, NO_OPINION, Occasion, PruneDecision, PruneVerdict, Role, Verdict};
pub use bindings::health::sluice::policy::objects::{ObjectRef, Propagation, Value};
pub use bindings::prune::sluice::policy::candidates::Tally;
pub use bindings::sync::sluice::policy::changes::{HookCleanup, Phase, Strategy};
#[cfg(not(target_arch = "wasm32"))]
pub use context::Native;
pub use context::{HealthContext, PruneContext, SyncContext};
pub use object::{Field, Object};
pub use settings::Settings;
pub use sides::{Candidate, Change};
pub use traits::{Claim, Descriptor, HealthCheck, Problem, PrunePolicy, SyncPolicy};

#[doc(hidden)]
pub mod internal {
    //! What the macros expand to.
    pub use crate::adapt::*;
}
