//! `cargo xtask demo`: the engine at work on `examples/guestbook`, in a cluster made for it.
//!
//! Everything in it is real: gpg makes the key, `git http-backend` serves the repository, Kubernetes runs (kwok plays node
//! and pods), and the engine is the `sluice` that ships. For each step the demo says what it does, what is expected and
//! what it saw; it ends with success only if all was seen. `stage` starts everything, `acts` are the steps.

mod acts;
mod narrator;
mod plugin_act;
mod render_acts;
mod stage;
mod trust_acts;

use std::time::Instant;

use anyhow::Result;

use crate::{
    command::{self, cargo},
    plugins, prerequisites, sandbox,
    steps::{seconds, step},
};

/// What becomes of everything when the last step was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It is stopped and removed.
    Remove,
    /// It stays until Ctrl-C.
    Keep,
}

/// Builds what is needed and shows the steps.
pub(crate) fn run(afterwards: Afterwards) -> Result<()> {
    let start = Instant::now();
    step(
        "prerequisites",
        "install what this machine lacks",
        prerequisites::all,
    )?;
    step(
        "plugins",
        "build the standard plugins and the example of one",
        plugins::build,
    )?;
    step("engine", "build `sluice`", || command::run(&mut build_engine()))?;
    let plane = sandbox::build()?;
    let mut stage = step(
        "stage",
        "start a Kubernetes, a Git server and a gpg of our own",
        || stage::Stage::set(&plane),
    )?;

    let shown = acts::all(&mut stage);
    if let Err(error) = shown {
        stage.explain_failure();
        return Err(error);
    }
    println!("\nAll of it was seen, in {}.", seconds(start.elapsed()));
    if afterwards == Afterwards::Keep {
        stage.keep()?;
    }
    step("clean up", "stop everything and remove every file", || {
        drop(stage);
        Ok(())
    })
}

/// Returns the command that builds the engine: with the features of the whole workspace, so that nothing is built twice.
pub(crate) fn build_engine() -> std::process::Command {
    let mut command = cargo();
    command.args(["build", "--release", "--workspace", "--bin", "sluice"]);
    command
}
