//! Judges objects and revisions by one keyring, one policy, one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use sluice_model::application::VerificationMode;
use sluice_model::tree::Tree;
use sluice_model::trust::{
    CommitLinks, Evidence, History, SignatureReport, SignedKind, SignedObject, Verdict, Verified,
};

use crate::error::VerifyError;
use crate::judgement::Judgement;
use crate::keyring::Keyring;
use crate::openpgp::Standings;
use crate::policy::Policy;
use crate::{hash, object, openpgp, ssh};

/// Below this many, threads cost more than they bring: one signature takes some 50 to 500 µs.
const WORTH_A_THREAD: usize = 8;

/// Judges objects and revisions by one keyring, one policy, one moment.
#[derive(Debug)]
pub struct Verifier<'a> {
    keyring: &'a Keyring,
    standings: Standings,
    policy: Policy,
    now: Timestamp,
}

/// A revision that was let through, and every signature that was looked at for it.
#[derive(Debug, Clone)]
pub struct Verification {
    /// What render takes.
    pub tree: Verified<Tree>,
    /// One report for each commit that was judged, oldest first.
    pub reports: Vec<SignatureReport>,
}

impl<'a> Verifier<'a> {
    /// Judges by `keyring` and `policy` as of `now`.
    pub fn new(keyring: &'a Keyring, policy: Policy, now: Timestamp) -> Self {
        Self {
            keyring,
            standings: Standings::new(keyring),
            policy,
            now,
        }
    }

    /// Judges one commit or tag alone. Never fails: what cannot be judged is not trusted.
    pub fn object(&self, object: &SignedObject) -> SignatureReport {
        let judgement = self.judge(object);
        SignatureReport {
            revision: object.id.clone(),
            verdict: judgement.verdict,
            signer: judgement.signer,
            signed_at: judgement.signed_at,
            message: judgement.message,
        }
    }

    /// Judges many, on all cores. One report each, in the same order.
    pub fn objects(&self, objects: &[SignedObject]) -> Vec<SignatureReport> {
        let objects: Vec<&SignedObject> = objects.iter().collect();
        self.all(&objects)
    }

    /// Lets a revision through, or says why not. `history` is what source says lies between the last trusted commit
    /// and the tree's; nothing of it is believed that its bytes do not prove, but for one thing that they cannot: that
    /// the commits in `boundary` are older than the last trusted one.
    ///
    /// # Errors
    /// Every variant of [`VerifyError`] but [`VerifyError::KeyringUnreadable`].
    pub fn revision(
        &self,
        tree: Tree,
        history: &History,
        mode: VerificationMode,
        last_trusted: Option<&str>,
    ) -> Result<Verification, VerifyError> {
        if mode == VerificationMode::None {
            return Ok(Verification {
                tree: Self::not_required(tree),
                reports: Vec::new(),
            });
        }
        if self.keyring.is_empty() {
            let problems = self.keyring.problems().iter().map(ToString::to_string).collect();
            return Err(VerifyError::KeyringEmpty { problems });
        }
        let links = belongs(&tree, &history.head)?;
        let chain = match (mode, last_trusted) {
            (VerificationMode::Chain, Some(last_trusted)) if last_trusted == history.head.id => {
                return Ok(Verification {
                    tree: attest(tree, Evidence::AlreadyTrusted),
                    reports: Vec::new(),
                });
            }
            (VerificationMode::Chain, Some(last_trusted)) => self.chain(history, &links, last_trusted)?,
            (VerificationMode::Chain, None) | (VerificationMode::Head, _) => vec![&history.head],
            (VerificationMode::None, _) => Vec::new(),
        };
        let reports = self.all(&chain);
        let refused = reports
            .iter()
            .filter(|report| report.verdict != Verdict::Trusted)
            .count();
        if let Some(report) = reports.iter().find(|report| report.verdict != Verdict::Trusted) {
            return Err(VerifyError::Untrusted {
                kind: "commit",
                report: Box::new(report.clone()),
                others: refused.saturating_sub(1),
            });
        }
        let signer = reports.last().and_then(|report| report.signer.clone());
        let Some(signer) = signer else {
            return Err(inconsistent(&history.head.id, "nobody is named as its signer"));
        };
        let commits = u32::try_from(reports.len()).unwrap_or(u32::MAX);
        Ok(Verification {
            tree: attest(tree, Evidence::Signed { signer, commits }),
            reports,
        })
    }

    /// Lets a tree through unseen, for applications that ask for no verification.
    pub fn not_required(tree: Tree) -> Verified<Tree> {
        attest(tree, Evidence::NotRequired)
    }

