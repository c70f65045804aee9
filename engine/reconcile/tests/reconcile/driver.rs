//! Drives the core as the task does, with a clock and an Application that the test sets.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_health::{Awaited, Expectation, ObjectHealth};
use sluice_model::application::{
    ApplicationStatus, OperationFailure, OperationState, SyncStatus, WaitingFor, rfc3339,
};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::retry::Retry;
use sluice_model::{Application, ObjectRef};
use sluice_reconcile::{
    Assessment, DeletionFacts, DeletionResult, Effect, End, Execution, Found, Moment, Next, Now, Observation,
    Outlook, PlanFacts, Progress, Reasons, State, Stop, Terms, Woken, step,
};
use sluice_report::conditions::{self, Finding};

/// When every scenario begins.
const BEGIN: i64 = 1_790_000_000;
/// How often the repository is asked.
const POLL: Duration = Duration::from_secs(120);

/// One Application and its loop.
pub(crate) struct Driver {
    pub(crate) state: State,
    /// The Application as the API server has it; its status is what was written last.
    pub(crate) application: Value,
    pub(crate) elapsed: Duration,
    /// What the last step wanted done, and when to wake.
    pub(crate) effects: Vec<Effect>,
    pub(crate) next: Next,
}

impl Driver {
    pub(crate) fn new() -> Self {
        let application = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "web", "namespace": "shop", "uid": "1", "generation": 1, "resourceVersion": "1", "annotations": {}},
            "spec": {"source": {"repoURL": "https://git.example.com/r"}, "syncPolicy": {}},
        });
        Self {
            state: State::new("shop/web".to_owned(), POLL, Moment::default()),
            application,
            elapsed: Duration::ZERO,
            effects: Vec::new(),
            next: Next::Answer,
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            wall: wall(self.elapsed),
            moment: Moment(self.elapsed),
        }
    }

    pub(crate) fn application(&self) -> Arc<Application> {
        Arc::new(serde_json::from_value(self.application.clone()).unwrap())
    }

    /// Sets an annotation, or takes it off.
    pub(crate) fn annotate(&mut self, key: &str, value: Option<&str>) {
        let annotations = self.application["metadata"]["annotations"]
            .as_object_mut()
            .unwrap();
        match value {
            Some(value) => drop(annotations.insert(key.to_owned(), value.into())),
            None => drop(annotations.remove(key)),
        }
        self.change();
    }

    /// Hands in an observation, and carries out on the Application what the task would.
    pub(crate) fn hand_in(&mut self, observation: Observation) {
        let (state, effects, next) = step(self.state.clone(), observation, self.now());
        self.state = state;
        for effect in &effects {
            match effect {
                Effect::Write => self.write(),
                Effect::Remove(keys) => keys.iter().for_each(|key| self.annotate(key, None)),
                _ => {}
            }
        }
        (self.effects, self.next) = (effects, next);
    }

    pub(crate) fn write(&mut self) {
        self.application["status"] = serde_json::to_value(self.state.status()).unwrap();
    }

    pub(crate) fn wake(&mut self, reasons: Reasons) {
        let application = self.application();
        self.hand_in(Observation::Woken(Woken { application, reasons }));
    }

    pub(crate) fn taken(&mut self, taken: bool) {
        if let (true, Some(Effect::Take(keys))) = (taken, self.effects.last().cloned()) {
            keys.iter().for_each(|key| self.annotate(key, None));
        }
        let version = taken.then(|| self.change());
        self.hand_in(Observation::Taken(version));
    }

    /// The Application was changed: its version grows.
    pub(crate) fn change(&mut self) -> u64 {
        let version = self.application["metadata"]["resourceVersion"].as_str().unwrap();
        let version: u64 = version.parse().unwrap();
        self.application["metadata"]["resourceVersion"] = (version + 1).to_string().into();
        version + 1
    }

    pub(crate) fn announced(&mut self, announced: bool) {
        if announced {
            self.write();
        }
        self.hand_in(Observation::Announced(announced));
    }

    /// The controller is restarted: only what was written is left.
    pub(crate) fn restart(&mut self) {
        self.state = State::new("shop/web".to_owned(), POLL, Moment(self.elapsed));
        (self.effects, self.next) = (Vec::new(), Next::Answer);
    }

    /// An assessment that found this.
    pub(crate) fn assessment(&self, found: Option<Found>, synced: SyncStatus) -> Observation {
        let mut status = self.state.status().clone();
        status.sync.status = synced;
        let finding = match synced {
            SyncStatus::Synced => Finding::yes("Synced", "as Git wants it"),
            SyncStatus::OutOfSync => Finding::no("OutOfSync", "1 object differs"),
            SyncStatus::Unknown => Finding::no("S01", "S01: the repository cannot be read"),
        };
        let now = rfc3339(self.now().wall);
        conditions::set(&mut status.conditions, conditions::SYNCED, finding, Some(1), &now);
        Observation::Assessed(Box::new(Assessment {
            application: self.application(),
            status,
            happenings: Vec::new(),
            failed: synced == SyncStatus::Unknown,
            unsettled: false,
            found,
        }))
    }
}

