//! Every way to fail, with its code; that others go on; and that no failure adds a deletion.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use sluice_hostile::{build, module};
use sluice_model::decision::{Occasion, PruneVerdict};
use sluice_model::health::HealthStatus;
use sluice_model::plan::ApplicationKey;
use sluice_model::{Coded as _, Object};
use sluice_plugin_host::{Census, Change, PluginHost, PruneContext, SyncContext};

fn guest(name: &str) -> String {
    fs_err::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("guests")
            .join(format!("{name}.wat")),
    )
    .unwrap()
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn config(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}))
}

fn deployment() -> Object {
    object(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"paused": true}}),
    )
}

fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A host whose plugin directory holds one file.
fn host_with(name: &str, wasm: &[u8]) -> (PluginHost, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join(format!("{name}.wasm")), wasm).unwrap();
    (PluginHost::with_directory(folder.path()), folder)
}

/// Asserts that a file is refused, with this code, when it is loaded; and that nobody else is hurt.
#[track_caller]
fn refused(wasm: &[u8], code: &str, words: &str) {
    let (host, _folder) = host_with("hostile", wasm);
    let rejected = host.rejected();
    let problem = &rejected.first().expect("the file is refused").problem;
    assert_eq!(problem.code.id, code, "{}", problem.message);
    assert!(problem.message.contains(words), "{}", problem.message);
    let answer = host.health(&[], &[deployment(), config("c")], now());
    assert_eq!(answer.problems, []);
    assert_eq!(
        answer
            .value
            .iter()
            .map(|verdict| verdict.status)
            .collect::<Vec<_>>(),
        [HealthStatus::Suspended, HealthStatus::Healthy]
    );
}

#[test]
fn what_is_no_webassembly_is_refused() {
    refused(b"#!/bin/sh\nrm -rf /\n", "P04", "no WebAssembly");
    refused(b"", "P04", "no WebAssembly");
    refused(b"\0asm\x01\0\0\0\x07", "P04", "");
    refused(b"\0asm\x0d\0\x01\0\xff\xff", "P04", "");
    let mut cut = build(&guest("trap"), "health-check");
    cut.truncate(cut.len() / 2);
    refused(&cut, "P04", "");
    refused(&vec![0; 9 << 20], "P04", "at most 8388608");
}

#[test]
fn code_that_is_invalid_is_refused() {
    // An i64 where an i32 is due: it parses, and does not validate.
    let text = guest("trap").replace("(result i32) unreachable)", "(result i32) (i64.const 1))");
    refused(&build(&text, "health-check"), "P04", "type mismatch");
}

#[test]
fn a_plugin_of_no_world_or_of_another_one_is_refused() {
    refused(&module(&guest("trap")), "P06", "which world");
    refused(&wat::parse_str("(component)").unwrap(), "P06", "exports nothing");
    // It says that it is a prune policy, and is a health check.
    refused(&build(&guest("trap"), "prune-policy"), "P06", "review");
    let half = r#"(component (instance $i) (export "sluice:policy/health@0.1.0" (instance $i)))"#;
    refused(
        &wat::parse_str(half).unwrap(),
        "P06",
        "sluice:policy/plugin@0.1.0",
    );
}

#[test]
fn what_is_not_granted_is_named_and_refused_before_it_runs() {
    refused(&module(&guest("wasi")), "P05", "wasi_snapshot_preview1#fd_write");
    let clock = r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64))))))"#;
    refused(
        &wat::parse_str(clock).unwrap(),
        "P05",
        "wasi:clocks/monotonic-clock@0.2.0",
    );
    let other = r#"(component (import "sluice:policy/secrets@0.1.0" (instance)))"#;
    refused(
        &wat::parse_str(other).unwrap(),
        "P05",
        "sluice:policy/secrets@0.1.0",
    );
    // A later minor version may mean anything.
    let newer = r#"(component (import "sluice:policy/objects@0.2.0" (instance)))"#;
    refused(
        &wat::parse_str(newer).unwrap(),
        "P05",
        "sluice:policy/objects@0.2.0",
    );
}

#[test]
fn what_does_not_start_or_describe_itself_is_refused() {
    refused(&build(&guest("start-trap"), "health-check"), "P08", "unreachable");
    refused(
        &build(&guest("describe-trap"), "health-check"),
        "P08",
        "unreachable",
    );
    refused(&build(&guest("start-loop"), "health-check"), "P10", "200 ms");
    refused(&build(&guest("bad-schema"), "health-check"), "P12", "schema");
    refused(&build(&guest("vast-memory"), "health-check"), "P11", "64 MiB");
}

