//! Golden cases: `cases/<name>/input.yaml` and what the policy is to say of it in `expected.json`.
//!
//! An input has one or more documents; the expectation is a list with an entry for each. Beside them may be `settings.json`, and for a
//! health check `related.yaml`: all that there is around the objects. Without it nothing is known of that.
//! The clock stands at `now`, seconds since 1970, in a file of that name, or at 0. With `UPDATE=1` in the environment the
//! expectations are written instead of compared; read them before you commit them. Every case is judged twice, because a policy
//! must say the same of the same.
//!
//! ```no_run
//! # struct Database;
//! # use sluice_plugin::*;
//! # impl HealthCheck for Database {
//! #     fn describe() -> Descriptor { Descriptor::new("", []) }
//! #     fn configure(_: &Settings) -> Result<Self, Vec<Problem>> { Ok(Self) }
//! #     fn assess(&self, _: &Object<'_>, _: &HealthContext) -> Result<Verdict, String> { Ok(Verdict::NoOpinion) }
//! # }
//! #[test]
//! fn cases() {
//!     sluice_plugin::golden::health::<Database>("tests/cases");
//! }
//! ```
#![allow(clippy::disallowed_methods, reason = "what fails names its case")]

use std::fs;
use std::path::Path;

use serde::Deserialize as _;
use serde_json::{Value as Json, json};

use crate::{
    Candidate, Change, Claim, Decision, HealthCheck, HealthContext, HookCleanup, Native, Object, Occasion,
    Phase, Propagation, PruneContext, PruneDecision, PrunePolicy, PruneVerdict, Role, Settings, Strategy,
    SyncContext, SyncPolicy, Tally, Verdict,
};

/// Judges the health of every document of every case. Expected: `{"status", "message"}`, null for no opinion, or `{"error"}`.
pub fn health<T: HealthCheck>(cases: &str) {
    run(cases, |folder, judged, settings, now| {
        let plugin =
            T::configure(settings).map_err(|problems| json!({"problems": problem_texts(&problems)}))?;
        let claims = T::describe().claims;
        let around = fs::read_to_string(folder.join("related.yaml")).ok();
        let around = around.map(|text| documents(&text, folder));
        let judge = |document| {
            let object = Object::json(document);
            let reference = object.reference();
            // The engine asks about nothing else either.
            let Some(claim) = closest(&claims, &reference.group, &reference.kind) else {
                return Json::Null;
            };
            let context = HealthContext::native(now, claim);
            let context = match &around {
                Some(around) => context.among(around.clone()),
                None => context,
            };
            match plugin.assess(&object, &context) {
                Ok(verdict) => health_json(&verdict),
                Err(error) => json!({"error": error}),
            }
        };
        Ok(judged.into_iter().map(judge).collect())
    });
}

/// Reviews the documents of every case as the candidates of one plan. A document `{live, desired}` gives both sides. A document
/// `{context: …}` gives the `occasion`, the `options`, and how many objects the application owns beside the candidates: `others`, a
/// list of `{apiVersion, kind, namespace, count}`. Expected: a verdict, with its propagation where there is an opinion on that.
pub fn prune<T: PrunePolicy>(cases: &str) {
    run(cases, |_, documents, settings, now| {
        let plugin =
            T::configure(settings).map_err(|problems| json!({"problems": problem_texts(&problems)}))?;
        let side = |document: &Json, name: &str| document.get(name).cloned();
        let mut options = Vec::new();
        let mut occasion = Occasion::Sync;
        let mut owned: Vec<Tally> = Vec::new();
        let mut candidates = Vec::new();
        for document in documents {
            if let Some(context) = document.get("context") {
                options = texts(context.get("options"));
                if context.get("occasion").and_then(Json::as_str) == Some("application-deleted") {
                    occasion = Occasion::ApplicationDeleted;
                }
                let others = context.get("others").and_then(Json::as_array);
                owned.extend(others.into_iter().flatten().map(tally));
                continue;
            }
            let desired = side(&document, "desired");
            let live = side(&document, "live").unwrap_or(document);
            candidates.push(Candidate::native(live, desired));
        }
        let desired = owned.clone();
        owned.extend(candidates.iter().map(one));
        let native = Native {
            now,
            application: Some(("shop".into(), "app".into())),
            options,
        };
        let context = PruneContext::native(native, occasion, owned, desired);
        match plugin.review(&candidates, &context) {
            Ok(decisions) if decisions.len() != candidates.len() => {
                Err(json!({"error": "another number of decisions than of candidates"}))
            }
            Ok(decisions) => Ok(decisions.iter().map(prune_json).collect()),
            Err(error) => Err(json!({"error": error})),
        }
    });
}

