//! Ends a fetch that takes too long, brings too much, or is no longer wanted.
//!
//! Everything that waits during a fetch asks here: readers between two blocks of bytes, and gix through the flag that it
//! polls. A thread looks at the clock meanwhile, for the one that computes, and kills a spawned `ssh`, since a read from its
//! pipe cannot be interrupted in another way.

use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::access::{Access, Cancel};

/// How often a cancellation is looked for. People do not notice less.
const TICK: Duration = Duration::from_millis(50);
/// Enough for a list of some 400,000 branches and tags; it is held in memory.
pub(crate) const LIST_BYTES: u64 = 32 << 20;

/// The limits of one fetch. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    deadline: Instant,
    cancel: Cancel,
    /// What gix polls.
    interrupt: AtomicBool,
    received: AtomicU64,
    /// How many bytes may be received until the pack is asked for, then in all.
    allowed: AtomicU64,
    receive_limit: u64,
    /// Why it was ended from outside of the conversation itself, first reason wins.
    ended: Mutex<Option<Ended>>,
    child: Mutex<Option<Child>>,
    finished: (Mutex<bool>, Condvar),
}

/// Why a fetch was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Timeout,
    Cancelled,
    /// More than may be received in all.
    TooMuch,
    /// The list of branches and tags alone is too long.
    TooManyReferences,
}

/// Looks at the clock until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

/// A program that is killed when the time is up, and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct Watched(Watch);

impl Watch {
    /// Starts the clock.
    pub(crate) fn start(access: &Access) -> (Self, Guard) {
        let watch = Self {
            shared: Arc::new(Shared {
                deadline: Instant::now() + access.limits.timeout,
                cancel: access.cancel.clone(),
                interrupt: AtomicBool::new(false),
                received: AtomicU64::new(0),
                allowed: AtomicU64::new(access.limits.receive.min(LIST_BYTES)),
                receive_limit: access.limits.receive,
                ended: Mutex::new(None),
                child: Mutex::new(None),
                finished: (Mutex::new(false), Condvar::new()),
            }),
        };
        let looking = watch.clone();
        let thread = std::thread::spawn(move || looking.run());
        let guard = Guard {
            watch: watch.clone(),
            thread: Some(thread),
        };
        (watch, guard)
    }

    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), Ended> {
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        if self.shared.cancel.is_cancelled() {
            return Err(self.end(Ended::Cancelled));
        }
        if Instant::now() >= self.shared.deadline {
            return Err(self.end(Ended::Timeout));
        }
        Ok(())
    }

    /// Whether to go on after another `bytes` were received.
    pub(crate) fn received(&self, bytes: usize) -> Result<(), Ended> {
        let before = self.shared.received.fetch_add(bytes as u64, Ordering::Relaxed);
        let allowed = self.shared.allowed.load(Ordering::Relaxed);
        if before.saturating_add(bytes as u64) > allowed {
            return Err(self.end(if allowed < self.shared.receive_limit {
                Ended::TooManyReferences
            } else {
                Ended::TooMuch
            }));
        }
        self.check()
    }

    /// From here on a pack may come.
    pub(crate) fn expect_pack(&self) {
        self.shared
            .allowed
            .store(self.shared.receive_limit, Ordering::Relaxed);
    }

    /// Why it was ended, if it was.
    pub(crate) fn ended(&self) -> Option<Ended> {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left of the time.
    pub(crate) fn left(&self) -> Duration {
        self.shared.deadline.saturating_duration_since(Instant::now())
    }

    /// How long to wait before asking again.
    pub(crate) fn tick(&self) -> Duration {
        TICK
    }

    /// The flag that gix polls.
    pub(crate) fn interrupt(&self) -> &AtomicBool {
        &self.shared.interrupt
    }

    /// Kills `child` when the time is up.
    pub(crate) fn over(&self, child: Child) -> Watched {
        *self.shared.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Watched(self.clone())
    }

    fn run(&self) {
        let (finished, condition) = &self.shared.finished;
        let mut done = finished.lock().unwrap_or_else(PoisonError::into_inner);
        while !*done {
            if self.check().is_err() {
                self.kill();
                return;
            }
            done = condition
                .wait_timeout(done, TICK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn kill(&self) {
        let child = self
            .shared
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut child) = child {
            // Both fail only when the child has already gone.
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn end(&self, why: Ended) -> Ended {
        self.shared.interrupt.store(true, Ordering::Relaxed);
        *self
            .shared
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(why)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (finished, condition) = &self.watch.shared.finished;
        *finished.lock().unwrap_or_else(PoisonError::into_inner) = true;
        condition.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; a panic in it has nothing to say that matters here.
            drop(thread.join());
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl From<Ended> for io::Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Timeout => io::Error::new(io::ErrorKind::TimedOut, "the fetch took too long"),
            Ended::Cancelled => io::Error::other("the fetch was cancelled"),
            Ended::TooMuch => io::Error::other("the remote sends more than may be received"),
            Ended::TooManyReferences => io::Error::other("the remote's list of references does not end"),
        }
    }
}
