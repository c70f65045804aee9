//! What a step is told: why the task woke, and the answers to what the step before asked.

use std::sync::Arc;
use std::time::Duration;

use sluice_health::Awaited;
use sluice_model::Application;
use sluice_model::application::{
    ApplicationStatus, ObjectState, OperationFailure, PendingApproval, WaitingFor,
};
use sluice_model::outcome::Outcome;
use sluice_model::retry::Retry;
use sluice_report::conditions::Finding;
use sluice_report::events::Happening;

use crate::interruption::Stop;
use crate::time::Moment;

/// What the task saw.
#[derive(Debug, Clone)]
pub enum Observation {
    /// The task woke.
    Woken(Woken),
    /// Answers [`Effect::Take`](crate::Effect::Take): the version of the Application from which on the annotations are gone; none if
    /// they could not be taken off.
    Taken(Option<u64>),
    /// Answers [`Effect::Announce`](crate::Effect::Announce): whether the status is written.
    Announced(bool),
    /// Answers [`Effect::Assess`](crate::Effect::Assess).
    Assessed(Box<Assessment>),
    /// Answers [`Effect::Prepare`](crate::Effect::Prepare): the plan that can be carried out, or why there is none.
    Prepared(Result<PlanFacts, OperationFailure>),
    /// [`Effect::Execute`](crate::Effect::Execute) or [`Effect::RunHooks`](crate::Effect::RunHooks) is on its way.
    Progress(Progress),
    /// Answers [`Effect::Execute`](crate::Effect::Execute).
    Executed(Box<Execution>),
    /// An effect that is not answered could not be carried out.
    Failed,
    /// Answers [`Effect::FindMembers`](crate::Effect::FindMembers).
    Members {
        /// The status, with what was found out about the repository.
        status: Box<ApplicationStatus>,
        /// How many objects the Application owns.
        objects: Result<u32, Finding>,
    },
    /// Answers [`Effect::RunHooks`](crate::Effect::RunHooks).
    HooksRan(Result<(), Finding>),
    /// Answers [`Effect::PlanDeletion`](crate::Effect::PlanDeletion).
    DeletionPlanned(Result<Box<DeletionFacts>, Finding>),
    /// Answers [`Effect::Delete`](crate::Effect::Delete).
    Deleted(DeletionResult),
    /// Answers [`Effect::SetFree`](crate::Effect::SetFree).
    SetFree(Result<(), Finding>),
    /// Answers [`Effect::Release`](crate::Effect::Release): whether the Application may go now.
    Released(bool),
}

/// Why the task woke, and the Application as it is.
#[derive(Debug, Clone)]
pub struct Woken {
    /// The Application.
    pub application: Arc<Application>,
    /// The reasons to wake.
    pub reasons: Reasons,
}

/// Reasons to look, since the last look. None of them: it was time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons {
    /// The Application itself changed: its spec, its annotations, its deletion.
    pub application: bool,
    /// An object changed that it owns.
    pub objects: bool,
    /// A plugin, a keyring or a credential changed, or what another Application wants.
    pub surroundings: bool,
    /// The repository has something new: when the fetch began that found it.
    pub news: Option<Moment>,
}

/// What was found out about an Application, without changing anything.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The Application that was assessed.
    pub application: Arc<Application>,
    /// Its status, with what was found.
    pub status: ApplicationStatus,
    /// What happened that people are told of.
    pub happenings: Vec<(Happening, String)>,
    /// True if something failed that may work the next time.
    pub failed: bool,
    /// True if time alone may change a verdict.
    pub unsettled: bool,
    /// What can be decided on; none if it is not known what Git wants, or how the cluster stands.
    pub found: Option<Found>,
}

/// What can be decided on.
#[derive(Debug, Clone)]
pub struct Found {
    /// The trusted commit that the cluster is compared with.
    pub revision: String,
    /// All that could be done for it.
    pub plan: PlanFacts,
    /// What the automation could do, with hooks as [`State::hooks`](crate::State::hooks) has them; none if there is no automation.
    pub automatic: Option<Outlook>,
    /// The objects whose health the end of an operation waits for.
    pub awaited: Vec<Awaited>,
    /// True if Git has nothing and the cluster has something, and the spec does not allow that.
    pub empty_by_mistake: bool,
    /// How long things may take.
    pub terms: Terms,
}

/// A plan, as far as the loop decides on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanFacts {
    /// Its commit.
    pub revision: String,
    /// Its version, where it is of a chart or an artifact, as [`SyncState::version`](sluice_model::application::SyncState::version) has it.
    pub version: Option<String>,
    /// The name that led to the commit.
    pub requested: String,
    /// What tells it from other plans.
    pub digest: String,
    /// How many steps it has.
    pub steps: usize,
    /// How many deletions it holds until a person approves them.
    pub held: usize,
    /// The policies that were asked for it.
    pub policies: Vec<String>,
}

/// What the automation could do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    /// True if the plan must not be carried out.
    pub blocked: bool,
    /// True if a step changes something that a sync can change.
    pub mends: bool,
}

/// How long things may take, from the spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long the application may take to become healthy after the last wave.
    pub patience: Duration,
    /// How a failed sync is tried again.
    pub retry: Retry,
}

/// How far the work is that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A wave begins: `Sync wave 2`.
    Wave(String),
    /// A wave waits for an object.
    Waiting(WaitingFor),
    /// It takes longer than a moment.
    TakesLong,
}

/// What the execution of a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// What was done to each object.
    pub outcomes: Vec<Outcome>,
    /// The same in a line: `2 created, 1 configured`.
    pub summary: String,
    /// How it ended.
    pub end: End,
}

/// How the execution of a plan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every step was done.
    Done {
        /// True if the deletions that were held are done too.
        held_done: bool,
        /// What a dry run could not judge, if anything.
        unjudged: Option<String>,
    },
    /// A step failed.
    Failed(OperationFailure),
    /// The cluster moved on since the plan was made: a new plan will take that into account.
    MovedOn(OperationFailure),
    /// Something newer takes its place.
    Superseded(OperationFailure),
    /// A person wants it to end.
    Stopped(Stop, OperationFailure),
    /// The process ends. The operation is still under way for the next one.
    ControllerEnds,
}

/// What is known of the plan that deletes the Application's objects.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletionFacts {
    /// What must be known first: what other Applications want.
    pub unsettled: Option<String>,
    /// What tells the plan from others.
    pub digest: String,
    /// How many deletions it has.
    pub steps: usize,
    /// How many it holds until a person approves them.
    pub held: usize,
    /// Why it must not be carried out.
    pub blocked: Option<Finding>,
    /// What is held, for the status.
    pub pending: Option<PendingApproval>,
    /// The objects that need attention.
    pub attention: Vec<ObjectState>,
    /// Which objects are on their way out, for people.
    pub going: Option<String>,
}

/// What the deletion of objects came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionResult {
    /// The API server took all of it.
    Done {
        /// True if the deletions that were held are done too.
        held_done: bool,
        /// What was done: `3 deleted`.
        summary: String,
    },
    /// An object is still there that others wait for.
    StillThere(String),
    /// It failed.
    Failed(Finding),
}
