//! The health gate: after the last wave an operation has succeeded only once the application is healthy.
//!
//! The gate blocks nothing: the operation stays `AwaitingHealth` while the application is assessed as ever, and each assessment
//! asks the gate. If the controller ends meanwhile, the next one goes on from the status. When the wait is over is decided by
//! [`sluice_health`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sluice_health::{Answer as Judged, Awaited, Failure, ObjectHealth, Wait};
use sluice_model::application::{ApplicationStatus, OperationState, WaitingFor, rfc3339};
use sluice_model::error::{Coded, ErrorCode};
use sluice_model::selection::Selector;

use crate::codes;

/// How long a wait is not worth a word in the status.
const QUIET: SignedDuration = SignedDuration::from_secs(1);

/// Who waits, in [`WaitingFor::what`].
const WHAT: &str = "the application";

/// Everything was applied, and the application does not work.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It will not get healthy by itself.
    #[error("everything is applied, but {0}")]
    Degraded(String),
    /// It did not get healthy in time.
    #[error("everything is applied, but did not become healthy in time: {0}")]
    Late(String),
}

impl Coded for Unfit {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Degraded(_) => &codes::DEGRADED,
            Self::Late(_) => &codes::NOT_HEALTHY_IN_TIME,
        }
    }
}

/// What the gate says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// No operation waits for the application's health.
    None,
    /// The application is healthy.
    Passed,
    /// It is not yet; ask again after this time at the latest.
    Wait(Duration),
    /// It will not be, or not in time.
    Failed(Unfit),
}

/// What is remembered between two questions; all of it can be lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    closed: Option<Timestamp>,
    wait: Wait,
}

/// Returns true if everything is applied and only the health is awaited.
pub(crate) fn is_waiting(status: &ApplicationStatus) -> bool {
    deadline(status).is_some()
}

/// Returns true for the code of an operation that failed although everything was applied: doing it again would change nothing.
pub(crate) fn failed_at(code: &str) -> bool {
    [codes::DEGRADED.id, codes::NOT_HEALTHY_IN_TIME.id].contains(&code)
}

fn deadline(status: &ApplicationStatus) -> Option<Timestamp> {
    match status.operation.as_ref()?.state {
        OperationState::AwaitingHealth { until, .. } => Some(until),
        OperationState::Requested(_)
        | OperationState::Rehearsing
        | OperationState::Applying { .. }
        | OperationState::Ended { .. } => None,
    }
}

impl Gate {
    /// Everything is applied: from `now` on the operation waits for the application's health, for as long as `patience`.
    pub(crate) fn close(&mut self, patience: Duration, now: Timestamp) -> OperationState {
        self.closed = Some(now);
        self.wait = Wait::default();
        OperationState::AwaitingHealth {
            until: now.checked_add(signed(patience)).unwrap_or(Timestamp::MAX),
            waiting_for: None,
        }
    }

    /// Returns for how much longer the status need not tell of the wait, because most applications are healthy by then. None if
    /// that time is over, and for an operation that a person asked for and looks at.
    pub(crate) fn quiet(&self, status: &ApplicationStatus, now: Timestamp) -> Option<Duration> {
        let operation = status.operation.as_ref().filter(|_| is_waiting(status))?;
        let rest = QUIET - now.duration_since(self.closed?);
        let rest = Duration::try_from(rest).ok().filter(|rest| !rest.is_zero());
        rest.filter(|_| operation.initiator.is_automatic())
    }

    /// Judges the application as it was found, and writes down what the operation waits for. `patience` is the time of the objects
    /// that have none of their own.
    pub(crate) fn ask(
        &mut self,
        status: &mut ApplicationStatus,
        awaited: &[Awaited],
        patience: Duration,
        now: Timestamp,
    ) -> Answer {
        let (Some(until), Some(operation)) = (deadline(status), &mut status.operation) else {
            return Answer::None;
        };
        let meant: Vec<Awaited> = awaited
            .iter()
            .filter(|awaited| Selector::any(&operation.resources, &awaited.health.object))
            .cloned()
            .collect();
        let elapsed = now.duration_since(until).saturating_add(signed(patience));
        let elapsed = Duration::try_from(elapsed).unwrap_or_default();
        let (wait, answer) = std::mem::take(&mut self.wait).judge(&meant, elapsed, patience);
        self.wait = wait;
        match answer {
            Judged::Over => Answer::Passed,
            Judged::Failed { on, why } => Answer::Failed(match why {
                Failure::Degraded => Unfit::Degraded(explain_status(&on)),
                Failure::Late => Unfit::Late(explain_status(&on)),
            }),
            Judged::Waiting { on, next } => {
                let waiting = waiting_for(WHAT, &on, operation.state.waiting_for(), now);
                operation.state = OperationState::AwaitingHealth {
                    until,
                    waiting_for: Some(waiting),
                };
                Answer::Wait(next)
            }
        }
    }

