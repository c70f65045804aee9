//! Controllers of Pods: what they want against what they have.

use sluice_plugin::Verdict;

use crate::Subject;
use crate::conditions::Condition;
use crate::verdicts::{current, failed, in_progress};

/// What the API server has for a Deployment without a deadline.
const NO_DEADLINE: i64 = i32::MAX as i64;

pub(crate) fn deployment(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [deadline, wanted, replicas, updated, ready, available] = subject.object.fields([
        "/spec/progressDeadlineSeconds",
        "/spec/replicas",
        "/status/replicas",
        "/status/updatedReplicas",
        "/status/readyReplicas",
        "/status/availableReplicas",
    ]);
    let (deadline, wanted) = (deadline.integer()?, wanted.integer()?.unwrap_or(1));
    let (replicas, updated) = (replicas.count()?, updated.count()?);
    let (ready, available) = (ready.count()?, available.count()?);
    let progressing = |reason: &str| {
        let mut conditions = subject.conditions.iter();
        conditions.find(|condition| condition.kind == "Progressing" && condition.reason == reason)
    };
    if progressing("ProgressDeadlineExceeded").is_some() {
        return Ok(failed(
            "ProgressDeadlineExceeded",
            "the progress deadline has passed",
        ));
    }
    // Without a deadline the controller writes no `Progressing` condition.
    let has_new_replicas = deadline.is_none_or(|seconds| seconds == NO_DEADLINE)
        || progressing("NewReplicaSetAvailable").is_some_and(Condition::holds);
    Ok(if wanted > replicas {
        in_progress("LessReplicas", &there_are(replicas, wanted))
    } else if wanted > updated {
        in_progress(
            "LessUpdated",
            &format!("{updated} of {wanted} replicas are updated"),
        )
    } else if replicas > wanted {
        in_progress("ExtraPods", &too_many(replicas - wanted))
    } else if updated > available {
        in_progress("LessAvailable", &are_available(available, updated))
    } else if wanted > ready {
        in_progress("LessReady", &are_ready(ready, wanted))
    } else if !has_new_replicas {
        in_progress("ReplicaSetNotAvailable", "the new ReplicaSet is not available")
    } else if !subject.conditions.is_true("Available") {
        in_progress("DeploymentNotAvailable", "the Deployment is not available")
    } else {
        current(format!("{replicas} replicas are available"))
    })
}

pub(crate) fn stateful_set(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [
        update,
        partition,
        wanted,
        ready,
        in_place,
        updated,
        replicas,
        revision,
        next,
    ] = subject.object.fields([
        "/spec/updateStrategy/type",
        "/spec/updateStrategy/rollingUpdate/partition",
        "/spec/replicas",
        "/status/readyReplicas",
        "/status/currentReplicas",
        "/status/updatedReplicas",
        "/status/replicas",
        "/status/currentRevision",
        "/status/updateRevision",
    ]);
    if update.text()?.as_deref() == Some("OnDelete") {
        return Ok(current("its Pods are updated when somebody deletes them"));
    }
    // The model takes -1 for no partition.
    let partition = partition.integer()?.filter(|partition| *partition != -1);
    let wanted = wanted.integer()?.unwrap_or(1);
    let (ready, in_place, updated) = (ready.count()?, in_place.count()?, updated.count()?);
    let (replicas, revision, next) = (replicas.count()?, revision.text()?, next.text()?);
    Ok(if wanted > replicas {
        in_progress("LessReplicas", &there_are(replicas, wanted))
    } else if wanted > ready {
        in_progress("LessReady", &are_ready(ready, wanted))
    } else if replicas > wanted {
        in_progress("ExtraPods", &too_many(replicas - wanted))
    } else if let Some(partition) = partition {
        let target = wanted.saturating_sub(partition);
        match updated < target {
            true => in_progress(
                "PartitionRollout",
                &format!("{updated} of {target} replicas are updated"),
            ),
            false => current(format!(
                "the partition is rolled out, {updated} replicas are updated"
            )),
        }
    } else if wanted > in_place {
        in_progress(
            "LessCurrent",
            &format!("{in_place} of {wanted} replicas are at the current revision"),
        )
    } else if revision.unwrap_or_default() != next.unwrap_or_default() {
        in_progress(
            "RevisionMismatch",
            "the update revision is not the current one yet",
        )
    } else {
        current(format!("{replicas} replicas are as they are wanted"))
    })
}

