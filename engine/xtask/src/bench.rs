//! `cargo xtask bench`: measures what the project promises to be fast at.

use std::process::Command;

use anyhow::Result;

use crate::{
    command::{cargo, run},
    plugins, prerequisites,
    steps::step,
};

/// Builds what is measured, and runs the benchmarks of `tests/bench`. Each prints one JSON line a figure; that of the plugin
/// host and that of the whole engine fail where a figure is above its promise. On a busy machine they will.
pub(crate) fn run_all() -> Result<()> {
    prerequisites::wasm_target()?;
    prerequisites::c_compiler()?;
    step("plugins", "build the standard plugins", plugins::build)?;
    step(
        "build",
        "the engine and the benchmarks, with the workspace's features",
        || run(cargo().args(["build", "--release", "--workspace", "--bins"])),
    )?;
    // Built into the folder that this program was built into.
    let program = |name: &str| -> Result<_> { Ok(std::env::current_exe()?.with_file_name(name)) };
    // One that runs the engine's program as well.
    let beside = |name: &str| {
        let sluice = program("sluice")?;
        run(Command::new(program(name)?).arg("--sluice").arg(sluice))
    };
    step("stages", "comparing and planning", || {
        run(&mut Command::new(program("sluice-bench-compare")?))
    })?;
    step(
        "verify",
        "histories of signed commits, cloned, fetched and verified, beside git with gpg",
        || beside("sluice-bench-verify"),
    )?;
    step(
        "plugins",
        "health checks, in a batch and afresh, and `sluice health` as a process",
        || beside("sluice-bench-plugin-host"),
    )?;
    step(
        "health",
        "health checks beside those of Argo CD and Flux; building theirs takes minutes",
        || run(&mut Command::new(program("sluice-bench-health")?)),
    )?;
    step(
        "render",
        "charts and overlays, beside helm and kustomize, and renderings that were made before",
        || beside("sluice-bench-render"),
    )?;
    step(
        "fleet",
        "100 Applications beside Flux, half an hour; building its controllers takes minutes",
        || beside("sluice-bench-fleet"),
    )?;
    step(
        "sync",
        "a sync on a real control plane, beside its peers, and memory",
        || {
            run(Command::new(program("sluice-bench-sync")?).args([
                "--objects",
                "1000,5000",
                "--memory",
                "10000",
                "--peers",
            ]))
        },
    )?;
    step(
        "engine",
        "100 and 300 Applications on a control plane of their own",
        || {
            run(Command::new(program("sluice-bench-engine")?)
                .arg("--sluice")
                .arg(program("sluice")?))
        },
    )
}
