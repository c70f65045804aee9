//! Git repositories: fetch, resolve, read trees without a checkout.
//!
//! The first stage. [`Repositories`] keeps one bare mirror for each repository URL; [`Repositories::fetch`] brings it up
//! to date, and what it returns is read through [`Repository`]: names are resolved to commits, folders are read from Git
//! objects into memory, and the commits since the last trusted one are handed to verify as raw bytes. Nothing is ever
//! checked out, no hook, filter or configuration of a repository is run or followed, and every object's bytes are hashed
//! again when they are read.
//!
//! All calls block; callers own threads, time and retries.
//!
//! Where to start reading: [`Repositories`] to fetch, [`Repository`] to read.
#![forbid(unsafe_code)]

mod access;
mod address;
mod ancestor;
mod changes;
mod consolidate;
mod conversation;
mod error;
mod history;
mod lenient;
mod mirror;
mod offer;
mod pack;
mod repositories;
mod repository;
mod transport;
mod tree;
mod watch;
pub mod web;

pub use access::{Access, Cancel, Credentials, KnownHosts, Limits, Secret};
pub use address::is_below;
pub use error::{SourceError, codes};
pub use repositories::{Fetched, Repositories, can_be_revision, is_elsewhere};
pub use repository::Repository;
pub use tree::TreeLimits;
