//! The end of a sync: what it came to, in the status, the history and an Event.

use std::collections::BTreeSet;
use std::time::Duration;

use sluice_apply::{ApplyError, Finished};
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, ApplicationStatus, OperationKind, OperationPhase, TERMINATE_ANNOTATION,
};
use sluice_model::decision::Propagation;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::{Object, ObjectKey};
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::plan::Action;
use sluice_model::secret::mask;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::time::Instant;

use super::actor::Actor;
use super::operation::{self, AUTOMATIC};
use super::standing;
use super::syncing::{Attempt, Executed, Stop};
use crate::error::PipelineError;
use crate::pipeline::{Job, Live, blocking};

/// A plan that the cluster overtook is made anew at once, this often in a row.
const OVERTAKEN: u32 = 3;

/// What a dry-run could not judge: the first few objects, and what they rest on.
fn later(outcomes: &[Outcome]) -> Option<String> {
    const SHOWN: usize = 5;
    let open: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.message.starts_with(sluice_apply::REHEARSED_LATER))
        .collect();
    let shown: Vec<String> = open
        .iter()
        .take(SHOWN)
        .map(|outcome| format!("{} is {}", outcome.object, outcome.message))
        .collect();
    let more = match open.len() > SHOWN {
        true => format!("; and {} more", open.len() - SHOWN),
        false => String::new(),
    };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join("; ")))
}

impl Actor {
    /// Takes in what an execution came to. True where another look should follow.
    pub(super) async fn conclude(
        &mut self,
        status: &mut ApplicationStatus,
        job: &Job,
        attempt: Attempt,
        executed: Executed,
        digest: String,
        patience: Duration,
    ) -> bool {
        let Executed { finished, stopped } = executed;
        let summary = standing::summary(&finished.outcomes);
        let commit = attempt.trusted.revision.commit.clone();
        let dry_run = attempt.kind == OperationKind::DryRun;
        if let Some(operation) = &mut status.operation {
            operation.summary.clone_from(&summary);
            operation.waiting_for = None;
        }
        if attempt.kind == OperationKind::SelfHeal {
            self.healing.times += 1;
            self.healing.last = Some(Instant::now());
        }
        if finished.failure.is_some() {
            return self.failed_sync(status, job, &attempt, finished, stopped).await;
        }
        self.healing.overtaken = 0;
        if dry_run {
            let message = match later(&finished.outcomes) {
                None => format!("the API server would take all of it: {summary}"),
                Some(later) => format!("the API server refuses nothing for good: {summary}; {later}"),
            };
            operation::finish(status, OperationPhase::Succeeded, message.clone());
            self.tell(Happening::DryRunSucceeded, &format!("{commit}: {message}"));
            return false;
        }
        if attempt.resources.is_empty() {
            status.sync.revision.clone_from(&commit);
            status.sync.target = None;
            self.synced_generation = self.generation();
        }
        tracing::info!(application = %self.key, commit, summary, "sync done");
        if finished.held_done {
            // The approval is used up; a new plan needs a new one.
            if self
                .remove_annotations(&[APPROVED_PLAN_ANNOTATION])
                .await
                .is_err()
            {
                self.failures += 1;
            }
            self.tell(Happening::DeletionsApproved, &format!("plan {digest}: {summary}"));
        }
        let held = attempt.plan.held.len();
        if held > 0 && !finished.held_done {
            self.tell(
                Happening::DeletionsHeld,
                &format!("{held} deletions wait for approval; see `sluice status`"),
            );
        }
        if let Some(operation) = &mut status.operation {
            self.gate.close(operation, patience, jiff::Timestamp::now());
        }
        true
    }

