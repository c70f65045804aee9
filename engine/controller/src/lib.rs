//! The loop: keeps every Application of a cluster as Git wants it.
//!
//! It owns time, retries and concurrency, and does what the stages of [`sluice_pipeline`] found and [`sluice_reconcile`] decided. It
//! is the only thing in the engine that remembers anything between two looks; and even that it can lose, because what matters
//! stands in the Applications' status.
//!
//! Where to start reading: `fleet`, which is the controller, then `task`, which is the life of one Application.
#![forbid(unsafe_code)]

mod fleet;
mod task;

pub use fleet::{Options, run};
