//! The comparison itself: desired, live and our part of the record, walked side by side. Lists are in `lists`.

mod beside;
mod lists;

use serde_json::{Map, Value};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::manager::{Manager, Operation, managers, recorded_version};
use sluice_model::object::Object;

use crate::defaults::{self, Builtin};
use crate::ownership::{self, ListKind, Ours, Tree};
use crate::path::{self, Ignored, Part, Step};
use crate::scalars;

pub(crate) use beside::{Beside, insert};

/// One difference, with the way to it in the live object.
#[derive(Debug)]
pub(crate) struct Change {
    /// For people.
    pub(crate) pointer: String,
    /// For what makes the one of the other.
    pub(crate) steps: Vec<Step>,
    pub(crate) live: Option<Value>,
    pub(crate) desired: Option<Value>,
    /// Who else has the field on record.
    pub(crate) holder: Option<Manager>,
    /// True for a field of ours that Git dropped and that the server may keep or fill in again.
    pub(crate) may_stay: bool,
    /// True where Git has a null for it, which an apply gives again each time.
    pub(crate) is_null: bool,
}

impl Change {
    /// True where an apply gives a value, or a null, over what is there: what comes of that the server may say.
    pub(crate) fn overwrites(&self) -> bool {
        self.is_null || self.live.is_some() && self.desired.is_some()
    }
}

/// What a comparison found.
pub(crate) struct Found {
    pub(crate) changes: Vec<Change>,
    /// What goes unless it is a default of the server: an earlier deployer's record does not tell.
    pub(crate) unless_default: Vec<Change>,
    /// Empty values of Git over which a controller wrote another one.
    pub(crate) filled_in: Vec<String>,
    /// What has to be claimed in the record, because nothing else makes it go.
    pub(crate) claim: Tree,
    /// What stands beside the changes and is not Git's, where that was asked for.
    pub(crate) beside: Vec<Beside>,
    /// A field was taken for a default without a schema that says so.
    pub(crate) assumed: bool,
    /// Only the server knows what becomes of this.
    pub(crate) asks: bool,
}

/// How a comparison is made.
#[derive(Default)]
pub(crate) struct How<'a> {
    /// Our part of the record was another deployer's.
    pub(crate) adopting: bool,
    /// Of those, what was applied: exactly what they gave, without defaults.
    pub(crate) declared: Vec<&'a Tree>,
    /// Whether what stands beside the changes is wanted.
    pub(crate) looks_beside: bool,
}

/// All differences between two states of one object.
pub(crate) fn walk<'a>(desired: &'a Object, live: &'a Object, ignored: &'a Ignored, how: How<'a>) -> Found {
    let ours = Ours::of(live);
    let adopting = how.adopting;
    let mut walk = Walk {
        live,
        builtin: Builtin::of(desired),
        ignored,
        any_ignored: !ignored.patterns().is_empty(),
        written: ours.written.is_some() || adopting,
        finds_removals: ours.applied.is_some(),
        how,
        in_null: false,
        path: Vec::with_capacity(16),
        scratch: String::with_capacity(64),
        found: Found {
            changes: Vec::new(),
            unless_default: Vec::new(),
            filled_in: Vec::new(),
            claim: Tree::new(),
            beside: Vec::new(),
            assumed: false,
            asks: false,
        },
    };
    if let Some(recorded) = recorded_version(live).filter(|recorded| *recorded != desired.api_version()) {
        walk.found.changes.push(beside::version(recorded, desired));
    }
    if let (Some(desired), Some(live)) = (desired.value().as_object(), live.value().as_object()) {
        walk.root(desired, live, ours.tree());
    }
    walk.found
}

struct Walk<'a> {
    live: &'a Object,
    builtin: Builtin,
    ignored: &'a Ignored,
    any_ignored: bool,
    /// We wrote the object as a whole: what the server dropped then is not in the record.
    written: bool,
    /// The record says what Git wanted, so that what it no longer wants can be told.
    finds_removals: bool,
    how: How<'a>,
    /// True within what Git has a null for.
    in_null: bool,
    path: Vec<Part<'a>>,
    scratch: String,
    found: Found,
}

/// Maps that have no defaults: what is in them, a manager put there.
const WITHOUT_DEFAULTS: &[&str] = &[
    "annotations",
    "binaryData",
    "data",
    "labels",
    "matchLabels",
    "nodeSelector",
    "stringData",
];

/// What of the metadata is desired state; the rest is identity or the server's own.
const METADATA: &[&str] = &["annotations", "finalizers", "labels", "ownerReferences"];

