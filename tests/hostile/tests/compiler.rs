//! What strangers' code may cost the compiler. This program is its own child, as `sluice` is: no test harness, which would take the
//! child's argument for the name of a test.
#![expect(clippy::print_stdout, reason = "it reports like a test harness")]

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sluice_hostile::{build, module};
use sluice_model::Coded as _;
use sluice_plugin_host::{CHILD_ARGUMENT, Compiler, PluginHost, Workplace};

fn main() -> ExitCode {
    if std::env::args()
        .nth(1)
        .is_some_and(|first| first == CHILD_ARGUMENT)
    {
        return sluice_plugin_host::serve(std::env::args_os().skip(2));
    }
    a_sound_plugin_compiles_in_the_child();
    the_child_says_what_is_wrong();
    damaged_files_are_refused_or_harmless();
    what_was_compiled_is_kept();
    a_plugin_that_takes_long_serves_soon_and_well_later();
    a_compile_bomb_hurts_nobody_else();
    println!("test result: ok. 6 passed");
    ExitCode::SUCCESS
}

/// Inspects a file as the engine does: compiled in the child.
fn inspect(wasm: &[u8]) -> Result<(), (String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("guest.wasm");
    fs_err::write(&file, wasm).expect("a file");
    let host = PluginHost::new(None, Compiler::Child(Workplace::default()));
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

/// Everything that was compiled and is kept in a folder.
fn images(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "image"))
        .collect()
}

fn what_was_compiled_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cache, file) = (folder.path().join("compiled"), folder.path().join("guest.wasm"));
    fs_err::write(&file, build(&guest("trap"), "health-check")).expect("a file");
    let inspect = || {
        let workplace = Workplace {
            cache: Some(cache.clone()),
            is_quick_first: false,
        };
        let host = PluginHost::new(None, Compiler::Child(workplace));
        host.inspect(&file).map(drop).expect("it is sound");
        images(&cache)
    };
    let kept = inspect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let image = fs_err::read(&kept[0]).expect("what is kept");
    let inode = || {
        let known = fs_err::metadata(&kept[0]).expect("it is there");
        known.ino()
    };
    let first = inode();
    assert_eq!(inspect(), kept);
    assert_eq!(inode(), first, "it was compiled again");
    // Damaged: compiled again, and kept again.
    let mut damaged = image.clone();
    damaged[image.len() / 2] ^= 1;
    fs_err::write(&kept[0], &damaged).expect("a file");
    assert_eq!(inspect(), kept);
    assert_ne!(fs_err::read(&kept[0]).expect("what is kept"), damaged);
}

/// A file of 1 MiB and more is compiled quickly first.
fn a_plugin_that_takes_long_serves_soon_and_well_later() {
    let work = "(drop (i32.mul (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))".repeat(60);
    let functions = format!("(func (param $at i32) {work})").repeat(2_000);
    let long = guest("trap").replace(";; prelude", &format!(";; prelude\n{functions}"));
    let wasm = build(&long, "health-check");
    assert!(wasm.len() > 1 << 20, "{} bytes", wasm.len());
    let folder = tempfile::tempdir().expect("a folder");
    let (cache, plugins) = (folder.path().join("compiled"), folder.path().join("plugins"));
    fs_err::create_dir(&plugins).expect("a folder");
    fs_err::write(plugins.join("long.wasm"), &wasm).expect("a file");
    let workplace = Workplace {
        cache: Some(cache.clone()),
        is_quick_first: true,
    };
    let started = Instant::now();
    let host = PluginHost::new(Some(plugins), Compiler::Child(workplace));
    let serves = || host.list().value.iter().any(|plugin| plugin.name == "long");
    assert!(serves(), "{:?}", host.rejected());
    let soon = started.elapsed();
    assert!(images(&cache).is_empty(), "only what is compiled well is kept");
    while images(&cache).is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "it is never compiled well"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    println!(
        "a file of {} bytes serves after {soon:?}, and well after {:?}",
        wasm.len(),
        started.elapsed()
    );
    // Nobody is told that it serves: it did before.
    assert!(host.rescan().is_empty());
    assert!(serves());
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
