//! What is to be done next, and when to wake.

use sluice_model::application::{OperationRequest, OperationState};
use sluice_model::decision::Phase;
use sluice_plan::Hooks;
use sluice_report::events::Happening;

use crate::observation::PlanFacts;
use crate::time::Moment;

/// What the task is to do. In the order of the list; a question is always its last.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Tell people by an Event.
    Tell(Happening, String),
    /// Forget what was made of the sources: a person wants all of it found out again.
    Forget,
    /// Ask the API server for its kinds; unless `always`, only if one is missing that the Application has objects of.
    RefreshKinds {
        /// Ask in any case.
        always: bool,
    },
    /// Write the status as the state has it.
    Write,
    /// Put our finalizer on the Application if it is not there.
    PutFinalizer,
    /// Take these annotations off the Application.
    Remove(&'static [&'static str]),
    /// Correct the record of members, which an operation may not have come to.
    CorrectRecord,
    /// End the hooks that still run for the operation that was executed last.
    StopHooks,
    /// Let other Applications know that this one wants nothing any more.
    WantNothing,

    /// Question: take these annotations off before they are acted on. [`Observation::Taken`](crate::Observation::Taken).
    Take(Vec<&'static str>),
    /// Question: write the status before anything is done. [`Observation::Announced`](crate::Observation::Announced).
    Announce,
    /// Question: what does Git want, and how does the cluster stand? [`Observation::Assessed`](crate::Observation::Assessed).
    Assess {
        /// The repository must have been fetched since then.
        since: Moment,
    },
    /// Question: which plan does it come to? [`Observation::Prepared`](crate::Observation::Prepared).
    Prepare(Wanted),
    /// Question: what does carrying out the prepared plan come to? [`Observation::Executed`](crate::Observation::Executed).
    Execute(Order),
    /// Question: what does the Application own, now that it is being deleted? [`Observation::Members`](crate::Observation::Members).
    FindMembers {
        /// The repository must have been fetched since then; for the hooks of the deletion.
        since: Moment,
        /// True if its objects go with it, so that the hooks for that have to be known.
        prune: bool,
    },
    /// Question: run the hooks of this phase of the deletion to their end. [`Observation::HooksRan`](crate::Observation::HooksRan).
    RunHooks(Phase),
    /// Question: which plan deletes what it owns? [`Observation::DeletionPlanned`](crate::Observation::DeletionPlanned).
    PlanDeletion,
    /// Question: carry out that plan. [`Observation::Deleted`](crate::Observation::Deleted).
    Delete {
        /// The digest of the plan.
        digest: String,
        /// True if a person approved what it holds.
        approved: bool,
    },
    /// Question: take the mark of ownership off all that is left. [`Observation::SetFree`](crate::Observation::SetFree).
    SetFree,
    /// Question: take our finalizer off. [`Observation::Released`](crate::Observation::Released).
    Release,
}

impl Effect {
    /// Returns true if its answer is to be the next observation.
    pub fn is_question(&self) -> bool {
        match self {
            Self::Tell(..)
            | Self::Forget
            | Self::RefreshKinds { .. }
            | Self::Write
            | Self::PutFinalizer
            | Self::Remove(_)
            | Self::CorrectRecord
            | Self::StopHooks
            | Self::WantNothing => false,
            Self::Take(_)
            | Self::Announce
            | Self::Assess { .. }
            | Self::Prepare(_)
            | Self::Execute(_)
            | Self::FindMembers { .. }
            | Self::RunHooks(_)
            | Self::PlanDeletion
            | Self::Delete { .. }
            | Self::SetFree
            | Self::Release => true,
        }
    }
}

/// What a plan is wanted for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// The automation syncs.
    Automatic {
        /// Whether what Git no longer has is deleted.
        prune: bool,
        /// When hooks run.
        hooks: Hooks,
        /// True if drift is undone, and no new revision brought.
        heals: bool,
        /// How often the revision was tried before.
        retries: u32,
    },
    /// A person approved the plan of this digest, with what it holds.
    Approved {
        /// The digest.
        digest: String,
        /// Who, as far as that is known.
        by: String,
    },
    /// A person asked for it.
    Requested(Box<OperationRequest>),
}

/// A prepared plan that is to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The plan.
    pub plan: PlanFacts,
    /// True if the API server is only asked, and nothing is stored.
    pub dry_run: bool,
    /// True if what the plan holds is approved.
    pub approved: bool,
    /// True if a newer commit takes its place.
    pub follows: bool,
    /// True if it is about all of the application.
    pub whole: bool,
    /// The generation of the spec that it was made for.
    pub generation: Option<i64>,
    /// The version of the Application from which on an annotation asks for something else.
    pub taken_at: u64,
}

/// When to wake if nothing else happens, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Not before the question is answered.
    Answer,
    /// At this moment, for this reason.
    At(Moment, Why),
    /// Never: the Application may go.
    Gone,
}

/// Why to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The repository is asked again.
    Poll,
    /// A failed look, write or request is tried again.
    Failure,
    /// A failed sync is tried again.
    Retry,
    /// Drift may be undone again.
    Healing,
    /// The wait for health may be over.
    Health,
    /// The status tells of a wait that took longer than a moment.
    Quiet,
    /// Time alone may have changed a verdict.
    Verdict,
    /// Another look is due that this turn had no more room for.
    Busy,
    /// What is being deleted may be gone.
    Deletion,
}

/// Returns true for the state of an operation that may still write.
pub(crate) fn may_write(state: &OperationState) -> bool {
    matches!(
        state,
        OperationState::Rehearsing | OperationState::Applying { .. }
    )
}
