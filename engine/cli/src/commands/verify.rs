//! `sluice verify`: who signed what, in any local or remote repository, without a cluster.

mod ask;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use sluice_model::ExitKind;
use sluice_model::application::RuleSet;
use sluice_source::{Repository, SourceError, is_elsewhere};
use sluice_verify::{Keyring, Ledger, Policy, Rules, ValidAt, Verifier, VerifyError, WeakAlgorithm};

use crate::commands::key::place;
use crate::documents;
use crate::engine::Git;
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, Format, Output, plain};
use ask::Question;
use text::Counter;

pub(crate) const HELP: &str = "\
Examples:
  sluice verify --repo . --keyring keys/ HEAD
  sluice verify --repo . --keyring team.asc v1.0..main
  sluice verify --repo https://git.example.org/team/guestbook.git --keyring team.asc --all main
  sluice verify --repo . --keyring team.asc --mode chain --since v1.0 --rules rules.yaml --explain main
  sluice verify --repo . --keyring allowed_signers v1.0 v1.1 -o json

Modes:
  object   that one commit or annotated tag alone, without rules
  head     the commit that the revision leads to
  tag      the annotated tag that the revision names
  chain    every commit that leads to the revision, or those since --since

A range A..B and --all print a line for each commit, oldest first; otherwise each revision is one
line. With -o json, every line has revision, verdict, signer {fingerprint, userId}, signedAt,
message. `verdict` is one of trusted, unsigned, no-key, bad-signature, expired-key, revoked-key,
weak-algorithm, unsupported, malformed. A signer who a rule does not let sign is no-key.

Exit codes: 0 only if all are trusted; 3 if a keyring, a rule, the repository or a revision is not
there or wrong; 4 if one is not trusted; 6 if the repository fails or is damaged.";

/// The options of `sluice verify`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A Git repository: a folder, bare or not, or a URL, which is fetched into a mirror
    #[arg(long, value_name = "DIR|URL", default_value = ".")]
    repo: PathBuf,
    /// How much is judged
    #[arg(long, value_enum, default_value_t = Mode::Head)]
    mode: Mode,
    /// Public keys: OpenPGP, armoured or binary, or an SSH allowed_signers file, or a folder of those; many times
    #[arg(long, value_name = "FILE|DIR", required = true)]
    keyring: Vec<PathBuf>,
    /// Where trust starts: commits that lead to this one are not judged
    #[arg(long, value_name = "REVISION")]
    since: Option<String>,
    /// Judge every commit that leads to the revisions and print a line for each
    #[arg(long, conflicts_with_all = ["mode", "since"])]
    all: bool,
    /// Who may sign for what: groups, rules and mergeKeys as in an Application's `verification`, in YAML
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Print every rule that was asked, and its answer
    #[arg(long)]
    explain: bool,
    /// What was verified before, which is not verified again; created if missing, kept up to date
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// When a key has to be valid: now, as git judges, or when the signature says that it was made
    #[arg(long, value_enum, default_value_t = When::Now)]
    valid_at: When,
    /// Accept an algorithm although it is weak: md5, sha1, ripemd160, dsa, short-rsa
    #[arg(long, value_name = "ALGORITHM", value_delimiter = ',', value_parser = weak)]
    allow_weak: Vec<WeakAlgorithm>,
    /// Commits, tags, branches, or ranges of commits A..B
    #[arg(value_name = "REVISION", required = true)]
    revisions: Vec<String>,
    #[command(flatten)]
    git: Git,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// That one commit or tag alone
    Object,
    /// The commit that it leads to
    Head,
    /// The annotated tag
    Tag,
    /// Every commit since the start of trust
    Chain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// The time of the check
    Now,
    /// When it signed
    Signing,
}

fn weak(name: &str) -> Result<WeakAlgorithm, String> {
    let all = WeakAlgorithm::ALL;
    let known = all.into_iter().find(|algorithm| algorithm.name() == name);
    known.ok_or_else(|| format!("it is one of {}", all.map(WeakAlgorithm::name).join(", ")))
}

