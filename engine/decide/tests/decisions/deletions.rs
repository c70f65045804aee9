//! What might have to go: who is asked about what, and what is made of the answers.

use sluice_decide::Claimed;
use sluice_model::decision::Occasion;
use sluice_model::object::{Object, ObjectKey};

use super::*;

fn key(name: &str) -> ObjectKey {
    object(config_map(name, "1")).key()
}

/// The candidates that the plan is made of: their names, whether they are deleted by word of the policies, and who claims them.
fn candidates(decided: &Decided) -> Vec<(String, bool, Option<String>)> {
    let candidates = decided.input().candidates.into_iter();
    let all = candidates.map(|candidate| {
        (
            candidate.live.name().to_owned(),
            candidate.prune.verdict == PruneVerdict::Delete,
            candidate.claimed,
        )
    });
    all.collect()
}

#[test]
fn policies_are_asked_about_what_git_no_longer_has() {
    let mut said = Said::default();
    let live = live([ours("a", "1"), ours("b", "1"), ours("c", "1"), going("d")]);
    let wanted = vec![manifest(config_map("a", "1"))];
    let decided = decide(&live, wanted, &mut said);
    let asked: Vec<&str> = said
        .candidates
        .iter()
        .map(|candidate| candidate.live.name())
        .collect();
    assert_eq!(asked, ["b", "c"], "neither what Git has nor what goes already");
    assert_eq!((said.owned, said.desired), (3, 1));
    // The sync policies say in which order, of what goes already too.
    let ordered: Vec<&str> = said.changes[1]
        .iter()
        .map(|change| change.live.as_ref().unwrap().name())
        .collect();
    assert_eq!(ordered, ["b", "c", "d"]);
    assert!(said.changes[1].iter().all(|change| change.desired.is_none()));
    let all: Vec<_> = ["b", "c", "d"].map(|name| (name.to_owned(), true, None)).into();
    assert_eq!(candidates(&decided), all);
}

#[test]
fn nobody_is_asked_where_nothing_else_goes() {
    let mut said = Said::default();
    let live = live([ours("a", "1"), going("d")]);
    let decided = decide(&live, vec![manifest(config_map("a", "1"))], &mut said);
    assert_eq!(candidates(&decided), []);
    assert!(said.candidates.is_empty());
    assert_eq!(said.changes.len(), 1);
}

#[test]
fn only_what_lasts_counts_as_wanted() {
    let part = |change: fn(&mut SyncDecision)| {
        let mut decision = SyncDecision::default();
        change(&mut decision);
        decision
    };
    let mut said = Said {
        sync: [
            ("hook", part(|decision| decision.hook = true)),
            ("skipped", part(|decision| decision.skip = true)),
            ("ignored", part(|decision| decision.ignored = true)),
        ]
        .into(),
        ..Said::default()
    };
    let names = ["part", "hook", "skipped", "ignored"];
    let wanted = names.map(|name| manifest(config_map(name, "1"))).into();
    decide(&live([ours("gone", "1")]), wanted, &mut said);
    assert_eq!(said.desired, 1);
}

#[test]
fn what_another_application_wants_is_claimed() {
    let alias = ObjectKey {
        group_kind: sluice_model::GroupKind::new("other", "ConfigMap"),
        ..key("b")
    };
    let reason = |claims: &Claimed| {
        let live = Live {
            claims: claims.clone(),
            ..live([ours("a", "1"), ours("b", "1"), ours("c", "1")])
        };
        let decided = decide(&live, vec![manifest(config_map("a", "1"))], &mut Said::default());
        let deleted = decided
            .plan
            .steps
            .iter()
            .map(|step| step.object.name.clone())
            .collect::<Vec<_>>();
        let claimed = candidates(&decided).into_iter().map(|(_, _, claimed)| claimed);
        (claimed.collect::<Vec<_>>(), deleted)
    };
    let wanted = || Some("other wants it".to_owned());
    let mut claims = Claimed::default();
    // Deletions run against the order of names.
    assert_eq!(
        reason(&claims),
        (vec![None, None], vec!["c".to_owned(), "b".to_owned()])
    );
    claims.members.insert(key("b"), "other wants it".to_owned());
    assert_eq!(reason(&claims), (vec![wanted(), None], vec!["c".to_owned()]));
    // Under another API group it may be the same object.
    claims.members = [(alias, "other wants it".to_owned())].into();
    assert_eq!(reason(&claims), (vec![wanted(), None], vec!["c".to_owned()]));
    // Where it is not known what others want, they may want everything.
    claims.unsettled = Some("not known yet".to_owned());
    let unsettled = Some("not known yet".to_owned());
    assert_eq!(reason(&claims), (vec![wanted(), unsettled], Vec::new()));
}

