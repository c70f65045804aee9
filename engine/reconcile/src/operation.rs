//! The operation in the status, from its beginning to its entry in the history.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_model::application::{
    ApplicationStatus, HistoryEntry, Initiator, Operation, OperationKind, OperationPhase, OperationResult,
    OperationState, rfc3339,
};
use sluice_model::revisions;

/// As many operations are remembered as Argo CD remembers.
const HISTORY: usize = 10;
/// So many of them at most are no deployments, so that failures and pauses never push out all that one could go back to.
const OTHERS: usize = 5;
/// A message in the history is for an overview; the whole of it is in the operation, the Event and the log.
const LONGEST: usize = 500;

/// Returns an operation that begins now, of which nothing else is known yet.
pub fn begun(initiator: Initiator, kind: OperationKind, now: Timestamp) -> Operation {
    Operation {
        initiator,
        kind,
        revision: String::new(),
        requested: String::new(),
        plan_digest: String::new(),
        policies: Vec::new(),
        started_at: now,
        retries: 0,
        resources: Vec::new(),
        summary: String::new(),
        state: OperationState::Rehearsing,
    }
}

/// Ends the operation that is under way, if one is, and remembers it.
pub fn finish(status: &mut ApplicationStatus, result: OperationResult, now: Timestamp) {
    let Some(operation) = status
        .operation
        .as_mut()
        .filter(|operation| operation.is_running())
    else {
        return;
    };
    operation.state = OperationState::Ended { at: now, result };
    let operation = operation.clone();
    remember(status, &operation);
}

/// Remembers an operation that is over.
pub(crate) fn remember(status: &mut ApplicationStatus, operation: &Operation) {
    let OperationState::Ended { at, result } = &operation.state else {
        return;
    };
    let signers: BTreeSet<&str> = status
        .verifications()
        .filter(|(source, trust)| {
            let revision = revisions::of(&operation.revision, source);
            revision.is_some() && trust.trusted_revision.as_deref() == revision
        })
        .filter_map(|(_, trust)| trust.signer.as_deref())
        .collect();
    let signer = (!signers.is_empty()).then(|| signers.into_iter().collect::<Vec<_>>().join(", "));
    let said = match result {
        OperationResult::Succeeded { .. } if !operation.summary.is_empty() => &operation.summary,
        _ => result.message(),
    };
    let entry = HistoryEntry {
        id: 0,
        operation: operation.initiator.id().to_owned(),
        kind: operation.kind,
        result: result.phase(),
        revision: operation.revision.clone(),
        requested: operation.requested.clone(),
        deployed_at: rfc3339(*at),
        initiated_by: operation.initiator.name(operation.kind).to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::application::{OperationFailure, VerificationState};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn result(phase: OperationPhase) -> OperationResult {
        let message = "it is over".to_owned();
        match phase {
            OperationPhase::Succeeded | OperationPhase::Running => OperationResult::Succeeded { message },
            OperationPhase::Failed => OperationResult::Failed(OperationFailure {
                code: "A05".to_owned(),
                message,
            }),
            OperationPhase::Terminated => OperationResult::Terminated { message },
            OperationPhase::Superseded => OperationResult::Superseded { message },
        }
    }

    fn done(status: &mut ApplicationStatus, kind: OperationKind, phase: OperationPhase, revision: &str) {
        status.operation = Some(Operation {
            revision: revision.to_owned(),
            policies: vec!["p@sha256:1".to_owned()],
            ..begun(Initiator::Automation, kind, NOW)
        });
        finish(status, result(phase), NOW);
    }

    #[test]
    fn every_end_is_remembered_with_its_result_and_its_policies() {
        let mut status = ApplicationStatus::default();
        let phases = [
            OperationPhase::Succeeded,
            OperationPhase::Failed,
            OperationPhase::Terminated,
            OperationPhase::Superseded,
        ];
        for (number, phase) in phases.into_iter().enumerate() {
            done(&mut status, OperationKind::Sync, phase, &number.to_string());
            let entry = &status.history[0];
            assert_eq!(
                (entry.result, entry.revision.clone()),
                (phase, number.to_string())
            );
            assert_eq!(
                (entry.policies[0].as_str(), entry.summary.as_str()),
                ("p@sha256:1", "it is over")
            );
        }
        let ids: Vec<u64> = status.history.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [4, 3, 2, 1]);
        // What is over is not ended twice.
        finish(&mut status, result(OperationPhase::Failed), NOW);
        assert_eq!(status.history.len(), 4);
    }

    #[test]
    fn the_signer_of_the_trusted_revision_is_remembered() {
        let mut status = ApplicationStatus {
            verification: Some(VerificationState {
                trusted_revision: Some("a".to_owned()),
                signer: Some("ABCD".to_owned()),
                ..VerificationState::default()
            }),
            ..ApplicationStatus::default()
        };
        for (revision, signer) in [("a", Some("ABCD")), ("b", None)] {
            done(
                &mut status,
                OperationKind::Sync,
                OperationPhase::Succeeded,
                revision,
            );
            assert_eq!(status.history[0].signer.as_deref(), signer);
        }
    }

    #[test]
    fn failures_never_push_out_what_one_could_go_back_to() {
        let mut status = ApplicationStatus::default();
        let good = |status: &mut _, name: String| {
            done(status, OperationKind::Sync, OperationPhase::Succeeded, &name);
        };
        for number in 0..8 {
            good(&mut status, format!("good{number}"));
        }
        for number in 0..30 {
            let bad = format!("bad{number}");
            done(&mut status, OperationKind::Sync, OperationPhase::Failed, &bad);
            done(&mut status, OperationKind::Pause, OperationPhase::Succeeded, "");
        }
        assert_eq!(status.history.len(), HISTORY);
        let deployments = status.history.iter().filter(|entry| entry.is_deployment());
        let deployments: Vec<&str> = deployments.map(|entry| entry.revision.as_str()).collect();
        assert_eq!(deployments, ["good7", "good6", "good5", "good4", "good3"]);
        // And the other way round: the last failures are not forgotten for being old.
        for number in 0..30 {
            good(&mut status, format!("new{number}"));
        }
        let others = status.history.iter().filter(|entry| !entry.is_deployment());
        assert_eq!(others.count(), 5);
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
        let times: Vec<u32> = status.history.iter().map(|entry| entry.times).collect();
        assert_eq!(times, [20, 1]);
        done(&mut status, OperationKind::Sync, OperationPhase::Failed, "b");
        done(&mut status, OperationKind::Sync, OperationPhase::Failed, "b");
        done(&mut status, OperationKind::Sync, OperationPhase::Failed, "c");
        let times: Vec<u32> = status.history.iter().map(|entry| entry.times).collect();
        assert_eq!(times, [1, 2, 20, 1]);
    }
}
