//! The time that is handed in: a clock that never goes back, and the one on the wall.

use std::time::Duration;

use jiff::Timestamp;

/// A point in time on a clock that never goes back: how long the process runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// Returns the moment this much later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// Returns the moment this much earlier; the beginning if there is none.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }

    /// Returns how long ago an earlier moment was; no time at all for a later one.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// On the wall, for what is written down and outlives the process.
    pub wall: Timestamp,
    /// On the clock that never goes back, for waits.
    pub moment: Moment,
}
