//! What can bring back, or change the mind of, the program behind a Service: of a webhook, a conversion or an aggregated API.

use serde_json::Value;
use sluice_model::layer::Layer;
use sluice_model::object::Object;
use sluice_model::plan::{Action, Step};

use super::{Gates, RBAC, is_changed, is_subject};
use crate::grounds::Right;
use crate::step::Ready;

/// True where a step may bring back what does not answer: it changes something in the namespace of the Service, that namespace, or
/// a right of an account there.
///
/// What a program reads is known to the program only, by its mounts or by asking the server, so that all of its namespace counts.
pub(super) fn mends(
    other: &Ready<'_>,
    service: &(String, String),
    steps: &[Ready<'_>],
    gates: &Gates,
) -> bool {
    let (home, _) = service;
    let reference = &other.step.object;
    if reference.group == RBAC && is_changed(other.step, "") && gives_rights(other, home, steps, gates) {
        return true;
    }
    match reference.namespace.as_deref() {
        None => {
            reference.group.is_empty()
                && reference.kind == "Namespace"
                && reference.name == *home
                && is_changed(other.step, "/metadata/labels")
        }
        Some(namespace) => {
            namespace == home
                && (is_behind(other, service, steps, gates)
                    || is_changed(other.step, "") && is_safe_early(other.step, steps))
        }
    }
}

/// True where a step changes what a program behind a Service may be set up with: the texts of its namespace. A custom object that a
/// denial rests on is named in it.
pub(super) fn sets(other: &Ready<'_>, service: &(String, String), steps: &[Ready<'_>]) -> bool {
    let reference = &other.step.object;
    let is_text = reference.group.is_empty() && matches!(reference.kind.as_str(), "ConfigMap" | "Secret");
    reference.namespace.as_ref() == Some(&service.0)
        && is_text
        && is_changed(other.step, "")
        && is_safe_early(other.step, steps)
}

/// False for a deletion that has to wait: of what runs, and of what may belong to something that runs and goes with this plan.
fn is_safe_early(step: &Step, steps: &[Ready<'_>]) -> bool {
    let runs = |step: &Step| Layer::of(&step.object) == Layer::Work && !is_network_policy(step);
    let is_deletion = |step: &Step| matches!(step.action, Action::Delete { .. });
    let goes_beside = |other: &Ready<'_>| {
        is_deletion(other.step) && runs(other.step) && other.step.object.namespace == step.object.namespace
    };
    !is_deletion(step) || !runs(step) && (is_network_policy(step) || !steps.iter().any(goes_beside))
}

fn is_network_policy(step: &Step) -> bool {
    step.object.group == "networking.k8s.io" && step.object.kind == "NetworkPolicy"
}

/// True for a binding for the accounts of a namespace, and for a role that one of these binds, as they are or as they will be.
fn gives_rights(other: &Ready<'_>, home: &str, steps: &[Ready<'_>], gates: &Gates) -> bool {
    let Some(object) = &other.object else {
        return false;
    };
    if object.kind().ends_with("Binding") {
        return is_for(object, home);
    }
    let planned = steps.iter().filter_map(|ready| ready.object.as_ref());
    let mut bindings = planned
        .filter(|object| object.group() == RBAC && object.kind().ends_with("Binding"))
        .chain(&gates.bindings);
    bindings.any(|binding| {
        let of_role = |key: &str| {
            binding
                .value()
                .pointer(&format!("/roleRef/{key}"))
                .and_then(Value::as_str)
        };
        let reaches = object.namespace().is_none() || object.namespace() == binding.namespace();
        reaches
            && of_role("kind") == Some(object.kind())
            && of_role("name") == Some(object.name())
            && is_for(binding, home)
    })
}

/// True where a binding has an account of a namespace among its subjects.
fn is_for(binding: &Object, home: &str) -> bool {
    let subjects = binding.value().get("subjects").and_then(Value::as_array);
    subjects.into_iter().flatten().any(|subject| {
        let text = |key: &str| subject.get(key).and_then(Value::as_str);
        // Any account there will do, so an account is asked for by its own name.
        let right = Right {
            user: format!(
                "system:serviceaccount:{home}:{}",
                text("name").unwrap_or_default()
            ),
            ..Right::default()
        };
        is_subject(subject, binding.namespace(), &right)
    })
}

pub(super) fn service(config: &Value) -> Option<(String, String)> {
    let service = config.get("service")?;
    let text = |key: &str| service.get(key)?.as_str().map(str::to_owned);
    Some((text("namespace")?, text("name")?))
}

/// The Services that a webhook configuration, a CRD with a conversion or an aggregated API sends requests to.
pub(crate) fn services(object: &Value) -> Vec<(String, String)> {
    let webhooks = object.get("webhooks").and_then(Value::as_array);
    let configs = webhooks
        .into_iter()
        .flatten()
        .filter_map(|webhook| webhook.get("clientConfig"));
    let conversion = object.pointer("/spec/conversion/webhook/clientConfig");
    let is_api = object.get("kind").and_then(Value::as_str) == Some("APIService");
    let api = object.get("spec").filter(|_| is_api);
    configs.chain(conversion).chain(api).filter_map(service).collect()
}

/// True where a step changes the Service, what is behind it, or who gets there.
pub(super) fn is_behind(
    other: &Ready<'_>,
    service: &(String, String),
    steps: &[Ready<'_>],
    gates: &Gates,
) -> bool {
    let (namespace, name) = service;
    let reference = &other.step.object;
    if reference.namespace.as_deref() != Some(namespace) || !is_changed(other.step, "") {
        return false;
    }
    match (reference.group.as_str(), reference.kind.as_str()) {
        ("", "Service" | "Endpoints") => return reference.name == *name,
        ("discovery.k8s.io", "EndpointSlice") => {
            let label = other
                .object
                .as_ref()
                .and_then(|slice| slice.label("kubernetes.io/service-name"));
            return label == Some(name);
        }
        ("networking.k8s.io", "NetworkPolicy") => return true,
        _ => {}
    }
    let Some(object) = &other.object else {
        return false;
    };
    let planned = steps
        .iter()
        .filter_map(|ready| ready.object.as_ref())
        .find(|object| {
            object.group().is_empty()
                && object.kind() == "Service"
                && object.namespace() == Some(namespace)
                && object.name() == name
        });
    let selector = planned
        .and_then(|service| service.value().pointer("/spec/selector"))
        .or_else(|| gates.selectors.get(service));
    let labels = pod_labels(object);
    let chosen = selector
        .and_then(Value::as_object)
        .filter(|selector| !selector.is_empty());
    labels
        .zip(chosen)
        .is_some_and(|(labels, chosen)| chosen.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

fn pod_labels(object: &Object) -> Option<&Value> {
    match object.kind() {
        "Pod" => object.value().pointer("/metadata/labels"),
        _ => object.value().pointer("/spec/template/metadata/labels"),
    }
}
