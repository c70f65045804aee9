//! A comparison as people read it: YAML, unified or in two columns, the live object against what an apply would make of it.
//!
//! Like `kubectl diff`, but worked out here: fields of others and defaults are on both sides, so only what an apply would
//! change is shown as changed.

use serde_json::{Map, Value};
use similar::{ChangeTag, DiffTag, TextDiff};
use sluice_model::difference::FieldChange;
use sluice_model::manager::Manager;
use sluice_model::object::Object;
use sluice_model::secret::{self, MASK};

use crate::path::{self, Step};
use crate::prepare::prepare;
use crate::walk::Change;

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is. The caller adds colours.
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

/// One row of a diff with two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// What the columns are.
    Title(String, String),
    /// Rows are left out here; where those that follow stand.
    Gap(String),
    /// Live and desired; none where one side has no such line.
    Lines {
        /// As the cluster has it.
        live: Option<String>,
        /// As Git wants it.
        desired: Option<String>,
        /// True where they differ.
        differs: bool,
    },
}

/// An object, and what would be made of it.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// As Git wants it.
    pub desired: &'a Object,
    /// As the cluster has it.
    pub live: Option<&'a Object>,
    /// As for [`crate::compare`].
    pub ignore: &'a [String],
    /// As for [`crate::compare_taking_over`].
    pub predecessors: &'a [Manager],
    /// What differs, where that was found out already: the server may have said more than comparing can tell.
    pub changes: Option<&'a [FieldChange]>,
}

impl Pair<'_> {
    /// The unified diff with `context` lines around each change; empty where nothing would change.
    ///
    /// A Secret's values are masked, and still told apart as changed or not.
    pub fn unified(&self, context: usize) -> Vec<Line> {
        self.sides().map_or_else(Vec::new, |sides| sides.unified(context))
    }

    /// The same in two columns.
    pub fn side_by_side(&self, context: usize) -> Vec<Row> {
        self.sides()
            .map_or_else(Vec::new, |sides| sides.side_by_side(context))
    }

    fn sides(&self) -> Option<Sides> {
        let desired = prepare(self.desired, self.live, self.ignore);
        let Some(live) = self.live else {
            return Some(Sides::of(
                &desired,
                None,
                Some(secret::mask(&desired).into_value()),
            ));
        };
        let is_masked = secret::has_secrets(&desired) || secret::has_secrets(live);
        let changes: Vec<Made> = match self.changes.filter(|_| !is_masked) {
            Some(changes) => changes.iter().map(|change| Made::of(live, change)).collect(),
            None => {
                let found = crate::changes_of(&desired, live, self.ignore, self.predecessors, false);
                found.changes.into_iter().map(Made::from).collect()
            }
        };
        if changes.is_empty() {
            return None;
        }
        let mut before = live.value().clone();
        let after = apply(before.clone(), &changes);
        // Read at the version that Git has, and written at another one.
        let version = [Step::Field("apiVersion".to_owned())];
        if let Some(Made {
            live: Some(written), ..
        }) = changes.iter().find(|made| made.steps == version)
        {
            before["apiVersion"] = written.clone();
        }
        let (before, after) = match is_masked {
            true => masked(before, after, &changes),
            false => (before, after),
        };
        Some(Sides::of(&desired, Some(before), Some(after)))
    }
}

/// The unified diff of a deletion.
pub fn deletion(live: &Object) -> Vec<Line> {
    Sides::of(live, Some(secret::mask(live).into_value()), None).unified(0)
}

/// The unified diff of an object as two revisions have it; empty if they have the same. None is a revision that does not have it.
///
/// A Secret's values are masked; that they differ is said.
pub fn revisions(old: Option<&Object>, new: Option<&Object>, context: usize) -> Vec<Line> {
    let Some(object) = new.or(old).filter(|_| old != new) else {
        return Vec::new();
    };
    let shown = |object: Option<&Object>| {
        object.map(|object| secret::mask_beside(object, old.into_iter().chain(new)).into_value())
    };
    let (before, after) = (shown(old), shown(new));
    let is_hidden = before == after;
    let title = |side: &str, there: bool| match there {
        true => format!("{side} {}", object.reference()),
        false => "/dev/null".to_owned(),
    };
    let sides = Sides {
        titles: (title("old", before.is_some()), title("new", after.is_some())),
        before: before.map(yaml).unwrap_or_default(),
        after: after.map(yaml).unwrap_or_default(),
    };
    let mut lines = sides.unified(context);
    if is_hidden {
        lines.push(Line {
            kind: LineKind::Hunk,
            text: "its values differ; they are masked".to_owned(),
        });
    }
    lines
}

