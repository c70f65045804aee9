//! The check finds what it is there to find: sound plans pass, and each way of breaking one is named.

use serde_json::{Value, json};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::decision::{
    HookCleanup, Occasion, Phase, Propagation, PruneDecision, PruneVerdict, SyncDecision,
};
use sluice_model::difference::Difference;
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::Object;
use sluice_model::plan::{Action, ApplicationKey, Plan, Precondition, Step};
use sluice_plan::{DesiredObject, Options, PlanInput, PruneCandidate, lint, plan};

fn object(value: Value) -> Object {
    Object::new(value).expect("an object")
}

fn set() -> String {
    applyset::id("shop", "shop")
}

fn desired(kind: &str, name: &str) -> DesiredObject {
    let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    if kind != "Namespace" {
        value["metadata"]["namespace"] = "shop".into();
    }
    if kind == "Secret" {
        value["data"] = json!({"password": "aHVudGVyMg=="});
    }
    DesiredObject {
        manifest: Manifest {
            object: object(value),
            origin: Origin {
                file: "a.yaml".into(),
                line: 1,
            },
        },
        live: None,
        difference: Difference::Missing,
        decision: SyncDecision::default(),
        predecessors: Vec::new(),
        record: Default::default(),
        recreate: false,
        released: false,
    }
}

fn live(kind: &str, name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": kind, "metadata": {
        "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": "7",
        "labels": {PART_OF_LABEL: set()}, "managedFields": [{"manager": "sluice", "operation": "Apply", "fieldsV1": {}}],
    }}))
}

fn candidate(kind: &str, name: &str, verdict: PruneVerdict) -> PruneCandidate {
    let prune = PruneDecision {
        verdict,
        propagation: Propagation::Foreground,
        decided_by: Some("p".into()),
    };
    PruneCandidate {
        live: live(kind, name),
        prune,
        sync: SyncDecision::default(),
        claimed: None,
    }
}

fn input() -> PlanInput {
    PlanInput {
        application: ApplicationKey {
            namespace: "shop".into(),
            name: "shop".into(),
        },
        revision: "1".repeat(40),
        destination_namespace: "shop".into(),
        policies: vec!["b@sha256:1".into(), "a@sha256:1".into(), "a@sha256:1".into()],
        occasion: Occasion::Sync,
        desired: vec![
            desired("ConfigMap", "a"),
            desired("Secret", "s"),
            desired("Namespace", "shop"),
        ],
        candidates: vec![
            candidate("ConfigMap", "old", PruneVerdict::Delete),
            candidate("ConfigMap", "older", PruneVerdict::Hold { reason: "r".into() }),
            candidate("ConfigMap", "oldest", PruneVerdict::Keep { reason: "r".into() }),
        ],
        namespace: None,
        selection: Vec::new(),
        options: Options::default(),
    }
}

/// What the check says of a plan after something was done to it.
fn broken(change: impl FnOnce(&mut Plan)) -> String {
    let input = input();
    let mut made = plan(input.clone());
    assert_eq!(lint::check_against(&made, &input), Vec::<String>::new());
    change(&mut made);
    lint::check_against(&made, &input).join("\n")
}

fn step<'a>(made: &'a mut Plan, kind: &str) -> &'a mut Step {
    made.steps
        .iter_mut()
        .find(|step| step.object.kind == kind)
        .expect("such a step")
}

#[test]
fn the_order_is_checked() {
    assert!(broken(|made| made.steps.reverse()).contains("comes before"));
    assert!(broken(|made| made.steps.swap(0, 1)).contains("comes after what lives in it"));
    assert!(broken(|made| step(made, "ConfigMap").phase = Phase::Skip).contains("has no place in phase"));
    assert!(broken(|made| step(made, "ConfigMap").wave = 3).contains("comes before"));
}

#[test]
fn everything_has_one_fate() {
    assert!(broken(|made| made.steps.insert(1, made.steps[1].clone())).contains("applied twice"));
    assert!(broken(|made| made.held.push(made.held[0].clone())).contains("is held and held"));
    let kept = |made: &mut Plan| made.kept[0].object = made.held[0].step.object.clone();
    assert!(broken(kept).contains("is held and kept"));
}

#[test]
fn deletions_are_checked_against_their_verdicts() {
    let as_step = |made: &mut Plan| {
        let held = made.held.remove(0);
        made.steps.push(held.step);
    };
    assert!(broken(as_step).contains("deleted against its verdict"));
    let other = |made: &mut Plan| made.steps.last_mut().unwrap().object.name = "stranger".into();
    assert!(broken(other).contains("no decision asks for it"));
    let wanted = |made: &mut Plan| made.steps.last_mut().unwrap().object.name = "oldest".into();
    assert!(broken(wanted).contains("deleted against its verdict"));
    assert!(
        broken(|made| made.steps.last_mut().unwrap().precondition = None).contains("whichever object it is")
    );
    let another = Precondition {
        uid: "uid-other".into(),
        resource_version: None,
    };
    assert!(
        broken(|made| made.steps.last_mut().unwrap().precondition = Some(another))
            .contains("another identity")
    );
}

#[test]
fn nothing_that_git_has_is_deleted() {
    let mut input = input();
    let made = plan(input.clone());
    // The same plan, had Git kept the object.
    input.desired.push(desired("ConfigMap", "old"));
    assert!(
        lint::check_against(&made, &input)
            .join("\n")
            .contains("although Git has it")
    );
    input.options.prune = false;
    assert!(
        lint::check_against(&made, &input)
            .join("\n")
            .contains("may not prune")
    );
    input.desired.clear();
    assert!(
        lint::check_against(&made, &input)
            .join("\n")
            .contains("because of an empty revision")
    );
}

