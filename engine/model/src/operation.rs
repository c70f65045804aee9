//! Operations: what a person asks for, how it stands, what came of it.

mod record;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selection::Selector;

/// Annotation: a requested operation, [`OperationRequest`] as JSON. Removed when taken up.
pub const OPERATION_ANNOTATION: &str = "sluice.dev/operation";
/// Annotation: end the operation that is going on, and its retries; the value says who wants that. Removed when done.
pub const TERMINATE_ANNOTATION: &str = "sluice.dev/terminate";
/// Annotation: who ended a pause or a pin. Removed when told.
pub const RESUMED_ANNOTATION: &str = "sluice.dev/resumed-by";

/// A request by a person, in [`OPERATION_ANNOTATION`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationRequest {
    /// Tells this request from others; shown in the status.
    pub id: String,
    /// The revision to sync; the pinned or the target revision where missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Delete what Git no longer has, as far as the prune policies let it.
    #[serde(default)]
    pub prune: bool,
    /// Only these objects; everything where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Selector>,
    /// Run the hooks although only some objects are synced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_hooks: bool,
    /// Only ask the API server whether it would take it; nothing is stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Who asks, for the history.
    #[serde(default)]
    pub requested_by: String,
}

/// What kind of operation it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperationKind {
    /// The cluster is moved to a revision.
    #[default]
    Sync,
    /// Only some objects are.
    SelectiveSync,
    /// Nothing is stored; the API server only says what it would do.
    DryRun,
    /// Drift is undone.
    SelfHeal,
    /// Held deletions are done.
    Approval,
    /// The cluster is moved to the pinned revision.
    Rollback,
    /// Nothing is written from here on.
    Pause,
    /// A pause or a pin ends.
    Resume,
}

/// How an operation is going.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperationPhase {
    /// It is going on.
    Running,
    /// All was done, and works.
    #[default]
    Succeeded,
    /// Something was refused, or does not work.
    Failed,
    /// A person ended it.
    Terminated,
    /// Something newer took its place.
    Superseded,
}

/// An operation: what was begun, who wanted it, and how it stands.
///
/// It is serialised as a flat record (`operation/record.rs`), so that `kubectl get -o jsonpath` reads `phase`, `message`, `waitingFor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "record::Record", into = "record::Record")]
pub struct Operation {
    /// Who wanted it.
    pub initiator: Initiator,
    /// What it is.
    pub kind: OperationKind,
    /// The commit that the cluster is moved to; empty as long as that is not known.
    pub revision: String,
    /// The name that led to the commit: a branch, a tag, a commit.
    pub requested: String,
    /// The digest of its plan; empty as long as there is none.
    pub plan_digest: String,
    /// The policies that were asked for the plan, `name@sha256:…`.
    pub policies: Vec<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How often this revision was tried again after a failure.
    pub retries: u32,
    /// The objects that it is about; all of the application's if empty.
    pub resources: Vec<Selector>,
    /// What was done, as far as it was: `2 created, 1 configured`.
    pub summary: String,
    /// How it stands.
    pub state: OperationState,
}

/// Who wanted an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initiator {
    /// The controller, because `spec.syncPolicy.automated` says so.
    Automation,
    /// A person approved the plan whose deletions were held.
    Approval {
        /// Who, as far as the API server recorded it.
        by: String,
    },
    /// A person asked for it, with [`OperationRequest`].
    Person {
        /// The id of the request.
        id: String,
        /// The name in the request.
        name: String,
    },
}

impl Initiator {
    /// Returns what tells the operation from others: the request's id, `auto` or `approval`. For people and for commands that follow
    /// a request; no decision rests on it.
    pub fn id(&self) -> &str {
        match self {
            Self::Automation => "auto",
            Self::Approval { .. } => "approval",
            Self::Person { id, .. } => id,
        }
    }

    /// Returns the name for people. The automation goes by what it does.
    pub fn name(&self, kind: OperationKind) -> &str {
        match self {
            Self::Automation if kind == OperationKind::SelfHeal => "self-heal",
            Self::Automation => "automation",
            Self::Approval { by } => by,
            Self::Person { name, .. } => name,
        }
    }

    /// Returns true if the controller begins such an operation again by itself.
    pub fn is_automatic(&self) -> bool {
        *self == Self::Automation
    }
}

