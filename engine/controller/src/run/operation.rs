//! The operation in the status, from its beginning to its entry in the history. Pure but for the clock.

use sluice_model::application::{
    ApplicationStatus, HistoryEntry, OperationKind, OperationPhase, OperationState,
};

use super::actor::now;

/// The id of what nobody asked for.
pub(crate) const AUTOMATIC: &str = "auto";
/// As many operations are remembered as Argo CD remembers.
const HISTORY: usize = 10;
/// So many of them at most are no deployments, so that failures and pauses never push out all that one could go back to.
const OTHERS: usize = 5;
/// A message in the history is for an overview; the whole of it is in the operation, the Event and the log.
const LONGEST: usize = 500;

/// Puts an operation into the status as begun.
pub(crate) fn begin(status: &mut ApplicationStatus, operation: OperationState) {
    status.operation = Some(OperationState {
        phase: OperationPhase::Running,
        started_at: now(),
        finished_at: None,
        ..operation
    });
}

/// Ends the operation that is under way, if one is, and remembers it.
pub(crate) fn finish(status: &mut ApplicationStatus, phase: OperationPhase, message: String) {
    let Some(operation) = status
        .operation
        .as_mut()
        .filter(|operation| operation.phase == OperationPhase::Running)
    else {
        return;
    };
    operation.phase = phase;
    operation.message = message;
    operation.finished_at = Some(now());
    operation.waiting_for = None;
    operation.healthy_until = None;
    let operation = operation.clone();
    remember(status, &operation);
}

/// Remembers an operation that is over.
pub(crate) fn remember(status: &mut ApplicationStatus, operation: &OperationState) {
    let trust = status.verification.as_ref();
    let signer = trust
        .filter(|trust| trust.trusted_revision.as_ref() == Some(&operation.revision))
        .and_then(|trust| trust.signer.clone());
    let said = match operation.phase {
        OperationPhase::Running | OperationPhase::Succeeded if !operation.summary.is_empty() => {
            &operation.summary
        }
        OperationPhase::Running
        | OperationPhase::Succeeded
        | OperationPhase::Failed
        | OperationPhase::Terminated
        | OperationPhase::Superseded => &operation.message,
    };
    let entry = HistoryEntry {
        id: 0,
        operation: operation.id.clone(),
        kind: operation.kind,
        result: operation.phase,
        revision: operation.revision.clone(),
        requested: operation.requested.clone(),
        deployed_at: operation.finished_at.clone().unwrap_or_else(now),
        initiated_by: operation.initiated_by.clone(),
        plan_digest: operation.plan_digest.clone(),
        policies: operation.policies.clone(),
        signer,
        summary: said.chars().take(LONGEST).collect(),
        times: 1,
    };
    push(&mut status.history, entry);
}

/// Puts an entry first. What happens again and again at one revision (drift, a failure that is tried again) is one entry.
fn push(history: &mut Vec<HistoryEntry>, mut entry: HistoryEntry) {
    entry.id = history.iter().map(|entry| entry.id).max().unwrap_or(0) + 1;
    let again = history.first().is_some_and(|last| {
        let alike = (last.kind, last.result) == (entry.kind, entry.result)
            && (&last.revision, &last.initiated_by) == (&entry.revision, &entry.initiated_by);
        let repeats = entry.kind == OperationKind::SelfHeal || entry.result == OperationPhase::Failed;
        alike && repeats
    });
    if again && let Some(last) = history.first_mut() {
        entry.times = last.times + 1;
        *last = entry;
        return;
    }
    history.insert(0, entry);
    while history.len() > HISTORY {
        let others = history.iter().filter(|entry| !entry.is_deployment()).count();
        let oldest = history
            .iter()
            .rposition(|entry| entry.is_deployment() == (others <= OTHERS))
            .unwrap_or(history.len() - 1);
        history.remove(oldest);
    }
}

/// An operation that ended before it began.
pub(crate) fn refuse(
    status: &mut ApplicationStatus,
    id: String,
    kind: OperationKind,
    by: String,
    message: String,
) {
    let operation = OperationState {
        id,
        kind,
        initiated_by: by,
        ..OperationState::default()
    };
    begin(status, operation);
    finish(status, OperationPhase::Failed, message);
}

/// True where an operation is under way.
pub(crate) fn is_running(status: &ApplicationStatus) -> bool {
    status
        .operation
        .as_ref()
        .is_some_and(|operation| operation.phase == OperationPhase::Running)
}

/// An operation that was under way when the controller ended. One that only waits for the verdict goes on; what a person asked for
/// has to be asked for again. The automation goes on by itself, and finds out whether it was done already: its operation is handed
/// back.
pub(crate) fn interrupted(status: &mut ApplicationStatus) -> Option<OperationState> {
    let operation = status.operation.as_ref().filter(|_| is_running(status))?;
    match (operation.healthy_until.is_some(), operation.id == AUTOMATIC) {
        (true, _) => None,
        (false, true) => status.operation.take(),
        (false, false) => {
            let message = "the controller was restarted meanwhile; ask again to go on".to_owned();
            finish(status, OperationPhase::Failed, message);
            None
        }
    }
}

