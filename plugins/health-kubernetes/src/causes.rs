//! Why something that runs Pods does not do its work: the Pod that fails, and why. Only asked of what is not healthy, and only told: the
//! verdict is the object's own.
//!
//! The last line of a container's log is told if the Pod allows it, by `terminationMessagePolicy: FallbackToLogsOnError`: Kubernetes
//! hands it out as the termination message then.

use serde_json::Value as Json;
use sluice_plugin::{HealthContext, Object, Verdict};

use crate::DELETION;

/// The annotation by which Kubernetes numbers the ReplicaSets of a Deployment.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The longest text of others that is quoted, in letters.
const QUOTED: usize = 300;

/// The verdict with its cause, if it is on its way or failed, and if a cause can be found.
pub(crate) fn told(verdict: Verdict, object: &Object<'_>, context: &HealthContext) -> Verdict {
    let with_cause = |message: String| match cause(object, context) {
        Some(cause) if message.is_empty() => cause,
        Some(_) if object.reference().kind == "Pod" => message,
        Some(cause) => format!("{message}; {cause}"),
        None => message,
    };
    let [deletion] = object.fields([DELETION]);
    match verdict {
        verdict if deletion.is_set() => verdict,
        Verdict::Progressing(message) => Verdict::Progressing(with_cause(message)),
        Verdict::Degraded(message) => Verdict::Degraded(with_cause(message)),
        verdict => verdict,
    }
}

fn cause(object: &Object<'_>, context: &HealthContext) -> Option<String> {
    match object.reference().kind.as_str() {
        // By itself a Pod says what Argo CD has it say; with what is around it, more.
        "Pod" => context
            .events(object)
            .and_then(|_| of_pod(object, context))
            .map(|(_, cause)| cause),
        "PersistentVolumeClaim" | "Service" => warning(object, context, &[]),
        "Deployment" => {
            let sets = context.owned(object, "apps", "ReplicaSet")?;
            let newest = sets.into_iter().max_by_key(revision)?;
            of_pods(&newest, context)
        }
        _ => of_pods(object, context),
    }
}

fn revision(set: &Object<'_>) -> u64 {
    let revision = set.annotation(REVISION);
    revision.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The worst of the Pods that an object owns, and how many others fail; or why it has none.
fn of_pods(owner: &Object<'_>, context: &HealthContext) -> Option<String> {
    let pods = context.owned(owner, "", "Pod")?;
    let mut failing: Vec<(Weight, String)> = pods
        .iter()
        .filter_map(|pod| {
            let (weight, cause) = of_pod(pod, context)?;
            Some((weight, format!("Pod {}: {cause}", pod.reference().name)))
        })
        .collect();
    // The first of the worst, so that the message does not jump between Pods.
    failing.sort_by_key(|(weight, _)| *weight);
    let others = failing.len().saturating_sub(1);
    match (failing.into_iter().next(), others) {
        (Some((_, cause)), 0) => Some(cause),
        (Some((_, cause)), others) => Some(format!("{cause} (and {others} more)")),
        // A quota or a webhook may keep them from being made.
        (None, _) => warning(owner, context, &["FailedCreate"]),
    }
}

/// How much a cause tells: the first is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// It will not run like this.
    Broken,
    /// It runs, and ends again.
    Crashing,
    /// It has no place to run.
    Waiting,
    /// It runs and is not ready.
    Unready,
}

