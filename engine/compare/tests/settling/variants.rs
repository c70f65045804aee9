//! Manifests with one place set to what says nothing: zero, empty and null values.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sluice_model::object::Object;

/// A manifest with one place changed.
pub(crate) struct Variant {
    /// Where and what, for people.
    pub(crate) what: String,
    /// The same for every manifest of the kind.
    pub(crate) shape: String,
    pub(crate) object: Object,
}

/// Every place of a manifest, set to each value that says nothing for what is there.
pub(crate) fn variants(object: &Object) -> Vec<Variant> {
    let mut places = Vec::new();
    let mut path = Vec::new();
    walk(object.value(), &mut path, &mut places);
    let mut seen = BTreeSet::new();
    let mut variants = Vec::new();
    for (path, value) in places {
        if is_named_schema(&path) {
            continue;
        }
        let shape = shape(&path);
        // A schema has the same few places thousands of times.
        if shape.contains("openAPIV3Schema") && !seen.insert((shape.clone(), value.to_string())) {
            continue;
        }
        let mut changed = object.value().clone();
        let Some(place) = changed.pointer_mut(&pointer(&path)) else {
            continue;
        };
        *place = value.clone();
        if let Ok(changed) = Object::new(changed) {
            variants.push(Variant {
                what: format!("{} {} = {value}", object.reference(), pointer(&path)),
                shape: format!("{} {shape} = {value}", object.group_kind()),
                object: changed,
            });
        }
    }
    variants
}

fn walk(value: &Value, path: &mut Vec<String>, places: &mut Vec<(Vec<String>, Value)>) {
    let identity = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["apiVersion" | "kind", ..] | ["metadata", "name" | "namespace"] => return,
        [] | ["metadata"] => true,
        _ => false,
    };
    if !identity {
        let nothing = match value {
            Value::String(_) => vec![json!(""), Value::Null],
            Value::Number(_) => vec![json!(0), Value::Null],
            Value::Bool(_) => vec![json!(false), Value::Null],
            Value::Array(_) => vec![json!([]), Value::Null],
            Value::Object(_) => vec![json!({}), Value::Null],
            Value::Null => Vec::new(),
        };
        let others = nothing.into_iter().filter(|nothing| nothing != value);
        places.extend(others.map(|nothing| (path.clone(), nothing)));
    }
    let mut below = |part: String, value: &Value| {
        path.push(part);
        walk(value, path, places);
        path.pop();
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(name.clone(), value)),
        Value::Array(entries) => entries
            .iter()
            .enumerate()
            .for_each(|(index, value)| below(index.to_string(), value)),
        _ => {}
    }
}

/// True for the schema of one property, which means nothing without its type. What is in it is what there is to set.
fn is_named_schema(path: &[String]) -> bool {
    let parent = path.len().checked_sub(2).and_then(|at| path.get(at));
    path.iter().any(|part| part == "openAPIV3Schema") && parent.is_some_and(|parent| parent == "properties")
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// The place without indexes, and of a schema only its end.
fn shape(path: &[String]) -> String {
    let names: Vec<&str> = path
        .iter()
        .map(|part| match part.parse::<usize>() {
            Ok(_) => "*",
            Err(_) => part.as_str(),
        })
        .collect();
    match names.iter().position(|name| *name == "openAPIV3Schema") {
        Some(at) => {
            let (before, schema) = names.split_at(at + 1);
            let end = schema.last().copied().unwrap_or_default();
            format!("{}/…/{end}", before.join("/"))
        }
        None => names.join("/"),
    }
}

/// Lists and maps that manifests of others give empty, whether a bundle happens to have them or not.
pub(crate) fn with_empties(object: &Object) -> Option<Object> {
    let empties = object.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            for list in ["finalizers", "ownerReferences"] {
                metadata.entry(list).or_insert_with(|| json!([]));
            }
            for fields in ["annotations", "labels"] {
                metadata.entry(fields).or_insert_with(|| json!({}));
            }
        }
        let pod = match object.kind() {
            "Pod" => map.get_mut("spec"),
            _ => map
                .get_mut("spec")
                .and_then(|spec| spec.get_mut("template"))
                .and_then(|template| template.get_mut("spec")),
        };
        if let Some(Value::Object(pod)) = pod.filter(|pod| pod.get("containers").is_some()) {
            fill(
                pod,
                &[
                    "initContainers",
                    "imagePullSecrets",
                    "volumes",
                    "tolerations",
                    "hostAliases",
                ],
            );
            if let Some(Value::Array(containers)) = pod.get_mut("containers") {
                for container in containers.iter_mut().filter_map(Value::as_object_mut) {
                    fill(
                        container,
                        &["args", "env", "envFrom", "ports", "volumeMounts", "volumeDevices"],
                    );
                }
            }
        }
        match object.kind() {
            "ServiceAccount" => fill(map, &["secrets", "imagePullSecrets"]),
            "Service" => {
                if let Some(Value::Object(spec)) = map.get_mut("spec") {
                    fill(spec, &["externalIPs", "loadBalancerSourceRanges"]);
                }
            }
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
                if let Some(Value::Array(webhooks)) = map.get_mut("webhooks") {
                    for webhook in webhooks.iter_mut().filter_map(Value::as_object_mut) {
                        fill(webhook, &["matchConditions"]);
                    }
                }
            }
            "ConfigMap" => {
                let data = map.entry("data").or_insert_with(|| json!({}));
                data["nothing"] = Value::Null;
            }
            _ => {}
        }
    });
    (empties.value() != object.value()).then_some(empties)
}

fn fill(map: &mut Map<String, Value>, lists: &[&str]) {
    for list in lists {
        map.entry(*list).or_insert_with(|| json!([]));
    }
}
