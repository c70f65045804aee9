//! Operations: what somebody asks for, how it is going, what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selection::Selector;

/// Annotation: a requested operation, [`OperationRequest`] as JSON. Removed when taken up.
pub const OPERATION_ANNOTATION: &str = "sluice.dev/operation";
/// Annotation: end the operation that is going on, and its retries; the value says who wants that. Removed when done.
pub const TERMINATE_ANNOTATION: &str = "sluice.dev/terminate";

/// A request by a person, in [`OPERATION_ANNOTATION`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Somebody ended it.
    Terminated,
    /// Something newer took its place.
    Superseded,
}

/// An operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationState {
    /// The request's id, or `auto`.
    pub id: String,
    /// What it is.
    #[serde(default)]
    pub kind: OperationKind,
    /// How it is going.
    pub phase: OperationPhase,
    /// For people: what is waited for, or what failed and what to do.
    #[serde(default)]
    pub message: String,
    /// The commit.
    pub revision: String,
    /// The name that led to it: a branch, a tag, a commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requested: String,
    /// The digest of its plan.
    #[serde(default)]
    pub plan_digest: String,
    /// The policies that were asked for the plan, `name@sha256:…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Who asked.
    pub initiated_by: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// How often this revision was tried again after a failure.
    #[serde(default)]
    pub retries: u32,
    /// What was done, as far as it was: `2 created, 1 configured`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// RFC 3339: everything is applied, and the application has to be healthy by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_until: Option<String>,
    /// Whose health counts in a selective sync; everything where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Selector>,
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
