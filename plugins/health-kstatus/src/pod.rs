//! Pods. One that has ended is Current, however it ended: that is the model's word for what will not change any more.

use chrono::DateTime;
use serde_json::Value;
use sluice_plugin::{Field, Verdict};

use crate::Subject;
use crate::verdicts::{current, failed, in_progress};

/// How long a Pod may be without a node before it counts as failed, in seconds.
const SCHEDULE_WINDOW: i64 = 15;

pub(crate) fn pod(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [phase, containers, created] = subject.object.fields([
        "/status/phase",
        "/status/containerStatuses",
        "/metadata/creationTimestamp",
    ]);
    Ok(match phase.text()?.as_deref().unwrap_or_default() {
        "Succeeded" => current("it has ended well"),
        "Failed" => current("it has ended, and not well"),
        "Running" if subject.conditions.is_true("Ready") => current("it is ready"),
        "Running" => {
            let looping = looping(containers)?;
            match looping.is_empty() {
                true => in_progress("PodRunningNotReady", "it runs and is not ready"),
                false => failed(
                    "ContainerCrashLooping",
                    &format!("crash again and again: {}", looping.join(", ")),
                ),
            }
        }
        "Pending" => {
            let unscheduled = subject
                .conditions
                .with("PodScheduled", "False")
                .filter(|condition| condition.reason == "Unschedulable");
            match unscheduled {
                Some(condition) if is_young(&created.text()?.unwrap_or_default(), subject) => {
                    in_progress("PodNotScheduled", &condition.message)
                }
                Some(condition) => failed("PodUnschedulable", &condition.message),
                None => in_progress("PodPending", ""),
            }
        }
        "" => in_progress("PodNotObserved", "it has no phase yet"),
        phase => return Err(format!("there is no phase `{phase}`")),
    })
}

/// Whether the Pod is so young that its scheduler may still find a node. A time that cannot be read is long ago.
fn is_young(created: &str, subject: &Subject<'_>) -> bool {
    DateTime::parse_from_rfc3339(created)
        .is_ok_and(|created| created.timestamp() > subject.context.now() - SCHEDULE_WINDOW)
}

/// The names of the containers that wait to be started once more.
fn looping(containers: Field) -> Result<Vec<String>, String> {
    let containers = match containers.tree()? {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err("`/status/containerStatuses` is not a list".to_owned()),
    };
    let is_looping = |container: &&Value| {
        let reason = container.pointer("/state/waiting/reason");
        reason.and_then(Value::as_str) == Some("CrashLoopBackOff")
    };
    let name = |container: &Value| container.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(containers.iter().filter(is_looping).filter_map(name).collect())
}
