//! The plans that can be made of what was decided, and what is left after them.

use sluice_model::decision::Phase;
use sluice_model::selection::Selector;
use sluice_plan::Hooks;

use super::*;

fn named<'a>(objects: impl Iterator<Item = &'a Object>) -> Vec<&'a str> {
    let mut names: Vec<&str> = objects.map(Object::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn selector(text: &str) -> Selector {
    Selector::try_from(text.to_owned()).unwrap()
}

fn part(change: impl FnOnce(&mut SyncDecision)) -> SyncDecision {
    let mut decision = SyncDecision::default();
    change(&mut decision);
    decision
}

fn hook(phase: Phase) -> SyncDecision {
    part(|decision| {
        decision.hook = true;
        decision.phases = vec![phase];
    })
}

#[test]
fn nothing_in_git_is_a_mistake_unless_that_was_allowed() {
    struct Case {
        about: &'static str,
        manifests: Vec<Manifest>,
        members: Vec<Object>,
        allow_empty: bool,
        mistake: bool,
    }
    let case = |about, names: &[&str], members: &[&str], allow_empty, mistake| Case {
        about,
        manifests: names.iter().map(|name| manifest(config_map(name, "1"))).collect(),
        members: members.iter().map(|name| ours(name, "1")).collect(),
        allow_empty,
        mistake,
    };
    let cases = [
        case(
            "nothing in Git, something in the cluster",
            &[],
            &["a"],
            false,
            true,
        ),
        case("nothing but a hook", &["hook"], &["a"], false, true),
        case("allowed", &[], &["a"], true, false),
        case("nothing anywhere", &[], &[], false, false),
        case("something in Git", &["a"], &["a", "b"], false, false),
    ];
    for case in cases {
        let subject = Subject {
            allow_empty: case.allow_empty,
            ..subject()
        };
        let mut said = Said {
            sync: [("hook", hook(Phase::PreSync))].into(),
            ..Said::default()
        };
        let intent = Intent::whole("1234");
        let decided = decide_for(
            &subject,
            &intent,
            &live(case.members.clone()),
            case.manifests,
            &mut said,
        );
        assert_eq!(decided.is_empty_by_mistake(), case.mistake, "{}", case.about);
        let farewell = Intent::farewell(&[]);
        let decided = decide_for(&subject, &farewell, &live(case.members), Vec::new(), &mut said);
        assert!(
            !decided.is_empty_by_mistake(),
            "{}: the Application goes",
            case.about
        );
    }
}

#[test]
fn who_the_members_are_once_a_plan_is_done() {
    let mut said = Said {
        sync: [
            ("skipped", part(|decision| decision.skip = true)),
            ("ignored", part(|decision| decision.ignored = true)),
            ("hook", hook(Phase::PostSync)),
        ]
        .into(),
        prune: [
            (
                "held",
                PruneVerdict::Hold {
                    reason: "wait".to_owned(),
                },
            ),
            (
                "kept",
                PruneVerdict::Keep {
                    reason: "stay".to_owned(),
                },
            ),
        ]
        .into(),
        ..Said::default()
    };
    let names = ["new", "there", "skipped", "ignored", "hook"];
    let wanted = names.map(|name| manifest(config_map(name, "1"))).into();
    let members = ["there", "gone", "held", "kept"].map(|name| ours(name, "1"));
    let decided = decide(&live(members), wanted, &mut said);
    let after = |approved| named(decided.members_after(&decided.plan, approved));
    assert_eq!(after(false), ["held", "hook", "kept", "new", "there"]);
    assert_eq!(after(true), ["hook", "kept", "new", "there"]);
    let nothing_goes = decided.plan_for(false, Hooks::WithChanges);
    let after = named(decided.members_after(&nothing_goes, true));
    assert_eq!(after, ["gone", "held", "hook", "kept", "new", "there"]);
}

#[test]
fn plans_for_less_come_from_the_same_findings() {
    let mut said = Said {
        sync: [("hook", hook(Phase::PreSync))].into(),
        ..Said::default()
    };
    let names = ["a", "b", "hook"];
    let wanted = names.map(|name| manifest(config_map(name, "2"))).into();
    let members = ["a", "b", "gone"].map(|name| ours(name, "1"));
    let decided = decide(&live(members), wanted, &mut said);
    let steps = |plan: &sluice_model::plan::Plan| {
        let mut names: Vec<String> = plan.steps.iter().map(|step| step.object.name.clone()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(steps(&decided.plan), ["a", "b", "gone", "hook"]);
    assert_eq!(decided.plan_for(true, Hooks::WithChanges), decided.plan);
    assert_eq!(
        steps(&decided.plan_for(false, Hooks::WithChanges)),
        ["a", "b", "hook"]
    );
    assert_eq!(steps(&decided.plan_for(true, Hooks::Never)), ["a", "b", "gone"]);
    let only = [selector("*/ConfigMap/n/a")];
    assert_eq!(steps(&decided.plan_of(true, Hooks::Never, &only)), ["a"]);
    assert_eq!(decided.plan.policies, ["said@sha256:00"]);
    // The policies were asked once.
    assert_eq!((said.changes.len(), said.candidates.len()), (2, 1));
    assert!(decided.has(&only) && decided.has(&[]));
    assert!(decided.has(&[selector("*/ConfigMap/n/gone")]));
    assert!(!decided.has(&[selector("*/ConfigMap/n/nobody")]));
}

#[test]
fn without_hooks_a_plan_for_more_hooks_is_the_same() {
    let decided = decide(
        &live([]),
        vec![manifest(config_map("a", "1"))],
        &mut Said::default(),
    );
    assert_eq!(decided.plan_for(true, Hooks::Always), decided.plan);
}

#[test]
fn hooks_are_sent_under_the_names_that_the_plan_gives_them() {
    let mut generated = config_map("", "1");
    let metadata = generated["metadata"].as_object_mut().unwrap();
    metadata.remove("name");
    metadata.insert("generateName".to_owned(), "run-".into());
    let both = part(|decision| {
        decision.hook = true;
        decision.phases = vec![Phase::PreSync, Phase::PostSync];
    });
    let mut said = Said {
        sync: [("", both)].into(),
        ..Said::default()
    };
    let wanted = vec![manifest(config_map("a", "1")), manifest(generated)];
    let decided = decide(&live([]), wanted, &mut said);
    let sent = decided.manifests();
    assert_eq!(sent.len(), 3);
    for step in &decided.plan.steps {
        assert!(sent.contains_key(&step.object.key()), "{}", step.object);
    }
}

/// A policy sees no Secret, but it may quote another object that has a value of one.
#[test]
fn reasons_that_quote_a_secret_are_masked() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": {"k": "NEEDLE-123"}});
    let quotes = || "its status says NEEDLE-123".to_owned();
    let of = |with_secret: bool| {
        let mut said = Said {
            sync: [("a", part(|decision| decision.hold = Some(quotes())))].into(),
            prune: [
                ("held", PruneVerdict::Hold { reason: quotes() }),
                ("kept", PruneVerdict::Keep { reason: quotes() }),
            ]
            .into(),
            ..Said::default()
        };
        let mut wanted = vec![manifest(config_map("a", "1"))];
        wanted.extend(with_secret.then(|| manifest(secret.clone())));
        let decided = decide(
            &live(["held", "kept"].map(|name| ours(name, "1"))),
            wanted,
            &mut said,
        );
        let mut plans = [decided.plan.clone(), decided.plan_for(false, Hooks::Never)];
        let reasons = plans.iter_mut().flat_map(|plan| {
            plan.reasons_mut()
                .map(|reason| reason.clone())
                .collect::<Vec<_>>()
        });
        reasons.collect::<Vec<String>>()
    };
    let masked = of(true);
    assert!(masked.len() >= 5);
    assert!(
        masked.iter().all(|reason| !reason.contains("NEEDLE")),
        "{masked:?}"
    );
    // Without the Secret it is a word like any other.
    assert!(of(false).iter().any(|reason| reason.contains("NEEDLE-123")));
}

#[test]
fn the_destination_namespace_is_as_the_application_says() {
    use sluice_decide::{destination_namespace, namespace_manifest};
    use sluice_model::application::NamespaceMetadata;
    use sluice_model::difference::Difference;

    let metadata = NamespaceMetadata {
        labels: [("team".to_owned(), "a".to_owned())].into(),
        ..NamespaceMetadata::default()
    };
    let desired = namespace_manifest("n", Some(&metadata)).unwrap();
    assert_eq!(
        desired.value()["metadata"],
        json!({"name": "n", "labels": {"team": "a"}})
    );
    let bare = || object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}));
    let differs = |live: Option<Object>, metadata: Option<&NamespaceMetadata>| {
        let desired = namespace_manifest("n", metadata).unwrap();
        destination_namespace(desired, live, metadata).difference
    };
    assert_eq!(differs(None, None), Difference::Missing);
    assert_eq!(differs(Some(bare()), None), Difference::Same);
    assert_eq!(differs(None, Some(&metadata)), Difference::Missing);
    assert!(matches!(
        differs(Some(bare()), Some(&metadata)),
        Difference::Unowned(changes) if changes.len() == 1
    ));
}
