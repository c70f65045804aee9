//! What came of the steps of a plan.

use serde::{Deserialize, Serialize};

use crate::object::ObjectRef;

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The object.
    pub object: ObjectRef,
    /// What happened.
    pub result: StepResult,
    /// Why, for people; empty where there is nothing to add.
    pub message: String,
    /// What the object rests on that the plan changes too: the server refused it in the rehearsal because of these. In a dry run
    /// nothing more is known of it. Empty if the server refused nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<ObjectRef>,
}

/// What happened to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// It was created.
    Created,
    /// It was changed.
    Configured,
    /// The server found nothing to change.
    Unchanged,
    /// It was deleted, or its deletion has begun.
    Deleted,
    /// The server refused.
    Failed,
    /// It was not tried, because something before it failed.
    NotTried,
}

impl StepResult {
    /// Returns true if the object was written or deleted.
    pub fn is_done(self) -> bool {
        match self {
            Self::Created | Self::Configured | Self::Deleted => true,
            Self::Unchanged | Self::Failed | Self::NotTried => false,
        }
    }
}
