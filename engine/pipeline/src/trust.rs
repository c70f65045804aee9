//! Whether a revision may be synced, and which one may be instead.
//!
//! Trust is of commits and not of a URL: a commit's id says what it holds and what led to it. An Application that is pointed
//! at another host, another repository or another branch goes on where it was if the last trusted commit is in that history
//! too; if it is not, the history counts as rewritten and waits for a person.
//!
//! When the keys or the policy have changed since, what was trusted before is looked at first: what the ledger has on keys
//! and rules that still stand is not verified again, the rest is, from the start of trust on. Only where all of it still
//! holds does anything newer come in.

mod charts;

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_model::application::{OnUnverified, VerificationMode, VerificationState};
use sluice_model::tree::{Revision, Tree};
use sluice_model::trust::Evidence;
use sluice_source::{Fetched, SourceError, TreeLimits};
use sluice_verify::{Findings, Ledger, Request, Verifier, VerifyError};

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::variables::is_path_open;
use crate::{
    Found, GitOrigin, Grounds, Job, JobSource, Origin, Pipeline, TrustStart, Trusted, TrustedSource,
};

/// More new commits than this are not verified in one go: a person should look at what happened.
pub(super) const HISTORY_LIMIT: usize = 100_000;

/// Where trust starts, where a history is trusted.
#[derive(Debug, Clone, Default)]
pub struct Starts {
    /// With which commit.
    pub effective: Option<String>,
    /// Which one the spec has; another one there starts trust anew.
    pub declared: Option<String>,
}

/// A newer revision that is not let through.
#[derive(Debug, Clone)]
pub struct HeldBack {
    /// The commit that is held back.
    pub commit: String,
    /// Why it is not trusted.
    pub error: Arc<VerifyError>,
}

impl Pipeline {
    /// Judges what was found and reads its files. Returns the newest revision that may be synced, and the ledger with what was verified
    /// now. The ledger saves work; an empty one will do.
    ///
    /// # Errors
    /// [`PipelineError::Verify`] if it is refused; [`PipelineError::NoLongerTrusted`] if what was trusted before is
    /// not any more. The last trusted revision can then be asked for by [`Pipeline::stay`].
    pub async fn trust(
        &self,
        job: &Job,
        found: &Found,
        grounds: &Grounds,
        ledger: Ledger,
        now: jiff::Timestamp,
    ) -> Result<(Result<TrustedSource, PipelineError>, Ledger), PipelineError> {
        let (job, found, grounds) = (job.clone(), found.clone(), grounds.clone());
        blocking(move || {
            let git = match &found.origin {
                Origin::Git(git) => git,
                Origin::Chart(chart) => {
                    return (charts::judge(&job, &found.source, chart, &grounds, now), ledger);
                }
            };
            let mut case = Case {
                job: &job,
                source: &found.source,
                repository: &git.repository,
                grounds: &grounds,
                ledger,
                now,
            };
            let judged = case.judge(&git.revision);
            (judged, case.ledger)
        })
        .await
    }

    /// Returns the last trusted revision, whatever is asked of a new one: what the cluster is at, it may stay at.
    ///
    /// # Errors
    /// [`PipelineError::Internal`] if another revision was found than the last trusted one.
    pub async fn stay(
        &self,
        job: &Job,
        found: &Found,
        grounds: &Grounds,
    ) -> Result<TrustedSource, PipelineError> {
        let (job, found, grounds) = (job.clone(), found.clone(), grounds.clone());
        blocking(move || {
            let verified = &found.source.verified;
            let last = verified.trusted_revision.as_deref();
            if last != Some(found.origin.id()) {
                return Err(PipelineError::internal(
                    "only where the cluster is at may it stay",
                ));
            }
            let git = match &found.origin {
                Origin::Git(git) => git,
                Origin::Chart(chart) => return charts::stay(&found.source, chart),
            };
            let mut case = Case {
                job: &job,
                source: &found.source,
                repository: &git.repository,
                grounds: &grounds,
                ledger: Ledger::default(),
                now: jiff::Timestamp::UNIX_EPOCH,
            };
            // Between a commit and itself lies nothing that has to be judged.
            let request = Request {
                mode: VerificationMode::Chain,
                last_trusted: last,
                ..Request::default()
            };
            let findings = case.examine(&git.revision, &request)?;
            let starts = Starts {
                effective: verified.start_of_trust.clone(),
                declared: verified.declared_start.clone(),
            };
            case.settle(&git.revision, findings, starts)
        })
        .await?
    }

    /// [`Pipeline::find`], [`Pipeline::grounds`] and [`Pipeline::trust`] of every source in one, for commands. For a revision that is
    /// asked for by name nothing older is returned.
    ///
    /// # Errors
    /// Those of the three.
    pub async fn trusted(&self, job: &Job, revision: Option<&str>) -> Result<Trusted, PipelineError> {
        let since = tokio::time::Instant::now();
        let mut sources = Vec::new();
        for (source, revision) in job.sources.iter().zip(job.asked(revision)?) {
            let revision = revision.as_deref();
            let found = self.find(job, source, revision, since).await?;
            let grounds = self.grounds(job, &found).await?;
            let now = jiff::Timestamp::now();
            let (trusted, _) = match revision.is_some() || source.pinned.is_some() {
                true => {
                    self.trust_named(job, &found, &grounds, Ledger::default(), now)
                        .await?
                }
                false => self.trust(job, &found, &grounds, Ledger::default(), now).await?,
            };
            sources.push(trusted?);
        }
        Ok(Trusted { sources })
    }
}

