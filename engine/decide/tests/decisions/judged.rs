//! Each manifest beside its live object: what is ignored, whose fields are taken over, what is held.

use sluice_model::application::IgnoreDifference;
use sluice_model::decision::Strategy;
use sluice_model::difference::Difference;

use super::*;

fn deployment(replicas: u32, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "n"},
        "spec": {"replicas": replicas, "image": image}})
}

/// A Deployment of ours, of which another manager wrote one field since.
fn changed_by(entry: Value, replicas: u32, image: &str) -> Live {
    let fields = json!({"f:spec": {"f:replicas": {}, "f:image": {}}});
    let ours =
        json!({"manager": "sluice", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields});
    live([live_with(deployment(replicas, image), json!([ours, entry]))])
}

fn scaled(manager: &str) -> Value {
    json!({"manager": manager, "operation": "Update", "subresource": "scale", "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}}})
}

fn tuned() -> Value {
    json!({"manager": "tuner", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:image": {}}}})
}

/// The fields that differ.
fn differing(object: &Compared) -> Vec<&str> {
    match &object.difference {
        Difference::Changed(changes) | Difference::Unowned(changes) => {
            changes.iter().map(|change| change.pointer.as_str()).collect()
        }
        Difference::Same | Difference::Missing => Vec::new(),
    }
}

#[test]
fn what_is_ignored_is_neither_compared_nor_sent() {
    struct Case {
        about: &'static str,
        rules: Value,
        decision: SyncDecision,
        differs: &'static [&'static str],
    }
    let fields = |fields: &[&str]| SyncDecision {
        ignore_fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        ..SyncDecision::default()
    };
    let rule = |field: &str, value: &str| json!([{"group": "apps", "kind": "Deployment", field: [value]}]);
    let none = || json!([]);
    let cases = [
        Case {
            about: "nothing is ignored",
            rules: none(),
            decision: SyncDecision::default(),
            differs: &["/spec/image", "/spec/replicas"],
        },
        Case {
            about: "by a rule of the Application",
            rules: rule("jsonPointers", "/spec/image"),
            decision: SyncDecision::default(),
            differs: &["/spec/replicas"],
        },
        Case {
            about: "by a rule's path",
            rules: rule("jqPathExpressions", ".spec.replicas"),
            decision: SyncDecision::default(),
            differs: &["/spec/image"],
        },
        Case {
            about: "by a rule's manager",
            rules: rule("managedFieldsManagers", "tuner"),
            decision: SyncDecision::default(),
            differs: &["/spec/replicas"],
        },
        Case {
            about: "by a policy's pointer",
            rules: none(),
            decision: fields(&["/spec/replicas"]),
            differs: &["/spec/image"],
        },
        Case {
            about: "by a policy's path",
            rules: none(),
            decision: fields(&[".spec.image"]),
            differs: &["/spec/replicas"],
        },
        Case {
            about: "by a policy's manager",
            rules: none(),
            decision: SyncDecision {
                ignore_managers: vec!["tuner".to_owned()],
                ..SyncDecision::default()
            },
            differs: &["/spec/replicas"],
        },
        Case {
            about: "by both",
            rules: rule("jsonPointers", "/spec/image"),
            decision: fields(&["/spec/replicas"]),
            differs: &[],
        },
    ];
    let live = changed_by(tuned(), 9, "other");
    for case in cases {
        let rules: Vec<IgnoreDifference> = serde_json::from_value(case.rules).unwrap();
        let subject = Subject {
            rules: Rules::read(&rules).unwrap(),
            ..subject()
        };
        let mut said = Said {
            sync: [("web", case.decision)].into(),
            ..Said::default()
        };
        let wanted = vec![manifest(deployment(2, "web:1"))];
        let objects = sluice_decide::compare(&subject, &live, wanted, &mut said);
        assert_eq!(differing(&objects[0]), case.differs, "{}", case.about);
        // Sent is what the cluster has, or nothing: never Git's value.
        for (pointer, git) in [("/spec/image", json!("web:1")), ("/spec/replicas", json!(2))] {
            let sent = objects[0].desired.value().pointer(pointer);
            assert_eq!(
                sent == Some(&git),
                case.differs.contains(&pointer),
                "{}: {pointer}",
                case.about
            );
        }
    }
}

#[test]
fn what_cannot_be_ignored_as_it_is_meant_is_held() {
    let held = |decision: SyncDecision| {
        let mut said = Said {
            sync: [("web", decision)].into(),
            ..Said::default()
        };
        let objects = compare(&Live::default(), vec![manifest(deployment(2, "a"))], &mut said);
        objects[0].decision.hold.clone()
    };
    let unreadable = SyncDecision {
        ignore_fields: vec![".spec | length".to_owned()],
        ..SyncDecision::default()
    };
    let hold = held(unreadable.clone()).unwrap();
    assert!(hold.starts_with("ignored field `.spec | length`: "), "{hold}");
    let both = SyncDecision {
        hold: Some("wait".to_owned()),
        ..unreadable
    };
    assert_eq!(
        held(both).as_deref(),
        Some("wait"),
        "what a policy says goes first"
    );
    assert_eq!(held(SyncDecision::default()), None);
}

#[test]
fn an_autoscaler_keeps_its_number_unless_a_policy_forces() {
    for (by, force, differs) in [
        ("kube-controller-manager", false, false),
        ("kube-controller-manager", true, true),
        ("kubectl", false, true),
    ] {
        let mut said = Said {
            sync: [(
                "web",
                SyncDecision {
                    force,
                    ..SyncDecision::default()
                },
            )]
            .into(),
            ..Said::default()
        };
        let live = changed_by(scaled(by), 9, "a");
        let objects = compare(&live, vec![manifest(deployment(2, "a"))], &mut said);
        let expected: &[&str] = if differs { &["/spec/replicas"] } else { &[] };
        assert_eq!(differing(&objects[0]), expected, "{by}, force: {force}");
    }
}

#[test]
fn whose_fields_are_taken_over() {
    let made_by = |manager: &str| {
        let fields = json!({"f:data": {"f:k": {}, "f:old": {}}});
        let mut value = config_map("a", "1");
        value["data"]["old"] = "1".into();
        let mut object = live_with(value, json!([entry(manager, "Update", fields)])).into_value();
        object["metadata"].as_object_mut().unwrap().remove("labels");
        let object = super::object(object);
        Live {
            others: [(object.key(), object)].into(),
            ..Live::default()
        }
    };
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let applied = Strategy::ServerSideApply;
    type Case = (
        &'static str,
        &'static str,
        Option<Vec<String>>,
        Strategy,
        &'static [&'static str],
    );
    let cases: [Case; 6] = [
        (
            "of the tools that people come from",
            "kubectl-client-side-apply",
            None,
            applied,
            &["kubectl-client-side-apply"],
        ),
        ("not of anybody", "somebody", None, applied, &[]),
        (
            "of those that a policy names",
            "somebody",
            names(&["somebody"]),
            applied,
            &["somebody"],
        ),
        (
            "of nobody else then",
            "kubectl-client-side-apply",
            names(&["somebody"]),
            applied,
            &[],
        ),
        (
            "of nobody at all",
            "kubectl-client-side-apply",
            names(&[]),
            applied,
            &[],
        ),
        (
            "what is replaced leaves no record",
            "kubectl-client-side-apply",
            None,
            Strategy::Replace,
            &[],
        ),
    ];
    for (about, manager, take_over, strategy, expected) in cases {
        let decision = SyncDecision {
            take_over,
            strategy,
            ..SyncDecision::default()
        };
        let mut said = Said {
            sync: [("a", decision)].into(),
            ..Said::default()
        };
        let objects = compare(&made_by(manager), vec![manifest(config_map("a", "1"))], &mut said);
        let taken: Vec<&str> = objects[0]
            .predecessors
            .iter()
            .map(|manager| manager.name.as_str())
            .collect();
        assert_eq!(taken, expected, "{about}");
        // With its fields goes what Git does not have.
        assert_eq!(
            differing(&objects[0]).contains(&"/data/old"),
            !taken.is_empty(),
            "{about}"
        );
    }
}

#[test]
fn the_version_of_our_entry_follows_git() {
    let recorded = |version: &str, strategy: Strategy| {
        let member = ours("a", "1").edit(|map| {
            map["metadata"]["managedFields"][0]["apiVersion"] = version.into();
        });
        let decision = SyncDecision {
            strategy,
            ..SyncDecision::default()
        };
        let mut said = Said {
            sync: [("a", decision)].into(),
            ..Said::default()
        };
        let objects = compare(&live([member]), vec![manifest(config_map("a", "1"))], &mut said);
        objects[0].record.from_version.clone()
    };
    assert_eq!(recorded("v1", Strategy::ServerSideApply), None);
    assert_eq!(
        recorded("v1beta1", Strategy::ServerSideApply).as_deref(),
        Some("v1beta1")
    );
    assert_eq!(recorded("v1beta1", Strategy::Replace), None);
}

#[test]
fn policies_see_no_value_of_a_secret() {
    let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": {"k": value}});
    let there = live_with(secret("NEEDLE-LIVE"), json!([]));
    let gone = live_with(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "gone", "namespace": "n"}, "stringData": {"k": "NEEDLE-GONE"}}),
        json!([]),
    );
    let mut said = Said::default();
    let intent = Intent {
        protections: [(gone.key(), gone.clone())].into(),
        ..Intent::whole("1234")
    };
    let wanted = vec![manifest(secret("NEEDLE-GIT"))];
    let decided = decide_for(&subject(), &intent, &live([there, gone]), wanted, &mut said);
    let values = |object: &Object| object.value().to_string();
    let changes = said.changes.iter().flatten();
    let asked = changes.flat_map(|change| change.desired.iter().chain(&change.live));
    let candidates = said.candidates.iter();
    let candidates =
        candidates.flat_map(|candidate| std::iter::once(&candidate.live).chain(&candidate.desired));
    let seen: Vec<String> = asked.chain(candidates).map(values).collect();
    assert_eq!(seen.len(), 5);
    for text in seen
        .iter()
        .chain([&decided.plan.to_json(), &format!("{decided:?}")])
    {
        assert!(!text.contains("NEEDLE"), "{text}");
    }
    // What is sent has it.
    let sent = decided.manifests();
    assert!(
        sent.values()
            .any(|object| values(object).contains("TkVFRExFLUdJVA==")),
        "in base64"
    );
}
