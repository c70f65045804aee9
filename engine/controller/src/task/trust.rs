//! Which revision an application may be compared with, and what its status says about that.
//!
//! The newest one where it is trusted; with `onUnverified: advance` the newest trusted one before it; else the last trusted
//! one, at which the cluster stays.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::application::{Pin, Source, Verification, VerificationMode, VerificationState};
use sluice_model::plan::ApplicationKey;
use sluice_pipeline::{Found, Grounds, Job, PipelineError, Trusted, codes};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use sluice_verify::{Ledger, VerifyError};
use tokio::time::Instant;

use super::assess::Draft;
use super::ledger::LedgerStore;
use super::log;
use crate::fleet::Shared;

/// Finds the trusted revision of one Application, and remembers what was judged.
pub(crate) struct Trust {
    shared: Arc<Shared>,
    key: ApplicationKey,
    /// How new the repository was at the last look.
    pub(crate) version: u64,
    /// What the revision meant at the last look; none if that could not be found out.
    pub(crate) meaning: Option<String>,
    trusted: Option<(Grounded, Trusted)>,
    refused: Option<(Grounded, Refusal)>,
    ledger: LedgerStore,
}

/// What was judged, and by which keys and rules; as long as these are the same, so is the judgement.
#[derive(Debug, Clone, PartialEq)]
struct Grounded {
    commit: String,
    tag: Option<String>,
    source: Source,
    verification: Option<Verification>,
    pin: Option<Pin>,
    accepted: Option<String>,
    keyring: String,
    policy: String,
}

/// A revision that is not let through.
#[derive(Debug, Clone)]
struct Refusal {
    commit: String,
    finding: Finding,
    /// The commit that a person may accept.
    acceptable: Option<String>,
    /// Whether what the cluster is at is not trusted either.
    shakes: bool,
}

enum Failure {
    Refused(Refusal),
    Failed(PipelineError),
}

impl Trust {
    pub(crate) fn new(shared: Arc<Shared>, key: ApplicationKey) -> Self {
        Self {
            ledger: LedgerStore::new(Arc::clone(&shared), key.clone()),
            shared,
            key,
            version: 0,
            meaning: None,
            trusted: None,
            refused: None,
        }
    }

    /// This is another Application than before, though of the same name.
    pub(crate) fn meet(&mut self, uid: String) {
        self.forget();
        self.ledger.meet(uid);
    }

    /// Forgets what was judged.
    pub(crate) fn forget(&mut self) {
        (self.trusted, self.refused, self.version) = (None, None, 0);
        self.ledger.forget();
    }

    /// Returns the revision to compare with; none if it is not known. Findings go into the draft.
    pub(crate) async fn revision(
        &mut self,
        job: &mut Job,
        draft: &mut Draft,
        since: Instant,
    ) -> Option<Trusted> {
        self.meaning = None;
        let shared = Arc::clone(&self.shared);
        let found = match shared.pipeline.find(job, None, since).await {
            Ok(found) => found,
            Err(error) => {
                draft.fail(conditions::SOURCE_READY, &error);
                // What was trusted is still what Git wanted last: drift is seen and healed even while Git is away.
                return self.remembered(job);
            }
        };
        self.version = found.version;
        self.meaning = Some(found.revision.commit.clone());
        self.ledger.note_digest(&mut draft.status);
        let source = format!("{} is {}", found.revision.requested, found.revision.commit);
        draft.find(conditions::SOURCE_READY, Finding::yes("Fetched", source));
        let grounds = match shared.pipeline.grounds(job, &found).await {
            Ok(grounds) => grounds,
            Err(error) => {
                log(&self.key, &error);
                draft.find(conditions::VERIFIED, Finding::failed(&error));
                return self.remembered(job);
            }
        };
        self.tell_of_keys(job, draft, &grounds);
        let pinned = job.spec.pin.is_some();
        match self.verified(job, draft, &found, &grounds).await {
            // Going back takes nothing of the trust away that was established since.
            Ok(trusted) if pinned && job.verified.trusted_revision.is_some() => {
                let commit = &trusted.revision.commit;
                let message = format!("{commit} is pinned, and signed as it has to be");
                draft.find(conditions::VERIFIED, Finding::yes("Pinned", message));
                Some(trusted)
            }
            Ok(trusted) => {
                self.accepted(job, draft, &trusted, &grounds).await;
                Some(trusted)
            }
            // Nothing else is wanted than what is pinned.
            Err(Failure::Refused(refusal)) if pinned => {
                draft.find(conditions::VERIFIED, refusal.finding);
                None
            }
            Err(Failure::Refused(refusal)) => {
                let shakes = refusal.shakes;
                self.refused(job, draft, refusal, &grounds).await;
                let last = job.verified.trusted_revision.clone()?;
                // The cluster may stay at what is no longer trusted, and not be moved there.
                if shakes && job.synced.as_ref() != Some(&last) {
                    return None;
                }
                self.fall_back(job, draft, &grounds, last).await
            }
            Err(Failure::Failed(error)) => {
                let place = match &error {
                    PipelineError::Source(_) => conditions::SOURCE_READY,
                    _ => conditions::VERIFIED,
                };
                draft.fail(place, &error);
                self.remembered(job)
            }
        }
    }

