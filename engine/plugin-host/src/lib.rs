//! Asks policy plugins, inside limits.
//!
//! Everything that a team may want to decide for itself is a question to WebAssembly components of the package
//! `sluice:policy` (`wit/`): whether an object works, whether one may be deleted, how one is applied. Plugins are judged
//! hostile: they see the objects they are handed (Secrets masked) and nothing else, have 64 MiB and a fifth of a second,
//! and what goes wrong in one of them can hold something up but never delete anything.
//!
//! [`PluginHost`] is the entry point: cheap to clone, usable from any thread; its calls block, for at most the plugins' time
//! limits. Calls never fail. What a plugin did not answer takes the cautious default (health `Unknown`, prune keep, sync
//! hold), and the reason stands in [`Answer::problems`] with a code of [`codes`].
//!
//! What bounds an instance's life: it is made for one batch (one call of [`PluginHost`]) and dropped with it, or at the first
//! error. So nothing that a plugin remembers, or that broke in it, reaches the next application.
#![forbid(unsafe_code)]

mod answer;
mod better;
mod bindings;
mod breaker;
mod change;
mod claims;
pub mod codes;
mod context;
mod digest;
mod handles;
mod host;
mod info;
mod load;
mod pointer;
mod renderers;
mod run;
mod scripts;
mod session;
mod settings;
mod setup;
mod sources;
mod state;
mod trial;
mod worlds;

pub use answer::{Answer, PluginProblem};
pub use change::{Change, RejectedFile};
pub use claims::Claim;
pub use codes::PluginError;
pub use host::PluginHost;
pub use info::{Inspected, PluginInfo, PluginOrigin, RendererInfo};
pub use renderers::{AddedRenderer, Renderers};
pub use sluice_plugin_aot::{CHILD_ARGUMENT, Compiler, Workplace, serve};
pub use trial::{Case, TrialError};
pub use worlds::PluginKind;
pub use worlds::health::{Examined, HealthClaim, HealthQuestion};
pub use worlds::prune::{PruneContext, PruneObject};
pub use worlds::sync::{SyncContext, SyncObject};
