//! `cargo run --release -p sluice-yaml-tests -- FILES [SEED]`: compares so many files, and prints what must not be.
#![expect(clippy::print_stdout, reason = "a program of the command line")]

use anyhow::{Context as _, Result, ensure};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u64| match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("`{text}` is no number")),
        None => Ok(otherwise),
    };
    let (files, seed) = (number(100_000)?, number(1)?);
    let report = sluice_yaml_tests::run(seed, usize::try_from(files)?)?;
    for (what, file) in &report.findings {
        println!("{what}\n{file:?}\n");
    }
    println!("{report}");
    ensure!(report.findings.is_empty(), "not everything is read alike");
    Ok(())
}
