//! What the model reads of every object, whatever its kind.

use sluice_plugin::{Object, Value, Verdict};

use crate::conditions::Conditions;
use crate::verdicts::{current, failed, in_progress};

/// The verdict, if the generic properties decide; else the conditions, for the rule of the kind.
pub(crate) fn judge(object: &Object<'_>) -> Result<Result<Verdict, Conditions>, String> {
    let [deletion, generation, observed, conditions] = object.fields([
        "/metadata/deletionTimestamp",
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/conditions",
    ]);
    if deletion.text()?.is_some_and(|timestamp| !timestamp.is_empty()) {
        return Ok(Ok(Verdict::Progressing("it is being deleted".to_owned())));
    }
    if !observed.is_set() && !conditions.is_set() {
        let status = object.get("/status");
        if !matches!(status, None | Some(Value::Null | Value::Json(_))) {
            return Err("`/status` is not a map".to_owned());
        }
    }
    // An older generation than the object's own, or a newer one: either way this status is about another spec.
    let unobserved = generation
        .integer()?
        .zip(observed.integer()?)
        .filter(|(newest, seen)| newest != seen);
    if let Some((newest, seen)) = unobserved {
        return Ok(Ok(in_progress(
            "LatestGenerationNotObserved",
            &format!("its controller has seen generation {seen}, and it is at {newest}"),
        )));
    }
    let conditions = Conditions::read(conditions)?;
    let said = conditions
        .iter()
        .find_map(|condition| match (condition.kind.as_str(), condition.holds()) {
            ("Reconciling", true) => Some(in_progress(&condition.reason, &condition.message)),
            ("Stalled", true) => Some(failed(&condition.reason, &condition.message)),
            _ => None,
        });
    Ok(said.ok_or(conditions))
}

/// The verdict on a kind without a rule: by the condition `Ready`, and Current without one.
pub(crate) fn ready(conditions: &Conditions) -> Verdict {
    let said = conditions
        .iter()
        .filter(|condition| condition.kind == "Ready")
        .find_map(|condition| match condition.status.as_str() {
            "True" => Some(current("it is ready")),
            "False" | "Unknown" => Some(in_progress(&condition.reason, &condition.message)),
            _ => None,
        });
    said.unwrap_or_else(|| current("nothing says that it is not current"))
}
