//! Composes the stages: once, for a command, and again and again, for the loop.
//!
//! [`pipeline`] is the way of the data from a repository to a plan, one method a stage. [`fleet`] is the controller: it keeps every
//! Application of a cluster as Git wants it, owns time, retries and concurrency, and is the only thing in the engine that
//! remembers anything between two looks; and even that it can lose, because what matters stands in the Applications' status.
//!
//! Where to start reading: [`pipeline::Pipeline`], then [`fleet`] and `task`, which is the life of one Application.
#![forbid(unsafe_code)]

pub mod codes;
mod error;
pub mod fleet;
pub mod mirrors;
pub mod pipeline;
mod references;
mod task;

pub use error::PipelineError;
pub use fleet::{Options, run};
