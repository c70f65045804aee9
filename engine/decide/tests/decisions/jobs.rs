//! Jobs that have done their work and were removed.

use sluice_decide::marks;
use sluice_model::difference::Difference;

use super::*;

fn job(image: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "n"},
        "spec": {"ttlSecondsAfterFinished": 5, "template": {"spec": {"image": image}}}})
}

/// As the cluster last had it: complete, with the fields that we applied.
fn ended(image: &str, condition: &str) -> Object {
    let fields =
        json!({"f:spec": {"f:ttlSecondsAfterFinished": {}, "f:template": {"f:spec": {"f:image": {}}}}});
    live_with(job(image), json!([entry("sluice", "Apply", fields)])).edit(|map| {
        map.insert(
            "status".to_owned(),
            json!({"conditions": [{"type": condition, "status": "True"}]}),
        );
        // As an entry of this kind's version has it.
        map["metadata"]["managedFields"][0]["apiVersion"] = "batch/v1".into();
    })
}

fn hook() -> SyncDecision {
    SyncDecision {
        hook: true,
        ..SyncDecision::default()
    }
}

/// What is remembered of a Job that is complete.
fn mark_of(image: &str) -> Vec<String> {
    let objects = compare(
        &live([ended(image, "Complete")]),
        vec![manifest(job(image))],
        &mut Said::default(),
    );
    marks(&objects)
}

#[test]
fn what_completed_is_remembered_as_long_as_git_has_it_so() {
    assert_eq!(mark_of("a").len(), 1);
    assert_ne!(mark_of("a"), mark_of("b"));
    let marks_of = |live: Object, decision: SyncDecision| {
        let mut said = Said {
            sync: [("j", decision)].into(),
            ..Said::default()
        };
        marks(&compare(
            &super::live([live]),
            vec![manifest(job("a"))],
            &mut said,
        ))
    };
    assert_eq!(
        marks_of(ended("a", "Complete"), SyncDecision::default()),
        mark_of("a")
    );
    for (live, decision, why) in [
        (ended("a", "Failed"), SyncDecision::default(), "it failed"),
        (ended("b", "Complete"), SyncDecision::default(), "it differs"),
        (ended("a", "Complete"), hook(), "a hook runs with every sync"),
    ] {
        assert_eq!(marks_of(live, decision), Vec::<String>::new(), "{why}");
    }
}

#[test]
fn a_job_that_is_done_is_not_missing() {
    struct Case {
        about: &'static str,
        completed: Vec<String>,
        finished: Option<Object>,
        decision: SyncDecision,
        done: bool,
    }
    let cases = [
        Case {
            about: "never seen",
            completed: Vec::new(),
            finished: None,
            decision: SyncDecision::default(),
            done: false,
        },
        Case {
            about: "the status remembers it",
            completed: mark_of("a"),
            finished: None,
            decision: SyncDecision::default(),
            done: true,
        },
        Case {
            about: "the status remembers another manifest of it",
            completed: mark_of("b"),
            finished: None,
            decision: SyncDecision::default(),
            done: false,
        },
        Case {
            about: "it was seen to be removed after its end",
            completed: Vec::new(),
            finished: Some(ended("a", "Complete")),
            decision: SyncDecision::default(),
            done: true,
        },
        Case {
            about: "what was removed was another manifest's",
            completed: Vec::new(),
            finished: Some(ended("b", "Complete")),
            decision: SyncDecision::default(),
            done: false,
        },
        Case {
            about: "a hook runs again",
            completed: mark_of("a"),
            finished: Some(ended("a", "Complete")),
            decision: hook(),
            done: false,
        },
    ];
    for case in cases {
        let subject = Subject {
            completed: case.completed,
            ..subject()
        };
        let live = Live {
            finished: case.finished.into_iter().map(|job| (job.key(), job)).collect(),
            ..Live::default()
        };
        let mut said = Said {
            sync: [("j", case.decision)].into(),
            ..Said::default()
        };
        let objects = sluice_decide::compare(&subject, &live, vec![manifest(job("a"))], &mut said);
        assert_eq!(objects[0].done, case.done, "{}", case.about);
        let same = objects[0].difference == Difference::Same;
        assert_eq!(same, case.done, "{}", case.about);
        // What is done stays remembered.
        assert_eq!(marks(&objects).len(), usize::from(case.done), "{}", case.about);
    }
}

#[test]
fn a_job_that_is_there_is_compared() {
    let subject = Subject {
        completed: mark_of("a"),
        ..subject()
    };
    let live = live([ended("b", "Complete")]);
    let objects = sluice_decide::compare(&subject, &live, vec![manifest(job("a"))], &mut Said::default());
    assert!(!objects[0].done && !objects[0].difference.is_same());
}

#[test]
fn a_status_does_not_grow_without_end() {
    let many = (0..300).map(|number| {
        let mut job = job("a");
        job["metadata"]["name"] = format!("j{number}").into();
        job
    });
    let all: Vec<Value> = many.collect();
    let members = all.iter().map(|job| {
        let mut done = ended("a", "Complete").into_value();
        done["metadata"]["name"] = job["metadata"]["name"].clone();
        object(done)
    });
    let manifests = all.iter().cloned().map(manifest).collect();
    assert_eq!(
        marks(&compare(&live(members), manifests, &mut Said::default())).len(),
        200
    );
}