/// Decides about every document of every case. A document `{desired, live}` gives both sides; `{context: {options}}` the options.
pub fn sync<T: SyncPolicy>(cases: &str) {
    run(cases, |_, documents, settings, now| {
        let plugin =
            T::configure(settings).map_err(|problems| json!({"problems": problem_texts(&problems)}))?;
        let context = |options: Vec<String>| {
            SyncContext::native(Native {
                now,
                application: Some(("shop".into(), "app".into())),
                options,
            })
        };
        let mut options = Vec::new();
        let mut answers = Vec::new();
        for document in documents {
            if let Some(given) = document.get("context") {
                options = texts(given.get("options"));
                continue;
            }
            let side = |name: &str| document.get(name).cloned();
            let change = match document.get("apiVersion") {
                Some(_) => Change::native(Some(document), None),
                None => Change::native(side("desired"), side("live")),
            };
            answers.push(match plugin.decide(&change, &context(options.clone())) {
                Ok(decision) => sync_json(&decision),
                Err(error) => json!({"error": error}),
            });
        }
        Ok(answers)
    });
}

/// The index of the closest claim on a kind, as the engine finds it.
fn closest(claims: &[Claim], group: &str, kind: &str) -> Option<u32> {
    let below = |pattern: &str| {
        pattern
            .strip_prefix('*')
            .is_some_and(|end| end.len() > 1 && group.ends_with(end))
    };
    let fit = |claim: &Claim| match (claim.kind.as_str(), claim.group.as_str()) {
        (name, _) if name != "*" && name != kind => None,
        (name, domain) => match (domain == group, below(domain), domain == "*") {
            (true, _, _) => Some((name != "*", 2)),
            (_, true, _) => Some((name != "*", 1)),
            (_, _, true) => Some((name != "*", 0)),
            _ => None,
        },
    };
    let fits = claims
        .iter()
        .zip(0..)
        .filter_map(|(claim, index)| Some((fit(claim)?, std::cmp::Reverse(index))));
    fits.max().map(|(_, std::cmp::Reverse(index))| index)
}

fn tally(json: &Json) -> Tally {
    let reference = crate::json::reference(json);
    Tally {
        group: reference.group,
        kind: reference.kind,
        namespace: json.get("namespace").and_then(Json::as_str).map(str::to_owned),
        count: json
            .get("count")
            .and_then(Json::as_u64)
            .and_then(|count| count.try_into().ok())
            .expect("`count` is a number"),
    }
}

fn one(candidate: &Candidate) -> Tally {
    let reference = candidate.live().reference();
    Tally {
        group: reference.group,
        kind: reference.kind,
        namespace: reference.namespace,
        count: 1,
    }
}

fn texts(list: Option<&Json>) -> Vec<String> {
    list.and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect()
}

