//! Field managers: who the API server has on record for a field, and how that record changes hands.
//!
//! `metadata.managedFields` has one entry for each manager, with a tree of the fields that it owns. A tool that applied an object
//! before us stays in there: a field that is in their tree and in ours is kept alive by theirs when Git drops it. So what
//! an earlier deployer wrote is moved into our entry ([`taken_over`]) when an object is adopted; `kubectl` does the same
//! when it goes from client-side to server-side apply.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::application::FIELD_MANAGER;
use crate::applyset::PART_OF_LABEL;
use crate::object::Object;

/// How a manager wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// It declared what it wants (server-side apply).
    Apply,
    /// It wrote what it had, as every other request does.
    Update,
}

/// A manager of fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manager {
    /// Its name: `helm`, `kubectl-edit`.
    pub name: String,
    /// How it wrote.
    pub operation: Operation,
    /// The subresource that it wrote through, such as `scale`; none for the object itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
}

/// `kubectl through scale`, `keda (apply)`.
impl std::fmt::Display for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if let Some(subresource) = &self.subresource {
            write!(f, " through {subresource}")?;
        }
        match self.operation {
            Operation::Apply => f.write_str(" (apply)"),
            Operation::Update => Ok(()),
        }
    }
}

/// A node of a manager's tree.
pub type Tree = Map<String, Value>;

/// Who deploys objects, under the names that they give themselves on record.
const DEPLOYERS: &[&str] = &[
    "argocd-controller",
    "before-first-apply",
    "helm",
    "helm-controller",
    "kubectl",
    "kubectl-client-side-apply",
    "kubectl-create",
    // The server's own, where `kubectl` went from client-side to server-side apply.
    "kubectl-last-applied",
    "kustomize-controller",
];

/// Who brings objects back from backups.
const RESTORERS: &[&str] = &["velero", "velero-server"];

/// The annotation in which client-side apply keeps what it applied. Who wrote it applies client-side, whatever its name.
const LAST_APPLIED: &str = "f:kubectl.kubernetes.io/last-applied-configuration";

impl Manager {
    /// The manager of an entry of `managedFields`.
    pub fn of(entry: &Value) -> Option<Self> {
        let text = |field: &str| entry.get(field).and_then(Value::as_str);
        Some(Self {
            name: text("manager")?.to_owned(),
            operation: match text("operation")? {
                "Apply" => Operation::Apply,
                _ => Operation::Update,
            },
            subresource: text("subresource")
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
        })
    }

    /// Us, as we apply.
    pub fn is_us(&self) -> bool {
        self.name == FIELD_MANAGER && self.subresource.is_none()
    }

    /// True for a person at a keyboard: `kubectl` names itself by its command when it writes.
    pub fn is_by_hand(&self) -> bool {
        self.operation == Operation::Update && (self.name == "kubectl" || self.name.starts_with("kubectl-"))
    }

    /// True for a tool that brings objects back from a backup, which says nothing about who wants them.
    pub(crate) fn restores(&self) -> bool {
        RESTORERS.contains(&self.name.as_str())
    }

    /// The name under which the server puts on record what was there before anything was: at the first apply to an object without a
    /// record.
    fn is_before_first_apply(&self) -> bool {
        self.name == "before-first-apply" && self.operation == Operation::Update
    }

    /// True for what decides how many there are: it writes through the subresource that is there for that.
    pub fn is_autoscaler(&self) -> bool {
        self.subresource.as_deref() == Some("scale") && !self.is_by_hand()
    }
}

/// The managers on record, each with its tree.
pub fn managers(live: &Object) -> impl Iterator<Item = (Manager, &Tree)> {
    entries(live).filter_map(|entry| Some((Manager::of(entry)?, tree(entry)?)))
}

/// Who has to be taken over before `live` is ours alone: those who deployed it before, and we ourselves where we wrote it as
/// a whole. If we have applied it already there is none: another tool that deploys it then is a rival, not a predecessor.
/// `names` are those of a policy; none: the tools that people come from.
pub fn predecessors(live: &Object, names: Option<&[String]>) -> Vec<Manager> {
    let adopted = managers(live).any(|(manager, _)| manager.is_us() && manager.operation == Operation::Apply);
    let found = managers(live).filter(|(manager, tree)| {
        manager.subresource.is_none()
            && match manager.is_us() {
                true => manager.operation == Operation::Update,
                false if adopted => false,
                false => match names {
                    Some(names) => names.contains(&manager.name),
                    None => {
                        DEPLOYERS.contains(&manager.name.as_str())
                            || applies_itself(manager, tree)
                            || manager.restores() && live.label(PART_OF_LABEL).is_some()
                    }
                },
            }
    });
    let mut found: Vec<Manager> = found.map(|(manager, _)| manager).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn applies_itself(manager: &Manager, tree: &Tree) -> bool {
    let annotations = tree
        .get("f:metadata")
        .and_then(|metadata| metadata.get("f:annotations"));
    manager.operation == Operation::Update
        && annotations.is_some_and(|annotations| annotations.get(LAST_APPLIED).is_some())
}

/// What of the record becomes ours before an object is applied, so that the apply decides about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takeover<'a> {
    /// Whose fields become ours, all of them.
    pub managers: &'a [Manager],
    /// Single fields that no manager owns, or that one wrote with an update; never those that another one applies.
    pub claim: Option<&'a Tree>,
    /// The version of the kind that Git has: our entry speaks of its fields.
    pub version: &'a str,
    /// True where the entries of all others are written at that version too, because the server cannot read them at theirs. What they
    /// own they go on owning.
    pub all_at_version: bool,
}

