//! Drives the standard renderers as a host does, without one: for tests of the components themselves.
//!
//! `cargo xtask plugins` has built them into `target/plugins/renderers`. Start at [`Renderer`]; [`Repository`] answers needs from a folder
//! or from memory.

mod host;
mod repository;

pub use host::{Answer, Limits, Renderer};
pub use repository::Repository;

/// The interface of renderers.
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; the interface has its own documentation"
)]
pub mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit/render/0.1.0", world: "render-files" });
}

pub use bindings::exports::sluice::render::renderer as wit;
