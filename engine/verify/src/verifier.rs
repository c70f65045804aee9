//! Judges commits and tags by one keyring, one policy, one moment.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use sluice_model::trust::{SignatureReport, SignedKind, SignedObject, Verdict};

use crate::check::{self, Answer, Check, Explanation, RuleAnswer, SignatureKind};
use crate::judgement::{Judgement, Moment};
use crate::keyring::Keyring;
use crate::ledger::{self, Ledger};
use crate::openpgp::Document;
use crate::policy::Policy;
use crate::rules::By;
use crate::standing::Standings;
use crate::{hash, object, openpgp, ssh};

/// Below this many, threads cost more than they bring: one signature takes some 50 to 500 µs.
const WORTH_A_THREAD: usize = 8;

/// Judges commits and tags by one keyring, one policy, one moment; [`Verifier::examine`] judges a whole revision.
pub struct Verifier<'a> {
    pub(crate) keyring: &'a Keyring,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    pub(crate) standings: Standings,
    ledger: Option<(&'a Ledger, ledger::Standing)>,
    progress: Option<&'a (dyn Fn() + Sync)>,
}

/// One commit or tag, judged by its signature alone.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) report: SignatureReport,
    pub(crate) kind: SignatureKind,
    pub(crate) failed: Option<Check>,
    /// The entry of the keyring that vouches for the signer.
    pub(crate) entry: Option<String>,
    /// Whether it stands in the ledger as it is.
    pub(crate) is_remembered: bool,
}

impl<'a> Verifier<'a> {
    /// Judges by `keyring` and `policy` as of `now`.
    pub fn new(keyring: &'a Keyring, policy: &'a Policy, now: Timestamp) -> Self {
        Self {
            keyring,
            policy,
            now,
            standings: Standings::new(keyring),
            ledger: None,
            progress: None,
        }
    }

    /// What the ledger has on grounds that still stand is not verified again. What it has on others is judged as of the
    /// moment when it was verified first.
    #[must_use]
    pub fn with_ledger(mut self, ledger: &'a Ledger) -> Self {
        self.ledger = Some((ledger, ledger.standing(self.keyring, self.policy)));
        self
    }

