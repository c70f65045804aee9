//! The answers as people read them, and how far it has got.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use sluice_model::trust::{SignatureReport, Signer, Verdict};
use sluice_verify::{Answer as Answered, Explanation};

use super::ask::Answer;
use crate::failure::Failure;
use crate::output::{BAD, FAINT, GOOD, plain, short, styled};

/// How many commits were judged, for a person at a terminal.
pub(super) struct Counter {
    count: AtomicUsize,
    is_seen: bool,
}

impl Counter {
    /// Fewer than this are done before anyone has read a line.
    const STEP: usize = 500;

    /// Silent where stderr is no terminal.
    pub(super) fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            is_seen: std::io::stderr().is_terminal(),
        }
    }

    /// One more.
    pub(super) fn one(&self) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_seen && count.is_multiple_of(Self::STEP) {
            anstream::eprint!("\r{count} commits verified");
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.is_seen && self.count.load(Ordering::Relaxed) >= Self::STEP {
            anstream::eprint!("\r\u{1b}[K");
        }
    }
}

/// A line a report, what was asked below it where that was wanted, and the sum of a list.
pub(super) fn write(out: &mut impl Write, answer: &Answer) -> Result<(), Failure> {
    let is_one_each = answer.explanations.len() == answer.reports.len();
    for (at, report) in answer.reports.iter().enumerate() {
        writeln!(out, "{}", line(report))?;
        let explanation = answer.explanations.get(at).filter(|_| is_one_each);
        if let Some(explanation) = explanation {
            asked(out, explanation)?;
        }
    }
    if !is_one_each {
        explain(out, answer)?;
    }
    if answer.is_list {
        writeln!(out, "{}", sum(&answer.reports))?;
    }
    Ok(())
}

/// Everything that was asked, commit by commit.
pub(super) fn explain(out: &mut impl Write, answer: &Answer) -> Result<(), Failure> {
    for explanation in &answer.explanations {
        writeln!(out, "{}", line(&explanation.report))?;
        asked(out, explanation)?;
    }
    Ok(())
}

fn asked(out: &mut impl Write, explanation: &Explanation) -> Result<(), Failure> {
    for asked in &explanation.asked {
        let (mark, detail) = match &asked.answer {
            Answered::Met(detail) => (styled(GOOD, "yes"), detail),
            Answered::NotMet(detail) => (styled(BAD, "no "), detail),
            Answered::NotAsked(detail) => (styled(FAINT, "-  "), detail),
        };
        let detail = match detail.as_str() {
            "" => String::new(),
            detail => format!(": {}", plain(detail)),
        };
        writeln!(out, "    {mark} {}{detail}", plain(&asked.rule))?;
    }
    Ok(())
}

/// `120 commits: 118 trusted (Ada <…> 100, Bob <…> 18), 2 unsigned`
fn sum(reports: &[SignatureReport]) -> String {
    let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut signers: BTreeMap<&str, usize> = BTreeMap::new();
    for report in reports {
        *verdicts.entry(report.verdict).or_default() += 1;
        if let (Verdict::Trusted, Some(signer)) = (report.verdict, &report.signer) {
            let name = signer.user_id.as_deref().unwrap_or(&signer.fingerprint);
            *signers.entry(name).or_default() += 1;
        }
    }
    let mut signers: Vec<(&str, usize)> = signers.into_iter().collect();
    signers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let signers: Vec<String> = signers
        .into_iter()
        .map(|(name, count)| format!("{} {count}", plain(name)))
        .collect();
    let verdicts: Vec<String> = verdicts
        .into_iter()
        .map(|(verdict, count)| match verdict {
            Verdict::Trusted => format!("{count} {} ({})", word(verdict), signers.join(", ")),
            _ => format!("{count} {}", styled(BAD, word(verdict))),
        })
        .collect();
    match reports.len() {
        0 => "nothing new".to_owned(),
        1 => format!("1 commit: {}", verdicts.join(", ")),
        count => format!("{count} commits: {}", verdicts.join(", ")),
    }
}

fn word(verdict: Verdict) -> String {
    let word = serde_json::to_value(verdict).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

/// `✓ 3f2a… signed by Ada <ada@example.com> 0x…`
fn line(report: &SignatureReport) -> String {
    let is_id = report.revision.len() >= 40 && report.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = plain(&match is_id {
        true => short(&report.revision),
        false => report.revision.clone(),
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
            let verdict = word(report.verdict);
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