pub(crate) fn wall(elapsed: Duration) -> Timestamp {
    Timestamp::from_second(BEGIN + i64::try_from(elapsed.as_secs()).unwrap()).unwrap()
}

/// What is found where there is something to do, or nothing.
pub(crate) fn found(revision: &str, outlook: Outlook) -> Found {
    Found {
        revision: revision.to_owned(),
        plan: plan(revision, usize::from(outlook.mends), 0),
        automatic: Some(outlook),
        awaited: vec![awaited(HealthStatus::Healthy)],
        empty_by_mistake: false,
        terms: Terms {
            patience: Duration::from_secs(600),
            retry: Retry::default(),
        },
    }
}

pub(crate) fn plan(revision: &str, steps: usize, held: usize) -> PlanFacts {
    PlanFacts {
        revision: revision.to_owned(),
        version: None,
        requested: "main".to_owned(),
        digest: format!("plan-{revision}-{steps}-{held}"),
        steps,
        held,
        policies: vec!["prune-standard@sha256:1".to_owned()],
    }
}

pub(crate) fn awaited(status: HealthStatus) -> Awaited {
    Awaited {
        health: ObjectHealth {
            object: object(),
            verdict: HealthVerdict {
                status,
                message: String::new(),
                plugin: None,
            },
        },
        expectation: Expectation::PART,
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        group: "apps".to_owned(),
        version: "v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "web".to_owned(),
    }
}

pub(crate) fn failure(code: &str) -> OperationFailure {
    OperationFailure {
        code: code.to_owned(),
        message: format!("{code}: it went wrong"),
    }
}

/// An execution that ended so; `wrote` if it changed an object before.
pub(crate) fn execution(end: End, wrote: bool) -> Observation {
    let outcome = Outcome {
        object: object(),
        result: match wrote {
            true => StepResult::Configured,
            false => StepResult::NotTried,
        },
        message: String::new(),
        rests_on: Vec::new(),
    };
    Observation::Executed(Box::new(Execution {
        outcomes: vec![outcome],
        summary: if wrote { "1 configured" } else { "1 not tried" }.to_owned(),
        end,
    }))
}

/// Reads `done`, `done held`, `failed A05`, `moved-on`, `superseded`, `terminated`, `paused`, `ends`.
pub(crate) fn end(words: &[&str]) -> End {
    match words {
        ["done", rest @ ..] => End::Done {
            held_done: rest.contains(&"held"),
            unjudged: rest
                .contains(&"unjudged")
                .then(|| "1 object rests on another".to_owned()),
        },
        ["failed", code, ..] => End::Failed(failure(code)),
        ["moved-on", ..] => End::MovedOn(failure("A06")),
        ["superseded", ..] => End::Superseded(failure("A07")),
        ["terminated", ..] => End::Stopped(Stop::Terminated("bob".to_owned()), failure("A07")),
        ["paused", ..] => End::Stopped(Stop::Paused("bob".to_owned()), failure("A07")),
        ["ends", ..] => End::ControllerEnds,
        other => panic!("no end is called {other:?}"),
    }
}

