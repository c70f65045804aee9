//! The steps that look at the source without running it: format, lints, dependencies, documentation.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::{
    command::{answer, cargo, root, run, run_within},
    prerequisites, stop,
};

/// The advisories are in a Git repository that not every machine reaches.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the manifests of the workspaces that hold guests: the standard plugins, the renderer in Rust, and each example of one.
pub(super) fn guest_workspaces() -> Result<Vec<PathBuf>> {
    let mut manifests = vec![
        root().join("plugins/Cargo.toml"),
        root().join("renderers/jsonnet/Cargo.toml"),
    ];
    for entry in fs_err::read_dir(root().join("examples"))? {
        manifests.push(entry?.path().join("Cargo.toml"));
    }
    manifests.retain(|manifest| manifest.exists());
    manifests.sort();
    Ok(manifests)
}

/// Returns where guests are built for this machine's processor: beside the engine, which is another workspace.
pub(super) fn guest_target() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |set| root().join(set));
    target.join("guests")
}

pub(super) fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    for manifest in guest_workspaces()? {
        run(cargo()
            .args(["fmt", "--all", "--check", "--manifest-path"])
            .arg(manifest))?;
    }
    for module in ["renderers", "tests/controlplane", "tests/yaml/decoder"] {
        let mut gofmt = Command::new("gofmt");
        let unformatted = answer(gofmt.args(["-l", "."]).current_dir(root().join(module)));
        if let Some(files) = unformatted.filter(|files| !files.trim().is_empty()) {
            bail!(
                "gofmt would change {} in {module}",
                files.trim().replace('\n', ", ")
            );
        }
    }
    Ok(())
}

pub(super) fn clippy() -> Result<()> {
    const DENY_WARNINGS: [&str; 4] = ["--quiet", "--", "-D", "warnings"];
    run(cargo()
        .args(["clippy", "--release", "--workspace", "--all-targets"])
        .args(DENY_WARNINGS))?;
    for manifest in guest_workspaces()? {
        let mut command = cargo();
        command
            .args(["clippy", "--workspace", "--all-targets", "--manifest-path"])
            .arg(manifest);
        run(command
            .arg("--target-dir")
            .arg(guest_target())
            .args(DENY_WARNINGS))?;
    }
    Ok(())
}

pub(super) fn doc() -> Result<()> {
    let mut command = cargo();
    command.args(["doc", "--release", "--workspace", "--no-deps", "--quiet"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

pub(super) fn deny() -> Result<()> {
    let program = prerequisites::cargo_deny()?;
    let deny = |manifest: &PathBuf| {
        let mut command = Command::new(&program);
        command
            .args(["--workspace", "--config", ".cargo/deny.toml", "--manifest-path"])
            .arg(manifest);
        command
    };
    let engine = root().join("Cargo.toml");
    let guests = guest_workspaces()?;
    run(deny(&engine).args(["check", "bans", "licenses", "sources"]))?;
    for manifest in &guests {
        // The guests need little of what the engine is allowed.
        let mut check = deny(manifest);
        check.arg("check");
        for unneeded in [
            "license-exception-not-encountered",
            "license-not-encountered",
            "unmatched-skip",
            "unnecessary-skip",
        ] {
            check.args(["--allow", unneeded]);
        }
        run(check.args(["bans", "licenses", "sources"]))?;
    }
    // A database that cannot be fetched is no finding; one that can is.
    let mut fetch = deny(&engine);
    fetch
        .args(["--log-level", "off", "fetch", "db"])
        .env("GIT_TERMINAL_PROMPT", "0");
    if run_within(&mut fetch, FETCH_TIMEOUT).is_err() {
        stop::check()?;
        println!("the database of advisories cannot be reached from here: not checked");
        return Ok(());
    }
    for manifest in guests.iter().chain([&engine]) {
        run(deny(manifest).args(["--offline", "check", "advisories"]))?;
    }
    Ok(())
}
