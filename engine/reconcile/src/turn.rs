//! One turn of the loop: from waking, over what is found and done, to resting.

use std::sync::Arc;

use sluice_model::application::{
    Initiator, OPERATION_ANNOTATION, OperationFailure, OperationKind, OperationResult, OperationState,
    REFRESH_ANNOTATION, SyncStatus, TERMINATE_ANNOTATION,
};
use sluice_model::error::Coded as _;
use sluice_model::operation::RESUMED_ANNOTATION;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;

use crate::automation::{self, Decision};
use crate::effect::{Effect, Next, Order, Wanted, Why, may_write};
use crate::gate::{self, Answer};
use crate::observation::{Assessment, Found, Observation, PlanFacts, Progress, Terms, Woken};
use crate::pause;
use crate::state::{Context, State, Turn};
use crate::step::{Step, again, rest, unchanged};
use crate::time::Now;
use crate::{annotation, conclusion, deletion, operation, requests};

/// How soon to look again if time alone may change a verdict.
const UNSETTLED: std::time::Duration = std::time::Duration::from_secs(15);

/// Decides what to do next.
///
/// `state` is what is remembered, `observation` what the task saw, `now` what time it is. Returned are what is remembered from
/// now on, what is to be done, in this order, and when to wake. The last effect may be a question; then its answer is to be the next
/// observation. An observation that answers no question that was asked changes nothing.
#[must_use]
pub fn step(mut state: State, observation: Observation, now: Now) -> (State, Vec<Effect>, Next) {
    let turn = std::mem::replace(&mut state.turn, Turn::Resting);
    let mut step = Step {
        state: &mut state,
        now,
        effects: Vec::new(),
    };
    let next = proceed(&mut step, turn, observation);
    let effects = step.effects;
    (state, effects, next)
}

fn proceed(step: &mut Step<'_>, turn: Turn, observation: Observation) -> Next {
    match (turn, observation) {
        (Turn::Resting, Observation::Woken(woken)) => wake(step, woken),
        (_, Observation::Woken(woken)) => {
            // The answer to the question was lost, and an operation may have been interrupted by that.
            step.state.interrupted = step.state.take_interrupted(step.now);
            wake(step, woken)
        }
        (turn, Observation::Failed) => {
            step.state.failures.now = true;
            unchanged(step, turn)
        }
        (Turn::Taking(context), Observation::Taken(taken)) => {
            let Some(version) = taken else {
                // The API server is away: the annotations are still there for the next turn.
                step.state.failures.now = true;
                return rest(step, &context);
            };
            requests::terminate(step, &context.application);
            let request = requests::asked(step, &context);
            step.state.taken_at = step.state.taken_at.max(version);
            requests::take(step, context, request)
        }
        (Turn::Requesting(context, request), Observation::Announced(true)) => {
            requests::take_annotation(step, context, Ok(*request))
        }
        (Turn::TakingRequest(context, request), Observation::Taken(Some(version))) => {
            step.state.taken_at = step.state.taken_at.max(version);
            requests::taken(step, context, *request)
        }
        // The API server is away: the annotation is still there for the next turn.
        (Turn::Requesting(context, _), Observation::Announced(false))
        | (Turn::TakingRequest(context, _), Observation::Taken(None)) => {
            step.state.failures.now = true;
            rest(step, &context)
        }
        (Turn::Assessing(context), Observation::Assessed(assessment)) => assessed(step, context, *assessment),
        (Turn::Preparing(context, wanted), Observation::Prepared(Ok(plan))) => {
            begin(step, context, wanted, plan)
        }
        (Turn::Preparing(context, _), Observation::Prepared(Err(failure))) => {
            requests::refuse(step, context, failure)
        }
        (Turn::Announcing(context, order, _), Observation::Announced(true)) => {
            step.ask(Effect::Execute(order.clone()), Turn::Executing(context, order))
        }
        // Where it cannot be said, the API server is away and nothing can be done either.
        (Turn::Announcing(context, _, before), Observation::Announced(false)) => {
            step.state.failures.now = true;
            step.state.status.operation = *before;
            rest(step, &context)
        }
        (Turn::Executing(context, order), Observation::Progress(progress)) => {
            advanced(step, &order, progress);
            unchanged(step, Turn::Executing(context, order))
        }
        (Turn::Executing(context, order), Observation::Executed(execution)) => {
            conclusion::conclude(step, context, &order, *execution)
        }
        (Turn::Deleting(context, stage), observation) => deletion::proceed(step, context, stage, observation),
        (turn, _) => unchanged(step, turn),
    }
}