/// A source with what was verified of it. Trust is of commits: one of which nothing is known goes on where one was that is gone, if the
/// commit that was trusted last is in its repository. So a source can be renamed, and one can become several.
pub(crate) async fn continued(
    job: &Job,
    source: &JobSource,
    origin: &GitOrigin,
) -> Result<JobSource, PipelineError> {
    let mut source = source.clone();
    if source.verified.trusted_revision.is_some() || job.orphans.is_empty() {
        return Ok(source);
    }
    let (orphans, repository) = (job.orphans.clone(), Arc::clone(&origin.repository));
    let is_there = move |state: &VerificationState| {
        let last = state.trusted_revision.as_deref();
        last.is_some_and(|last| repository.resolve(last).is_ok())
    };
    let one = blocking(move || orphans.into_iter().find(is_there)).await?;
    if let Some(state) = one {
        source.verified = VerificationState {
            // The ledger is kept by the source's name.
            ledger_digest: None,
            refused_revision: None,
            pending_acceptance: None,
            ..state
        };
    }
    Ok(source)
}

/// One revision of one source, to be judged.
struct Case<'a> {
    job: &'a Job,
    source: &'a JobSource,
    repository: &'a Arc<Fetched>,
    grounds: &'a Grounds,
    ledger: Ledger,
    now: jiff::Timestamp,
}