impl<'a> Walk<'a> {
    fn root(
        &mut self,
        desired: &'a Map<String, Value>,
        live: &'a Map<String, Value>,
        ours: Option<&'a Tree>,
    ) {
        let before = self.found.changes.len();
        for (name, value) in desired {
            match name.as_str() {
                "apiVersion" | "kind" | "metadata" => {}
                // Written through the subresource, where there is one; ours only where the record says so.
                "status" if ownership::field(ours, name, &mut self.scratch).is_none() => {}
                "rules" if defaults::rules_are_aggregated(desired) => {}
                _ => self.entry(name, value, live.get(name), ours),
            }
        }
        let kept = |name: &str| matches!(name, "apiVersion" | "kind" | "metadata" | "stringData");
        self.removed_fields(desired, live, ours, kept);
        self.look_beside(desired, live, ours, before);
        let metadata = |object: &'a Map<String, Value>| object.get("metadata").and_then(Value::as_object);
        let (Some(desired), Some(live)) = (metadata(desired), metadata(live)) else {
            return;
        };
        let ours = ownership::field(ours, "metadata", &mut self.scratch);
        self.enter("metadata");
        for (name, value) in desired {
            if METADATA.contains(&name.as_str()) {
                self.entry(name, value, live.get(name), ours);
            }
        }
        self.removed_fields(desired, live, ours, |name| !METADATA.contains(&name));
        self.leave();
    }