pub(crate) fn waiting() -> Progress {
    Progress::Waiting(WaitingFor {
        what: "Sync wave 1".to_owned(),
        object: "Deployment.apps shop/web".to_owned(),
        since: "2026-09-21T00:00:00Z".to_owned(),
        ..WaitingFor::default()
    })
}

pub(crate) fn deletion(words: &[&str]) -> DeletionFacts {
    let has = |word| words.contains(&word);
    let (steps, held) = (usize::from(has("steps")), 2 * usize::from(has("held")));
    DeletionFacts {
        unsettled: has("unsettled").then(|| "what Application shop/b wants is not known yet".to_owned()),
        digest: format!("plan-deletion-{steps}-{held}"),
        steps,
        held,
        blocked: has("blocked").then(|| Finding::no("K07", "K07: an object blocks it")),
        pending: None,
        attention: Vec::new(),
        going: has("going").then(|| "1 objects are being deleted".to_owned()),
    }
}

pub(crate) fn deleted(words: &[&str]) -> DeletionResult {
    match words {
        ["held"] => DeletionResult::Done {
            held_done: true,
            summary: "2 deleted".to_owned(),
        },
        ["still-there"] => DeletionResult::StillThere("Realm shop/main is still there".to_owned()),
        ["failed"] => DeletionResult::Failed(Finding::no("A05", "A05: refused")),
        _ => DeletionResult::Done {
            held_done: false,
            summary: "1 deleted".to_owned(),
        },
    }
}

/// One effect in a line.
pub(crate) fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Tell(happening, note) => format!("tell {happening:?}: {}", note.replace('\n', " / ")),
        Effect::Assess { since } => format!("ask Assess, fetched since +{}s", since.0.as_secs()),
        Effect::FindMembers { since, prune } => {
            format!(
                "ask FindMembers, fetched since +{}s, prune {prune}",
                since.0.as_secs()
            )
        }
        Effect::Execute(order) => {
            let flags = [
                (order.dry_run, "dry run"),
                (order.approved, "approved"),
                (order.follows, "follows"),
                (!order.whole, "part"),
            ];
            let flags: Vec<&str> = flags
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, name)| *name)
                .collect();
            format!("ask Execute {} ({})", order.plan.digest, flags.join(", "))
        }
        question if question.is_question() => format!("ask {question:?}"),
        effect => format!("{effect:?}"),
    }
}

/// When to wake, in a line.
pub(crate) fn describe_next(next: Next, now: Now) -> String {
    match next {
        Next::Answer => "then answer".to_owned(),
        Next::Gone => "then the Application may go".to_owned(),
        Next::At(at, why) => {
            let wait = at.since(now.moment);
            format!("then wake in {}s: {why:?}", wait.as_secs())
        }
    }
}

/// The operation in a line, with times from the beginning.
pub(crate) fn describe_operation(status: &ApplicationStatus) -> String {
    let Some(operation) = &status.operation else {
        return "no operation".to_owned();
    };
    let seconds = |at: Timestamp| at.as_second() - BEGIN;
    let state = match &operation.state {
        OperationState::Requested(request) => format!("requested with id {}", request.id),
        OperationState::Rehearsing => "rehearsing".to_owned(),
        OperationState::Applying { wave, waiting_for } => {
            let wave = wave.as_deref().unwrap_or("nothing yet");
            let waits = if waiting_for.is_some() {
                ", which waits"
            } else {
                ""
            };
            format!("applying {wave}{waits}")
        }
        OperationState::AwaitingHealth { until, .. } => {
            format!("awaiting health until +{}s", seconds(*until))
        }
        OperationState::Ended { at, result } => {
            let message = result.message().replace('\n', " / ");
            format!("{:?} at +{}s: {message}", result.phase(), seconds(*at))
        }
    };
    let retries = match operation.retries {
        0 => String::new(),
        times => format!(", tried again {times} times"),
    };
    let (kind, by) = (operation.kind, operation.initiator.name(operation.kind));
    format!("{kind:?} to `{}` by {by}{retries}, {state}", operation.revision)
}
