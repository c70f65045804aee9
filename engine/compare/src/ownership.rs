//! Who owns which field, as the server recorded it.
//!
//! `metadata.managedFields` has one tree for each manager. A key of it is `f:name` for a field, `k:{"name":"web"}` for the
//! entry of a list that is matched by keys, `v:"x"` for a member of a set, and `.` for the thing itself. An empty tree is
//! a leaf: the whole value below it belongs to the manager. What kind of list a list is can be read from its keys, so no
//! schema is needed.

use serde_json::{Map, Value};
use sluice_model::manager::{Operation, managers};
use sluice_model::object::Object;

pub(crate) use sluice_model::manager::Tree;

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
        for (manager, tree) in managers(live).filter(|(manager, _)| manager.is_us()) {
            match manager.operation {
                Operation::Apply => ours.applied = Some(tree),
                Operation::Update => ours.written = Some(tree),
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
    managers(live).map(|(_, tree)| tree)
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