/// A turn begins.
fn wake(step: &mut Step<'_>, woken: Woken) -> Next {
    let Woken { application, reasons } = woken;
    if application.metadata.uid.is_none() || application.metadata.uid != step.state.uid {
        step.state.begin(&application, step.now);
    }
    let (state, now) = (&mut *step.state, step.now.moment);
    state.failures.begin();
    state.due = None;
    state.generation = application.metadata.generation;
    let refresh = annotation(&application, REFRESH_ANNOTATION).map(str::to_owned);
    let asks = refresh.is_some() || state.asked(&application, OPERATION_ANNOTATION).is_some();
    let polls = now >= state.poll;
    if asks {
        // Who asks for a sync means what Git has now.
        state.fetched_since = now;
        state.polled(now);
    } else if polls {
        // Applications of one repository share their polls: the one that finds something new wakes the others.
        state.fetched_since = state.fetched_since.max(now.before(state.poll_every / 2));
        state.polled(now);
    } else if let Some(news) = reasons.news {
        state.fetched_since = state.fetched_since.max(news);
    } else if state.failures.had() && source_failed(state) {
        state.fetched_since = now;
    }
    let context = Context {
        application,
        refresh,
        round: 0,
        request: None,
        terms: Terms::default(),
    };
    if context.application.metadata.deletion_timestamp.is_some() {
        return deletion::wake(step, context);
    }
    let status = &mut step.state.status;
    if status.observed_generation != step.state.generation {
        // What was claimed for another spec says nothing of this one.
        status.claims = None;
        status.observed_generation = step.state.generation;
    }
    let is_hard = context.refresh.as_deref() == Some("hard");
    if is_hard {
        step.effects.push(Effect::Forget);
    }
    if is_hard || context.refresh.is_some() || polls {
        step.effects.push(Effect::RefreshKinds { always: is_hard });
    }
    pause::note(step, &context.application);
    let there = |key: &&&str| step.state.asked(&context.application, key).is_some();
    let ended: Vec<&str> = [&RESUMED_ANNOTATION, &TERMINATE_ANNOTATION]
        .iter()
        .filter(|key| there(key))
        .map(|key| **key)
        .collect();
    match ended.is_empty() {
        true => {
            let request = requests::asked(step, &context);
            requests::take(step, context, request)
        }
        false => step.ask(Effect::Take(ended), Turn::Taking(context)),
    }
}

/// Returns true if the last look failed at the repository, so that the next one has to ask it again.
fn source_failed(state: &State) -> bool {
    conditions::get(&state.status.conditions, conditions::SOURCE_READY)
        .is_some_and(|condition| condition.status != "True")
}

fn assessed(step: &mut Step<'_>, mut context: Context, assessment: Assessment) -> Next {
    step.state.status = assessment.status;
    step.state.failures.now |= assessment.failed;
    for (happening, note) in assessment.happenings {
        step.tell(happening, note);
    }
    context.application = assessment.application;
    if context.application.metadata.deletion_timestamp.is_some() {
        step.state.turn = Turn::Resting;
        return Next::At(step.now.moment, Why::Deletion);
    }
    if assessment.unsettled {
        let when = step.now.moment.after(UNSETTLED);
        step.state.due(when, Why::Verdict);
    }
    let request = context.request.take();
    match (assessment.found, request) {
        (Some(found), Some(request)) => {
            context.terms = found.terms;
            requests::obey(step, context, request)
        }
        (Some(found), None) => {
            context.terms = found.terms;
            act(step, context, found)
        }
        (None, request) => {
            let answer = step.state.gate.unknown(&step.state.status, step.now.wall);
            answered(step, answer);
            if request.is_some() {
                requests::give_up(step);
            }
            rest(step, &context)
        }
    }
}

