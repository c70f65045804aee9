//! The documented failures of applying. What the server refuses has the codes of `sluice-cluster`.

use sluice_model::error::{ErrorCode, ExitKind};

/// A plan of another form.
pub const PLAN_VERSION: ErrorCode = ErrorCode {
    id: "A01",
    summary: "the plan has a form that this version does not know",
    hint: "make the plan with the same version of Sluice that applies it",
    exit: ExitKind::Input,
};
/// A plan with a block.
pub const BLOCKED: ErrorCode = ErrorCode {
    id: "A02",
    summary: "the plan is blocked",
    hint: "remove each named reason, then make a new plan",
    exit: ExitKind::Held,
};
/// The cluster moved on.
pub const MOVED_ON: ErrorCode = ErrorCode {
    id: "A03",
    summary: "the cluster moved on since the plan was made",
    hint: "make a new plan; it takes the changes into account and has another digest",
    exit: ExitKind::Cluster,
};
/// The server refuses.
pub const REFUSED: ErrorCode = ErrorCode {
    id: "A04",
    summary: "the API server refuses a part of the plan, so nothing was written",
    hint: "correct each named object; its own code says how",
    exit: ExitKind::Cluster,
};
/// A step failed.
pub const STEP: ErrorCode = ErrorCode {
    id: "A05",
    summary: "a step failed, and what comes after it was not tried",
    hint: "correct the named object and sync again: what was done already is not done twice",
    exit: ExitKind::Cluster,
};
/// A wave did not get healthy.
pub const UNHEALTHY: ErrorCode = ErrorCode {
    id: "A06",
    summary: "a wave did not become healthy, and what comes after it was not tried",
    hint: "look at the named object with `kubectl describe`; `sluice health` says how it is judged",
    exit: ExitKind::Negative,
};
/// A wave took too long.
pub const WAVE_TIMEOUT: ErrorCode = ErrorCode {
    id: "A07",
    summary: "a wave did not become healthy in time",
    hint: "look at the named object with `kubectl describe`, or give it longer",
    exit: ExitKind::Timeout,
};
/// Something does not go away.
pub const STILL_THERE: ErrorCode = ErrorCode {
    id: "A08",
    summary: "a deleted object does not go away",
    hint: "see which finalizers hold it and whether their controllers run",
    exit: ExitKind::Timeout,
};
/// A manifest is missing.
pub const NO_MANIFEST: ErrorCode = ErrorCode {
    id: "A09",
    summary: "a Secret of the plan is not among the rendered manifests",
    hint: "apply the plan with the repository at the plan's revision: plans hold no Secret values",
    exit: ExitKind::Input,
};
/// The caller ended it.
pub const ABANDONED: ErrorCode = ErrorCode {
    id: "A10",
    summary: "the operation was given up",
    hint: "if a newer operation replaced it, nothing has to be done; otherwise sync again",
    exit: ExitKind::Negative,
};
/// The record could not be written.
pub const PARENT: ErrorCode = ErrorCode {
    id: "A11",
    summary: "the Application's record of its members could not be written",
    hint: "grant `patch` on applications.sluice.dev to the engine's account",
    exit: ExitKind::Cluster,
};
/// A CRD is not served.
pub const NOT_ESTABLISHED: ErrorCode = ErrorCode {
    id: "A12",
    summary: "a CustomResourceDefinition was stored but is not served",
    hint: "read the conditions in its status: names may clash with those of another one",
    exit: ExitKind::Timeout,
};

/// Every code of this crate.
pub const ALL: &[&ErrorCode] = &[
    &PLAN_VERSION,
    &BLOCKED,
    &MOVED_ON,
    &REFUSED,
    &STEP,
    &UNHEALTHY,
    &WAVE_TIMEOUT,
    &STILL_THERE,
    &NO_MANIFEST,
    &ABANDONED,
    &PARENT,
    &NOT_ESTABLISHED,
];