/// How an operation stands, with what belongs to that state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationState {
    /// A person asked for it; the controller has not found out yet what it comes to. Nothing is written.
    Requested(Box<OperationRequest>),
    /// The API server is asked whether it would take every object. Nothing is written.
    Rehearsing,
    /// The plan is carried out.
    Applying {
        /// The wave that is under way: `Sync wave 2`; none before the first.
        wave: Option<String>,
        /// The object that the wave waits for.
        waiting_for: Option<WaitingFor>,
    },
    /// Everything is applied, and the application has to become healthy.
    AwaitingHealth {
        /// It has failed if the application is not healthy by then.
        until: Timestamp,
        /// The object that is furthest from healthy.
        waiting_for: Option<WaitingFor>,
    },
    /// It is over.
    Ended {
        /// When it ended.
        at: Timestamp,
        /// What it came to.
        result: OperationResult,
    },
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationResult {
    /// All was done, and works.
    Succeeded {
        /// What was done, for people.
        message: String,
    },
    /// Something was refused, or does not work.
    Failed(OperationFailure),
    /// A person ended it.
    Terminated {
        /// Who, and what goes on, for people.
        message: String,
    },
    /// Something newer took its place.
    Superseded {
        /// What, for people.
        message: String,
    },
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationFailure {
    /// The stable code, such as `A04`.
    pub code: String,
    /// Code, causes and hint, for people.
    pub message: String,
}

impl OperationState {
    /// Returns the phase that people and tools see.
    pub fn phase(&self) -> OperationPhase {
        let Self::Ended { result, .. } = self else {
            return OperationPhase::Running;
        };
        result.phase()
    }

    /// Returns what it waits for, if it waits for an object.
    pub fn waiting_for(&self) -> Option<&WaitingFor> {
        match self {
            Self::Applying { waiting_for, .. } | Self::AwaitingHealth { waiting_for, .. } => {
                waiting_for.as_ref()
            }
            Self::Requested(_) | Self::Rehearsing | Self::Ended { .. } => None,
        }
    }
}

impl OperationResult {
    /// Returns the phase that people and tools see.
    pub fn phase(&self) -> OperationPhase {
        match self {
            Self::Succeeded { .. } => OperationPhase::Succeeded,
            Self::Failed(_) => OperationPhase::Failed,
            Self::Terminated { .. } => OperationPhase::Terminated,
            Self::Superseded { .. } => OperationPhase::Superseded,
        }
    }

    /// Returns what is said of it to people.
    pub fn message(&self) -> &str {
        match self {
            Self::Succeeded { message } | Self::Terminated { message } | Self::Superseded { message } => {
                message
            }
            Self::Failed(failure) => &failure.message,
        }
    }
}

impl Operation {
    /// Returns the phase that people and tools see.
    pub fn phase(&self) -> OperationPhase {
        self.state.phase()
    }

    /// Returns true as long as it is not over.
    pub fn is_running(&self) -> bool {
        !matches!(self.state, OperationState::Ended { .. })
    }

    /// Returns why it failed, if it did.
    pub fn failure(&self) -> Option<&OperationFailure> {
        match &self.state {
            OperationState::Ended {
                result: OperationResult::Failed(failure),
                ..
            } => Some(failure),
            _ => None,
        }
    }

    /// Returns when it ended, if it did.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.state {
            OperationState::Ended { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Returns for people how it stands: what is waited for, or what came of it and what to do.
    pub fn message(&self) -> String {
        match &self.state {
            OperationState::Requested(_) => "was asked for, and is being prepared".to_owned(),
            OperationState::Rehearsing => {
                "the API server is asked whether it would take every object".to_owned()
            }
            OperationState::Applying {
                waiting_for: Some(waiting),
                ..
            }
            | OperationState::AwaitingHealth {
                waiting_for: Some(waiting),
                ..
            } => waiting.to_string(),
            OperationState::Applying { wave: Some(wave), .. } => format!("{wave} is applied"),
            OperationState::Applying { wave: None, .. } => "the plan is being carried out".to_owned(),
            OperationState::AwaitingHealth { .. } => {
                "everything is applied; the application's health is awaited".to_owned()
            }
            OperationState::Ended { result, .. } => result.message().to_owned(),
        }
    }
}

/// Writes a time as every status has it: RFC 3339, to the second.
pub fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What an operation waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingFor {
    /// Who waits: `Sync wave 2`, or `the application` after the last wave.
    pub what: String,
    /// The object, `Deployment.apps shop/web`; the one that is furthest from healthy.
    pub object: String,
    /// Its health.
    pub status: crate::health::HealthStatus,
    /// Why, in the plugin's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The plugin that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Since when this is waited for, RFC 3339.
    pub since: String,
}

/// `Sync wave 2 waits for Deployment.apps shop/web: 1 of 3 replicas are available (health-kubernetes), since 2026-…`.
impl std::fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waits for {}: ", self.what, self.object)?;
        match self.message.is_empty() {
            true => write!(f, "{:?}", self.status)?,
            false => f.write_str(&self.message)?,
        }
        if let Some(plugin) = &self.plugin {
            write!(f, " ({plugin})")?;
        }
        write!(f, ", since {}", self.since)
    }
}

/// An operation that is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Counts up from 1.
    pub id: u64,
    /// The id of the operation: that of the request, or `auto`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// What it was.
    #[serde(default)]
    pub kind: OperationKind,
    /// How it ended.
    #[serde(default)]
    pub result: OperationPhase,
    /// The commit, full object id.
    pub revision: String,
    /// The name that led to it: a branch, a tag, a commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requested: String,
    /// When it ended, RFC 3339.
    pub deployed_at: String,
    /// Who asked.
    pub initiated_by: String,
    /// The digest of its plan.
    pub plan_digest: String,
    /// The policies that were asked for the plan, `name@sha256:…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Fingerprint of who signed the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// `2 created, 1 configured, 3 deleted`, or what went wrong.
    pub summary: String,
    /// How often in a row the same happened: drift that comes back, a failure that is tried again.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

fn is_once(times: &u32) -> bool {
    *times == 1
}

impl HistoryEntry {
    /// True where it moved the cluster to its revision: what a rollback can go back to.
    pub fn is_deployment(&self) -> bool {
        self.result == OperationPhase::Succeeded
            && matches!(
                self.kind,
                OperationKind::Sync | OperationKind::Rollback | OperationKind::Approval
            )
    }
}