/// `managedFields` once a takeover is done; none where it says all of that already.
pub fn taken_over(live: &Object, takeover: &Takeover<'_>) -> Option<Value> {
    let claim = takeover.claim.filter(|claim| !claim.is_empty());
    let (mut ours, mut theirs, mut others, mut changes) = (None, Vec::new(), Vec::new(), false);
    for entry in entries(live) {
        match Manager::of(entry) {
            Some(manager) if manager.is_us() && manager.operation == Operation::Apply => {
                changes |= entry.get("apiVersion").and_then(Value::as_str) != Some(takeover.version);
                ours = Some(entry.clone());
            }
            Some(manager) if takeover.managers.contains(&manager) => theirs.push(entry),
            Some(manager) if manager.operation == Operation::Update && manager.subresource.is_none() => {
                let mut entry = entry.clone();
                if let (Some(Value::Object(tree)), Some(claim)) = (entry.get_mut("fieldsV1"), claim) {
                    changes |= subtract(tree, claim);
                    if tree.is_empty() {
                        continue;
                    }
                }
                others.push(entry);
            }
            Some(_) | None => others.push(entry.clone()),
        }
    }
    if takeover.all_at_version {
        changes |= rewrite(&mut others, takeover.version);
    }
    if ours.is_none() && theirs.is_empty() && claim.is_none() {
        return changes.then_some(Value::Array(others));
    }
    let mut ours = ours.unwrap_or_else(|| {
        json!({
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "time": theirs.first().and_then(|first| first.get("time")),
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        })
    });
    if let Some(entry) = ours.as_object_mut() {
        entry.insert("apiVersion".to_owned(), takeover.version.into());
    }
    changes |= !theirs.is_empty();
    if let Some(Value::Object(ours)) = ours.get_mut("fieldsV1") {
        for theirs in theirs.iter().filter_map(|entry| tree(entry)) {
            unite(ours, theirs);
        }
        if let Some(claim) = claim {
            changes |= !has_all(ours, claim);
            unite(ours, claim);
        }
    }
    others.push(ours);
    changes.then_some(Value::Array(others))
}

/// Writes entries of other versions of a group at this one. True where there were some. Of one manager there is one entry then.
fn rewrite(entries: &mut Vec<Value>, version: &str) -> bool {
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).map(str::to_owned);
    let group = |version: &str| version.rsplit_once('/').map(|(group, _)| group.to_owned());
    let mut changes = false;
    let mut kept: Vec<Value> = Vec::new();
    for mut entry in std::mem::take(entries) {
        let written = text(&entry, "apiVersion").unwrap_or_default();
        if written != version
            && group(&written) == group(version)
            && let Some(map) = entry.as_object_mut()
        {
            map.insert("apiVersion".to_owned(), version.into());
            changes = true;
        }
        let is_same = |other: &&mut Value| {
            let fields = ["manager", "operation", "subresource", "apiVersion"];
            fields
                .iter()
                .all(|field| text(other, field) == text(&entry, field))
        };
        let into = kept.iter_mut().find(is_same);
        match (
            into.and_then(|other| other.get_mut("fieldsV1")?.as_object_mut()),
            tree(&entry),
        ) {
            (Some(into), Some(tree)) => unite(into, tree),
            _ => kept.push(entry),
        }
    }
    *entries = kept;
    changes
}

/// The version of its kind at which our entry is written; none where we never applied it.
pub fn recorded_version(live: &Object) -> Option<&str> {
    let is_ours = |entry: &&Value| {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        text("manager") == FIELD_MANAGER && text("operation") == "Apply" && text("subresource").is_empty()
    };
    entries(live).find(is_ours)?.get("apiVersion")?.as_str()
}

/// True where a tree has everything that another one has as its own.
fn has_all(tree: &Tree, wanted: &Tree) -> bool {
    wanted.iter().all(|(key, wanted)| {
        let wanted = wanted.as_object();
        tree.get(key)
            .and_then(Value::as_object)
            .is_some_and(|below| match wanted.is_none_or(Map::is_empty) {
                true => below.is_empty() || below.contains_key("."),
                false => wanted.is_some_and(|wanted| has_all(below, wanted)),
            })
    })
}

