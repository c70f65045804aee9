//! Judges a revision: which commits have to be, whether all are trusted, and which commit may be synced.
//!
//! Ids are never believed: the bytes of every commit are hashed again, and the walk from the new revision to the last
//! trusted one is made a second time over those bytes alone.
//!
//! With [`OnUnverified::Advance`], the commit that may be synced is the newest one *on the branch's own line* all of whose
//! history is trusted. The line is that of first parents, from the new revision down to the last trusted one. A commit
//! that lies off the line, on a branch that was merged, was never a state of this branch and is not synced by itself,
//! however well it is signed; and a commit of the line below which the last trusted one is not found is a way around it.

mod verdicts;
mod walk;

use sluice_model::application::{OnUnverified, VerificationMode};
use sluice_model::tree::Tree;
use sluice_model::trust::{
    Changes, ChangesError, Evidence, History, SignatureReport, SignedObject, Signer, Verdict, Verified,
};

use crate::check::{Answer, Explanation, RuleAnswer};
use crate::error::VerifyError;
use crate::ledger::{Entry, Ledger};
use crate::object;
use crate::rules::{Change, Refused};
use crate::verifier::{Judged, Verifier, in_parallel};
use verdicts::{Facts, Verdicts};
use walk::{Chain, proven};

/// What is asked of a revision.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// How much of the history must be signed.
    pub mode: VerificationMode,
    /// The name that led to the revision; mode `tag` compares it with what the tag calls itself.
    pub requested: &'a str,
    /// The commit up to which history is trusted: the last one that was, or the start of trust.
    pub last_trusted: Option<&'a str>,
    /// Whether, without a last trusted commit, every commit is judged from the very first one on, and not the newest alone.
    /// `history` must then be a repository's whole ancestry.
    pub whole: bool,
    /// The commit that a person accepts although the last trusted one is not in its history.
    pub accepted: Option<&'a str>,
    /// Whether an older commit will do where the newest is not trusted. Mode `chain` only.
    pub on_unverified: OnUnverified,
    /// Whether [`Findings::explanations`] are wanted.
    pub explain: bool,
}

/// What was found out about a revision.
#[derive(Debug)]
pub struct Findings {
    /// One report for each commit or tag that was judged, oldest first.
    pub reports: Vec<SignatureReport>,
    /// Every rule that was asked about each of them, in the same order, where that was wanted.
    pub explanations: Vec<Explanation>,
    /// Why the revision itself is not let through; none where it is.
    pub refusal: Option<VerifyError>,
    trusted: Option<Trusted>,
    entries: Vec<Entry>,
}

/// The commit that may be synced.
#[derive(Debug)]
struct Trusted {
    commit: String,
    /// None where nothing was asked for.
    tree: Option<String>,
    evidence: Evidence,
}

/// A revision that was let through, and every signature that was looked at for it.
#[derive(Debug, Clone)]
pub struct Verification {
    /// What render takes.
    pub tree: Verified<Tree>,
    /// One report for each commit that was judged, oldest first.
    pub reports: Vec<SignatureReport>,
}

impl Findings {
    /// The commit that may be synced: the revision, or with [`OnUnverified::Advance`] an older one. None where there is
    /// nothing newer than what was trusted before.
    pub fn trusted(&self) -> Option<&str> {
        self.trusted.as_ref().map(|trusted| trusted.commit.as_str())
    }

    /// On which grounds.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.trusted.as_ref().map(|trusted| &trusted.evidence)
    }

    /// How many commits and tags were found trusted by their signature just now, and not by what a ledger has of them.
    pub fn verified(&self) -> usize {
        self.entries.len()
    }

    /// Vouches for the files of the commit that may be synced.
    ///
    /// # Errors
    /// [`VerifyError::Inconsistent`] where they are not those of that commit; the refusal where there is no such commit.
    pub fn attest(self, tree: Tree) -> Result<Verification, VerifyError> {
        let Some(trusted) = self.trusted else {
            let commit = tree.revision.commit;
            return Err(self
                .refusal
                .unwrap_or_else(|| walk::inconsistent(&commit, "no commit that leads to it is known")));
        };
        if trusted.commit != tree.revision.commit {
            return Err(walk::inconsistent(
                &trusted.commit,
                "it is not the commit that the tree was read from",
            ));
        }
        if trusted.tree.is_some_and(|tree_id| tree_id != tree.revision.tree) {
            return Err(walk::inconsistent(
                &trusted.commit,
                "it names another tree than the one that was read",
            ));
        }
        Ok(Verification {
            tree: attest(tree, trusted.evidence),
            reports: self.reports,
        })
    }
}

