//! Jobs that have done their work: one with a time to live is removed by the cluster some time after its end. That is no reason to run
//! it again, so that it completed is kept in the status, under its name and what it was.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice_model::object::Object;

use crate::Compared;

/// A status must never grow without bound; those that come after run again when they are removed.
const REMEMBERED: usize = 200;

/// What a Job with a time to live is remembered as: its manifest, wherever that is written. None for all else.
pub(crate) fn mark(manifest: &Object) -> Option<String> {
    if !is_job(manifest) || manifest.name().is_empty() {
        return None;
    }
    manifest
        .value()
        .pointer("/spec/ttlSecondsAfterFinished")?
        .as_u64()?;
    let digest = hex::encode(Sha256::digest(manifest.value().to_string()));
    let place = manifest.namespace().unwrap_or_default();
    Some(format!("{place}/{}@{}", manifest.name(), digest.get(..16)?))
}

/// True for a Job that has succeeded.
fn is_complete(live: &Object) -> bool {
    let conditions = live
        .value()
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let is = |condition: &Value, field: &str, value: &str| {
        condition.get(field).and_then(Value::as_str) == Some(value)
    };
    is_job(live)
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| is(condition, "type", "Complete") && is(condition, "status", "True"))
}

/// The marks of what is there to be remembered: Jobs that are complete as Git has them, and those that were.
pub fn marks(objects: &[Compared]) -> Vec<String> {
    let done = objects.iter().filter(|object| {
        let complete = object.live.as_ref().is_some_and(is_complete) && object.difference.is_same();
        object.is_lasting() && (object.done || complete)
    });
    let mut marks: Vec<String> = done.filter_map(|object| object.mark.clone()).collect();
    marks.sort_unstable();
    marks.truncate(REMEMBERED);
    marks
}

fn is_job(object: &Object) -> bool {
    object.group() == "batch" && object.kind() == "Job"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(ttl: Value, image: &str) -> Object {
        let value = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
            "spec": {"ttlSecondsAfterFinished": ttl, "template": {"spec": {"image": image}}}});
        Object::new(value).unwrap()
    }

    /// Reported: a Job with a time to live was run again and again by self-heal.
    #[test]
    fn a_job_is_known_by_its_name_and_its_manifest() {
        let mark = |ttl: Value, image: &str| super::mark(&job(ttl, image));
        assert_eq!(mark(json!(0), "a"), mark(json!(0), "a"));
        assert_ne!(mark(json!(0), "a"), mark(json!(0), "b"));
        assert!(mark(json!(60), "a").is_some_and(|mark| mark.starts_with("n/j@")));
        assert_eq!(mark(Value::Null, "a"), None, "nothing removes it");
        let other = json!({"apiVersion": "v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"ttlSecondsAfterFinished": 1}});
        assert_eq!(super::mark(&Object::new(other).unwrap()), None);
    }

    #[test]
    fn only_success_counts() {
        let with = |kind: &str, status: &str| {
            let job = job(json!(1), "a").edit(|map| {
                map.insert(
                    "status".to_owned(),
                    json!({"conditions": [{"type": kind, "status": status}]}),
                );
            });
            is_complete(&job)
        };
        assert!(with("Complete", "True"));
        assert!(!with("Complete", "False") && !with("Failed", "True") && !is_complete(&job(json!(1), "a")));
    }
}
