//! The documented failures of the loop itself.

use sluice_model::error::{ErrorCode, ExitKind};

/// A request that cannot be read.
pub const REQUEST: ErrorCode = ErrorCode {
    id: "K05",
    summary: "the request in the annotation `sluice.dev/operation` cannot be read",
    hint: "use `sluice sync`, which writes it",
    exit: ExitKind::Input,
};
/// A request while nothing is written.
pub const PAUSED: ErrorCode = ErrorCode {
    id: "K30",
    summary: "the Application is paused, so nothing is written",
    hint: "`sluice resume` ends the pause; `sluice sync --dry-run` and `sluice plan` work meanwhile",
    exit: ExitKind::Held,
};
/// It does not work.
pub const DEGRADED: ErrorCode = ErrorCode {
    id: "K32",
    summary: "everything is applied, but the application does not work",
    hint: "look at the named object with `kubectl describe`; commit a fix, or go back with `sluice rollback`",
    exit: ExitKind::Negative,
};
/// It does not work yet.
pub const NOT_HEALTHY_IN_TIME: ErrorCode = ErrorCode {
    id: "K33",
    summary: "everything is applied, but the application did not become healthy in time",
    hint: "look at the named object with `kubectl describe`, or give it longer: `spec.syncPolicy.healthTimeout`",
    exit: ExitKind::Timeout,
};
/// The controller ended in the middle of an operation.
pub const INTERRUPTED: ErrorCode = ErrorCode {
    id: "K36",
    summary: "the controller was restarted while the operation was carried out",
    hint: "ask for the operation again: what is done already is not done twice",
    exit: ExitKind::Negative,
};
/// The application could not be looked at.
pub const NOT_ASSESSED: ErrorCode = ErrorCode {
    id: "K37",
    summary: "the controller could not find out what Git wants or how the cluster stands",
    hint: "`sluice status` shows the condition that is False, with what to do; then ask again",
    exit: ExitKind::Negative,
};

/// Every code of this crate.
pub const ALL: &[&ErrorCode] = &[
    &REQUEST,
    &PAUSED,
    &DEGRADED,
    &NOT_HEALTHY_IN_TIME,
    &INTERRUPTED,
    &NOT_ASSESSED,
];

/// Returns a failure with a code: the message has the code, the summary, the details and the hint.
pub(crate) fn failure(code: &ErrorCode, details: &str) -> sluice_model::application::OperationFailure {
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(": {details}"),
    };
    sluice_model::application::OperationFailure {
        code: code.id.to_owned(),
        message: format!("{}: {}{details}\nhint: {}", code.id, code.summary, code.hint),
    }
}