    /// The controller cannot tell how the application is. The wait goes on until its time is over.
    pub(crate) fn unknown(&mut self, status: &ApplicationStatus, now: Timestamp) -> Answer {
        self.wait = Wait::default();
        let Some(until) = deadline(status) else {
            return Answer::None;
        };
        match Duration::try_from(until.duration_since(now)).unwrap_or_default() {
            Duration::ZERO => Answer::Failed(Unfit::Late(
                "its health is not known; the other conditions say why".to_owned(),
            )),
            rest => Answer::Wait(rest),
        }
    }
}

/// Returns an object's health in words: `Deployment.apps shop/web: 1 of 3 replicas are available (health-kubernetes)`.
pub fn explain(health: &ObjectHealth) -> String {
    let verdict = &health.verdict;
    let why = match verdict.message.is_empty() {
        true => format!("{:?}", verdict.status),
        // A log line, or a part of one.
        false => verdict.message.replace('\n', " "),
    };
    let plugin = verdict
        .plugin
        .as_ref()
        .map(|plugin| format!(" ({plugin})"))
        .unwrap_or_default();
    format!("{}: {why}{plugin}", health.object)
}

fn explain_status(health: &ObjectHealth) -> String {
    format!("{:?}: {}", health.verdict.status, explain(health))
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Returns what is waited for; since when, if that is the same as before.
pub fn waiting_for(
    what: &str,
    health: &ObjectHealth,
    before: Option<&WaitingFor>,
    now: Timestamp,
) -> WaitingFor {
    let object = health.object.to_string();
    let since = before
        .filter(|before| before.what == what && before.object == object)
        .map_or_else(|| rfc3339(now), |before| before.since.clone());
    WaitingFor {
        what: what.to_owned(),
        object,
        status: health.verdict.status,
        message: health.verdict.message.clone(),
        plugin: health.verdict.plugin.clone(),
        since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{begun, finish};
    use sluice_health::{Expectation, PATIENCE_WITH_DEGRADED};
    use sluice_model::ObjectRef;
    use sluice_model::application::{Initiator, Operation, OperationKind, OperationResult};
    use sluice_model::health::{HealthStatus, HealthVerdict};

    fn awaited(name: &str, status: HealthStatus) -> Awaited {
        let object = ObjectRef {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        };
        let verdict = HealthVerdict {
            status,
            message: "1 of 3 replicas are available".to_owned(),
            plugin: Some("health-kubernetes".to_owned()),
        };
        Awaited {
            health: ObjectHealth { object, verdict },
            expectation: Expectation::PART,
        }
    }

    const LONG: Duration = Duration::from_secs(600);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    /// An operation whose last wave was done at second 0.
    fn waiting(gate: &mut Gate, patience: Duration) -> ApplicationStatus {
        let person = Initiator::Person {
            id: "1".to_owned(),
            name: "eve".to_owned(),
        };
        let operation = Operation {
            state: gate.close(patience, at(0)),
            ..begun(person, OperationKind::Sync, at(0))
        };
        ApplicationStatus {
            operation: Some(operation),
            ..ApplicationStatus::default()
        }
    }

    #[test]
    fn it_opens_once_everything_works() {
        let mut gate = Gate::default();
        let mut status = waiting(&mut gate, LONG);
        let mut ask = |status: &mut _, of| {
            let objects = [awaited("a", HealthStatus::Healthy), awaited("b", of)];
            gate.ask(status, &objects, LONG, at(10))
        };
        let Answer::Wait(rest) = ask(&mut status, HealthStatus::Progressing) else {
            panic!("it has to wait");
        };
        assert_eq!(rest, LONG - Duration::from_secs(10));
        let said = status.operation.as_ref().unwrap().message();
        let expected = "the application waits for Deployment.apps shop/b: 1 of 3 replicas are available (health-kubernetes), since 2";
        assert!(said.starts_with(expected), "{said}");
        for good in [HealthStatus::Suspended, HealthStatus::Healthy] {
            assert!(matches!(ask(&mut status, good), Answer::Passed));
        }
        let mut nothing = Gate::default();
        assert!(matches!(
            nothing.ask(&mut status, &[], LONG, at(10)),
            Answer::Passed
        ));
        let mut status = ApplicationStatus::default();
        assert!(matches!(
            nothing.ask(&mut status, &[], LONG, at(10)),
            Answer::None
        ));
    }

    #[test]
    fn what_does_not_work_is_told_with_its_code() {
        let mut gate = Gate::default();
        let mut status = waiting(&mut gate, LONG);
        let lasting = i64::try_from(PATIENCE_WITH_DEGRADED.as_secs()).unwrap();
        let mut ask = |of, second| gate.ask(&mut status, &[awaited("a", of)], LONG, at(second));
        assert!(matches!(ask(HealthStatus::Degraded, 1), Answer::Wait(_)));
        let Answer::Failed(unfit) = ask(HealthStatus::Degraded, 1 + lasting) else {
            panic!("it is Degraded");
        };
        assert!(unfit.code().id == codes::DEGRADED.id && failed_at(unfit.code().id));
        let Answer::Failed(unfit) = ask(HealthStatus::Progressing, 600) else {
            panic!("its time is over");
        };
        assert!(unfit.code().id == codes::NOT_HEALTHY_IN_TIME.id && failed_at(unfit.code().id));
        assert!(unfit.to_string().contains("shop/a"), "{unfit}");
        assert!(!failed_at("A05"));
    }

    #[test]
    fn a_restart_goes_on_where_the_wait_was() {
        let mut status = waiting(&mut Gate::default(), LONG);
        let objects = [awaited("a", HealthStatus::Progressing)];
        let answer = Gate::default().ask(&mut status, &objects, LONG, at(590));
        assert!(
            matches!(answer, Answer::Wait(rest) if rest == Duration::from_secs(10)),
            "{answer:?}"
        );
        // An object's own time counts from the same moment.
        let slow = Awaited {
            expectation: Expectation {
                timeout: Some(2 * LONG),
                ..Expectation::PART
            },
            ..awaited("a", HealthStatus::Progressing)
        };
        let mut ask =
            |second| Gate::default().ask(&mut status, std::slice::from_ref(&slow), LONG, at(second));
        assert!(matches!(ask(900), Answer::Wait(rest) if rest == Duration::from_secs(300)));
        assert!(matches!(ask(1_200), Answer::Failed(Unfit::Late(_))));
    }

    #[test]
    fn what_cannot_be_told_waits_and_not_for_ever() {
        let mut gate = Gate::default();
        let status = waiting(&mut gate, LONG);
        let answer = gate.unknown(&status, at(60));
        assert!(
            matches!(answer, Answer::Wait(rest) if rest == Duration::from_secs(540)),
            "{answer:?}"
        );
        assert!(matches!(
            gate.unknown(&status, at(600)),
            Answer::Failed(Unfit::Late(_))
        ));
        assert!(matches!(
            gate.unknown(&ApplicationStatus::default(), at(0)),
            Answer::None
        ));
    }

    #[test]
    fn a_short_wait_is_not_worth_a_word() {
        let mut gate = Gate::default();
        let mut status = waiting(&mut gate, LONG);
        assert_eq!(gate.quiet(&status, at(0)), None, "a person waits");
        status.operation.as_mut().unwrap().initiator = Initiator::Automation;
        assert_eq!(gate.quiet(&status, at(0)), Some(Duration::from_secs(1)));
        assert_eq!(gate.quiet(&status, at(1)), None, "it takes long");
        assert_eq!(
            Gate::default().quiet(&status, at(0)),
            None,
            "it goes on after a restart"
        );
        let result = OperationResult::Succeeded {
            message: String::new(),
        };
        finish(&mut status, result, at(0));
        assert_eq!(gate.quiet(&status, at(0)), None, "it is over");
    }

    #[test]
    fn only_what_was_selected_counts() {
        let mut gate = Gate::default();
        let mut status = waiting(&mut gate, LONG);
        status.operation.as_mut().unwrap().resources = vec!["apps/*/*/a".parse().unwrap()];
        let objects = [
            awaited("a", HealthStatus::Healthy),
            awaited("b", HealthStatus::Missing),
        ];
        assert!(matches!(
            gate.ask(&mut status, &objects, LONG, at(0)),
            Answer::Passed
        ));
    }
}
