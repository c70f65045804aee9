//! Controllers of Pods: what they want against what they have.

use sluice_plugin::{Field, Object, Verdict};

use crate::{DELETION, deleting, healthy, only_v1};

/// Name of an object, for messages; asked for only where one is written.
fn name(object: &Object<'_>) -> String {
    object.text("/metadata/name").unwrap_or_default()
}

/// What is judged by its deletion alone; an error for versions that are not judged.
fn on_its_way_out(
    object: &Object<'_>,
    deletion: &Field,
    api_version: Field,
    group: &str,
) -> Result<Option<Verdict>, String> {
    match deleting(deletion, object) {
        Some(verdict) => Ok(Some(verdict)),
        None => only_v1(api_version, group).map(|()| None),
    }
}

/// The controller has not looked at it since it was changed.
fn unobserved() -> Verdict {
    Verdict::Progressing("the new spec was not observed yet".to_owned())
}

pub(crate) fn deployment(object: &Object<'_>) -> Result<Verdict, String> {
    let [
        deletion,
        api_version,
        paused,
        generation,
        observed,
        progress,
        wanted,
        replicas,
        updated,
        available,
    ] = object.fields([
        DELETION,
        "/apiVersion",
        "/spec/paused",
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/conditions/[type=Progressing]/reason",
        "/spec/replicas",
        "/status/replicas",
        "/status/updatedReplicas",
        "/status/availableReplicas",
    ]);
    if let Some(verdict) = on_its_way_out(object, &deletion, api_version, "apps")? {
        return Ok(verdict);
    }
    let (paused, progress, wanted) = (paused.flag()?, progress.text()?, wanted.integer()?);
    let generation = generation.count()?;
    let observed = observed.count()?;
    let replicas = replicas.count()?;
    let updated = updated.count()?;
    let available = available.count()?;
    if paused {
        return Ok(Verdict::Suspended("Deployment is paused".to_owned()));
    }
    if generation > observed {
        return Ok(unobserved());
    }
    if progress.as_deref() == Some("ProgressDeadlineExceeded") {
        return Ok(Verdict::Degraded(format!(
            "Deployment \"{}\" exceeded its progress deadline",
            name(object)
        )));
    }
    if let Some(wanted) = wanted.filter(|wanted| updated < *wanted) {
        return Ok(Verdict::Progressing(format!(
            "rolling out: {updated} of {wanted} replicas are updated"
        )));
    }
    if replicas > updated {
        return Ok(Verdict::Progressing(format!(
            "rolling out: {} old replicas are still there",
            replicas - updated
        )));
    }
    if available < updated {
        return Ok(Verdict::Progressing(format!(
            "rolling out: {available} of {updated} updated replicas are available"
        )));
    }
    Ok(healthy())
}

pub(crate) fn stateful_set(object: &Object<'_>) -> Result<Verdict, String> {
    let [
        deletion,
        api_version,
        generation,
        observed,
        wanted,
        ready,
        update,
        rolling,
        partition,
        updated,
        next,
        current,
    ] = object.fields([
        DELETION,
        "/apiVersion",
        "/metadata/generation",
        "/status/observedGeneration",
        "/spec/replicas",
        "/status/readyReplicas",
        "/spec/updateStrategy/type",
        "/spec/updateStrategy/rollingUpdate",
        "/spec/updateStrategy/rollingUpdate/partition",
        "/status/updatedReplicas",
        "/status/updateRevision",
        "/status/currentRevision",
    ]);
    if let Some(verdict) = on_its_way_out(object, &deletion, api_version, "apps")? {
        return Ok(verdict);
    }
    let generation = generation.count()?;
    let observed = observed.count()?;
    let (wanted, partition) = (wanted.integer()?, partition.integer()?);
    let ready = ready.count()?;
    let updated = updated.count()?;
    let (update, next, current) = (update.text()?, next.text()?, current.text()?);
    if observed == 0 || generation > observed {
        return Ok(unobserved());
    }
    if let Some(wanted) = wanted.filter(|wanted| ready < *wanted) {
        return Ok(Verdict::Progressing(format!(
            "{} pods are not ready",
            wanted - ready
        )));
    }
    match update.as_deref() {
        Some("RollingUpdate") if rolling.is_set() => {
            let target = wanted
                .zip(partition)
                .map(|(wanted, partition)| wanted - partition);
            if let Some(target) = target.filter(|target| updated < *target) {
                return Ok(Verdict::Progressing(format!(
                    "rolling out a partition: {updated} of {target} pods are updated"
                )));
            }
            Ok(Verdict::Healthy(format!("{updated} pods are updated")))
        }
        // Pods are updated when somebody deletes them: nothing is under way.
        Some("OnDelete") => Ok(Verdict::Healthy(format!("{ready} pods are ready"))),
        _ if next.unwrap_or_default() != current.unwrap_or_default() => Ok(Verdict::Progressing(format!(
            "rolling out: {updated} pods are at the new revision"
        ))),
        _ => Ok(healthy()),
    }
}

