//! Random walks: whatever is observed, in whatever order, with restarts between any two steps.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use sluice_model::application::{OperationState, SyncStatus};
use sluice_model::health::HealthStatus;
use sluice_reconcile::{Effect, Next, Observation, Outlook, Progress, Reasons, step};
use sluice_report::conditions::Finding;

use crate::driver::{Driver, awaited, deleted, deletion, end, execution, failure, found, plan, waiting};

/// What happens next.
#[derive(Debug, Clone)]
enum Move {
    /// The question is answered, in the way of this number.
    Answer(u8),
    /// Something that answers no question, or another one.
    Stray(u8),
    /// Time passes.
    Time(u16),
    /// The task wakes, for the reasons of this number.
    Wake(u8),
    /// The Application is changed, in the way of this number.
    Change(u8),
    /// The controller is restarted.
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        12 => any::<u8>().prop_map(Move::Answer),
        1 => any::<u8>().prop_map(Move::Stray),
        2 => (0_u16..400).prop_map(Move::Time),
        3 => any::<u8>().prop_map(Move::Wake),
        3 => any::<u8>().prop_map(Move::Change),
        1 => Just(Move::Restart),
    ];
    proptest::collection::vec(one, 1..80)
}

const REVISIONS: [&str; 3] = ["a", "b", "c"];

/// A walk, and what has to hold at each step of it.
struct Walk {
    driver: Driver,
    /// The digest of the plan that was prepared last, and not carried out.
    prepared: Option<String>,
    /// The digest of the last plan of a deletion.
    planned: Option<String>,
    /// How often each request was carried out.
    executed: BTreeMap<String, u32>,
    requests: u32,
    /// Whether the Application was paused when the core saw it last.
    seen_paused: bool,
}

impl Walk {
    fn is_paused(&self) -> bool {
        self.driver.application["spec"].get("pause").is_some()
    }

    fn hand_in(&mut self, observation: Observation) {
        let before = self.driver.state.clone();
        let now = self.driver.now();
        match &observation {
            Observation::Woken(_) | Observation::Assessed(_) => self.seen_paused = self.is_paused(),
            Observation::Prepared(Ok(plan)) => self.prepared = Some(plan.digest.clone()),
            Observation::DeletionPlanned(Ok(facts)) => self.planned = Some(facts.digest.clone()),
            _ => {}
        }
        let (again, effects, next) = step(before, observation.clone(), now);
        self.driver.hand_in(observation);
        // Equal observations give equal effects.
        assert_eq!(effects, self.driver.effects);
        assert_eq!(next, self.driver.next);
        assert_eq!(again.status(), self.driver.state.status());
        self.check();
    }

    fn check(&mut self) {
        let questions = self
            .driver
            .effects
            .iter()
            .filter(|effect| effect.is_question())
            .count();
        assert!(questions <= 1);
        if questions == 1 {
            assert!(self.driver.effects.last().is_some_and(Effect::is_question));
            assert_eq!(self.driver.next, Next::Answer);
        }
        if let Next::At(at, _) = self.driver.next {
            assert!(at >= self.driver.now().moment, "it never wakes in the past");
        }
        let status = self.driver.state.status().clone();
        assert!(status.history.len() <= 10);
        for effect in self.driver.effects.clone() {
            let writes = match &effect {
                Effect::Execute(order) => {
                    assert_eq!(
                        Some(&order.plan.digest),
                        self.prepared.as_ref(),
                        "only what was planned"
                    );
                    self.prepared = None;
                    if let Some(operation) = &status.operation {
                        let times = self
                            .executed
                            .entry(operation.initiator.id().to_owned())
                            .or_default();
                        *times += 1;
                        let automatic = ["auto", "approval"].contains(&operation.initiator.id());
                        assert!(automatic || *times == 1, "a request is carried out once");
                    }
                    !order.dry_run
                }
                Effect::Delete { digest, .. } => {
                    assert_eq!(Some(digest), self.planned.as_ref(), "only what was planned");
                    true
                }
                Effect::RunHooks(_) | Effect::SetFree | Effect::CorrectRecord => true,
                _ => false,
            };
            assert!(
                !(writes && self.seen_paused),
                "a paused Application gets no write: {effect:?}"
            );
        }
    }

