//! The health gate: after the last wave an operation is done only when the verdict is in.
//!
//! It blocks nothing: the operation stays `Running` while the application is looked at as ever, and each look asks the gate.
//! When the controller ends meanwhile, the next one goes on from the status.

use std::time::Duration;

use jiff::SignedDuration;
use sluice_model::application::{ApplicationStatus, OperationPhase, OperationState, WaitingFor};
use sluice_model::error::{Coded, ErrorCode};
use sluice_model::health::HealthStatus;
use sluice_model::selection::Selector;
use tokio::time::Instant;

use super::actor::now;
use super::operation::AUTOMATIC;
use crate::codes;
use crate::pipeline::{ObjectHealth, worst};

/// How long something may be Degraded before that counts: a controller may still be at an older state of it.
pub(crate) const PATIENCE_WITH_DEGRADED: Duration = Duration::from_secs(5);

/// How long a wait is not worth a word.
const QUIET: Duration = Duration::from_secs(1);

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

/// What the end of an operation waits for.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    /// An object, as it was found.
    pub(crate) health: ObjectHealth,
    /// How long it may take, where a policy says so.
    pub(crate) timeout: Option<Duration>,
}

/// What is remembered between two questions; all of it can be lost.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: Option<Instant>,
    degraded_since: Option<Instant>,
}

/// True where everything is applied and only the verdict is missing.
pub(crate) fn is_waiting(status: &ApplicationStatus) -> bool {
    let operation = status.operation.as_ref();
    operation.is_some_and(|operation| {
        operation.phase == OperationPhase::Running && operation.healthy_until.is_some()
    })
}

/// True for a failure of an operation that applied everything: doing it again would change nothing.
pub(crate) fn failed_at(code: &str) -> bool {
    [codes::DEGRADED.id, codes::NOT_HEALTHY_IN_TIME.id].contains(&code)
}

