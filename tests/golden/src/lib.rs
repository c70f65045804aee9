//! Scripted histories: commits, drift, approvals, and what is planned and done after each.
//!
//! A history is a file under `histories/`; what came of it is the snapshot of the same name under `tests/snapshots/`. The
//! stages are the real ones. The cluster is a model of what matters here, server-side apply with its record of fields
//! ([`server`]), so that a history runs in a millisecond and reads like a story; the real API server has its own tests.
//! What is decided is decided by `sluice-decide`, as in the controller, with the standard plugins to answer ([`policies`]) and the
//! model of the server to settle what comparing is not sure of.
//!
//! Where to start reading: a file in `histories/`, then [`history`].
#![forbid(unsafe_code)]

pub mod history;
pub mod policies;
pub mod server;
pub mod shown;
mod trial;
