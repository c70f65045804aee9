//! Runs the `sluice` that ships against a real Kubernetes and real Git, and looks at what comes of it.
//!
//! [`Engine`] is a control plane with a `sluice controller`; the tests of this crate share one ([`Engine::shared`]), and
//! those that break things have their own. [`World`] is what one test works in: a namespace, a repository, an Application.
//!
//! `cargo test -p sluice-cluster-tests` builds what it needs, the control plane included.
#![forbid(unsafe_code)]

mod engine;
mod world;

pub use engine::{Engine, SHARED_NAMESPACE};
pub use world::{World, condition, config_map, definition, entry, short_reason, text};
