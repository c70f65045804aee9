//! The health gate: after the last wave an operation is done only when the verdict is in.
//!
//! It blocks nothing: the operation stays `Running` while the application is looked at as ever, and each look asks the gate.
//! When the controller ends meanwhile, the next one goes on from the status.

use std::time::Duration;

use sluice_model::application::{ApplicationStatus, OperationPhase, OperationState, WaitingFor};
use sluice_model::error::{Coded, ErrorCode};
use sluice_model::health::HealthStatus;
use sluice_model::selection::Selector;
use tokio::time::Instant;

use super::actor::now;
use crate::codes;
use crate::pipeline::{ObjectHealth, worst};

/// How long something may be Degraded before that counts: a controller may still be at an older state of it.
pub(crate) const PATIENCE_WITH_DEGRADED: Duration = Duration::from_secs(5);

/// Who waits, in [`WaitingFor::what`].
const WHAT: &str = "the application";

/// Everything was applied, and it does not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
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
    /// There is none, or it is open already.
    None,
    /// The verdict is in: it works.
    Passed,
    /// The verdict is not in; ask again then.
    Wait(Instant),
    /// The verdict is in: it does not work.
    Failed(Unfit),
}

/// What is remembered between two questions; all of it can be lost.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    degraded_since: Option<Instant>,
}

/// True where everything is applied and only the verdict is missing.
pub(crate) fn is_waiting(status: &ApplicationStatus) -> bool {
    let operation = status.operation.as_ref();
    operation.is_some_and(|operation| {
        operation.phase == OperationPhase::Running && operation.healthy_until.is_some()
    })
}

