//! The end of an Application: its objects go, as far as the prune policies let them, or stay without an owner.
//!
//! If they go, its `PreDelete` hooks run first, in their waves, and have to succeed; then the objects are deleted, the highest
//! wave first; once all of them are gone, its `PostDelete` hooks run, and have to succeed too. The Application stays until then:
//! what fails is tried again, and nothing is skipped. Each stage is written down before it begins, so that none is done twice.

use std::time::Duration;

use sluice_health::Course;
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, DeletionPolicy, DeletionState, HealthState, PRUNE_FINALIZER, SyncStatus,
};
use sluice_model::decision::Phase;
use sluice_model::health::HealthStatus;
use sluice_model::operation::RESUMED_ANNOTATION;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;

use crate::effect::{Effect, Next, Why};
use crate::observation::{DeletionFacts, DeletionResult, Observation, Progress};
use crate::pause;
use crate::state::{Context, Stage, Turn};
use crate::step::{self, Step};
use crate::{annotation, requests};

/// How soon to look whether what was deleted is gone; watches tell sooner.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The Application is being deleted.
pub(crate) fn wake(step: &mut Step<'_>, context: Context) -> Next {
    let application = &context.application;
    let finalizers = application.metadata.finalizers.iter().flatten();
    if !finalizers
        .into_iter()
        .any(|finalizer| finalizer == PRUNE_FINALIZER)
    {
        return step.state.next(step.now);
    }
    step.effects.push(Effect::WantNothing);
    pause::note(step, application);
    if annotation(application, RESUMED_ANNOTATION).is_some() {
        step.effects.push(Effect::Remove(&[RESUMED_ANNOTATION]));
    }
    if application.spec.pause.is_some() {
        let message =
            "the Application is being deleted, which waits as long as it is paused; see `sluice resume`";
        step.find(conditions::SYNCED, Finding::no("Paused", message));
        return write(step);
    }
    let status = &mut step.state.status;
    status.sync.status = SyncStatus::OutOfSync;
    let leaving = HealthState {
        status: HealthStatus::Progressing,
        message: "the Application is being deleted".to_owned(),
        ..HealthState::default()
    };
    (_, status.health, _) = Course::default().go_on(&status.health, leaving, step.now.wall);
    let because = Finding::unknown("Deleting", "the Application is being deleted");
    step.find(conditions::HEALTHY, because);
    let since = match step.state.failures.had() {
        true => step.now.moment,
        // What was fetched at the last poll will do.
        false => step.now.moment.before(step.state.poll_every),
    };
    let prune = context.application.spec.deletion_policy == DeletionPolicy::Prune;
    step.ask(
        Effect::FindMembers { since, prune },
        Turn::Deleting(context, Stage::Members),
    )
}

/// Goes on from stage to stage.
pub(crate) fn proceed(step: &mut Step<'_>, context: Context, stage: Stage, observation: Observation) -> Next {
    match (stage, observation) {
        (
            Stage::Members,
            Observation::Members {
                status,
                objects: Ok(objects),
            },
        ) => {
            step.state.status = *status;
            step.state.status.objects = objects;
            match context.application.spec.deletion_policy {
                DeletionPolicy::Orphan => free(step, context, Stage::FreeingRest),
                DeletionPolicy::Prune => resume(step, context),
            }
        }
        (Stage::Hooks(phase), Observation::Progress(progress)) => {
            let (message, write) = match progress {
                Progress::Wave(message) => (message, false),
                Progress::Waiting(waiting) => (waiting.to_string(), true),
                Progress::TakesLong => {
                    return step::unchanged(step, Turn::Deleting(context, Stage::Hooks(phase)));
                }
            };
            step.find(conditions::SYNCED, Finding::no("DeletionHooks", message));
            if write {
                step.effects.push(Effect::Write);
            }
            step::unchanged(step, Turn::Deleting(context, Stage::Hooks(phase)))
        }
        (Stage::Hooks(Phase::PostDelete), Observation::HooksRan(Ok(()))) => {
            // Hooks whose delete policy leaves them belong to no Application from here on.
            free(step, context, Stage::FreeingRest)
        }
        (Stage::Hooks(_), Observation::HooksRan(Ok(()))) => enter(step, context, DeletionState::Objects),
        (Stage::Entering, Observation::Announced(true)) => resume(step, context),
        (Stage::Entering, Observation::Announced(false)) => {
            step.state.failures.now = true;
            write(step)
        }
        (Stage::Planning, Observation::DeletionPlanned(Ok(facts))) => planned(step, context, *facts),
        (Stage::Deleting, Observation::Deleted(result)) => deleted(step, result),
        (Stage::Freeing, Observation::SetFree(Ok(()))) => enter(step, context, DeletionState::PostDelete),
        (Stage::FreeingRest, Observation::SetFree(Ok(()))) => {
            step.tell(Happening::CleanedUp, "nothing that it owned is left");
            step.ask(Effect::Release, Turn::Deleting(context, Stage::Releasing))
        }
        (Stage::Releasing, Observation::Released(true)) => Next::Gone,
        (Stage::Releasing, Observation::Released(false)) => {
            step.state.failures.now = true;
            write(step)
        }
        (
            Stage::Members,
            Observation::Members {
                status,
                objects: Err(finding),
            },
        ) => {
            step.state.status = *status;
            failed(step, finding)
        }
        (Stage::Hooks(_), Observation::HooksRan(Err(finding)))
        | (Stage::Planning, Observation::DeletionPlanned(Err(finding)))
        | (Stage::Freeing | Stage::FreeingRest, Observation::SetFree(Err(finding))) => failed(step, finding),
        (stage, _) => step::unchanged(step, Turn::Deleting(context, stage)),
    }
}

