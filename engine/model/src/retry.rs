//! How a failed sync is tried again, as the spec says it, read.

use std::time::Duration;

/// How a failed sync is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often at most.
    pub limit: u32,
    /// The first wait.
    pub first: Duration,
    /// By what the wait grows each time.
    pub factor: u32,
    /// The longest wait.
    pub longest: Duration,
}

/// The figures of an Application that says nothing else: Argo CD's.
impl Default for Retry {
    fn default() -> Self {
        Self {
            limit: 5,
            first: Duration::from_secs(5),
            factor: 2,
            longest: Duration::from_secs(180),
        }
    }
}
