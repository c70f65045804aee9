//! What the server cannot judge before something else of the plan is done, as far as the plan itself tells: objects of a namespace
//! or a kind that it brings, Pods that name a class or an account that it brings, and what a quota or a range of limits that it changes
//! may stand in the way of.
//!
//! `apply` finds out more (policies, webhooks, rights): the server names what refuses an object.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_model::ObjectRef;
use sluice_model::object::GroupKind;
use sluice_model::plan::{Action, Step};

use crate::order;

/// Notes for every step on which others it rests.
pub(crate) fn note(steps: &mut [Step]) {
    let brings = Brings::of(steps);
    if brings.is_nothing() {
        return;
    }
    for step in steps {
        if matches!(step.action, Action::Apply { .. }) {
            step.rests_on = brings.for_step(step);
        }
    }
}

/// What a plan brings that others may rest on.
#[derive(Default)]
struct Brings {
    namespaces: BTreeMap<String, ObjectRef>,
    kinds: BTreeMap<GroupKind, ObjectRef>,
    /// Classes and accounts, by kind, namespace and name: admission refuses a Pod that names one that is not there.
    named: BTreeMap<(String, String, String), ObjectRef>,
    /// By namespace: the quota or range, and the resources that a quota counts.
    limits: BTreeMap<String, Vec<(ObjectRef, Vec<String>)>>,
}

impl Brings {
    fn of(steps: &[Step]) -> Self {
        let mut brings = Self::default();
        for step in steps {
            let Action::Apply { manifest, .. } = &step.action else {
                continue;
            };
            let (object, new) = (&step.object, step.precondition.is_none());
            match (object.group.as_str(), object.kind.as_str()) {
                ("", "Namespace") if new => {
                    drop(brings.namespaces.insert(object.name.clone(), object.clone()))
                }
                ("apiextensions.k8s.io", "CustomResourceDefinition") if new => {
                    let kind = order::defined_by(manifest);
                    brings.kinds.extend(kind.map(|kind| (kind, object.clone())));
                }
                ("scheduling.k8s.io", "PriorityClass")
                | ("node.k8s.io", "RuntimeClass")
                | ("", "ServiceAccount")
                    if new =>
                {
                    let namespace = object.namespace.clone().unwrap_or_default();
                    let key = (object.kind.clone(), namespace, object.name.clone());
                    brings.named.insert(key, object.clone());
                }
                ("", "ResourceQuota" | "LimitRange") => {
                    let hard = manifest.pointer("/spec/hard").and_then(Value::as_object);
                    let counted = hard.into_iter().flat_map(|hard| hard.keys().cloned()).collect();
                    let namespace = object.namespace.clone().unwrap_or_default();
                    brings
                        .limits
                        .entry(namespace)
                        .or_default()
                        .push((object.clone(), counted));
                }
                _ => {}
            }
        }
        brings
    }

    fn is_nothing(&self) -> bool {
        self.namespaces.is_empty() && self.kinds.is_empty() && self.named.is_empty() && self.limits.is_empty()
    }

    fn for_step(&self, step: &Step) -> Vec<ObjectRef> {
        let object = &step.object;
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let mut on = Vec::from_iter(self.namespaces.get(namespace).cloned());
        on.extend(self.kinds.get(&object.group_kind()).cloned());
        on.extend(self.named_by(step));
        let limits = self.limits.get(namespace).into_iter().flatten();
        let limited = limits.filter(|(limit, counted)| {
            limit != object && step.precondition.is_none() && is_limited(object, limit, counted)
        });
        on.extend(limited.map(|(limit, _)| limit.clone()));
        on
    }
}

/// What a Pod names, and where: in its namespace or none.
const NAMED_BY_PODS: [(&str, &str, bool); 3] = [
    ("/spec/priorityClassName", "PriorityClass", false),
    ("/spec/runtimeClassName", "RuntimeClass", false),
    ("/spec/serviceAccountName", "ServiceAccount", true),
];

