//! What the server keeps, settles or refuses, and what follows for the plan.

use serde_json::{Value, json};
use sluice_model::decision::SyncDecision;
use sluice_model::manifest::Origin;

use super::*;

fn object(spec: Value) -> Object {
    Object::new(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}))
        .unwrap()
}

fn change(pointer: &str) -> FieldChange {
    serde_json::from_value(json!({"pointer": pointer, "live": "None"})).unwrap()
}

fn compared(strategy: Strategy, desired: Value, pointers: &[&str]) -> Compared {
    Compared {
        desired: object(desired),
        live: Some(object(json!({"clusterIP": "None", "ports": [{"port": 80}]}))),
        difference: Difference::Changed(pointers.iter().map(|pointer| change(pointer)).collect()),
        decision: SyncDecision {
            strategy,
            ..SyncDecision::default()
        },
        origin: Origin {
            file: "a.yaml".into(),
            line: 1,
        },
        ignored: Vec::new(),
        predecessors: Vec::new(),
        record: Default::default(),
        recreate: false,
        released: false,
        done: false,
        mark: None,
        certainty: Certainty::ServerDecides,
    }
}

/// A headless Service becomes ordinary: said as long as it is so, and mended where the object may be made anew.
#[test]
fn what_the_server_keeps_is_a_difference_and_a_reason_to_recreate() {
    let answer = Answer {
        stays: vec!["/spec/clusterIP".to_owned()],
        drops: true,
        ..Verdict::Changes(Vec::new()).into()
    };
    let mut applied = compared(
        Strategy::ServerSideApply,
        json!({"ports": []}),
        &["/spec/clusterIP", "/spec/other"],
    );
    take_in(&mut applied, &answer, true);
    let Difference::Changed(changes) = &applied.difference else {
        panic!("{:?}", applied.difference)
    };
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.pointer.as_str(), change.stays))
        .collect();
    assert_eq!(told, [("/spec/clusterIP", true)]);
    assert_eq!(applied.desired.value()["spec"]["clusterIP"], "None");
    assert!(!applied.recreate);

    for strategy in [Strategy::Recreate, Strategy::RecreateAlways] {
        let mut anew = compared(strategy, json!({"ports": []}), &["/spec/clusterIP"]);
        take_in(&mut anew, &answer, false);
        assert!(anew.recreate);
        assert_eq!(anew.desired.value()["spec"].get("clusterIP"), None);
    }
}

/// `rollingUpdate: null` beside `type: Recreate`: sent, it would keep what is claimed to go.
#[test]
fn a_null_is_not_sent_for_what_is_claimed() {
    let claim = serde_json::json!({"f:spec": {"f:rollingUpdate": {}}});
    let answer = Answer {
        claim: claim.as_object().cloned().unwrap(),
        ..Verdict::Settled(vec![change("/spec/rollingUpdate")]).into()
    };
    let desired = json!({"type": "Recreate", "rollingUpdate": null, "other": null});
    let mut union = compared(Strategy::ServerSideApply, desired, &["/spec/type"]);
    take_in(&mut union, &answer, false);
    assert_eq!(
        union.desired.value()["spec"],
        json!({"type": "Recreate", "other": null})
    );
    assert_eq!(union.record.claim, answer.claim);
}

#[test]
fn what_has_a_default_all_the_same_is_given_up_once() {
    let answer = Answer {
        drops: true,
        ..Verdict::Changes(Vec::new()).into()
    };
    for synced in [false, true] {
        let mut dropped = compared(Strategy::ServerSideApply, json!({}), &["/spec/type", VERSION]);
        take_in(&mut dropped, &answer, synced);
        let Difference::Changed(changes) = &dropped.difference else {
            panic!("{:?}", dropped.difference)
        };
        // The version of our entry is ours to write, whatever the object looks like.
        assert_eq!(changes.len(), if synced { 1 } else { 2 });
    }
}

/// `volumeName: ""` of a claim that is bound by now.
#[test]
fn an_empty_value_that_was_filled_in_asks_for_nothing() {
    let answer = Answer {
        unsent: vec!["/spec/clusterIP".to_owned()],
        ..Verdict::Changes(Vec::new()).into()
    };
    let mut filled = compared(
        Strategy::Recreate,
        json!({"clusterIP": "", "type": "x"}),
        &["/spec/clusterIP"],
    );
    take_in(&mut filled, &answer, false);
    assert_eq!(filled.difference, Difference::Same);
    assert_eq!(filled.desired.value()["spec"], json!({"type": "x"}));
    assert!(!filled.recreate);
}

#[test]
fn what_another_applier_has_beside_the_change_holds_it_by_name() {
    let answer = Answer {
        beside: Some("beside `/spec/x`, which belongs to cainjector (apply)".to_owned()),
        ..Verdict::Refused.into()
    };
    let mut held = compared(Strategy::ServerSideApply, json!({}), &["/spec/type"]);
    take_in(&mut held, &answer, false);
    assert_eq!(held.decision.hold.as_deref(), answer.beside.as_deref());
}

/// `timeoutSeconds: 0` beside a real change: the plan lists what changes, and nothing else.
#[test]
fn what_the_server_answers_by_its_default_is_no_difference() {
    let answer = |changes: Vec<FieldChange>| Answer {
        settled: vec!["/spec/timeout".to_owned()],
        ..Verdict::Changes(changes).into()
    };
    for synced in [false, true] {
        let mut alone = compared(
            Strategy::ServerSideApply,
            json!({"timeout": 0}),
            &["/spec/timeout"],
        );
        take_in(&mut alone, &answer(Vec::new()), synced);
        assert_eq!(alone.difference, Difference::Same);
        let mut beside = compared(
            Strategy::ServerSideApply,
            json!({"timeout": 0}),
            &["/spec/timeout", "/spec/other"],
        );
        take_in(&mut beside, &answer(vec![change("/spec/other")]), synced);
        assert_eq!(
            beside.difference,
            Difference::Changed(vec![change("/spec/other")])
        );
    }
}
