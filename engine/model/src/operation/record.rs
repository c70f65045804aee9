//! An operation as the status has it: one flat record, in which a state is told by `phase` and `stage`.
//!
//! A structural schema cannot say which fields belong to which state, so this is where a record that means nothing is read as
//! the state that is nearest and safe: without its time a wait is over, and what is not known to run has ended.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Initiator, Operation, OperationFailure, OperationKind, OperationPhase, OperationRequest, OperationResult,
    OperationState, WaitingFor, rfc3339,
};
use crate::selection::Selector;

/// The code of a failure that was recorded without one.
const NO_CODE: &str = "SyncFailed";

/// Who wanted an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum By {
    /// The controller, because the sync policy says so.
    Automation,
    /// A person approved held deletions.
    Approval,
    /// A person asked for it.
    #[default]
    Person,
}

/// How far a running operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum Stage {
    /// A person asked for it.
    Requested,
    /// The API server is asked whether it would take every object.
    Rehearsing,
    /// The plan is carried out.
    Applying,
    /// Everything is applied, and the application has to become healthy.
    AwaitingHealth,
}

/// The operation in progress, or the last one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Operation")]
pub(super) struct Record {
    /// The id of the request, `auto` or `approval`.
    id: String,
    /// What it is.
    #[serde(default)]
    kind: OperationKind,
    /// Whether it goes on, or how it ended.
    phase: OperationPhase,
    /// How far it is, while it is `Running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
    /// For people: what is waited for, or what failed and what to do.
    #[serde(default)]
    message: String,
    /// The code of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The commit.
    revision: String,
    /// The name that led to it: a branch, a tag, a commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    requested: String,
    /// The digest of its plan.
    #[serde(default)]
    plan_digest: String,
    /// The policies that were asked for the plan, `name@sha256:…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policies: Vec<String>,
    /// Who wanted it: a kind of initiator.
    #[serde(default)]
    initiator: By,
    /// Who wanted it: a name.
    initiated_by: String,
    /// When it began, RFC 3339.
    started_at: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// How often this revision was tried again after a failure.
    #[serde(default)]
    retries: u32,
    /// What was done, as far as it was: `2 created, 1 configured`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    summary: String,
    /// The wave that is under way: `Sync wave 2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wave: Option<String>,
    /// The object that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting_for: Option<WaitingFor>,
    /// RFC 3339: everything is applied, and the application has to be healthy by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    healthy_until: Option<String>,
    /// The objects that it is about; all of the application's if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Selector>,
    /// What was asked for, until it is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<OperationRequest>,
}

impl From<Operation> for Record {
    fn from(operation: Operation) -> Self {
        let message = operation.message();
        let phase = operation.phase();
        let by = match &operation.initiator {
            Initiator::Automation => By::Automation,
            Initiator::Approval { .. } => By::Approval,
            Initiator::Person { .. } => By::Person,
        };
        let mut record = Self {
            id: operation.initiator.id().to_owned(),
            kind: operation.kind,
            phase,
            stage: None,
            message,
            code: operation.failure().map(|failure| failure.code.clone()),
            revision: operation.revision,
            requested: operation.requested,
            plan_digest: operation.plan_digest,
            policies: operation.policies,
            initiator: by,
            initiated_by: operation.initiator.name(operation.kind).to_owned(),
            started_at: rfc3339(operation.started_at),
            finished_at: None,
            retries: operation.retries,
            summary: operation.summary,
            wave: None,
            waiting_for: None,
            healthy_until: None,
            resources: operation.resources,
            request: None,
        };
        match operation.state {
            OperationState::Requested(request) => {
                record.stage = Some(Stage::Requested);
                record.request = Some(*request);
            }
            OperationState::Rehearsing => record.stage = Some(Stage::Rehearsing),
            OperationState::Applying { wave, waiting_for } => {
                record.stage = Some(Stage::Applying);
                record.wave = wave;
                record.waiting_for = waiting_for;
            }
            OperationState::AwaitingHealth { until, waiting_for } => {
                record.stage = Some(Stage::AwaitingHealth);
                record.healthy_until = Some(rfc3339(until));
                record.waiting_for = waiting_for;
            }
            OperationState::Ended { at, .. } => record.finished_at = Some(rfc3339(at)),
        }
        record
    }
}

