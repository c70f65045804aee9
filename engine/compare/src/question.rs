//! What only the server can say about a comparison, as questions to it: trials that store nothing.
//!
//! A trial is a merge patch from the live object to what an apply would make of it. So it can leave out what an apply alone could
//! not: what an earlier deployer has on record, and what has no owner.

use serde_json::{Map, Value};
use sluice_model::difference::FieldChange;
use sluice_model::manager::{Manager, Operation, Tree};
use sluice_model::object::Object;

use crate::defaults;
use crate::diff::{self, Made};
use crate::path::{self, Step};
use crate::walk::{self, Beside, Found};

/// A comparison of which the server has to say the rest.
pub struct Question<'a> {
    live: &'a Object,
    found: Found,
}

/// Fields beside what changes that may be why the server refuses the change.
#[derive(Default)]
pub struct Leftovers(Vec<Beside>);

/// Compares once more, with all that there is to ask. Arguments as for [`crate::compare_taking_over`].
pub fn question<'a>(
    desired: &Object,
    live: &'a Object,
    ignore: &[String],
    predecessors: &[Manager],
) -> Question<'a> {
    Question {
        live,
        found: crate::changes_of(desired, live, ignore, predecessors, true),
    }
}

impl Question<'_> {
    /// Fields of ours that Git dropped and that the server may keep or fill in again.
    pub fn may_stay(&self) -> impl Iterator<Item = &str> {
        let changes = self.found.changes.iter().filter(|change| change.may_stay);
        changes.map(|change| change.pointer.as_str())
    }

    /// Values of Git that are not what is there, and that the server may make just that of: its default, its own form.
    pub fn may_settle(&self) -> impl Iterator<Item = &str> {
        let changes = self.found.changes.iter().filter(|change| change.overwrites());
        changes
            .map(|change| change.pointer.as_str())
            .filter(|pointer| *pointer != "/apiVersion")
    }

    /// True where Git dropped fields of ours that may have a default: giving them up on record is to be done once.
    pub fn gives_up(&self) -> bool {
        let mut changes = self.found.changes.iter();
        changes.any(|change| change.may_stay && !change.is_null)
    }

    /// True where an earlier deployer's record has what Git does not: only the server knows what of it are its defaults.
    pub fn drops(&self) -> bool {
        !self.found.unless_default.is_empty()
    }

    /// Empty values of Git over which a controller wrote another one.
    pub fn filled_in(&self) -> &[String] {
        &self.found.filled_in
    }

    /// What may be why the server refuses the change, by the fields that it names: what of that can be claimed, the likeliest first.
    pub fn leftovers(&self, named: &[String]) -> Vec<Leftovers> {
        let named: Vec<Vec<String>> = named.iter().map(|field| names(field)).collect();
        let free = |beside: &&Beside| {
            let mut holders = beside.holders.iter();
            holders.all(|holder| holder.operation == Operation::Update && holder.subresource.is_none())
        };
        // What another manager wrote is only taken if the server speaks of it, or of the small map that it is in.
        let is_meant = |beside: &Beside| match beside.holders.is_empty() {
            true => is_around(beside, &named),
            false => is_named(beside, &named) || beside.names.len() > 2 && is_around(beside, &named),
        };
        let some = |keep: &dyn Fn(&Beside) -> bool| {
            let kept = self
                .found
                .beside
                .iter()
                .filter(free)
                .filter(|beside| keep(beside));
            Leftovers(kept.cloned().collect())
        };
        let mut tries = vec![
            some(&|beside| is_named(beside, &named)),
            some(&is_meant),
            some(&|beside| beside.holders.is_empty() || is_meant(beside)),
        ];
        tries.retain(|leftovers| !leftovers.0.is_empty());
        tries.dedup_by(|a, b| a.0.len() == b.0.len());
        tries
    }

    /// What another applier has beside the change where the server refuses it: that is theirs to drop.
    pub fn of_others(&self, named: &[String]) -> Option<(String, Manager)> {
        let named: Vec<Vec<String>> = named.iter().map(|field| names(field)).collect();
        let meant =
            self.found.beside.iter().filter(|beside| {
                is_named(beside, &named) || beside.names.len() > 2 && is_around(beside, &named)
            });
        let mut held = meant.flat_map(|beside| {
            let appliers = beside.holders.iter();
            let appliers = appliers.filter(|holder| holder.operation == Operation::Apply);
            appliers.map(|holder| (beside.pointer.clone(), holder.clone()))
        });
        held.next()
    }

    /// The trial: what an apply would make of the object once the leftovers are gone, as a merge patch.
    pub fn trial(&self, leftovers: &Leftovers) -> Value {
        let steps = |change: &walk::Change| Made {
            steps: change.steps.clone(),
            live: None,
            desired: change.desired.clone(),
        };
        let (changes, drops) = (&self.found.changes, &self.found.unless_default);
        let mut made: Vec<Made> = changes.iter().chain(drops).map(steps).collect();
        made.extend(leftovers.0.iter().map(|beside| Made::gone(beside.steps.clone())));
        let after = diff::apply(self.live.value().clone(), &made);
        let mut patch = between(self.live.value(), &after).unwrap_or_else(|| Value::Object(Map::new()));
        if let Some(patch) = patch.as_object_mut() {
            patch.remove("apiVersion");
        }
        patch
    }

    /// What differs, once the server has answered the trial: what comparing found as far as the answer has it so, and what of the rest
    /// really goes.
    pub fn answered(&self, leftovers: &Leftovers, answer: &Object) -> Vec<FieldChange> {
        let differs = |pointer: &str| {
            path::at(self.live.value(), pointer) != path::at(answer.value(), pointer)
                || pointer == "/apiVersion"
        };
        let copy = |change: &walk::Change| FieldChange {
            pointer: change.pointer.clone(),
            live: change.live.clone(),
            desired: change.desired.clone(),
            holder: change.holder.clone(),
            stays: false,
        };
        let (changes, drops) = (&self.found.changes, &self.found.unless_default);
        let found = changes.iter().chain(drops).map(copy);
        let beside = leftovers.0.iter().map(|beside| FieldChange {
            pointer: beside.pointer.clone(),
            live: Some(beside.live.clone()),
            desired: path::at(answer.value(), &beside.pointer).cloned(),
            holder: beside.holders.first().cloned(),
            stays: false,
        });
        let mut all: Vec<FieldChange> = found
            .chain(beside)
            .filter(|change| differs(&change.pointer))
            .collect();
        sluice_model::secret::mask_changes(&mut all, [self.live, answer]);
        all
    }
}

