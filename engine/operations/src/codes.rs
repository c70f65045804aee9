//! The codes of what a person asks for and cannot have.

use sluice_model::{ErrorCode, ExitKind};

const fn code(id: &'static str, exit: ExitKind, summary: &'static str, hint: &'static str) -> ErrorCode {
    ErrorCode {
        id,
        summary,
        hint,
        exit,
    }
}

/// There is no such Application.
pub const NO_APPLICATION: ErrorCode = code(
    "U08",
    ExitKind::Input,
    "there is no such Application",
    "list them with `sluice get -A`; name the namespace with -n",
);
/// Nothing waits for approval.
pub const NOTHING_PENDING: ErrorCode = code(
    "U09",
    ExitKind::Input,
    "nothing waits for approval",
    "look at `sluice status`: what was held may be done already, or Git may have it again",
);
/// Another plan or history waits for approval than the one that was given.
pub const OTHER_PENDING: ErrorCode = code(
    "U10",
    ExitKind::Held,
    "another plan or history waits for approval than the one that was given",
    "read what `sluice status` shows now and approve that if you agree with it",
);
/// The time to wait is over.
pub const TIMEOUT: ErrorCode = code(
    "U11",
    ExitKind::Timeout,
    "the time to wait is over",
    "see `sluice status` for what it waits for, or give a longer --timeout",
);
/// The sync that was followed failed.
pub const OPERATION_FAILED: ErrorCode = code(
    "U12",
    ExitKind::Cluster,
    "the sync that was followed failed",
    "see `sluice status` for every object that failed and why",
);
/// The Application was deleted while it was followed.
pub const GONE: ErrorCode = code(
    "U13",
    ExitKind::Cluster,
    "the Application was deleted while it was followed",
    "see who deleted it: its Events, or the API server's audit log",
);
/// The cluster does not know the kind Application.
pub const NOT_INSTALLED: ErrorCode = code(
    "U15",
    ExitKind::Cluster,
    "the cluster does not know the kind Application",
    "install it with `sluice crds | kubectl apply --server-side -f -`, or choose another --context",
);
/// An Application in the cluster is of another form than this Sluice knows.
pub const UNREADABLE_APPLICATION: ErrorCode = code(
    "U16",
    ExitKind::Cluster,
    "an Application in the cluster is of another form than this Sluice knows",
    "use the same version of Sluice here as in the cluster, and apply its `sluice crds`",
);
/// The history has nothing to go back to.
pub const NOTHING_EARLIER: ErrorCode = code(
    "U25",
    ExitKind::Input,
    "the history has nothing to go back to",
    "`sluice history` lists what there is; a branch, tag or commit can be named too",
);
/// There is nothing that could be ended.
pub const NOTHING_TO_END: ErrorCode = code(
    "U26",
    ExitKind::Input,
    "there is nothing that could be ended",
    "`sluice status` says what goes on",
);
/// Nothing is written while an Application is paused.
pub const PAUSED: ErrorCode = code(
    "U27",
    ExitKind::Held,
    "nothing is written while an Application is paused",
    "`sluice resume` ends the pause",
);
/// The cluster has no kind that is called so.
pub const NO_KIND: ErrorCode = code(
    "U28",
    ExitKind::Input,
    "the cluster has no kind of this name",
    "list them with `kubectl api-resources`; add the group if several have one of that name, as deployments.apps",
);

/// All of them.
pub const ALL: &[&ErrorCode] = &[
    &NO_APPLICATION,
    &NOTHING_PENDING,
    &OTHER_PENDING,
    &TIMEOUT,
    &OPERATION_FAILED,
    &GONE,
    &NOT_INSTALLED,
    &UNREADABLE_APPLICATION,
    &NOTHING_EARLIER,
    &NOTHING_TO_END,
    &PAUSED,
    &NO_KIND,
];
