//! What stands beside a change and is not Git's: defaults of the server, and what others wrote.
//!
//! Most of it stays and is right. Where the server refuses the change because of it (the defaults of the one member of a union
//! beside another member), it can be claimed in the record of managers, and the apply, which lacks it, drops it.

use serde_json::{Map, Value};
use sluice_model::manager::{Manager, Operation, Tree, managers};
use sluice_model::object::Object;

use super::{Change, Walk, covers, is_empty};
use crate::ownership;
use crate::path::{self, Part, Step};

/// A field that Git does not have, in a map in which something changes.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) pointer: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) live: Value,
    /// The names of the fields that lead to it, without the entries of lists: so the server's refusals name it, more or less.
    pub(crate) names: Vec<String>,
    /// The keys that lead to it in the record.
    pub(crate) keys: Vec<String>,
    /// Who else has it, or a part of it, on record.
    pub(crate) holders: Vec<Manager>,
}

/// Our entry of the record is at another version than Git.
pub(super) fn version(recorded: &str, desired: &Object) -> Change {
    Change {
        pointer: "/apiVersion".to_owned(),
        steps: vec![Step::Field("apiVersion".to_owned())],
        live: Some(recorded.into()),
        desired: Some(desired.api_version().into()),
        holder: None,
        may_stay: false,
        is_null: false,
    }
}

impl<'a> Walk<'a> {
    /// After a map was compared: `before` is how many changes there were until then.
    pub(super) fn look_beside(
        &mut self,
        desired: &Map<String, Value>,
        live: &'a Map<String, Value>,
        ours: Option<&Tree>,
        before: usize,
    ) {
        let depth = self.path.len() + 1;
        let changes = self.found.changes.get(before..).unwrap_or_default();
        let mut here = changes.iter().filter(|change| change.steps.len() == depth);
        let known = self.builtin.is_known();
        // A new map or list may be another member of a union, beside which the default of the first one stands, however empty.
        let by_member = self.how.looks_beside || here.clone().any(comes_or_goes);
        let is_reason = match self.how.looks_beside {
            true => here.next().is_some(),
            false => here.any(|change| !known || may_choose(change)),
        };
        if !is_reason || self.is_metadata() {
            return;
        }
        for (name, value) in live {
            if self.path.is_empty() && ["apiVersion", "kind", "metadata", "status"].contains(&name.as_str())
                || desired.get(name).is_some_and(|value| !value.is_null())
                || says_nothing(value, by_member)
            {
                continue;
            }
            let owned = ownership::field(ours, name, &mut String::new());
            // What is ours alone goes by itself, but not where Git has a null for it.
            if !desired.contains_key(name) && owned.is_some_and(|ours| covers(ours, value)) {
                continue;
            }
            if self.how.looks_beside {
                self.enter(name);
                let found = self.beside(value);
                self.found.beside.extend(found);
                self.leave();
            } else if !known || value.is_object() || value.is_array() {
                self.found.asks = true;
                return;
            }
        }
    }

    fn beside(&self, live: &Value) -> Option<Beside> {
        let holders = managers(self.live)
            .filter(|(manager, tree)| !manager.is_us() && self.is_in(tree))
            .map(|(manager, _)| manager);
        Some(Beside {
            pointer: path::pointer(&self.path),
            steps: path::steps(&self.path),
            live: live.clone(),
            names: self
                .path
                .iter()
                .filter_map(|part| match part {
                    Part::Field(name) => Some((*name).to_owned()),
                    Part::Entry(_) | Part::Index(_) | Part::Member { .. } => None,
                })
                .collect(),
            keys: path::keys(&self.path)?,
            holders: holders.collect(),
        })
    }

    /// Whether the entry of a list that was edited by hand is what became of one of Git's: Git's is not there, the other one is
    /// no applier's, and says the same but for the keys.
    pub(super) fn became(&mut self, wanted: &'a Map<String, Value>, found: &'a Map<String, Value>) -> bool {
        let Some(Part::Entry(entry)) = self.path.last() else {
            return false;
        };
        let names = std::rc::Rc::clone(&entry.names);
        let mut by_hand = true;
        let mut holders = managers(self.live)
            .filter(|(_, tree)| self.is_in(tree))
            .map(|(manager, _)| manager)
            .peekable();
        let is_written = holders.peek().is_some()
            && holders.all(|holder| {
                by_hand &= holder.is_by_hand();
                holder.operation == Operation::Update && holder.subresource.is_none() && !holder.is_us()
            });
        let mut says_something = false;
        is_written
            && wanted
                .iter()
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .all(|(name, value)| {
                    says_something = true;
                    self.path.push(Part::Field(name));
                    let same = match found.get(name) {
                        Some(found) => self.same_value(value, found),
                        None => is_empty(value),
                    };
                    self.path.pop();
                    same
                })
            && (by_hand || says_something)
    }

    /// Notes that what is at this place has to be claimed.
    pub(super) fn claim(&mut self) {
        if let Some(keys) = path::keys(&self.path) {
            insert(&mut self.found.claim, &keys);
        }
    }
}

/// Adds a place to a record.
pub(crate) fn insert(tree: &mut Tree, keys: &[String]) {
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    let below = tree
        .entry(first.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(below) = below {
        insert(below, rest);
    }
}

/// Whether a change may choose another member of a union: a word that changes, or a map or list that comes or goes.
fn may_choose(change: &Change) -> bool {
    let strings = (&change.live, &change.desired);
    matches!(strings, (Some(Value::String(_)), Some(Value::String(_)))) || comes_or_goes(change)
}

fn comes_or_goes(change: &Change) -> bool {
    let is_composite = |value: &Option<Value>| matches!(value, Some(Value::Object(_) | Value::Array(_)));
    match (&change.live, &change.desired) {
        (Some(_), Some(_)) => false,
        (live, desired) => is_composite(live) || is_composite(desired),
    }
}

/// True for what no server minds: a zero, and a map or list without content where no member of a union is chosen. A map of zeros is one:
/// `rollingUpdate: {partition: 0}`.
fn says_nothing(value: &Value, by_member: bool) -> bool {
    match value {
        Value::Object(fields) => !by_member && fields.is_empty(),
        Value::Array(entries) => !by_member && entries.is_empty(),
        value => is_empty(value),
    }
}