#[test]
fn what_says_too_much_of_itself_is_refused() {
    let check = |name: &str, words: &str| refused(&build(&guest(name), "health-check"), "P12", words);
    check("many-claims", "1001 claims; at most 1000");
    check("odd-claim", "names no kind");
    check("endless-schema", "refers to itself");
}

#[test]
fn a_plugin_cannot_say_something_else_of_itself_later() {
    let wasm = build(&guest("fickle-describe"), "health-check");
    let (host, folder) = host_with("fickle", &wasm);
    let summary = |host: &PluginHost| {
        host.list()
            .value
            .into_iter()
            .find(|info| info.name == "fickle")
            .unwrap()
            .summary
    };
    assert_eq!(summary(&host), "first");
    assert_eq!(
        host.inspect(&folder.path().join("fickle.wasm")).unwrap().summary,
        "first"
    );
    host.rescan();
    assert_eq!(summary(&host), "first");
}

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
    fails("forged-handle", "P12", "");
}

#[test]
fn a_plugin_may_say_that_it_cannot_tell() {
    fails("guest-error", "P13", "`assess` says: no way");
}

#[test]
fn settings_that_a_plugin_refuses_are_named() {
    fails("refuses-settings", "P07", "`/kind`: hostile");
}

#[test]
fn a_lent_object_is_lent() {
    fails("kept-handle", "P12", "borrow handles still remain");
    fails("dropped-handle", "P12", "unknown handle index");
}