/// Begins, or goes on with, the stage that is written down.
fn resume(step: &mut Step<'_>, context: Context) -> Next {
    match step.state.status.deletion.unwrap_or(DeletionState::PreDelete) {
        DeletionState::PreDelete => hooks(step, context, Phase::PreDelete),
        DeletionState::Objects => step.ask(Effect::PlanDeletion, Turn::Deleting(context, Stage::Planning)),
        DeletionState::PostDelete => hooks(step, context, Phase::PostDelete),
    }
}

fn hooks(step: &mut Step<'_>, context: Context, phase: Phase) -> Next {
    step.ask(
        Effect::RunHooks(phase),
        Turn::Deleting(context, Stage::Hooks(phase)),
    )
}

fn enter(step: &mut Step<'_>, context: Context, stage: DeletionState) -> Next {
    step.state.status.deletion = Some(stage);
    step.ask(Effect::Announce, Turn::Deleting(context, Stage::Entering))
}

fn free(step: &mut Step<'_>, context: Context, stage: Stage) -> Next {
    step.ask(Effect::SetFree, Turn::Deleting(context, stage))
}

/// The plan that deletes the objects is known.
fn planned(step: &mut Step<'_>, context: Context, facts: DeletionFacts) -> Next {
    if let Some(reason) = facts.unsettled {
        return wait(step, Finding::no("Deleting", reason));
    }
    // What is held is shown once the rest is done: then its digest stays what it is.
    step.state.status.pending_approval = facts.pending.filter(|_| facts.steps == 0);
    step.state.status.attention = facts.attention;
    if let Some(blocked) = facts.blocked {
        return wait(step, blocked);
    }
    let approved = requests::approved(&context.application) == Some(facts.digest.as_str());
    if facts.steps > 0 || approved {
        let digest = facts.digest;
        return step.ask(
            Effect::Delete { digest, approved },
            Turn::Deleting(context, Stage::Deleting),
        );
    }
    if facts.held > 0 {
        let (number, digest) = (facts.held, facts.digest);
        let message = format!(
            "{number} deletions wait for an approval of plan {digest}; the Application waits with them"
        );
        let mut said = step.state.status.conditions.iter();
        if said.all(|condition| condition.message != message) {
            step.tell(Happening::DeletionsHeld, message.clone());
        }
        return wait(step, Finding::no("DeletionsHeld", message));
    }
    if let Some(going) = facts.going {
        return wait(step, Finding::no("Deleting", going));
    }
    // What is left is what policies keep or other Applications want: it stays, and belongs to none any more.
    free(step, context, Stage::Freeing)
}

fn deleted(step: &mut Step<'_>, result: DeletionResult) -> Next {
    match result {
        DeletionResult::Done { held_done, summary } => {
            if held_done {
                step.effects.push(Effect::Remove(&[APPROVED_PLAN_ANNOTATION]));
                step.state.status.pending_approval = None;
            }
            wait(step, Finding::no("Deleting", summary))
        }
        // What comes after it waits; the next look goes on from there.
        DeletionResult::StillThere(message) => wait(step, Finding::no("Deleting", message)),
        DeletionResult::Failed(finding) => failed(step, finding),
    }
}

/// Nothing more can be done for the moment.
fn wait(step: &mut Step<'_>, finding: Finding) -> Next {
    step.find(conditions::SYNCED, finding);
    let when = step.now.moment.after(LOOK_AGAIN);
    step.state.due(when, Why::Deletion);
    write(step)
}

fn failed(step: &mut Step<'_>, finding: Finding) -> Next {
    step.state.failures.now = true;
    step.find(conditions::SYNCED, finding);
    write(step)
}

fn write(step: &mut Step<'_>) -> Next {
    step.effects.push(Effect::Write);
    step.state.turn = Turn::Resting;
    step.state.next(step.now)
}
