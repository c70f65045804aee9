//! Finds out what this machine lacks and installs it, where that is possible without asking anybody.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use sluice_sandbox::{cache_folder, download_bundles};

use crate::command::{answer, exists, run, run_within};
use crate::renderers;

/// A toolchain server that cannot be reached does not always say so.
const RUSTUP_TIMEOUT: Duration = Duration::from_secs(20);
const APT_TIMEOUT: Duration = Duration::from_secs(600);
const GO_TIMEOUT: Duration = Duration::from_secs(600);

/// Pinned, so that its answer changes only when we want it to.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Programs that tests and the demo call, and Debian's package of each.
const PROGRAMS: &[(&str, &str)] = &[
    ("git", "git"),
    ("gpg", "gnupg"),
    ("gpg-agent", "gpg-agent"),
    ("ssh-keygen", "openssh-client"),
    ("/usr/sbin/sshd", "openssh-server"),
    // Newer than many distributions have it; `go` gets itself the version that go.mod names.
    ("go", "golang-go"),
];

/// Debian's own compiler for WebAssembly, for where rustup's target cannot be had.
const WASM_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// A compiler of C for WebAssembly, which the renderer of the examples is made with.
const C_PACKAGES: &[&str] = &["clang-19", "lld-19"];

/// Makes sure that all is there that building and testing needs.
pub(crate) fn all() -> Result<()> {
    programs()?;
    wasm_target()?;
    c_compiler()?;
    bundles()
}

/// Makes sure that the programs which tests and the demo call are there.
pub(crate) fn programs() -> Result<()> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !exists(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        install(&missing)
    }
}

/// Makes sure that Rust can be compiled to WebAssembly: rustup's target, or Debian's compiler.
pub(crate) fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let libraries = answer(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    if libraries.is_some_and(|folder| Path::new(folder.trim()).exists()) || debian_compiler() {
        return Ok(());
    }
    if exists("rustup") {
        let added = run_within(
            Command::new("rustup").args(["target", "add", TARGET]),
            RUSTUP_TIMEOUT,
        );
        if added.is_ok() {
            return Ok(());
        }
        crate::stop::check()?;
        println!("rustup cannot get {TARGET} here; taking Debian's compiler for it");
    }
    install(WASM_PACKAGES)
}

/// Makes sure that C can be compiled to WebAssembly.
pub(crate) fn c_compiler() -> Result<()> {
    match renderers::c_compiler() {
        Some(_) => Ok(()),
        None => install(C_PACKAGES),
    }
}

/// Makes sure that the manifests of others are there which the cluster tests sync.
pub(crate) fn bundles() -> Result<()> {
    download_bundles(|download| {
        println!("getting the Go modules of tests/bundles, up to 36 MB, this once");
        run_within(download, GO_TIMEOUT)
    })
}

fn debian_compiler() -> bool {
    WASM_PACKAGES.iter().all(|package| {
        answer(Command::new("dpkg-query").args(["-W", "-f", "${Status}", package]))
            .is_some_and(|status| status.contains("install ok installed"))
    })
}

/// Returns cargo-deny, from the cache folder or built into it.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = cache_folder()?.join(format!("cargo-deny-{CARGO_DENY_VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.exists() {
        return Ok(program);
    }
    println!(
        "building cargo-deny {CARGO_DENY_VERSION} into {}, this once",
        folder.display()
    );
    let mut command = crate::command::cargo();
    command
        .args([
            "install",
            "--locked",
            "--quiet",
            "cargo-deny",
            "--version",
            CARGO_DENY_VERSION,
            "--root",
        ])
        .arg(&folder)
        .arg("--target-dir")
        .arg(folder.join("target"))
        // It runs for a second a time: what counts is how long it takes to build.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    run(&mut command)?;
    fs_err::remove_dir_all(folder.join("target")).ok();
    Ok(program)
}

/// Installs Debian packages.
fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !exists("apt-get") {
        bail!("missing: {names}. Install what provides them and run this again");
    }
    let root = answer(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    if !root {
        bail!("missing: {names}. Run `sudo apt-get install {names}` and run this again");
    }
    println!("installing {names}");
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .args(["-qq", "-o", "Dpkg::Use-Pty=0"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run_within(apt().arg("update"), APT_TIMEOUT).context("the package lists cannot be updated")?;
    run_within(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
        APT_TIMEOUT,
    )
    .with_context(|| format!("cannot install {names}"))
}