impl Gate {
    /// Everything is applied: from here on the verdict is waited for, for so long.
    pub(crate) fn close(&mut self, operation: &mut OperationState, patience: Duration) {
        let until = jiff::Timestamp::now()
            .checked_add(signed(patience))
            .unwrap_or(jiff::Timestamp::MAX);
        operation.healthy_until = Some(until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        self.closed = Some(Instant::now());
    }

    /// Until when nobody need be told that the verdict is waited for: most are in by then. None where that time is over, and for
    /// what somebody asked for and looks at.
    pub(crate) fn quiet(&self, status: &ApplicationStatus) -> Option<Instant> {
        let operation = status.operation.as_ref().filter(|_| is_waiting(status))?;
        let until = self.closed? + QUIET;
        (operation.id == AUTOMATIC && Instant::now() < until).then_some(until)
    }

    /// Judges the application as it was found, and writes down what is waited for. `patience` is how long the verdict may take of
    /// objects of which no policy says it.
    pub(crate) fn ask(
        &mut self,
        status: &mut ApplicationStatus,
        awaited: &[Awaited],
        patience: Duration,
        instant: Instant,
    ) -> Answer {
        if !is_waiting(status) {
            return Answer::None;
        }
        let Some(operation) = &mut status.operation else {
            return Answer::None;
        };
        let meant: Vec<&Awaited> = awaited
            .iter()
            .filter(|awaited| Selector::any(&operation.resources, &awaited.health.object))
            .collect();
        let Some(worst) = worst(meant.iter().map(|awaited| &awaited.health)) else {
            return Answer::Passed;
        };
        if is_fit(worst) {
            return Answer::Passed;
        }
        let explain = |health: &ObjectHealth| {
            let explained = super::standing::explain(health);
            format!("{:?}: {explained}", health.verdict.status)
        };
        let mut least = Duration::MAX;
        if worst.verdict.status == HealthStatus::Degraded {
            let since = *self.degraded_since.get_or_insert(instant);
            let lasted = instant.duration_since(since);
            if lasted >= PATIENCE_WITH_DEGRADED {
                return Answer::Failed(Unfit::Degraded(explain(worst)));
            }
            least = PATIENCE_WITH_DEGRADED.saturating_sub(lasted);
        } else {
            self.degraded_since = None;
        }
        for awaited in meant.iter().filter(|awaited| !is_fit(&awaited.health)) {
            // Counted from the same moment as for the others.
            let more = awaited.timeout.map_or(SignedDuration::ZERO, |own| {
                signed(own).saturating_sub(signed(patience))
            });
            let rest = rest(operation, more);
            if rest.is_zero() {
                return Answer::Failed(Unfit::Late(explain(&awaited.health)));
            }
            least = least.min(rest);
        }
        let waiting = waiting_for(WHAT, worst, operation.waiting_for.as_ref());
        operation.message = waiting.to_string();
        operation.waiting_for = Some(waiting);
        Answer::Wait(instant + least)
    }

    /// Nobody can tell how the application is. That goes on for as long as it may take.
    pub(crate) fn nobody_can_tell(&mut self, status: &mut ApplicationStatus) -> Answer {
        self.degraded_since = None;
        if !is_waiting(status) {
            return Answer::None;
        }
        let rest = status
            .operation
            .as_ref()
            .map(|operation| rest(operation, SignedDuration::ZERO))
            .unwrap_or_default();
        match rest.is_zero() {
            true => Answer::Failed(Unfit::Late(
                "nobody can tell how it is; see the conditions".to_owned(),
            )),
            false => Answer::Wait(Instant::now() + rest),
        }
    }
}

/// What somebody paused is as somebody wants it.
fn is_fit(health: &ObjectHealth) -> bool {
    matches!(
        health.verdict.status,
        HealthStatus::Healthy | HealthStatus::Suspended
    )
}

/// How much longer the verdict may take; none where `more` than the operation has is over as well.
fn rest(operation: &OperationState, more: SignedDuration) -> Duration {
    let until = operation
        .healthy_until
        .as_ref()
        .and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let rest = until.map(|until| until.duration_since(jiff::Timestamp::now()).saturating_add(more));
    rest.and_then(|rest| Duration::try_from(rest).ok())
        .unwrap_or_default()
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
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

    fn awaited(name: &str, status: HealthStatus) -> Awaited {
        Awaited {
            health: health(name, status),
            timeout: None,
        }
    }

    fn waiting(patience: Duration) -> ApplicationStatus {
        let mut status = ApplicationStatus::default();
        let mut operation = OperationState::default();
        Gate::default().close(&mut operation, patience);
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
                &[awaited("a", HealthStatus::Healthy), awaited("b", of)],
                LONG,
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
            Gate::default().ask(&mut status, &[], LONG, Instant::now()),
            Answer::Passed
        ));
        assert!(matches!(
            Gate::default().ask(&mut ApplicationStatus::default(), &[], LONG, Instant::now()),
            Answer::None
        ));
    }

    #[test]
    fn degraded_counts_once_it_lasts() {
        let (mut gate, mut status) = (Gate::default(), waiting(LONG));
        let (begin, half) = (Instant::now(), PATIENCE_WITH_DEGRADED / 2);
        let mut ask = |of, after| gate.ask(&mut status, &[awaited("a", of)], LONG, begin + after);
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
            &[awaited("a", HealthStatus::Progressing)],
            Duration::ZERO,
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
    fn a_short_wait_is_not_worth_a_word() {
        let (mut gate, mut status) = (Gate::default(), waiting(LONG));
        assert!(gate.quiet(&status).is_none(), "it goes on after a restart");
        let operation = status.operation.as_mut().unwrap();
        gate.close(operation, LONG);
        operation.id = "1".to_owned();
        assert!(gate.quiet(&status).is_none(), "somebody waits");
        status.operation.as_mut().unwrap().id = AUTOMATIC.to_owned();
        let until = gate.quiet(&status).unwrap();
        assert!(until > Instant::now());
        gate.closed = gate.closed.and_then(|closed| closed.checked_sub(QUIET));
        assert!(gate.quiet(&status).is_none(), "it takes long");
        gate.close(status.operation.as_mut().unwrap(), LONG);
        status.operation.as_mut().unwrap().phase = OperationPhase::Succeeded;
        assert!(gate.quiet(&status).is_none(), "it is over");
    }

    #[test]
    fn an_object_may_have_a_time_of_its_own() {
        let ask = |patience, own: u64| {
            let objects = [
                awaited("a", HealthStatus::Progressing),
                Awaited {
                    timeout: Some(Duration::from_secs(own)),
                    ..awaited("b", HealthStatus::Progressing)
                },
            ];
            Gate::default().ask(&mut waiting(patience), &objects, patience, Instant::now())
        };
        let seconds = |answer| match answer {
            Answer::Wait(until) => until.duration_since(Instant::now()).as_secs(),
            answer => panic!("{answer:?}"),
        };
        assert!((50..=60).contains(&seconds(ask(LONG, 60))));
        assert!((590..=600).contains(&seconds(ask(LONG, 6_000))));
        let Answer::Failed(Unfit::Late(who)) = ask(LONG, 0) else {
            panic!("its time is over");
        };
        assert!(who.contains("shop/b"), "{who}");
        // It may take longer than the others, but not for ever.
        let alone = |until: Duration| {
            let mut status = waiting(LONG);
            let then = jiff::Timestamp::now() - signed(until);
            status.operation.as_mut().unwrap().healthy_until = Some(then.to_string());
            let slow = Awaited {
                timeout: Some(2 * LONG),
                ..awaited("a", HealthStatus::Progressing)
            };
            Gate::default().ask(&mut status, &[slow], LONG, Instant::now())
        };
        assert!((290..=300).contains(&seconds(alone(LONG / 2))));
        assert!(matches!(alone(LONG), Answer::Failed(Unfit::Late(_))));
    }

    #[test]
    fn only_what_was_selected_counts() {
        let mut status = waiting(LONG);
        status.operation.as_mut().unwrap().resources = vec!["apps/*/*/a".parse().unwrap()];
        let objects = [
            awaited("a", HealthStatus::Healthy),
            awaited("b", HealthStatus::Missing),
        ];
        assert!(matches!(
            Gate::default().ask(&mut status, &objects, LONG, Instant::now()),
            Answer::Passed
        ));
    }
}
