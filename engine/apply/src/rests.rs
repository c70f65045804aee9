//! Which steps of a plan a refusal rests on, and what these need first. A function of the plan, of the refusal, and of what the
//! cluster says about the webhooks and policies that the refusal names ([`Gates`]).
//!
//! A refusal that rests on nothing of the plan is final. One that rests on something is no answer yet: the object is rehearsed
//! again when that is done. So a step counts only where it can make a difference: another quota of the namespace, a role for
//! another account, a new label on a policy do not.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use sluice_cluster::Kind;
use sluice_model::layer::{self, Layer};
use sluice_model::object::{GroupKind, Object};
use sluice_model::plan::{Action, Step};
use sluice_model::quantity::Quantity;

use crate::grounds::{Ground, Right};
use crate::step::Ready;

mod backend;

pub(crate) use backend::services;
use backend::{is_behind, mends, service, sets};

/// What the cluster has behind the names in refusals, before the plan changes it.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// Every admission webhook, where one was named.
    pub(crate) webhooks: Vec<LiveWebhook>,
    /// The objects that give the policies and bindings their parameters, by policy and binding.
    pub(crate) parameters: BTreeMap<(String, String), Vec<Parameter>>,
    /// What Services choose, by namespace and name.
    pub(crate) selectors: BTreeMap<(String, String), Value>,
    /// Who answers for an aggregated API, by group and version.
    pub(crate) apis: BTreeMap<(String, String), (String, String)>,
    /// Every binding of a role, where something that answers was named.
    pub(crate) bindings: Vec<Object>,
}

/// A webhook as it is.
#[derive(Debug)]
pub(crate) struct LiveWebhook {
    /// The kind and the name of the configuration that has it.
    pub(crate) configuration: (String, String),
    /// Its entry there.
    pub(crate) entry: Value,
}

/// Where an admission policy takes its parameters from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) kind: GroupKind,
    /// None where a selector chooses.
    pub(crate) name: Option<String>,
    /// None where they are in the namespace of what is admitted, or in none.
    pub(crate) namespace: Option<String>,
}

const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// The steps that a refusal of the step at `index` rests on.
pub(crate) fn on(
    steps: &[Ready<'_>],
    index: usize,
    grounds: &[Ground],
    message: &str,
    gates: &Gates,
) -> BTreeSet<usize> {
    let Some(refused) = steps.get(index) else {
        return BTreeSet::new();
    };
    let words = words(message);
    let mut all = BTreeSet::new();
    for ground in grounds {
        let relaxed = match ground {
            Ground::Webhook { name, .. } => relaxations(steps, name, gates),
            _ => BTreeSet::new(),
        };
        if !relaxed.is_empty() {
            all.extend(relaxed);
            continue;
        }
        let others = steps.iter().enumerate().filter(|(at, _)| *at != index);
        let found: BTreeSet<usize> = others
            .filter(|(_, other)| is_provider(refused, other, steps, ground, message, &words, gates))
            .map(|(at, _)| at)
            .collect();
        all.extend(found);
    }
    if let Some(Ground::Quota { .. }) = grounds.first()
        && all.is_empty()
    {
        all.extend(frees(steps, index));
    }
    all
}

/// The earlier steps that a step needs where it is done before its turn.
pub(crate) fn needs(steps: &[Ready<'_>], index: usize, gates: &Gates) -> BTreeSet<usize> {
    let Some((ready, object)) = steps
        .get(index)
        .and_then(|ready| Some((ready, ready.object.as_ref()?)))
    else {
        return BTreeSet::new();
    };
    if is_webhooks(ready.step) && is_laxer(ready, gates) {
        return BTreeSet::new();
    }
    let mut texts = HashSet::new();
    leaves(object.value(), &mut texts);
    let backends: Vec<(String, String)> = services(object.value());
    let named = |other: &Ready<'_>| {
        let reference = &other.step.object;
        other.object.is_some()
            && texts.contains(reference.name.as_str())
            && (reference.namespace.is_none() || reference.namespace.as_deref() == object.namespace())
    };
    let defines = |other: &Ready<'_>| {
        let kinds = other.object.iter().flat_map(Kind::defined_by);
        kinds
            .into_iter()
            .any(|kind| kind.group_kind() == object.group_kind())
    };
    let serves = |other: &Ready<'_>| backends.iter().any(|service| mends(other, service, steps, gates));
    let others = steps.iter().enumerate().filter(|(at, _)| *at != index);
    others
        .filter(|(at, other)| *at < index && (named(other) || defines(other)) || serves(other))
        .map(|(at, _)| at)
        .collect()
}

