//! `cargo xtask test`: every check and every test, one step after the other.
//!
//! A step that fails does not keep the others from running. The last line is `N passed, N failed`: the tests of all
//! steps together, and one more failure for every step that failed without a failing test. With `--within MINUTES` no step
//! begins once that time is over, and the steps that did not run are named.

mod checks;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    command::{cargo, root, run, run_reading},
    plugins, prerequisites, sandbox,
    steps::{seconds, step},
    stop, tidy,
};

/// The tests that need a cluster. They run last, and by themselves: they share one control plane.
const CLUSTER_TESTS: &str = "sluice-cluster-tests";

type Work = fn(&mut Counts) -> Result<()>;

/// Name, what it does, how. First what takes seconds, then what protects users' clusters, last what protects the source.
#[rustfmt::skip]
const STEPS: &[(&str, &str, Work)] = &[
    ("prerequisites", "get what this machine lacks: programs, a target, bundles of others", |_| prerequisites::all()),
    ("format", "rustfmt and gofmt would change nothing", |_| checks::format()),
    ("tidy", "headers, crate edges, import circles, frozen interfaces, empty docs", |_| tidy::run()),
    ("plugins", "build the standard plugins and the examples", |_| plugins::build()),
    ("test", "unit, golden, CLI, hostile-guest and example tests", workspace_tests),
    ("cluster", "the engine against a real Kubernetes", cluster_tests),
    ("guests", "the plugins' own unit and golden tests, on this machine's processor", guest_tests),
    ("clippy", "the workspace's lints, warnings are errors", |_| checks::clippy()),
    ("deny", "licences, bans, sources and advisories of all dependencies", |_| checks::deny()),
    ("doc", "the documentation builds without a warning", |_| checks::doc()),
];

/// Runs the steps of these names, or all; after `--within MINUTES`, those that can begin in that time.
pub(crate) fn run_steps(arguments: &[&str]) -> Result<()> {
    if arguments == ["--list"] {
        for (name, what, _) in STEPS {
            println!("{name:14} {what}");
        }
        return Ok(());
    }
    let (within, names) = time_box(arguments)?;
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|(known, ..)| known != *name))
    {
        bail!("no step is named `{unknown}`; `cargo xtask test --list` names them");
    }
    let start = Instant::now();
    let mut counts = Counts::default();
    let (mut failed, mut left_out) = (Vec::new(), Vec::new());
    for (name, what, work) in STEPS
        .iter()
        .filter(|(name, ..)| names.is_empty() || names.contains(name))
    {
        if start.elapsed() >= within {
            left_out.push(*name);
            continue;
        }
        let failures_before = counts.failed;
        if let Err(error) = step(name, what, || work(&mut counts)) {
            stop::check()?;
            println!("{error:#}");
            failed.push(*name);
            if counts.failed == failures_before {
                counts.failed += 1;
            }
        }
    }
    println!("\nall steps took {}", seconds(start.elapsed()));
    if !left_out.is_empty() {
        println!(
            "NOT RUN, because {} were over: {}",
            seconds(within),
            left_out.join(", ")
        );
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failed.into())
    }
}

/// Splits `--within MINUTES` off the arguments. Without it there is no limit.
fn time_box<'a>(arguments: &'a [&'a str]) -> Result<(Duration, &'a [&'a str])> {
    let ["--within", rest @ ..] = arguments else {
        return Ok((Duration::MAX, arguments));
    };
    let minutes = rest.first().and_then(|minutes| minutes.parse::<u32>().ok());
    match (minutes, rest) {
        (Some(minutes), [_, names @ ..]) => Ok((Duration::from_secs(60 * u64::from(minutes)), names)),
        _ => bail!("`--within` takes a number of minutes"),
    }
}

/// The tests have failed; everything was said already.
#[derive(Debug)]
pub(crate) struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not everything passed")
    }
}

impl std::error::Error for Failed {}

/// How many tests there were.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Runs a `cargo test` and adds up what its test programs report.
    fn cargo_test(&mut self, command: &mut Command) -> Result<()> {
        // Snapshots are compared, never written: a run that updates them cannot fail.
        command.env("INSTA_UPDATE", "no").env_remove("INSTA_FORCE_PASS");
        run_reading(command, |line| self.add(line))
    }

    /// Adds a closing line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |what: &str| -> u64 {
            let mut words = result
                .split([' ', ';'])
                .filter(|word| !word.is_empty())
                .peekable();
            while let Some(word) = words.next() {
                if words.peek() == Some(&what) {
                    return word.parse().unwrap_or(0);
                }
            }
            0
        };
        self.passed += count("passed");
        self.failed += count("failed");
    }
}

fn workspace_tests(counts: &mut Counts) -> Result<()> {
    let workspace = ["--workspace", "--exclude", CLUSTER_TESTS];
    counts.cargo_test(
        cargo()
            .args(["test", "--release", "--no-fail-fast"])
            .args(workspace),
    )
}

fn guest_tests(counts: &mut Counts) -> Result<()> {
    let renderers = root().join("renderers/guest");
    let mut result = run(Command::new("go").args(["test", "./..."]).current_dir(renderers));
    for manifest in checks::guest_workspaces()? {
        let mut command = cargo();
        command
            .args(["test", "--no-fail-fast", "--workspace", "--target-dir"])
            .arg(checks::guest_target());
        // All of them, also when the first fails.
        result = result.and(counts.cargo_test(command.arg("--manifest-path").arg(manifest)));
    }
    result
}

fn cluster_tests(counts: &mut Counts) -> Result<()> {
    sandbox::build()?;
    prerequisites::bundles()?;
    counts.cargo_test(cargo().args(["test", "--release", "--no-fail-fast", "--package", CLUSTER_TESTS]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], passed: u64, failed: u64) {
        let mut counts = Counts::default();
        for line in lines {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed, failed });
    }

    #[test]
    fn counts_of_all_programs_are_added() {
        check(
            &[
                "running 3 tests",
                "test a ... ok",
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.07s",
            ],
            13,
            2,
        );
    }

    #[test]
    fn a_time_box_is_a_number_of_minutes() {
        let none: [&str; 0] = [];
        assert_eq!(
            time_box(&["--within", "80"]).unwrap(),
            (Duration::from_secs(4800), &none[..])
        );
        let (within, names) = time_box(&["--within", "0", "tidy"]).unwrap();
        assert_eq!((within, names), (Duration::ZERO, &["tidy"][..]));
        assert_eq!(time_box(&["tidy"]).unwrap(), (Duration::MAX, &["tidy"][..]));
        assert!(time_box(&["--within"]).is_err() && time_box(&["--within", "soon"]).is_err());
    }

    #[test]
    fn other_lines_count_nothing() {
        check(
            &["7 passed; 3 failed", "test result", "test result: nonsense"],
            0,
            0,
        );
    }
}