    fn make(&mut self, one: &Move) {
        match one {
            Move::Answer(way) => {
                if let Some(observation) = self.answer(*way) {
                    self.hand_in(observation);
                }
            }
            Move::Stray(way) => {
                let stray = match way % 6 {
                    0 => Observation::Failed,
                    1 => Observation::Taken(Some(1)),
                    2 => Observation::Announced(true),
                    3 => Observation::Progress(waiting()),
                    4 => Observation::HooksRan(Ok(())),
                    _ => Observation::SetFree(Ok(())),
                };
                // The answer to a question that was asked is no stray.
                let asked = match self.driver.effects.last() {
                    Some(Effect::Take(_)) => 1,
                    Some(Effect::Announce) => 2,
                    Some(Effect::RunHooks(_)) => 4,
                    Some(Effect::SetFree) => 5,
                    _ => 9,
                };
                if way % 6 != asked {
                    let (effects, next) = (self.driver.effects.clone(), self.driver.next);
                    self.hand_in(stray);
                    // The question still stands.
                    if effects.last().is_some_and(Effect::is_question) {
                        (self.driver.effects, self.driver.next) = (effects, next);
                    }
                }
            }
            Move::Time(seconds) => self.driver.elapsed += Duration::from_secs((*seconds).into()),
            Move::Wake(way) => {
                let now = self.driver.now().moment;
                let (application, reasons) = (
                    self.driver.application(),
                    Reasons {
                        application: way & 1 != 0,
                        objects: way & 2 != 0,
                        surroundings: way & 4 != 0,
                        news: (way & 8 != 0).then_some(now),
                    },
                );
                self.hand_in(Observation::Woken(sluice_reconcile::Woken {
                    application,
                    reasons,
                }));
            }
            Move::Change(way) => self.change(*way),
            Move::Restart => self.driver.restart(),
        }
    }

    fn change(&mut self, way: u8) {
        let application = &mut self.driver.application;
        match way % 12 {
            0 => application["spec"]["pause"] = json!({"by": "eve"}),
            1 => drop(application["spec"].as_object_mut().unwrap().remove("pause")),
            2 => application["spec"]["syncPolicy"] = json!({"automated": {"selfHeal": true, "prune": true}}),
            3 => application["spec"]["syncPolicy"] = json!({}),
            4 => application["spec"]["pin"] = json!({"revision": "a", "by": "eve"}),
            5 => drop(application["spec"].as_object_mut().unwrap().remove("pin")),
            6 | 7 => {
                self.requests += 1;
                let request = json!({
                    "id": self.requests.to_string(), "requestedBy": "eve", "dryRun": way & 64 != 0, "prune": way & 128 != 0,
                });
                self.driver
                    .annotate("sluice.dev/operation", Some(&request.to_string()));
            }
            8 => self.driver.annotate("sluice.dev/terminate", Some("bob")),
            9 => self.driver.annotate(
                "sluice.dev/refresh",
                Some(if way & 64 != 0 { "hard" } else { "normal" }),
            ),
            10 => self
                .driver
                .annotate("sluice.dev/approved-plan", Some("plan-b-0-2")),
            _ if way > 230 => {
                application["metadata"]["deletionTimestamp"] = json!("2026-09-21T00:00:00Z");
                application["metadata"]["finalizers"] = json!(["sluice.dev/prune"]);
                application["spec"]["deletionPolicy"] = json!("Prune");
            }
            _ => {}
        }
        let generation = self.driver.application["metadata"]["generation"]
            .as_i64()
            .unwrap();
        self.driver.application["metadata"]["generation"] = json!(generation + 1);
    }

