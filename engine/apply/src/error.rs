//! Why a plan was not done, or not to its end.

use sluice_cluster::ClusterError;
use sluice_model::ObjectRef;
use sluice_model::error::{Coded, ErrorCode, one_line};
use sluice_model::health::HealthVerdict;
use sluice_model::manifest::Origin;

use crate::codes;

/// A plan that was not done to its end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It has another form than this version knows.
    #[error("the plan has the form `{found}`, not `{known}`")]
    PlanVersion {
        /// What it says.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// It says itself that it must wait.
    #[error("the plan is blocked: {}", .reasons.join("; "))]
    Blocked {
        /// Why.
        reasons: Vec<String>,
    },
    /// What it was made for is no longer so. Nothing was written.
    #[error("the cluster moved on since the plan was made: {}", .objects.join("; "))]
    MovedOn {
        /// Which objects, and how.
        objects: Vec<String>,
    },
    /// The rehearsal found refusals. Nothing was written.
    #[error("the API server refuses {} of the plan's objects: {}", .refusals.len(), refusals_text(.refusals))]
    Refused {
        /// All of them.
        refusals: Vec<Refusal>,
    },
    /// Steps failed.
    #[error("{} of the plan's steps failed: {}", .refusals.len(), refusals_text(.refusals))]
    Steps {
        /// All of them.
        refusals: Vec<Refusal>,
    },
    /// A wave did not get healthy.
    #[error("{wave} did not become healthy: {object} is {:?}{}{}", .verdict.status, said(.verdict), by(.verdict))]
    Unhealthy {
        /// `Sync wave 2`.
        wave: String,
        /// Which object.
        object: Box<ObjectRef>,
        /// What its policy said.
        verdict: Box<HealthVerdict>,
        /// True where time ran out.
        late: bool,
    },
    /// A deleted object is still there.
    #[error("{object} was deleted and is still there after {seconds} s{}", held_by(.finalizers))]
    StillThere {
        /// Which.
        object: Box<ObjectRef>,
        /// How long was waited.
        seconds: u64,
        /// What holds it.
        finalizers: Vec<String>,
    },
    /// The plan has a Secret whose values nobody handed in.
    #[error("{object} is not among the manifests")]
    NoManifest {
        /// Which.
        object: Box<ObjectRef>,
    },
    /// The caller gave up.
    #[error("{reason}")]
    Abandoned {
        /// Why.
        reason: String,
    },
    /// The ApplySet's record on the Application could not be written. Nothing else was.
    #[error("the members cannot be recorded on the Application")]
    Parent(#[source] ClusterError),
    /// A CRD is stored and not served.
    #[error("{object} is not established after {seconds} s")]
    NotEstablished {
        /// Which.
        object: Box<ObjectRef>,
        /// How long was waited.
        seconds: u64,
    },
}

/// One object that the server refused.
#[derive(Debug)]
pub struct Refusal {
    /// Which.
    pub object: ObjectRef,
    /// Where it is written.
    pub origin: Option<Origin>,
    /// The code of the refusal.
    pub code: &'static ErrorCode,
    /// Code and words of the refusal, Secret values masked.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// True where the same may succeed later.
    pub transient: bool,
}

impl Refusal {
    pub(crate) fn new(object: ObjectRef, origin: Option<Origin>, error: &ClusterError) -> Self {
        Self {
            object,
            origin,
            code: error.code(),
            message: one_line(error),
            hint: error.hint(),
            transient: error.is_transient(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.object)?;
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// At most this many refusals are written out in one message: conditions have a limit, people too.
const SHOWN: usize = 10;

fn refusals_text(refusals: &[Refusal]) -> String {
    let mut text = refusals
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    if refusals.len() > SHOWN {
        text.push_str(&format!("; and {} more", refusals.len() - SHOWN));
    }
    text
}

fn said(verdict: &HealthVerdict) -> String {
    match verdict.message.is_empty() {
        true => String::new(),
        false => format!(": {}", verdict.message),
    }
}

fn by(verdict: &HealthVerdict) -> String {
    verdict
        .plugin
        .as_ref()
        .map(|plugin| format!(" (says plugin {plugin})"))
        .unwrap_or_default()
}

fn held_by(finalizers: &[String]) -> String {
    match finalizers.is_empty() {
        true => String::new(),
        false => format!(", held by {}", finalizers.join(", ")),
    }
}

impl ApplyError {
    /// True where the same plan, made anew, may succeed without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::MovedOn { .. } => true,
            Self::Refused { refusals } | Self::Steps { refusals } => {
                refusals.iter().all(|refusal| refusal.transient)
            }
            Self::Parent(error) => error.is_transient(),
            Self::PlanVersion { .. }
            | Self::Blocked { .. }
            | Self::Unhealthy { .. }
            | Self::StillThere { .. }
            | Self::NoManifest { .. }
            | Self::Abandoned { .. }
            | Self::NotEstablished { .. } => false,
        }
    }
}

impl Coded for ApplyError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::PlanVersion { .. } => &codes::PLAN_VERSION,
            Self::Blocked { .. } => &codes::BLOCKED,
            Self::MovedOn { .. } => &codes::MOVED_ON,
            Self::Refused { .. } => &codes::REFUSED,
            Self::Steps { .. } => &codes::STEP,
            Self::Unhealthy { late: false, .. } => &codes::UNHEALTHY,
            Self::Unhealthy { late: true, .. } => &codes::WAVE_TIMEOUT,
            Self::StillThere { .. } => &codes::STILL_THERE,
            Self::NoManifest { .. } => &codes::NO_MANIFEST,
            Self::Abandoned { .. } => &codes::ABANDONED,
            Self::Parent(_) => &codes::PARENT,
            Self::NotEstablished { .. } => &codes::NOT_ESTABLISHED,
        }
    }

    /// Where a single object was refused, its own hint says more than "correct it".
    fn hint(&self) -> String {
        match self {
            Self::Refused { refusals } | Self::Steps { refusals } => match refusals.as_slice() {
                [only] => only.hint.clone(),
                _ => self.code().hint.to_owned(),
            },
            _ => self.code().hint.to_owned(),
        }
    }
}