impl Case<'_> {
    fn judge(&mut self, revision: &Revision) -> Result<TrustedSource, PipelineError> {
        let (job, mode) = (self.job, self.job.mode());
        if mode == VerificationMode::None {
            let tree = self.read(revision)?;
            return Ok(TrustedSource {
                source: self.source.clone(),
                origin: self.origin(revision.clone()),
                tree: Arc::new(Verifier::not_required(tree)),
                signer: None,
                reports: Vec::new(),
                starts: Starts::default(),
                held_back: None,
            });
        }
        let declared = self.declared_start()?;
        let state = &self.source.verified;
        // People who write another start of trust say where to go on from.
        let is_new_start = declared.is_some() && declared != state.declared_start;
        let last = match is_new_start {
            true => declared.clone(),
            false => state.trusted_revision.clone(),
        };
        if mode == VerificationMode::Chain && !is_new_start {
            self.stands(state, declared.is_some() && declared == state.start_of_trust)?;
        }
        let accepted = job
            .accepted
            .as_deref()
            .filter(|commit| *commit == revision.commit);
        let on_unverified = job
            .spec
            .verification
            .as_ref()
            .map_or(OnUnverified::Hold, |verification| verification.on_unverified);
        let request = Request {
            mode,
            last_trusted: last.as_deref(),
            accepted,
            on_unverified,
            ..Request::default()
        };
        let findings = self.examine(revision, &request)?;
        let effective = match (is_new_start, last, accepted) {
            _ if mode != VerificationMode::Chain => None,
            (true, ..) => declared.clone(),
            // From the first sync on, or from what a person accepted.
            (false, None, _) => findings.trusted().map(str::to_owned),
            (false, Some(_), Some(accepted)) if !self.leads_to(revision, state)? => Some(accepted.to_owned()),
            (false, Some(_), _) => state.start_of_trust.clone(),
        };
        self.settle(revision, findings, Starts { effective, declared })
    }

    /// The commit that may be synced, with its files.
    fn settle(
        &self,
        revision: &Revision,
        mut findings: Findings,
        starts: Starts,
    ) -> Result<TrustedSource, PipelineError> {
        let refusal = findings.refusal.take().map(Arc::new);
        let chosen = match (findings.trusted(), &refusal) {
            (Some(commit), None) if commit == revision.commit => revision.clone(),
            (Some(commit), _) => Revision {
                requested: revision.requested.clone(),
                ..self.repository.resolve(commit)?
            },
            (None, Some(refusal)) => {
                return Err(PipelineError::Verify {
                    commit: revision.commit.clone(),
                    error: Arc::clone(refusal),
                });
            }
            (None, None) => {
                return Err(PipelineError::internal(
                    "a revision is neither trusted nor refused",
                ));
            }
        };
        let tree = self.read(&chosen)?;
        let verification = findings
            .attest(tree)
            .map_err(|error| refused(&chosen.commit, error))?;
        let signer = match verification.tree.evidence() {
            Evidence::Signed { signer, .. }
            | Evidence::Tagged { signer, .. }
            | Evidence::Provenance { signer } => Some(signer.clone()),
            Evidence::NotRequired | Evidence::AlreadyTrusted => None,
        };
        Ok(TrustedSource {
            source: self.source.clone(),
            tree: Arc::new(verification.tree),
            signer,
            reports: verification.reports,
            starts,
            held_back: refusal.map(|error| HeldBack {
                commit: revision.commit.clone(),
                error,
            }),
            origin: self.origin(chosen),
        })
    }

    /// Whether what was trusted before still is, where the keys or the policy are others than then.
    fn stands(&mut self, state: &VerificationState, is_declared: bool) -> Result<(), PipelineError> {
        let (Some(last), Some(start)) = (&state.trusted_revision, &state.start_of_trust) else {
            return Ok(());
        };
        let Grounds { keyring, policy } = self.grounds;
        let same = state.keyring_digest.as_ref() == Some(&keyring.digest())
            && state.policy_digest.as_ref() == Some(&policy.digest());
        if same {
            return Ok(());
        }
        let is_shaken = self.ledger.is_empty()
            || self.ledger.has_dropped()
            || state.policy_digest.as_ref() != Some(&policy.digest())
            || self
                .ledger
                .review(keyring, policy, self.now)
                .iter()
                .any(|dependence| dependence.broken.is_some());
        if !is_shaken {
            return Ok(());
        }
        let no_longer = |error| match error {
            PipelineError::Verify { error, .. } => PipelineError::NoLongerTrusted {
                commit: last.clone(),
                error,
            },
            other => other,
        };
        // A start that people wrote down needs no signature; one that was found does, as it did then.
        let mut steps = Vec::new();
        if !is_declared {
            steps.push((start, None));
        }
        steps.push((last, Some(start.as_str())));
        for (commit, since) in steps {
            let revision = match self.repository.resolve(commit) {
                Ok(revision) => revision,
                // Pushed away: that push has to be accepted, or the commit comes back.
                Err(SourceError::UnknownRevision { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let request = Request {
                mode: VerificationMode::Chain,
                last_trusted: since,
                ..Request::default()
            };
            let mut findings = self.examine(&revision, &request).map_err(no_longer)?;
            if let Some(error) = findings.refusal.take() {
                return Err(no_longer(refused(commit, error)));
            }
        }
        self.ledger.forget_broken(keyring, policy, self.now);
        Ok(())
    }

    fn examine(&mut self, revision: &Revision, request: &Request<'_>) -> Result<Findings, PipelineError> {
        let history = self
            .repository
            .history(revision, request.last_trusted, HISTORY_LIMIT)?;
        let Grounds { keyring, policy } = self.grounds;
        let before = self.ledger.clone();
        let verifier = Verifier::new(keyring, policy, self.now).with_ledger(&before);
        let request = Request {
            requested: &revision.requested,
            ..*request
        };
        let findings = verifier
            .examine(&history, &request, &***self.repository)
            .map_err(|error| refused(&revision.commit, error))?;
        let verified = findings.verified();
        if verified > 0 {
            tracing::info!(application = %self.job.key, commit = revision.commit, verified, "signatures verified");
        }
        verifier.remember(&findings, &mut self.ledger);
        Ok(findings)
    }

    /// The start of trust that the spec has.
    fn declared_start(&self) -> Result<Option<String>, PipelineError> {
        if self.job.mode() != VerificationMode::Chain {
            return Ok(None);
        }
        match &self.source.start_of_trust {
            None => Ok(None),
            Some(TrustStart::Commit(commit)) => Ok(Some(commit.clone())),
            Some(TrustStart::Tag(tag)) => {
                let object = self.repository.object(&format!("refs/tags/{tag}"))?;
                let Grounds { keyring, policy } = self.grounds;
                let commit = Verifier::new(keyring, policy, self.now).start(&object, tag);
                commit.map(Some).map_err(|error| refused(&object.id, error))
            }
        }
    }

    /// Whether a revision continues what was trusted last.
    fn leads_to(&self, revision: &Revision, state: &VerificationState) -> Result<bool, PipelineError> {
        let last = state.trusted_revision.as_deref();
        let history = self.repository.history(revision, last, HISTORY_LIMIT)?;
        Ok(history.last_trusted_is_ancestor)
    }

    fn origin(&self, revision: Revision) -> Origin {
        Origin::Git(GitOrigin {
            revision,
            repository: Arc::clone(self.repository),
        })
    }

    fn read(&self, revision: &Revision) -> Result<Tree, PipelineError> {
        let folder = &self.source.spec.path;
        if !self.source.spec.is_rendered() || is_path_open(&self.source.spec) {
            // Others name the files that they read, or it is not known yet which folder is meant.
            return Ok(Tree {
                revision: revision.clone(),
                path: String::new(),
                files: BTreeMap::new(),
                skipped: Vec::new(),
                submodules: Vec::new(),
                links: BTreeMap::new(),
            });
        }
        let tree = self.repository.tree(revision, folder, &TreeLimits::default())?;
        if !tree.submodules.is_empty() {
            tracing::warn!(application = %self.job.key, submodules = tree.submodules.join(", "), "submodules are not followed");
        }
        Ok(tree)
    }
}

fn refused(commit: &str, error: VerifyError) -> PipelineError {
    PipelineError::Verify {
        commit: commit.to_owned(),
        error: Arc::new(error),
    }
}
