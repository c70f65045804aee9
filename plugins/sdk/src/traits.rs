//! What a policy implements.

use crate::{
    Candidate, Change, Decision, HealthContext, Object, PruneContext, PruneDecision, Settings, SyncContext,
    Verdict,
};

/// What the engine knows of a policy before it asks it anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// One line for people: what it decides.
    pub summary: String,
    /// The objects that it speaks about; it is asked about no others.
    pub claims: Vec<Claim>,
    /// JSON Schema of its settings.
    pub settings_schema: Option<String>,
    /// True where an answer depends on `now`.
    pub uses_time: bool,
}

/// A pattern over group and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// A group (empty for the core group), `*`, or `*.example.com`.
    pub group: String,
    /// A kind, or `*`.
    pub kind: String,
}

/// A mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// RFC 6901 pointer to it.
    pub pointer: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl Descriptor {
    /// A policy without settings that does not look at the clock.
    pub fn new(summary: &str, claims: impl IntoIterator<Item = Claim>) -> Self {
        Self {
            summary: summary.to_owned(),
            claims: claims.into_iter().collect(),
            settings_schema: None,
            uses_time: false,
        }
    }

    /// With settings that this JSON Schema describes.
    pub fn with_settings(self, schema: &str) -> Self {
        Self {
            settings_schema: Some(schema.to_owned()),
            ..self
        }
    }

    /// With answers that depend on the time: only then may `now` be asked for.
    pub fn with_time(self) -> Self {
        Self {
            uses_time: true,
            ..self
        }
    }
}

impl Claim {
    /// One group and kind; each may be `*`.
    pub fn new(group: &str, kind: &str) -> Self {
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// Every object there is.
    pub fn all() -> Self {
        Self::new("*", "*")
    }
}

impl Problem {
    /// A mistake at a place.
    pub fn new(pointer: &str, message: &str) -> Self {
        Self {
            pointer: pointer.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// Judges whether objects do their work. Export it with [`health_check!`](crate::health_check!).
pub trait HealthCheck: Sized + 'static {
    /// What it is.
    fn describe() -> Descriptor;

    /// Takes its settings, once in every instance.
    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>>;

    /// Judges one object. An error reads as `Unknown`.
    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String>;
}

/// Judges what may be deleted. Export it with [`prune_policy!`](crate::prune_policy!).
pub trait PrunePolicy: Sized + 'static {
    /// What it is.
    fn describe() -> Descriptor;

    /// Takes its settings, once in every instance.
    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>>;

    /// One decision for each candidate, in their order. An error keeps them all.
    fn review(&self, candidates: &[Candidate], context: &PruneContext) -> Result<Vec<PruneDecision>, String>;
}

/// Decides how objects are applied. Export it with [`sync_policy!`](crate::sync_policy!).
pub trait SyncPolicy: Sized + 'static {
    /// What it is.
    fn describe() -> Descriptor;

    /// Takes its settings, once in every instance.
    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>>;

    /// Decides about one object. An error holds the operation.
    fn decide(&self, change: &Change, context: &SyncContext) -> Result<Decision, String>;
}
