//! What becomes of the objects where a policy fails, is missing, or is not content.

use serde_json::{Value, json};
use sluice_hostile::build;
use sluice_model::decision::{HookCleanup, Phase, Propagation, PruneVerdict, SyncDecision};
use sluice_model::health::HealthStatus;
use sluice_plugin_host::PluginHost;

use crate::{config, deployment, guest, host_with, now, prune_context, sync_context, verdicts};

#[test]
fn no_failure_of_any_policy_adds_a_deletion() {
    assert_eq!(
        verdicts(&PluginHost::standard()),
        (vec!["delete", "hold", "delete"], vec![])
    );
    let check = |name: &str, code: &'static str| {
        let (host, _folder) = host_with("hostile", &build(&guest(name), "prune-policy"));
        assert_eq!(host.rejected(), []);
        // Kept is what it speaks about; what it does not claim goes its way.
        assert_eq!(
            verdicts(&host),
            (vec!["keep", "keep", "delete"], vec![code]),
            "{name}"
        );
    };
    // Each of them has said of every candidate that it may go, before it fails.
    check("prune-trap", "P09");
    check("prune-loop", "P10");
    check("prune-forged", "P12");
    check("prune-mistaken", "P12");
    check("prune-dropped", "P12");
    check("prune-hoards", "P12");
    check("prune-error", "P13");
}

#[test]
fn a_policy_that_says_nothing_has_no_opinion() {
    let (host, _folder) = host_with("hostile", &build(&guest("prune-silent"), "prune-policy"));
    assert_eq!(verdicts(&host), (vec!["delete", "hold", "delete"], vec![]));
    // Where no other policy has one either, a person decides.
    let policies = [serde_json::from_value(json!({"plugin": "hostile"})).unwrap()];
    let answer = host.prune(&policies, &[config("a").into()], &prune_context());
    let decision = answer.value.first().unwrap();
    assert!(matches!(decision.verdict, PruneVerdict::Hold { .. }));
    assert_eq!((decision.decided_by.as_deref(), answer.problems.len()), (None, 0));

    let (host, _folder) = host_with("hostile", &build(&guest("sync-silent"), "sync-policy"));
    let policies = [serde_json::from_value(json!({"plugin": "hostile"})).unwrap()];
    let answer = host.sync(&policies, &[config("a").into()], &sync_context());
    assert_eq!(answer.problems, []);
    assert_eq!(answer.value, [SyncDecision::default()]);
}

#[test]
fn the_most_cautious_of_one_policys_own_words_wins() {
    let (host, _folder) = host_with("hostile", &build(&guest("prune-wavers"), "prune-policy"));
    let answer = host.prune(&[], &[config("a").into()], &prune_context());
    assert_eq!(answer.problems, []);
    let decision = answer.value.first().unwrap();
    let reason = "first".to_owned();
    assert_eq!(decision.verdict, PruneVerdict::Keep { reason });
    assert_eq!(decision.propagation, Propagation::Orphan);
    assert_eq!(decision.decided_by.as_deref(), Some("hostile"));
}

#[test]
fn the_later_of_one_policys_own_words_counts_and_its_first_hold() {
    let (host, _folder) = host_with("hostile", &build(&guest("sync-repeats"), "sync-policy"));
    let answer = host.sync(&[], &[config("a").into()], &sync_context());
    assert_eq!(answer.problems, []);
    let decision = answer.value.first().unwrap();
    assert_eq!((decision.wave, decision.hold.as_deref()), (-2, Some("first")));
    assert_eq!(
        (decision.skip, decision.hook, decision.phases.as_slice()),
        (false, false, [Phase::Sync].as_slice())
    );
    // Nothing is cleaned up of a part; what was said of it stays, for a later policy that makes it a hook.
    assert_eq!(decision.delete_policies, [HookCleanup::HookFailed]);
    assert_eq!(decision.ignore_fields, [".b", "/a"]);
}

#[test]
fn the_most_cautious_word_wins_over_one_that_deletes_all() {
    let (host, _folder) = host_with("hostile", &build(&guest("prune-delete-all"), "prune-policy"));
    assert_eq!(verdicts(&host), (vec!["delete", "hold", "delete"], vec![]));
}

