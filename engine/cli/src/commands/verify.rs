//! `sluice verify`: who signed what, in any local repository, without a cluster.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use sluice_model::application::VerificationMode;
use sluice_model::tree::Tree;
use sluice_model::trust::{SignatureReport, Signer, Verdict};
use sluice_model::{Coded as _, ExitKind};
use sluice_source::Repository;
use sluice_verify::{Keyring, Policy, ValidAt, Verifier, VerifyError, WeakAlgorithm};

use crate::failure::Failure;
use crate::output::{self, BAD, Format, GOOD, Output, plain, short, styled};

pub(crate) const HELP: &str = "\
Examples:
  sluice verify --repo . --keyring keys/ HEAD
  sluice verify --repo . --keyring team.asc --mode chain --since v1.0 main
  sluice verify --repo . --keyring allowed_signers v1.0 v1.1 -o json

Modes:
  object   that one commit or annotated tag alone
  head     the commit that the revision leads to
  chain    every commit that leads to the revision, or those since --since

With -o json, every revision is one line, in the order of the input: revision, verdict, signer
{fingerprint, userId}, signedAt, message. `verdict` is one of trusted, unsigned, no-key,
bad-signature, expired-key, revoked-key, weak-algorithm, unsupported, malformed.

Exit codes: 0 only if all are trusted; 3 if a keyring, the repository or a revision is not
there; 4 if one is not trusted; 6 if the repository is damaged.";

/// The most commits that a chain may have: more than Linux has had in its first fifteen years.
const CHAIN_LIMIT: usize = 1_000_000;

/// The options of `sluice verify`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A Git repository on this machine, bare or not
    #[arg(long, value_name = "DIR", default_value = ".")]
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
    /// When a key has to be valid: now, as git judges, or when the signature says that it was made
    #[arg(long, value_enum, default_value_t = When::Now)]
    valid_at: When,
    /// Accept an algorithm although it is weak: md5, sha1, ripemd160, dsa, short-rsa
    #[arg(long, value_name = "ALGORITHM", value_delimiter = ',', value_parser = weak)]
    allow_weak: Vec<WeakAlgorithm>,
    /// Commits, tags or branches
    #[arg(value_name = "REVISION", required = true)]
    revisions: Vec<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// That one commit or tag alone
    Object,
    /// The commit that it leads to
    Head,
    /// Every commit since the start of trust
    Chain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// Now
    Now,
    /// When it signed
    Signing,
}

fn weak(name: &str) -> Result<WeakAlgorithm, String> {
    use WeakAlgorithm::{Dsa, Md5, Ripemd160, Sha1, ShortRsa};
    let all = [Md5, Sha1, Ripemd160, Dsa, ShortRsa];
    let known = all.into_iter().find(|algorithm| algorithm.name() == name);
    known.ok_or_else(|| format!("it is one of {}", all.map(WeakAlgorithm::name).join(", ")))
}

/// Judges every revision.
pub(crate) fn run(arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let mut keyring = Keyring::default();
    for path in &arguments.keyring {
        keyring.extend(Keyring::from_path(path).map_err(Failure::of)?);
    }
    if keyring.is_empty() {
        const SHOWN: usize = 3;
        let count = keyring.problems().len();
        let mut problems: Vec<String> = keyring
            .problems()
            .iter()
            .take(SHOWN)
            .map(ToString::to_string)
            .collect();
        if count > SHOWN {
            problems.push(format!("and {} more", count - SHOWN));
        }
        return Err(Failure::of(VerifyError::KeyringEmpty { problems }));
    }
    for problem in keyring.problems() {
        tracing::warn!("{}", plain(&problem.to_string()));
    }
    let policy = Policy {
        valid_at: match arguments.valid_at {
            When::Now => ValidAt::Now,
            When::Signing => ValidAt::Signing,
        },
        allow_weak: arguments.allow_weak.iter().copied().collect(),
    };
    let repository = Repository::open_local(&arguments.repo).map_err(Failure::of)?;
    let verifier = Verifier::new(&keyring, policy, Timestamp::now());
    let reports = judge(&repository, &verifier, &arguments)?;
    match arguments.output.format {
        Format::Text => {
            for report in &reports {
                writeln!(out, "{}", line(report))?;
            }
        }
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &reports)?,
    }
    match reports.iter().all(|report| report.verdict == Verdict::Trusted) {
        true => Ok(()),
        false => Err(Failure::Answered(ExitKind::Untrusted)),
    }
}

/// One report a revision, under the name that was given.
fn judge(
    repository: &Repository,
    verifier: &Verifier<'_>,
    arguments: &Arguments,
) -> Result<Vec<SignatureReport>, Failure> {
    if arguments.mode == Mode::Chain {
        return arguments
            .revisions
            .iter()
            .map(|name| chain(repository, verifier, name, arguments.since.as_deref()))
            .collect();
    }
    let mut objects = Vec::with_capacity(arguments.revisions.len());
    for name in &arguments.revisions {
        let object = match arguments.mode {
            Mode::Object | Mode::Chain => repository.object(name),
            Mode::Head => repository
                .resolve(name)
                .and_then(|revision| repository.object(&revision.commit)),
        };
        objects.push(object.map_err(Failure::of)?);
    }
    let reports = verifier.objects(&objects);
    let named = reports.into_iter().zip(&arguments.revisions);
    Ok(named
        .map(|(report, name)| SignatureReport {
            revision: name.clone(),
            ..report
        })
        .collect())
}