/// True for a step that may be done before the wave that it stands in: what limits and admits things, and deletions, but not what
/// runs.
pub(crate) fn is_movable(step: &Step) -> bool {
    matches!(step.action, Action::Delete { .. }) || Layer::of(&step.object) != Layer::Work
}

/// True for what has to run before it makes a difference.
pub(crate) fn runs(step: &Step) -> bool {
    matches!(step.action, Action::Apply { .. }) && Layer::of(&step.object) == Layer::Work
}

fn is_provider(
    refused: &Ready<'_>,
    other: &Ready<'_>,
    steps: &[Ready<'_>],
    ground: &Ground,
    message: &str,
    words: &HashSet<&str>,
    gates: &Gates,
) -> bool {
    let (step, target) = (other.step, &refused.step.object);
    let object = &step.object;
    let is = |group: &str, kind: &str| object.group == group && object.kind == kind;
    let beside = object.namespace == target.namespace;
    let home = || is("", "Namespace") && Some(object.name.as_str()) == target.namespace.as_deref();
    let labelled = || home() && is_changed(step, "/metadata/labels");
    let new = step.precondition.is_none() && other.object.is_some();
    match ground {
        Ground::Kind => {
            let kinds = other.object.iter().flat_map(Kind::defined_by);
            is_changed(step, "/spec")
                && kinds
                    .into_iter()
                    .any(|kind| kind.group_kind() == target.group_kind())
        }
        Ground::Api => {
            let version = (target.group.clone(), target.version.clone());
            let spec = other
                .object
                .as_ref()
                .and_then(|object| object.value().get("spec"));
            let text = |key: &str| spec.and_then(|spec| spec.get(key)?.as_str()).unwrap_or_default();
            is("apiregistration.k8s.io", "APIService")
                && (text("group"), text("version")) == (target.group.as_str(), target.version.as_str())
                || gates
                    .apis
                    .get(&version)
                    .is_some_and(|service| mends(other, service, steps, gates))
        }
        Ground::Namespace(name) => new && is("", "Namespace") && object.name == *name,
        Ground::Quota { name, limited } => {
            beside
                && is("", "ResourceQuota")
                && is_changed(step, "/spec")
                && name.as_deref().is_none_or(|name| name == object.name)
                && raises(other, limited)
        }
        Ground::Limits => beside && is("", "LimitRange") && is_changed(step, "/spec"),
        Ground::Standards => labelled(),
        Ground::Policy { policy, binding } => {
            let part = match object.kind.as_str() {
                "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => object.name == *policy,
                "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding" => {
                    object.name == *binding
                }
                _ => false,
            };
            let parameters = gates.parameters.get(&(policy.clone(), binding.clone()));
            let parameter = parameters.into_iter().flatten().any(|parameter| {
                let namespace = parameter.namespace.as_deref().or(target.namespace.as_deref());
                parameter.kind == object.group_kind()
                    && parameter.name.as_ref().is_none_or(|name| *name == object.name)
                    && (object.namespace.is_none() || object.namespace.as_deref() == namespace)
            });
            labelled() || object.group == ADMISSION && part && is_changed(step, "/spec") || parameter
        }
        Ground::Webhook {
            name,
            service,
            denied,
        } => {
            let live = || gates.webhooks.iter().filter(|webhook| webhook.name() == name);
            let behind = live().filter_map(LiveWebhook::service).chain(service.clone());
            // What answers is there, and has an opinion: what it is set up with may change that, and what it runs on does not.
            let changes_it = |service: &(String, String)| match denied {
                true => is_behind(other, service, &[], gates) || sets(other, service, steps),
                false => mends(other, service, steps, gates),
            };
            // A policy of a policy engine: the refusal names it.
            let rule = !layer::is_builtin(&object.group)
                && words.contains(object.name.as_str())
                && is_changed(step, "/spec")
                && message.contains("denied");
            labelled()
                || live().any(|webhook| webhook.is_of(step)) && is_changed(step, "/webhooks")
                || behind.into_iter().any(|service| changes_it(&service))
                || rule
        }
        Ground::Conversion(service) => {
            is_provider(refused, other, steps, &Ground::Kind, message, words, gates)
                || service
                    .as_ref()
                    .is_some_and(|service| mends(other, service, steps, gates))
        }
        Ground::Right(right) => grants(other, target.namespace.as_deref(), right),
        Ground::Missing => {
            // The account that every namespace has comes a moment after it.
            let default = new && home() && message.contains("serviceaccount \"default\" not found");
            let reachable = object.namespace.is_none() || beside;
            default || new && reachable && is_named(object, message, words)
        }
    }
}

/// `serviceaccount "robot" not found`, `no PriorityClass with name urgent was found`.
fn is_named(object: &sluice_model::ObjectRef, message: &str, words: &HashSet<&str>) -> bool {
    words.contains(object.name.as_str())
        && (message.to_lowercase().contains(&object.kind.to_lowercase())
            || ['"', '\'', '`'].iter().any(|quote| {
                let quoted = format!("{}{quote}", object.name);
                message.contains(&format!("{quote}{quoted}")) || message.contains(&format!("/{quoted}"))
            }))
}

/// Configurations of the webhook that will not hold anything up any longer: they take it away, or let pass what it does not answer.
fn relaxations(steps: &[Ready<'_>], name: &str, gates: &Gates) -> BTreeSet<usize> {
    let relaxes = |ready: &Ready<'_>| {
        let mut live = gates.webhooks.iter().filter(|webhook| webhook.name() == name);
        is_webhooks(ready.step) && live.any(|webhook| webhook.is_of(ready.step)) && is_laxer(ready, gates)
    };
    steps
        .iter()
        .enumerate()
        .filter(|(_, ready)| relaxes(ready))
        .map(|(at, _)| at)
        .collect()
}

/// True where a webhook configuration only lets go: it is deleted, has fewer webhooks, or ignores where it failed.
fn is_laxer(ready: &Ready<'_>, gates: &Gates) -> bool {
    let Some(object) = &ready.object else {
        return true;
    };
    let before: Vec<&LiveWebhook> = gates
        .webhooks
        .iter()
        .filter(|webhook| webhook.is_of(ready.step))
        .collect();
    let after = object
        .value()
        .get("webhooks")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let kept = after.iter().all(|entry| {
        let mut was = before
            .iter()
            .filter(|webhook| Some(webhook.name()) == entry.get("name").and_then(Value::as_str));
        was.any(|webhook| is_no_stricter(entry, &webhook.entry))
    });
    let ignores = |entry: &Value| entry.get("failurePolicy").and_then(Value::as_str) == Some("Ignore");
    let fewer = after.len() < before.len();
    let ignored = |was: &[&LiveWebhook]| was.iter().filter(|webhook| ignores(&webhook.entry)).count();
    kept && (fewer || after.iter().filter(|entry| ignores(entry)).count() > ignored(&before))
}

/// True where nothing but the failure policy of a webhook differs.
fn is_no_stricter(entry: &Value, was: &Value) -> bool {
    const NARROWS: &[&str] = &["namespaceSelector", "objectSelector", "matchConditions"];
    let Some(fields) = entry.as_object() else {
        return false;
    };
    let is_set = |value: Option<&Value>| match value {
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) | None => false,
    };
    let narrows = |field: &&str| is_set(was.get(*field)) && entry.get(*field).is_none();
    let ignores = entry.get("failurePolicy").and_then(Value::as_str) == Some("Ignore");
    !NARROWS.iter().any(narrows)
        && fields.iter().all(|(field, value)| {
            field == "failurePolicy" && ignores || was.get(field).is_some_and(|was| is_covered(value, was))
        })
}