/// Does what an assessment calls for if no person asked for anything.
fn act(step: &mut Step<'_>, context: Context, found: Found) -> Next {
    let (state, wall) = (&mut *step.state, step.now.wall);
    let answer = state
        .gate
        .ask(&mut state.status, &found.awaited, found.terms.patience, wall);
    answered(step, answer);
    let application = Arc::clone(&context.application);
    if application.spec.pause.is_some() {
        return rest(step, &context);
    }
    if let Some(approved) = requests::approved(&application).filter(|_| found.plan.held > 0) {
        if approved == found.plan.digest {
            let wanted = Wanted::Approved {
                digest: approved.to_owned(),
                by: requests::approver(&application),
            };
            return step.ask(Effect::Prepare(wanted.clone()), Turn::Preparing(context, wanted));
        }
        let digest = &found.plan.digest;
        let message = format!("the approval names plan {approved}, but the plan that waits is {digest}");
        step.find(conditions::SYNCED, Finding::no("ApprovalOfAnotherPlan", message));
    }
    if step.state.status.sync.status == SyncStatus::Synced {
        step.effects.push(Effect::CorrectRecord);
        return arrived(step, context, &found);
    }
    match automation::decide(step.state, &application, &found, step.now) {
        Decision::Nothing => {
            step.state.interrupted = None;
            rest(step, &context)
        }
        Decision::Arrived => arrived(step, context, &found),
        Decision::Later(when, why, finding) => {
            step.state.due(when, why);
            if let Some(finding) = finding {
                step.find(conditions::SYNCED, finding);
            }
            rest(step, &context)
        }
        Decision::GivenUp(finding) => {
            step.find(conditions::SYNCED, finding);
            rest(step, &context)
        }
        Decision::Sync(wanted) => step.ask(Effect::Prepare(wanted.clone()), Turn::Preparing(context, wanted)),
    }
}

/// Ends the operation that waits for the application's health, if the answer is in.
fn answered(step: &mut Step<'_>, answer: Answer) {
    match answer {
        Answer::None => {}
        Answer::Wait(rest) => {
            let when = step.now.moment.after(rest);
            step.state.due(when, Why::Health);
        }
        Answer::Passed => {
            let Some(operation) = &step.state.status.operation else {
                return;
            };
            let (commit, message) = (operation.revision.clone(), operation.summary.clone());
            let happening = match operation.kind {
                OperationKind::SelfHeal => Happening::Healed,
                _ => Happening::SyncSucceeded,
            };
            step.tell(happening, format!("{commit}: {message}"));
            step.finish(OperationResult::Succeeded { message });
        }
        Answer::Failed(unfit) => {
            let message = Finding::failed(&unfit).message_within_limits();
            step.tell(Happening::SyncFailed, message.clone());
            step.finish(OperationResult::Failed(OperationFailure {
                code: unfit.code().id.to_owned(),
                message,
            }));
        }
    }
}

/// The cluster is where this revision wants it, as far as every policy and person let it. An operation that the end of a controller
/// interrupted after its last write only lacks the application's health.
fn arrived(step: &mut Step<'_>, context: Context, found: &Found) -> Next {
    let state = &mut *step.state;
    state
        .status
        .sync
        .move_to(&found.revision, found.plan.version.as_deref());
    state.synced_generation = state.generation;
    state.healing.overtaken = 0;
    let interrupted = state.interrupted.take();
    let Some(mut operation) = interrupted.filter(|operation| operation.revision == found.revision) else {
        return rest(step, &context);
    };
    operation.summary = "done before the controller was restarted".to_owned();
    operation.state = state.gate.close(found.terms.patience, step.now.wall);
    state.status.operation = Some(operation);
    again(step, context)
}