impl Leftovers {
    /// What of them goes, by the server's answer, in the form of the record.
    pub fn claim(&self, live: &Object, answer: &Object) -> Tree {
        let mut claim = Tree::new();
        for beside in &self.0 {
            if path::at(live.value(), &beside.pointer) != path::at(answer.value(), &beside.pointer) {
                walk::insert(&mut claim, &beside.keys);
            }
        }
        claim
    }
}

/// The names in a field as the server writes it: `spec.containers[0].livenessProbe`.
fn names(field: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut depth = 0_usize;
    for letter in field.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts = plain.split('.').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// True where the server names this field, or something in it.
fn is_named(beside: &Beside, named: &[Vec<String>]) -> bool {
    named.iter().any(|field| field.starts_with(&beside.names))
}

/// True where the server names the map that the field is in, or something in that.
fn is_around(beside: &Beside, named: &[Vec<String>]) -> bool {
    let parent = beside
        .names
        .split_last()
        .map(|(_, parent)| parent)
        .unwrap_or_default();
    named.iter().any(|field| field.starts_with(parent))
}

/// The merge patch that makes one value of another; none where they are equal.
fn between(from: &Value, to: &Value) -> Option<Value> {
    match (from, to) {
        (from, to) if from == to => None,
        (Value::Object(from), Value::Object(to)) => {
            let gone = from.keys().filter(|name| !to.contains_key(*name));
            let mut patch: Map<String, Value> = gone.map(|name| (name.clone(), Value::Null)).collect();
            for (name, value) in to {
                let changed = match from.get(name) {
                    Some(before) => between(before, value),
                    None => Some(value.clone()),
                };
                patch.extend(changed.map(|changed| (name.clone(), changed)));
            }
            Some(Value::Object(patch))
        }
        (_, to) => Some(to.clone()),
    }
}

/// What is sent where the server keeps what Git dropped: the live value, so that the field stays ours on record and is not forgotten.
pub fn keeping(desired: &Object, live: &Object, pointers: &[String]) -> Object {
    let changes: Vec<Made> = pointers
        .iter()
        .filter_map(|pointer| {
            let value = path::at(live.value(), pointer)?;
            let steps = path::steps_to(desired.value(), pointer);
            (!steps.contains(&Step::Append)).then(|| Made {
                steps,
                live: None,
                desired: Some(value.clone()),
            })
        })
        .collect();
    with(desired, &changes)
}

/// What is sent where some fields are left to others.
pub fn leaving_out(desired: &Object, pointers: &[String]) -> Object {
    let steps = |pointer: &String| path::steps_to(desired.value(), pointer);
    let changes: Vec<Made> = pointers.iter().map(steps).map(Made::gone).collect();
    with(desired, &changes)
}

fn with(object: &Object, changes: &[Made]) -> Object {
    object.edit(|map| {
        if let Value::Object(changed) = diff::apply(Value::Object(std::mem::take(map)), changes) {
            *map = changed;
        }
    })
}

/// True for a value that the server chose, as it would for an object that is made anew: an address or a port of a Service.
pub fn is_allocated(live: &Object, pointer: &str) -> bool {
    let is_chosen = |value: &Value| match value {
        Value::String(address) => address != "None" && !address.is_empty(),
        Value::Array(addresses) => addresses.iter().all(|address| address != "None"),
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    };
    let name = pointer.rsplit('/').next().unwrap_or_default();
    live.group().is_empty()
        && live.kind() == "Service"
        && defaults::ALLOCATED.contains(&name)
        && path::at(live.value(), pointer).is_some_and(is_chosen)
}

/// What an object has at the place that the pointer of a change names.
pub fn at<'o>(object: &'o Object, pointer: &str) -> Option<&'o Value> {
    path::at(object.value(), pointer)
}
