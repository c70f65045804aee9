//! Taking fields that others own out of an object, by the path that the API server names in a conflict.

use serde_json::{Map, Value};
use sluice_model::manager::Tree;

/// Removes the field at a path as the server writes it: `.spec.replicas`, `.data.a.b`, `.spec.containers[name="web"].image`,
/// `.metadata.finalizers[="x"]`. Keys may contain dots, so a path is read along the object. True where something went.
pub(crate) fn remove(object: &mut Value, path: &str) -> bool {
    match object {
        Value::Object(map) => {
            let Some(rest) = path.strip_prefix('.') else {
                return false;
            };
            let mut keys: Vec<String> = map
                .keys()
                .filter(|key| {
                    rest.strip_prefix(key.as_str())
                        .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                })
                .cloned()
                .collect();
            keys.sort_by_key(|key| std::cmp::Reverse(key.len()));
            for key in keys {
                let after = rest.strip_prefix(key.as_str()).unwrap_or_default();
                if after.is_empty() {
                    return map.remove(&key).is_some();
                }
                if map.get_mut(&key).is_some_and(|inner| remove(inner, after)) {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => {
            let Some((selector, after)) = selector(path) else {
                return false;
            };
            let Some(index) = items.iter().position(|item| selector.matches(item)) else {
                return false;
            };
            match after.is_empty() {
                true => {
                    items.remove(index);
                    true
                }
                false => items.get_mut(index).is_some_and(|item| remove(item, after)),
            }
        }
        _ => false,
    }
}

/// A merge patch that says what an object says and takes out what is claimed. Lists are replaced as a whole, so that of them nothing
/// needs to be taken out.
pub(crate) fn without(mut object: Value, claim: &Tree) -> Value {
    fn take_out(object: &mut Value, claim: &Tree) {
        let Value::Object(fields) = object else { return };
        for (key, below) in claim {
            let Some(name) = key.strip_prefix("f:") else {
                continue;
            };
            let below = below.as_object().filter(|below| !below.is_empty());
            match (below, fields.get_mut(name)) {
                (Some(below), Some(value)) => take_out(value, below),
                (Some(below), None) if below.keys().any(|key| key.starts_with("f:")) => {
                    let mut value = Value::Object(Map::new());
                    take_out(&mut value, below);
                    fields.insert(name.to_owned(), value);
                }
                (Some(_), None) => {}
                (None, _) => drop(fields.insert(name.to_owned(), Value::Null)),
            }
        }
    }
    take_out(&mut object, claim);
    object
}

/// What stands in brackets.
enum Selector {
    Keys(Vec<(String, Value)>),
    Item(Value),
}

impl Selector {
    fn matches(&self, item: &Value) -> bool {
        match self {
            Self::Keys(keys) => keys.iter().all(|(key, value)| item.get(key) == Some(value)),
            Self::Item(value) => item == value,
        }
    }
}

/// Reads `[…]` at the start of a path; returns what follows it too.
fn selector(path: &str) -> Option<(Selector, &str)> {
    let mut rest = path.strip_prefix('[')?;
    if let Some(value) = rest.strip_prefix('=') {
        let (value, after) = json(value)?;
        return Some((Selector::Item(value), after.strip_prefix(']')?));
    }
    let mut keys = Vec::new();
    loop {
        let (key, value) = rest.split_once('=')?;
        let (value, after) = json(value)?;
        keys.push((key.to_owned(), value));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((Selector::Keys(keys), after.strip_prefix(']')?)),
        }
    }
}

/// Reads one JSON value at the start of a text; returns what follows it too.
fn json(text: &str) -> Option<(Value, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, text.get(values.byte_offset()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(path: &str, expected: Value) {
        let mut object = json!({
            "data": {"a.b": 1, "a": 2},
            "spec": {"containers": [{"name": "web", "image": "i"}, {"name": "x]y", "image": "j"}], "finalizers": ["f", "g"]},
        });
        let whole = object.clone();
        let went = remove(&mut object, path);
        assert_eq!((went, &object), (expected != whole, &expected), "{path}");
    }

    #[test]
    fn what_is_claimed_is_taken_out() {
        let object = json!({"spec": {"strategy": {"type": "Recreate"}, "ports": [{"port": 80}]}});
        let claim = json!({"f:spec": {
            "f:strategy": {"f:rollingUpdate": {}},
            "f:ports": {"k:{\"port\":81,\"protocol\":\"TCP\"}": {}},
            "f:conversion": {"f:webhook": {}},
            "f:others": {"k:{\"name\":\"a\"}": {}},
        }});
        let expected = json!({"spec": {
            "strategy": {"type": "Recreate", "rollingUpdate": null},
            "ports": [{"port": 80}],
            "conversion": {"webhook": null},
        }});
        assert_eq!(without(object, claim.as_object().unwrap()), expected);
    }

    #[test]
    fn paths_are_read_along_the_object() {
        let containers = json!([{"name": "web", "image": "i"}, {"name": "x]y", "image": "j"}]);
        let spec = json!({"containers": containers, "finalizers": ["f", "g"]});
        check(".data.a.b", json!({"data": {"a": 2}, "spec": spec}));
        check(".data.a", json!({"data": {"a.b": 1}, "spec": spec}));
        let imageless =
            json!({"containers": [{"name": "web", "image": "i"}, {"name": "x]y"}], "finalizers": ["f", "g"]});
        check(
            ".spec.containers[name=\"x]y\"].image",
            json!({"data": {"a.b": 1, "a": 2}, "spec": imageless}),
        );
        check(
            ".spec.finalizers[=\"f\"]",
            json!({"data": {"a.b": 1, "a": 2}, "spec": {"containers": containers, "finalizers": ["g"]}}),
        );
        for nowhere in [
            ".spec.replicas",
            ".spec.containers[name=\"no\"]",
            ".spec.containers[name",
            "spec",
            "",
        ] {
            check(nowhere, json!({"data": {"a.b": 1, "a": 2}, "spec": spec}));
        }
    }
}
