//! What the server itself says an apply would change: the live object against the answer to a dry-run.
//!
//! Defaults, mutating webhooks and lists that are one value are all in the answer, so nothing has to be known about them.

use serde_json::Value;
use sluice_model::application::FIELD_MANAGER;
use sluice_model::difference::FieldChange;
use sluice_model::object::Object;
use sluice_model::secret::mask_changes;

/// What the answer to a dry-run has otherwise than the live object. A Secret's values are masked.
pub fn against(live: &Object, answer: &Object) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let (live_value, answer_value) = (essence(live), essence(answer));
    differences(&live_value, &answer_value, &mut String::new(), &mut changes);
    mask_changes(&mut changes, [live, answer]);
    changes
}

/// Without what changes with every write, and what is written through a subresource.
fn essence(object: &Object) -> Value {
    let mut value = object.value().clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["generation", "managedFields", "resourceVersion", "selfLink"] {
                metadata.remove(field);
            }
            // Not kept of what is watched.
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            metadata.retain(|_, value| !matches!(value, Value::Object(map) if map.is_empty()));
        }
    }
    value
}

fn differences(live: &Value, answer: &Value, pointer: &mut String, changes: &mut Vec<FieldChange>) {
    match (live, answer) {
        (live, answer) if live == answer => {}
        (Value::Object(live), Value::Object(answer)) => {
            let names: std::collections::BTreeSet<&String> = live.keys().chain(answer.keys()).collect();
            for name in names {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                match (live.get(name), answer.get(name)) {
                    (Some(live), Some(answer)) => differences(live, answer, pointer, changes),
                    (live, answer) => changes.push(change(pointer, live, answer)),
                }
                pointer.truncate(length);
            }
        }
        (live, answer) => changes.push(change(pointer, Some(live), Some(answer))),
    }
}

fn change(pointer: &str, live: Option<&Value>, desired: Option<&Value>) -> FieldChange {
    FieldChange {
        pointer: pointer.to_owned(),
        live: live.cloned(),
        desired: desired.cloned(),
        holder: None,
        stays: false,
    }
}

/// What of a live object matters for the answer: it stays the same while only its status changes.
pub fn stamp(live: &Object) -> String {
    let ours = live
        .record()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|entry| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply")
        .map(|entry| entry["fieldsV1"].to_string());
    format!("{}{}", essence(live), ours.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bookkeeping_is_no_difference() {
        let object = |metadata: Value, spec: Value| {
            Object::new(json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": metadata, "spec": spec, "status": metadata}))
                .unwrap()
        };
        let live = object(
            json!({"name": "a", "resourceVersion": "1", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}),
            json!({"list": [{"a": 1}], "b": 2}),
        );
        let same = object(
            json!({"name": "a", "resourceVersion": "2"}),
            json!({"list": [{"a": 1}], "b": 2}),
        );
        assert_eq!(against(&live, &same), []);
        assert_eq!(stamp(&live), stamp(&same));
        let other = object(json!({"name": "a"}), json!({"list": [], "c/d": 2}));
        let pointers: Vec<String> = against(&live, &other)
            .into_iter()
            .map(|change| change.pointer)
            .collect();
        assert_eq!(pointers, ["/spec/b", "/spec/c~1d", "/spec/list"]);
    }
}