    /// What was trusted last, as long as the same is asked of it.
    fn remembered(&self, job: &Job) -> Option<Trusted> {
        let (question, trusted) = self.trusted.as_ref()?;
        let same = question.verification == job.spec.verification && question.pin == job.spec.pin;
        same.then(|| trusted.clone())
    }

    /// A damaged key is named while the others serve.
    fn tell_of_keys(&self, job: &Job, draft: &mut Draft, grounds: &Grounds) {
        if job.mode() == VerificationMode::None {
            draft
                .status
                .conditions
                .retain(|condition| condition.r#type != conditions::KEYS_READY);
            return;
        }
        let problems = grounds.problems();
        let finding = match problems.is_empty() {
            true => Finding::yes("Read", "every key of the keyrings can be used"),
            false => {
                let code = &codes::DAMAGED_KEYS;
                let text = format!("{}: {}\nhint: {}", code.id, problems.join("; "), code.hint);
                Finding::no(code.id, text)
            }
        };
        draft.find(conditions::KEYS_READY, finding);
    }

    async fn verified(
        &mut self,
        job: &Job,
        draft: &mut Draft,
        found: &Found,
        grounds: &Grounds,
    ) -> Result<Trusted, Failure> {
        let question = question(job, found, grounds);
        if let Some((known, trusted)) = &self.trusted
            && *known == question
        {
            return Ok(trusted.clone());
        }
        if let Some((known, refusal)) = &self.refused
            && *known == question
        {
            return Err(Failure::Refused(refusal.clone()));
        }
        let result = self
            .judged(job, draft, found, grounds, job.spec.pin.is_some())
            .await;
        let result = result.map_err(Failure::Failed)?;
        match result {
            Ok(trusted) => {
                self.trusted = Some((question, trusted.clone()));
                self.refused = None;
                Ok(trusted)
            }
            Err(error @ (PipelineError::Verify { .. } | PipelineError::NoLongerTrusted { .. })) => {
                let refusal = Refusal {
                    commit: found.revision.commit.clone(),
                    finding: Finding::failed(&error),
                    acceptable: acceptable(&error),
                    shakes: matches!(error, PipelineError::NoLongerTrusted { .. }),
                };
                self.refused = Some((question, refusal.clone()));
                Err(Failure::Refused(refusal))
            }
            Err(error) => Err(Failure::Failed(error)),
        }
    }

    /// A revision that a person asks for by name, or nothing.
    pub(super) async fn by_name(
        &mut self,
        job: &Job,
        draft: &mut Draft,
        found: &Found,
    ) -> Result<Trusted, PipelineError> {
        let shared = Arc::clone(&self.shared);
        let grounds = shared.pipeline.grounds(job, found).await?;
        self.judged(job, draft, found, &grounds, true).await?
    }

    /// Judges with the ledger, and keeps it. `is_named` where a person named the revision.
    async fn judged(
        &mut self,
        job: &Job,
        draft: &mut Draft,
        found: &Found,
        grounds: &Grounds,
        is_named: bool,
    ) -> Result<Result<Trusted, PipelineError>, PipelineError> {
        let before = match self.needs_ledger(job, found, grounds) {
            true => self.ledger.read(&draft.status).await,
            false => Ledger::default(),
        };
        // Waiting for a repository takes no turn, computing does. A closed semaphore means that the process ends.
        let shared = Arc::clone(&self.shared);
        let _turn = shared.looking.acquire().await;
        let (pipeline, ledger, now) = (&shared.pipeline, before.clone(), jiff::Timestamp::now());
        let (result, ledger) = match is_named {
            true => pipeline.trust_named(job, found, grounds, ledger, now).await?,
            false => pipeline.trust(job, found, grounds, ledger, now).await?,
        };
        if ledger != before {
            self.ledger.keep(ledger).await;
            self.ledger.note_digest(&mut draft.status);
        }
        Ok(result)
    }

    /// Whether there is anything to look up or to write down: not where the cluster is at the newest revision, and the keys
    /// and rules are those by which that was found trusted. So a restart costs no request.
    fn needs_ledger(&self, job: &Job, found: &Found, grounds: &Grounds) -> bool {
        let state = &job.verified;
        let is_known = state.trusted_revision.as_ref() == Some(&found.revision.commit)
            && state.keyring_digest.as_ref() == Some(&grounds.keyring.digest())
            && state.policy_digest.as_ref() == Some(&grounds.policy.digest());
        job.mode() != VerificationMode::None && !is_known
    }

    async fn accepted(&mut self, job: &mut Job, draft: &mut Draft, trusted: &Trusted, grounds: &Grounds) {
        let commit = trusted.revision.commit.clone();
        if job.mode() == VerificationMode::None {
            draft.status.verification = None;
            let message = "the Application asks for no verification";
            draft.find(conditions::VERIFIED, Finding::yes("NotRequired", message));
            return;
        }
        let before = draft.status.verification.take().unwrap_or_default();
        let signer = trusted.signer.as_ref().map(|signer| signer.fingerprint.clone());
        let same = before.trusted_revision.as_deref() == Some(commit.as_str());
        let is_restart = before.start_of_trust != trusted.starts.effective;
        let new = u64::try_from(trusted.reports.len()).unwrap_or(u64::MAX);
        let counted = match (same, is_restart) {
            (true, _) => before.commits,
            (false, true) => Some(new),
            (false, false) => Some(before.commits.unwrap_or_default().saturating_add(new)),
        };
        let known = before.refused_revision.clone();
        draft.status.verification = Some(VerificationState {
            signer: signer.or_else(|| before.signer.clone().filter(|_| same)),
            trusted_revision: Some(commit.clone()),
            refused_revision: trusted.held_back.as_ref().map(|held| held.commit.clone()),
            start_of_trust: trusted.starts.effective.clone(),
            declared_start: trusted.starts.declared.clone(),
            keyring_digest: Some(grounds.keyring.digest()),
            policy_digest: Some(grounds.policy.digest()),
            commits: counted,
            pending_acceptance: None,
            ledger_digest: before.ledger_digest,
        });
        job.verified = draft.status.verification.clone().unwrap_or_default();
        if let Some(held) = &trusted.held_back {
            let error = PipelineError::Verify {
                commit: held.commit.clone(),
                error: Arc::clone(&held.error),
            };
            let finding = Finding::failed(&error);
            let stays =
                format!("{commit} is synced instead: the newest commit whose whole history is trusted");
            self.say_refused(draft, known.as_deref(), &held.commit, finding, &stays)
                .await;
            return;
        }
        // A revision that was found trusted before keeps the words in which that was said.
        let said = conditions::get(&draft.status.conditions, conditions::VERIFIED)
            .is_some_and(|said| said.status == "True");
        if !(same && said && trusted.signer.is_none()) {
            let message = match &trusted.signer {
                Some(signer) => {
                    let name = signer.user_id.as_deref().unwrap_or("unnamed");
                    format!("{commit} is signed by {} ({name})", signer.fingerprint)
                }
                None => format!("{commit} was verified before"),
            };
            draft.find(conditions::VERIFIED, Finding::yes("Trusted", message));
        }
    }

    async fn refused(&mut self, job: &mut Job, draft: &mut Draft, refusal: Refusal, grounds: &Grounds) {
        let before = draft.status.verification.take().unwrap_or_default();
        let known = before.refused_revision.clone();
        let stays = match &before.trusted_revision {
            Some(trusted) => format!("the cluster stays at {trusted}"),
            None => "nothing is synced".to_owned(),
        };
        // By which keys and rules it is known that what was trusted before still is.
        let stands = before.trusted_revision.is_some() && !refusal.shakes;
        let digests = match stands {
            true => (Some(grounds.keyring.digest()), Some(grounds.policy.digest())),
            false => (before.keyring_digest.clone(), before.policy_digest.clone()),
        };
        draft.status.verification = Some(VerificationState {
            refused_revision: Some(refusal.commit.clone()),
            pending_acceptance: refusal.acceptable,
            keyring_digest: digests.0,
            policy_digest: digests.1,
            ..before
        });
        job.verified = draft.status.verification.clone().unwrap_or_default();
        self.say_refused(draft, known.as_deref(), &refusal.commit, refusal.finding, &stays)
            .await;
    }

    /// `known` is the commit of which the same was said before: an Event tells of each once.
    async fn say_refused(
        &mut self,
        draft: &mut Draft,
        known: Option<&str>,
        commit: &str,
        finding: Finding,
        stays: &str,
    ) {
        let message = format!("{}; {stays}", finding.message);
        if known != Some(commit) {
            tracing::warn!(application = %self.key, commit, reason = finding.reason, "revision refused");
            draft
                .happenings
                .push((Happening::RevisionRefused, message.clone()));
        }
        draft.find(conditions::VERIFIED, Finding { message, ..finding });
    }

    /// The last trusted revision, to go on with.
    async fn fall_back(
        &mut self,
        job: &Job,
        draft: &mut Draft,
        grounds: &Grounds,
        last: String,
    ) -> Option<Trusted> {
        if let Some((question, trusted)) = &self.trusted
            && trusted.revision.commit == last
            && question.source.path == job.spec.source.path
        {
            return Some(trusted.clone());
        }
        // What was fetched a moment ago will do.
        let long_ago = Instant::now()
            .checked_sub(Duration::from_secs(600))
            .unwrap_or_else(Instant::now);
        let shared = Arc::clone(&self.shared);
        let again = async {
            let found = shared.pipeline.find(job, Some(&last), long_ago).await?;
            let trusted = shared.pipeline.stay(job, &found, grounds).await?;
            Ok::<_, PipelineError>((question(job, &found, grounds), trusted))
        };
        match again.await {
            Ok((question, trusted)) => {
                self.trusted = Some((question, trusted.clone()));
                Some(trusted)
            }
            Err(error) => {
                log(&self.key, &error);
                draft.find(conditions::SOURCE_READY, Finding::failed(&error));
                None
            }
        }
    }
}

fn question(job: &Job, found: &Found, grounds: &Grounds) -> Grounded {
    Grounded {
        commit: found.revision.commit.clone(),
        tag: found.revision.tag.clone(),
        source: job.spec.source.clone(),
        verification: job.spec.verification.clone(),
        pin: job.spec.pin.clone(),
        accepted: job.accepted.clone(),
        keyring: grounds.keyring.digest(),
        policy: grounds.policy.digest(),
    }
}

/// The commit that a person may accept although the history was rewritten.
fn acceptable(error: &PipelineError) -> Option<String> {
    match error {
        PipelineError::Verify { error, .. } => match &**error {
            VerifyError::Rewritten { new, .. } => Some(new.clone()),
            _ => None,
        },
        _ => None,
    }
}
