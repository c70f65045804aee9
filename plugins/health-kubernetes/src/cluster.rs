//! Kinds that the cluster itself keeps: namespaces, volumes, quotas, policies of admission.

use sluice_plugin::{Object, Verdict};

use crate::{DELETION, deleting, healthy};

/// A namespace on its way out says what it waits for.
pub(crate) fn namespace(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, phase] = object.fields([DELETION, "/status/phase"]);
    let is_going = deleting(&deletion, object).is_some() || phase.text()?.as_deref() == Some("Terminating");
    if !is_going {
        return Ok(healthy());
    }
    // The controller of namespaces says by these that it cannot go on, and why.
    const OBSTACLES: [&str; 5] = [
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
        "NamespaceDeletionContentFailure",
        "NamespaceContentRemaining",
        "NamespaceFinalizersRemaining",
    ];
    let obstacle = OBSTACLES.iter().find_map(|name| {
        let status = object.text(&format!("/status/conditions/[type={name}]/status"))?;
        let message = object.text(&format!("/status/conditions/[type={name}]/message"))?;
        (status == "True").then_some(message)
    });
    Ok(Verdict::Progressing(
        obstacle.unwrap_or_else(|| "Pending deletion".to_owned()),
    ))
}

pub(crate) fn persistent_volume(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, phase, message] = object.fields([DELETION, "/status/phase", "/status/message"]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    Ok(match phase.text()?.as_deref() {
        Some("Available" | "Bound") => healthy(),
        // Its claim is gone and its data are kept: nothing will change until a person looks after it.
        Some("Released") => Verdict::Suspended("its claim is gone".to_owned()),
        Some("Failed") => Verdict::Degraded(message.text()?.unwrap_or_default()),
        Some("Pending") | None => Verdict::Progressing("it is not available yet".to_owned()),
        Some(_) => Verdict::Unknown(String::new()),
    })
}

/// A quota counts once its controller has taken in what it allows. That it is used up is no fault of the quota.
pub(crate) fn resource_quota(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, wanted, taken_in] = object.fields([DELETION, "/spec/hard", "/status/hard"]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    if !wanted.is_set() {
        return Ok(healthy());
    }
    Ok(match taken_in.is_set() && wanted.tree()? == taken_in.tree()? {
        true => healthy(),
        false => Verdict::Progressing("what it allows was not taken in yet".to_owned()),
    })
}

/// A policy whose expressions do not fit the kinds that it is for admits or refuses by chance.
pub(crate) fn admission_policy(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, generation, observed, warnings] = object.fields([
        DELETION,
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/typeChecking/expressionWarnings",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    if generation.count()? > observed.count()? {
        return Ok(Verdict::Progressing(
            "its expressions were not checked yet".to_owned(),
        ));
    }
    if !warnings.is_set() {
        return Ok(healthy());
    }
    let warnings = warnings.tree()?;
    let first = warnings.as_array().and_then(|warnings| warnings.first());
    Ok(match first {
        None => healthy(),
        Some(warning) => {
            let text = |key: &str| {
                warning
                    .get(key)
                    .and_then(|text| text.as_str())
                    .unwrap_or_default()
            };
            // The compiler draws a picture below its first line.
            let line = text("warning").lines().find(|line| !line.trim().is_empty());
            Verdict::Degraded(format!("{}: {}", text("fieldRef"), line.unwrap_or_default()))
        }
    })
}
