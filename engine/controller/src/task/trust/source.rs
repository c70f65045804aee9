//! Which revision of one source an application may be compared with, and what its status says about that.
//!
//! The newest one where it is trusted; with `onUnverified: advance` the newest trusted one before it; else the last trusted
//! one, at which the cluster stays.

use std::sync::Arc;

use sluice_model::application::{Source, Verification, VerificationMode, VerificationState};
use sluice_model::plan::ApplicationKey;
use sluice_pipeline::{Found, Grounds, Job, JobSource, PipelineError, TrustedSource, codes};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use sluice_verify::{Ledger, VerifyError};
use tokio::time::Instant;

use crate::fleet::Shared;
use crate::task::assess::Draft;
use crate::task::ledger::LedgerStore;
use crate::task::log;
use crate::task::trust::a_moment_ago;

/// Finds the trusted revision of one source, and remembers what was judged.
pub(crate) struct SourceTrust {
    shared: Arc<Shared>,
    key: ApplicationKey,
    /// How new the repository was at the last look.
    pub(crate) version: u64,
    /// What the revision meant at the last look; none if that could not be found out.
    pub(crate) meaning: Option<String>,
    trusted: Option<(Grounded, TrustedSource)>,
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
    pinned: Option<String>,
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

/// How a source stands.
pub(crate) enum Standing {
    /// Its newest revision that may be synced.
    Newest(TrustedSource),
    /// What was trusted last: nothing newer can be had, or may be.
    Last(TrustedSource),
    /// As [`Standing::Last`], and it is not trusted any more: the cluster may stay there, and not be moved.
    Shaken(TrustedSource),
    /// Not known.
    Unknown,
}

impl Standing {
    /// Returns the revision, if it is known.
    pub(crate) fn trusted(self) -> Option<TrustedSource> {
        match self {
            Self::Newest(trusted) | Self::Last(trusted) | Self::Shaken(trusted) => Some(trusted),
            Self::Unknown => None,
        }
    }