/// True where all that one value says is so in the other.
fn is_covered(value: &Value, by: &Value) -> bool {
    match (value, by) {
        (Value::Object(fields), Value::Object(others)) => fields
            .iter()
            .all(|(key, value)| others.get(key).is_some_and(|other| is_covered(value, other))),
        (Value::Array(items), Value::Array(others)) => {
            items.len() == others.len()
                && items
                    .iter()
                    .zip(others)
                    .all(|(item, other)| is_covered(item, other))
        }
        (value, other) => value == other,
    }
}

impl LiveWebhook {
    fn name(&self) -> &str {
        self.entry.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    fn is_of(&self, step: &Step) -> bool {
        let (kind, name) = &self.configuration;
        step.object.group == ADMISSION && step.object.kind == *kind && step.object.name == *name
    }

    /// Namespace and name of the Service that answers for it.
    pub(crate) fn service(&self) -> Option<(String, String)> {
        service(self.entry.get("clientConfig")?)
    }
}

fn is_webhooks(step: &Step) -> bool {
    step.object.group == ADMISSION && step.object.kind.ends_with("WebhookConfiguration")
}

/// True where a step changes anything at or below a field; what is created, deleted or not known in detail does.
fn is_changed(step: &Step, field: &str) -> bool {
    match &step.action {
        Action::Delete { begun, .. } => !begun,
        Action::Apply { .. } => {
            step.precondition.is_none()
                || step.changes.is_empty()
                || step.changes.iter().any(|change| match field {
                    "" => !change.pointer.starts_with("/metadata"),
                    field => change.pointer.starts_with(field),
                })
        }
    }
}

/// True where a quota gives more of anything that it was exceeded in, or does not limit it any longer.
fn raises(quota: &Ready<'_>, limited: &[(String, String)]) -> bool {
    let Some(object) = &quota.object else {
        return true;
    };
    let hard = object.value().pointer("/spec/hard");
    limited.is_empty()
        || limited.iter().any(|(resource, limit)| {
            let now = hard.and_then(|hard| hard.get(resource));
            let quantities = now.and_then(Quantity::of).zip(Quantity::parse(limit.trim()));
            // What cannot be compared is left to the server.
            quantities.is_none_or(|(now, limit)| now.is_more_than(&limit))
        })
}

/// Deletions that make room in a quota: of objects of the same kind in the same namespace.
fn frees(steps: &[Ready<'_>], index: usize) -> BTreeSet<usize> {
    let Some(refused) = steps.get(index).map(|ready| &ready.step.object) else {
        return BTreeSet::new();
    };
    let is_beside = |step: &Step| {
        matches!(step.action, Action::Delete { begun: false, .. })
            && step.object.group_kind() == refused.group_kind()
            && step.object.namespace == refused.namespace
    };
    steps
        .iter()
        .enumerate()
        .filter(|(_, ready)| is_beside(ready.step))
        .map(|(at, _)| at)
        .collect()
}

/// True where a step may give an account a right in a namespace.
fn grants(other: &Ready<'_>, namespace: Option<&str>, right: &Right) -> bool {
    let (reference, Some(object)) = (&other.step.object, &other.object) else {
        return false;
    };
    let reaches = reference.namespace.is_none() || reference.namespace.as_deref() == namespace;
    if reference.group != RBAC || !reaches {
        return false;
    }
    match reference.kind.as_str() {
        "RoleBinding" | "ClusterRoleBinding" => {
            let subjects = object.value().get("subjects").and_then(Value::as_array);
            let home = reference.namespace.as_deref();
            subjects
                .into_iter()
                .flatten()
                .any(|subject| is_subject(subject, home, right))
        }
        // A new role gives nothing until it is bound, and then the binding counts.
        _ => other.step.precondition.is_some() && is_changed(other.step, "/rules") && covers(object, right),
    }
}

fn is_subject(subject: &Value, home: Option<&str>, right: &Right) -> bool {
    let text = |key: &str| subject.get(key).and_then(Value::as_str);
    let name = text("name").unwrap_or_default();
    match text("kind") {
        Some("ServiceAccount") => {
            let namespace = text("namespace").or(home).unwrap_or_default();
            right.user == format!("system:serviceaccount:{namespace}:{name}")
        }
        Some("User") => right.user == name,
        Some("Group") => {
            let account = right.user.strip_prefix("system:serviceaccount:");
            let of_namespace = account
                .and_then(|account| account.split_once(':'))
                .map(|(namespace, _)| format!("system:serviceaccounts:{namespace}"));
            name == "system:authenticated"
                || account.is_some() && name == "system:serviceaccounts"
                || of_namespace.as_deref() == Some(name)
                || right.groups.iter().any(|group| group == name)
        }
        _ => false,
    }
}

fn covers(role: &Object, right: &Right) -> bool {
    let Some((verb, resource, group)) = &right.access else {
        return true;
    };
    let has = |rule: &Value, key: &str, wanted: &str| {
        let values = rule.get(key).and_then(Value::as_array);
        values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|value| value == "*" || value == wanted)
    };
    let rules = role.value().get("rules").and_then(Value::as_array);
    rules.into_iter().flatten().any(|rule| {
        has(rule, "verbs", verb) && has(rule, "resources", resource) && has(rule, "apiGroups", group)
    })
}

/// The words of a text that could be names of objects.
fn words(message: &str) -> HashSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    message
        .split(|c: char| !is_name(c))
        .map(|word| word.trim_matches(['.', ':', '-']))
        .filter(|word| !word.is_empty())
        .collect()
}

fn leaves<'v>(value: &'v Value, texts: &mut HashSet<&'v str>) {
    match value {
        Value::String(text) => drop(texts.insert(text)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
