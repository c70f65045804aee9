//! Every combination of what a decision rests on, one a line (`tables/*.txt`).
//!
//! `SLUICE_UPDATE_CASES=1 cargo test -p sluice-reconcile` writes the tables anew, to be read before they are committed.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sluice_model::application::{
    Initiator, Operation, OperationKind, OperationRequest, OperationResult, OperationState, SyncStatus,
};
use sluice_reconcile::{Effect, Next, Observation, Outlook, Reasons, Wanted, operation};

use crate::driver::{
    Driver, deletion, describe, describe_next, describe_operation, end, execution, failure, found, plan, wall,
};

/// Compares a table with the one that is written down.
fn check(name: &str, rows: &[String], at_least: usize) {
    assert!(rows.len() >= at_least, "{name} has only {} rows", rows.len());
    let text = rows.join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reconcile/tables/{name}.txt"));
    if std::env::var_os("SLUICE_UPDATE_CASES").is_some() {
        fs_err::write(file, text).unwrap();
        return;
    }
    let written = fs_err::read_to_string(&file).unwrap();
    for (is, was) in text.lines().zip(written.lines()) {
        assert_eq!(is, was, "{name}");
    }
    assert_eq!(text, written, "{name}");
}

/// What the automation does about a revision.
#[test]
fn automation() {
    let automations = [
        ("by hand", json!({})),
        ("automated", json!({"automated": {}})),
        (
            "self-healing",
            json!({"automated": {"selfHeal": true, "prune": true}}),
        ),
    ];
    let outlooks = [
        (
            "clean",
            Outlook {
                blocked: false,
                mends: false,
            },
        ),
        (
            "differs",
            Outlook {
                blocked: false,
                mends: true,
            },
        ),
        (
            "blocked",
            Outlook {
                blocked: true,
                mends: true,
            },
        ),
    ];
    let lasts = [
        "none",
        "failed",
        "failed 5 times",
        "unhealthy",
        "terminated",
        "by a person",
        "of another revision",
    ];
    let mut rows = Vec::new();
    for (automation, policy) in &automations {
        for synced in ["a", "b"] {
            for last in lasts {
                for (outlook_name, outlook) in outlooks {
                    let mut driver = Driver::new();
                    driver.application["spec"]["syncPolicy"] = policy.clone();
                    driver.application["status"] = json!({
                        "observedGeneration": 1,
                        "sync": {"status": "OutOfSync", "revision": synced},
                        "operation": last_operation(last),
                    });
                    driver.wake(Reasons::default());
                    let mut found = found("b", outlook);
                    found.automatic = found.automatic.filter(|_| *automation != "by hand");
                    let observation = driver.assessment(Some(found), SyncStatus::OutOfSync);
                    driver.hand_in(observation);
                    let moved = if synced == "b" { "drift" } else { "a new revision" };
                    let does = does(&driver);
                    if outlook.blocked || *automation == "by hand" {
                        let case = format!("{automation}, {moved}, {last}, {outlook_name}: {does}");
                        assert!(does == "nothing" || does.starts_with("gives up"), "{case}");
                    }
                    rows.push(format!(
                        "{automation}, {moved}, last {last}, {outlook_name}: {does}"
                    ));
                }
            }
        }
    }
    check("automation", &rows, 120);
}

fn last_operation(last: &str) -> Option<Operation> {
    let at = wall(Duration::ZERO);
    let ended = |result| OperationState::Ended { at, result };
    let message = String::new();
    let mut operation = Operation {
        revision: "b".to_owned(),
        state: ended(OperationResult::Failed(failure("A05"))),
        ..operation::begun(Initiator::Automation, OperationKind::Sync, at)
    };
    match last {
        "none" => return None,
        "failed 5 times" => operation.retries = 5,
        "unhealthy" => operation.state = ended(OperationResult::Failed(failure("K32"))),
        "terminated" => operation.state = ended(OperationResult::Terminated { message }),
        "by a person" => {
            operation.initiator = Initiator::Person {
                id: "1".to_owned(),
                name: "eve".to_owned(),
            }
        }
        "of another revision" => operation.revision = "a".to_owned(),
        _ => {}
    }
    Some(operation)
}