/// What a whole history is worth: as much as the first commit of it that is refused.
fn chain(
    repository: &Repository,
    verifier: &Verifier<'_>,
    name: &str,
    since: Option<&str>,
) -> Result<SignatureReport, Failure> {
    let revision = repository.resolve(name).map_err(Failure::of)?;
    let Some(since) = since else {
        let commits = repository.ancestry(&revision, CHAIN_LIMIT).map_err(Failure::of)?;
        return Ok(summed_up(name, verifier.objects(&commits)));
    };
    let since = repository.resolve(since).map_err(Failure::of)?.commit;
    let history = repository
        .history(&revision, Some(&since), CHAIN_LIMIT)
        .map_err(Failure::of)?;
    // Trust is about commits; no file needs to be read for it.
    let tree = Tree {
        revision,
        path: String::new(),
        files: Default::default(),
        skipped: Vec::new(),
    };
    match verifier.revision(tree, &history, VerificationMode::Chain, Some(&since)) {
        Ok(verification) => Ok(summed_up(name, verification.reports)),
        // All of them again, for how many are refused.
        Err(VerifyError::Untrusted { .. }) => Ok(summed_up(name, verifier.objects(&history.commits))),
        // Nobody's signature is wrong, but the history does not hold together.
        Err(error) => Ok(verdict(
            name,
            Verdict::Malformed,
            format!("{}: {error}; {}", error.code().id, error.hint()),
        )),
    }
}

/// One report for many: the first that is refused, else the newest.
fn summed_up(name: &str, reports: Vec<SignatureReport>) -> SignatureReport {
    let commits = match reports.len() {
        0 => "nothing new since the start of trust".to_owned(),
        1 => "1 commit verified".to_owned(),
        count => format!("{count} commits verified"),
    };
    let is_refused = |report: &&SignatureReport| report.verdict != Verdict::Trusted;
    let refused = reports.iter().filter(is_refused).count();
    if let Some(report) = reports.iter().find(is_refused) {
        let more = if refused == 1 {
            String::new()
        } else {
            format!("; {} more are not trusted", refused - 1)
        };
        let message = format!("commit {}: {}{more}", report.revision, report.message);
        return SignatureReport {
            revision: name.to_owned(),
            message,
            ..report.clone()
        };
    }
    match reports.into_iter().next_back() {
        Some(newest) => SignatureReport {
            revision: name.to_owned(),
            message: commits,
            ..newest
        },
        None => verdict(name, Verdict::Trusted, commits),
    }
}

fn verdict(name: &str, verdict: Verdict, message: String) -> SignatureReport {
    SignatureReport {
        revision: name.to_owned(),
        verdict,
        signer: None,
        signed_at: None,
        message,
    }
}

/// `✓ 3f2a… signed by Ada <ada@example.com> 0x…`
fn line(report: &SignatureReport) -> String {
    let is_id = report.revision.len() >= 40 && report.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = plain(if is_id {
        short(&report.revision)
    } else {
        &report.revision
    });
    let signer = |signer: &Signer| {
        let who = signer
            .user_id
            .as_deref()
            .map(|user| format!("{} ", plain(user)))
            .unwrap_or_default();
        let prefix = if signer.fingerprint.starts_with("SHA256:") {
            ""
        } else {
            "0x"
        };
        format!("signed by {who}{prefix}{}", plain(&signer.fingerprint))
    };
    let signed = report.signer.as_ref().map(signer);
    match report.verdict {
        Verdict::Trusted => {
            let message = if report.message.is_empty() {
                String::new()
            } else {
                format!(" ({})", plain(&report.message))
            };
            format!(
                "{} {name} {}{message}",
                styled(GOOD, "✓"),
                signed.unwrap_or_default()
            )
        }
        Verdict::Unsigned
        | Verdict::NoKey
        | Verdict::BadSignature
        | Verdict::ExpiredKey
        | Verdict::RevokedKey
        | Verdict::WeakAlgorithm
        | Verdict::Unsupported
        | Verdict::Malformed => {
            let verdict = serde_json::to_value(report.verdict).ok();
            let verdict = verdict
                .as_ref()
                .and_then(|word| word.as_str())
                .unwrap_or_default();
            let signed = signed.map(|signed| format!(", {signed}")).unwrap_or_default();
            format!(
                "{} {name} {}{signed}: {}",
                styled(BAD, "✗"),
                styled(BAD, verdict),
                plain(&report.message)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict, signer: Option<Signer>, message: &str) -> SignatureReport {
        let revision = "3f2a91c05b77d4f0c7de1a2b3c4d5e6f70819203".to_owned();
        SignatureReport {
            revision,
            verdict,
            signer,
            signed_at: None,
            message: message.to_owned(),
        }
    }

    fn text(report: &SignatureReport) -> String {
        anstream::adapter::strip_str(&line(report)).to_string()
    }

    #[test]
    fn a_verdict_is_a_line() {
        let ada = Signer {
            fingerprint: "0123ABCD".to_owned(),
            user_id: Some("Ada <ada@example.com>".to_owned()),
        };
        assert_eq!(
            text(&report(Verdict::Trusted, Some(ada.clone()), "")),
            "✓ 3f2a91c05b77 signed by Ada <ada@example.com> 0x0123ABCD"
        );
        assert_eq!(
            text(&report(Verdict::ExpiredKey, Some(ada), "the key expired")),
            "✗ 3f2a91c05b77 expired-key, signed by Ada <ada@example.com> 0x0123ABCD: the key expired"
        );
        assert_eq!(
            text(&report(Verdict::Unsigned, None, "no signature")),
            "✗ 3f2a91c05b77 unsigned: no signature"
        );
    }

    #[test]
    fn a_user_id_cannot_move_the_cursor() {
        let eve = Signer {
            fingerprint: "SHA256:abc".to_owned(),
            user_id: Some("Ada\u{1b}[1A\nx".to_owned()),
        };
        assert!(!line(&report(Verdict::NoKey, Some(eve), "")).contains("\u{1b}[1A"));
    }
}
