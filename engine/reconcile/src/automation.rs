//! What the automation does, and when: a new revision at once, a failed one again after a while, drift ever more slowly.

use std::time::Duration;

use sluice_model::Application;
use sluice_model::application::{Operation, OperationFailure, OperationPhase};
use sluice_plan::Hooks;
use sluice_report::conditions::Finding;

use crate::effect::{Wanted, Why};
use crate::observation::{Found, Retry};
use crate::state::State;
use crate::time::{Moment, Now};
use crate::{gate, waits};

/// What the automation does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// Nothing: it is not for the automation to do.
    Nothing,
    /// All that it may do is done: the cluster is at this revision, whatever still waits for a person.
    Arrived,
    /// Something, but not before then.
    Later(Moment, Why, Option<Finding>),
    /// Nothing any more, for this reason.
    GivenUp(Finding),
    /// It syncs.
    Sync(Wanted),
}

/// Decides whether the automation syncs now.
pub(crate) fn decide(state: &mut State, application: &Application, found: &Found, now: Now) -> Decision {
    let (Some(automated), Some(automatic)) = (application.spec.sync_policy.automated, &found.automatic)
    else {
        return Decision::Nothing;
    };
    if found.empty_by_mistake {
        return Decision::Nothing;
    }
    let moved = state.status.sync.revision != found.revision || state.synced_generation != state.generation;
    // A failure says nothing about a spec that was changed since.
    let same_spec = state
        .failed_generation
        .is_none_or(|failed| Some(failed) == state.generation);
    let last = state.status.operation.as_ref();
    let last = last.filter(|last| same_spec && last.revision == found.revision);
    // By whomever it was begun: a person wants it to end.
    if let Some(ended) = last.filter(|last| last.phase() == OperationPhase::Terminated) {
        return Decision::GivenUp(Finding::no("Terminated", ended.message()));
    }
    // If only the health was wrong there is nothing to do again.
    let failed = last.filter(|last| last.initiator.is_automatic());
    let failed = failed.and_then(|last| Some((last, last.failure()?)));
    let failed = failed.filter(|(_, failure)| !gate::failed_at(&failure.code));
    let hooks = match (failed.is_some(), moved) {
        (true, _) => Hooks::Always,
        (false, true) => Hooks::WithChanges,
        (false, false) => Hooks::Never,
    };
    let outlook = automatic.get(hooks);
    if outlook.blocked {
        return Decision::Nothing;
    }
    // What the server keeps, whatever is applied, is said and not tried again and again.
    if !outlook.mends {
        return Decision::Arrived;
    }
    let sync = |heals, retries| {
        Decision::Sync(Wanted::Automatic {
            prune: automated.prune,
            hooks,
            heals,
            retries,
        })
    };
    if let Some((operation, failure)) = failed {
        return match again(operation, failure, &found.terms.retry, now) {
            Again::Now => sync(false, operation.retries + 1),
            Again::Later(wait, finding) => Decision::Later(now.moment.after(wait), Why::Retry, Some(finding)),
            Again::Never(finding) => Decision::GivenUp(finding),
        };
    }
    if moved {
        return sync(false, 0);
    }
    if !automated.self_heal {
        return Decision::Nothing;
    }
    match state.healing.due(now.moment) {
        due if due > now.moment => Decision::Later(due, Why::Healing, None),
        _ => sync(true, 0),
    }
}

/// Whether a failed sync is tried again.
enum Again {
    Now,
    Later(Duration, Finding),
    Never(Finding),
}

fn again(operation: &Operation, failure: &OperationFailure, retry: &Retry, now: Now) -> Again {
    let commit = operation.revision.get(..12).unwrap_or(&operation.revision);
    let message = &failure.message;
    if operation.retries >= retry.limit {
        let times = operation.retries + 1;
        let message = format!("syncing {commit} failed {times} times and is not tried again: {message}");
        return Again::Never(Finding::no(&failure.code, message));
    }
    let wait = waits::before_retry(retry, operation.retries);
    let passed = operation.ended_at().map_or(wait, |at| {
        Duration::try_from(now.wall.duration_since(at)).unwrap_or_default()
    });
    match wait.saturating_sub(passed) {
        Duration::ZERO => Again::Now,
        rest => {
            let message = format!("syncing {commit} failed and is tried again: {message}");
            Again::Later(rest, Finding::no(&failure.code, message))
        }
    }
}