impl Brings {
    /// The classes and the account of a Pod.
    fn named_by(&self, step: &Step) -> Vec<ObjectRef> {
        let Action::Apply { manifest, .. } = &step.action else {
            return Vec::new();
        };
        if step.object.kind != "Pod" || !step.object.group.is_empty() {
            return Vec::new();
        }
        let named = NAMED_BY_PODS.iter().filter_map(|(pointer, kind, is_namespaced)| {
            let name = manifest.pointer(pointer)?.as_str()?;
            let namespace = step.object.namespace.clone().filter(|_| *is_namespaced);
            let key = ((*kind).to_owned(), namespace.unwrap_or_default(), name.to_owned());
            self.named.get(&key).cloned()
        });
        named.collect()
    }
}

/// True where a quota that counts these resources, or a range of limits, is about objects of a kind.
fn is_limited(object: &ObjectRef, limit: &ObjectRef, counted: &[String]) -> bool {
    const COMPUTE: &[&str] = &["cpu", "memory", "requests.", "limits.", "hugepages-"];
    if !sluice_model::layer::is_builtin(&object.group) && limit.kind == "LimitRange" {
        return false;
    }
    let kind = object.kind.to_lowercase();
    match (limit.kind.as_str(), kind.as_str()) {
        ("LimitRange", kind) => matches!(kind, "pod" | "persistentvolumeclaim"),
        (_, kind) => counted.iter().any(|resource| {
            let is_counted = resource.trim_start_matches("count/").starts_with(kind);
            let is_computed = kind == "pod" && COMPUTE.iter().any(|prefix| resource.starts_with(prefix));
            is_counted || is_computed || kind == "persistentvolumeclaim" && resource.ends_with("storage")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::object::Object;

    fn step(manifest: Value, is_live: bool) -> Step {
        let reference = Object::new(manifest.clone()).unwrap().reference();
        let mut step = json!({
            "phase": "Sync", "wave": 0, "object": reference,
            "action": {"do": "apply", "strategy": "server-side-apply", "force": false, "validate": true, "deleteFirst": false,
                "manifest": manifest},
        });
        if is_live {
            step["precondition"] = json!({"uid": "u"});
        }
        serde_json::from_value(step).unwrap()
    }

    fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Value {
        let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        if let Some(namespace) = namespace {
            value["metadata"]["namespace"] = namespace.into();
        }
        value
    }

    #[test]
    fn what_a_plan_brings_is_what_others_rest_on() {
        let mut quota = object("v1", "ResourceQuota", Some("shop"), "limits");
        quota["spec"] = json!({"hard": {"count/secrets": "4", "cpu": "2"}});
        let mut crd = object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            None,
            "realms.example.com",
        );
        crd["spec"] = json!({"group": "example.com", "names": {"kind": "Realm"}});
        let mut pod = object("v1", "Pod", Some("other"), "b");
        pod["spec"] =
            json!({"priorityClassName": "high", "runtimeClassName": "old", "serviceAccountName": "robot"});
        let mut steps = vec![
            step(object("v1", "Namespace", None, "new"), false),
            step(object("v1", "Namespace", None, "shop"), true),
            step(crd, false),
            step(quota, true),
            step(object("v1", "Secret", Some("shop"), "a"), false),
            step(object("v1", "Secret", Some("shop"), "there"), true),
            step(object("v1", "ConfigMap", Some("shop"), "a"), false),
            step(object("v1", "Pod", Some("shop"), "a"), false),
            step(object("example.com/v1", "Realm", Some("new"), "a"), false),
            step(
                object("scheduling.k8s.io/v1", "PriorityClass", None, "high"),
                false,
            ),
            step(object("node.k8s.io/v1", "RuntimeClass", None, "old"), true),
            step(object("v1", "ServiceAccount", Some("other"), "robot"), false),
            step(pod, false),
        ];
        note(&mut steps);
        let on = |step: &Step| {
            step.rests_on
                .iter()
                .map(|on| on.name.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let seen: Vec<String> = steps.iter().map(on).collect();
        assert_eq!(
            seen,
            [
                "",
                "",
                "",
                "",
                "limits",
                "",
                "",
                "limits",
                "new realms.example.com",
                "",
                "",
                "",
                "high robot",
            ]
        );
    }
}