#[test]
fn what_git_protects_is_shown_to_the_policies() {
    let written = config_map("a", "protected");
    let mut said = Said::default();
    let farewell = Intent::farewell(&[manifest(written.clone())]);
    assert_eq!(farewell.occasion, Occasion::ApplicationDeleted);
    let live = live([ours("a", "1"), ours("b", "1")]);
    decide_for(&subject(), &farewell, &live, Vec::new(), &mut said);
    let shown: Vec<Option<Value>> = said
        .candidates
        .iter()
        .map(|candidate| candidate.desired.clone().map(Object::into_value))
        .collect();
    assert_eq!(shown, [Some(written), None]);
}

/// A policy that answers less than it was asked holds and keeps; it never makes an object disappear from what Git wants.
#[test]
fn silence_widens_nothing() {
    for answers in [0, 1] {
        let mut said = Said {
            answers: Some(answers),
            ..Said::default()
        };
        let live = live([ours("a", "1"), ours("b", "1"), ours("c", "1"), ours("d", "1")]);
        let wanted = ["a", "b"].map(|name| manifest(config_map(name, "2"))).into();
        let decided = decide(&live, wanted, &mut said);
        assert_eq!(decided.objects.len(), 2);
        let held = decided
            .objects
            .iter()
            .filter(|object| object.decision.hold.is_some());
        assert_eq!(held.count(), 2 - answers);
        let gone = candidates(&decided)
            .into_iter()
            .filter(|(_, deleted, _)| *deleted);
        assert_eq!(gone.count(), answers);
        assert!(!decided.plan.blocked.is_empty());
    }
}

#[test]
fn what_its_application_lets_go_of_is_taken_over() {
    let theirs = ours("a", "1").edit(|map| {
        map["metadata"]["labels"] = json!({PART_OF_LABEL: "applyset-other-v1"});
    });
    let blocked = |released: bool| {
        let live = Live {
            others: [(theirs.key(), theirs.clone())].into(),
            claims: Claimed {
                released: released.then(|| theirs.key()).into_iter().collect(),
                ..Claimed::default()
            },
            ..Live::default()
        };
        let decided = decide(&live, vec![manifest(config_map("a", "1"))], &mut Said::default());
        assert_eq!(decided.objects[0].released, released);
        !decided.plan.blocked.is_empty()
    };
    assert!(blocked(false));
    assert!(!blocked(true));
}

#[test]
fn a_status_says_what_others_want_and_let_go() {
    let other = ApplicationKey {
        name: "other".to_owned(),
        ..subject().key
    };
    let owner = sluice_model::applyset::id(&other.namespace, &other.name);
    let made = |name: &str, uid: &str, owner: &str| {
        object(config_map(name, "1")).edit(|map| {
            map["metadata"]["uid"] = uid.into();
            map["metadata"]["labels"] = json!({PART_OF_LABEL: owner});
        })
    };
    let (wanted, mine) = (made("b", "1", "mine"), made("c", "2", "mine"));
    let (theirs, kept) = (made("d", "3", &owner), made("e", "4", &owner));
    let by_key = |objects: [&Object; 2]| objects.map(|object| (object.key(), object.clone())).into();
    let live = Live {
        members: std::sync::Arc::new(by_key([&wanted, &mine])),
        others: by_key([&theirs, &kept]),
        ..Live::default()
    };
    let status = json!({"claims": {
        "revision": "1",
        "wanted": [{"kind": "ConfigMap", "namespace": "n", "name": "b", "uid": "1"}],
        "released": [{"kind": "ConfigMap", "namespace": "n", "name": "d", "uid": "3"}],
    }});
    let status = serde_json::from_value(status).unwrap();
    let claims = Claimed::said(&live, [(other, &status)].into_iter());
    assert!(
        claims
            .reason(&key("b"))
            .is_some_and(|reason| reason.contains("n/other"))
    );
    assert_eq!(claims.reason(&key("c")), None);
    assert_eq!(claims.released, [theirs.key()].into());
}