/// Everything is applied: from here on the verdict is waited for, for so long.
pub(crate) fn close(operation: &mut OperationState, patience: Duration) {
    let until = jiff::Timestamp::now()
        .checked_add(jiff::SignedDuration::try_from(patience).unwrap_or(jiff::SignedDuration::MAX))
        .unwrap_or(jiff::Timestamp::MAX);
    operation.healthy_until = Some(until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
}

/// True for a failure of an operation that applied everything: doing it again would change nothing.
pub(crate) fn failed_at(code: &str) -> bool {
    [codes::DEGRADED.id, codes::NOT_HEALTHY_IN_TIME.id].contains(&code)
}

impl Gate {
    /// Judges the application as it was found, and writes down what is waited for.
    pub(crate) fn ask(
        &mut self,
        status: &mut ApplicationStatus,
        health: &[ObjectHealth],
        instant: Instant,
    ) -> Answer {
        if !is_waiting(status) {
            return Answer::None;
        }
        let Some(operation) = &mut status.operation else {
            return Answer::None;
        };
        let meant: Vec<ObjectHealth> = health
            .iter()
            .filter(|health| Selector::any(&operation.resources, &health.object))
            .cloned()
            .collect();
        let Some(worst) = worst(&meant) else {
            return Answer::Passed;
        };
        let waiting = waiting_for(WHAT, worst, operation.waiting_for.as_ref());
        let explained = super::standing::explain(worst);
        match worst.verdict.status {
            // What somebody paused is as somebody wants it.
            HealthStatus::Healthy | HealthStatus::Suspended => return Answer::Passed,
            HealthStatus::Degraded => {
                let since = *self.degraded_since.get_or_insert(instant);
                if instant.duration_since(since) >= PATIENCE_WITH_DEGRADED {
                    return Answer::Failed(Unfit::Degraded(format!(
                        "{:?}: {explained}",
                        worst.verdict.status
                    )));
                }
            }
            HealthStatus::Progressing | HealthStatus::Missing | HealthStatus::Unknown => {
                self.degraded_since = None
            }
        }
        let rest = rest(operation);
        if rest.is_zero() {
            return Answer::Failed(Unfit::Late(format!("{:?}: {explained}", worst.verdict.status)));
        }
        operation.message = waiting.to_string();
        operation.waiting_for = Some(waiting);
        let patience = self.degraded_since.map_or(rest, |since| {
            PATIENCE_WITH_DEGRADED
                .saturating_sub(instant.duration_since(since))
                .min(rest)
        });
        Answer::Wait(instant + patience)
    }

    /// Nobody can tell how the application is. That goes on for as long as it may take.
    pub(crate) fn nobody_can_tell(&mut self, status: &mut ApplicationStatus) -> Answer {
        self.degraded_since = None;
        if !is_waiting(status) {
            return Answer::None;
        }
        let rest = status.operation.as_ref().map(rest).unwrap_or_default();
        match rest.is_zero() {
            true => Answer::Failed(Unfit::Late(
                "nobody can tell how it is; see the conditions".to_owned(),
            )),
            false => Answer::Wait(Instant::now() + rest),
        }
    }
}

fn rest(operation: &OperationState) -> Duration {
    let until = operation
        .healthy_until
        .as_ref()
        .and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let rest = until.map(|until| until.duration_since(jiff::Timestamp::now()));
    rest.and_then(|rest| Duration::try_from(rest).ok())
        .unwrap_or_default()
}

/// What is waited for; since when, if that is the same as before.
pub(crate) fn waiting_for(what: &str, health: &ObjectHealth, before: Option<&WaitingFor>) -> WaitingFor {
    let object = health.object.to_string();
    let since = before
        .filter(|before| before.what == what && before.object == object)
        .map_or_else(now, |before| before.since.clone());
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
    use sluice_model::ObjectRef;
    use sluice_model::application::OperationState;
    use sluice_model::health::HealthVerdict;

    fn health(name: &str, status: HealthStatus) -> ObjectHealth {
        ObjectHealth {
            object: ObjectRef {
                group: "apps".to_owned(),
                version: "v1".to_owned(),
                kind: "Deployment".to_owned(),
                namespace: Some("shop".to_owned()),
                name: name.to_owned(),
            },
            verdict: HealthVerdict {
                status,
                message: "1 of 3 replicas are available".to_owned(),
                plugin: Some("health-kubernetes".to_owned()),
            },
        }
    }

    fn waiting(patience: Duration) -> ApplicationStatus {
        let mut status = ApplicationStatus::default();
        let mut operation = OperationState::default();
        close(&mut operation, patience);
        crate::run::operation::begin(&mut status, operation);
        status
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn it_opens_once_everything_works() {
        let (mut gate, mut status) = (Gate::default(), waiting(LONG));
        let mut ask = |status: &mut _, of| {
            gate.ask(
                status,
                &[health("a", HealthStatus::Healthy), health("b", of)],
                Instant::now(),
            )
        };
        let Answer::Wait(until) = ask(&mut status, HealthStatus::Progressing) else {
            panic!("it has to wait");
        };
        assert!(until.duration_since(Instant::now()) > LONG - Duration::from_secs(5));
        let said = &status.operation.as_ref().unwrap().message;
        assert!(
            said.starts_with("the application waits for Deployment.apps shop/b: 1 of 3 replicas are available (health-kubernetes), since 2"),
            "{said}"
        );
        for good in [HealthStatus::Suspended, HealthStatus::Healthy] {
            assert!(matches!(ask(&mut status, good), Answer::Passed));
        }
        assert!(matches!(
            Gate::default().ask(&mut status, &[], Instant::now()),
            Answer::Passed
        ));
        assert!(matches!(
            Gate::default().ask(&mut ApplicationStatus::default(), &[], Instant::now()),
            Answer::None
        ));
    }

    #[test]
    fn degraded_counts_once_it_lasts() {
        let (mut gate, mut status) = (Gate::default(), waiting(LONG));
        let (begin, half) = (Instant::now(), PATIENCE_WITH_DEGRADED / 2);
        let mut ask = |of, after| gate.ask(&mut status, &[health("a", of)], begin + after);
        assert!(matches!(
            ask(HealthStatus::Degraded, Duration::ZERO),
            Answer::Wait(_)
        ));
        assert!(matches!(ask(HealthStatus::Progressing, half), Answer::Wait(_)));
        assert!(
            matches!(ask(HealthStatus::Degraded, 2 * half), Answer::Wait(_)),
            "it was better in between"
        );
        let Answer::Failed(unfit) = ask(HealthStatus::Degraded, 4 * half) else {
            panic!("it is Degraded");
        };
        assert!(unfit.code().id == codes::DEGRADED.id && failed_at(unfit.code().id));
    }

    #[test]
    fn time_runs_out() {
        let mut status = waiting(Duration::ZERO);
        let answer = Gate::default().ask(
            &mut status,
            &[health("a", HealthStatus::Progressing)],
            Instant::now(),
        );
        assert!(
            matches!(&answer, Answer::Failed(unfit) if unfit.code().id == codes::NOT_HEALTHY_IN_TIME.id),
            "{answer:?}"
        );
        assert!(matches!(
            Gate::default().nobody_can_tell(&mut status),
            Answer::Failed(Unfit::Late(_))
        ));
        assert!(matches!(
            Gate::default().nobody_can_tell(&mut waiting(LONG)),
            Answer::Wait(_)
        ));
    }

    #[test]
    fn only_what_was_selected_counts() {
        let mut status = waiting(LONG);
        status.operation.as_mut().unwrap().resources = vec!["apps/*/*/a".parse().unwrap()];
        let objects = [
            health("a", HealthStatus::Healthy),
            health("b", HealthStatus::Missing),
        ];
        assert!(matches!(
            Gate::default().ask(&mut status, &objects, Instant::now()),
            Answer::Passed
        ));
    }
}
