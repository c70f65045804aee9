//! Threads for what blocks or computes.

use std::cell::Cell;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

use crate::error::PipelineError;

/// As many computations at once as there are processors, and as many again that wait for the disk: of a hundred applications
/// that wake together, more would only need more memory.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(4, usize::from) * 2));

thread_local! {
    /// True while this thread has a turn.
    static HAS_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Runs what blocks or computes on a thread for that, in its turn, and returns what it returns.
///
/// A rendering that finds out that it needs a chart waits for it on its own thread. What that asks for in turn is a part of the same turn
/// and runs at once: if it waited for another one, and all were with such renderings, none would ever end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PipelineError> {
    if HAS_TURN.get() {
        return Ok(work());
    }
    let _turn = TURNS.acquire().await.map_err(PipelineError::internal)?;
    tokio::task::spawn_blocking(|| {
        let _held = Held::new();
        work()
    })
    .await
    .map_err(PipelineError::internal)
}

/// Says that the thread has a turn, until it is dropped.
struct Held;

impl Held {
    fn new() -> Self {
        HAS_TURN.set(true);
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HAS_TURN.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_within_turns_end() {
        let all = TURNS.available_permits();
        let runtime = tokio::runtime::Handle::current();
        let nested = (0..2 * all).map(|number| {
            let runtime = runtime.clone();
            blocking(move || {
                // All turns are taken by the time that the inner ones are asked for.
                std::thread::sleep(std::time::Duration::from_millis(20));
                runtime.block_on(blocking(move || number)).unwrap()
            })
        });
        let done = futures::future::join_all(nested).await;
        let done: Vec<usize> = done.into_iter().map(Result::unwrap).collect();
        assert_eq!(done, (0..2 * all).collect::<Vec<_>>());
        // A panic gives its turn back.
        assert!(blocking(|| panic!("on purpose")).await.is_err());
        assert_eq!(TURNS.available_permits(), all);
        assert!(blocking(|| HAS_TURN.get()).await.unwrap());
    }
}
