//! Any other object, by the conventions of Kubernetes for conditions.
//!
//! Deliberately silent where an object says nothing: without a status there is no opinion, and what exists is then all there is
//! to it. In this order, the first that applies:
//!
//! 1. it is being deleted: progressing;
//! 2. its controller has not seen the newest spec: progressing;
//! 3. `Stalled` or `Failed` is true: degraded;
//! 4. `Reconciling` or `Progressing` is true while nothing says that it is ready: progressing;
//! 5. `Ready`, or else `Available`, `Succeeded`, `Complete`, `Established` or `Accepted`: true is healthy, unknown is
//!    progressing, and false is progressing, unless its reason says that it failed: then degraded.

use sluice_plugin::{Object, Verdict};

use crate::{DELETION, deleting};

pub(crate) fn conditions(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, generation, observed, conditions] = object.fields([
        DELETION,
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/conditions",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    if !conditions.is_set() && !observed.is_set() {
        return Ok(Verdict::NoOpinion);
    }
    let newest = generation.integer().ok().flatten();
    if newest
        .zip(observed.integer().ok().flatten())
        .is_some_and(|(newest, observed)| observed < newest)
    {
        return Ok(Verdict::Progressing(
            "its controller has not seen the newest spec".to_owned(),
        ));
    }
    // Other kinds may use the name for something else; then there is nothing to go by.
    let Ok(tree) = conditions.tree() else {
        return Ok(Verdict::NoOpinion);
    };
    let Some(list) = tree.as_array() else {
        return Ok(Verdict::NoOpinion);
    };
    let text = |name: &str, key: &str| {
        let condition = list
            .iter()
            .find(|condition| condition.get("type").and_then(|kind| kind.as_str()) == Some(name))?;
        condition.get(key)?.as_str()
    };
    let message = |name: &str| {
        let (reason, message) = (
            text(name, "reason").unwrap_or_default(),
            text(name, "message").unwrap_or_default(),
        );
        match (reason.is_empty(), message.is_empty()) {
            (_, true) => reason.to_owned(),
            (true, false) => message.to_owned(),
            (false, false) => format!("{reason}: {message}"),
        }
    };
    let is = |name: &str, status: &str| text(name, "status") == Some(status);

    // Some controllers say with each condition which spec it is about.
    let stale = |condition: &&serde_json::Value| {
        let seen = condition
            .get("observedGeneration")
            .and_then(|number| number.as_i64());
        seen.zip(newest).is_some_and(|(seen, newest)| seen < newest)
    };
    if list.iter().any(|condition| stale(&condition)) {
        return Ok(Verdict::Progressing(
            "its controller has not seen the newest spec".to_owned(),
        ));
    }
    if let Some(name) = ["Stalled", "Failed"].into_iter().find(|name| is(name, "True")) {
        return Ok(Verdict::Degraded(message(name)));
    }
    let summary = [
        "Ready",
        "Available",
        "Succeeded",
        "Complete",
        "Established",
        "Accepted",
    ]
    .into_iter()
    .find(|name| text(name, "status").is_some());
    let Some(name) = summary else {
        return Ok(
            match ["Reconciling", "Progressing"]
                .into_iter()
                .find(|name| is(name, "True"))
            {
                Some(name) => Verdict::Progressing(message(name)),
                None => Verdict::NoOpinion,
            },
        );
    };
    if is("Reconciling", "True") && !is(name, "True") {
        return Ok(Verdict::Progressing(message("Reconciling")));
    }
    Ok(match text(name, "status") {
        Some("True") => Verdict::Healthy(message(name)),
        Some("False") if failed(text(name, "reason").unwrap_or_default()) => Verdict::Degraded(message(name)),
        _ => Verdict::Progressing(message(name)),
    })
}

/// Reasons are CamelCase words; these say that something went wrong rather than that it is not there yet.
fn failed(reason: &str) -> bool {
    [
        "Fail",
        "Error",
        "Invalid",
        "Denied",
        "Forbidden",
        "Rejected",
        "Unsupported",
        "Degraded",
        "BackOff",
        "Exceeded",
    ]
    .iter()
    .any(|word| reason.contains(word))
}