fn problem_texts(problems: &[crate::Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{}: {}", problem.pointer, problem.message))
        .collect()
}

fn run(cases: &str, judge: impl Fn(&Path, Vec<Json>, &Settings, i64) -> Result<Vec<Json>, Json>) {
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut folders: Vec<_> = fs::read_dir(cases)
        .unwrap_or_else(|error| panic!("{cases}: {error}"))
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{cases} has no cases");
    let mut wrong = Vec::new();
    for folder in folders {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let input = read("input.yaml").unwrap_or_else(|| panic!("{}: no input.yaml", folder.display()));
        let settings = read("settings.json").unwrap_or_else(|| "{}".to_owned());
        let settings =
            Settings::parse(&settings).unwrap_or_else(|_| panic!("{}: settings.json", folder.display()));
        let now = read("now").map_or(0, |text| text.trim().parse().expect("`now` is a number"));
        let answer = || match judge(&folder, documents(&input, &folder), &settings, now) {
            Ok(answers) => Json::Array(answers),
            Err(error) => error,
        };
        let got = answer();
        assert_eq!(got, answer(), "{}: two answers to one question", folder.display());
        let text = format!("{}\n", serde_json::to_string_pretty(&got).expect("JSON is JSON"));
        let path = folder.join("expected.json");
        if update {
            fs::write(&path, text).expect("the case can be written");
        } else if read("expected.json").as_deref() != Some(text.as_str()) {
            let want = read("expected.json").unwrap_or_default();
            wrong.push(format!(
                "{}\n  want {}\n  got  {}",
                folder.display(),
                want.trim_end(),
                text.trim_end()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE=1 writes what is said now",
        wrong.join("\n")
    );
}

fn documents(text: &str, folder: &Path) -> Vec<Json> {
    serde_yaml::Deserializer::from_str(text)
        .map(Json::deserialize)
        .map(|document| document.unwrap_or_else(|error| panic!("{}: {error}", folder.display())))
        .filter(|document| !document.is_null())
        .collect()
}

/// A verdict as JSON.
pub fn health_json(verdict: &Verdict) -> Json {
    let (status, message) = match verdict {
        Verdict::NoOpinion => return Json::Null,
        Verdict::Healthy(message) => ("Healthy", message),
        Verdict::Suspended(message) => ("Suspended", message),
        Verdict::Progressing(message) => ("Progressing", message),
        Verdict::Missing(message) => ("Missing", message),
        Verdict::Degraded(message) => ("Degraded", message),
        Verdict::Unknown(message) => ("Unknown", message),
    };
    json!({"status": status, "message": message})
}

/// A decision as JSON.
pub fn prune_json(decision: &PruneDecision) -> Json {
    let mut json = match &decision.verdict {
        PruneVerdict::NoOpinion => Json::Null,
        PruneVerdict::Delete => json!({"delete": true}),
        PruneVerdict::Hold(reason) => json!({"hold": reason}),
        PruneVerdict::Keep(reason) => json!({"keep": reason}),
    };
    if let Some(propagation) = decision.propagation {
        if json.is_null() {
            json = json!({});
        }
        json["propagation"] = propagation_json(propagation);
    }
    json
}

fn propagation_json(propagation: Propagation) -> Json {
    match propagation {
        Propagation::Foreground => "foreground",
        Propagation::Background => "background",
        Propagation::Orphan => "orphan",
    }
    .into()
}

/// The fields of a decision that there is an opinion on, as JSON.
pub fn sync_json(decision: &Decision) -> Json {
    let phase = |phase: &Phase| match phase {
        Phase::PreSync => "pre-sync",
        Phase::Sync => "sync",
        Phase::PostSync => "post-sync",
        Phase::SyncFail => "sync-fail",
        Phase::PreDelete => "pre-delete",
        Phase::PostDelete => "post-delete",
    };
    let cleanup = |cleanup: &HookCleanup| match cleanup {
        HookCleanup::BeforeCreation => "before-creation",
        HookCleanup::OnSuccess => "on-success",
        HookCleanup::OnFailure => "on-failure",
    };
    let strategy = |strategy: &Strategy| match strategy {
        Strategy::ServerSideApply => "server-side-apply",
        Strategy::Merge => "merge",
        Strategy::CreateOnly => "create-only",
        Strategy::Replace => "replace",
        Strategy::Recreate => "recreate",
        Strategy::RecreateAlways => "recreate-always",
        Strategy::LeaveAlone => "leave-alone",
    };
    let role = |role: &Role| match role {
        Role::Part => json!("part"),
        Role::Hook(types) => json!({"hook": types}),
        Role::Skip(types) => json!({"skip": types}),
        Role::Ignored => json!("ignored"),
    };
    let all = json!({
        "role": decision.role.as_ref().map(role),
        "phases": decision.phases.as_ref().map(|phases| phases.iter().map(phase).collect::<Vec<_>>()),
        "wave": decision.wave,
        "cleanup": decision.cleanup.as_ref().map(|list| list.iter().map(cleanup).collect::<Vec<_>>()),
        "strategy": decision.strategy.as_ref().map(strategy),
        "forceConflicts": decision.force_conflicts,
        "validate": decision.validate,
        "skipDryRunOnMissingKind": decision.skip_dry_run_on_missing_kind,
        "pruneLast": decision.prune_last,
        "ignoreFields": decision.ignore_fields,
        "ignoreManagers": decision.ignore_managers,
        "takeOver": decision.take_over,
        "propagation": decision.propagation.map(propagation_json),
        "wait": decision.wait,
        "ignoreHealth": decision.ignore_health,
        "timeout": decision.timeout,
        "hold": decision.hold,
    });
    let set = all
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    Json::Object(set.map(|(key, value)| (key.clone(), value.clone())).collect())
}
