//! Desired against live: what an apply would change, found without asking the server.
//!
//! The server's own record says who owns which field (`metadata.managedFields`). [`compare`] judges exactly what the
//! record gives to us: a field that Git wants and the cluster has otherwise is a change, whoever made it so; a field that
//! we applied and that Git no longer has is a change; a field that others set and Git says nothing about is none. Which
//! lists are matched by keys, which are sets and which are one value is read from the same record.
//!
//! What only the server can tell it does not guess: it says so ([`Certainty`]), and [`against`] reads the answer to a dry-run.
//!
//! [`prepare`] makes of a manifest what is sent. [`Rules`] are the fields that are somebody else's business. [`diff`] shows a
//! comparison as people read it.
//!
//! Pure: no I/O, no clock, the same answer for the same input.
//!
//! Where to start reading: [`compare`], then `walk`.
#![forbid(unsafe_code)]

mod answer;
mod defaults;
pub mod diff;
mod jq;
mod ownership;
mod path;
mod prepare;
mod quantity;
mod rules;
mod walk;

use serde_json::Value;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manager::{Manager, taken_over};
use sluice_model::object::Object;
use sluice_model::secret::mask_changes;

use crate::ownership::Ours;
use crate::path::Ignored;

pub use answer::{against, stamp};
pub use prepare::prepare;
pub use rules::{BadRule, Rules, autoscaled};

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The difference.
    pub difference: Difference,
    /// How sure it is.
    pub certainty: Certainty,
}

/// Whether the server could tell better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It could not.
    Sure,
    /// A field that we own has another value than we gave it: Git has another one by now, or the server or a webhook makes
    /// this of ours.
    OwnValueDiffers,
    /// A field within a value that is ours as a whole was taken for a default, and no schema is known that would say so.
    DefaultAssumed,
}

/// Compares what Git wants with what the cluster has.
///
/// `ignore` are RFC 6901 pointers into the object; a list entry is named by its index in `desired`, or by its key as in
/// `/spec/template/spec/containers/[name=web]/image`; `*` stands for any one part. What is below them is not compared.
///
/// Values of a Secret are compared and then masked.
pub fn compare(desired: &Object, live: Option<&Object>, ignore: &[String]) -> Difference {
    compare_taking_over(desired, live, ignore, &[]).difference
}

/// As [`compare`], for an object of which the fields of `predecessors` become ours with the apply
/// ([`sluice_model::manager::predecessors`]): what they wrote and Git does not have is a change. As far as it can be told: their
/// record has the server's defaults too, which come back when they go.
pub fn compare_taking_over(
    desired: &Object,
    live: Option<&Object>,
    ignore: &[String],
    predecessors: &[Manager],
) -> Comparison {
    let Some(live) = live else {
        return Comparison {
            difference: Difference::Missing,
            certainty: Certainty::Sure,
        };
    };
    let prepared;
    let desired = match desired.is_secret() {
        true => {
            prepared = prepare(desired, None, &[]);
            &prepared
        }
        false => desired,
    };
    let found = changes_of(desired, live, ignore, predecessors);
    let certainty = match found.assumed {
        true => Certainty::DefaultAssumed,
        false if found.changes.iter().any(|change| change.own_value) => Certainty::OwnValueDiffers,
        false => Certainty::Sure,
    };
    let mut changes: Vec<FieldChange> = found
        .changes
        .into_iter()
        .map(|change| FieldChange {
            pointer: change.pointer,
            live: change.live,
            desired: change.desired,
            holder: change.holder,
        })
        .collect();
    if desired.is_secret() {
        mask_changes(&mut changes);
    }
    let unowned = !predecessors.is_empty() || Ours::of(live).is_nothing();
    Comparison {
        difference: match (unowned, changes.is_empty()) {
            (true, _) => Difference::Unowned(changes),
            (false, true) => Difference::Same,
            (false, false) => Difference::Changed(changes),
        },
        certainty,
    }
}

/// What differs, once the fields of `predecessors` are ours.
fn changes_of(desired: &Object, live: &Object, ignore: &[String], predecessors: &[Manager]) -> walk::Found {
    let ignored = Ignored::new(ignore);
    let Some(record) = taken_over(live, predecessors) else {
        return walk::walk(desired, live, &ignored, false);
    };
    let adopted = live.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.insert("managedFields".to_owned(), record);
        }
    });
    walk::walk(desired, &adopted, &ignored, true)
}
