//! Who owns which field, as the server recorded it.
//!
//! `metadata.managedFields` has one tree for each manager. A key of it is `f:name` for a field, `k:{"name":"web"}` for the
//! entry of a list that is matched by keys, `v:"x"` for a member of a set, and `.` for the thing itself. An empty tree is
//! a leaf: the whole value below it belongs to the manager. What kind of list a list is can be read from its keys, so no
//! schema is needed.

use serde_json::{Map, Value};
use sluice_model::application::FIELD_MANAGER;
use sluice_model::object::Object;

/// A node of a manager's tree.
pub(crate) type Tree = Map<String, Value>;

/// What the server's record says about us. One object may have been applied at one time and written as a whole at another.
#[derive(Clone, Copy)]
pub(crate) struct Ours<'a> {
    /// The fields that we applied: exactly what Git gave.
    pub(crate) applied: Option<&'a Tree>,
    /// What changed when we wrote the object as a whole: defaults count as ours too, and what the server dropped does not.
    pub(crate) written: Option<&'a Tree>,
}

impl<'a> Ours<'a> {
    /// Our part of the record.
    pub(crate) fn of(live: &'a Object) -> Self {
        let mut ours = Self {
            applied: None,
            written: None,
        };
        for entry in entries(live).filter(|entry| text(entry, "manager") == FIELD_MANAGER && is_main(entry)) {
            match text(entry, "operation") {
                "Apply" => ours.applied = fields(entry),
                "Update" => ours.written = fields(entry),
                _ => {}
            }
        }
        ours
    }

    /// True where nothing of the object was ever written by us.
    pub(crate) fn is_nothing(self) -> bool {
        self.applied.is_none() && self.written.is_none()
    }

    /// The fields that we own, as exactly as is known.
    pub(crate) fn tree(self) -> Option<&'a Tree> {
        self.applied.or(self.written)
    }
}

/// The trees of all managers, ours included.
pub(crate) fn all(live: &Object) -> impl Iterator<Item = &Tree> {
    entries(live).filter_map(fields)
}

fn entries(live: &Object) -> impl Iterator<Item = &Value> {
    let metadata = live.value().get("metadata");
    metadata
        .and_then(|metadata| metadata.get("managedFields"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn fields(entry: &Value) -> Option<&Tree> {
    entry.get("fieldsV1").and_then(Value::as_object)
}

/// True for writes to the object itself rather than to its `status` or `scale`.
fn is_main(entry: &Value) -> bool {
    text(entry, "subresource").is_empty()
}

/// The child for a field. `scratch` is only there to be used again.
pub(crate) fn field<'a>(tree: Option<&'a Tree>, name: &str, scratch: &mut String) -> Option<&'a Tree> {
    let tree = tree?;
    scratch.clear();
    scratch.push_str("f:");
    scratch.push_str(name);
    tree.get(scratch.as_str()).and_then(Value::as_object)
}

/// What the record says a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// Entries are matched by keys.
    Keyed,
    /// Entries are members, each at most once.
    Set,
    /// The list is one value.
    Atomic,
}

/// What kind of list a tree describes; none where it does not say.
pub(crate) fn list_kind(tree: &Tree) -> Option<ListKind> {
    if tree.is_empty() {
        return Some(ListKind::Atomic);
    }
    tree.keys().find_map(|key| match key.as_bytes() {
        [b'k', b':', ..] => Some(ListKind::Keyed),
        [b'v', b':', ..] => Some(ListKind::Set),
        _ => None,
    })
}

/// The entries of a keyed list that a tree has: their keys and what of them is owned.
pub(crate) fn keyed_entries(tree: &Tree) -> impl Iterator<Item = (Map<String, Value>, &Tree)> {
    tree.iter().filter_map(|(key, below)| {
        let keys = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
        Some((keys, below.as_object()?))
    })
}

/// The members of a set that a tree has.
pub(crate) fn members(tree: &Tree) -> impl Iterator<Item = Value> {
    tree.keys()
        .filter_map(|key| serde_json::from_str(key.strip_prefix("v:")?).ok())
}
