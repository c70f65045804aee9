//! Field managers: who the API server has on record for a field, and how that record changes hands.
//!
//! `metadata.managedFields` has one entry for each manager, with a tree of the fields that it owns. Whoever applied an object
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
/// a whole. Nobody of the former where we have applied it already: whoever deploys it then is a rival, not a predecessor.
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

/// `managedFields` with everything of `from` in our own entry; none where nothing of it is on record.
pub fn taken_over(live: &Object, from: &[Manager]) -> Option<Value> {
    let (mut ours, mut theirs, mut others) = (None, Vec::new(), Vec::new());
    for entry in entries(live) {
        match Manager::of(entry) {
            Some(manager) if manager.is_us() && manager.operation == Operation::Apply => {
                ours = Some(entry.clone())
            }
            Some(manager) if from.contains(&manager) => theirs.push(entry),
            Some(_) | None => others.push(entry.clone()),
        }
    }
    let first = theirs.first()?;
    let mut ours = ours.unwrap_or_else(|| {
        json!({
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "apiVersion": first.get("apiVersion").cloned().unwrap_or_else(|| live.api_version().into()),
            "time": first.get("time"),
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        })
    });
    for entry in theirs {
        if let (Some(Value::Object(ours)), Some(theirs)) = (ours.get_mut("fieldsV1"), tree(entry)) {
            unite(ours, theirs);
        }
    }
    others.push(ours);
    Some(Value::Array(others))
}