impl From<Record> for Operation {
    fn from(record: Record) -> Self {
        let initiator = match record.initiator {
            By::Automation => Initiator::Automation,
            By::Approval => Initiator::Approval {
                by: record.initiated_by,
            },
            By::Person => Initiator::Person {
                id: record.id,
                name: record.initiated_by,
            },
        };
        let message = record.message;
        let ended = |result| OperationState::Ended {
            at: record.finished_at.as_deref().map(time).unwrap_or_default(),
            result,
        };
        let state = match (record.phase, record.stage, record.request) {
            (OperationPhase::Running, Some(Stage::Requested), Some(request)) => {
                OperationState::Requested(Box::new(request))
            }
            (OperationPhase::Running, Some(Stage::AwaitingHealth), _) => OperationState::AwaitingHealth {
                until: record.healthy_until.as_deref().map(time).unwrap_or_default(),
                waiting_for: record.waiting_for,
            },
            (OperationPhase::Running, Some(Stage::Rehearsing), _) => OperationState::Rehearsing,
            (OperationPhase::Running, _, _) => OperationState::Applying {
                wave: record.wave,
                waiting_for: record.waiting_for,
            },
            (OperationPhase::Succeeded, _, _) => ended(OperationResult::Succeeded { message }),
            (OperationPhase::Failed, _, _) => ended(OperationResult::Failed(OperationFailure {
                code: record.code.unwrap_or_else(|| NO_CODE.to_owned()),
                message,
            })),
            (OperationPhase::Terminated, _, _) => ended(OperationResult::Terminated { message }),
            (OperationPhase::Superseded, _, _) => ended(OperationResult::Superseded { message }),
        };
        Self {
            initiator,
            kind: record.kind,
            revision: record.revision,
            requested: record.requested,
            plan_digest: record.plan_digest,
            policies: record.policies,
            started_at: time(&record.started_at),
            retries: record.retries,
            resources: record.resources,
            summary: record.summary,
            state,
        }
    }
}

/// A time that cannot be read lies in the past: what waits for it waits no longer.
fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or_default()
}

impl JsonSchema for Operation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Record::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Record::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn operation(initiator: Initiator, state: OperationState) -> Operation {
        Operation {
            initiator,
            kind: OperationKind::Sync,
            revision: "0123".to_owned(),
            requested: "main".to_owned(),
            plan_digest: "sha256:1".to_owned(),
            policies: vec!["p@sha256:2".to_owned()],
            started_at: Timestamp::from_second(1_790_000_000).unwrap(),
            retries: 2,
            resources: vec!["apps/*/*/web".parse().unwrap()],
            summary: "1 created".to_owned(),
            state,
        }
    }

    #[test]
    fn every_state_is_read_as_it_was_written() {
        let at = Timestamp::from_second(1_790_000_060).unwrap();
        let waiting = || {
            Some(WaitingFor {
                what: "Sync wave 2".to_owned(),
                object: "Deployment.apps shop/web".to_owned(),
                since: rfc3339(at),
                ..WaitingFor::default()
            })
        };
        let message = || "it is over".to_owned();
        let ended = |result| OperationState::Ended { at, result };
        let request = OperationRequest {
            id: "1".to_owned(),
            prune: true,
            ..OperationRequest::default()
        };
        let failure = OperationFailure {
            code: "A05".to_owned(),
            message: "A05: refused".to_owned(),
        };
        let person = || Initiator::Person {
            id: "1".to_owned(),
            name: "eve".to_owned(),
        };
        let states = [
            (
                OperationState::Requested(Box::new(request)),
                "Running",
                "Requested",
            ),
            (OperationState::Rehearsing, "Running", "Rehearsing"),
            (
                OperationState::Applying {
                    wave: Some("Sync wave 2".to_owned()),
                    waiting_for: waiting(),
                },
                "Running",
                "Applying",
            ),
            (
                OperationState::AwaitingHealth {
                    until: at,
                    waiting_for: waiting(),
                },
                "Running",
                "AwaitingHealth",
            ),
            (
                ended(OperationResult::Succeeded { message: message() }),
                "Succeeded",
                "",
            ),
            (ended(OperationResult::Failed(failure)), "Failed", ""),
            (
                ended(OperationResult::Terminated { message: message() }),
                "Terminated",
                "",
            ),
            (
                ended(OperationResult::Superseded { message: message() }),
                "Superseded",
                "",
            ),
        ];
        let initiators = [
            Initiator::Automation,
            person(),
            Initiator::Approval { by: "eve".to_owned() },
        ];
        for (state, phase, stage) in states {
            for initiator in &initiators {
                let operation = operation(initiator.clone(), state.clone());
                let text = serde_json::to_value(&operation).unwrap();
                assert_eq!(text["phase"], phase);
                assert_eq!(text["stage"].as_str().unwrap_or_default(), stage);
                assert_eq!(serde_json::from_value::<Operation>(text).unwrap(), operation);
            }
        }
    }

    #[test]
    fn a_record_that_means_nothing_is_read_as_what_is_safe() {
        let read = |more: Value| {
            let mut record = json!({"id": "auto", "phase": "Running", "revision": "1", "initiatedBy": "x", "startedAt": "soon"});
            record
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Operation>(record).unwrap()
        };
        let waits = read(json!({"stage": "AwaitingHealth"}));
        let OperationState::AwaitingHealth { until, .. } = waits.state else {
            panic!("{waits:?}");
        };
        assert_eq!(until, Timestamp::UNIX_EPOCH, "a wait without a time is over");
        assert!(!waits.initiator.is_automatic(), "an id is no initiator");
        let requested = read(json!({"stage": "Requested"}));
        assert!(matches!(requested.state, OperationState::Applying { .. }));
        let failed = read(json!({"phase": "Failed", "message": "A05: refused"}));
        assert_eq!(
            failed.failure().unwrap().code,
            NO_CODE,
            "a code is not read out of a message"
        );
    }
}
