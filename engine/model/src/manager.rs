//! Field managers: who the API server has on record for a field, and how that record changes hands.
//!
//! `metadata.managedFields` has one entry for each manager, with a tree of the fields that it owns. Whoever applied an object
//! before us stays in there: a field that is in their tree and in ours is kept alive by theirs when Git drops it. So what
//! an earlier deployer wrote is moved into our entry ([`taken_over`]) when an object is adopted; `kubectl` does the same
//! when it goes from client-side to server-side apply.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::application::FIELD_MANAGER;
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
                    None => DEPLOYERS.contains(&manager.name.as_str()) || applies_itself(manager, tree),
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