    /// The end of a sync that did not come to its end. True where another look should follow.
    async fn failed_sync(
        &mut self,
        status: &mut ApplicationStatus,
        job: &Job,
        attempt: &Attempt,
        finished: Finished,
        stopped: Option<Stop>,
    ) -> bool {
        let Finished {
            outcomes,
            sync_fail,
            failure: Some(failure),
            ..
        } = finished
        else {
            return false;
        };
        if self.shared.ending.is_cancelled() && matches!(failure, ApplyError::Abandoned { .. }) {
            // Still under way: whoever comes next sees it, and goes on.
            return false;
        }
        let overtaken = matches!(failure, ApplyError::MovedOn { .. });
        if overtaken && self.healing.overtaken < OVERTAKEN && attempt.id == AUTOMATIC {
            // Not a failure of this revision: the next plan takes what changed into account.
            self.healing.overtaken += 1;
            status.operation = None;
            return true;
        }
        let phase = match (&stopped, &failure) {
            (Some(Stop::Terminated(_)), _) => OperationPhase::Terminated,
            (_, ApplyError::Abandoned { .. }) => OperationPhase::Superseded,
            _ => OperationPhase::Failed,
        };
        let failure = PipelineError::Apply(failure);
        let message = standing::with_hooks(standing::failure(&failure), &sync_fail);
        self.note_failure(&failure);
        self.failed_generation = self.generation();
        operation::finish(status, phase, message.clone());
        let happening = match phase {
            OperationPhase::Terminated => Happening::SyncTerminated,
            OperationPhase::Superseded => Happening::SyncSuperseded,
            OperationPhase::Running | OperationPhase::Succeeded | OperationPhase::Failed => {
                Happening::SyncFailed
            }
        };
        if phase == OperationPhase::Failed {
            self.finding(
                status,
                conditions::SYNCED,
                Finding {
                    message: message.clone(),
                    ..Finding::failed(&failure)
                },
            );
        }
        self.tell(happening, &message);
        if phase == OperationPhase::Terminated {
            self.stop_hooks(job, attempt, &outcomes).await;
            if self.remove_annotations(&[TERMINATE_ANNOTATION]).await.is_err() {
                self.failures += 1;
            }
        }
        // What was done before the failure shows in another look, and so does the time of the next try.
        let wrote =
            attempt.kind != OperationKind::DryRun && outcomes.iter().any(|outcome| is_done(outcome.result));
        attempt.id == AUTOMATIC || wrote || phase != OperationPhase::Failed
    }

    /// What still runs for an operation that was terminated ends with it.
    async fn stop_hooks(&self, job: &Job, attempt: &Attempt, outcomes: &[Outcome]) {
        let shared = &self.shared;
        let pipeline = &shared.pipeline;
        let begun: BTreeSet<ObjectKey> = outcomes
            .iter()
            .filter(|outcome| is_done(outcome.result))
            .map(|outcome| outcome.object.key())
            .collect();
        let hooks: BTreeSet<ObjectKey> = attempt
            .plan
            .steps
            .iter()
            .filter(|step| matches!(&step.action, Action::Apply { cleanup, .. } if !cleanup.is_empty()))
            .map(|step| step.object.key())
            .filter(|hook| begun.contains(hook))
            .collect();
        if hooks.is_empty() {
            return;
        }
        let running = async {
            let kinds = pipeline.kinds(job, &attempt.manifests).await?;
            let found = shared.observer.snapshot(&kinds, &job.applyset());
            let live: Vec<Object> = Live::of_members(found, &attempt.manifests)
                .members
                .iter()
                .filter(|(key, _)| hooks.contains(key))
                .map(|(_, object)| object.clone())
                .collect();
            let (plugins, policies) = (pipeline.plugins.clone(), job.spec.policies.health.clone());
            let (asked, now): (Vec<Object>, _) = (live.iter().map(mask).collect(), jiff::Timestamp::now());
            let answer = blocking(move || plugins.health(&policies, &asked, now)).await?;
            let over = |verdict: &HealthVerdict| {
                matches!(verdict.status, HealthStatus::Healthy | HealthStatus::Degraded)
            };
            for (hook, _) in live
                .iter()
                .zip(answer.value)
                .filter(|(_, verdict)| !over(verdict))
            {
                sluice_apply::remove_hook(&attempt.prepared.cluster, hook, Propagation::Background).await?;
                shared.observer.forget(&hook.key());
            }
            Ok::<(), PipelineError>(())
        };
        if let Err(error) = running.await {
            tracing::warn!(application = %self.key, %error, "hooks of a terminated operation could not be ended");
        }
    }
}

fn is_done(result: StepResult) -> bool {
    matches!(
        result,
        StepResult::Created | StepResult::Configured | StepResult::Deleted
    )
}