#[test]
fn manifests_are_checked() {
    let manifest = |change: fn(&mut Value)| {
        move |made: &mut Plan| {
            if let Action::Apply { manifest, .. } = &mut step(made, "Secret").action {
                change(std::sync::Arc::make_mut(manifest));
            }
        }
    };
    assert!(
        broken(manifest(
            |secret| secret["data"]["password"] = "aHVudGVyMg==".into()
        ))
        .contains("shows the values")
    );
    assert!(
        broken(manifest(|secret| secret["metadata"]["labels"] = json!({})))
            .contains("would not carry the label")
    );
    assert!(
        broken(manifest(|secret| secret["metadata"]["name"] = "t".into())).contains("is of Secret shop/t")
    );
    assert!(broken(manifest(|secret| *secret = Value::Null)).contains("is no object"));
    assert!(broken(|made| step(made, "Secret").origin = None).contains("it is not known where"));
    let first = |made: &mut Plan| {
        if let Action::Apply { cleanup, .. } = &mut step(made, "Secret").action {
            cleanup.push(HookCleanup::BeforeHookCreation);
        }
    };
    assert!(broken(first).contains("against its clean-up"));
    assert!(broken(|made| made.version.clear()).contains("the version is"));
    assert!(broken(|made| made.policies.reverse()).contains("policies are not sorted"));
}

#[test]
fn what_another_application_owns_is_not_taken() {
    let mut input = input();
    let foreign = live("ConfigMap", "a").edit(|map| {
        map.get_mut("metadata").unwrap()["labels"][PART_OF_LABEL] = "applyset-other-v1".into();
    });
    input.desired[0].live = Some(foreign);
    input.desired[0].difference = Difference::Same;
    let mut made = plan(input.clone());
    assert_eq!(made.blocked.len(), 1);
    assert_eq!(lint::check_against(&made, &input), Vec::<String>::new());
    made.blocked.clear();
    assert!(
        lint::check_against(&made, &input)
            .join("\n")
            .contains("is taken from another application")
    );
}

#[test]
fn what_another_application_let_go_is_taken_over() {
    let mut input = input();
    let released = live("ConfigMap", "a").edit(|map| {
        map.get_mut("metadata").unwrap()["labels"][PART_OF_LABEL] = "applyset-other-v1".into();
    });
    input.desired[0].live = Some(released);
    input.desired[0].difference = Difference::Same;
    input.desired[0].released = true;
    let made = plan(input.clone());
    assert_eq!(lint::check_against(&made, &input), Vec::<String>::new());
    assert!(made.blocked.is_empty() && made.steps.iter().any(|step| step.object.name == "a"));
}

#[test]
fn what_another_application_wants_is_never_deleted() {
    let mut input = input();
    let before = plan(input.clone());
    for candidate in &mut input.candidates {
        candidate.claimed = Some("Application shop/other wants it".into());
    }
    let made = plan(input.clone());
    assert_eq!(lint::check_against(&made, &input), Vec::<String>::new());
    assert!(made.held.is_empty() && made.kept.len() == 3);
    assert!(
        made.steps
            .iter()
            .all(|step| matches!(step.action, Action::Apply { .. }))
    );
    let wrong = lint::check_against(&before, &input).join("\n");
    assert!(wrong.contains("another application claims it"), "{wrong}");
}

#[test]
fn what_is_not_selected_is_not_touched_and_stops_nothing() {
    let mut input = input();
    input.selection = vec!["/Secret/shop/*".parse().unwrap()];
    input.desired[0].decision.hold = Some("not yet".into());
    let made = plan(input.clone());
    assert_eq!(lint::check_against(&made, &input), Vec::<String>::new());
    let names: Vec<&str> = made.steps.iter().map(|step| step.object.name.as_str()).collect();
    assert_eq!(names, ["s"]);
    assert!(made.blocked.is_empty() && made.held.is_empty() && made.kept.is_empty());
    // What Git has is not deleted, whatever was selected.
    input
        .candidates
        .push(candidate("ConfigMap", "a", PruneVerdict::Delete));
    input.selection = vec!["/ConfigMap/shop/o*d".parse().unwrap()];
    let made = plan(input);
    let names: Vec<&str> = made.steps.iter().map(|step| step.object.name.as_str()).collect();
    assert_eq!(names, ["old"]);
}

#[test]
fn a_plan_read_back_is_the_same_plan() {
    let made = plan(input());
    let read: Plan = serde_json::from_str(&made.to_json()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.digest(), made.digest());
    assert_eq!(made.policies, ["a@sha256:1", "b@sha256:1"]);
    assert_ne!(
        plan(PlanInput {
            revision: "2".repeat(40),
            ..input()
        })
        .digest(),
        made.digest()
    );
}

#[test]
fn nothing_that_we_did_not_write_is_touched() {
    let mut input = input();
    // Labels are copied by controllers; and what is going is gone.
    let copied = live("Endpoints", "copied").edit(|map| {
        map.get_mut("metadata").unwrap()["managedFields"] =
            json!([{"manager": "controller", "operation": "Update"}]);
    });
    let going = live("ConfigMap", "going").edit(|map| {
        map.get_mut("metadata").unwrap()["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    });
    let other = live("ConfigMap", "other").edit(|map| {
        map.get_mut("metadata").unwrap()["labels"][PART_OF_LABEL] = "applyset-other-v1".into();
    });
    for live in [copied, going, other] {
        let prune = PruneDecision {
            verdict: PruneVerdict::Delete,
            propagation: Propagation::Foreground,
            decided_by: None,
        };
        input.candidates.push(PruneCandidate {
            live,
            prune,
            sync: SyncDecision::default(),
            claimed: None,
        });
    }
    let before = plan(self::input());
    assert_eq!(plan(input).to_json(), before.to_json());
}
