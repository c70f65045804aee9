//! How long verifying a history takes, beside `git` with `gpg`; and a clone and a fetch, beside `git`.
//!
//! `cargo run --release -p sluice-bench-verify -- --sluice PATH` makes three histories of 1,000 signed commits with gpg
//! (Ed25519, RSA-2048, RSA-4096), which takes minutes, and measures both sides in turn. It prints one JSON line a
//! measurement, with every raw figure: seconds on the wall and seconds of processors, of whole processes where it says so.
//! Beside the promised factors it says whether they were met, and it fails where one was not. `--histories DIR` keeps the
//! histories for the next run, `--commits N` makes shorter ones. Figures that were measured are kept in `runs/`.
//!
//! Nothing is measured twice in one process but what is meant to be: sequoia remembers a signature that it has verified.

mod histories;
mod transfer;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use serde_json::json;
use sluice_model::application::VerificationMode;
use sluice_model::trust::{History, Verdict};
use sluice_source::Repository;
use sluice_verify::{Keyring, Ledger, Policy, Request, Verifier};

use histories::Signed;

/// How often our side is measured.
const ROUNDS: usize = 9;
/// How often git's is, which takes seconds each.
const GIT_ROUNDS: usize = 3;
/// What a second look may take, in seconds.
const SECOND_LOOK: f64 = 0.005;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program for a terminal")]
fn complain(text: &str) {
    eprintln!("{text}");
}

/// What was typed.
struct Arguments {
    sluice: PathBuf,
    histories: Option<PathBuf>,
    commits: usize,
}

fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, cache, url] = arguments.as_slice()
        && verb == "fetch"
    {
        return transfer::fetch(Path::new(cache), url).map(|()| true);
    }
    let mut parsed = Arguments {
        sluice: PathBuf::from("target/release/sluice"),
        histories: None,
        commits: 1_000,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().context("every option has a value")?;
        match word.as_str() {
            "--sluice" => parsed.sluice = value.into(),
            "--histories" => parsed.histories = Some(value.into()),
            "--commits" => parsed.commits = value.parse()?,
            other => {
                bail!("{other}? usage: sluice-bench-verify --sluice PATH [--histories DIR] [--commits N]")
            }
        }
    }
    let folder = sluice_sandbox::Folder::new("bench-verify")?;
    let kept = parsed
        .histories
        .clone()
        .unwrap_or_else(|| folder.path().to_owned());
    let mut report = Report::default();
    report.note(&parsed)?;
    let mut newest = None;
    for (algorithm, factor) in [("ed25519", 30.0), ("rsa2048", 30.0), ("rsa4096", 15.0)] {
        complain(&format!("{algorithm}: {} signed commits", parsed.commits));
        let signed = Signed::make(&kept.join(algorithm), algorithm, parsed.commits)?;
        history(&mut report, &parsed, &signed, algorithm, factor)?;
        newest = Some(signed);
    }
    if let Some(signed) = newest {
        transfer::measure(&mut report, &signed)?;
    }
    Ok(report.all_met)
}

/// Seconds on the wall, and of processors where it is about processes.
#[derive(Debug, Clone, Copy)]
struct Took {
    wall: f64,
    cpu: f64,
}

/// What was measured, a line each.
#[derive(Default)]
struct Report {
    all_met: bool,
    is_begun: bool,
}

impl Report {
    #[expect(clippy::print_stdout, reason = "the figures are what it is for")]
    fn line(&mut self, line: &serde_json::Value) {
        println!("{line}");
    }

