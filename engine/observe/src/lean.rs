//! What is not kept of an object.

use serde_json::Value;
use sluice_model::Object;
use sluice_model::application::FIELD_MANAGER;

/// In which `kubectl apply` keeps a second copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The object without what nobody reads: what other managers own (compare judges by what we own), and `kubectl`'s second copy
/// of everything.
pub fn lean(object: Object) -> Object {
    let mut value = object.into_value();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(Value::Array(entries)) = metadata.get_mut("managedFields") {
            entries.retain(|entry| entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER));
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
    fn what_we_own_stays() {
        let object = Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "a",
            "annotations": {LAST_APPLIED: "{}", "b": "c"},
            "managedFields": [{"manager": "kubelet"}, {"manager": "sluice", "operation": "Apply"}],
        }}))
        .unwrap();
        let kept = lean(object);
        assert_eq!(
            *kept.value(),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": "a", "annotations": {"b": "c"}, "managedFields": [{"manager": "sluice", "operation": "Apply"}],
            }})
        );
    }
}