    /// An answer to the question that is open, if one is.
    fn answer(&mut self, way: u8) -> Option<Observation> {
        let good = !way.is_multiple_of(5);
        let revision = REVISIONS[usize::from(way) % 3];
        let bad = || Finding::no("A05", "A05: refused");
        Some(match self.driver.effects.last()? {
            Effect::Take(keys) => {
                for key in keys.clone().iter().filter(|_| good) {
                    self.driver.annotate(key, None);
                }
                Observation::Taken(good.then(|| self.driver.change()))
            }
            Effect::Announce => {
                if good {
                    self.driver.write();
                }
                Observation::Announced(good)
            }
            Effect::Assess { .. } => self.assessed(way, revision, good),
            Effect::Prepare(_) => Observation::Prepared(match good {
                true => Ok(plan(revision, usize::from(way % 4), usize::from(way % 2) * 2)),
                false => Err(failure("K35")),
            }),
            Effect::Execute(_) => match way % 10 {
                0 => Observation::Progress(waiting()),
                1 => Observation::Progress(Progress::TakesLong),
                2 => execution(end(&["failed", "A05"]), way & 16 != 0),
                3 => execution(end(&["moved-on"]), way & 16 != 0),
                4 => execution(end(&["superseded"]), way & 16 != 0),
                5 => execution(end(&["terminated"]), way & 16 != 0),
                6 => execution(end(&["done", "held"]), true),
                7 => execution(end(&["ends"]), true),
                _ => execution(end(&["done"]), true),
            },
            Effect::FindMembers { .. } => Observation::Members {
                status: Box::new(self.driver.state.status().clone()),
                objects: if good { Ok(3) } else { Err(bad()) },
            },
            Effect::RunHooks(_) => Observation::HooksRan(if good { Ok(()) } else { Err(bad()) }),
            Effect::PlanDeletion => Observation::DeletionPlanned(match good {
                true => {
                    let words = ["steps", "held", "going", "blocked", "unsettled"];
                    let has: Vec<&str> = words
                        .into_iter()
                        .filter(|word| way as usize & word.len() == word.len())
                        .collect();
                    Ok(Box::new(deletion(&has)))
                }
                false => Err(bad()),
            }),
            Effect::Delete { .. } => {
                Observation::Deleted(deleted(&[
                    ["held", "still-there", "failed", "done"][usize::from(way) % 4]
                ]))
            }
            Effect::SetFree => Observation::SetFree(if good { Ok(()) } else { Err(bad()) }),
            Effect::Release => Observation::Released(good),
            _ => return None,
        })
    }

    fn assessed(&mut self, way: u8, revision: &str, good: bool) -> Observation {
        if !good {
            return self.driver.assessment(None, SyncStatus::Unknown);
        }
        let outlook = Outlook {
            blocked: way & 32 != 0 && way & 64 != 0,
            mends: way & 16 != 0,
        };
        let synced = if outlook.mends {
            SyncStatus::OutOfSync
        } else {
            SyncStatus::Synced
        };
        let mut found = found(revision, outlook);
        let health = [
            HealthStatus::Healthy,
            HealthStatus::Progressing,
            HealthStatus::Degraded,
        ];
        found.awaited = vec![awaited(health[usize::from(way >> 3) % 3])];
        if way & 128 != 0 {
            found.plan = plan(revision, 0, 2);
        }
        found.automatic = found
            .automatic
            .filter(|_| self.driver.application().spec.sync_policy.automated.is_some());
        self.driver.assessment(Some(found), synced)
    }

    /// From here on all goes well: every operation has to end.
    fn calm(&mut self) {
        for key in ["pause", "pin"] {
            drop(
                self.driver.application["spec"]
                    .as_object_mut()
                    .unwrap()
                    .remove(key),
            );
        }
        for _ in 0..4 {
            self.driver.elapsed += Duration::from_secs(1_000);
            self.make(&Move::Wake(1));
            for _ in 0..40 {
                let observation = match self.driver.effects.last() {
                    Some(Effect::Assess { .. }) => {
                        let found = found("a", Outlook::default());
                        self.driver.assessment(Some(found), SyncStatus::Synced)
                    }
                    Some(Effect::Prepare(_)) => Observation::Prepared(Ok(plan("a", 1, 0))),
                    Some(Effect::Execute(_)) => execution(end(&["done"]), true),
                    Some(question) if question.is_question() => match self.answer(1) {
                        Some(observation) => observation,
                        None => break,
                    },
                    _ => break,
                };
                self.hand_in(observation);
            }
        }
        let status = self.driver.state.status();
        let deleted = self.driver.application["metadata"]
            .get("deletionTimestamp")
            .is_some();
        let ended = status
            .operation
            .as_ref()
            .is_none_or(|operation| matches!(operation.state, OperationState::Ended { .. }));
        assert!(
            ended || deleted,
            "an operation always ends: {:?}",
            status.operation
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens(moves in moves()) {
        let mut walk = Walk {
            driver: Driver::new(),
            prepared: None,
            planned: None,
            executed: BTreeMap::new(),
            requests: 0,
            seen_paused: false,
        };
        walk.make(&Move::Wake(1));
        for one in &moves {
            walk.make(one);
        }
        walk.calm();
    }
}