/// The code that the message of a failed operation begins with.
pub(crate) fn code_of(failed: &OperationState) -> &str {
    failed
        .message
        .split(':')
        .next()
        .filter(|code| code.len() == 3)
        .unwrap_or("SyncFailed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(status: &mut ApplicationStatus, kind: OperationKind, phase: OperationPhase, revision: &str) {
        let operation = OperationState {
            id: AUTOMATIC.to_owned(),
            kind,
            revision: revision.to_owned(),
            initiated_by: "automation".to_owned(),
            policies: vec!["p@sha256:1".to_owned()],
            ..OperationState::default()
        };
        begin(status, operation);
        finish(status, phase, "it is over".to_owned());
    }

    #[test]
    fn every_end_is_remembered_with_its_result_and_its_policies() {
        let mut status = ApplicationStatus::default();
        for (number, phase) in [
            OperationPhase::Succeeded,
            OperationPhase::Failed,
            OperationPhase::Terminated,
            OperationPhase::Superseded,
        ]
        .into_iter()
        .enumerate()
        {
            done(&mut status, OperationKind::Sync, phase, &number.to_string());
            let entry = &status.history[0];
            assert_eq!(
                (entry.result, entry.revision.as_str()),
                (phase, number.to_string().as_str())
            );
            assert_eq!(entry.policies, ["p@sha256:1"]);
        }
        assert_eq!(
            status.history.iter().map(|entry| entry.id).collect::<Vec<_>>(),
            [4, 3, 2, 1]
        );
        // What is over is not ended twice.
        finish(&mut status, OperationPhase::Failed, String::new());
        assert_eq!(status.history.len(), 4);
    }

    #[test]
    fn failures_never_push_out_what_one_could_go_back_to() {
        let mut status = ApplicationStatus::default();
        for number in 0..8 {
            done(
                &mut status,
                OperationKind::Sync,
                OperationPhase::Succeeded,
                &format!("good{number}"),
            );
        }
        for number in 0..30 {
            done(
                &mut status,
                OperationKind::Sync,
                OperationPhase::Failed,
                &format!("bad{number}"),
            );
            done(&mut status, OperationKind::Pause, OperationPhase::Succeeded, "");
        }
        assert_eq!(status.history.len(), HISTORY);
        let deployments: Vec<&str> = status
            .history
            .iter()
            .filter(|entry| entry.is_deployment())
            .map(|entry| entry.revision.as_str())
            .collect();
        assert_eq!(deployments, ["good7", "good6", "good5", "good4", "good3"]);
        // And the other way round: the last failures are not forgotten for being old.
        for number in 0..30 {
            done(
                &mut status,
                OperationKind::Sync,
                OperationPhase::Succeeded,
                &format!("new{number}"),
            );
        }
        assert_eq!(
            status
                .history
                .iter()
                .filter(|entry| !entry.is_deployment())
                .count(),
            5
        );
    }

    #[test]
    fn what_happens_again_and_again_is_one_entry() {
        let mut status = ApplicationStatus::default();
        done(&mut status, OperationKind::Sync, OperationPhase::Succeeded, "a");
        for _ in 0..20 {
            done(
                &mut status,
                OperationKind::SelfHeal,
                OperationPhase::Succeeded,
                "a",
            );
        }
        for _ in 0..3 {
            done(&mut status, OperationKind::Sync, OperationPhase::Failed, "b");
        }
        let seen: Vec<_> = status
            .history
            .iter()
            .map(|entry| (entry.kind, entry.times))
            .collect();
        assert_eq!(
            seen,
            [
                (OperationKind::Sync, 3),
                (OperationKind::SelfHeal, 20),
                (OperationKind::Sync, 1)
            ]
        );
    }

    #[test]
    fn a_restart_ends_what_was_being_written_and_nothing_else() {
        let running = |id: &str, healthy_until: Option<&str>| {
            let mut status = ApplicationStatus::default();
            let operation = OperationState {
                id: id.to_owned(),
                healthy_until: healthy_until.map(str::to_owned),
                ..OperationState::default()
            };
            begin(&mut status, operation);
            let back = interrupted(&mut status);
            (status.operation.map(|operation| operation.phase), back.is_some())
        };
        assert_eq!(running(AUTOMATIC, None), (None, true));
        assert_eq!(running("cli-1", None), (Some(OperationPhase::Failed), false));
        assert_eq!(
            running("cli-1", Some("2026-01-01T00:00:00Z")),
            (Some(OperationPhase::Running), false)
        );
    }
}
