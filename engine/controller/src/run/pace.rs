//! Waits: between polls, after failures, between two undoings of the same drift.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::pipeline::Retry;

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
pub(crate) fn before_retry(retry: Retry, retries: u32) -> Duration {
    let factor = retry.factor.saturating_pow(retries.min(32));
    retry.first.saturating_mul(factor).min(retry.longest)
}

/// A time between `base` and one and a half of it, so that applications do not poll in step.
pub(crate) fn jittered(base: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1_000;
    base + base / 2_000 * u32::try_from(random).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_and_longer_up_to_a_limit() {
        let retry = Retry {
            limit: 8,
            first: Duration::from_secs(5),
            factor: 2,
            longest: Duration::from_secs(180),
        };
        let waits: Vec<u64> = (0..8)
            .map(|retries| before_retry(retry, retries).as_secs())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 180, 180]);
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
