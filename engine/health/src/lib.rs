//! The one rule of when a wait for health is over.
//!
//! A wave, the health gate after the last wave, `sluice apply` and `sluice wait` all ask this crate, so that they cannot
//! disagree. It is pure: the caller says how much time has passed since the wait began.
//!
//! The rule, for each object that is waited for:
//!
//! | the verdict | a part of the application | a hook | Argo CD |
//! |---|---|---|---|
//! | Healthy | over | over | over |
//! | Suspended | over: its owner paused it, and paused is what its owner wants | waits: it has not run to its end | waits |
//! | Progressing, Missing | waits | waits | waits |
//! | Degraded | fails once it lasts [`PATIENCE_WITH_DEGRADED`] | the same | fails at once |
//! | Unknown | waits: it is never taken for healthy | waits | waits; a hook fails |
//!
//! A wait for an object fails when the object's time is over: its own (`timeout` of the sync options) if a policy gave it one,
//! else that of the whole wait. Argo CD waits without a limit unless a timeout is configured.
//!
//! Why Degraded has to last: a controller may not have seen the newest generation yet and still report the failure of the one
//! before. Why an Unknown verdict waits although it may never change: a plugin that failed may recover, and only a verdict is
//! a reason to go on or to give up.
//!
//! Where to start reading: [`Wait::judge`]; [`Course`] for what is shown of an application's health.
#![forbid(unsafe_code)]

mod course;

pub use course::{Course, FALLS, STEADY, WINDOW};

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_model::ObjectRef;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::ObjectKey;
use sluice_model::plan::{Action, Plan, Step};

/// How long an object may be Degraded before that counts: its controller may still report on an older state of it.
pub const PATIENCE_WITH_DEGRADED: Duration = Duration::from_secs(5);

/// The health of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHealth {
    /// The object.
    pub object: ObjectRef,
    /// What its policy says of it.
    pub verdict: HealthVerdict,
}

/// What an object is to the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A part of the application: it has to do its work from now on.
    Part,
    /// A hook: it has to come to its end.
    Hook,
}

/// What is expected of an object that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// What it is to the wait.
    pub role: Role,
    /// How long it may take, if a policy says so. It may be more or less than the whole wait has.
    pub timeout: Option<Duration>,
}

impl Expectation {
    /// A part of the application that has as much time as the whole wait.
    pub const PART: Self = Self {
        role: Role::Part,
        timeout: None,
    };

    /// Returns what a wait expects of the object of a step; none if the step applies nothing.
    #[must_use]
    pub fn of(step: &Step) -> Option<Self> {
        let Action::Apply { cleanup, options, .. } = &step.action else {
            return None;
        };
        let seconds = options.timeout.map(u64::from);
        Some(Self {
            // What is not to stay was applied for what it does.
            role: match cleanup.is_empty() {
                true => Role::Part,
                false => Role::Hook,
            },
            timeout: seconds.map(Duration::from_secs),
        })
    }

    /// Returns what a wait expects of each object that a plan applies.
    #[must_use]
    pub fn all(plan: &Plan) -> BTreeMap<ObjectKey, Self> {
        let steps = plan.steps.iter();
        let expected = steps.filter_map(|step| Some((step.object.key(), Self::of(step)?)));
        expected.collect()
    }
}

/// An object that is waited for, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The object and its verdict.
    pub health: ObjectHealth,
    /// What is expected of it.
    pub expectation: Expectation,
}

impl Awaited {
    fn is_over(&self) -> bool {
        is_over(self.expectation.role, self.health.verdict.status)
    }
}

/// How a wait stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing is waited for any more.
    Over,
    /// The wait goes on.
    Waiting {
        /// The object that is furthest from healthy: the first of the worst.
        on: ObjectHealth,
        /// After how much more time the answer changes even if no verdict does.
        next: Duration,
    },
    /// The wait has failed.
    Failed {
        /// The object that it failed for.
        on: ObjectHealth,
        /// What the wait failed for.
        why: Failure,
    },
}

/// Why a wait failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The object will not become healthy by itself.
    Degraded,
    /// The object's time is over.
    Late,
}

/// What a wait has to remember from one look to the next: since when each object is Degraded. If it is lost, an object gets
/// [`PATIENCE_WITH_DEGRADED`] once more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wait {
    degraded: BTreeMap<ObjectRef, Duration>,
}

impl Wait {
    /// Judges the objects as they are `elapsed` after the wait began. `patience` is the time of the objects that have none of
    /// their own. Returns what to remember, and how the wait stands.
    #[must_use]
    pub fn judge(self, awaited: &[Awaited], elapsed: Duration, patience: Duration) -> (Self, Answer) {
        let since = |object: &ObjectRef| self.degraded.get(object).copied().unwrap_or(elapsed);
        let degraded: BTreeMap<ObjectRef, Duration> = awaited
            .iter()
            .filter(|awaited| awaited.health.verdict.status == HealthStatus::Degraded)
            .map(|awaited| (awaited.health.object.clone(), since(&awaited.health.object)))
            .collect();
        let open: Vec<&Awaited> = awaited.iter().filter(|awaited| !awaited.is_over()).collect();
        let Some(on) = worst(open.iter().map(|awaited| &awaited.health)) else {
            return (Self { degraded }, Answer::Over);
        };
        let mut next = Duration::MAX;
        for awaited in &open {
            let Some(since) = degraded.get(&awaited.health.object) else {
                continue;
            };
            let rest = PATIENCE_WITH_DEGRADED.saturating_sub(elapsed.saturating_sub(*since));
            if rest.is_zero() {
                return failed(degraded, &awaited.health, Failure::Degraded);
            }
            next = next.min(rest);
        }
        for awaited in &open {
            let rest = awaited
                .expectation
                .timeout
                .unwrap_or(patience)
                .saturating_sub(elapsed);
            if rest.is_zero() {
                return failed(degraded, &awaited.health, Failure::Late);
            }
            next = next.min(rest);
        }
        let on = on.clone();
        (Self { degraded }, Answer::Waiting { on, next })
    }
}

fn failed(degraded: BTreeMap<ObjectRef, Duration>, on: &ObjectHealth, why: Failure) -> (Wait, Answer) {
    (Wait { degraded }, Answer::Failed { on: on.clone(), why })
}

/// Returns true if an object with this status need not be waited for.
#[must_use]
pub fn is_over(role: Role, status: HealthStatus) -> bool {
    match (status, role) {
        (HealthStatus::Healthy, Role::Part | Role::Hook) | (HealthStatus::Suspended, Role::Part) => true,
        (HealthStatus::Suspended, Role::Hook)
        | (
            HealthStatus::Progressing
            | HealthStatus::Missing
            | HealthStatus::Degraded
            | HealthStatus::Unknown,
            Role::Part | Role::Hook,
        ) => false,
    }
}

/// Returns the worst of several objects, which is what holds for the application; the first of several that are equally bad, so
/// that a message does not jump between them.
pub fn worst<'h>(
    objects: impl IntoIterator<Item = &'h ObjectHealth, IntoIter: DoubleEndedIterator>,
) -> Option<&'h ObjectHealth> {
    objects
        .into_iter()
        .rev()
        .max_by_key(|object| object.verdict.status)
}