fn of_pod(pod: &Object<'_>, context: &HealthContext) -> Option<(Weight, String)> {
    let status = pod.tree("/status").unwrap_or_default();
    let condition = |name: &str| {
        let conditions = status.get("conditions").and_then(Json::as_array);
        let mut conditions = conditions.into_iter().flatten();
        conditions.find(|condition| text(condition, "type") == name)
    };
    let phase = text(&status, "phase");
    let is_ready = condition("Ready").is_some_and(|ready| text(ready, "status") == "True");
    if is_ready || phase == "Succeeded" {
        return None;
    }
    if phase == "Failed" && !text(&status, "reason").is_empty() {
        let cause = format!(
            "{}: {}",
            text(&status, "reason"),
            quoted(text(&status, "message"))
        );
        return Some((Weight::Broken, cause));
    }
    let containers = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|field| status.get(field)?.as_array())
        .flatten();
    let mut causes: Vec<(Weight, String)> = containers.filter_map(of_container).collect();
    causes.sort_by_key(|(weight, _)| *weight);
    if let Some(cause) = causes.into_iter().next() {
        return Some(cause);
    }
    let scheduled = condition("PodScheduled").filter(|scheduled| text(scheduled, "status") == "False");
    if let Some(scheduled) = scheduled {
        let cause = format!("it cannot be scheduled: {}", quoted(text(scheduled, "message")));
        return Some((Weight::Waiting, cause));
    }
    // What the kubelet tries again and again, a volume or the network, stands in no status.
    const TRIED: [&str; 4] = [
        "FailedMount",
        "FailedAttachVolume",
        "FailedCreatePodSandBox",
        "Unhealthy",
    ];
    let weight = if phase == "Running" {
        Weight::Unready
    } else {
        Weight::Waiting
    };
    Some((weight, warning(pod, context, &TRIED)?))
}

/// Why a container does not run.
fn of_container(container: &Json) -> Option<(Weight, String)> {
    let name = text(container, "name");
    if let Some(waiting) = container.pointer("/state/waiting") {
        let (reason, message) = (text(waiting, "reason"), quoted(text(waiting, "message")));
        return match reason {
            "" | "ContainerCreating" | "PodInitializing" => None,
            "CrashLoopBackOff" => {
                let ended = container.pointer("/lastState/terminated").map(ended);
                let ended = ended.unwrap_or(message);
                let restarts = container
                    .get("restartCount")
                    .and_then(Json::as_u64)
                    .unwrap_or_default();
                let cause = format!("container {name} crashes, {restarts} restarts: {ended}");
                Some((Weight::Crashing, cause))
            }
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                let image = text(container, "image");
                let cause =
                    format!("container {name}: the image {image} cannot be had ({reason}): {message}");
                Some((Weight::Broken, cause))
            }
            reason => Some((Weight::Broken, format!("container {name}: {reason}: {message}"))),
        };
    }
    let failed = container.pointer("/state/terminated")?;
    let code = failed.get("exitCode").and_then(Json::as_i64).unwrap_or_default();
    (code != 0).then(|| {
        (
            Weight::Crashing,
            format!("container {name} failed: {}", ended(failed)),
        )
    })
}

/// `exit code 1 (Error): the last line`
fn ended(terminated: &Json) -> String {
    let code = terminated
        .get("exitCode")
        .and_then(Json::as_i64)
        .unwrap_or_default();
    let reason = text(terminated, "reason");
    let last = text(terminated, "message")
        .trim_end()
        .lines()
        .next_back()
        .unwrap_or_default();
    match last.is_empty() {
        true => format!("exit code {code} ({reason})"),
        false => format!("exit code {code} ({reason}): {}", quoted(last)),
    }
}

/// The newest warning about an object, of some reasons or of any.
fn warning(about: &Object<'_>, context: &HealthContext, reasons: &[&str]) -> Option<String> {
    let events = context.events(about)?;
    let events = events.iter().filter_map(|event| event.tree(""));
    let warnings = events.filter(|event| {
        let reason = text(event, "reason");
        text(event, "type") == "Warning" && (reasons.is_empty() || reasons.contains(&reason))
    });
    let newest = warnings.max_by_key(|event| {
        let time = text(event, "lastTimestamp");
        if time.is_empty() {
            text(event, "eventTime")
        } else {
            time
        }
        .to_owned()
    })?;
    Some(format!(
        "{}: {}",
        text(&newest, "reason"),
        quoted(text(&newest, "message"))
    ))
}

fn text<'j>(json: &'j Json, key: &str) -> &'j str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Words of others, on one line and not too many.
fn quoted(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
