//! Going back: a revision that a person names, older than what is trusted already.

use sluice_model::application::{VerificationMode, VerificationState};
use sluice_verify::Ledger;

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::trust::HISTORY_LIMIT;
use crate::{Found, GitOrigin, Grounds, Job, Origin, Pipeline, TrustedSource};

/// Where a revision is, seen from the last trusted one.
enum Place {
    /// Not among its ancestors.
    Elsewhere,
    /// Between the start of trust, which this is, and the last trusted one.
    SinceStart(String),
    /// Before the start of trust.
    BeforeStart,
}

impl Pipeline {
    /// As [`Pipeline::trust`], for a revision that a person named: in mode `chain` it may also be an ancestor of the last
    /// trusted one. That alone is no reason to trust it: all that leads to it from the start of trust on has to be trusted by
    /// the keys and rules that count now; one from before the start of trust has to be signed itself. So one can go back to
    /// before what a key signed that was revoked since. Nothing older is given in its place.
    ///
    /// A target revision that moves backwards by itself is another matter, and refused.
    pub async fn trust_named(
        &self,
        job: &Job,
        found: &Found,
        grounds: &Grounds,
        ledger: Ledger,
        now: jiff::Timestamp,
    ) -> Result<(Result<TrustedSource, PipelineError>, Ledger), PipelineError> {
        let (mut job, mut named, before) = (job.clone(), found.clone(), ledger.clone());
        let state = match self.place(&job, found).await? {
            Place::Elsewhere => None,
            Place::SinceStart(start) => Some(VerificationState {
                trusted_revision: Some(start.clone()),
                start_of_trust: Some(start),
                ..VerificationState::default()
            }),
            Place::BeforeStart => Some(VerificationState {
                trusted_revision: found.source.verified.trusted_revision.clone(),
                ..VerificationState::default()
            }),
        };
        let is_older = state.is_some();
        if let Some(state) = state {
            named.source.verified = VerificationState {
                declared_start: found.source.verified.declared_start.clone(),
                ..state
            };
            // A person who names a commit from before the start of trust accepts what led to it.
            job.accepted = Some(found.origin.id().to_owned());
        }
        if let Origin::Chart(_) = found.origin {
            // Who names a version means it, however old it is. That it is signed is asked all the same.
            job.accepted = Some(found.origin.id().to_owned());
        }
        let (trusted, ledger) = self.trust(&job, &named, grounds, ledger, now).await?;
        let very_one = trusted.and_then(|mut trusted| match trusted.held_back.take() {
            Some(held) => Err(PipelineError::Verify {
                commit: held.commit,
                error: held.error,
            }),
            None => Ok(trusted),
        });
        // What came after it was not looked at, so nothing may be forgotten that the ledger has on that.
        Ok((very_one, if is_older { before } else { ledger }))
    }

    async fn place(&self, job: &Job, found: &Found) -> Result<Place, PipelineError> {
        let state = &found.source.verified;
        let (Some(last_trusted), VerificationMode::Chain) = (state.trusted_revision.clone(), job.mode())
        else {
            return Ok(Place::Elsewhere);
        };
        let start = state.start_of_trust.clone();
        let Origin::Git(GitOrigin { revision, repository }) = found.origin.clone() else {
            return Ok(Place::Elsewhere);
        };
        blocking(move || {
            let Ok(newest) = repository.resolve(&last_trusted) else {
                // The history was rewritten; that is for verification to say.
                return Ok(Place::Elsewhere);
            };
            let leads_to = |older: &str, newer| -> Result<bool, PipelineError> {
                let history = repository.history(newer, Some(older), HISTORY_LIMIT)?;
                Ok(history.last_trusted_is_ancestor)
            };
            if last_trusted == revision.commit || !leads_to(&revision.commit, &newest)? {
                return Ok(Place::Elsewhere);
            }
            match start {
                Some(start) if leads_to(&start, &revision)? => Ok(Place::SinceStart(start)),
                Some(_) | None => Ok(Place::BeforeStart),
            }
        })
        .await?
    }
}
