//! Keeping the values of Secrets out of everything that is shown, kept or handed to a policy.

use serde_json::Value;

use crate::object::Object;

/// What stands in for a value. The same for every value, so that not even its length is told.
pub const MASK: &str = "••••••••";

/// The annotation in which `kubectl apply` keeps the whole object as text, values included.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A copy without secret values: every value of a core Secret's `data` and `stringData` becomes [`MASK`], keys stay.
/// Anything else comes back as it is.
pub fn mask(object: &Object) -> Object {
    if !object.is_secret() {
        return object.clone();
    }
    object.edit(|map| {
        for field in ["data", "stringData"] {
            match map.get_mut(field) {
                Some(Value::Object(values)) => values.values_mut().for_each(|value| *value = MASK.into()),
                Some(Value::Null) | None => {}
                // Not a map: nothing of it can be told apart, so nothing of it is shown.
                Some(other) => *other = MASK.into(),
            }
        }
        let annotations = map
            .get_mut("metadata")
            .and_then(|m| m.get_mut("annotations"))
            .and_then(Value::as_object_mut);
        if let Some(value) = annotations.and_then(|annotations| annotations.get_mut(LAST_APPLIED)) {
            *value = MASK.into();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_is_left() {
        let secret = Object::new(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s", "annotations": {LAST_APPLIED: "{\"data\":{\"k\":\"hunter2\"}}"}},
            "data": {"k": "hunter2"}, "stringData": "hunter2",
        }))
        .unwrap();
        let text = mask(&secret).into_value().to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("\"k\""));
    }

    #[test]
    fn another_groups_secret_is_not_ours_to_judge() {
        let other =
            Object::new(json!({"apiVersion": "example.com/v1", "kind": "Secret", "data": {"k": "v"}}))
                .unwrap();
        assert_eq!(mask(&other), other);
    }
}
