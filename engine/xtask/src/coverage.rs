//! `cargo xtask coverage`: how much of the crates that decide is reached by tests that need no cluster.
//!
//! It builds them and their tests once more, with rustc's counters and without optimisation, in a folder of its own. Lines of tests
//! within the sources count too, as they do for every tool that uses these counters.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{answer, cargo, root, run};
use crate::steps::step;

/// The crates that decide, and do nothing else.
const CRATES: [&str; 5] = ["reconcile", "decide", "compare", "plan", "health"];
/// So many of a hundred lines are to be reached.
const AT_LEAST: f64 = 90.0;
/// Tests that ask a real API server.
const WITH_CLUSTER: [&str; 1] = ["settling"];

/// Measures, prints a line for each crate, and fails if one of them is below [`AT_LEAST`].
pub(crate) fn measure() -> Result<()> {
    let folder = root().join("target/coverage");
    let profiles = folder.join("profiles");
    if profiles.exists() {
        fs_err::remove_dir_all(&profiles)?;
    }
    let (merge, show) = (tool("llvm-profdata")?, tool("llvm-cov")?);
    let build = || {
        let mut build = cargo();
        build.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        build.args(
            CRATES
                .iter()
                .flat_map(|name| ["-p".to_owned(), format!("sluice-{name}")]),
        );
        build
            .env("CARGO_TARGET_DIR", &folder)
            .env("RUSTFLAGS", "-C instrument-coverage");
        build.env("LLVM_PROFILE_FILE", profiles.join("build-%p.profraw"));
        build
    };
    let tests: Vec<PathBuf> = step("build", "the crates that decide, with counters", || {
        run(build().stdout(Stdio::null()))?;
        let messages = answer(&mut build()).context("cargo does not name the tests that it built")?;
        Ok(messages.lines().filter_map(executable).collect())
    })?;
    step("run", "their tests", || {
        for test in &tests {
            let mut test = Command::new(test);
            test.env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"))
                .current_dir(root().join("engine"));
            run(&mut test)?;
        }
        Ok(())
    })?;
    let merged = folder.join("all.profdata");
    let recorded: Vec<PathBuf> = fs_err::read_dir(&profiles)?
        .map(|entry| Ok(entry?.path()))
        .filter(|path: &Result<PathBuf>| {
            path.as_ref()
                .is_ok_and(|path| !path.to_string_lossy().contains("build-"))
        })
        .collect::<Result<_>>()?;
    run(Command::new(merge)
        .args(["merge", "-sparse", "-o"])
        .arg(&merged)
        .args(recorded))?;
    let mut below = Vec::new();
    for name in CRATES {
        let lines = covered(&show, &merged, &tests, name)?;
        println!("{name:10} {lines:5.1} % of lines");
        if lines < AT_LEAST {
            below.push(name);
        }
    }
    match below.is_empty() {
        true => Ok(()),
        false => bail!("below {AT_LEAST} %: {}", below.join(", ")),
    }
}

/// Returns the test program that a line of cargo's messages names, if it needs no cluster.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let name = message.pointer("/target/name")?.as_str()?;
    let program = message.get("executable")?.as_str()?;
    (!WITH_CLUSTER.contains(&name)).then(|| PathBuf::from(program))
}

/// Returns how many of a hundred lines of a crate were reached.
fn covered(show: &Path, merged: &Path, tests: &[PathBuf], name: &str) -> Result<f64> {
    let mut export = Command::new(show);
    export
        .args(["export", "--summary-only", "--instr-profile"])
        .arg(merged);
    for test in tests {
        export.arg("--object").arg(test);
    }
    export
        .arg("--sources")
        .arg(root().join(format!("engine/{name}/src")));
    let text = answer(&mut export).context("llvm-cov did not answer")?;
    let summary: Value = serde_json::from_str(&text)?;
    summary
        .pointer("/data/0/totals/lines/percent")
        .and_then(Value::as_f64)
        .with_context(|| format!("llvm-cov says nothing of {name}"))
}

/// Returns the path of one of LLVM's tools, which rustup installs beside the compiler that they belong to.
fn tool(name: &str) -> Result<PathBuf> {
    let rustc = || Command::new("rustc");
    let sysroot = answer(rustc().args(["--print", "sysroot"])).context("there is no rustc")?;
    let host =
        answer(rustc().args(["--print", "host-tuple"])).context("rustc does not say what it is for")?;
    let path = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host.trim())
        .join("bin")
        .join(name);
    if !path.exists() {
        run(Command::new("rustup").args(["component", "add", "llvm-tools"]))
            .context("llvm-tools are missing: rustup installs them")?;
    }
    Ok(path)
}