impl Verifier<'_> {
    /// Judges a revision. `history` is what source says lies between the last trusted commit and the new one; nothing of
    /// it is believed that its bytes do not prove, but for one thing that they cannot: that the commits in `boundary` are
    /// older than the last trusted one. `changes` is asked where a rule is about what commits change.
    ///
    /// # Errors
    /// Whatever makes the question itself unanswerable: every variant of [`VerifyError`] but those of keyrings and ledgers
    /// that cannot be read. That a commit is not trusted is an answer: [`Findings::refusal`].
    pub fn examine(
        &self,
        history: &History,
        request: &Request<'_>,
        changes: &dyn Changes,
    ) -> Result<Findings, VerifyError> {
        let head = &history.head;
        if request.mode == VerificationMode::None {
            return Ok(known(&head.id, None, Evidence::NotRequired));
        }
        if self.keyring.is_empty() {
            let problems = self.keyring.problems().iter().map(ToString::to_string).collect();
            return Err(VerifyError::KeyringEmpty { problems });
        }
        if let Some(rule) = self.policy.rules.needs_chain()
            && request.mode != VerificationMode::Chain
        {
            return Err(VerifyError::Rules {
                place: format!("rule `{rule}`"),
                detail: "more than one signature can only be counted in mode `chain`".to_owned(),
            });
        }
        let links = proven(head)?;
        let alone = |commit| Chain::alone(commit, links.clone());
        let since = match (request.mode, request.last_trusted) {
            (VerificationMode::Tag, _) => return self.tag(history, &links.tree, request, changes),
            (VerificationMode::Chain, Some(last)) if last == head.id => {
                return Ok(known(&head.id, Some(links.tree), Evidence::AlreadyTrusted));
            }
            (VerificationMode::Chain, last) if last.is_some() || request.whole => {
                match Chain::walk(history, &links, last) {
                    Ok(chain) => Ok(chain),
                    Err(VerifyError::Rewritten { .. }) if request.accepted == Some(&head.id) => Err(last),
                    Err(error) => return Err(error),
                }
            }
            (VerificationMode::Chain | VerificationMode::Head | VerificationMode::None, last) => Err(last),
        };
        match since {
            Ok(chain) => self.chain(&chain, request, changes),
            Err(last) => self.whole(&alone(head), last, request, changes),
        }
    }

    /// [`Verifier::examine`] and [`Findings::attest`] in one, for those who have read the files already.
    ///
    /// # Errors
    /// Those of both, and the refusal.
    pub fn revision(
        &self,
        tree: Tree,
        history: &History,
        request: &Request<'_>,
        changes: &dyn Changes,
    ) -> Result<Verification, VerifyError> {
        let mut findings = self.examine(history, request, changes)?;
        match findings.refusal.take() {
            Some(refusal) => Err(refusal),
            None => findings.attest(tree),
        }
    }

    /// Lets a tree through unseen, for applications that ask for no verification.
    pub fn not_required(tree: Tree) -> Verified<Tree> {
        attest(tree, Evidence::NotRequired)
    }

    /// The commit that a signed tag starts trust with. `name` is the name that led to the tag.
    ///
    /// # Errors
    /// [`VerifyError::Untrusted`], [`VerifyError::NotATag`], [`VerifyError::TagRenamed`]
    pub fn start(&self, tag: &SignedObject, name: &str) -> Result<String, VerifyError> {
        let judged = self.judged(tag);
        if judged.report.verdict != Verdict::Trusted {
            return Err(untrusted("tag", judged.report, 0));
        }
        tagged(tag, name, None)
    }

    /// Remembers what was verified. Oldest first, so that what has no room is the oldest.
    pub fn remember(&self, findings: &Findings, ledger: &mut Ledger) {
        ledger.record(findings.entries.clone(), self.keyring, self.policy, self.now);
    }

    fn tag(
        &self,
        history: &History,
        tree: &str,
        request: &Request<'_>,
        changes: &dyn Changes,
    ) -> Result<Findings, VerifyError> {
        let head = &history.head.id;
        let Some(tag) = &history.tag else {
            return Err(VerifyError::NotATag {
                requested: request.requested.to_owned(),
                commit: head.clone(),
                detail: "no annotated tag led to it".to_owned(),
            });
        };
        let judged = self.judged(tag);
        if judged.report.verdict == Verdict::Trusted {
            tagged(tag, request.requested, Some(head))?;
        }
        let files = match self.policy.rules.ask_for_changes() {
            true => self.between(request.last_trusted, head, changes)?,
            false => Vec::new(),
        };
        let answered = self.answer(tag, &judged, &files, &[], false);
        let evidence = |signer| Evidence::Tagged {
            signer,
            tag: tag.id.clone(),
        };
        Ok(self.one("tag", tag, judged, answered, head, tree, request, evidence))
    }

    /// One commit whose signature vouches for everything that led to it.
    fn whole(
        &self,
        chain: &Chain<'_>,
        last: Option<&str>,
        request: &Request<'_>,
        changes: &dyn Changes,
    ) -> Result<Findings, VerifyError> {
        let (head, link) = chain.head();
        let judged = self.judged(head);
        let (mut files, mut own) = (Vec::new(), Vec::new());
        if self.policy.rules.ask_for_changes() && judged.report.verdict == Verdict::Trusted {
            files = self.between(last, &head.id, changes)?;
            own = changes_error(&head.id, changes.own(&head.id))?;
        }
        let answered = self.answer(head, &judged, &files, &own, link.parents.len() > 1);
        let evidence = |signer| Evidence::Signed { signer, commits: 1 };
        Ok(self.one(
            "commit", head, judged, answered, &head.id, &link.tree, request, evidence,
        ))
    }

    /// The files in which the new revision differs from the last trusted one; all of them where that one is gone.
    fn between(
        &self,
        last: Option<&str>,
        head: &str,
        changes: &dyn Changes,
    ) -> Result<Vec<String>, VerifyError> {
        let found = match last.map(|last| changes.between(Some(last), head)) {
            Some(Ok(files)) => Ok(files),
            Some(Err(_)) | None => changes.between(None, head),
        };
        changes_error(head, found)
    }

    /// The rules' answers about an object whose signature vouches for everything.
    fn answer(
        &self,
        object: &SignedObject,
        judged: &Judged,
        files: &[String],
        own: &[String],
        is_merge: bool,
    ) -> Vec<RuleAnswer> {
        let rules = &self.policy.rules;
        let by = self
            .by(judged)
            .filter(|_| judged.report.verdict == Verdict::Trusted);
        let Some(by) = by.filter(|_| !rules.is_empty()) else {
            return Vec::new();
        };
        let committer = address(object);
        let change = Change {
            by,
            committer: committer.as_deref(),
            is_merge,
            files,
            own,
            in_chain: false,
            merged_by: Some(&[]),
        };
        rules.answers(&change).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one case")]
    fn one(
        &self,
        kind: &'static str,
        object: &SignedObject,
        mut judged: Judged,
        answers: Vec<RuleAnswer>,
        commit: &str,
        tree: &str,
        request: &Request<'_>,
        evidence: impl FnOnce(Signer) -> Evidence,
    ) -> Findings {
        let entries = entry(&judged).into_iter().collect();
        let refused = answers.iter().find_map(|asked| match &asked.answer {
            Answer::NotMet(message) => Some(Refused {
                rule: asked.rule.clone(),
                message: message.clone(),
            }),
            Answer::Met(_) | Answer::NotAsked(_) => None,
        });
        let mut explanations = Vec::new();
        if request.explain {
            let mut explanation = self.explanation(object, &judged);
            explanation.asked.extend(answers);
            explanations.push(explanation);
        }
        let signer = judged.report.signer.clone();
        let is_trusted = judged.report.verdict == Verdict::Trusted;
        let refusal = match refused {
            Some(refused) => {
                forbid(&mut judged.report, &refused);
                Some(not_allowed(kind, judged.report.clone(), refused.rule, 0))
            }
            None if is_trusted => None,
            None => Some(untrusted(kind, judged.report.clone(), 0)),
        };
        if let Some(explanation) = explanations.first_mut() {
            explanation.report = judged.report.clone();
        }
        let trusted = signer.filter(|_| refusal.is_none()).map(|signer| Trusted {
            commit: commit.to_owned(),
            tree: Some(tree.to_owned()),
            evidence: evidence(signer),
        });
        Findings {
            reports: vec![judged.report],
            explanations,
            refusal,
            trusted,
            entries,
        }
    }

    fn chain(
        &self,
        chain: &Chain<'_>,
        request: &Request<'_>,
        changes: &dyn Changes,
    ) -> Result<Findings, VerifyError> {
        let commits = chain.commits();
        let judged = self.proven(commits);
        let rules = &self.policy.rules;
        let asks = rules.ask_for_changes();
        let pairs: Vec<(&SignedObject, &Judged)> = commits.iter().copied().zip(&judged).collect();
        let facts = in_parallel(&pairs, |(commit, judged)| {
            let is_asked = !rules.is_empty() && judged.report.verdict == Verdict::Trusted;
            let own = if is_asked && asks {
                changes_error(&commit.id, changes.own(&commit.id))?
            } else {
                Vec::new()
            };
            let committer = if is_asked { address(commit) } else { None };
            Ok(Facts { own, committer })
        });
        let facts = facts.into_iter().collect::<Result<Vec<_>, VerifyError>>()?;
        let verdicts = Verdicts {
            verifier: self,
            chain,
            judged: &judged,
            facts: &facts,
        };
        let refused = verdicts.within(chain.all());
        let trusted_at = if refused.is_empty() {
            Some(commits.len() - 1)
        } else if request.on_unverified == OnUnverified::Advance {
            verdicts.newest(&refused)
        } else {
            None
        };
        let trusted = trusted_at.and_then(|at| {
            let signer = judged.get(at)?.report.signer.clone()?;
            let commits = u32::try_from(chain.history_of(at).len()).unwrap_or(u32::MAX);
            Some(Trusted {
                commit: chain.id(at)?.to_owned(),
                tree: Some(chain.link(at)?.tree.clone()),
                evidence: Evidence::Signed { signer, commits },
            })
        });
        let mut explanations = match request.explain {
            true => verdicts.explanations(),
            false => Vec::new(),
        };
        let entries = judged.iter().filter_map(entry).collect();
        let mut reports: Vec<SignatureReport> = judged.iter().map(|judged| judged.report.clone()).collect();
        for (at, refusal) in &refused {
            if let (Some(report), Some(refusal)) = (reports.get_mut(*at), refusal) {
                forbid(report, refusal);
            }
        }
        for (explanation, report) in explanations.iter_mut().zip(&reports) {
            explanation.report = report.clone();
        }
        let others = refused.len().saturating_sub(1);
        let refusal = refused.into_iter().next().and_then(|(at, refusal)| {
            let report = reports.get(at)?.clone();
            Some(match refusal {
                Some(refusal) => not_allowed("commit", report, refusal.rule, others),
                None => untrusted("commit", report, others),
            })
        });
        Ok(Findings {
            reports,
            explanations,
            refusal,
            trusted,
            entries,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the verify stage, and this its one door"
)]
pub(crate) fn attest(tree: Tree, evidence: Evidence) -> Verified<Tree> {
    Verified::attest(tree, evidence)
}

fn known(commit: &str, tree: Option<String>, evidence: Evidence) -> Findings {
    Findings {
        reports: Vec::new(),
        explanations: Vec::new(),
        refusal: None,
        trusted: Some(Trusted {
            commit: commit.to_owned(),
            tree,
            evidence,
        }),
        entries: Vec::new(),
    }
}

/// The commit of a tag that is signed, checked to stand under its own name.
fn tagged(tag: &SignedObject, requested: &str, commit: Option<&str>) -> Result<String, VerifyError> {
    let not_a_tag = |target: &str, detail: &str| VerifyError::NotATag {
        requested: requested.to_owned(),
        commit: commit.unwrap_or(target).to_owned(),
        detail: detail.to_owned(),
    };
    let target = object::parse(tag).ok().and_then(|parts| parts.target);
    let Some(target) = target else {
        return Err(not_a_tag("", "it is no tag"));
    };
    let name = requested.strip_prefix("refs/tags/").unwrap_or(requested);
    if name != target.name && requested != tag.id {
        return Err(VerifyError::TagRenamed {
            found: name.to_owned(),
            signed: target.name,
        });
    }
    if !target.is_commit {
        return Err(not_a_tag(&target.id, "it tags something else than a commit"));
    }
    if commit.is_some_and(|commit| commit != target.id) {
        return Err(not_a_tag(&target.id, "it tags another commit"));
    }
    Ok(target.id)
}

fn address(object: &SignedObject) -> Option<String> {
    object::parse(object).ok().and_then(|parts| parts.address)
}

fn entry(judged: &Judged) -> Option<Entry> {
    let is_new = judged.report.verdict == Verdict::Trusted && !judged.is_remembered;
    is_new
        .then(|| {
            Some(Entry {
                id: judged.report.revision.clone(),
                key: judged.entry.clone()?,
                signer: judged.report.signer.clone()?,
            })
        })
        .flatten()
}

fn changes_error(commit: &str, found: Result<Vec<String>, ChangesError>) -> Result<Vec<String>, VerifyError> {
    found.map_err(|source| VerifyError::Changes {
        commit: commit.to_owned(),
        source,
    })
}

/// To a rule that refuses a signer, their key is one that the keyring does not have.
fn forbid(report: &mut SignatureReport, refused: &Refused) {
    report.verdict = Verdict::NoKey;
    report.message = format!("{}: {}", refused.rule, refused.message);
}

fn untrusted(kind: &'static str, report: SignatureReport, others: usize) -> VerifyError {
    VerifyError::Untrusted {
        kind,
        report: Box::new(report),
        others,
    }
}

fn not_allowed(kind: &'static str, report: SignatureReport, rule: String, others: usize) -> VerifyError {
    VerifyError::NotAllowed {
        kind,
        report: Box::new(report),
        rule,
        others,
    }
}
