//! Executes a plan, and decides nothing.
//!
//! [`apply`] takes a [`Plan`] and does what its steps say, in their order: first everything as a
//! server-side dry-run, so that all refusals are known before the first write; then wave by wave, the steps of one wave in
//! parallel as far as they do not need each other; between waves it waits until the caller says that what was applied is
//! healthy. Nothing outside the plan is touched, and nothing is retried but what may safely be done twice.
//!
//! What it never does: apply a plan with a block, delete an object that is another one by now (uid, resource version),
//! do a held deletion without an approval of this very plan's digest.
//!
//! Where to start reading: [`Request`], [`apply`]; a single step is in `step`, the dry-run in `rehearsal`.
#![forbid(unsafe_code)]

mod applyset;
pub mod codes;
mod error;
mod execution;
mod fields;
mod gates;
mod gone;
mod grounds;
mod hooks;
mod quantity;
mod record;
mod rehearsal;
mod removal;
mod rests;
mod retry;
mod stages;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;
use sluice_model::health::HealthVerdict;
use sluice_model::object::{GroupKind, ObjectKey};
use sluice_model::outcome::Outcome;
use sluice_model::plan::Plan;
use sluice_model::{Object, ObjectRef};

pub use applyset::record;
pub use error::{ApplyError, Refusal};
pub use execution::apply;
pub use record::recorded;
pub use removal::remove_hook;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The objects rendered at the plan's revision, prepared for sending: where the values of Secrets are taken from.
    pub manifests: &'a BTreeMap<ObjectKey, Object>,
    /// The digest that a person approved. Held deletions are done where it is that of `plan`.
    pub approval: Option<&'a str>,
    /// The Application and what it will hold, for the ApplySet's record; none where there is no such object.
    pub parent: Option<&'a Parent>,
    /// How the plan is executed.
    pub options: Options,
}

/// The Application as the parent of its ApplySet (KEP-3659).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The Application.
    pub reference: ObjectRef,
    /// Its ApplySet's id.
    pub id: String,
    /// What it says now.
    pub recorded: Members,
    /// What it holds once the plan is done.
    pub afterwards: Members,
    /// Its finalizers, where they are to be written with the first record.
    pub finalizers: Option<Finalizers>,
}

/// The finalizers of an object at one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finalizers {
    /// All of them.
    pub names: Vec<String>,
    /// The object's `resourceVersion`: where it is another by now, they are not written, so that no other writer's is overwritten.
    pub version: String,
}

impl Finalizers {
    /// They as a merge patch's `metadata`.
    pub fn metadata(&self) -> serde_json::Value {
        serde_json::json!({"finalizers": self.names, "resourceVersion": self.version})
    }
}

/// Where the members of an ApplySet may be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Their kinds.
    pub kinds: BTreeSet<GroupKind>,
    /// Their namespaces other than the parent's.
    pub namespaces: BTreeSet<String>,
}

/// How a plan is executed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many requests may be under way at once, at most.
    pub concurrency: usize,
    /// Whether everything is rehearsed first, or only rehearsed.
    pub rehearse: Rehearse,
    /// How long a wave may take to become healthy.
    pub wave_timeout: Duration,
    /// How long a deletion may take where something waits for it.
    pub deletion_timeout: Duration,
    /// How long a CRD may take to be served.
    pub establishing: Duration,
    /// How long a quota, a policy, a webhook or a schema that was changed may take to be in force, where something rests on it.
    pub taking_effect: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // More than this only queue at a small control plane; how many there really are follows what it keeps up with.
            concurrency: 32,
            rehearse: Rehearse::First,
            // As long as a Deployment may take by default (`progressDeadlineSeconds`).
            wave_timeout: Duration::from_secs(600),
            deletion_timeout: Duration::from_secs(120),
            // It takes milliseconds unless its names clash.
            establishing: Duration::from_secs(60),
            // Servers look at policies once a second or so.
            taking_effect: Duration::from_secs(15),
        }
    }
}

/// Whether everything is tried without storing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearse {
    /// Before the first write; any refusal ends it there.
    First,
    /// Nothing else is done.
    Only,
}

/// What happens, while it happens.
#[derive(Debug, Clone)]
pub enum Event {
    /// The rehearsal begins.
    Rehearsing {
        /// How many steps.
        steps: usize,
    },
    /// The server refuses an object before something else of the plan is done: it is rehearsed again then.
    Later {
        /// The object.
        object: ObjectRef,
        /// `rehearsed later: rests on ResourceQuota shop/limits`.
        why: String,
    },
    /// A wave begins.
    Wave {
        /// `Sync wave 2`.
        name: String,
        /// How many steps.
        steps: usize,
    },
    /// A wave is done and what it applied is waited for.
    Waiting {
        /// `Sync wave 2`.
        name: String,
        /// On what.
        objects: Vec<ObjectRef>,
    },
    /// A step is done.
    Done(Outcome),
    /// The server's answer to a write: the object as it is now.
    Stored(Object),
    /// An object is gone.
    Gone(ObjectRef),
}

/// Why the wait for a wave ended without success.
#[derive(Debug, Clone)]
pub enum NotHealthy {
    /// An object failed, or did not get healthy in time.
    Object {
        /// The object.
        object: Box<ObjectRef>,
        /// What its policy said last.
        verdict: Box<HealthVerdict>,
        /// True where time ran out; false where it will not get healthy by itself.
        late: bool,
    },
    /// The caller does not want to go on: the application was changed or deleted, the process ends.
    Abandoned {
        /// The reason, for people.
        reason: String,
    },
}

/// Waits until all the objects are healthy, for so long.
pub type Waiter =
    dyn Fn(Vec<ObjectRef>, Duration) -> BoxFuture<'static, Result<(), NotHealthy>> + Send + Sync;

/// What came of a plan.
#[derive(Debug)]
pub struct Finished {
    /// One for every step that was due, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// One for every hook that ran because of the failure.
    pub sync_fail: Vec<Outcome>,
    /// Whether held deletions were done.
    pub held_done: bool,
    /// Why not everything was done.
    pub failure: Option<ApplyError>,
}
