//! Plugins that fail when they are asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use sluice_hostile::build;
use sluice_model::Object;
use sluice_model::health::HealthStatus;

use crate::{config, deployment, guest, host_with, now, object};

/// Asserts that a health check fails with this code, that the next plugin's objects are judged all the same, and that the next
/// question to a fresh instance is not hurt by this one.
#[track_caller]
fn fails(name: &str, code: &str, words: &str) {
    fails_on(&guest(name), config("a"), code, words);
}

#[track_caller]
fn fails_on(text: &str, object: Object, code: &str, words: &str) {
    let (host, _folder) = host_with("hostile", &build(text, "health-check"));
    assert_eq!(host.rejected(), []);
    for _ in 0..2 {
        let answer = host.health(&[], &[deployment(), object.clone(), deployment()], now());
        let [first, hostile, last] = answer.value.as_slice() else {
            panic!("three verdicts")
        };
        assert_eq!(
            (first.status, last.status),
            (HealthStatus::Suspended, HealthStatus::Suspended)
        );
        assert_eq!(
            (hostile.status, hostile.plugin.as_deref()),
            (HealthStatus::Unknown, Some("hostile")),
            "{}",
            hostile.message
        );
        let [problem] = answer.problems.as_slice() else {
            panic!("one problem: {:?}", answer.problems)
        };
        assert_eq!(
            (problem.code.id, problem.plugin.as_str()),
            (code, "hostile"),
            "{}",
            problem.message
        );
        assert!(problem.message.contains(words), "{}", problem.message);
        assert!(problem.digest.starts_with("sha256:"));
    }
}

#[test]
fn a_crash_is_one_and_says_where() {
    fails(
        "trap",
        "P09",
        "`assess` crashed: wasm trap: wasm `unreachable` instruction executed, at ",
    );
    fails("recursion", "P09", "call stack exhausted");
    fails("allocator-trap", "P09", "unreachable");
}

#[test]
fn a_plugin_that_never_answers_is_stopped() {
    let started = std::time::Instant::now();
    fails("loop", "P10", "longer than 200 ms");
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn a_plugin_that_eats_memory_is_stopped() {
    fails("memory", "P11", "64 MiB");
    fails("table", "P11", "memory");
}

/// An object with a list that takes its time to look through.
fn long_list() -> Object {
    let entries: Vec<Value> = (0..20_000)
        .map(|number| json!({"key": number.to_string()}))
        .collect();
    object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "list": entries}))
}

