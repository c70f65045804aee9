//! What the automation does, and when: a new revision at once, a failed one again after a while, drift ever more slowly.

use std::time::Duration;

use sluice_model::Application;
use sluice_model::application::{Operation, OperationFailure, OperationPhase};
use sluice_model::retry::Retry;
use sluice_model::revisions;
use sluice_plan::Hooks;
use sluice_report::conditions::Finding;

use crate::effect::{Wanted, Why};
use crate::observation::Found;
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
    // By whomever it was begun: a person wants it to end.
    let ended = last(state, &found.revision);
    if let Some(ended) = ended.filter(|last| last.phase() == OperationPhase::Terminated) {
        return Decision::GivenUp(Finding::no("Terminated", ended.message()));
    }
    let hooks = state.hooks(&found.revision);
    if automatic.blocked {
        return Decision::Nothing;
    }
    // What the server keeps, whatever is applied, is said and not tried again and again.
    if !automatic.mends {
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
    if let Some((operation, failure)) = failed(state, &found.revision) {
        return match again(operation, failure, &found.terms.retry, now) {
            Again::Now => sync(false, operation.retries + 1),
            Again::Later(wait, finding) => Decision::Later(now.moment.after(wait), Why::Retry, Some(finding)),
            Again::Never(finding) => Decision::GivenUp(finding),
        };
    }
    if moved(state, &found.revision) {
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

impl State {
    /// Returns when hooks run if the automation syncs this revision now.
    pub fn hooks(&self, revision: &str) -> Hooks {
        match (failed(self, revision).is_some(), moved(self, revision)) {
            (true, _) => Hooks::Always,
            (false, true) => Hooks::WithChanges,
            (false, false) => Hooks::Never,
        }
    }
}

/// Returns true if the cluster was not moved to this revision, or not by the spec of now.
fn moved(state: &State, revision: &str) -> bool {
    state.status.sync.revision != revision || state.synced_generation != state.generation
}

/// Returns the last operation if it was about this revision. A failure says nothing about a spec that was changed since.
fn last<'s>(state: &'s State, revision: &str) -> Option<&'s Operation> {
    let same_spec = state
        .failed_generation
        .is_none_or(|failed| Some(failed) == state.generation);
    let last = state.status.operation.as_ref();
    last.filter(|last| same_spec && last.revision == revision)
}

/// Returns the last operation if the automation failed with it at this revision. If only the health was wrong there is nothing to do
/// again.
fn failed<'s>(state: &'s State, revision: &str) -> Option<(&'s Operation, &'s OperationFailure)> {
    let last = last(state, revision).filter(|last| last.initiator.is_automatic())?;
    let failure = last.failure()?;
    (!gate::failed_at(&failure.code)).then_some((last, failure))
}

/// Whether a failed sync is tried again.
enum Again {
    Now,
    Later(Duration, Finding),
    Never(Finding),
}

fn again(operation: &Operation, failure: &OperationFailure, retry: &Retry, now: Now) -> Again {
    let commit = revisions::short(&operation.revision);
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
