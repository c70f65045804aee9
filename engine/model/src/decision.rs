//! What the policies said: how an object is applied, and whether one may be deleted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When in a sync an object is applied. Argo CD's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Before anything else.
    PreSync,
    /// With the application itself.
    Sync,
    /// After everything is applied and healthy.
    PostSync,
    /// Only after a sync has failed.
    SyncFail,
    /// Before the application's objects are deleted.
    PreDelete,
    /// After the application's objects were deleted.
    PostDelete,
    /// The object is never applied.
    Skip,
}

/// When a hook is cleaned up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HookCleanup {
    /// The old one is deleted before the new one is created.
    BeforeHookCreation,
    /// Deleted once it has succeeded.
    HookSucceeded,
    /// Deleted once it has failed.
    HookFailed,
}

/// How an object gets into the cluster.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Server-side apply.
    #[default]
    ServerSideApply,
    /// Server-side apply that leaves the fields of other managers alone even where they conflict.
    Merge,
    /// Created where it is missing, never changed after.
    CreateOnly,
    /// The whole object is replaced.
    Replace,
    /// Server-side apply; deleted and created again where that fails because a field cannot be changed.
    Recreate,
    /// Deleted and created again wherever anything differs.
    RecreateAlways,
    /// Not touched at all.
    LeaveAlone,
}

impl Strategy {
    /// True where what is sent is applied, so that the server records exactly what Git gives as ours.
    pub fn applies(self) -> bool {
        matches!(
            self,
            Self::ServerSideApply | Self::Merge | Self::Recreate | Self::RecreateAlways
        )
    }
}

/// Everything the sync policies decided about one object, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncDecision {
    /// True where it is a hook rather than a part of the application.
    pub hook: bool,
    /// The hook types as written, e.g. `PreSync`, or Helm's `PostUpgrade`.
    pub hook_types: Vec<String>,
    /// Never applied, because it says so.
    pub skip: bool,
    /// Not part of the desired state at all, e.g. a Helm hook of a kind we have no use for.
    pub ignored: bool,
    /// In which phases it is applied, in their order.
    pub phases: Vec<Phase>,
    /// Lower waves first.
    pub wave: i32,
    /// When a hook is cleaned up; `BeforeHookCreation` where it does not say. Means nothing for what is no hook.
    pub delete_policies: Vec<HookCleanup>,
    /// How it is applied.
    pub strategy: Strategy,
    /// Take fields over from other managers where they conflict.
    pub force: bool,
    /// Ask the server to reject unknown and duplicate fields.
    pub validate: bool,
    /// Its deletion comes after everything else.
    pub prune_last: bool,
    /// Fields that are neither compared nor changed: RFC 6901 pointers (`/…`) and paths as jq writes them (`.…`).
    pub ignore_fields: Vec<String>,
    /// Field managers whose fields are neither compared nor changed.
    pub ignore_managers: Vec<String>,
    /// The managers whose fields are taken over; none: those of the tools that people come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_over: Option<Vec<String>>,
    /// What else the plan tells `apply`.
    #[serde(flatten)]
    pub options: ApplyOptions,
    /// The whole operation waits, for this reason.
    pub hold: Option<String>,
    /// Which plugin decided each field that is not at its default: `field → plugin`, sorted.
    pub decided_by: BTreeMap<String, String>,
    /// Opinions that a later plugin overruled, in the order in which they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overruled: Vec<Overruled>,
}

impl SyncDecision {
    /// Whether the object belongs to the application, not to a single sync of it.
    pub fn is_lasting(&self) -> bool {
        !self.hook && !self.skip && !self.ignored
    }

    /// Whether the object's health counts for the application's.
    pub fn counts(&self) -> bool {
        self.is_lasting() && !self.options.ignore_health
    }
}

/// How an object is applied, beyond strategy and force. What is at its default is not written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplyOptions {
    /// Go on where the kind is not known yet.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_dry_run_on_missing_kind: bool,
    /// What becomes of its dependents where applying deletes it: a hook that is cleaned up, an object that is created again;
    /// none: [`Propagation::Background`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation: Option<Propagation>,
    /// Nothing waits until it is healthy.
    #[serde(skip_serializing_if = "is_false")]
    pub no_wait: bool,
    /// Its health does not count for the application's.
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_health: bool,
    /// How many seconds it may take to become healthy; none: as long as the operation's limit is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// An opinion that did not count in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overruled {
    /// The field that it was about, as in [`SyncDecision::decided_by`].
    pub field: String,
    /// Whose it was.
    pub plugin: String,
    /// What it was.
    pub value: serde_json::Value,
}

impl Default for SyncDecision {
    fn default() -> Self {
        Self {
            hook: false,
            hook_types: Vec::new(),
            skip: false,
            ignored: false,
            phases: vec![Phase::Sync],
            wave: 0,
            delete_policies: vec![HookCleanup::BeforeHookCreation],
            strategy: Strategy::ServerSideApply,
            force: false,
            validate: true,
            prune_last: false,
            ignore_fields: Vec::new(),
            ignore_managers: Vec::new(),
            take_over: None,
            options: ApplyOptions::default(),
            hold: None,
            decided_by: BTreeMap::new(),
            overruled: Vec::new(),
        }
    }
}

/// Why deletions are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// Git no longer has them.
    Sync,
    /// The Application itself is being deleted.
    ApplicationDeleted,
}

/// What happens to the objects that the deleted one owns (Kubernetes' garbage collection); later variants are more cautious.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Propagation {
    /// Dependents first.
    #[default]
    Foreground,
    /// Dependents after it, by the garbage collector.
    Background,
    /// Dependents stay.
    Orphan,
}

/// Whether one object may be deleted; later variants are more cautious, and the most cautious of all plugins wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum PruneVerdict {
    /// It may go.
    Delete,
    /// It waits for a person to approve this very plan.
    Hold {
        /// The reason, for people.
        reason: String,
    },
    /// It stays.
    Keep {
        /// The reason, for people.
        reason: String,
    },
}

/// A prune verdict and who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PruneDecision {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: PruneVerdict,
    /// How its dependents go, now or once its deletion was approved.
    pub propagation: Propagation,
    /// The plugin whose verdict won; none where the engine decided (no plugin had an opinion, or one failed).
    pub decided_by: Option<String>,
}
