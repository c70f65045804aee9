//! Desired against live: what an apply would change, found without asking the server.
//!
//! The server's own record says who owns which field (`metadata.managedFields`). [`compare`] judges exactly what the
//! record gives to us: a field that Git wants and the cluster has otherwise is a change, by whichever manager; a field that
//! we applied and that Git no longer has is a change; a field that others set and Git says nothing about is none. Which
//! lists are matched by keys, which are sets and which are one value is read from the same record.
//!
//! What only the server can tell it does not guess: it says so ([`Certainty`]), and [`against`] reads the answer to a dry-run.
//!
//! [`prepare`] makes of a manifest what is sent. [`Rules`] are the fields that something else decides. [`diff`] shows a
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
mod question;
mod rules;
mod scalars;
mod walk;

use serde_json::Value;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manager::{Manager, Operation, Takeover, Tree, managers, taken_over};
use sluice_model::object::Object;
use sluice_model::secret::mask_changes;

use crate::ownership::Ours;
use crate::path::Ignored;
use crate::walk::How;

pub use answer::{against, stamp};
pub use prepare::prepare;
pub use question::{Leftovers, Question, at, is_allocated, keeping, leaving_out, question};
pub use rules::{BadRule, Rules, autoscaled};

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The difference.
    pub difference: Difference,
    /// How sure it is.
    pub certainty: Certainty,
    /// What has to be claimed in the record of managers first, so that the apply drops it: entries of lists whose keys were
    /// edited by hand.
    pub claim: Tree,
}

/// Whether the server could tell better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It could not.
    Sure,
    /// A field within a value that is ours as a whole was taken for a default, and no schema is known that would say so.
    DefaultAssumed,
    /// What becomes of the change only the server knows: a field that Git dropped may have a default or may not go at all; a default
    /// beside what changes may not be taken beside it.
    ServerDecides,
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
            claim: Tree::new(),
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
    let found = changes_of(desired, live, ignore, predecessors, false);
    let certainty = match (found.assumed, found.asks) {
        (true, _) => Certainty::DefaultAssumed,
        (false, true) => Certainty::ServerDecides,
        (false, false) => Certainty::Sure,
    };
    let mut changes: Vec<FieldChange> = found.changes.into_iter().map(FieldChange::from).collect();
    mask_changes(&mut changes, [desired, live]);
    let unowned = !predecessors.is_empty() || Ours::of(live).is_nothing();
    Comparison {
        difference: match (unowned, changes.is_empty()) {
            (true, _) => Difference::Unowned(changes),
            (false, true) => Difference::Same,
            (false, false) => Difference::Changed(changes),
        },
        certainty,
        claim: found.claim,
    }
}

impl From<walk::Change> for FieldChange {
    fn from(change: walk::Change) -> Self {
        Self {
            pointer: change.pointer,
            live: change.live,
            desired: change.desired,
            holder: change.holder,
            stays: false,
        }
    }
}

/// What differs, once the fields of `predecessors` are ours.
fn changes_of(
    desired: &Object,
    live: &Object,
    ignore: &[String],
    predecessors: &[Manager],
    looks_beside: bool,
) -> walk::Found {
    let ignored = Ignored::new(ignore);
    let takeover = Takeover {
        managers: predecessors,
        claim: None,
        version: desired.api_version(),
        all_at_version: false,
    };
    let record = match predecessors.is_empty() {
        true => None,
        false => taken_over(live, &takeover),
    };
    let Some(record) = record else {
        let how = How {
            looks_beside,
            ..How::default()
        };
        return walk::walk(desired, live, &ignored, how);
    };
    let applied = |manager: &Manager| manager.operation == Operation::Apply && predecessors.contains(manager);
    let how = How {
        adopting: true,
        declared: managers(live)
            .filter(|(manager, _)| applied(manager))
            .map(|(_, tree)| tree)
            .collect(),
        looks_beside,
    };
    let adopted = live.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.insert("managedFields".to_owned(), record);
        }
    });
    walk::walk(desired, &adopted, &ignored, how)
}
