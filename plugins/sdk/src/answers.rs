//! What a policy says. New words are added here as the engine learns them: a policy that does not use one goes on as it is.

use crate::{HookCleanup, Phase, Propagation, Strategy};

/// What a health check says of one object. The text says why, for people; it may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Another plugin may know. The next one with a claim on the object is asked.
    NoOpinion,
    /// It does its work.
    Healthy(String),
    /// It is paused.
    Suspended(String),
    /// It is on its way.
    Progressing(String),
    /// Something that it stands for is not there.
    Missing(String),
    /// It failed, and will not come right on its own.
    Degraded(String),
    /// Its state cannot be told. Never taken for healthy.
    Unknown(String),
}

/// Whether a candidate goes, from the least to the most cautious word. Where plugins differ, the most cautious wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PruneVerdict {
    /// Another plugin may know. Where none does, the deletion is held.
    NoOpinion,
    /// It may be deleted.
    Delete,
    /// It waits, for this reason, until a person approves this very plan.
    Hold(String),
    /// It stays, for this reason.
    Keep(String),
}

/// What a policy says of one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneDecision {
    /// Whether it goes.
    pub verdict: PruneVerdict,
    /// What happens to what it owns when it goes; none for no opinion on that.
    pub propagation: Option<Propagation>,
}

/// A verdict without an opinion on what becomes of dependents.
impl From<PruneVerdict> for PruneDecision {
    fn from(verdict: PruneVerdict) -> Self {
        Self {
            verdict,
            propagation: None,
        }
    }
}

/// Why deletions are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Git no longer has the objects.
    Sync,
    /// The Application itself is being deleted.
    ApplicationDeleted,
}

/// What an object is to a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A part of the application.
    Part,
    /// A hook: it runs in its phases and does not count as a part. The types are as people know them, e.g. `PreSync`. A hook without
    /// any type has no place in a sync: it is left out.
    Hook(Vec<String>),
    /// Never applied, because it says so. The types as for a hook, e.g. `Skip`; may be empty.
    Skip(Vec<String>),
    /// Not part of the desired state at all.
    Ignored,
}

/// What a sync policy says of one object. None: no opinion on this field. What each field means, and its default, is documented with
/// the function of the same name in `wit/policy/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What it is to a sync.
    pub role: Option<Role>,
    /// In which phases it is applied.
    pub phases: Option<Vec<Phase>>,
    /// Lower waves go first.
    pub wave: Option<i32>,
    /// When a hook is cleaned up.
    pub cleanup: Option<Vec<HookCleanup>>,
    /// How it is applied.
    pub strategy: Option<Strategy>,
    /// Take fields over from other managers where they conflict.
    pub force_conflicts: Option<bool>,
    /// Ask the server to refuse unknown and duplicate fields.
    pub validate: Option<bool>,
    /// Go on where the object's kind is not known yet.
    pub skip_dry_run_on_missing_kind: Option<bool>,
    /// When Git drops it, delete it after everything else is done.
    pub prune_last: Option<bool>,
    /// Fields that are neither compared nor changed.
    pub ignore_fields: Option<Vec<String>>,
    /// Field managers whose fields are neither compared nor changed.
    pub ignore_managers: Option<Vec<String>>,
    /// Field managers whose fields become the engine's.
    pub take_over: Option<Vec<String>>,
    /// What happens to what the object owns where a sync itself deletes it.
    pub propagation: Option<Propagation>,
    /// The next wave waits until it is healthy.
    pub wait: Option<bool>,
    /// Its health does not count for the application's.
    pub ignore_health: Option<bool>,
    /// How many seconds it waits.
    pub timeout: Option<u32>,
    /// Wait, for this reason; the whole operation waits with it.
    pub hold: Option<String>,
}

/// A decision without any opinion; set the fields that there is one on.
pub const NO_OPINION: Decision = Decision {
    role: None,
    phases: None,
    wave: None,
    cleanup: None,
    strategy: None,
    force_conflicts: None,
    validate: None,
    skip_dry_run_on_missing_kind: None,
    prune_last: None,
    ignore_fields: None,
    ignore_managers: None,
    take_over: None,
    propagation: None,
    wait: None,
    ignore_health: None,
    timeout: None,
    hold: None,
};
