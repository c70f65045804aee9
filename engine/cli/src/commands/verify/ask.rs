//! What is asked of one revision or range, and the answer.

use sluice_model::application::VerificationMode;
use sluice_model::tree::Revision;
use sluice_model::trust::{History, SignatureReport, Verdict};
use sluice_model::{Coded as _, ExitKind};
use sluice_source::Repository;
use sluice_verify::{Explanation, Findings, Ledger, Request, Verifier, VerifyError};

use super::{Arguments, Mode};
use crate::failure::Failure;

/// The most commits that a chain may have: more than Linux has had in its first fifteen years.
const CHAIN_LIMIT: usize = 1_000_000;

/// What is asked of one revision or range, or of many objects by themselves.
pub(super) struct Question<'a> {
    /// As it was given.
    name: &'a str,
    target: &'a str,
    objects: &'a [String],
    since: Option<&'a str>,
    mode: Mode,
    /// A line a commit.
    is_listed: bool,
}

/// The answer to one question.
pub(super) struct Answer {
    pub(super) reports: Vec<SignatureReport>,
    /// Of each commit or tag that was judged.
    pub(super) explanations: Vec<Explanation>,
    /// Whether each report is about a commit of a list, and a summary is due.
    pub(super) is_list: bool,
}

impl Answer {
    pub(super) fn reports(&self) -> &[SignatureReport] {
        &self.reports
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.reports
            .iter()
            .all(|report| report.verdict == Verdict::Trusted)
    }
}

impl<'a> Question<'a> {
    /// One for each revision; objects by themselves are asked about together.
    pub(super) fn all(arguments: &'a Arguments) -> Vec<Self> {
        let names = &arguments.revisions;
        if arguments.mode == Mode::Object && !arguments.all {
            return vec![Self {
                name: "",
                target: "HEAD",
                objects: names,
                since: None,
                mode: Mode::Object,
                is_listed: false,
            }];
        }
        names.iter().map(|name| Self::of(arguments, name)).collect()
    }

    fn of(arguments: &'a Arguments, name: &'a str) -> Self {
        let about = |mode, is_listed, since, target| Self {
            name,
            target,
            objects: &[],
            since,
            mode,
            is_listed,
        };
        match name.split_once("..") {
            Some((since, target)) if !target.starts_with('.') => {
                let or_head = |name: &'a str| if name.is_empty() { "HEAD" } else { name };
                about(Mode::Chain, true, Some(or_head(since)), or_head(target))
            }
            Some(_) | None if arguments.all => about(Mode::Chain, true, None, name),
            Some(_) | None => about(arguments.mode, false, arguments.since.as_deref(), name),
        }
    }

    /// The revision that is asked about.
    pub(super) fn target(&self) -> &'a str {
        self.target
    }

    pub(super) fn ask(
        &self,
        repository: &Repository,
        verifier: &Verifier<'_>,
        ledger: &mut Ledger,
        explain: bool,
    ) -> Result<Answer, Failure> {
        if self.mode == Mode::Object {
            return self.objects(repository, verifier, explain);
        }
        let revision = repository.resolve(self.target).map_err(Failure::of)?;
        let since = match (self.mode, self.since) {
            (Mode::Chain, Some(name)) => Some(repository.resolve(name).map_err(Failure::of)?.commit),
            (Mode::Object | Mode::Head | Mode::Tag | Mode::Chain, _) => None,
        };
        let history = self.history(repository, &revision, since.as_deref())?;
        let request = Request {
            mode: match self.mode {
                Mode::Chain => VerificationMode::Chain,
                Mode::Tag => VerificationMode::Tag,
                Mode::Object | Mode::Head => VerificationMode::Head,
            },
            requested: self.target,
            last_trusted: since.as_deref(),
            whole: since.is_none(),
            explain,
            ..Request::default()
        };
        match verifier.examine(&history, &request, repository) {
            Ok(findings) => {
                verifier.remember(&findings, ledger);
                let Findings {
                    reports,
                    explanations,
                    ..
                } = findings;
                Ok(self.answer(reports, explanations))
            }
            // No signature is wrong, but the history does not hold together.
            Err(error) if error.code().exit == ExitKind::Untrusted => {
                let message = format!("{}: {error}; {}", error.code().id, error.hint());
                let verdict = match error {
                    VerifyError::NotATag { .. } => Verdict::Unsigned,
                    _ => Verdict::Malformed,
                };
                Ok(Answer {
                    reports: vec![about(self.name, verdict, message)],
                    explanations: Vec::new(),
                    is_list: false,
                })
            }
            Err(error) => Err(Failure::of(error)),
        }
    }

    fn objects(
        &self,
        repository: &Repository,
        verifier: &Verifier<'_>,
        explain: bool,
    ) -> Result<Answer, Failure> {
        let objects = self.objects.iter().map(|name| repository.object(name));
        let objects: Vec<_> = objects.collect::<Result<_, _>>().map_err(Failure::of)?;
        let reports = verifier.objects(&objects).into_iter().zip(self.objects);
        let named = reports.map(|(report, name)| SignatureReport {
            revision: name.clone(),
            ..report
        });
        let explanations = match explain {
            true => objects.iter().map(|object| verifier.explain(object)).collect(),
            false => Vec::new(),
        };
        Ok(Answer {
            reports: named.collect(),
            explanations,
            is_list: false,
        })
    }

    fn history(
        &self,
        repository: &Repository,
        revision: &Revision,
        since: Option<&str>,
    ) -> Result<History, Failure> {
        if self.mode != Mode::Chain || since.is_some() {
            return repository
                .history(revision, since, CHAIN_LIMIT)
                .map_err(Failure::of);
        }
        let head = repository.object(&revision.commit).map_err(Failure::of)?;
        Ok(History {
            commits: repository.ancestry(revision, CHAIN_LIMIT).map_err(Failure::of)?,
            head,
            tag: None,
            boundary: Vec::new(),
            last_trusted_is_ancestor: true,
        })
    }

    fn answer(&self, reports: Vec<SignatureReport>, explanations: Vec<Explanation>) -> Answer {
        let reports = match (self.is_listed, self.mode) {
            (true, _) => reports,
            (false, Mode::Chain) => vec![self.summed_up(reports)],
            (false, Mode::Object | Mode::Head | Mode::Tag) => {
                let named = reports.into_iter().map(|report| SignatureReport {
                    revision: self.name.to_owned(),
                    ..report
                });
                named.collect()
            }
        };
        Answer {
            reports,
            explanations,
            is_list: self.is_listed,
        }
    }

    /// One report for many: the first that is refused, else the newest.
    fn summed_up(&self, reports: Vec<SignatureReport>) -> SignatureReport {
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
                revision: self.name.to_owned(),
                message,
                ..report.clone()
            };
        }
        match reports.into_iter().next_back() {
            Some(newest) => SignatureReport {
                revision: self.name.to_owned(),
                message: commits,
                ..newest
            },
            None => about(self.name, Verdict::Trusted, commits),
        }
    }
}

fn about(name: &str, verdict: Verdict, message: String) -> SignatureReport {
    SignatureReport {
        revision: name.to_owned(),
        verdict,
        signer: None,
        signed_at: None,
        message,
    }
}
