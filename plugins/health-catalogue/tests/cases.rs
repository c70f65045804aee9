//! The rules by their cases: `rules/NAME.cases.yaml` has, for the kinds of `rules/NAME.yaml`, objects and what is to be said of them.
//!
//! ```yaml
//! example.com/Database:
//!   - {want: Healthy, why: accepts connections, status: {conditions: [{type: Ready, status: "True", message: accepts connections}]}}
//! ```
//!
//! Everything but `want` and `why` is part of the object. Every state of every rule needs a case that it decides.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what fails names its case"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use health_catalogue::{CLAIMS, RULES, assess};
use serde_json::{Map, Value as Json, json};
use sluice_plugin::Object;
use sluice_plugin::golden::health_json;

type Cases = BTreeMap<String, Vec<Map<String, Json>>>;

fn files() -> Vec<(String, Cases)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir("rules")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".cases.yaml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_name().unwrap().to_string_lossy().into_owned(), cases)
    };
    paths.into_iter().map(read).collect()
}

/// The object of a case: of the kind that it stands under, unless it says otherwise.
fn object(kind: &str, case: &Map<String, Json>) -> Json {
    let (group, kind) = kind.rsplit_once('/').unwrap();
    let group = group.replace('*', "any");
    let mut object = case.clone();
    object.retain(|key, _| key != "want" && key != "why");
    object.entry("apiVersion").or_insert(json!(format!("{group}/v1")));
    object.entry("kind").or_insert(json!(kind.replace('*', "Any")));
    Json::Object(object)
}

#[test]
fn every_state_of_every_rule_has_a_case_and_every_case_is_right() {
    let mut wrong = Vec::new();
    let mut decided = BTreeSet::new();
    let mut count = 0;
    for (file, cases) in files() {
        for (kind, cases) in cases {
            let claim = CLAIMS
                .iter()
                .find(|(group, name, _)| format!("{group}/{name}") == kind);
            let Some((_, _, rule)) = claim else {
                wrong.push(format!("{file}: no rule is for {kind}"));
                continue;
            };
            for case in cases {
                count += 1;
                let object = Object::json(object(&kind, &case));
                let (state, said) = match assess(*rule, &object) {
                    Ok((state, verdict)) => (state, health_json(&verdict)),
                    Err(error) => (None, json!({"status": "Unknown", "message": error})),
                };
                decided.extend(state.map(|state| (*rule, state)));
                let want = match case.get("want").and_then(Json::as_str) {
                    Some("NoOpinion") => Json::Null,
                    want => json!({"status": want, "message": case.get("why").cloned().unwrap_or_default()}),
                };
                if said != want {
                    let case = Json::Object(case);
                    wrong.push(format!("{file}: {kind}: {case}\n  want {want}\n  got  {said}"));
                }
            }
        }
    }
    for (rule, number) in RULES.iter().zip(0_u16..) {
        for (state, place) in rule.states.iter().zip(0..) {
            if !decided.contains(&(number, place)) {
                wrong.push(format!(
                    "{}: state {} ({:?}) has no case",
                    rule.name,
                    place + 1,
                    state.then
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > RULES.len(), "{count} cases");
}

#[test]
fn an_object_on_its_way_out_is_progressing_and_a_hook_is_not() {
    let going = |finalizer: &str| {
        let object = Object::json(json!({
            "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [finalizer]},
            "status": {"conditions": [{"type": "Ready", "status": "True", "message": "issued"}]},
        }));
        let (_, _, rule) = CLAIMS.iter().find(|(_, kind, _)| *kind == "Certificate").unwrap();
        health_json(&assess(*rule, &object).unwrap().1)
    };
    assert_eq!(
        going("example.com/other"),
        json!({"status": "Progressing", "message": "Pending deletion"})
    );
    assert_eq!(
        going("argocd.argoproj.io/hook-finalizer"),
        json!({"status": "Healthy", "message": "issued"})
    );
}
