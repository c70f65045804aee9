//! How often drift was undone lately, and when it may be undone again.

use std::time::Duration;

use crate::time::Moment;
use crate::waits;

/// Drift that stays away for so long begins a new count.
const HEALED_FOR_GOOD: Duration = Duration::from_secs(600);

/// How often drift was undone lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Healing {
    times: usize,
    last: Option<Moment>,
    /// How often in a row the cluster moved on while a plan was carried out.
    pub(crate) overtaken: u32,
}

impl Healing {
    /// Drift was undone.
    pub(crate) fn healed(&mut self, now: Moment) {
        self.times += 1;
        self.last = Some(now);
    }

    /// Returns when drift may be undone again.
    pub(crate) fn due(&mut self, now: Moment) -> Moment {
        match self.last {
            Some(last) if now.since(last) > HEALED_FOR_GOOD => {
                self.times = 0;
                now
            }
            Some(last) => last.after(waits::before_healing(self.times)),
            None => now,
        }
    }
}