    fn note(&mut self, arguments: &Arguments) -> Result<()> {
        let load = fs_err::read_to_string("/proc/loadavg").unwrap_or_default();
        let version = |program: &str| -> Result<String> {
            let said = sluice_sandbox::output(Command::new(program).arg("--version"))?;
            Ok(said.lines().next().unwrap_or_default().to_owned())
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.line(
            &json!({"about": {"commits": arguments.commits, "cores": cores, "load": load.trim(),
            "git": version("git")?, "gpg": version("gpg")?, "at": Timestamp::now().to_string()}}),
        );
        Ok(())
    }

    fn figures(&mut self, what: &str, took: &[Took]) -> Took {
        let middle = |of: fn(&Took) -> f64| {
            let mut all: Vec<f64> = took.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let median = Took {
            wall: middle(|took| took.wall),
            cpu: middle(|took| took.cpu),
        };
        let walls: Vec<f64> = took.iter().map(|took| round(took.wall)).collect();
        let cpus: Vec<f64> = took.iter().map(|took| round(took.cpu)).collect();
        self.line(&json!({"measured": what, "unit": "s", "median": {"wall": round(median.wall), "cpu": round(median.cpu)},
            "wall": walls, "cpu": cpus}));
        median
    }

    fn promise(&mut self, what: &str, got: f64, promised: f64, is_met: bool) {
        self.all_met = is_met && (self.all_met || !self.is_begun);
        self.is_begun = true;
        self.line(&json!({"promised": what, "at": promised, "got": round(got), "met": is_met}));
    }
}

fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

fn history(
    report: &mut Report,
    arguments: &Arguments,
    signed: &Signed,
    algorithm: &str,
    factor: f64,
) -> Result<()> {
    let count = arguments.commits;
    let (mut by_git, mut by_us) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round % (ROUNDS / GIT_ROUNDS) == 0 {
            by_git.push(git(signed, count)?);
        }
        by_us.push(sluice(arguments, signed, None)?);
    }
    let git = report.figures(
        &format!("{algorithm}: git rev-list --format=%G? with gpg, a process"),
        &by_git,
    );
    let ours = report.figures(&format!("{algorithm}: sluice verify --all, a process"), &by_us);
    let got = git.wall / ours.wall;
    report.promise(
        &format!("{algorithm}: times as fast as git with gpg, on the wall"),
        got,
        factor,
        got >= factor,
    );

    let repository = Repository::open_local(&signed.repository)?;
    let revision = repository.resolve("main")?;
    let history = History {
        head: repository.object(&revision.commit)?,
        tag: None,
        commits: repository.ancestry(&revision, count + 1)?,
        boundary: Vec::new(),
        last_trusted_is_ancestor: true,
    };
    let keyring = Keyring::from_path(&signed.keys)?;
    let policy = Policy::default();
    let request = Request {
        mode: VerificationMode::Chain,
        whole: true,
        ..Request::default()
    };
    let mut ledger = Ledger::default();
    let first = wall(|| {
        let verifier = Verifier::new(&keyring, &policy, Timestamp::now());
        let findings = verifier.examine(&history, &request, &repository)?;
        ensure!(
            findings.trusted() == Some(revision.commit.as_str()),
            "all is trusted"
        );
        ensure!(findings.reports.len() == count, "each is judged");
        verifier.remember(&findings, &mut ledger);
        Ok(())
    })?;
    report.figures(
        &format!("{algorithm}: examine, the first look, in the process"),
        &[first],
    );
    let written = ledger.to_json();
    let seconds: Vec<Took> = (0..ROUNDS)
        .map(|_| {
            wall(|| {
                let ledger = Ledger::from_json(&written)?;
                let verifier = Verifier::new(&keyring, &policy, Timestamp::now()).with_ledger(&ledger);
                let findings = verifier.examine(&history, &request, &repository)?;
                ensure!(findings.trusted().is_some(), "all is trusted");
                ensure!(
                    findings
                        .reports
                        .iter()
                        .all(|report| report.message == "verified before"),
                    "by the ledger"
                );
                Ok(())
            })
        })
        .collect::<Result<_>>()?;
    let second = report.figures(
        &format!("{algorithm}: examine, the second look with the ledger as it was written, in the process"),
        &seconds,
    );
    report.promise(
        &format!("{algorithm}: seconds of the second look at most"),
        second.wall,
        SECOND_LOOK,
        second.wall <= SECOND_LOOK,
    );
    let file = signed.repository.with_file_name("ledger.json");
    fs_err::write(&file, &written)?;
    let again: Vec<Took> = (0..ROUNDS)
        .map(|_| sluice(arguments, signed, Some(&file)))
        .collect::<Result<_>>()?;
    report.figures(
        &format!("{algorithm}: sluice verify --all --ledger, the second look, a process"),
        &again,
    );
    Ok(())
}

/// Git, which asks gpg about every commit.
fn git(signed: &Signed, count: usize) -> Result<Took> {
    let mut command = histories::git();
    command
        .env("GNUPGHOME", &signed.home)
        .arg("-C")
        .arg(&signed.repository)
        .args(["rev-list", "--format=%G?", "main"]);
    let (took, said) = process(&mut command)?;
    let good = said.lines().filter(|line| matches!(*line, "G" | "U")).count();
    ensure!(good == count, "git finds {good} of {count} good");
    Ok(took)
}

fn sluice(arguments: &Arguments, signed: &Signed, ledger: Option<&Path>) -> Result<Took> {
    let mut command = Command::new(&arguments.sluice);
    command.arg("verify").arg("--repo").arg(&signed.repository);
    command
        .arg("--keyring")
        .arg(&signed.keys)
        .args(["--all", "-o", "json", "main"]);
    if let Some(ledger) = ledger {
        command.arg("--ledger").arg(ledger);
    }
    let (took, said) = process(&mut command)?;
    let trusted = serde_json::to_string(&Verdict::Trusted)?;
    let good = said.lines().filter(|line| line.contains(&trusted)).count();
    ensure!(
        good == arguments.commits,
        "sluice trusts {good} of {}",
        arguments.commits
    );
    Ok(took)
}

/// Runs a program to its end. What it and its children used of processors is known to a hundredth of a second.
fn process(command: &mut Command) -> Result<(Took, String)> {
    let before = of_children()?;
    let start = Instant::now();
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let wall = start.elapsed().as_secs_f64();
    ensure!(done.status.success(), "{command:?}: {}", done.status);
    let cpu = of_children()? - before;
    Ok((
        Took { wall, cpu },
        String::from_utf8_lossy(&done.stdout).into_owned(),
    ))
}

fn wall(work: impl FnOnce() -> Result<()>) -> Result<Took> {
    let start = Instant::now();
    work()?;
    Ok(Took {
        wall: start.elapsed().as_secs_f64(),
        cpu: f64::NAN,
    })
}

/// Seconds of processors that ended children used, proc(5): cutime and cstime in hundredths.
fn of_children() -> Result<f64> {
    let text = fs_err::read_to_string("/proc/self/stat")?;
    let (_, fields) = text
        .rsplit_once(')')
        .context("the name ends with a parenthesis")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("a field")?.parse::<f64>()?) };
    Ok((ticks(13)? + ticks(14)?) / 100.0)
}
