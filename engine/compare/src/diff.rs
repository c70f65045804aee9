//! A comparison as people read it: unified YAML, the live object against what an apply would make of it.
//!
//! Like `kubectl diff`, but worked out here: fields of others and defaults are on both sides, so only what an apply would
//! change is shown as changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};
use sluice_model::object::Object;
use sluice_model::secret::{self, MASK};

use crate::path::Ignored;
use crate::path::Step;
use crate::prepare::prepare;
use crate::walk::{self, Change};

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is. Colours are for whoever prints it.
    pub kind: LineKind,
    /// The text without the sign in front and without the line's end.
    pub text: String,
}

/// What a line of a diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// `--- live` and `+++ desired`.
    Header,
    /// `@@ -1,2 +1,3 @@`.
    Hunk,
    /// In both.
    Same,
    /// Only live.
    Removed,
    /// Only desired.
    Added,
}

/// As `diff -u` and `kubectl diff` print it.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.kind {
            LineKind::Header | LineKind::Hunk => "",
            LineKind::Same => " ",
            LineKind::Removed => "-",
            LineKind::Added => "+",
        };
        write!(f, "{sign}{}", self.text)
    }
}

/// The unified diff of one object with `context` lines around each change; empty where nothing would change.
///
/// A Secret's values are masked, and still told apart as changed or not.
pub fn unified(desired: &Object, live: Option<&Object>, ignore: &[String], context: usize) -> Vec<Line> {
    let desired = prepare(desired, live, ignore);
    let (before, after) = match live {
        None => (None, Some(secret::mask(&desired).into_value())),
        Some(live) => {
            let changes = walk::changes(&desired, live, &Ignored::new(ignore));
            if changes.is_empty() {
                return Vec::new();
            }
            let after = apply(live.value().clone(), &changes);
            let (before, after) = match desired.is_secret() {
                true => masked(live.value().clone(), after, &changes),
                false => (live.value().clone(), after),
            };
            (Some(before), Some(after))
        }
    };
    lines(&desired, before, after, context)
}

/// The unified diff of a deletion.
pub fn deletion(live: &Object) -> Vec<Line> {
    lines(live, Some(secret::mask(live).into_value()), None, 0)
}

fn lines(object: &Object, before: Option<Value>, after: Option<Value>, context: usize) -> Vec<Line> {
    let name = object.reference();
    let header = |sign: &str, side: &str, there: bool| Line {
        kind: LineKind::Header,
        text: if there {
            format!("{sign} {side} {name}")
        } else {
            format!("{sign} /dev/null")
        },
    };
    let mut lines = vec![
        header("---", "live", before.is_some()),
        header("+++", "desired", after.is_some()),
    ];
    let (before, after) = (
        before.map(yaml).unwrap_or_default(),
        after.map(yaml).unwrap_or_default(),
    );
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(context).iter_hunks() {
        lines.push(Line {
            kind: LineKind::Hunk,
            text: hunk.header().to_string(),
        });
        lines.extend(hunk.iter_changes().map(|change| Line {
            kind: match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Removed,
                ChangeTag::Insert => LineKind::Added,
            },
            text: change.value().trim_end_matches('\n').to_owned(),
        }));
    }
    lines
}

/// Without what nobody writes in a manifest.
fn yaml(mut object: Value) -> String {
    if let Value::Object(map) = &mut object {
        map.remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            for field in [
                "creationTimestamp",
                "generation",
                "managedFields",
                "resourceVersion",
                "selfLink",
                "uid",
            ] {
                metadata.remove(field);
            }
        }
    }
    serde_yaml::to_string(&object).unwrap_or_default()
}

/// The live object with the changes made.
fn apply(mut live: Value, changes: &[Change]) -> Value {
    for change in changes {
        if let Some(desired) = &change.desired {
            set(&mut live, &change.steps, desired);
        }
    }
    // From the end of each list, so that the places of the others stay what they were.
    let mut removals: Vec<&[Step]> = changes
        .iter()
        .filter(|change| change.desired.is_none())
        .map(|change| change.steps.as_slice())
        .collect();
    removals.sort_unstable();
    for steps in removals.into_iter().rev() {
        remove(&mut live, steps);
    }
    live
}

fn set(value: &mut Value, steps: &[Step], desired: &Value) {
    let Some((step, rest)) = steps.split_first() else {
        *value = desired.clone();
        return;
    };
    match step {
        Step::Field(name) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            if let Value::Object(map) = value {
                set(map.entry(name.clone()).or_insert(Value::Null), rest, desired);
            }
        }
        Step::Entry(index) => {
            if let Some(entry) = value.get_mut(*index) {
                set(entry, rest, desired);
            }
        }
        Step::Append => {
            if let Value::Array(entries) = value {
                entries.push(desired.clone());
            }
        }
    }
}

fn remove(value: &mut Value, steps: &[Step]) {
    match steps {
        [Step::Field(name)] => {
            if let Value::Object(map) = value {
                map.remove(name);
            }
        }
        [Step::Entry(index)] => {
            if let Value::Array(entries) = value
                && *index < entries.len()
            {
                entries.remove(*index);
            }
        }
        [Step::Field(name), rest @ ..] => {
            if let Some(below) = value.get_mut(name) {
                remove(below, rest);
            }
        }
        [Step::Entry(index), rest @ ..] => {
            if let Some(below) = value.get_mut(*index) {
                remove(below, rest);
            }
        }
        [] | [Step::Append, ..] => {}
    }
}

/// Both sides of a Secret with every value masked; those that change say so.
fn masked(before: Value, after: Value, changes: &[Change]) -> (Value, Value) {
    let changed: BTreeSet<&str> = changes
        .iter()
        .filter_map(|change| match change.steps.as_slice() {
            [Step::Field(data), Step::Field(key), ..] if data == "data" => Some(key.as_str()),
            _ => None,
        })
        .collect();
    let mask = |value: Value, word: &str| {
        let Ok(object) = Object::new(value) else {
            return Value::Null;
        };
        let mut value = secret::mask(&object).into_value();
        if let Some(Value::Object(data)) = value.get_mut("data") {
            for (key, value) in data.iter_mut().filter(|(key, _)| changed.contains(key.as_str())) {
                let _: &String = key;
                *value = format!("{MASK} ({word})").into();
            }
        }
        value
    };
    (mask(before, "live"), mask(after, "desired"))
}