/// Takes out what a claim names. True where something went.
fn subtract(tree: &mut Tree, claim: &Tree) -> bool {
    let mut went = false;
    for (key, claimed) in claim {
        let leaf = claimed.as_object().is_none_or(Map::is_empty);
        if leaf {
            went |= tree.remove(key).is_some();
            continue;
        }
        let (Some(Value::Object(below)), Some(claimed)) = (tree.get_mut(key), claimed.as_object()) else {
            continue;
        };
        if subtract(below, claimed) {
            went = true;
            // An empty tree would say that all of it is theirs.
            if below.is_empty() {
                tree.remove(key);
            }
        }
    }
    went
}

/// Adds what `theirs` has. An empty tree is the thing itself; next to children that is written as `.`.
pub fn unite(ours: &mut Tree, theirs: &Tree) {
    for (key, theirs) in theirs {
        let Value::Object(theirs) = theirs else { continue };
        match ours.get_mut(key).and_then(Value::as_object_mut) {
            Some(below) => {
                let leaf = below.is_empty() != theirs.is_empty();
                unite(below, theirs);
                if leaf {
                    below.insert(".".to_owned(), json!({}));
                }
            }
            None => drop(ours.insert(key.clone(), Value::Object(theirs.clone()))),
        }
    }
}

/// An object with our label that lost its record of managers ([`crate::applyset::is_unrecorded`]), as one that is to be adopted: what
/// the server would put on record of it, as far as that can have been ours. `recorded` is the record in the server's answer to a
/// tried apply, or that of a tool that restored it.
///
/// The record says of all fields only that they are there. Maps of people's own keys and the entries of keyed lists are what Git
/// writes, and what it drops there is to go. Any other field may be a default, or what another controller decided while the
/// object was used (a number of replicas, an address, an injected certificate): it stays, unless Git has it.
pub fn restored(live: &Object, recorded: &Object) -> Object {
    let source = entries(recorded).filter(|entry| {
        Manager::of(entry).is_some_and(|manager| {
            manager.subresource.is_none() && (manager.restores() || manager.is_before_first_apply())
        })
    });
    let record: Vec<Value> = source
        .map(|entry| {
            let mut entry = entry.clone();
            let kept = tree(&entry).map(|tree| peoples(tree, live)).unwrap_or_default();
            if let Some(map) = entry.as_object_mut() {
                map.insert("fieldsV1".to_owned(), Value::Object(kept));
            }
            entry
        })
        .collect();
    let mut value = live.whole().into_owned();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), Value::Array(record));
    }
    Object::new(value).unwrap_or_else(|_| live.clone())
}

/// Of the fields of a whole object those that people write as their own.
fn peoples(all: &Tree, live: &Object) -> Tree {
    let mut kept = Tree::new();
    for (key, below) in all {
        let Value::Object(below) = below else { continue };
        let below = match key.as_str() {
            "f:data" | "f:binaryData" | "f:stringData" if live.group().is_empty() => named(below, |_| true),
            "f:metadata" => labels(below),
            // What admission adds to a Pod, or a controller to an account, is what makes it work.
            "f:status" | "f:secrets" => continue,
            _ if live.group().is_empty() && live.kind() == "Pod" => continue,
            _ => listed(below),
        };
        if !below.is_empty() {
            kept.insert(key.clone(), Value::Object(below));
        }
    }
    kept
}

fn labels(metadata: &Tree) -> Tree {
    let mut kept = Tree::new();
    for part in ["f:labels", "f:annotations"] {
        if let Some(Value::Object(entries)) = metadata.get(part) {
            let entries = named(entries, |name| !is_the_systems(name));
            if !entries.is_empty() {
                kept.insert(part.to_owned(), Value::Object(entries));
            }
        }
    }
    kept
}

/// `deployment.kubernetes.io/revision`, but not `app.kubernetes.io/name`, which people write.
fn is_the_systems(name: &str) -> bool {
    let domain = name.split_once('/').map_or("", |(domain, _)| domain);
    let within = |root: &str| domain == root || domain.ends_with(&format!(".{root}"));
    domain != "app.kubernetes.io" && (within("kubernetes.io") || within("k8s.io"))
}

fn named(entries: &Tree, keep: impl Fn(&str) -> bool) -> Tree {
    let kept = entries
        .iter()
        .filter(|(key, _)| key.strip_prefix("f:").is_some_and(&keep));
    kept.map(|(key, below)| (key.clone(), below.clone())).collect()
}

/// The entries of keyed lists, at every depth, without what is in them.
fn listed(tree: &Tree) -> Tree {
    let mut kept = Tree::new();
    for (key, below) in tree {
        let Value::Object(below) = below else { continue };
        let is_entry = key.starts_with("k:");
        let mut below = listed(below);
        if is_entry {
            below.insert(".".to_owned(), json!({}));
        }
        if !below.is_empty() {
            kept.insert(key.clone(), Value::Object(below));
        }
    }
    kept
}

pub(crate) fn entries(live: &Object) -> impl Iterator<Item = &Value> {
    live.record().and_then(Value::as_array).into_iter().flatten()
}

fn tree(entry: &Value) -> Option<&Tree> {
    entry.get("fieldsV1").and_then(Value::as_object)
}

#[cfg(test)]
mod tests;
