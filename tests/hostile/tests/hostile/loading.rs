//! Files that never get as far as being asked.

use sluice_hostile::{build, module};
use sluice_model::health::HealthStatus;
use sluice_plugin_host::{Inspected, PluginHost};

use crate::{config, deployment, guest, host_with, now};

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
    refused(&vec![0; (32 << 20) + 1], "P04", "more than the 32 MiB");
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
    let half = r#"(component (instance $i) (export "sluice:policy/health@0.2.0" (instance $i)))"#;
    refused(
        &wat::parse_str(half).unwrap(),
        "P06",
        "sluice:policy/plugin@0.2.0",
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
    let other = r#"(component (import "sluice:policy/secrets@0.2.0" (instance)))"#;
    refused(
        &wat::parse_str(other).unwrap(),
        "P05",
        "sluice:policy/secrets@0.2.0",
    );
    // A later minor version may mean anything.
    let newer = r#"(component (import "sluice:policy/objects@0.3.0" (instance)))"#;
    refused(
        &wat::parse_str(newer).unwrap(),
        "P05",
        "sluice:policy/objects@0.3.0",
    );
}

/// Plugins of a newer version of the package are taken, as long as they want nothing that is new in it.
#[test]
fn what_an_engine_is_too_old_for_is_named() {
    let newer = |function: &str| {
        let text = format!(
            r#"(component
                 (import "sluice:policy/changes@0.2.1" (instance
                   (export "change" (type $change (sub resource)))
                   (export "[method]change.{function}" (func (param "self" (borrow $change)))))) 
                 (instance $i)
                 (export "sluice:policy/plugin@0.2.1" (instance $i))
                 (export "sluice:policy/sync@0.2.1" (instance $i)))"#
        );
        wat::parse_str(text).unwrap()
    };
    refused(&newer("set-colour"), "P06", "set-colour");
    // What it imports is there; it is refused for what it lacks itself.
    refused(&newer("set-part"), "P06", "describe");
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
    check("many-claims", "more than 1000 claims");
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
    let Ok(Inspected::Policy(info)) = host.inspect(&folder.path().join("fickle.wasm")) else {
        panic!("it answers for a policy");
    };
    assert_eq!(info.summary, "first");
    host.rescan();
    assert_eq!(summary(&host), "first");
}
