//! Pods. One that is to run for ever is healthy when it is ready; one that is to end, when it has ended well.

use serde_json::Value as Json;
use sluice_plugin::{Object, Verdict};

use crate::{DELETION, deleting};

/// Makes a Pod that ends count like one that runs for ever; not for hooks, which have to end.
const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

pub(crate) fn pod(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, phase, policy, message, ready, containers, inits] = object.fields([
        DELETION,
        "/status/phase",
        "/spec/restartPolicy",
        "/status/message",
        "/status/conditions/[type=Ready]/status",
        "/status/containerStatuses",
        "/status/initContainerStatuses",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let (phase, policy, ready) = (phase.text()?, policy.text()?, ready.text()?);
    let message = message.text()?.unwrap_or_default();
    let containers = list(containers.tree()?)?;
    let runs_for_ever = policy.as_deref() == Some("Always") || counts_as_running(object);
    if runs_for_ever {
        let stuck: Vec<&str> = containers.iter().filter_map(stuck).collect();
        if !stuck.is_empty() {
            return Ok(Verdict::Degraded(stuck.join(", ")));
        }
    }
    Ok(match phase.as_deref() {
        Some("Pending") => Verdict::Progressing(message),
        Some("Succeeded") => Verdict::Healthy(message),
        Some("Failed") if !message.is_empty() => Verdict::Degraded(message),
        Some("Failed") => {
            let inits = list(inits.tree()?)?;
            Verdict::Degraded(
                inits
                    .iter()
                    .chain(&containers)
                    .find_map(failure)
                    .unwrap_or_default(),
            )
        }
        Some("Running") if runs_for_ever => match ready.as_deref() {
            Some("True") => Verdict::Healthy(message),
            _ if containers.iter().any(|container| {
                container
                    .pointer("/lastState/terminated")
                    .is_some_and(|state| !state.is_null())
            }) =>
            {
                Verdict::Degraded(message)
            }
            _ => Verdict::Progressing(message),
        },
        Some("Running") if matches!(policy.as_deref(), Some("OnFailure" | "Never")) => {
            Verdict::Progressing(message)
        }
        _ => Verdict::Unknown(message),
    })
}

fn counts_as_running(object: &Object<'_>) -> bool {
    object.annotation(IGNORE_RESTART_POLICY).as_deref() == Some("true") && !is_hook(object)
}

/// As the sync policies see it: by Sluice's, Argo CD's or Helm's annotation.
fn is_hook(object: &Object<'_>) -> bool {
    let types = |text: String| {
        text.split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    if object.annotation("sluice.dev/hook").is_some() {
        return true;
    }
    match object.annotation("argocd.argoproj.io/hook").map(types) {
        Some(types) => types.iter().any(|name| name != "Skip") || types.is_empty(),
        None => object
            .annotation("helm.sh/hook")
            .is_some_and(|hook| hook != "crd-install"),
    }
}

fn list(tree: Json) -> Result<Vec<Json>, String> {
    match tree {
        Json::Null => Ok(Vec::new()),
        Json::Array(list) => Ok(list),
        _ => Err("the container statuses are no list".to_owned()),
    }
}

/// Why a container waits, where that is an error rather than a start.
fn stuck(container: &Json) -> Option<&str> {
    let waiting = container.pointer("/state/waiting")?;
    let reason = waiting.get("reason")?.as_str()?;
    let failing = reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff");
    failing.then(|| waiting.get("message").and_then(Json::as_str).unwrap_or_default())
}

/// How a container ended, where it ended badly.
fn failure(container: &Json) -> Option<String> {
    let ended = container.pointer("/state/terminated")?;
    let text = |key: &str| ended.get(key).and_then(Json::as_str).unwrap_or_default();
    if !text("message").is_empty() {
        return Some(text("message").to_owned());
    }
    if text("reason") == "OOMKilled" {
        return Some("OOMKilled".to_owned());
    }
    let exit = ended
        .get("exitCode")
        .and_then(Json::as_i64)
        .filter(|code| *code != 0)?;
    let name = container.get("name").and_then(Json::as_str).unwrap_or_default();
    Some(format!("container \"{name}\" failed with exit code {exit}"))
}
