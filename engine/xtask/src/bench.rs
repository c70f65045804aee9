//! `cargo xtask bench`: measures what the project promises to be fast at.

use anyhow::Result;

use crate::{
    command::{cargo, run},
    plugins, prerequisites,
    steps::step,
};

/// Builds the guests and runs the benchmarks of `tests/bench`.
pub(crate) fn run_all(arguments: &[&str]) -> Result<()> {
    prerequisites::wasm_target()?;
    step("plugins", "build the standard plugins", plugins::build)?;
    step("bench", "measure, and compare with what is promised", || {
        run(cargo()
            .args(["run", "--release", "--quiet", "--package", "sluice-bench", "--"])
            .args(arguments))
    })
}
