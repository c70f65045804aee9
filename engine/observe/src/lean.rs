//! What is not kept of an object.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use sluice_model::Object;
use sluice_model::secret::LAST_APPLIED;

/// The object without what the engine never reads: who wrote its status, the details of the record of managers, and `kubectl`'s second
/// copy of everything. Objects with equal records share one.
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
    let object = Object::new(value).expect("an object stays one without its metadata's details");
    object.sharing_record(shared)
}

/// The records of managers that are held. Objects of one shape, of one chart, have the same, and it is most of a small object.
static RECORDS: Mutex<Records> = Mutex::new(Records {
    by_hash: BTreeMap::new(),
    sweep_at: 64,
});

struct Records {
    by_hash: BTreeMap<u64, Weak<Value>>,
    /// So many; then those that are not held any more are let go.
    sweep_at: usize,
}

fn shared(record: Value) -> Arc<Value> {
    let mut hasher = DefaultHasher::new();
    record.hash(&mut hasher);
    let hash = hasher.finish();
    let mut records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
    let held = records.by_hash.get(&hash).and_then(Weak::upgrade);
    if let Some(held) = held.filter(|held| **held == record) {
        return held;
    }
    if records.by_hash.len() >= records.sweep_at {
        records.by_hash.retain(|_, record| record.strong_count() > 0);
        records.sweep_at = (records.by_hash.len() * 2).max(64);
    }
    let record = Arc::new(record);
    records.by_hash.insert(hash, Arc::downgrade(&record));
    record
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
            *kept.whole(),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": "a", "annotations": {"b": "c"}, "managedFields": [{"manager": "helm", "operation": "Update"}],
            }})
        );
    }

    #[test]
    fn equal_records_are_held_once() {
        let pod = |name: &str, manager: &str| {
            let record = json!([{"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {}}}]);
            lean(Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "managedFields": record}})).unwrap())
        };
        let (a, b, c) = (pod("a", "x"), pod("b", "x"), pod("c", "y"));
        assert!(std::ptr::eq(a.record().unwrap(), b.record().unwrap()));
        assert!(!std::ptr::eq(a.record().unwrap(), c.record().unwrap()));
    }
}