#[test]
fn a_policy_that_is_named_and_missing_keeps_everything() {
    let policies = [serde_json::from_value(json!({"plugin": "gone"})).unwrap()];
    let answer = PluginHost::standard().prune(&policies, &[config("a").into()], &prune_context());
    assert!(matches!(
        answer.value.first().unwrap().verdict,
        PruneVerdict::Keep { .. }
    ));
    assert_eq!(
        answer.problems.first().map(|problem| problem.code.id),
        Some("P01")
    );
    let health = PluginHost::standard().health(&policies, &[config("a")], now());
    assert_eq!(
        health.value.first().map(|verdict| verdict.status),
        Some(HealthStatus::Unknown)
    );
}

#[test]
fn a_pinned_plugin_that_is_another_one_does_not_answer() {
    let pinned = |digest: &str| {
        [serde_json::from_value(json!({"plugin": format!("prune-standard@{digest}")})).unwrap()]
    };
    let wrong = pinned(&format!("sha256:{}", "0".repeat(64)));
    let answer = PluginHost::standard().prune(&wrong, &[config("a").into()], &prune_context());
    assert!(matches!(
        answer.value.first().unwrap().verdict,
        PruneVerdict::Keep { .. }
    ));
    assert_eq!(
        answer.problems.first().map(|problem| problem.code.id),
        Some("P02")
    );
    let list = PluginHost::standard().list();
    let digest = &list
        .value
        .iter()
        .find(|info| info.name == "prune-standard")
        .unwrap()
        .digest;
    let answer = PluginHost::standard().prune(&pinned(digest), &[config("a").into()], &prune_context());
    assert!(matches!(
        answer.value.first().unwrap().verdict,
        PruneVerdict::Delete
    ));
}

#[test]
fn a_sync_policy_that_fails_holds_the_operation() {
    for (name, code, words) in [
        ("sync-trap", "P09", "unreachable"),
        ("sync-odd-strategy", "P12", "discriminant"),
        (
            "sync-odd-field",
            "P12",
            "`replicas` is neither a pointer nor a path",
        ),
        ("sync-flood", "P12", "more than a call may give"),
        ("sync-error", "P13", "no way"),
    ] {
        let (host, _folder) = host_with("hostile", &build(&guest(name), "sync-policy"));
        let answer = host.sync(&[], &[config("a").into(), deployment().into()], &sync_context());
        let holds: Vec<bool> = answer
            .value
            .iter()
            .map(|decision| decision.hold.is_some())
            .collect();
        assert_eq!(holds, [true, false], "{name}");
        let hold = answer.value.first().unwrap().hold.clone().unwrap();
        assert!(hold.contains(words), "{name}: {hold}");
        // Nothing that was said before the failure counts.
        assert!(answer.value.iter().all(|decision| decision.wave == 0), "{name}");
        assert_eq!(
            answer
                .problems
                .iter()
                .map(|problem| problem.code.id)
                .collect::<Vec<_>>(),
            [code]
        );
    }
}

#[test]
fn settings_are_held_against_the_schema_before_the_plugin_sees_them() {
    let asked = |settings: Value| {
        let policies =
            [serde_json::from_value(json!({"plugin": "prune-standard", "settings": settings})).unwrap()];
        let host = PluginHost::standard();
        let answer = host.prune(&policies, &[config("a").into()], &prune_context());
        let problem = answer
            .problems
            .first()
            .map(|problem| (problem.code.id, problem.message.clone()));
        (answer.value.first().unwrap().verdict.clone(), problem)
    };
    let (verdict, problem) = asked(json!({"hold": ["Secret", 7]}));
    assert!(matches!(verdict, PruneVerdict::Keep { .. }));
    let wrong = "its settings are wrong: `/hold/1`: want string, but got number";
    assert_eq!(problem, Some(("P07", wrong.to_owned())));
    assert!(
        asked(json!({"holds": []}))
            .1
            .unwrap()
            .1
            .contains("additionalProperties 'holds' not allowed")
    );
    assert_eq!(asked(json!({"hold": ["Secret"]})), (PruneVerdict::Delete, None));
    // When a spec changes, before anything is asked.
    let policies =
        serde_json::from_value(json!({"prune": [{"plugin": "prune-standard", "settings": {"hold": 7}}]}))
            .unwrap();
    let codes: Vec<&str> = PluginHost::standard()
        .check(&policies)
        .iter()
        .map(|problem| problem.code.id)
        .collect();
    assert_eq!(codes, ["P07"]);
}
