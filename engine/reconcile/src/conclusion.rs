//! What a sync came to: in the status, the history and an Event.

use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, OperationFailure, OperationResult, OperationState, TERMINATE_ANNOTATION,
};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;

use crate::effect::{Effect, Next, Order};
use crate::interruption::Stop;
use crate::observation::{End, Execution};
use crate::state::Context;
use crate::step::{self, Step};

/// A plan that the cluster overtook is made anew at once, this often in a row.
const OVERTAKEN: u32 = 3;

/// Takes in what an execution came to.
pub(crate) fn conclude(step: &mut Step<'_>, context: Context, order: &Order, execution: Execution) -> Next {
    let Execution {
        outcomes,
        summary,
        end,
    } = execution;
    let (state, now) = (&mut *step.state, step.now);
    let operation = state.status.operation.as_mut();
    let (automatic, heals) = operation.map_or((false, false), |operation| {
        operation.summary.clone_from(&summary);
        // Nothing is waited for any more.
        if let OperationState::Applying { waiting_for, .. } = &mut operation.state {
            *waiting_for = None;
        }
        let heals = operation.kind == sluice_model::application::OperationKind::SelfHeal;
        (operation.initiator.is_automatic(), heals)
    });
    if heals {
        state.healing.healed(now.moment);
    }
    match end {
        End::Done { unjudged, .. } if order.dry_run => {
            state.healing.overtaken = 0;
            let message = match unjudged {
                None => format!("the API server would take all of it: {summary}"),
                Some(later) => format!(
                    "the API server would take all that it can judge before the plan begins: {summary}; {later}"
                ),
            };
            let commit = &order.plan.revision;
            step.tell(Happening::DryRunSucceeded, format!("{commit}: {message}"));
            step.finish(OperationResult::Succeeded { message });
            step::rest(step, &context)
        }
        End::Done { held_done, .. } => {
            done(step, &context, order, held_done, &summary);
            step::again(step, context)
        }
        // Still under way: the next look is the first one of another controller, which sees it and goes on.
        End::ControllerEnds => {
            step.state.uid = None;
            step::rest(step, &context)
        }
        End::MovedOn(_) if automatic && state.healing.overtaken < OVERTAKEN => {
            // Not a failure of this revision: the next plan takes what changed into account.
            state.healing.overtaken += 1;
            state.status.operation = None;
            step::again(step, context)
        }
        End::MovedOn(failure) | End::Failed(failure) => {
            step.find(
                conditions::SYNCED,
                Finding::no(&failure.code, failure.message.clone()),
            );
            step.tell(Happening::SyncFailed, failure.message.clone());
            failed(step, OperationResult::Failed(failure));
            // What was done before the failure shows in another assessment, and so does the time of the next try.
            let wrote = !order.dry_run && outcomes.iter().any(|outcome| outcome.result.is_done());
            match automatic || wrote {
                true => step::again(step, context),
                false => step::rest(step, &context),
            }
        }
        End::Stopped(Stop::Terminated(_), OperationFailure { message, .. }) => {
            step.tell(Happening::SyncTerminated, message.clone());
            failed(step, OperationResult::Terminated { message });
            step.effects.push(Effect::StopHooks);
            step.effects.push(Effect::Remove(&[TERMINATE_ANNOTATION]));
            step::again(step, context)
        }
        End::Stopped(Stop::Paused(_), OperationFailure { message, .. })
        | End::Superseded(OperationFailure { message, .. }) => {
            step.tell(Happening::SyncSuperseded, message.clone());
            failed(step, OperationResult::Superseded { message });
            step::again(step, context)
        }
    }
}

/// Every step was done: from now on the operation waits for the application's health.
fn done(step: &mut Step<'_>, context: &Context, order: &Order, held_done: bool, summary: &str) {
    let (state, now) = (&mut *step.state, step.now);
    state.healing.overtaken = 0;
    if order.whole {
        state
            .status
            .sync
            .move_to(&order.plan.revision, order.plan.version.as_deref());
        state.synced_generation = order.generation;
    }
    let waiting = state.gate.close(context.terms.patience, now.wall);
    if let Some(operation) = &mut state.status.operation {
        operation.state = waiting;
    }
    let digest = &order.plan.digest;
    if held_done {
        // The approval is used up; a new plan needs a new one.
        step.effects.push(Effect::Remove(&[APPROVED_PLAN_ANNOTATION]));
        step.tell(Happening::DeletionsApproved, format!("plan {digest}: {summary}"));
    } else if order.plan.held > 0 {
        let held = order.plan.held;
        let message = format!("{held} deletions wait for approval; see `sluice status`");
        step.tell(Happening::DeletionsHeld, message);
    }
}

/// The sync did not come to its end.
fn failed(step: &mut Step<'_>, result: OperationResult) {
    step.state.failed_generation = step.state.generation;
    step.finish(result);
}