pub(crate) fn daemon_set(object: &Object<'_>) -> Result<Verdict, String> {
    let [
        deletion,
        api_version,
        generation,
        observed,
        update,
        wanted,
        updated,
        available,
    ] = object.fields([
        DELETION,
        "/apiVersion",
        "/metadata/generation",
        "/status/observedGeneration",
        "/spec/updateStrategy/type",
        "/status/desiredNumberScheduled",
        "/status/updatedNumberScheduled",
        "/status/numberAvailable",
    ]);
    if let Some(verdict) = on_its_way_out(object, &deletion, api_version, "apps")? {
        return Ok(verdict);
    }
    let generation = generation.count()?;
    let observed = observed.count()?;
    let update = update.text()?;
    let wanted = wanted.count()?;
    let updated = updated.count()?;
    let available = available.count()?;
    if generation > observed {
        return Ok(unobserved());
    }
    if update.as_deref() == Some("OnDelete") {
        return Ok(Verdict::Healthy(format!(
            "{updated} of {wanted} pods are updated"
        )));
    }
    if updated < wanted {
        return Ok(Verdict::Progressing(format!(
            "rolling out: {updated} of {wanted} pods are updated"
        )));
    }
    if available < wanted {
        return Ok(Verdict::Progressing(format!(
            "rolling out: {available} of {wanted} pods are available"
        )));
    }
    Ok(healthy())
}

pub(crate) fn replica_set(object: &Object<'_>) -> Result<Verdict, String> {
    let [
        deletion,
        api_version,
        generation,
        observed,
        failure,
        reason,
        wanted,
        available,
    ] = object.fields([
        DELETION,
        "/apiVersion",
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/conditions/[type=ReplicaFailure]/status",
        "/status/conditions/[type=ReplicaFailure]/message",
        "/spec/replicas",
        "/status/availableReplicas",
    ]);
    if let Some(verdict) = on_its_way_out(object, &deletion, api_version, "apps")? {
        return Ok(verdict);
    }
    let (wanted, failure) = (wanted.integer()?, failure.text()?);
    let available = available.count()?;
    if generation.count()? > observed.count()? {
        return Ok(unobserved());
    }
    if failure.as_deref() == Some("True") {
        return Ok(Verdict::Degraded(reason.text()?.unwrap_or_default()));
    }
    if let Some(wanted) = wanted.filter(|wanted| available < *wanted) {
        return Ok(Verdict::Progressing(format!(
            "{available} of {wanted} replicas are available"
        )));
    }
    Ok(healthy())
}

pub(crate) fn job(object: &Object<'_>) -> Result<Verdict, String> {
    let [
        deletion,
        api_version,
        failed,
        failure,
        complete,
        message,
        suspended,
        why,
    ] = object.fields([
        DELETION,
        "/apiVersion",
        "/status/conditions/[type=Failed]/status",
        "/status/conditions/[type=Failed]/message",
        "/status/conditions/[type=Complete]/status",
        "/status/conditions/[type=Complete]/message",
        "/status/conditions/[type=Suspended]/status",
        "/status/conditions/[type=Suspended]/message",
    ]);
    if let Some(verdict) = on_its_way_out(object, &deletion, api_version, "batch")? {
        return Ok(verdict);
    }
    // A condition that is there counts unless it says False: a Job that was resumed keeps `Suspended: False`.
    let holds = |status: Option<String>| status.is_some_and(|status| status != "False");
    let (failed, complete, suspended) = (
        holds(failed.text()?),
        holds(complete.text()?),
        holds(suspended.text()?),
    );
    Ok(match (failed, suspended, complete) {
        (true, _, _) => Verdict::Degraded(failure.text()?.unwrap_or_default()),
        (false, true, _) => Verdict::Suspended(why.text()?.unwrap_or_default()),
        (false, false, true) => Verdict::Healthy(message.text()?.unwrap_or_default()),
        (false, false, false) => Verdict::Progressing(String::new()),
    })
}

/// As a ReplicaSet, which came after it.
pub(crate) fn replication_controller(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, generation, observed, failure, reason, wanted, available] = object.fields([
        DELETION,
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/conditions/[type=ReplicaFailure]/status",
        "/status/conditions/[type=ReplicaFailure]/message",
        "/spec/replicas",
        "/status/availableReplicas",
    ]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let (wanted, available) = (wanted.integer()?, available.count()?);
    if generation.count()? > observed.count()? {
        return Ok(unobserved());
    }
    if failure.text()?.as_deref() == Some("True") {
        return Ok(Verdict::Degraded(reason.text()?.unwrap_or_default()));
    }
    if let Some(wanted) = wanted.filter(|wanted| available < *wanted) {
        return Ok(Verdict::Progressing(format!(
            "{available} of {wanted} replicas are available"
        )));
    }
    Ok(healthy())
}

/// A schedule is there or is suspended; how a run of it went is for its Jobs to say.
pub(crate) fn cron_job(object: &Object<'_>) -> Result<Verdict, String> {
    let [deletion, suspended] = object.fields([DELETION, "/spec/suspend"]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    Ok(match suspended.flag()? {
        true => Verdict::Suspended("CronJob is suspended".to_owned()),
        false => healthy(),
    })
}
