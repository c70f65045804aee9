//! Ends a fetch that takes too long or is no longer wanted.
//!
//! Everything that waits during a fetch asks here: readers between two blocks of bytes, gix through the flag that it
//! polls, and a spawned `ssh` is killed, since a read from its pipe cannot be interrupted in another way.

use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::access::{Access, Cancel};

/// How often a cancellation is looked for. People do not notice less.
const TICK: Duration = Duration::from_millis(50);

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
    receive_limit: u64,
    /// Why it was ended from outside of the conversation itself, first reason wins.
    ended: Mutex<Option<Ended>>,
    finished: (Mutex<bool>, Condvar),
}

/// Why a fetch was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Timeout,
    Cancelled,
    TooMuch,
}

/// Kills a child when the time is up; stops watching when dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    watch: Watch,
    child: Arc<Mutex<Child>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn start(access: &Access) -> Self {
        Self {
            shared: Arc::new(Shared {
                deadline: Instant::now() + access.timeout,
                cancel: access.cancel.clone(),
                interrupt: AtomicBool::new(false),
                received: AtomicU64::new(0),
                receive_limit: access.receive_limit,
                ended: Mutex::new(None),
                finished: (Mutex::new(false), Condvar::new()),
            }),
        }
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
        if before.saturating_add(bytes as u64) > self.shared.receive_limit {
            return Err(self.end(Ended::TooMuch));
        }
        self.check()
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

    /// Watches over `child` until the guard is dropped, which also reaps it.
    pub(crate) fn guard(&self, child: Child) -> Guard {
        let child = Arc::new(Mutex::new(child));
        let watch = self.clone();
        let watched = Arc::clone(&child);
        let thread = std::thread::spawn(move || watch.run(&watched));
        Guard {
            watch: self.clone(),
            child,
            thread: Some(thread),
        }
    }

    fn run(&self, child: &Mutex<Child>) {
        let (finished, condition) = &self.shared.finished;
        let mut done = finished.lock().unwrap_or_else(PoisonError::into_inner);
        while !*done {
            if self.check().is_err() {
                kill(child);
                return;
            }
            done = condition
                .wait_timeout(done, TICK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
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
        kill(&self.child);
        if let Some(thread) = self.thread.take() {
            // It ends by itself; a panic in it has nothing to say that matters here.
            drop(thread.join());
        }
    }
}

fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // Both fail only when the child has already gone.
    drop(child.kill());
    drop(child.wait());
}

impl From<Ended> for io::Error {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Timeout => io::Error::new(io::ErrorKind::TimedOut, "the fetch took too long"),
            Ended::Cancelled => io::Error::other("the fetch was cancelled"),
            Ended::TooMuch => io::Error::other("the remote sends more than may be received"),
        }
    }
}
