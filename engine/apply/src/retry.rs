//! Doing again what may be done twice.

use std::future::Future;
use std::time::Duration;

use sluice_cluster::{ClusterError, Target};

/// How often a request is tried in all where the server answers, but fails: a webhook that is down, an error of its own.
const ATTEMPTS: u32 = 5;
/// For how long nothing at all may work before it is given up: the restart of an API server, a storm of other clients. What
/// lasts longer is for the caller, who can plan anew.
const PATIENCE: Duration = tenths(600);
/// The first and the longest wait where the server names none; it doubles.
const WAITS: (Duration, Duration) = (tenths(2), tenths(50));
/// No wait is longer, whatever the server asks for.
const LONGEST_WAIT: Duration = tenths(300);

/// Tenths of a second; for this module's own tests, of which the waits are the subject, a hundred times faster.
const fn tenths(number: u64) -> Duration {
    Duration::from_millis(number * if cfg!(test) { 1 } else { 100 })
}

/// Repeats `request` while its failure is transient. Only for what gives the same result when done twice.
pub(crate) async fn safely<T, F>(cluster: &Target, request: impl Fn() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    repeat(request, ClusterError::is_transient, || cluster.failing_for()).await
}

/// Repeats `request` only where the server says that it did not even look at it.
pub(crate) async fn if_untouched<T, F>(cluster: &Target, request: impl Fn() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    let untouched = |error: &ClusterError| {
        matches!(
            error,
            ClusterError::Throttled {
                retry_after: Some(_),
                ..
            }
        )
    };
    repeat(request, untouched, || cluster.failing_for()).await
}

async fn repeat<T, F>(
    request: impl Fn() -> F,
    again: impl Fn(&ClusterError) -> bool,
    failing_for: impl Fn() -> Option<Duration>,
) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    let mut wait = WAITS.0;
    let mut answered = 0;
    loop {
        let error = match request().await {
            Err(error) if again(&error) => error,
            result => return result,
        };
        let give_up = match error {
            // One after another would each wait for a server that is away: together they wait once.
            ClusterError::Throttled { .. } | ClusterError::Unreachable { .. } => {
                failing_for().is_some_and(|failing| failing > PATIENCE)
            }
            _ => {
                answered += 1;
                answered >= ATTEMPTS
            }
        };
        if give_up {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        tokio::time::sleep(error.retry_after().unwrap_or(wait).min(LONGEST_WAIT)).await;
        wait = (wait * 2).min(WAITS.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::time::Instant;

    /// How often a request that always fails is tried, and for how long, with a server that fails since now.
    async fn tries(
        error: impl Fn() -> ClusterError,
        again: impl Fn(&ClusterError) -> bool,
    ) -> (u32, Duration) {
        let (count, start) = (AtomicU32::new(0), Instant::now());
        let request = || async {
            count.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(error())
        };
        assert!(repeat(request, again, || Some(start.elapsed())).await.is_err());
        (count.load(Ordering::Relaxed), start.elapsed())
    }

    #[tokio::test]
    async fn only_what_may_pass_by_itself_is_repeated() {
        let busy = || ClusterError::Throttled {
            message: String::new(),
            retry_after: Some(tenths(200)),
        };
        let dead = || ClusterError::Unreachable {
            server: String::new(),
            detail: String::new(),
        };
        let webhook = || ClusterError::Webhook {
            message: String::new(),
        };
        let refused = || ClusterError::Admission { message: "".into() };
        let untouched = |error: &ClusterError| error.retry_after().is_some();
        let lasting = |(_, time): (u32, Duration)| time > PATIENCE;
        assert!(lasting(tries(busy, ClusterError::is_transient).await));
        assert!(lasting(tries(busy, untouched).await));
        assert!(lasting(tries(dead, ClusterError::is_transient).await));
        assert_eq!(tries(dead, untouched).await.0, 1);
        assert_eq!(tries(webhook, ClusterError::is_transient).await.0, ATTEMPTS);
        assert_eq!(tries(refused, ClusterError::is_transient).await.0, 1);
    }

    #[tokio::test]
    async fn others_do_not_wait_for_a_server_that_was_given_up() {
        let request = || async {
            Err::<(), _>(ClusterError::Unreachable {
                server: String::new(),
                detail: String::new(),
            })
        };
        let start = Instant::now();
        let failed = repeat(request, ClusterError::is_transient, || Some(tenths(601))).await;
        assert!(failed.is_err() && start.elapsed() < WAITS.0);
    }
}