#[test]
fn what_a_plugin_has_the_host_do_is_bounded_too() {
    let text = "x".repeat(8 << 20);
    let vast = object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": text}}),
    );
    fails_on(&guest("greedy-fields"), vast, "P11", "64 MiB");
    let started = std::time::Instant::now();
    fails_on(&guest("slow-fields"), long_list(), "P10", "200 ms");
    let call = "(call $length (local.get 0) (i32.const 200) (i32.const 16) (i32.const 300))\n";
    let straight = guest("straight-line").replace(";; calls", &call.repeat(20_000));
    fails_on(&straight, long_list(), "P10", "200 ms");
    assert!(
        started.elapsed() < std::time::Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn nonsense_is_no_answer() {
    fails("verdict-out-of-range", "P12", "");
    fails("pointer-out-of-memory", "P12", "");
    fails("answer-out-of-memory", "P12", "");
    fails("invalid-text", "P12", "utf-8");
    fails("huge-text", "P12", "fuel");
    fails("huge-list", "P12", "");
    fails("allocator-lie", "P12", "");
    fails("forged-handle", "P12", "unknown handle index");
    fails("dropped-handle", "P12", "unknown handle index");
}

#[test]
fn settings_that_a_plugin_refuses_are_named() {
    fails("refuses-settings", "P07", "`/kind`: hostile");
    fails("fails-to-configure", "P07", "no way");
}

/// The verdicts of a health check on two ConfigMaps, and the codes of what went wrong.
fn two_verdicts(name: &str) -> (Vec<HealthStatus>, Vec<&'static str>, String) {
    let (host, _folder) = host_with("hostile", &build(&guest(name), "health-check"));
    assert_eq!(host.rejected(), []);
    let answer = host.health(&[], &[config("a"), config("b")], now());
    (
        answer.value.iter().map(|verdict| verdict.status).collect(),
        answer.problems.iter().map(|problem| problem.code.id).collect(),
        answer.value.last().unwrap().message.clone(),
    )
}

#[test]
fn an_answer_is_given_once_and_nothing_counts_where_the_question_fails() {
    fails("two-verdicts", "P12", "a second verdict on one object");
    fails("verdict-then-trap", "P09", "unreachable");
    fails("guest-error", "P13", "`assess` says: no way");
}

#[test]
fn who_says_nothing_has_no_opinion() {
    // The next plugin is asked, and it has one.
    let (statuses, codes, _) = two_verdicts("silent");
    assert_eq!(
        (statuses, codes),
        (vec![HealthStatus::Healthy, HealthStatus::Healthy], vec![])
    );
}

#[test]
fn what_was_handed_over_is_for_its_call() {
    use HealthStatus::{Healthy, Suspended, Unknown};
    // Keeping it is no crime.
    assert_eq!(two_verdicts("suspends").0, [Suspended, Suspended]);
    // Using it later is: the second verdict is neither about the first object nor about the second.
    for name in ["late-verdict", "late-object"] {
        let (statuses, codes, message) = two_verdicts(name);
        assert_eq!((statuses, codes), (vec![Healthy, Unknown], vec!["P12"]), "{name}");
        assert!(
            message.contains("after the call that the handle was for"),
            "{message}"
        );
    }
    fails("late-problem", "P12", "after the call that the handle was for");
}

#[test]
fn the_clock_is_for_those_who_say_that_they_look_at_it() {
    fails("undeclared-clock", "P12", "set-uses-time");
    let declared = guest("undeclared-clock").replace(
        ";; prelude",
        r#"(import "sluice:policy/setup@0.2.0" "[method]descriptor.set-uses-time" (func $set-uses-time (param i32)))
        ;; prelude"#,
    );
    let prelude = guest("prelude").replace(
        "(call $set-summary",
        "(call $set-uses-time (local.get $descriptor)) (call $set-summary",
    );
    let wasm = build(&declared.replace(";; prelude", &prelude), "health-check");
    let (host, _folder) = host_with("clock", &wasm);
    assert_eq!(host.rejected(), []);
    let answer = host.health(&[], &[config("a")], now());
    assert_eq!(answer.problems, []);
    assert!(host.health_uses_time(&[], []));
}

#[test]
fn a_context_knows_its_cluster() {
    let (statuses, codes, message) = two_verdicts("where");
    assert_eq!(
        (statuses, codes, message.as_str()),
        (
            vec![HealthStatus::Suspended, HealthStatus::Suspended],
            vec![],
            "in-cluster"
        )
    );
}

#[test]
fn a_message_is_clean_and_short() {
    let (host, _folder) = host_with("hostile", &build(&guest("long-message"), "health-check"));
    let answer = host.health(&[], &[config("a")], now());
    let message = &answer.value.first().unwrap().message;
    // Its lines are kept; a table and a log make one line of them.
    assert!(message.starts_with("[31mred\nnext"), "{message:?}");
    assert!(
        message.len() <= 1030
            && !message
                .chars()
                .any(|letter| letter.is_control() && letter != '\n'),
        "{}",
        message.len()
    );
}

#[test]
fn a_flood_of_log_lines_is_cut_off() {
    struct Count(Arc<AtomicU32>);
    impl tracing::Subscriber for Count {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    let (host, _folder) = host_with("hostile", &build(&guest("log-flood"), "health-check"));
    let lines = Arc::new(AtomicU32::new(0));
    let answer = tracing::subscriber::with_default(Count(Arc::clone(&lines)), || {
        host.health(&[], &[config("a")], now())
    });
    assert_eq!(
        answer.value.first().map(|verdict| verdict.status),
        Some(HealthStatus::Healthy)
    );
    assert_eq!(lines.load(Ordering::Relaxed), 200);
}

#[test]
fn a_plugin_that_fails_again_and_again_rests() {
    let (host, _folder) = host_with("hostile", &build(&guest("loop"), "health-check"));
    let many: Vec<Object> = (0..50).map(|number| config(&number.to_string())).collect();
    let started = std::time::Instant::now();
    let answer = host.health(&[], &many, now());
    // Fifty times the limit would be ten seconds.
    assert!(
        started.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(
        answer
            .value
            .iter()
            .all(|verdict| verdict.status == HealthStatus::Unknown)
    );
    assert!(
        answer
            .value
            .last()
            .unwrap()
            .message
            .contains("not asked for another")
    );
    assert_eq!(
        answer
            .problems
            .iter()
            .map(|problem| problem.code.id)
            .collect::<Vec<_>>(),
        ["P10"]
    );
}
