//! Keys of list entries that Git gives and that say nothing: `protocol: null` of a port.
//!
//! The server tells entries apart by the keys as they are sent and fills in defaults afterwards. So such an entry is a new one to it each
//! time, beside what became of it the time before. Left out, the key has its default from the beginning.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sluice_model::object::Object;

use crate::defaults::Builtin;
use crate::ownership::{self, Tree};

/// The key of a port that may be left out.
const PROTOCOL: &str = "protocol";

/// True where there may be such a key.
pub(super) fn may_be_bare(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(may_be_bare),
        Value::Array(entries) => entries.iter().any(|entry| match entry {
            // Every look at every object comes through here: most values are decided without their name.
            Value::Object(fields) => fields.iter().any(|(name, value)| match value {
                Value::Null => true,
                Value::String(text) => text.is_empty() && name == PROTOCOL,
                Value::Bool(_) | Value::Number(_) => false,
                Value::Array(_) | Value::Object(_) => may_be_bare(value),
            }),
            entry => may_be_bare(entry),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Leaves them out. What is a key the record says, and of ports it is known.
pub(super) fn leave_out(map: &mut Map<String, Value>, desired: &Object, live: Option<&Object>) {
    let own = Builtin::of(desired).is_known();
    let is_empty_key = |fields: &Map<String, Value>, name: &str, value: &Value| {
        let is_port = fields.contains_key("containerPort") || desired.kind() == "Service";
        own && is_port && is_empty_protocol(name, value)
    };
    let trees: Vec<&Tree> = live.into_iter().flat_map(ownership::all).collect();
    of_fields(map, &trees, &is_empty_key);
}

fn is_empty_protocol(name: &str, value: &Value) -> bool {
    name == PROTOCOL && value == ""
}

type IsEmptyKey<'f> = &'f dyn Fn(&Map<String, Value>, &str, &Value) -> bool;

fn of_fields(fields: &mut Map<String, Value>, trees: &[&Tree], is_empty_key: IsEmptyKey<'_>) {
    for (name, value) in fields {
        let below: Vec<&Tree> = trees
            .iter()
            .filter_map(|tree| ownership::field(Some(tree), name, &mut String::new()))
            .collect();
        of_value(value, &below, is_empty_key);
    }
}

fn of_value(value: &mut Value, trees: &[&Tree], is_empty_key: IsEmptyKey<'_>) {
    let entries = match value {
        Value::Object(fields) => return of_fields(fields, trees, is_empty_key),
        Value::Array(entries) => entries,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    let (mut keys, mut below) = (BTreeSet::new(), Vec::new());
    for (names, tree) in trees.iter().flat_map(|tree| ownership::keyed_entries(tree)) {
        keys.extend(names.into_iter().map(|(name, _)| name));
        below.push(tree);
    }
    for entry in entries {
        let Value::Object(fields) = entry else {
            of_value(entry, &[], is_empty_key);
            continue;
        };
        let is_port = fields.contains_key("containerPort") || fields.contains_key("port");
        let says_nothing = |(name, value): &(&String, &Value)| match value {
            Value::Null => keys.contains(*name) || is_port && *name == PROTOCOL,
            value => is_empty_key(fields, name, value),
        };
        let bare: Vec<String> = fields
            .iter()
            .filter(says_nothing)
            .map(|(name, _)| name.clone())
            .collect();
        bare.iter().for_each(|name| drop(fields.remove(name)));
        of_fields(fields, &below, is_empty_key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::prepare;

    fn object(kind: &str, version: &str, spec: Value) -> Object {
        Object::new(json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}))
            .unwrap()
    }

    #[test]
    fn a_key_that_says_nothing_is_not_sent() {
        let service = |ports: Value| object("Service", "v1", json!({"ports": ports}));
        let pod = |ports: Value| {
            object(
                "Pod",
                "v1",
                json!({"containers": [{"name": "c", "ports": ports}]}),
            )
        };
        let of_others = |ports: Value| object("Thing", "x.io/v1", json!({"ports": ports}));
        for protocol in [Value::Null, json!("")] {
            let wanted = prepare(
                &service(json!([{"port": 80, "protocol": protocol}, {"port": 53, "protocol": "UDP"}])),
                None,
                &[],
            );
            assert_eq!(
                wanted,
                service(json!([{"port": 80}, {"port": 53, "protocol": "UDP"}]))
            );
            let wanted = prepare(
                &pod(json!([{"containerPort": 80, "protocol": protocol, "name": null}])),
                None,
                &[],
            );
            assert_eq!(wanted, pod(json!([{"containerPort": 80, "name": null}])));
        }
        let plain = of_others(json!([{"port": 80, "protocol": ""}, {"name": "x", "protocol": null}]));
        assert_eq!(prepare(&plain, None, &[]), plain);
    }

    #[test]
    fn what_is_a_key_of_another_kind_the_record_says() {
        let wanted = object(
            "Thing",
            "x.io/v1",
            json!({"rules": [{"name": "a", "zone": null, "note": null, "parts": [{"id": null}]}]}),
        );
        assert_eq!(prepare(&wanted, None, &[]), wanted);
        let record = json!({"f:spec": {"f:rules": {"k:{\"name\":\"a\",\"zone\":null}": {".": {}, "f:note": {},
            "f:parts": {"k:{\"id\":0}": {}}}}}});
        let live = wanted.edit(|map| {
            map["metadata"]["managedFields"] = json!([{"manager": "sluice", "operation": "Apply", "apiVersion": "x.io/v1", "fieldsV1": record}]);
        });
        let sent = prepare(&wanted, Some(&live), &[]);
        assert_eq!(
            sent.value()["spec"],
            json!({"rules": [{"name": "a", "note": null, "parts": [{}]}]})
        );
    }
}