/// What follows from an assessment, in words.
fn does(driver: &Driver) -> String {
    match (driver.effects.last(), driver.next) {
        (
            Some(Effect::Prepare(Wanted::Automatic {
                prune,
                hooks,
                heals,
                retries,
            })),
            _,
        ) => {
            let what = if *heals { "heals" } else { "syncs" };
            let prune = if *prune { ", prunes" } else { "" };
            format!("{what}, hooks {hooks:?}{prune}, {retries} retries")
        }
        (Some(question), _) if question.is_question() => describe(question),
        (_, Next::At(_, sluice_reconcile::Why::Poll)) => {
            let status = driver.state.status();
            let synced = status
                .conditions
                .iter()
                .find(|condition| condition.r#type == "Synced");
            match synced.map(|synced| synced.reason.as_str()) {
                Some("OutOfSync") if status.sync.revision == "b" && status.sync.target.is_none() => {
                    "nothing".to_owned()
                }
                Some("OutOfSync") => "nothing".to_owned(),
                Some(reason) => format!("gives up: {reason}"),
                None => "nothing".to_owned(),
            }
        }
        (_, next) => describe_next(next, driver.now()),
    }
}

/// What an execution comes to.
#[test]
fn conclusion() {
    let ends = [
        "done",
        "done held",
        "done unjudged",
        "failed A05",
        "moved-on",
        "superseded",
        "terminated",
        "paused",
        "ends",
    ];
    let mut rows = Vec::new();
    for by in [
        "the automation",
        "self-heal",
        "a person",
        "a dry run",
        "a part",
        "an approval",
    ] {
        for words in ends {
            for wrote in [true, false] {
                let mut driver = executing(by);
                let words: Vec<&str> = words.split(' ').collect();
                driver.hand_in(execution(end(&words), wrote));
                let told = driver.effects.iter().filter_map(|effect| match effect {
                    Effect::Tell(happening, _) => Some(format!("{happening:?}")),
                    _ => None,
                });
                let mut does: Vec<String> = told.collect();
                if driver.effects.contains(&Effect::StopHooks) {
                    does.push("its hooks end".to_owned());
                }
                let again = matches!(driver.effects.last(), Some(Effect::Assess { .. }));
                does.push(if again { "looks again" } else { "rests" }.to_owned());
                let status = driver.state.status();
                if !status.sync.revision.is_empty() {
                    does.push(format!("is at {}", status.sync.revision));
                }
                let wrote = if wrote {
                    "an object written"
                } else {
                    "nothing written"
                };
                let stands = describe_operation(status);
                rows.push(format!(
                    "{by}, {}, {wrote}: {}; {stands}",
                    words.join(" "),
                    does.join(", ")
                ));
            }
        }
    }
    check("conclusion", &rows, 100);
}

/// A loop whose operation is being executed.
fn executing(by: &str) -> Driver {
    let mut driver = Driver::new();
    let person = |more: serde_json::Value| {
        let mut request = json!({"id": "1", "requestedBy": "eve"});
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        request.to_string()
    };
    let request = match by {
        "a person" => Some(person(json!({}))),
        "a dry run" => Some(person(json!({"dryRun": true}))),
        "a part" => Some(person(json!({"resources": ["apps/*/*/web"]}))),
        _ => None,
    };
    driver.annotate("sluice.dev/operation", request.as_deref());
    let held = if by == "an approval" { 2 } else { 0 };
    match by {
        "the automation" => driver.application["spec"]["syncPolicy"] = json!({"automated": {}}),
        "self-heal" => {
            driver.application["spec"]["syncPolicy"] = json!({"automated": {"selfHeal": true}});
            driver.application["status"] = json!({"observedGeneration": 1, "sync": {"revision": "b"}});
        }
        "an approval" => driver.annotate("sluice.dev/approved-plan", Some("plan-b-1-2")),
        _ => {}
    }
    driver.wake(Reasons::default());
    if request.is_some() {
        driver.announced(true);
        driver.taken(true);
    }
    let outlook = Outlook {
        blocked: false,
        mends: true,
    };
    let mut found = found("b", outlook);
    found.plan = plan("b", 1, held);
    let observation = driver.assessment(Some(found), SyncStatus::OutOfSync);
    driver.hand_in(observation);
    driver.hand_in(Observation::Prepared(Ok(plan("b", 1, held))));
    driver.announced(true);
    assert!(
        matches!(driver.effects.last(), Some(Effect::Execute(_))),
        "{by}: {:?}",
        driver.effects
    );
    driver
}

/// What is done about the plan that deletes an Application's objects.
#[test]
fn deletion_plans() {
    let words = ["unsettled", "blocked", "steps", "held", "going"];
    let mut rows = Vec::new();
    for approved in [false, true] {
        for bits in 0..32_u32 {
            let has: Vec<&str> = (0..5)
                .filter(|bit| bits & (1 << bit) != 0)
                .map(|bit| words[bit])
                .collect();
            let mut driver = Driver::new();
            driver.application["spec"]["deletionPolicy"] = json!("Prune");
            driver.application["metadata"]["deletionTimestamp"] = json!("2026-09-21T00:00:00Z");
            driver.application["metadata"]["finalizers"] = json!(["sluice.dev/prune"]);
            driver.application["status"] = json!({"deletion": "Objects"});
            let facts = deletion(&has);
            if approved {
                driver.annotate("sluice.dev/approved-plan", Some(&facts.digest));
            }
            driver.wake(Reasons::default());
            let status = Box::new(driver.state.status().clone());
            driver.hand_in(Observation::Members {
                status,
                objects: Ok(3),
            });
            driver.hand_in(Observation::DeletionPlanned(Ok(Box::new(facts))));
            let question = driver.effects.iter().find(|effect| effect.is_question());
            let does = question.map_or_else(|| describe_next(driver.next, driver.now()), describe);
            if has.contains(&"unsettled") || has.contains(&"blocked") {
                assert!(question.is_none(), "{has:?}: {does}");
            }
            let approval = if approved { ", approved" } else { "" };
            rows.push(format!("[{}]{approval}: {does}", has.join(" ")));
        }
    }
    check("deletion", &rows, 64);
}

/// What becomes of an operation when the controller is restarted.
#[test]
fn interruptions() {
    let at = wall(Duration::ZERO);
    let request = OperationRequest {
        id: "1".to_owned(),
        ..OperationRequest::default()
    };
    let message = || "it is over".to_owned();
    let ended = |result| OperationState::Ended { at, result };
    let states = [
        ("requested", OperationState::Requested(Box::new(request))),
        ("rehearsing", OperationState::Rehearsing),
        (
            "applying",
            OperationState::Applying {
                wave: Some("Sync wave 1".to_owned()),
                waiting_for: None,
            },
        ),
        (
            "awaiting health",
            OperationState::AwaitingHealth {
                until: wall(Duration::from_secs(600)),
                waiting_for: None,
            },
        ),
        (
            "succeeded",
            ended(OperationResult::Succeeded { message: message() }),
        ),
        ("failed", ended(OperationResult::Failed(failure("A05")))),
        (
            "terminated",
            ended(OperationResult::Terminated { message: message() }),
        ),
        (
            "superseded",
            ended(OperationResult::Superseded { message: message() }),
        ),
    ];
    let initiators = [
        Initiator::Automation,
        Initiator::Approval {
            by: "approval by kubectl".to_owned(),
        },
        Initiator::Person {
            id: "1".to_owned(),
            name: "eve".to_owned(),
        },
    ];
    let mut rows = Vec::new();
    for (name, state) in &states {
        for initiator in &initiators {
            for synced in [SyncStatus::Synced, SyncStatus::OutOfSync, SyncStatus::Unknown] {
                let mut driver = Driver::new();
                let operation = Operation {
                    revision: "b".to_owned(),
                    state: state.clone(),
                    ..operation::begun(initiator.clone(), OperationKind::Sync, at)
                };
                driver.application["spec"]["syncPolicy"] = json!({"automated": {}});
                driver.application["status"] = json!({"observedGeneration": 1, "operation": operation});
                driver.wake(Reasons::default());
                let outlook = Outlook {
                    blocked: false,
                    mends: synced == SyncStatus::OutOfSync,
                };
                let found = (synced != SyncStatus::Unknown).then(|| found("b", outlook));
                let observation = driver.assessment(found, synced);
                driver.hand_in(observation);
                let question = driver.effects.iter().find(|effect| effect.is_question());
                let does = question.map_or_else(|| "rests".to_owned(), describe);
                let by = initiator.name(OperationKind::Sync);
                let stands = describe_operation(driver.state.status());
                rows.push(format!("{name}, by {by}, then {synced:?}: {does}; {stands}"));
            }
        }
    }
    check("interruptions", &rows, 72);
}