#[test]
fn a_message_is_one_clean_line() {
    let (host, _folder) = host_with("hostile", &build(&guest("long-message"), "health-check"));
    let answer = host.health(&[], &[config("a")], now());
    let message = &answer.value.first().unwrap().message;
    assert!(message.starts_with("[31mred next"), "{message:?}");
    assert!(
        message.len() <= 1030 && !message.chars().any(char::is_control),
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

fn prune_context() -> PruneContext {
    PruneContext {
        now: now(),
        occasion: Occasion::Sync,
        application: ApplicationKey {
            namespace: "n".into(),
            name: "a".into(),
        },
        owned: Census::default(),
        desired: Census::default(),
        options: Vec::new(),
    }
}

fn verdicts(host: &PluginHost) -> (Vec<&'static str>, Vec<&'static str>) {
    let held = object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "annotations": {"sluice.dev/prune": "hold"}}}),
    );
    let answer = host.prune(
        &[],
        &[config("a").into(), held.into(), deployment().into()],
        &prune_context(),
    );
    let word = |verdict: &PruneVerdict| match verdict {
        PruneVerdict::Delete => "delete",
        PruneVerdict::Hold { .. } => "hold",
        PruneVerdict::Keep { .. } => "keep",
    };
    let words = answer
        .value
        .iter()
        .map(|decision| word(&decision.verdict))
        .collect();
    (
        words,
        answer.problems.iter().map(|problem| problem.code.id).collect(),
    )
}

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
    check("prune-trap", "P09");
    check("prune-loop", "P10");
    check("prune-too-many", "P12");
    check("prune-none", "P12");
    check("prune-error", "P13");
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
    for (name, code) in [("sync-trap", "P09"), ("sync-none", "P12")] {
        let (host, _folder) = host_with("hostile", &build(&guest(name), "sync-policy"));
        let context = SyncContext {
            now: now(),
            application: None,
            options: Vec::new(),
        };
        let answer = host.sync(&[], &[config("a").into(), deployment().into()], &context);
        let holds: Vec<bool> = answer
            .value
            .iter()
            .map(|decision| decision.hold.is_some())
            .collect();
        assert_eq!(holds, [true, false], "{name}");
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
fn a_broken_file_leaves_the_old_version_serving() {
    let good = guest("trap")
        .replace(
            "(result i32) unreachable)",
            "(result i32) (call $drop (local.get 0)) (i32.const 200))",
        )
        .replace(
            ";; prelude",
            ";; prelude\n  (data (i32.const 200) \"\\00\\00\\00\\00\\02\")",
        );
    let good = build(&good, "health-check");
    let (host, folder) = host_with("team", &good);
    let status = |host: &PluginHost| {
        host.health(&[], &[config("a")], now())
            .value
            .first()
            .map(|verdict| verdict.status)
    };
    assert_eq!(status(&host), Some(HealthStatus::Suspended));
    assert_eq!(host.rescan(), []);

    fs_err::write(folder.path().join("team.wasm"), b"broken").unwrap();
    let changes = host.rescan();
    let [Change::Rejected(rejected)] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!((rejected.problem.code.id, rejected.still_serving), ("P04", true));
    assert_eq!(status(&host), Some(HealthStatus::Suspended));
    assert_eq!(host.rejected().len(), 1);

    // What is put right serves, and what is removed is gone.
    let better = guest("trap")
        .replace(
            "(result i32) unreachable)",
            "(result i32) (call $drop (local.get 0)) (i32.const 200))",
        )
        .replace(
            ";; prelude",
            ";; prelude\n  (data (i32.const 200) \"\\00\\00\\00\\00\\03\")",
        );
    fs_err::write(folder.path().join("team.wasm"), build(&better, "health-check")).unwrap();
    assert!(matches!(host.rescan().as_slice(), [Change::Serving { .. }]));
    assert_eq!(status(&host), Some(HealthStatus::Progressing));
    assert_eq!(host.rejected(), []);
    fs_err::remove_file(folder.path().join("team.wasm")).unwrap();
    assert!(matches!(host.rescan().as_slice(), [Change::Removed { .. }]));
    assert_eq!(status(&host), Some(HealthStatus::Healthy));
}

#[test]
fn a_standard_plugin_is_replaced_by_a_file_of_its_name_and_kind() {
    let prune = build(&guest("prune-delete-all"), "prune-policy");
    let (host, _folder) = host_with("health-kubernetes", &prune);
    assert_eq!(
        host.rejected().first().map(|rejected| rejected.problem.code.id),
        Some("P06")
    );
    assert_eq!(
        host.health(&[], &[deployment()], now())
            .value
            .first()
            .map(|verdict| verdict.status),
        Some(HealthStatus::Suspended)
    );

    let (host, _folder) = host_with("prune-standard", &prune);
    assert_eq!(host.rejected(), []);
    // It claims ConfigMaps alone: on the Deployment nobody has an opinion, and that is held.
    assert_eq!(verdicts(&host).0, ["delete", "delete", "hold"]);
}

#[test]
fn a_folder_that_is_not_there_is_named_and_the_standard_plugins_serve() {
    let folder = tempfile::tempdir().unwrap();
    let host = PluginHost::with_directory(folder.path().join("none"));
    assert_eq!(
        host.rejected().first().map(|rejected| rejected.problem.code.id),
        Some("P01")
    );
    assert_eq!(
        host.health(&[], &[deployment()], now())
            .value
            .first()
            .map(|verdict| verdict.status),
        Some(HealthStatus::Suspended)
    );
}

/// What is called like a plugin and is none is named, and holds up nobody.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let good = build(&guest("fickle-describe"), "health-check");
    fs_err::write(path("real"), &good).unwrap();
    fs_err::create_dir(path("folder.wasm")).unwrap();
    fs_err::os::unix::fs::symlink(path("nothing"), path("dangling.wasm")).unwrap();
    fs_err::os::unix::fs::symlink(path("circle.wasm"), path("circle.wasm")).unwrap();
    fs_err::os::unix::fs::symlink("/dev/zero", path("endless.wasm")).unwrap();
    fs_err::os::unix::fs::symlink(path("real"), path("linked.wasm")).unwrap();
    fs_err::write(path("prune-standard@x.wasm"), &good).unwrap();
    fs_err::write(path("new\nline.wasm"), &good).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(path("pipe.wasm"))
        .status()
        .unwrap();
    assert!(pipe.success());

    let host = PluginHost::with_directory(folder.path());
    let mut refused: Vec<(String, &str)> = host
        .rejected()
        .into_iter()
        .map(|rejected| (rejected.problem.plugin, rejected.problem.code.id))
        .collect();
    refused.sort();
    let names = [
        "circle",
        "dangling",
        "endless",
        "folder",
        "new line",
        "pipe",
        "prune-standard@x",
    ];
    assert_eq!(refused, names.map(|name| (name.to_owned(), "P01")));
    assert_eq!(verdicts(&host), (vec!["delete", "hold", "delete"], vec![]));
    let list = host.list();
    assert!(list.value.iter().any(|info| info.name == "linked"));
    assert_eq!(host.rescan(), []);
    // Looked at by itself, it is refused as well.
    assert_eq!(host.inspect(&path("pipe.wasm")).unwrap_err().code().id, "P01");
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

#[test]
fn every_code_has_a_hint() {
    for code in sluice_plugin_host::codes::ALL {
        assert!(code.id.starts_with('P') && !code.summary.is_empty() && !code.hint.is_empty());
    }
    let error = PluginHost::standard()
        .inspect(Path::new("/nonexistent/x.wasm"))
        .unwrap_err();
    assert_eq!(error.code().id, "P01");
}