/// Adds what `theirs` has. An empty tree is the thing itself; next to children that is written as `.`.
fn unite(ours: &mut Tree, theirs: &Tree) {
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
mod tests {
    use super::*;

    fn live(entries: Value) -> Object {
        Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "managedFields": entries}}))
            .unwrap()
    }

    fn entry(name: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": name, "operation": operation, "apiVersion": "v1", "fieldsV1": fields})
    }

    fn names(live: &Object) -> Vec<String> {
        predecessors(live, None).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn who_deployed_before_is_taken_over() {
        let applied_as_robot =
            json!({"f:metadata": {"f:annotations": {".": {}, LAST_APPLIED: {}}}, "f:data": {"f:a": {}}});
        let mut status = entry("helm", "Update", json!({"f:status": {}}));
        status["subresource"] = "status".into();
        let object = live(json!([
            entry("helm", "Update", json!({"f:data": {"f:a": {}}})),
            entry("robot", "Update", applied_as_robot),
            entry("argocd-controller", "Apply", json!({"f:data": {}})),
            entry("kubectl-edit", "Update", json!({"f:data": {"f:b": {}}})),
            entry("some-operator", "Update", json!({"f:data": {"f:c": {}}})),
            status,
        ]));
        assert_eq!(names(&object), ["argocd-controller (apply)", "helm", "robot"]);
        let only = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            predecessors(&object, Some(&names)).len()
        };
        assert_eq!((only(&["some-operator"]), only(&[])), (1, 0));
    }

    #[test]
    fn once_it_is_ours_the_others_are_rivals() {
        let ours = entry("sluice", "Apply", json!({"f:data": {"f:a": {}}}));
        let object = live(json!([
            entry("helm", "Update", json!({"f:data": {"f:b": {}}})),
            ours
        ]));
        assert_eq!(names(&object), Vec::<String>::new());
        let replaced = live(json!([entry("sluice", "Update", json!({"f:data": {"f:a": {}}}))]));
        assert_eq!(names(&replaced), ["sluice"]);
    }

    #[test]
    fn their_fields_become_ours() {
        let object = live(json!([
            entry(
                "helm",
                "Update",
                json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:spec": {"f:x": {"f:y": {}}}})
            ),
            entry("hpa", "Update", json!({"f:spec": {"f:replicas": {}}})),
            entry(
                "sluice",
                "Apply",
                json!({"f:data": {"f:a": {}, "f:c": {}}, "f:spec": {"f:x": {}}})
            ),
        ]));
        let helm = Manager {
            name: "helm".to_owned(),
            operation: Operation::Update,
            subresource: None,
        };
        let record = taken_over(&object, std::slice::from_ref(&helm)).unwrap();
        assert_eq!(
            record,
            json!([
                entry("hpa", "Update", json!({"f:spec": {"f:replicas": {}}})),
                entry(
                    "sluice",
                    "Apply",
                    json!({"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:c": {}}, "f:spec": {"f:x": {".": {}, "f:y": {}}}})
                ),
            ])
        );
        assert_eq!(taken_over(&live(record), &[helm]), None);
    }

    /// Reported: after `managedFields: [{}]` the keys that Git dropped stayed for ever, and the object was Synced.
    #[test]
    fn what_was_lost_is_taken_up_as_far_as_people_write_it() {
        let wiped = |kind: &str, api_version: &str| {
            let metadata = json!({"name": "a", "labels": {PART_OF_LABEL: "applyset-a-v1"}});
            Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).unwrap()
        };
        let answer = |fields: Value| {
            live(json!([
                entry("before-first-apply", "Update", fields),
                entry("sluice", "Apply", json!({"f:metadata": {"f:labels": {}}})),
            ]))
        };
        let fields = |object: &Object| entries(object).next().map(|entry| entry["fieldsV1"].clone());
        let everything = json!({
            "f:metadata": {
                "f:finalizers": {".": {}, "v:\"x\"": {}}, "f:ownerReferences": {"k:{\"uid\":\"1\"}": {}},
                "f:labels": {".": {}, "f:app": {}, "f:app.kubernetes.io/name": {}, "f:applyset.kubernetes.io/part-of": {}},
                "f:annotations": {"f:deployment.kubernetes.io/revision": {}, "f:note": {}},
            },
            "f:spec": {"f:replicas": {}, "f:containers": {
                "k:{\"name\":\"a\"}": {".": {}, "f:image": {}, "f:env": {"k:{\"name\":\"E\"}": {".": {}, "f:value": {}}}}}},
            "f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {}}},
        });
        let metadata = json!({"f:labels": {"f:app": {}, "f:app.kubernetes.io/name": {}}, "f:annotations": {"f:note": {}}});
        let deployment = restored(&wiped("Deployment", "apps/v1"), &answer(everything.clone()));
        let container = json!({".": {}, "f:env": {"k:{\"name\":\"E\"}": {".": {}}}});
        assert_eq!(
            fields(&deployment),
            Some(
                json!({"f:metadata": metadata, "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": container}}})
            )
        );
        assert_eq!(names(&deployment), ["before-first-apply"]);
        let pod = restored(&wiped("Pod", "v1"), &answer(everything));
        assert_eq!(fields(&pod), Some(json!({"f:metadata": metadata})));
        let data = json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}});
        let config = restored(&wiped("ConfigMap", "v1"), &answer(data.clone()));
        assert_eq!(fields(&config), Some(json!({"f:data": {"f:a": {}, "f:b": {}}})));
        // Out of a backup: the record of the tool that restored it.
        let object = wiped("ConfigMap", "v1");
        let velero = restored(&object, &live(json!([entry("velero-server", "Update", data)])));
        assert_eq!(fields(&velero), Some(json!({"f:data": {"f:a": {}, "f:b": {}}})));
        assert_eq!(names(&velero), ["velero-server"]);
    }

    #[test]
    fn hands_and_autoscalers_are_told_apart() {
        let manager = |name: &str, operation, subresource: Option<&str>| Manager {
            name: name.to_owned(),
            operation,
            subresource: subresource.map(str::to_owned),
        };
        let hpa = manager("kube-controller-manager", Operation::Update, Some("scale"));
        assert!(hpa.is_autoscaler() && !hpa.is_by_hand());
        let person = manager("kubectl", Operation::Update, Some("scale"));
        assert!(person.is_by_hand() && !person.is_autoscaler());
        assert!(manager("kubectl-edit", Operation::Update, None).is_by_hand());
        assert!(!manager("kubectl", Operation::Apply, None).is_by_hand());
        assert_eq!(person.to_string(), "kubectl through scale");
    }
}
