//! What the loop remembers of an Application from step to step. All of it can be lost: what has to last stands in the status.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::Application;
use sluice_model::application::{
    ApplicationStatus, Initiator, Operation, OperationFailure, OperationRequest, OperationResult,
    OperationState,
};
use sluice_model::decision::Phase;

use crate::effect::{Next, Order, Wanted, Why};
use crate::gate::Gate;
use crate::healing::Healing;
use crate::observation::Terms;
use crate::time::{Moment, Now};
use crate::{annotation, codes, operation, version, waits};

/// What the loop remembers of one Application.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The Application's `namespace/name`.
    pub(crate) name: String,
    /// How often the repository is asked at least.
    pub(crate) poll_every: Duration,
    pub(crate) uid: Option<String>,
    pub(crate) generation: Option<i64>,
    pub(crate) status: ApplicationStatus,
    /// An operation that was under way when the last controller ended, and that the automation finds out about.
    pub(crate) interrupted: Option<Operation>,
    /// The generation of the spec at the last sync.
    pub(crate) synced_generation: Option<i64>,
    /// The generation of the spec at the last failed sync; none if that was before a restart.
    pub(crate) failed_generation: Option<i64>,
    pub(crate) healing: Healing,
    pub(crate) gate: Gate,
    pub(crate) failures: Failures,
    /// The repository must have been fetched since then.
    pub(crate) fetched_since: Moment,
    /// When the repository is asked again.
    pub(crate) poll: Moment,
    polls: u64,
    /// When something else is due, and what.
    pub(crate) due: Option<(Moment, Why)>,
    /// The version of the Application from which on the annotations are gone that were taken off. The watch may lag behind.
    pub(crate) taken_at: u64,
    pub(crate) turn: Turn,
}

/// Turns in a row that failed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Failures {
    before: u32,
    /// True if this turn failed.
    pub(crate) now: bool,
}

impl Failures {
    /// Returns how many turns in a row failed, with the one that goes on or has just ended.
    pub(crate) fn count(self) -> u32 {
        match self.now {
            true => self.before + 1,
            false => 0,
        }
    }

    /// A turn begins.
    pub(crate) fn begin(&mut self) {
        *self = Self {
            before: self.count(),
            now: false,
        };
    }

    /// Returns true if the turn before this one failed.
    pub(crate) fn had(self) -> bool {
        self.before > 0
    }
}

impl State {
    /// Returns the state of an Application that was not looked at yet. `name` is `namespace/name`; `poll_every` is how often its
    /// repository is asked at least. What was fetched since `now` is fresh enough for the first look.
    pub fn new(name: String, poll_every: Duration, now: Moment) -> Self {
        Self {
            name,
            poll_every,
            uid: None,
            generation: None,
            status: ApplicationStatus::default(),
            interrupted: None,
            synced_generation: None,
            failed_generation: None,
            healing: Healing::default(),
            gate: Gate::default(),
            failures: Failures::default(),
            fetched_since: now,
            poll: now,
            polls: 0,
            due: None,
            taken_at: 0,
            turn: Turn::Resting,
        }
    }

    /// Returns the status as it is to be written.
    pub fn status(&self) -> &ApplicationStatus {
        &self.status
    }

    /// Returns true if nothing is going on.
    pub fn is_resting(&self) -> bool {
        matches!(self.turn, Turn::Resting)
    }

    /// A new Application, or the first sight of one: what is known of it stands in its status.
    pub(crate) fn begin(&mut self, application: &Application, now: Now) {
        let fresh = Self::new(
            std::mem::take(&mut self.name),
            self.poll_every,
            self.fetched_since,
        );
        *self = Self {
            uid: application.metadata.uid.clone(),
            status: application.status.clone().unwrap_or_default(),
            poll: now.moment,
            polls: self.polls,
            taken_at: self.taken_at,
            ..fresh
        };
        self.synced_generation = self.status.observed_generation;
        self.interrupted = self.take_interrupted(now);
    }

