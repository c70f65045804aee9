//! Scenarios: what happens (`> …`), and what the core makes of it.
//!
//! A line that begins with `>` is what the task hands in; the lines below it are what the core answers. After a change that is
//! meant, `SLUICE_UPDATE_CASES=1 cargo test -p sluice-reconcile` writes the answers anew, to be read before they are committed.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::application::SyncStatus;
use sluice_model::health::HealthStatus;
use sluice_reconcile::{Effect, Moment, Observation, Outlook, Progress, Reasons};
use sluice_report::conditions::Finding;

use crate::driver::{
    Driver, awaited, deleted, deletion, describe, describe_next, describe_operation, end, execution, failure,
    found, plan, waiting,
};

#[test]
fn every_scenario_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reconcile/cases");
    let mut files: Vec<_> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut scenarios, mut wrong) = (0, Vec::new());
    for file in files {
        let written = fs_err::read_to_string(&file).unwrap();
        let mut text = String::new();
        for scenario in written.split_inclusive("\n\n") {
            scenarios += usize::from(scenario.contains("\n> "));
            text += &play(scenario);
        }
        if std::env::var_os("SLUICE_UPDATE_CASES").is_some() {
            fs_err::write(&file, &text).unwrap();
        } else if text != written {
            let line = text.lines().zip(written.lines()).position(|(is, was)| is != was);
            let line = line.unwrap_or_else(|| text.lines().count().min(written.lines().count()));
            wrong.push(format!(
                "{}:{}: is `{}`, was `{}`",
                file.display(),
                line + 1,
                text.lines().nth(line).unwrap_or_default(),
                written.lines().nth(line).unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(scenarios >= 60, "only {scenarios} scenarios were found");
}

/// Plays one scenario, and returns it with the answers of the core.
fn play(scenario: &str) -> String {
    let mut driver = Driver::new();
    let mut operation = describe_operation(driver.state.status());
    let (mut conditions, mut history) = (String::new(), 0);
    let mut text = String::new();
    for line in scenario.lines() {
        let Some(command) = line.strip_prefix("> ") else {
            if line.starts_with('#') || line.is_empty() {
                text += &format!("{line}\n");
            }
            continue;
        };
        text += &format!("{line}\n");
        if !perform(&mut driver, command) {
            continue;
        }
        for effect in &driver.effects {
            text += &format!("  {}\n", describe(effect));
        }
        let status = driver.state.status();
        let now = describe_operation(status);
        if now != operation {
            text += &format!("  operation: {now}\n");
            operation = now;
        }
        let now: Vec<String> = status
            .conditions
            .iter()
            .map(|condition| format!("{}={} {}", condition.r#type, condition.status, condition.reason))
            .collect();
        if now.join(", ") != conditions {
            conditions = now.join(", ");
            text += &format!("  conditions: {conditions}\n");
        }
        if status.history.len() != history {
            history = status.history.len();
            text += &format!("  history: {history}\n");
        }
        text += &format!("  {}\n", describe_next(driver.next, driver.now()));
    }
    text
}

/// Does what a line says. Returns true if the core was asked.
fn perform(driver: &mut Driver, command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (first, rest) = words.split_first().unwrap();
    let yes = rest.first() != Some(&"no");
    match *first {
        "spec" => {
            let more: Value = serde_json::from_str(&rest.join(" ")).unwrap();
            merge(&mut driver.application["spec"], &more);
            let generation = driver.application["metadata"]["generation"].as_i64().unwrap();
            driver.application["metadata"]["generation"] = json!(generation + 1);
            return false;
        }
        "metadata" => {
            let more: Value = serde_json::from_str(&rest.join(" ")).unwrap();
            merge(&mut driver.application["metadata"], &more);
            return false;
        }
        "annotate" => {
            let (key, value) = command["annotate ".len()..].split_once('=').unwrap();
            driver.annotate(&format!("sluice.dev/{key}"), Some(value));
            return false;
        }
        // The watch lags behind: the Application is seen as it was before this.
        "stale" => {
            let (key, value) = command["stale ".len()..].split_once('=').unwrap();
            driver.annotate(&format!("sluice.dev/{key}"), Some(value));
            driver.application["metadata"]["resourceVersion"] = json!("1");
            return false;
        }
        "time" => {
            let seconds = rest[0].trim_matches(|c| c == '+' || c == 's').parse().unwrap();
            driver.elapsed += Duration::from_secs(seconds);
            return false;
        }
        "restart" => {
            driver.restart();
            return false;
        }
        "wake" => driver.wake(Reasons {
            application: rest.contains(&"application"),
            objects: rest.contains(&"objects"),
            surroundings: rest.contains(&"surroundings"),
            news: rest.contains(&"news").then_some(Moment(driver.elapsed)),
        }),
        "taken" => driver.taken(yes),
        "announced" => driver.announced(yes),
        "failed" => driver.hand_in(Observation::Failed),
        "assessed" => {
            let observation = assessment(driver, rest);
            driver.hand_in(observation);
        }
        "prepared" => {
            let prepared = match rest {
                ["refused", code] => Err(failure(code)),
                [revision, rest @ ..] => {
                    let held = 2 * usize::from(rest.contains(&"held"));
                    Ok(plan(revision, 1, held))
                }
                [] => Ok(plan("b", 1, 0)),
            };
            driver.hand_in(Observation::Prepared(prepared));
        }
        "progress" => driver.hand_in(Observation::Progress(match rest[0] {
            "waits" => waiting(),
            "long" => Progress::TakesLong,
            _ => Progress::Wave(rest.join(" ")),
        })),
        "executed" => driver.hand_in(execution(end(rest), !rest.contains(&"nothing"))),
        "members" => {
            let status = Box::new(driver.state.status().clone());
            let objects = match yes {
                true => Ok(3),
                false => Err(Finding::no("K34", "K34: the hooks cannot be read")),
            };
            driver.hand_in(Observation::Members { status, objects });
        }
        "hooks" => driver.hand_in(Observation::HooksRan(finding(yes))),
        "planned" if !yes => {
            driver.hand_in(Observation::DeletionPlanned(Err(Finding::no("K10", "K10: away"))));
        }
        "planned" => driver.hand_in(Observation::DeletionPlanned(Ok(Box::new(deletion(rest))))),
        "deleted" => driver.hand_in(Observation::Deleted(deleted(rest))),
        "free" => driver.hand_in(Observation::SetFree(finding(yes))),
        "released" => driver.hand_in(Observation::Released(yes)),
        other => panic!("nothing is called {other}"),
    }
    true
}

fn finding(good: bool) -> Result<(), Finding> {
    match good {
        true => Ok(()),
        false => Err(Finding::no("A05", "A05: refused")),
    }
}

/// Reads `b differs`, `b synced`, `b blocked`, `b kept`, `unknown`, `silent` (nothing is found and no condition says why), each with `held`, `empty`, `sick`, `slow`, `unsettled`, `deleting`.
fn assessment(driver: &Driver, words: &[&str]) -> Observation {
    let has = |word| words.contains(&word);
    if has("unknown") {
        return driver.assessment(None, SyncStatus::Unknown);
    }
    if has("silent") {
        return driver.assessment(None, SyncStatus::Synced);
    }
    let mut found = found(
        words[0],
        Outlook {
            blocked: has("blocked"),
            mends: has("differs"),
        },
    );
    if has("manual") {
        found.automatic = None;
    }
    if has("held") {
        found.plan = plan(words[0], 0, 2);
    }
    found.empty_by_mistake = has("empty");
    let health = match (has("sick"), has("slow")) {
        (true, _) => HealthStatus::Degraded,
        (_, true) => HealthStatus::Progressing,
        (false, false) => HealthStatus::Healthy,
    };
    found.awaited = vec![awaited(health)];
    let synced = match has("synced") {
        true => SyncStatus::Synced,
        false => SyncStatus::OutOfSync,
    };
    let Observation::Assessed(mut assessment) = driver.assessment(Some(found), synced) else {
        unreachable!("an assessment is one");
    };
    assessment.unsettled = has("unsettled");
    Observation::Assessed(assessment)
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                match value {
                    Value::Null => drop(into.remove(key)),
                    value => merge(into.entry(key.clone()).or_insert(Value::Null), value),
                }
            }
        }
        (into, more) => *into = more.clone(),
    }
}

/// The driver keeps nothing of a question that the test answers wrongly.
#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let answers: [fn(&Driver) -> Observation; 9] = [
        |_| Observation::Taken(Some(1)),
        |_| Observation::Announced(true),
        |driver| assessment(driver, &["b", "differs"]),
        |_| Observation::Prepared(Ok(plan("b", 1, 0))),
        |_| execution(end(&["done"]), true),
        |_| Observation::HooksRan(Ok(())),
        |_| Observation::DeletionPlanned(Ok(Box::new(deletion(&["steps"])))),
        |_| Observation::Deleted(deleted(&[])),
        |_| Observation::Released(true),
    ];
    for answer in answers {
        let mut driver = Driver::new();
        driver.hand_in(answer(&driver));
        assert_eq!(driver.effects, Vec::<Effect>::new());
        assert!(driver.state.is_resting());
    }
}