pub(crate) fn daemon_set(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [generation, observed, wanted, scheduled, updated, available, ready] = subject.object.fields([
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/desiredNumberScheduled",
        "/status/currentNumberScheduled",
        "/status/updatedNumberScheduled",
        "/status/numberAvailable",
        "/status/numberReady",
    ]);
    let missing = |what: &str| format!("it has no `{what}`");
    // Its controller always writes them: without them it has not looked at the object.
    if !generation.is_set() {
        return Ok(in_progress("NoGeneration", &missing("metadata.generation")));
    }
    if !observed.is_set() {
        return Ok(in_progress(
            "NoObservedGeneration",
            &missing("status.observedGeneration"),
        ));
    }
    let wanted = wanted.integer()?.filter(|wanted| *wanted != -1);
    let (scheduled, updated) = (scheduled.count()?, updated.count()?);
    let (available, ready) = (available.count()?, ready.count()?);
    let Some(wanted) = wanted else {
        return Ok(in_progress(
            "NoDesiredNumber",
            &missing("status.desiredNumberScheduled"),
        ));
    };
    Ok(if wanted > scheduled {
        in_progress(
            "LessCurrent",
            &format!("{scheduled} of {wanted} Pods are scheduled"),
        )
    } else if wanted > updated {
        in_progress("LessUpdated", &format!("{updated} of {wanted} Pods are updated"))
    } else if wanted > available {
        in_progress(
            "LessAvailable",
            &format!("{available} of {wanted} Pods are available"),
        )
    } else if wanted > ready {
        in_progress("LessReady", &format!("{ready} of {wanted} Pods are ready"))
    } else {
        current(format!("{wanted} Pods are as they are wanted"))
    })
}

pub(crate) fn replica_set(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [wanted, replicas, ready, available, labelled] = subject.object.fields([
        "/spec/replicas",
        "/status/replicas",
        "/status/readyReplicas",
        "/status/availableReplicas",
        "/status/fullyLabeledReplicas",
    ]);
    let wanted = wanted.integer()?.unwrap_or(1);
    let (replicas, ready) = (replicas.count()?, ready.count()?);
    let (available, labelled) = (available.count()?, labelled.count()?);
    Ok(
        if let Some(failure) = subject.conditions.with("ReplicaFailure", "True") {
            // Not Failed in the model either: its controller goes on trying.
            in_progress("ReplicaFailure", &failure.message)
        } else if wanted > labelled {
            in_progress(
                "LessLabelled",
                &format!("{labelled} of {wanted} replicas have all labels"),
            )
        } else if wanted > available {
            in_progress("LessAvailable", &are_available(available, wanted))
        } else if wanted > ready {
            in_progress("LessReady", &are_ready(ready, wanted))
        } else if replicas > wanted {
            in_progress("ExtraPods", &too_many(replicas - wanted))
        } else {
            current(format!("{replicas} replicas are available"))
        },
    )
}

fn there_are(count: i64, wanted: i64) -> String {
    format!("there are {count} of {wanted} replicas")
}

fn are_ready(count: i64, wanted: i64) -> String {
    format!("{count} of {wanted} replicas are ready")
}

fn are_available(count: i64, wanted: i64) -> String {
    format!("{count} of {wanted} replicas are available")
}

fn too_many(count: i64) -> String {
    format!("{count} replicas are still to go")
}
