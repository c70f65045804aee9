//! What a person asks for: taken up once, refused with a code if it cannot be done.

use sluice_model::Application;
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, Initiator, OPERATION_ANNOTATION, Operation, OperationFailure, OperationKind,
    OperationRequest, OperationResult, OperationState, TERMINATE_ANNOTATION,
};
use sluice_report::events::Happening;

use crate::effect::{Effect, Next, Wanted};
use crate::state::{Context, Turn};
use crate::step::{self, Step};
use crate::{annotation, codes, operation, who};

/// Returns what kind of operation a request is, as far as it says so itself.
pub(crate) fn kind(request: &OperationRequest) -> OperationKind {
    match (request.dry_run, request.resources.is_empty()) {
        (true, _) => OperationKind::DryRun,
        (false, false) => OperationKind::SelectiveSync,
        (false, true) => OperationKind::Sync,
    }
}

/// Returns the operation that a request begins.
fn requested(request: OperationRequest, now: jiff::Timestamp) -> Operation {
    let person = Initiator::Person {
        id: request.id.clone(),
        name: request.requested_by.clone(),
    };
    Operation {
        resources: request.resources.clone(),
        state: OperationState::Requested(Box::new(request.clone())),
        ..operation::begun(person, kind(&request), now)
    }
}

/// Returns the request that is in the annotation, as it is written.
pub(crate) fn asked(step: &Step<'_>, context: &Context) -> Option<String> {
    let text = step.state.asked(&context.application, OPERATION_ANNOTATION);
    text.map(str::to_owned)
}

/// Takes up the request that is asked for, or one that the last controller had taken up. It stands in the status before the
/// annotation goes, so that it cannot be lost in between; and it is acted on only once the annotation is gone, so that it is not
/// done twice.
pub(crate) fn take(step: &mut Step<'_>, mut context: Context, asked: Option<String>) -> Next {
    let open = match step
        .state
        .status
        .operation
        .as_ref()
        .map(|operation| &operation.state)
    {
        Some(OperationState::Requested(open)) => Some((**open).clone()),
        _ => None,
    };
    let Some(text) = asked else {
        context.request = open;
        return step::assess(step, context);
    };
    match serde_json::from_str::<OperationRequest>(&text) {
        Ok(request) if open.as_ref() == Some(&request) => take_annotation(step, context, Ok(request)),
        Ok(request) => {
            let by = who(&request.requested_by);
            let message = format!("replaced by what {by} asked for");
            step.finish(OperationResult::Superseded { message });
            step.state.status.operation = Some(requested(request.clone(), step.now.wall));
            step.ask(Effect::Announce, Turn::Requesting(context, Box::new(request)))
        }
        Err(error) => {
            let failure = codes::failure(&codes::REQUEST, &error.to_string());
            take_annotation(step, context, Err(failure))
        }
    }
}

/// Asks for the annotation to be taken off.
pub(crate) fn take_annotation(
    step: &mut Step<'_>,
    context: Context,
    request: Result<OperationRequest, OperationFailure>,
) -> Next {
    let question = Effect::Take(vec![OPERATION_ANNOTATION]);
    step.ask(question, Turn::TakingRequest(context, Box::new(request)))
}

/// The annotation is gone.
pub(crate) fn taken(
    step: &mut Step<'_>,
    mut context: Context,
    request: Result<OperationRequest, OperationFailure>,
) -> Next {
    match request {
        Ok(request) => context.request = Some(request),
        Err(failure) => {
            step.tell(Happening::RequestRefused, failure.message.clone());
            let nameless = OperationRequest {
                id: "unreadable".to_owned(),
                requested_by: "unknown".to_owned(),
                ..OperationRequest::default()
            };
            let message = "replaced by a request that cannot be read".to_owned();
            step.finish(OperationResult::Superseded { message });
            step.state.status.operation = Some(requested(nameless, step.now.wall));
            step.finish(OperationResult::Failed(failure));
        }
    }
    step::assess(step, context)
}

/// A request that is taken up, and what Git wants is known.
pub(crate) fn obey(step: &mut Step<'_>, context: Context, request: OperationRequest) -> Next {
    if let Some(pause) = context
        .application
        .spec
        .pause
        .as_ref()
        .filter(|_| !request.dry_run)
    {
        let because = match pause.reason.is_empty() {
            true => String::new(),
            false => format!(": {}", pause.reason),
        };
        let details = format!("paused by {}{because}", who(&pause.by));
        return refuse(step, context, codes::failure(&codes::PAUSED, &details));
    }
    let wanted = Wanted::Requested(Box::new(request));
    step.ask(Effect::Prepare(wanted.clone()), Turn::Preparing(context, wanted))
}

/// A request cannot be done: that is its result.
pub(crate) fn refuse(step: &mut Step<'_>, context: Context, failure: OperationFailure) -> Next {
    step.tell(Happening::RequestRefused, failure.message.clone());
    step.finish(OperationResult::Failed(failure));
    step::rest(step, &context)
}

/// A request cannot be done because it is not known what Git wants: that is its result.
pub(crate) fn give_up(step: &mut Step<'_>) {
    let conditions = &step.state.status.conditions;
    let failed = conditions.iter().find(|condition| condition.status == "False");
    let failure = failed.map_or_else(
        || codes::failure(&codes::NOT_ASSESSED, ""),
        |failed| OperationFailure {
            code: failed.reason.clone(),
            message: failed.message.clone(),
        },
    );
    step.finish(OperationResult::Failed(failure));
}

/// Ends what is going on, or is about to be tried again, because a person wants that.
pub(crate) fn terminate(step: &mut Step<'_>, application: &Application) {
    let Some(by) = step.state.asked(application, TERMINATE_ANNOTATION) else {
        return;
    };
    let message =
        format!("it was terminated by {by}; the next sync that is asked for, or the next commit, goes on");
    let Some(last) = &mut step.state.status.operation else {
        return;
    };
    if last.is_running() {
        step.finish(OperationResult::Terminated {
            message: message.clone(),
        });
    } else if let Some(failure) = last.failure().filter(|_| last.initiator.is_automatic()) {
        // It would be tried again. Begun anew, as it would be, and ended at once.
        let message = format!("{message}; before that: {}", failure.message);
        last.state = OperationState::Rehearsing;
        step.finish(OperationResult::Terminated { message });
    } else {
        return;
    }
    step.tell(Happening::SyncTerminated, message);
}

/// Returns the digest of the plan that a person approved.
pub(crate) fn approved(application: &Application) -> Option<&str> {
    annotation(application, APPROVED_PLAN_ANNOTATION)
}

/// Returns who put the approval on, as the API server recorded it: the name of a field manager.
pub(crate) fn approver(application: &Application) -> String {
    let pointer = format!("f:{APPROVED_PLAN_ANNOTATION}");
    let entries = application.metadata.managed_fields.iter().flatten();
    let manager = entries
        .filter(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            fields
                .and_then(|fields| fields.pointer("/f:metadata/f:annotations"))
                .is_some_and(|annotations| annotations.get(&pointer).is_some())
        })
        .find_map(|entry| entry.manager.clone());
    manager.map_or_else(
        || "approval".to_owned(),
        |manager| format!("approval by {manager}"),
    )
}