    fn last(trusted: Option<TrustedSource>) -> Self {
        trusted.map_or(Self::Unknown, Self::Last)
    }
}

enum Failure {
    Refused(Refusal),
    Failed(PipelineError),
}

impl SourceTrust {
    /// `name` is the source's, empty for one that is alone.
    pub(crate) fn new(shared: Arc<Shared>, key: ApplicationKey, name: &str) -> Self {
        Self {
            ledger: LedgerStore::new(Arc::clone(&shared), key.clone(), name),
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

    /// Returns the revision to compare with. Findings go into the draft, whose `verification` is about this source.
    pub(crate) async fn revision(
        &mut self,
        job: &Job,
        source: &mut JobSource,
        draft: &mut Draft,
        since: Instant,
    ) -> Standing {
        self.meaning = None;
        let shared = Arc::clone(&self.shared);
        let found = match shared.pipeline.find(job, source, None, since).await {
            Ok(found) => found,
            Err(error) => {
                draft.fail(conditions::SOURCE_READY, &error);
                // What was trusted is still what Git wanted last: drift is seen and healed even while Git is away.
                return Standing::last(self.remembered(job, source));
            }
        };
        source.clone_from(&found.source);
        self.version = found.version;
        self.meaning = Some(found.origin.id().to_owned());
        // A source that was called otherwise before goes on where it was.
        if draft.status.verification.is_none() && source.verified.trusted_revision.is_some() {
            draft.status.verification = Some(source.verified.clone());
        }
        self.ledger.note_digest(&mut draft.status);
        let fetched = format!("{} is {}", found.origin.requested(), found.origin.described());
        draft.find(conditions::SOURCE_READY, Finding::yes("Fetched", fetched));
        let grounds = match shared.pipeline.grounds(job, &found).await {
            Ok(grounds) => grounds,
            Err(error) => {
                log(&self.key, &error);
                draft.find(conditions::VERIFIED, Finding::failed(&error));
                return Standing::last(self.remembered(job, source));
            }
        };
        self.tell_of_keys(job, draft, &grounds);
        let pinned = source.pinned.is_some();
        match self.verified(job, draft, &found, &grounds).await {
            // Going back takes nothing of the trust away that was established since.
            Ok(trusted) if pinned && source.verified.trusted_revision.is_some() => {
                let commit = trusted.origin.id();
                let message = format!("{commit} is pinned, and signed as it has to be");
                draft.find(conditions::VERIFIED, Finding::yes("Pinned", message));
                Standing::Newest(trusted)
            }
            Ok(trusted) => {
                self.accepted(job, source, draft, &trusted, &grounds).await;
                Standing::Newest(trusted)
            }
            // Nothing else is wanted than what is pinned.
            Err(Failure::Refused(refusal)) if pinned => {
                draft.find(conditions::VERIFIED, refusal.finding);
                Standing::Unknown
            }
            Err(Failure::Refused(refusal)) => {
                let shakes = refusal.shakes;
                self.refused(source, draft, refusal, &grounds).await;
                let Some(last) = source.verified.trusted_revision.clone() else {
                    return Standing::Unknown;
                };
                // The cluster may stay at what is no longer trusted, and not be moved there.
                if shakes && job.synced_of(&source.name) != Some(last.as_str()) {
                    return Standing::Unknown;
                }
                match (self.fall_back(job, source, draft, &grounds, last).await, shakes) {
                    (Some(last), true) => Standing::Shaken(last),
                    (last, _) => Standing::last(last),
                }
            }
            Err(Failure::Failed(error)) => {
                let place = match &error {
                    PipelineError::Source(_) | PipelineError::Chart(_) => conditions::SOURCE_READY,
                    _ => conditions::VERIFIED,
                };
                draft.fail(place, &error);
                Standing::last(self.remembered(job, source))
            }
        }
    }

    /// What was trusted last, as long as the same is asked of it.
    fn remembered(&self, job: &Job, source: &JobSource) -> Option<TrustedSource> {
        let (question, trusted) = self.trusted.as_ref()?;
        let same = question.verification == job.spec.verification && question.pinned == source.pinned;
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
    ) -> Result<TrustedSource, Failure> {
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
            .judged(job, draft, found, grounds, found.source.pinned.is_some())
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
                    commit: found.origin.id().to_owned(),
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
    pub(crate) async fn by_name(
        &mut self,
        job: &Job,
        draft: &mut Draft,
        found: &Found,
    ) -> Result<TrustedSource, PipelineError> {
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
    ) -> Result<Result<TrustedSource, PipelineError>, PipelineError> {
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
        let state = &found.source.verified;
        let is_known = state.trusted_revision.as_deref() == Some(found.origin.id())
            && state.keyring_digest.as_ref() == Some(&grounds.keyring.digest())
            && state.policy_digest.as_ref() == Some(&grounds.policy.digest());
        job.mode() != VerificationMode::None && !is_known
    }

    async fn accepted(
        &mut self,
        job: &Job,
        source: &mut JobSource,
        draft: &mut Draft,
        trusted: &TrustedSource,
        grounds: &Grounds,
    ) {
        let commit = trusted.origin.id().to_owned();
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
            trusted_version: trusted.origin.version().map(str::to_owned),
            refused_revision: trusted.held_back.as_ref().map(|held| held.commit.clone()),
            start_of_trust: trusted.starts.effective.clone(),
            declared_start: trusted.starts.declared.clone(),
            keyring_digest: Some(grounds.keyring.digest()),
            policy_digest: Some(grounds.policy.digest()),
            commits: counted,
            pending_acceptance: None,
            ledger_digest: before.ledger_digest,
        });
        source.verified = draft.status.verification.clone().unwrap_or_default();
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

    async fn refused(
        &mut self,
        source: &mut JobSource,
        draft: &mut Draft,
        refusal: Refusal,
        grounds: &Grounds,
    ) {
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
        source.verified = draft.status.verification.clone().unwrap_or_default();
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
        source: &JobSource,
        draft: &mut Draft,
        grounds: &Grounds,
        last: String,
    ) -> Option<TrustedSource> {
        if let Some((question, trusted)) = &self.trusted
            && trusted.origin.id() == last
            && question.source.path == source.spec.path
        {
            return Some(trusted.clone());
        }
        let long_ago = a_moment_ago();
        let shared = Arc::clone(&self.shared);
        let again = async {
            let found = shared.pipeline.find(job, source, Some(&last), long_ago).await?;
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
        commit: found.origin.id().to_owned(),
        tag: found.origin.tag().map(str::to_owned),
        source: found.source.spec.clone(),
        verification: job.spec.verification.clone(),
        pinned: found.source.pinned.clone(),
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
            VerifyError::Older { digest, .. } => Some(digest.clone()),
            _ => None,
        },
        _ => None,
    }
}
