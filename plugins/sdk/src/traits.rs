//! What a policy implements.

use crate::{Decision, HealthContext, Object, Occasion, Propagation, PruneVerdict, Settings, Tally, Verdict};

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

/// An object that would be deleted.
pub struct Candidate {
    /// As the cluster has it.
    pub live: Object<'static>,
    /// As Git has it, where it still does.
    pub desired: Option<Object<'static>>,
}

/// What a policy says of one candidate.
#[derive(Debug, Clone)]
pub struct PruneDecision {
    /// Whether it goes.
    pub verdict: PruneVerdict,
    /// What happens to what it owns when it goes; none for no opinion on that.
    pub propagation: Option<Propagation>,
}

/// What a prune verdict may depend on besides the candidates.
#[derive(Debug, Clone)]
pub struct PruneContext {
    /// Seconds since 1970.
    pub now: i64,
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// Namespace and name of the Application.
    pub application: (String, String),
    /// What it owns, candidates included.
    pub owned: Vec<Tally>,
    /// What Git wants it to own.
    pub desired: Vec<Tally>,
    /// The application's sync options.
    pub options: Vec<String>,
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

/// A verdict without an opinion on what becomes of dependents.
impl From<PruneVerdict> for PruneDecision {
    fn from(verdict: PruneVerdict) -> Self {
        Self {
            verdict,
            propagation: None,
        }
    }
}

impl Candidate {
    /// The live object, and the one in Git where there is one: protection counts wherever it is written.
    pub fn sides(&self) -> impl Iterator<Item = &Object<'static>> {
        std::iter::once(&self.live).chain(&self.desired)
    }
}

/// An object as Git wants it beside the same object as the cluster has it; at least one of the two is there.
pub struct Change {
    /// As Git wants it.
    pub desired: Option<Object<'static>>,
    /// As the cluster has it.
    pub live: Option<Object<'static>>,
}

/// What a sync decision may depend on besides the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncContext {
    /// Seconds since 1970.
    pub now: i64,
    /// Namespace and name of the Application; empty where there is none.
    pub application: (String, String),
    /// The application's sync options.
    pub options: Vec<String>,
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
