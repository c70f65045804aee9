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

mod defaults;
pub mod diff;
mod ownership;
mod path;
mod prepare;
mod quantity;
mod walk;

use serde_json::Value;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::object::Object;
use sluice_model::secret::MASK;

use crate::ownership::Ours;
use crate::path::Ignored;

pub use prepare::prepare;

/// Compares what Git wants with what the cluster has.
///
/// `ignore` are RFC 6901 pointers into the object; a list entry is named by its index in `desired`, or by its key as in
/// `/spec/template/spec/containers/[name=web]/image`; `*` stands for any one part. What is below them is not compared.
///
/// Values of a Secret are compared and then masked.
pub fn compare(desired: &Object, live: Option<&Object>, ignore: &[String]) -> Difference {
    let Some(live) = live else {
        return Difference::Missing;
    };
    let prepared;
    let desired = match desired.is_secret() {
        true => {
            prepared = prepare(desired, None, &[]);
            &prepared
        }
        false => desired,
    };
    let mut changes: Vec<FieldChange> = walk::changes(desired, live, &Ignored::new(ignore))
        .into_iter()
        .map(|change| FieldChange {
            pointer: change.pointer,
            live: change.live,
            desired: change.desired,
        })
        .collect();
    if desired.is_secret() {
        changes.iter_mut().for_each(mask);
    }
    match (Ours::of(live).is_nothing(), changes.is_empty()) {
        (true, _) => Difference::Unowned(changes),
        (false, true) => Difference::Same,
        (false, false) => Difference::Changed(changes),
    }
}

/// Hides the values of a Secret's data: that they differ is said, not how.
fn mask(change: &mut FieldChange) {
    let part = |prefix: &str| {
        change
            .pointer
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if part("/data") || part("/stringData") {
        for value in [&mut change.live, &mut change.desired].into_iter().flatten() {
            hide(value);
        }
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Null => {}
        other => *other = MASK.into(),
    }
}
