//! Going back: a revision that somebody names, older than what is trusted already.

use sluice_model::application::{VerificationMode, VerificationState};
use sluice_verify::Ledger;

use crate::error::PipelineError;
use crate::pipeline::trust::HISTORY_LIMIT;
use crate::pipeline::{Found, Grounds, Job, Pipeline, Trusted, blocking};

impl Pipeline {
    /// As [`Pipeline::trust`], for a revision that a person named: it may also be an ancestor of the last trusted one. That
    /// alone is no reason to trust it; it has to be signed itself by a key that counts now, as the start of trust has to.
    /// Nothing older is given in its place.
    ///
    /// A target revision that moves backwards by itself is another matter, and refused.
    pub async fn trust_named(
        &self,
        job: &Job,
        found: &Found,
        grounds: &Grounds,
        ledger: Ledger,
        now: jiff::Timestamp,
    ) -> Result<(Result<Trusted, PipelineError>, Ledger), PipelineError> {
        let mut named = job.clone();
        if self.is_earlier(job, found).await? {
            named.verified = VerificationState::default();
            named.accepted = None;
        }
        let (trusted, ledger) = self.trust(&named, found, grounds, ledger, now).await?;
        let very_one = trusted.and_then(|mut trusted| match trusted.held_back.take() {
            Some(held) => Err(PipelineError::Verify {
                commit: held.commit,
                error: held.error,
            }),
            None => Ok(trusted),
        });
        Ok((very_one, ledger))
    }

    /// True where the revision is an ancestor of the last trusted one.
    async fn is_earlier(&self, job: &Job, found: &Found) -> Result<bool, PipelineError> {
        let verified = job.mode() != VerificationMode::None;
        let last_trusted = job
            .verified
            .trusted_revision
            .clone()
            .filter(|commit| verified && *commit != found.revision.commit);
        let Some(last_trusted) = last_trusted else {
            return Ok(false);
        };
        let Found {
            revision, repository, ..
        } = found.clone();
        blocking(move || {
            let Ok(newest) = repository.resolve(&last_trusted) else {
                // The history was rewritten; that is for verification to say.
                return Ok(false);
            };
            let between = repository.history(&newest, Some(&revision.commit), HISTORY_LIMIT)?;
            Ok(between.last_trusted_is_ancestor)
        })
        .await?
    }
}