    /// Takes in an operation that was under way when the last controller ended. One that only waits for the application's health
    /// goes on, and so does one that was asked for and not begun. What a person asked for and was begun has to be asked for
    /// again. The automation goes on by itself, and finds out whether its operation was done already: that one is returned.
    pub(crate) fn take_interrupted(&mut self, now: Now) -> Option<Operation> {
        let operation = self.status.operation.as_ref()?;
        match (&operation.state, &operation.initiator) {
            (
                OperationState::Requested(_)
                | OperationState::AwaitingHealth { .. }
                | OperationState::Ended { .. },
                _,
            ) => None,
            (
                OperationState::Rehearsing | OperationState::Applying { .. },
                Initiator::Automation | Initiator::Approval { .. },
            ) => self.status.operation.take(),
            (OperationState::Rehearsing | OperationState::Applying { .. }, Initiator::Person { .. }) => {
                let failure = codes::failure(&codes::INTERRUPTED, "");
                operation::finish(&mut self.status, OperationResult::Failed(failure), now.wall);
                None
            }
        }
    }

    /// Returns the value of an annotation that asks for something, unless it is one that was taken off already.
    pub(crate) fn asked<'a>(&self, application: &'a Application, key: &str) -> Option<&'a str> {
        annotation(application, key).filter(|_| version(application) >= self.taken_at)
    }

    /// The repository is asked now; the next time is after a poll.
    pub(crate) fn polled(&mut self, now: Moment) {
        self.polls += 1;
        self.poll = now.after(waits::spread(self.poll_every, &self.name, self.polls));
    }

    /// The task is to wake no later than then.
    pub(crate) fn due(&mut self, when: Moment, why: Why) {
        if self.due.is_none_or(|(due, _)| when < due) {
            self.due = Some((when, why));
        }
    }

    /// Returns when to wake if nothing happens.
    pub(crate) fn next(&self, now: Now) -> Next {
        let mut next = (self.poll, Why::Poll);
        let failures = self.failures.count();
        let failure = (failures > 0).then(|| {
            let wait = waits::after_failure(failures, self.poll_every);
            (now.moment.after(wait), Why::Failure)
        });
        for due in [self.due, failure].into_iter().flatten() {
            if due.0 < next.0 {
                next = due;
            }
        }
        // A turn may have taken longer than until then.
        Next::At(next.0.max(now.moment), next.1)
    }
}

/// What a turn waits for.
#[derive(Debug, Clone, Default)]
pub(crate) enum Turn {
    /// For a reason to look.
    #[default]
    Resting,
    /// For the annotations to be taken off that ended something.
    Taking(Context),
    /// For a request to be written into the status.
    Requesting(Context, Box<OperationRequest>),
    /// For the annotation of a request to be taken off; an error if the request cannot be read.
    TakingRequest(Context, Box<Result<OperationRequest, OperationFailure>>),
    /// For what Git wants and how the cluster stands.
    Assessing(Context),
    /// For the plan that this comes to.
    Preparing(Context, Wanted),
    /// For the beginning of an operation to be written into the status. The operation before it comes back if that fails.
    Announcing(Context, Order, Box<Option<Operation>>),
    /// For the end of the execution.
    Executing(Context, Order),
    /// For a stage of the Application's deletion.
    Deleting(Context, Stage),
}

/// What a turn goes by from its beginning to its end.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The Application as it was seen last.
    pub(crate) application: Arc<Application>,
    /// Whether a person asked for a refresh, and how.
    pub(crate) refresh: Option<String>,
    /// How many assessments there were before this one.
    pub(crate) round: u32,
    /// What a person asked for, until it is obeyed.
    pub(crate) request: Option<OperationRequest>,
    /// How long things may take, as soon as that is known.
    pub(crate) terms: Terms,
}

/// What the deletion of an Application waits for.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// For what it owns.
    Members,
    /// For the hooks of a phase.
    Hooks(Phase),
    /// For the beginning of the next stage to be written down.
    Entering,
    /// For the plan that deletes what it owns.
    Planning,
    /// For that plan to be carried out.
    Deleting,
    /// For what policies keep, or other Applications want, to be set free; then `PostDelete` hooks run.
    Freeing,
    /// For what is left at the end to be set free.
    FreeingRest,
    /// For the finalizer to be taken off.
    Releasing,
}
