//! The way into a cluster: the connection, the kinds it serves, and what its refusals mean.
//!
//! [`Cluster::connect`] is where to start. Objects are read and written as the JSON that they are
//! ([`sluice_model::Object`]); typed clients would lose the fields that a newer API server knows and we do not. Every
//! failure comes back as a [`ClusterError`], which says what kind of refusal it was (rights, admission, conflict,
//! quota, …) and what to do about it.
//!
//! Requests have a deadline, watches none; as many are under way as the server keeps up with. Nothing here retries: the caller
//! knows whether asking again is safe ([`ClusterError::is_transient`], [`ClusterError::retry_after`]).
#![forbid(unsafe_code)]

pub mod codes;
mod connect;
mod error;
mod kinds;
mod pace;
mod requests;
mod roles;
mod secrets;
mod segment;
mod watch;
mod words;

pub use connect::{Cluster, ConnectOptions, ServiceAccount};
pub use error::{ClusterError, FieldConflict};
pub use kinds::{Kind, Kinds};
pub use requests::{Patch, Reply};
pub use roles::{Home, Target};
pub use watch::{Change, Page};
pub use words::Words;
