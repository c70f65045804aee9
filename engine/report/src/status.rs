//! Whether a status says anything new.

use serde_json::{Map, Value};
use sluice_model::application::ApplicationStatus;

/// The JSON merge patch that makes `after` of `before`; none where they are equal. Meant for the `status` subresource.
pub fn patch(before: &ApplicationStatus, after: &ApplicationStatus) -> Option<Value> {
    let json = |status: &ApplicationStatus| serde_json::to_value(status).expect("a status is always JSON");
    let difference = difference(&json(before), &json(after))?;
    Some(Value::Object(Map::from_iter([("status".to_owned(), difference)])))
}

/// RFC 7396 the other way round.
fn difference(before: &Value, after: &Value) -> Option<Value> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut patch = Map::new();
            for key in before.keys().filter(|key| !after.contains_key(*key)) {
                patch.insert(key.clone(), Value::Null);
            }
            for (key, value) in after {
                match before.get(key) {
                    Some(old) => patch.extend(difference(old, value).map(|inner| (key.clone(), inner))),
                    None => {
                        patch.insert(key.clone(), value.clone());
                    }
                }
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (before, after) => (before != after).then(|| after.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::application::{SyncState, SyncStatus};

    #[test]
    fn nothing_new_is_no_patch() {
        let status = ApplicationStatus {
            objects: 3,
            ..ApplicationStatus::default()
        };
        assert_eq!(patch(&status, &status.clone()), None);
    }

    #[test]
    fn only_what_changed_is_sent() {
        let before = ApplicationStatus {
            objects: 3,
            sync: SyncState {
                status: SyncStatus::Synced,
                revision: "a".to_owned(),
                target: Some("b".to_owned()),
                ..SyncState::default()
            },
            ..ApplicationStatus::default()
        };
        let mut after = before.clone();
        after.sync.target = None;
        assert_eq!(
            patch(&before, &after),
            Some(json!({"status": {"sync": {"target": null}}}))
        );
        after.objects = 4;
        assert_eq!(
            patch(&before, &after),
            Some(json!({"status": {"sync": {"target": null}, "objects": 4}}))
        );
    }
}
