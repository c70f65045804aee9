//! Many Applications of one chart, or of one base, beside Flux's controllers: how long until all are applied, and how long after a
//! commit. What is measured and what was found is in `README.md`.
//!
//! `cargo run --release -p sluice-bench-fleet -- --sluice PATH [--applications 100] [--runs 3] [--renderers helm,kustomize]` prints
//! one JSON line a measurement and, at the end, one with the medians for each contender. Flux's controllers are built first (Go, minutes,
//! once).
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod contender;
mod flux;
mod measurement;
mod repository;
mod sluice;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use contender::{Contender, Renderer};
use flux::{Flux, Workers};
use sluice::Sluice;

struct Arguments {
    sluice: PathBuf,
    applications: usize,
    runs: usize,
    renderers: Vec<Renderer>,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let mut sluice = None;
    let (mut applications, mut runs) = (100, 3);
    let mut renderers = vec![Renderer::Helm, Renderer::Kustomize];
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let value = given.next().with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--sluice" => sluice = Some(fs_err::canonicalize(value)?),
            "--applications" => applications = value.parse()?,
            "--runs" => runs = value.parse()?,
            "--renderers" => renderers = value.split(',').map(Renderer::named).collect::<Result<_>>()?,
            other => bail!("{other} is unknown; see the head of main.rs"),
        }
    }
    Ok(Arguments {
        sluice: sluice.context("--sluice PATH is needed")?,
        applications,
        runs,
        renderers,
    })
}

/// In turns, so that all see the same machine.
fn run(arguments: &Arguments) -> Result<()> {
    let contenders = contenders(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut measured = vec![Vec::new(); contenders.len()];
    for run in 1..=arguments.runs {
        for (contender, figures) in contenders.iter().zip(&mut measured) {
            let found = runtime
                .block_on(measurement::measure(contender.as_ref(), arguments.applications))
                .with_context(|| contender.label().to_string())?;
            println!("{}", line(contender.as_ref(), "run", run, &found));
            figures.push(found);
        }
    }
    for (contender, figures) in contenders.iter().zip(&measured) {
        let medians = medians(figures)?;
        println!(
            "{}",
            line(contender.as_ref(), "mediansOf", arguments.runs, &medians)
        );
    }
    Ok(())
}

fn contenders(arguments: &Arguments) -> Result<Vec<Box<dyn Contender>>> {
    let mut contenders: Vec<Box<dyn Contender>> = Vec::new();
    for &renderer in &arguments.renderers {
        contenders.push(Box::new(Sluice::new(arguments.sluice.clone(), renderer)));
        for workers in [Workers::Default, Workers::Many] {
            contenders.push(Box::new(Flux::build(renderer, workers)?));
        }
    }
    Ok(contenders)
}

fn line(contender: &dyn Contender, what: &str, number: usize, figures: &BTreeMap<String, f64>) -> Value {
    let mut line = contender.label();
    line[what] = number.into();
    let rounded = figures
        .iter()
        .map(|(name, figure)| (name, (figure * 100.0).round() / 100.0));
    line["figures"] = json!(rounded.collect::<BTreeMap<_, _>>());
    line
}

/// The median of each figure.
fn medians(figures: &[BTreeMap<String, f64>]) -> Result<BTreeMap<String, f64>> {
    let names = figures.first().context("no run")?.keys();
    names
        .map(|name| {
            let mut values: Vec<f64> = figures
                .iter()
                .filter_map(|figures| figures.get(name).copied())
                .collect();
            values.sort_by(f64::total_cmp);
            let median = values.get(values.len() / 2).copied().context("no figure")?;
            Ok((name.clone(), median))
        })
        .collect()
}
