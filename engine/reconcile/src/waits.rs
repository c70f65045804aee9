//! Waits: between polls, after failures, between two undoings of the same drift.

use std::time::Duration;

use sluice_model::retry::Retry;

/// The waits before the first and every further undoing of drift at one revision: another controller, or a person, insists. Argo
/// CD's figures, in seconds.
const HEALING: [u64; 7] = [0, 2, 6, 18, 54, 162, 300];

/// Returns the wait before drift is undone that was undone `times` times.
pub(crate) fn before_healing(times: usize) -> Duration {
    Duration::from_secs(HEALING.get(times).copied().unwrap_or(300))
}

/// Returns the wait after a failed look, which doubles from 2 s on and is never longer than a poll.
pub(crate) fn after_failure(failures: u32, poll: Duration) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(failures.clamp(1, 10))).min(poll)
}

/// Returns the wait before a failed sync is tried again, which was tried again `retries` times.
pub(crate) fn before_retry(retry: &Retry, retries: u32) -> Duration {
    let factor = retry.factor.max(1).saturating_pow(retries.min(32));
    retry.first.saturating_mul(factor).min(retry.longest)
}

/// Returns a time between `base` and one and a half of it, so that Applications do not poll in step. The same `name` and `count`
/// give the same time.
pub fn spread(base: Duration, name: &str, count: u64) -> Duration {
    // FNV-1a: the spread is all that matters.
    let bytes = name.bytes().chain(count.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let share = u32::try_from((hash >> 32) % 1_000).unwrap_or_default();
    base + base / 2_000 * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_longer_and_longer_up_to_a_limit() {
        let retry = Retry::default();
        let waits: Vec<u64> = (0..8)
            .map(|retries| before_retry(&retry, retries).as_secs())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 180, 180]);
        let steady = Retry { factor: 0, ..retry };
        assert_eq!(
            before_retry(&steady, 7),
            Duration::from_secs(5),
            "a factor of 0 is none"
        );
        let huge = Retry {
            first: Duration::MAX,
            factor: u32::MAX,
            ..retry
        };
        assert_eq!(before_retry(&huge, u32::MAX), retry.longest);
    }

    #[test]
    fn polls_are_spread_and_the_same_for_the_same() {
        let base = Duration::from_secs(120);
        let waits: std::collections::BTreeSet<_> =
            (0..50).map(|count| spread(base, "shop/web", count)).collect();
        assert!(waits.iter().all(|wait| (base..=base * 3 / 2).contains(wait)));
        assert!(waits.len() > 10, "{waits:?}");
        assert_eq!(spread(base, "shop/web", 3), spread(base, "shop/web", 3));
        assert_ne!(spread(base, "shop/web", 3), spread(base, "shop/db", 3));
        assert_eq!(spread(Duration::ZERO, "a", 1), Duration::ZERO);
    }

    #[test]
    fn failures_wait_no_longer_than_a_poll() {
        let poll = Duration::from_secs(120);
        let waits: Vec<u64> = [0, 1, 2, 6, 7, 40]
            .map(|failures| after_failure(failures, poll).as_secs())
            .to_vec();
        assert_eq!(waits, [2, 2, 4, 64, 120, 120]);
        let healing: Vec<u64> = [0, 1, 6, 7, 99]
            .map(|times| before_healing(times).as_secs())
            .to_vec();
        assert_eq!(healing, [0, 2, 300, 300, 300]);
    }
}
