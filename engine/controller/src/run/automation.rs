//! What the automation does, and when: a new revision at once, a failed one again after a while, drift ever more slowly.

use sluice_model::application::{ApplicationStatus, OperationPhase, OperationState};
use sluice_model::plan::{Plan, Step};
use sluice_plan::Hooks;
use sluice_report::conditions::Finding;
use tokio::time::Instant;

use super::actor::Actor;
use super::operation::{self, AUTOMATIC};
use super::{gate, pace};
use crate::pipeline::{Job, Prepared, Trusted};

/// Drift that stays away for so long begins a new count.
const HEALED_FOR_GOOD: std::time::Duration = std::time::Duration::from_secs(600);

/// What the automation does.
pub(super) enum Decision {
    Nothing,
    /// All that it may do is done: the cluster is at this revision, whatever still waits for a person.
    Arrived,
    Later(Instant, Option<Finding>),
    Failed(Finding),
    Now {
        plan: Plan,
        heals: bool,
        retries: u32,
    },
}

/// How often drift was undone lately.
#[derive(Debug, Default)]
pub(crate) struct Healing {
    pub(super) times: usize,
    pub(super) last: Option<Instant>,
    pub(super) overtaken: u32,
    pub(super) looked: bool,
}

impl Healing {
    /// True until the first decision was made.
    pub(crate) fn is_new(&self) -> bool {
        !self.looked
    }

    /// When drift may be undone again.
    fn due(&mut self, now: Instant) -> Instant {
        match self.last {
            Some(last) if now.duration_since(last) > HEALED_FOR_GOOD => {
                self.times = 0;
                now
            }
            Some(last) => last + pace::before_healing(self.times),
            None => now,
        }
    }
}

impl Actor {
    /// Whether the automation syncs now.
    pub(super) fn automatic(
        &mut self,
        job: &Job,
        status: &ApplicationStatus,
        trusted: &Trusted,
        prepared: &Prepared,
    ) -> Decision {
        let Some(automated) = job.spec.sync_policy.automated else {
            return Decision::Nothing;
        };
        if prepared.is_empty_by_mistake() {
            return Decision::Nothing;
        }
        let commit = &trusted.revision.commit;
        let moved = status.sync.revision != *commit || self.synced_generation != self.generation();
        // A failure says nothing about a spec that was changed since.
        let same_spec = self
            .failed_generation
            .is_none_or(|failed| Some(failed) == self.generation());
        let last = status
            .operation
            .as_ref()
            .filter(|last| last.id == AUTOMATIC && last.revision == *commit);
        if let Some(ended) = last.filter(|last| last.phase == OperationPhase::Terminated && same_spec) {
            return Decision::Failed(Finding::no("Terminated", ended.message.clone()));
        }
        // Where only the health was wrong there is nothing to do again.
        let failed = last.filter(|last| last.phase == OperationPhase::Failed && same_spec);
        let failed = failed.filter(|failed| !gate::failed_at(operation::code_of(failed)));
        let hooks = match (failed.is_some(), moved) {
            (true, _) => Hooks::Always,
            (false, true) => Hooks::WithChanges,
            (false, false) => Hooks::Never,
        };
        let plan = prepared.plan_for(automated.prune, hooks);
        // What the server keeps, whatever is applied, is said and not tried again and again.
        let mends = plan.steps.iter().any(Step::mends);
        match (plan.blocked.is_empty(), !mends) {
            (false, _) => return Decision::Nothing,
            (true, true) => return Decision::Arrived,
            (true, false) => {}
        }
        if let Some(failed) = failed {
            return self.again(job, failed, plan);
        }
        if moved {
            return Decision::Now {
                plan,
                heals: false,
                retries: 0,
            };
        }
        if !automated.self_heal {
            return Decision::Nothing;
        }
        let now = Instant::now();
        match self.healing.due(now) {
            due if due > now => Decision::Later(due, None),
            _ => Decision::Now {
                plan,
                heals: true,
                retries: 0,
            },
        }
    }

    /// Whether a failed sync is tried again.
    fn again(&self, job: &Job, failed: &OperationState, plan: Plan) -> Decision {
        let retry = job.retry;
        let commit = failed.revision.get(..12).unwrap_or(&failed.revision);
        if failed.retries >= retry.limit {
            let message = format!(
                "syncing {commit} failed {} times and is not tried again: {}",
                failed.retries + 1,
                failed.message
            );
            return Decision::Failed(Finding::no(operation::code_of(failed), message));
        }
        let wait = pace::before_retry(retry, failed.retries);
        let finished = failed
            .finished_at
            .as_ref()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let passed = finished.map_or(wait, |at| {
            std::time::Duration::try_from(jiff::Timestamp::now().duration_since(at)).unwrap_or_default()
        });
        match wait.checked_sub(passed).filter(|rest| !rest.is_zero()) {
            Some(rest) => Decision::Later(
                Instant::now() + rest,
                Some(Finding::no(
                    operation::code_of(failed),
                    format!("syncing {commit} failed and is tried again: {}", failed.message),
                )),
            ),
            None => Decision::Now {
                plan,
                heals: false,
                retries: failed.retries + 1,
            },
        }
    }
}
