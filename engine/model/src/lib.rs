//! The plain data that every stage takes and returns.
//!
//! Stages do not know each other; they know these types. Nothing here does I/O, reads a clock or holds a lock, and
//! everything that is serialised is serialised in a fixed order, so that equal data gives equal bytes.
//!
//! Where to start reading: [`application`] is what a user writes, [`object`] and [`manifest`] what flows, [`plan`]
//! what is done in the end. [`error`] says how failures carry a stable code and a hint.
#![forbid(unsafe_code)]

pub mod application;
pub mod applyset;
pub mod census;
pub mod claims;
pub mod decision;
pub mod difference;
pub mod error;
pub mod health;
pub mod layer;
pub mod manager;
pub mod manifest;
pub mod object;
pub mod operation;
pub mod outcome;
pub mod plan;
pub mod quantity;
pub mod related;
pub mod rendering;
pub mod retry;
pub mod revisions;
pub mod secret;
pub mod selection;
pub mod tree;
pub mod trust;

pub use application::Application;
pub use error::{Coded, ErrorCode, ExitKind};
pub use object::{GroupKind, Object, ObjectRef};