/// Both sides as texts.
struct Sides {
    titles: (String, String),
    before: String,
    after: String,
}

impl Sides {
    fn of(object: &Object, before: Option<Value>, after: Option<Value>) -> Self {
        let name = object.reference();
        let title = |side: &str, there: bool| match there {
            true => format!("{side} {name}"),
            false => "/dev/null".to_owned(),
        };
        Self {
            titles: (title("live", before.is_some()), title("desired", after.is_some())),
            before: before.map(yaml).unwrap_or_default(),
            after: after.map(yaml).unwrap_or_default(),
        }
    }

    fn unified(&self, context: usize) -> Vec<Line> {
        let header = |sign: &str, title: &str| Line {
            kind: LineKind::Header,
            text: format!("{sign} {title}"),
        };
        let mut lines = vec![header("---", &self.titles.0), header("+++", &self.titles.1)];
        let diff = TextDiff::from_lines(&self.before, &self.after);
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

    fn side_by_side(&self, context: usize) -> Vec<Row> {
        let mut rows = vec![Row::Title(self.titles.0.clone(), self.titles.1.clone())];
        let diff = TextDiff::from_lines(&self.before, &self.after);
        for hunk in diff.unified_diff().context_radius(context).iter_hunks() {
            rows.push(Row::Gap(hunk.header().to_string()));
            for operation in hunk.ops() {
                let (mut left, mut right) = (Vec::new(), Vec::new());
                for change in diff.iter_changes(operation) {
                    let text = change.value().trim_end_matches('\n').to_owned();
                    match change.tag() {
                        ChangeTag::Equal => {
                            left.push(text.clone());
                            right.push(text);
                        }
                        ChangeTag::Delete => left.push(text),
                        ChangeTag::Insert => right.push(text),
                    }
                }
                let length = left.len().max(right.len());
                let differs = operation.tag() != DiffTag::Equal;
                let (mut left, mut right) = (left.into_iter(), right.into_iter());
                rows.extend((0..length).map(|_| Row::Lines {
                    live: left.next(),
                    desired: right.next(),
                    differs,
                }));
            }
        }
        rows
    }
}

/// Without what no manifest has.
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

/// A change, with the way to it in the live object.
pub(crate) struct Made {
    pub(crate) steps: Vec<Step>,
    pub(crate) live: Option<Value>,
    pub(crate) desired: Option<Value>,
}

impl Made {
    fn of(live: &Object, change: &FieldChange) -> Self {
        Self {
            steps: path::steps_to(live.value(), &change.pointer),
            live: change.live.clone(),
            desired: change.desired.clone(),
        }
    }

    /// A field that goes.
    pub(crate) fn gone(steps: Vec<Step>) -> Self {
        Self {
            steps,
            live: None,
            desired: None,
        }
    }
}

impl From<Change> for Made {
    fn from(change: Change) -> Self {
        Self {
            steps: change.steps,
            live: change.live,
            desired: change.desired,
        }
    }
}

/// The live object with the changes made.
pub(crate) fn apply(mut live: Value, changes: &[Made]) -> Value {
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

/// Both sides with every secret value masked; those that change say so.
fn masked(before: Value, after: Value, changes: &[Made]) -> (Value, Value) {
    let (Ok(before), Ok(after)) = (Object::new(before), Object::new(after)) else {
        return (Value::Null, Value::Null);
    };
    let mask = |object: &Object, word: &str| {
        let mut value = secret::mask_beside(object, [&before, &after]).into_value();
        for change in changes {
            mark(&mut value, &change.steps, word);
        }
        value
    };
    (mask(&before, "live"), mask(&after, "desired"))
}

/// Adds a word to what is masked on the way to a place, or below it.
fn mark(value: &mut Value, steps: &[Step], word: &str) {
    match (value, steps) {
        (Value::String(text), _) if text == MASK => *text = format!("{MASK} ({word})"),
        (Value::Object(map), [Step::Field(name), rest @ ..]) => {
            if let Some(value) = map.get_mut(name) {
                mark(value, rest, word);
            }
        }
        (Value::Array(entries), [Step::Entry(index), rest @ ..]) => {
            if let Some(value) = entries.get_mut(*index) {
                mark(value, rest, word);
            }
        }
        (Value::Object(map), []) => map.values_mut().for_each(|value| mark(value, &[], word)),
        (Value::Array(entries), []) => entries.iter_mut().for_each(|value| mark(value, &[], word)),
        _ => {}
    }
}
