//! What is not kept of an object.

use serde_json::Value;
use sluice_model::Object;
use sluice_model::secret::LAST_APPLIED;

/// The object without what nobody reads: who wrote its status, the details of the record of managers, and `kubectl`'s second
/// copy of everything.
pub fn lean(object: Object) -> Object {
    let mut value = object.into_value();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(Value::Array(entries)) = metadata.get_mut("managedFields") {
            entries.retain(|entry| entry.get("subresource").and_then(Value::as_str) != Some("status"));
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("time");
                entry.remove("fieldsType");
            }
            entries.shrink_to_fit();
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
        }
    }
    Object::new(value).expect("an object stays one without its metadata's details")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_owns_what_stays() {
        let object = Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "a",
            "annotations": {LAST_APPLIED: "{}", "b": "c"},
            "managedFields": [
                {"manager": "kubelet", "subresource": "status"},
                {"manager": "helm", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1"},
            ],
        }}))
        .unwrap();
        let kept = lean(object);
        assert_eq!(
            *kept.value(),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": "a", "annotations": {"b": "c"}, "managedFields": [{"manager": "helm", "operation": "Update"}],
            }})
        );
    }
}
