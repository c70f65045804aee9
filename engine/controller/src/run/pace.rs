//! Waits: between polls, after failures, between two undoings of the same drift.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use sluice_model::application::Backoff;

use crate::error::PipelineError;

/// The waits before the first and every further undoing of drift at one revision: somebody, or something, insists. Argo CD's
/// figures.
const HEALING: [u64; 7] = [0, 2, 6, 18, 54, 162, 300];

/// The wait before undoing drift that was undone `times` times.
pub(crate) fn before_healing(times: usize) -> Duration {
    Duration::from_secs(HEALING.get(times).copied().unwrap_or(300))
}

/// The wait after a failed look, which doubles from 2 s on and is never longer than a poll.
pub(crate) fn after_failure(failures: u32, poll: Duration) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(failures.clamp(1, 10))).min(poll)
}

/// The wait before a failed sync is tried again.
pub(crate) fn before_retry(backoff: &Backoff, retries: u32) -> Result<Duration, PipelineError> {
    let first = duration("spec.syncPolicy.retry.backoff.duration", &backoff.duration)?;
    let longest = duration("spec.syncPolicy.retry.backoff.maxDuration", &backoff.max_duration)?;
    let factor = backoff.factor.max(1).saturating_pow(retries.min(32));
    Ok(first.saturating_mul(factor).min(longest))
}

/// A time between `base` and one and a half of it, so that applications do not poll in step.
pub(crate) fn jittered(base: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1_000;
    base + base / 2_000 * u32::try_from(random).unwrap_or_default()
}

/// Reads `5s`, `3m`, `1h30m`.
pub(crate) fn duration(field: &'static str, text: &str) -> Result<Duration, PipelineError> {
    let wrong = |detail: String| PipelineError::Spec { field, detail };
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|error| wrong(format!("`{text}` is no duration such as `5s` or `3m`: {error}")))?;
    Duration::try_from(span).map_err(|_| wrong(format!("`{text}` is negative")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_and_longer_up_to_a_limit() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (0..8)
            .map(|retries| before_retry(&backoff, retries).unwrap().as_secs())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 180, 180]);
        let wrong = Backoff {
            duration: "soon".to_owned(),
            ..Backoff::default()
        };
        assert!(matches!(before_retry(&wrong, 0), Err(PipelineError::Spec { .. })));
    }

    #[test]
    fn polls_are_spread() {
        let base = Duration::from_secs(120);
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| jittered(base)).collect();
        assert!(waits.iter().all(|wait| (base..=base * 3 / 2).contains(wait)));
        assert!(waits.len() > 10);
    }

    #[test]
    fn failures_wait_no_longer_than_a_poll() {
        let poll = Duration::from_secs(120);
        assert_eq!(after_failure(1, poll), Duration::from_secs(2));
        assert_eq!(after_failure(40, poll), poll);
        assert_eq!(
            (before_healing(0), before_healing(9)),
            (Duration::ZERO, Duration::from_secs(300))
        );
    }
}
