//! The model's words as verdicts.

use sluice_plugin::Verdict;

/// Current: the object is as its spec wants it.
pub(crate) fn current(message: impl Into<String>) -> Verdict {
    Verdict::Healthy(message.into())
}

/// InProgress, with the reason of its `Reconciling` condition.
pub(crate) fn in_progress(reason: &str, message: &str) -> Verdict {
    Verdict::Progressing(joined(reason, message))
}

/// Failed, with the reason of its `Stalled` condition.
pub(crate) fn failed(reason: &str, message: &str) -> Verdict {
    Verdict::Degraded(joined(reason, message))
}

fn joined(reason: &str, message: &str) -> String {
    match (reason.is_empty(), message.is_empty()) {
        (_, true) => reason.to_owned(),
        (true, false) => message.to_owned(),
        (false, false) => format!("{reason}: {message}"),
    }
}