    /// `progress` is called for each commit or tag that was judged, from any thread.
    #[must_use]
    pub fn with_progress(mut self, progress: &'a (dyn Fn() + Sync)) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Judges the signature of one commit or tag, without the policy's rules. Never fails: what cannot be judged is not
    /// trusted.
    pub fn object(&self, object: &SignedObject) -> SignatureReport {
        self.judged(object).report
    }

    /// Judges the signatures of many, on all cores. One report each, in the same order.
    pub fn objects(&self, objects: &[SignedObject]) -> Vec<SignatureReport> {
        in_parallel(objects, |object| self.object(object))
    }

    /// Judges the signature of one commit or tag, and tells every question that was asked.
    pub fn explain(&self, object: &SignedObject) -> Explanation {
        self.explanation(object, &self.judged(object))
    }

    pub(crate) fn explanation(&self, object: &SignedObject, judged: &Judged) -> Explanation {
        let mut asked = match judged.is_remembered {
            true => vec![RuleAnswer {
                rule: "the ledger has it, on grounds that still stand".to_owned(),
                answer: Answer::Met(String::new()),
            }],
            false => check::answers(judged.kind, judged.failed, &judged.report.message),
        };
        for tag in self.merge_tags(object) {
            let verdict = match tag.verdict {
                Verdict::Trusted => "is trusted",
                _ => "is not trusted",
            };
            // The merge's own signature covers the tag; what the tag is worth is for people to know.
            asked.push(RuleAnswer {
                rule: "merged tag".to_owned(),
                answer: Answer::NotAsked(format!("{} {verdict}: {}", tag.revision, tag.message)),
            });
        }
        Explanation {
            report: judged.report.clone(),
            asked,
        }
    }

    /// Judges the tags that a merge commit carries along, each under its own id. They decide nothing: the commit's own
    /// signature covers them.
    pub fn merge_tags(&self, object: &SignedObject) -> Vec<SignatureReport> {
        if object.kind != SignedKind::Commit {
            return Vec::new();
        }
        let tags = object::merge_tags(&object.bytes).into_iter();
        tags.map(|bytes| {
            let kind = SignedKind::Tag;
            let id = hash::id_of(kind, &bytes, object.id.len()).unwrap_or_default();
            self.object(&SignedObject { id, kind, bytes })
        })
        .collect()
    }

    /// Who signed, where the signature is good.
    pub(crate) fn by<'j>(&'j self, judged: &'j Judged) -> Option<By<'j>> {
        Some(By {
            keyring: self.keyring,
            entry: judged.entry.as_deref()?,
            signer: judged.report.signer.as_ref()?,
            now: self.now,
        })
    }

    /// Judges objects whose bytes are known to hash to their ids.
    pub(crate) fn proven(&self, objects: &[&SignedObject]) -> Vec<Judged> {
        in_parallel(objects, |object| self.told(object, true))
    }

    /// Judges one object.
    pub(crate) fn judged(&self, object: &SignedObject) -> Judged {
        self.told(object, hash::is_id_right(object))
    }

    fn told(&self, object: &SignedObject, is_id_right: bool) -> Judged {
        let remembered = self.remembered(object).filter(|_| is_id_right);
        let judged = remembered.unwrap_or_else(|| self.anew(object, is_id_right));
        if let Some(progress) = self.progress {
            progress();
        }
        judged
    }

    fn remembered(&self, object: &SignedObject) -> Option<Judged> {
        let (ledger, standing) = self.ledger.as_ref()?;
        let known = ledger.get(&object.id).filter(|known| standing.stands(known))?;
        Some(Judged {
            report: SignatureReport {
                revision: object.id.clone(),
                verdict: Verdict::Trusted,
                signer: Some(known.signer.clone()),
                signed_at: None,
                message: "verified before".to_owned(),
            },
            kind: SignatureKind::None,
            failed: None,
            entry: Some(known.key.to_owned()),
            is_remembered: true,
        })
    }

    fn anew(&self, object: &SignedObject, is_id_right: bool) -> Judged {
        let first = self
            .ledger
            .as_ref()
            .and_then(|(ledger, _)| ledger.get(&object.id));
        let (kind, judgement) = self.judge(object, is_id_right, first.map(|known| known.at));
        Judged {
            report: SignatureReport {
                revision: object.id.clone(),
                verdict: judgement.verdict,
                signer: judgement.signer,
                signed_at: judgement.signed_at,
                message: judgement.message,
            },
            kind,
            failed: judgement.failed,
            entry: judgement.relies_on,
            is_remembered: false,
        }
    }

    /// Judges as of `then`, where it was verified then by a keyring or policy that has changed since.
    fn judge(
        &self,
        object: &SignedObject,
        is_id_right: bool,
        then: Option<Timestamp>,
    ) -> (SignatureKind, Judgement) {
        let refused = |verdict, check, message: String| {
            (SignatureKind::None, Judgement::anonymous(verdict, check, message))
        };
        if !is_id_right {
            return refused(
                Verdict::Malformed,
                Check::Id,
                "its bytes do not hash to its id: the repository is damaged or tampered with".to_owned(),
            );
        }
        let kind = match object.kind {
            SignedKind::Commit => "commit",
            SignedKind::Tag => "tag",
        };
        let parts = match object::parse(object) {
            Ok(parts) => parts,
            Err(reason) => {
                let message = format!("the {kind} is malformed: {reason}");
                return refused(Verdict::Malformed, Check::Form, message);
            }
        };
        let Some(signature) = parts.signature else {
            let how = match object.kind {
                SignedKind::Commit => "commit -S",
                SignedKind::Tag => "tag -s",
            };
            let message = format!("the {kind} is not signed: use `git {how}`");
            return refused(Verdict::Unsigned, Check::Signed, message);
        };
        let now = then.unwrap_or(self.now);
        if signature.starts_with(openpgp::BEGIN) {
            let standings = then.is_none().then_some(&self.standings);
            let judgement = openpgp::judge(
                Document::Binary,
                &parts.payload,
                &signature,
                self.keyring,
                standings,
                self.policy,
                Moment { now, today: self.now },
            );
            return (SignatureKind::OpenPgp, judgement);
        }
        if signature.starts_with(ssh::BEGIN) {
            let judgement = ssh::judge(
                &parts.payload,
                &signature,
                self.keyring,
                self.policy,
                now,
                parts.written_at,
            );
            return (SignatureKind::Ssh, judgement);
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
        let message = format!("{what}: sign with an OpenPGP or SSH key");
        refused(verdict, Check::Readable, message)
    }
}

impl std::fmt::Debug for Verifier<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("policy", &self.policy)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Does the same for many on all cores; the answers in their order.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(items.len() / WORTH_A_THREAD).max(1);
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return done;
            };
            done.push((at, work(item)));
        }
    };
    let mut answers: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = run();
        for other in others {
            // A thread that panicked has answered nothing; the panic goes on here.
            all.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        all
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