/// Judges every revision.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let keyring = keyring(&arguments.keyring)?;
    let rules = arguments.rules.as_deref().map(rule_set).transpose()?;
    let mut ledger = match &arguments.ledger {
        Some(path) => ledger(path)?,
        None => Ledger::default(),
    };
    let repository = open(&arguments, global)?;
    let counter = Counter::new();
    let count = || counter.one();
    let mut is_trusted = true;
    let mut explained = Vec::new();
    for question in Question::all(&arguments) {
        let policy = policy(&arguments, rules.as_ref(), &repository, question.target())?;
        let before = ledger.clone();
        let verifier = Verifier::new(&keyring, &policy, Timestamp::now())
            .with_ledger(&before)
            .with_progress(&count);
        let answer = question.ask(&repository, &verifier, &mut ledger, arguments.explain);
        counter.clear();
        let answer = answer?;
        is_trusted &= answer.is_trusted();
        match arguments.output.format {
            Format::Text => text::write(out, &answer)?,
            format @ (Format::Json | Format::Yaml) => {
                output::each(out, format, answer.reports())?;
                explained.push(answer);
            }
        }
    }
    if let Some(path) = &arguments.ledger {
        place::replace(path, ledger.to_json().as_bytes())?;
    }
    // What people read beside what programs read.
    for answer in &explained {
        text::explain(&mut anstream::stderr().lock(), answer)?;
    }
    match is_trusted {
        true => Ok(()),
        false => Err(Failure::Answered(ExitKind::Untrusted)),
    }
}

/// The keys of every path; those that cannot be used are named, at least one can.
pub(crate) fn keyring(paths: &[PathBuf]) -> Result<Keyring, Failure> {
    let mut keyring = Keyring::default();
    for path in paths {
        keyring.extend(Keyring::from_path(path).map_err(Failure::of)?);
    }
    if keyring.is_empty() {
        const SHOWN: usize = 3;
        let all = keyring.problems();
        let mut problems: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
        if all.len() > SHOWN {
            problems.push(format!("and {} more", all.len() - SHOWN));
        }
        return Err(Failure::of(VerifyError::KeyringEmpty { problems }));
    }
    for problem in keyring.problems() {
        tracing::warn!("{}", plain(&problem.to_string()));
    }
    Ok(keyring)
}

fn rule_set(path: &Path) -> Result<RuleSet, Failure> {
    let text = String::from_utf8_lossy(&documents::read(path)?).into_owned();
    Rules::read(&path.display().to_string(), &text).map_err(Failure::of)
}

fn ledger(path: &Path) -> Result<Ledger, Failure> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ledger::from_json(&text).map_err(Failure::of),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ledger::default()),
        Err(source) => Err(CliError::Read {
            path: path.to_owned(),
            source,
        }
        .into()),
    }
}

fn policy(
    arguments: &Arguments,
    rules: Option<&RuleSet>,
    repository: &Repository,
    target: &str,
) -> Result<Policy, Failure> {
    let rules = match rules {
        Some(set) => {
            let branch = repository.branch(target).map_err(Failure::of)?;
            let place = arguments
                .rules
                .as_deref()
                .unwrap_or(Path::new(""))
                .display()
                .to_string();
            let sets = [(place.as_str(), set)];
            Rules::new(&sets, repository.name(), branch.as_deref()).map_err(Failure::of)?
        }
        None => Rules::default(),
    };
    Ok(Policy {
        valid_at: match arguments.valid_at {
            When::Now => ValidAt::Now,
            When::Signing => ValidAt::Signing,
        },
        allow_weak: arguments.allow_weak.iter().copied().collect(),
        rules,
    })
}

/// A folder as it is; a URL by a mirror of it that is brought up to date.
fn open(arguments: &Arguments, global: &Global) -> Result<Repository, Failure> {
    let text = arguments.repo.to_string_lossy();
    let is_url = text.contains("://") || (text.contains(':') && !arguments.repo.exists());
    if !is_url {
        return Repository::open_local(&arguments.repo).map_err(Failure::of);
    }
    let access = arguments.git.access();
    let repositories = global.repositories()?;
    let mut fetched = repositories.fetch(&text, &access).map_err(Failure::of)?;
    let names = arguments.revisions.iter().flat_map(|name| name.split(".."));
    for name in names.chain(arguments.since.as_deref()) {
        if is_elsewhere(name) && matches!(fetched.resolve(name), Err(SourceError::UnknownRevision { .. })) {
            fetched = repositories
                .fetch_also(&text, &access, name)
                .map_err(Failure::of)?;
        }
    }
    Ok(fetched.clone())
}