/// Writes the beginning of an operation into the status.
fn begin(step: &mut Step<'_>, context: Context, wanted: Wanted, plan: PlanFacts) -> Next {
    let (state, wall) = (&mut *step.state, step.now.wall);
    let pinned = context.application.spec.pin.is_some();
    let goes_back = pinned && state.status.sync.revision != plan.revision;
    let mut begun = operation::begun(Initiator::Automation, OperationKind::Sync, wall);
    let mut order = Order {
        plan: plan.clone(),
        dry_run: false,
        approved: false,
        follows: !pinned,
        whole: true,
        generation: state.generation,
        taken_at: state.taken_at,
    };
    match wanted {
        Wanted::Automatic { heals, retries, .. } => {
            begun.retries = retries;
            begun.kind = match (heals, pinned) {
                (true, _) => OperationKind::SelfHeal,
                (false, true) => OperationKind::Rollback,
                (false, false) => OperationKind::Sync,
            };
        }
        Wanted::Approved { by, .. } => {
            begun.initiator = Initiator::Approval { by };
            begun.kind = OperationKind::Approval;
            (order.approved, order.follows) = (true, false);
        }
        Wanted::Requested(request) => {
            begun.kind = match requests::kind(&request) {
                OperationKind::Sync if goes_back => OperationKind::Rollback,
                kind => kind,
            };
            order.dry_run = request.dry_run;
            order.follows &= request.revision.is_none();
            order.whole = request.resources.is_empty();
            begun.resources = request.resources;
            begun.initiator = Initiator::Person {
                id: request.id,
                name: request.requested_by,
            };
        }
    }
    let before = state.status.operation.clone();
    if gate::is_waiting(&state.status) {
        let message = format!("{:?} to {} takes its place", begun.kind, plan.revision);
        operation::finish(&mut state.status, OperationResult::Superseded { message }, wall);
    }
    state.gate = gate::Gate::default();
    state.interrupted = None;
    begun.revision = plan.revision;
    begun.requested = plan.requested;
    begun.plan_digest = plan.digest;
    begun.policies = plan.policies;
    state.status.operation = Some(begun);
    if !order.approved && plan.steps > 0 {
        // What is held is shown once the rest is done: then its digest stays what it is.
        state.status.pending_approval = None;
    }
    step.ask(
        Effect::Announce,
        Turn::Announcing(context, order, Box::new(before)),
    )
}

/// An execution is on its way.
fn advanced(step: &mut Step<'_>, order: &Order, progress: Progress) {
    let Some(operation) = &mut step.state.status.operation else {
        return;
    };
    match progress {
        Progress::TakesLong => {
            let (kind, by) = (operation.kind, operation.initiator.name(operation.kind));
            let (commit, digest) = (&order.plan.revision, &order.plan.digest);
            let note = format!("{kind:?} to {commit}, plan {digest}, by {by}");
            step.tell(Happening::SyncStarted, note);
        }
        // A dry run stays a rehearsal.
        Progress::Wave(_) | Progress::Waiting(_) if order.dry_run || !may_write(&operation.state) => {}
        Progress::Wave(wave) => {
            operation.state = OperationState::Applying {
                wave: Some(wave),
                waiting_for: None,
            };
        }
        Progress::Waiting(waiting) => {
            operation.state = OperationState::Applying {
                wave: Some(waiting.what.clone()),
                waiting_for: Some(waiting),
            };
            // For people who look meanwhile; the end is written in any case.
            step.effects.push(Effect::Write);
        }
    }
}