    /// Every commit from the head down to the last trusted one, oldest first, the walk made by the commits' own bytes.
    fn chain<'h>(
        &self,
        history: &'h History,
        head: &CommitLinks,
        last_trusted: &str,
    ) -> Result<Vec<&'h SignedObject>, VerifyError> {
        let rewritten = || VerifyError::Rewritten {
            last_trusted: last_trusted.to_owned(),
            new: history.head.id.clone(),
        };
        if !history.last_trusted_is_ancestor {
            return Err(rewritten());
        }
        let given: BTreeMap<&str, &SignedObject> = history
            .commits
            .iter()
            .map(|commit| (commit.id.as_str(), commit))
            .collect();
        let boundary: BTreeSet<&str> = history.boundary.iter().map(String::as_str).collect();
        let mut reached = BTreeSet::from([history.head.id.as_str()]);
        let mut waiting = vec![(history.head.id.clone(), head.clone())];
        let mut finds_last_trusted = false;
        while let Some((commit, links)) = waiting.pop() {
            for parent in links.parents {
                finds_last_trusted |= parent == last_trusted;
                if parent == last_trusted || boundary.contains(parent.as_str()) {
                    continue;
                }
                let Some(object) = given.get(parent.as_str()) else {
                    return Err(VerifyError::Incomplete { commit, parent });
                };
                if reached.insert(object.id.as_str()) {
                    waiting.push((parent, proven(object)?));
                }
            }
        }
        if !finds_last_trusted {
            return Err(rewritten());
        }
        let rest = history
            .commits
            .iter()
            .filter(|commit| reached.contains(commit.id.as_str()));
        let mut chain: Vec<&SignedObject> = rest.filter(|commit| commit.id != history.head.id).collect();
        // Last, and by the bytes that were proven to be the tree's.
        chain.push(&history.head);
        Ok(chain)
    }

    fn all(&self, objects: &[&SignedObject]) -> Vec<SignatureReport> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(objects.len() / WORTH_A_THREAD).max(1);
        if threads == 1 {
            return objects.iter().map(|object| self.object(object)).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(object) = objects.get(at) else {
                    return done;
                };
                done.push((at, self.object(object)));
            }
        };
        let mut reports: Vec<(usize, SignatureReport)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut all = work();
            for other in others {
                // A thread that panicked has judged nothing; the panic goes on here.
                all.extend(
                    other
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                );
            }
            all
        });
        reports.sort_by_key(|(at, _)| *at);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    fn judge(&self, object: &SignedObject) -> Judgement {
        if hash::object_id(object).as_deref() != Some(object.id.as_str()) {
            return Judgement::anonymous(
                Verdict::Malformed,
                "its bytes do not hash to its id: the repository is damaged or tampered with",
            );
        }
        let kind = match object.kind {
            SignedKind::Commit => "commit",
            SignedKind::Tag => "tag",
        };
        let parts = match object::parse(object) {
            Ok(parts) => parts,
            Err(reason) => {
                return Judgement::anonymous(
                    Verdict::Malformed,
                    format!("the {kind} is malformed: {reason}"),
                );
            }
        };
        let Some(signature) = parts.signature else {
            let how = match object.kind {
                SignedKind::Commit => "commit -S",
                SignedKind::Tag => "tag -s",
            };
            return Judgement::anonymous(
                Verdict::Unsigned,
                format!("the {kind} is not signed: use `git {how}`"),
            );
        };
        if signature.starts_with(openpgp::BEGIN) {
            return openpgp::judge(
                &parts.payload,
                &signature,
                self.keyring,
                &self.standings,
                &self.policy,
                self.now,
            );
        }
        if signature.starts_with(ssh::BEGIN) {
            return ssh::judge(
                &parts.payload,
                &signature,
                self.keyring,
                &self.policy,
                self.now,
                parts.written_at,
            );
        }
        let (verdict, what) = if signature.starts_with(b"-----BEGIN SIGNED MESSAGE-----") {
            (Verdict::Unsupported, "X.509 signatures are not supported")
        } else if signature.starts_with(b"-----BEGIN PGP MESSAGE-----") {
            (
                Verdict::Unsupported,
                "a whole OpenPGP message is no signature of a commit",
            )
        } else {
            (Verdict::Malformed, "its signature is of no known kind")
        };
        Judgement::anonymous(verdict, format!("{what}: sign with an OpenPGP or SSH key"))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the verify stage, and this its one door"
)]
fn attest(tree: Tree, evidence: Evidence) -> Verified<Tree> {
    Verified::attest(tree, evidence)
}

/// That the commit is what its id says, and the tree the one that it names.
fn belongs(tree: &Tree, head: &SignedObject) -> Result<CommitLinks, VerifyError> {
    if head.id != tree.revision.commit {
        return Err(inconsistent(
            &head.id,
            "it is not the commit that the tree was read from",
        ));
    }
    let links = proven(head)?;
    if links.tree != tree.revision.tree {
        return Err(inconsistent(
            &head.id,
            "it names another tree than the one that was read",
        ));
    }
    Ok(links)
}

/// The links of a commit whose bytes hash to its id.
fn proven(commit: &SignedObject) -> Result<CommitLinks, VerifyError> {
    if commit.kind != SignedKind::Commit {
        return Err(inconsistent(&commit.id, "it is not a commit"));
    }
    if hash::object_id(commit).as_deref() != Some(commit.id.as_str()) {
        return Err(inconsistent(&commit.id, "its bytes do not hash to its id"));
    }
    CommitLinks::read(&commit.bytes, commit.id.len())
        .ok_or_else(|| inconsistent(&commit.id, "its tree and parent lines are not those of a commit"))
}

fn inconsistent(id: &str, detail: &str) -> VerifyError {
    VerifyError::Inconsistent {
        id: id.to_owned(),
        detail: detail.to_owned(),
    }
}
