//! Why the live state is not known.

use sluice_cluster::ClusterError;
use sluice_model::error::{Coded, ErrorCode};

/// A live state that is not known.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A watch is broken.
    #[error("cannot watch `{kind}`: {reason}")]
    Watch {
        /// The kind, `Deployment.apps`.
        kind: String,
        /// What the cluster said.
        reason: String,
        /// True where RBAC forbids it.
        forbidden: bool,
    },
    /// The first list of a kind takes too long.
    #[error("the objects of the application could not be listed within {seconds} s")]
    Late {
        /// How long was waited.
        seconds: u64,
    },
}

impl ObserveError {
    pub(crate) fn of(kind: String, error: &ClusterError) -> Self {
        Self::Watch {
            kind,
            reason: sluice_model::error::one_line(error),
            forbidden: matches!(
                error,
                ClusterError::Forbidden { .. } | ClusterError::Unauthorised { .. }
            ),
        }
    }
}

impl Coded for ObserveError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Watch { forbidden: true, .. } => &codes::FORBIDDEN,
            Self::Watch { forbidden: false, .. } => &codes::BROKEN,
            Self::Late { .. } => &codes::LATE,
        }
    }
}

/// The documented failures of observing.
pub mod codes {
    use sluice_model::error::{ErrorCode, ExitKind};

    /// RBAC forbids a watch.
    pub const FORBIDDEN: ErrorCode = ErrorCode {
        id: "O01",
        summary: "the engine may not watch a kind that an application manages",
        hint: "grant `list` and `watch` on the named kind to the engine's account: cluster-wide, or where `--manage-namespace` binds it to namespaces, in each of them",
        exit: ExitKind::Cluster,
    };
    /// The API server does not let a watch through just now.
    pub const BROKEN: ErrorCode = ErrorCode {
        id: "O02",
        summary: "the live state of a kind is not known just now",
        hint: "see whether the API server answers; the watch is tried again by itself and nothing is changed meanwhile",
        exit: ExitKind::Cluster,
    };
    /// The first list takes long.
    pub const LATE: ErrorCode = ErrorCode {
        id: "O03",
        summary: "the first list of the application's objects takes too long",
        hint: "see whether the API server is overloaded; it is tried again by itself",
        exit: ExitKind::Timeout,
    };

    /// Every code of this crate.
    pub const ALL: &[&ErrorCode] = &[&FORBIDDEN, &BROKEN, &LATE];
}
