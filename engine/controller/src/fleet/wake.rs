//! Why an application is looked at, collected until its task looks.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// Reasons to look, since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reasons {
    /// The Application itself changed: its spec, its annotations, its deletion.
    pub(crate) application: bool,
    /// Something that it owns changed.
    pub(crate) objects: bool,
    /// A plugin, a keyring or a credential changed.
    pub(crate) surroundings: bool,
    /// The repository has something new since then.
    pub(crate) news: Option<Instant>,
}

impl Reasons {
    fn any(self) -> bool {
        self != Self::default()
    }

    /// True where nothing but live objects changed: that can wait for the next few.
    pub(crate) fn only_objects(self) -> bool {
        self == Self {
            objects: true,
            ..Self::default()
        }
    }
}

/// One application's alarm. Any thread rings it; its actor waits.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    reasons: Mutex<Reasons>,
    bell: Notify,
    /// For those who wait for live objects while the actor is busy with a sync.
    pub(crate) objects_changed: Notify,
}

impl Wake {
    /// Adds a reason.
    pub(crate) fn ring(&self, add: impl FnOnce(&mut Reasons)) {
        add(&mut self.reasons.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_one();
    }

    /// Live objects changed.
    pub(crate) fn objects(&self) {
        self.ring(|reasons| reasons.objects = true);
        self.objects_changed.notify_waiters();
    }

    /// What has come together, without taking it.
    pub(crate) fn peek(&self) -> Reasons {
        *self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has come together.
    pub(crate) fn take(&self) -> Reasons {
        std::mem::take(&mut self.reasons.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is a reason, or until `due`.
    pub(crate) async fn wait(&self, due: Instant) {
        let rung = async {
            while !self.peek().any() {
                self.bell.notified().await;
            }
        };
        // Either will do.
        let _in_time = tokio::time::timeout_at(due, rung).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn reasons_come_together_and_are_taken_once() {
        let wake = Wake::default();
        wake.objects();
        assert!(wake.peek().only_objects());
        wake.ring(|reasons| reasons.application = true);
        wake.wait(Instant::now() + Duration::from_secs(3600)).await;
        let taken = wake.take();
        assert!(taken.application && taken.objects && !taken.only_objects());
        let before = Instant::now();
        wake.wait(before + Duration::from_millis(20)).await;
        assert!(before.elapsed() >= Duration::from_millis(20));
    }
}
