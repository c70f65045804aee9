//! Doing again what may be done twice.

use std::future::Future;
use std::time::Duration;

use sluice_cluster::ClusterError;

/// How often a request is tried in all. With the waits below this bridges some seconds: the restart of one API server behind
/// a load balancer, a short queue. What lasts longer is for the caller, who can plan anew.
const ATTEMPTS: u32 = 5;
/// The first wait where the server names none; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 250 });
/// No wait is longer, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Repeats `request` while its failure is transient. Only for what gives the same result when done twice.
pub(crate) async fn safely<T, F>(request: impl Fn() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    repeat(request, ClusterError::is_transient).await
}

/// Repeats `request` only where the server says that it did not even look at it.
pub(crate) async fn if_untouched<T, F>(request: impl Fn() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    repeat(request, |error| {
        matches!(
            error,
            ClusterError::Throttled {
                retry_after: Some(_),
                ..
            }
        )
    })
    .await
}

async fn repeat<T, F>(
    request: impl Fn() -> F,
    again: impl Fn(&ClusterError) -> bool,
) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        match request().await {
            Err(error) if again(&error) => {
                tracing::debug!(%error, "trying again");
                tokio::time::sleep(error.retry_after().unwrap_or(wait).min(LONGEST_WAIT)).await;
                wait *= 2;
            }
            result => return result,
        }
    }
    request().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn tries(error: impl Fn() -> ClusterError, safe: bool) -> u32 {
        let count = AtomicU32::new(0);
        let request = || async {
            count.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(error())
        };
        let result = if safe {
            safely(request).await
        } else {
            if_untouched(request).await
        };
        assert!(result.is_err());
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn only_what_may_pass_by_itself_is_repeated() {
        let busy = || ClusterError::Throttled {
            message: String::new(),
            retry_after: Some(Duration::from_millis(1)),
        };
        let dead = || ClusterError::Unreachable {
            server: String::new(),
            detail: String::new(),
        };
        let refused = || ClusterError::Admission {
            message: String::new(),
        };
        assert_eq!(tries(busy, true).await, ATTEMPTS);
        assert_eq!(tries(dead, true).await, ATTEMPTS);
        assert_eq!(tries(refused, true).await, 1);
        assert_eq!(tries(busy, false).await, ATTEMPTS);
        assert_eq!(tries(dead, false).await, 1);
    }
}
