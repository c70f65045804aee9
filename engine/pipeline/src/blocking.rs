//! Threads for what blocks or computes.

use std::sync::LazyLock;

use tokio::sync::Semaphore;

use crate::error::PipelineError;

/// As many computations at once as there are processors, and as many again that wait for the disk: of a hundred applications
/// that wake together, more would only need more memory.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(4, usize::from) * 2));

/// Runs what blocks or computes on a thread for that, in its turn, and returns what it returns.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PipelineError> {
    let _turn = TURNS.acquire().await.map_err(PipelineError::internal)?;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(PipelineError::internal)
}
