//! What strangers' code may cost the compiler. This program is its own child, as `sluice` is: no test harness, which would take the
//! child's argument for the name of a test.
#![expect(clippy::print_stdout, reason = "it reports like a test harness")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use sluice_hostile::{build, module};
use sluice_model::Coded as _;
use sluice_plugin_host::{CHILD_ARGUMENT, Compiler, PluginHost};

fn main() -> ExitCode {
    if std::env::args()
        .nth(1)
        .is_some_and(|first| first == CHILD_ARGUMENT)
    {
        return sluice_plugin_host::serve(std::ffi::OsStr::new("policy"));
    }
    a_sound_plugin_compiles_in_the_child();
    the_child_says_what_is_wrong();
    damaged_files_are_refused_or_harmless();
    a_compile_bomb_hurts_nobody_else();
    println!("test result: ok. 4 passed");
    ExitCode::SUCCESS
}

/// Inspects a file as the engine does: compiled in the child.
fn inspect(wasm: &[u8]) -> Result<(), (String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("guest.wasm");
    fs_err::write(&file, wasm).expect("a file");
    let host = PluginHost::new(None, Compiler::Child);
    match host.inspect(&file) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.code().id.to_owned(), error.to_string())),
    }
}

fn guest(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    fs_err::read_to_string(folder.join(format!("{name}.wat"))).expect("the guest")
}

fn a_sound_plugin_compiles_in_the_child() {
    assert_eq!(inspect(&build(&guest("trap"), "health-check")), Ok(()));
}

fn the_child_says_what_is_wrong() {
    let check = |wasm: &[u8], code: &str, words: &str| {
        let (got, message) = inspect(wasm).expect_err("it is refused");
        assert_eq!(got, code, "{message}");
        assert!(message.contains(words), "{message}");
    };
    let invalid = guest("trap").replace("(result i32) unreachable)", "(result i32) (i64.const 1))");
    check(&build(&invalid, "health-check"), "P04", "type mismatch");
    check(&module(&guest("trap")), "P06", "which world");
    check(&build(&guest("trap"), "prune-policy"), "P06", "review");
}

/// Whatever the tools that wrap and compile make of a file, a code comes of it: some of these have them run out of stack.
fn damaged_files_are_refused_or_harmless() {
    let sound = build(&guest("trap"), "health-check");
    let mut refusals = Vec::new();
    for number in 0..150_usize {
        let mut wasm = sound.clone();
        // Spread over the file without any luck involved.
        let at = number * 7919 % wasm.len();
        if let Some(byte) = wasm.get_mut(at) {
            *byte ^= 1 << (number % 8);
        }
        let known = ["P04", "P05", "P06", "P08", "P12"];
        match inspect(&wasm) {
            Ok(()) => {}
            Err((code, message)) => {
                assert!(known.contains(&code.as_str()), "{code}: {message}");
                refusals.push(message);
            }
        }
    }
    let crashes = refusals
        .iter()
        .filter(|message| message.contains("crashes the compiler"))
        .count();
    println!(
        "150 damaged files: {} refused, {crashes} of them by a crash of the child",
        refusals.len()
    );
    assert!(refusals.len() > 75);
}

/// As many loops as locals that live through all of them: what has to be remembered at each loop grows with the square of the file.
fn a_compile_bomb_hurts_nobody_else() {
    const LOCALS: usize = 20_000;
    const LOOPS: usize = 20_000;
    let mut body = format!("(local{})\n", " i32".repeat(LOCALS));
    for local in 3..LOCALS {
        body.push_str(&format!("(local.set {local} (i32.load (i32.const {local})))\n"));
    }
    body.push_str(&"(loop (br_if 0 (local.get 0)))\n".repeat(LOOPS));
    for local in 3..LOCALS {
        body.push_str(&format!("(i32.store (i32.const 0) (local.get {local}))\n"));
    }
    let bomb = guest("trap").replace(
        "(result i32) unreachable)",
        &format!("(result i32) {body} unreachable)"),
    );
    let wasm = build(&bomb, "health-check");
    assert!(wasm.len() < 1 << 20, "{} bytes", wasm.len());
    let started = Instant::now();
    let (code, message) = inspect(&wasm).expect_err("it is refused");
    println!(
        "a file of {} bytes: {message} after {:?}",
        wasm.len(),
        started.elapsed()
    );
    assert_eq!(code, "P04");
    assert!(message.contains("1024 MiB"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(70));
}