    fn enter(&mut self, name: &'a str) {
        self.path.push(Part::Field(name));
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn is_ignored(&self) -> bool {
        self.any_ignored && self.ignored.has(&self.path)
    }

    fn report(&mut self, live: Option<&Value>, desired: Option<&Value>) {
        // What is not there, and what goes, is not defended.
        let overwrites = live.is_some() && desired.is_some();
        let goes = desired.is_none() && !self.is_without_defaults();
        let change = Change {
            pointer: path::pointer(&self.path),
            steps: path::steps(&self.path),
            live: live.cloned(),
            desired: desired.cloned(),
            holder: if overwrites { self.holder() } else { None },
            // A null of one value is what the server makes of it.
            may_stay: goes
                && !self.is_metadata()
                && !(self.in_null && live.is_some_and(|live| !live.is_object() && !live.is_array())),
            is_null: self.in_null,
        };
        if goes && self.how.adopting && !self.how.declared.iter().any(|tree| self.is_in(tree)) {
            self.found.unless_default.push(change);
            self.found.asks = true;
            return;
        }
        self.found.asks |= (change.may_stay || change.is_null) && !self.how.adopting;
        let by_controller = |holder: &Manager| holder.operation == Operation::Update && !holder.is_by_hand();
        if overwrites && desired.is_some_and(is_empty) {
            if Ours::of(self.live).applied.is_some_and(|tree| self.is_in(tree)) {
                // What the server may have made of it when we applied it.
                self.found.asks = true;
            } else if matches!(
                desired,
                Some(Value::String(_) | Value::Array(_) | Value::Object(_))
            ) && change.holder.as_ref().is_some_and(by_controller)
            {
                self.found.filled_in.push(change.pointer.clone());
                self.found.asks = true;
            }
        }
        self.found.changes.push(change);
    }

    fn is_metadata(&self) -> bool {
        matches!(self.path.first(), Some(Part::Field("metadata")))
    }

    fn is_without_defaults(&self) -> bool {
        match self.path.as_slice() {
            [.., Part::Entry(_) | Part::Member { .. }] => true,
            [.., Part::Field(parent), Part::Field(name)] => {
                WITHOUT_DEFAULTS.contains(parent) || WITHOUT_DEFAULTS.contains(name)
            }
            [Part::Field(name)] => WITHOUT_DEFAULTS.contains(name),
            _ => false,
        }
    }

    /// Another manager of this field; one that applied it rather than one that wrote it.
    fn holder(&self) -> Option<Manager> {
        let others = managers(self.live).filter(|(manager, tree)| !manager.is_us() && self.is_in(tree));
        others
            .map(|(manager, _)| manager)
            .min_by_key(|manager| manager.operation)
    }

    /// True where a tree has this place, something below it, or all of something above it.
    fn is_in(&self, tree: &Tree) -> bool {
        lists::descend(tree, &self.path).is_some()
    }

    /// One field that Git gives.
    fn entry(&mut self, name: &'a str, desired: &'a Value, live: Option<&'a Value>, tree: Option<&'a Tree>) {
        if desired.is_null() {
            return;
        }
        let ours = ownership::field(tree, name, &mut self.scratch);
        self.enter(name);
        self.value(desired, live, ours);
        self.leave();
    }

    fn value(&mut self, desired: &'a Value, live: Option<&'a Value>, ours: Option<&'a Tree>) {
        if self.is_ignored() {
            return;
        }
        match (desired, live) {
            (desired, None | Some(Value::Null)) => {
                let dropped = is_empty(desired) && (self.written || self.was_applied(desired, ours));
                if !dropped {
                    self.report(None, Some(desired));
                }
            }
            (Value::Object(wanted), Some(found @ Value::Object(there))) => {
                if self.map_is_atomic(wanted, there, ours) {
                    if !self.same_value(desired, found) {
                        self.report(Some(found), Some(desired));
                    }
                } else {
                    self.map(wanted, there, ours);
                }
            }
            (Value::Array(wanted), Some(found @ Value::Array(there))) => {
                match self.list_kind(wanted, there, ours) {
                    ListKind::Keyed => {
                        let before = (self.found.changes.len(), self.found.assumed);
                        if !self.keyed_list(wanted, there, ours) {
                            self.found.changes.truncate(before.0);
                            self.found.assumed = before.1;
                            if !self.same_value(desired, found) {
                                self.report(Some(found), Some(desired));
                            }
                        }
                    }
                    ListKind::Set => self.set(wanted, there, ours),
                    ListKind::Atomic => {
                        if !self.same_value(desired, found) {
                            self.report(Some(found), Some(desired));
                        }
                    }
                }
            }
            (desired, Some(found)) => {
                if !self.same_scalar(desired, found) {
                    self.report(Some(found), Some(desired));
                }
            }
        }
    }

    fn map(&mut self, desired: &'a Map<String, Value>, live: &'a Map<String, Value>, ours: Option<&'a Tree>) {
        let before = self.found.changes.len();
        for (name, value) in desired {
            self.entry(name, value, live.get(name), ours);
        }
        self.removed_fields(desired, live, ours, |_| false);
        self.look_beside(desired, live, ours, before);
    }

    /// A leaf in the record is either a map that is one value, or one that was applied without content.
    fn map_is_atomic(
        &self,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
        ours: Option<&Tree>,
    ) -> bool {
        match ours {
            Some(tree) if !tree.is_empty() => false,
            // Labels and annotations are never one value, for any kind.
            Some(_) if self.is_metadata() => false,
            // Given empty: whatever is there now was filled in by defaults or by others, unless the map is one of those
            // that are a single value, where empty means everything.
            Some(_) if desired.is_empty() => !live.is_empty() && self.is_selector(),
            Some(_) => true,
            None if desired.is_empty() || live.is_empty() => false,
            None => self.others().any(Map::is_empty),
        }
    }

    fn is_selector(&self) -> bool {
        matches!(self.path.last(), Some(Part::Field(name)) if name.ends_with("elector"))
    }

    /// Fields that we applied and that Git no longer gives.
    fn removed_fields(
        &mut self,
        desired: &'a Map<String, Value>,
        live: &'a Map<String, Value>,
        ours: Option<&'a Tree>,
        kept: impl Fn(&str) -> bool,
    ) {
        if !self.finds_removals {
            return;
        }
        for (key, below) in ours.into_iter().flatten() {
            let (Some(name), Some(below)) = (key.strip_prefix("f:"), below.as_object()) else {
                continue;
            };
            let given = desired.get(name);
            if kept(name) || given.is_some_and(|value| !value.is_null()) {
                continue;
            }
            // A null asks for nothing, and an empty value is what the server makes of it in a map of texts.
            let is_nothing = |value: &Value| value.is_null() || given.is_some() && is_empty(value);
            if let Some(value) = live.get(name).filter(|value| !is_nothing(value)) {
                self.in_null = given.is_some();
                self.enter(name);
                self.removed(value, below);
                self.leave();
                self.in_null = false;
            }
        }
    }

    /// A value of which Git gives nothing, and we applied at least a part.
    fn removed(&mut self, live: &'a Value, ours: &'a Tree) {
        if self.is_ignored() || self.is_kept_by_others() {
            return;
        }
        match live {
            Value::Object(fields) if !ours.is_empty() => {
                // Each of these speaks for itself, and the map without them says nothing.
                let marks = matches!(
                    self.path.as_slice(),
                    [Part::Field("metadata"), Part::Field("labels" | "annotations")]
                );
                if !marks && covers(ours, live) && !self.any_ignored {
                    self.report(Some(live), None);
                } else {
                    self.removed_fields_of(fields, ours);
                }
            }
            Value::Array(entries) if !ours.is_empty() => match ownership::list_kind(ours) {
                Some(ListKind::Keyed) => self.removed_entries(entries, ours),
                Some(ListKind::Set) => self.removed_members(&[], entries, ours),
                Some(ListKind::Atomic) | None => self.report(Some(live), None),
            },
            live => self.report(Some(live), None),
        }
    }

    fn removed_fields_of(&mut self, live: &'a Map<String, Value>, ours: &'a Tree) {
        for (key, below) in ours {
            let (Some(name), Some(below)) = (key.strip_prefix("f:"), below.as_object()) else {
                continue;
            };
            if let Some(value) = live.get(name) {
                self.enter(name);
                self.removed(value, below);
                self.leave();
            }
        }
    }

    /// True for a label or an annotation that is there whether Git has it or not: that of ownership is added when a plan is made, and
    /// some the server sets by itself, on record for the manager that made the object.
    fn is_kept_by_others(&self) -> bool {
        match self.path.as_slice() {
            [Part::Field("metadata"), Part::Field("labels"), Part::Field(name)] => {
                // <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name>
                [PART_OF_LABEL, "kubernetes.io/metadata.name"].contains(name)
            }
            [
                Part::Field("metadata"),
                Part::Field("annotations"),
                Part::Field(name),
            ] => {
                // What was `spec.templateGeneration` before `apps/v1`.
                *name == "deprecated.daemonset.template.generation"
            }
            _ => false,
        }
    }

    /// True where a value that is changed as a whole says what Git says, defaults aside.
    fn same_value(&mut self, desired: &'a Value, live: &'a Value) -> bool {
        match (desired, live) {
            (Value::Object(wanted), Value::Object(there)) => {
                let wanted_is_there = wanted.iter().all(|(name, value)| {
                    self.path.push(Part::Field(name));
                    let same = self.is_ignored()
                        || self.builtin.is_status(name)
                        || match there.get(name) {
                            Some(found) if !found.is_null() => {
                                let nothing = is_empty(value);
                                let same = nothing && is_empty(found)
                                    || self.same_value(value, found)
                                    // The default instead of what says nothing.
                                    || nothing && self.builtin.is_known() && self.may_add(name, found);
                                // Most defaults only the server knows.
                                self.found.asks |= nothing && !same;
                                same
                            }
                            Some(_) | None => is_empty(value),
                        };
                    self.path.pop();
                    same
                });
                wanted_is_there
                    && there.iter().all(|(name, value)| {
                        wanted.contains_key(name) || is_empty(value) || self.may_add(name, value)
                    })
            }
            (Value::Array(wanted), Value::Array(there)) => {
                wanted.len() == there.len()
                    && wanted
                        .iter()
                        .zip(there)
                        .enumerate()
                        .all(|(index, (wanted, found))| {
                            self.path.push(Part::Index(index));
                            let same = self.is_ignored() || self.same_value(wanted, found);
                            self.path.pop();
                            same
                        })
            }
            (desired, live) => self.same_scalar(desired, live),
        }
    }

    fn may_add(&mut self, name: &str, value: &Value) -> bool {
        let may = self.builtin.may_add(&self.path, name, value);
        self.found.assumed |= may && !self.builtin.is_known();
        may
    }

    /// True where all of an empty value was applied by us: then the server has left it out of what it stores. What another manager
    /// else removed is no longer ours. Of an empty list that is matched by keys or a set there is no record; where the server
    /// stores its own types, it leaves it out.
    fn was_applied(&self, desired: &Value, ours: Option<&Tree>) -> bool {
        match desired {
            Value::Null => true,
            Value::Object(fields) if !fields.is_empty() => fields.iter().all(|(name, value)| {
                value.is_null() || self.was_applied(value, ownership::field(ours, name, &mut String::new()))
            }),
            Value::Array(_) => self.builtin.is_known() || self.is_metadata() || ours.is_some(),
            _ => ours.is_some(),
        }
    }

    fn same_scalar(&self, desired: &Value, live: &Value) -> bool {
        scalars::equal(desired, live)
            || self.builtin.is_quantity(&self.path) && scalars::quantities(desired, live)
            || self.builtin.is_bytes(&self.path) && same_base64(desired, live)
    }
}

/// Base64 comes back from the server without the line breaks it was sent with.
fn same_base64(desired: &Value, live: &Value) -> bool {
    let (Some(desired), Some(live)) = (desired.as_str(), live.as_str()) else {
        return false;
    };
    let compact = |text: &str| -> String { text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect() };
    compact(desired) == compact(live)
}

/// What the API server may leave out of what it stores.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

/// True where everything of a value is ours.
fn covers(ours: &Tree, live: &Value) -> bool {
    if ours.is_empty() {
        return true;
    }
    match live {
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            ownership::field(Some(ours), name, &mut String::new()).is_some_and(|below| covers(below, value))
        }),
        Value::Array(entries) => {
            let keyed: Vec<_> = ownership::keyed_entries(ours).collect();
            let members: Vec<_> = ownership::members(ours).collect();
            entries.iter().all(|entry| {
                members.contains(entry)
                    || keyed.iter().any(|(keys, below)| {
                        keys.iter().all(|(key, value)| entry.get(key) == Some(value))
                            && (below.contains_key(".") || covers(below, entry))
                    })
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
