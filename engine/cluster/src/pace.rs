//! How many requests are under way at once: as many as the server keeps up with.
//!
//! As TCP does it: every round of successes adds one, a refusal for being busy halves, and answers that have become slow take
//! off a tenth. What the server asks for (`Retry-After`) holds for all requests at once, since its queue is the
//! same for all of them (API priority and fairness).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::ClusterError;

/// To begin with: what a small server answers without queueing.
const FIRST: f64 = 16.0;
/// Never less, or nothing would show that the server is well again.
const LEAST: f64 = 1.0;
/// Never more: over HTTP/1.1 each request that is under way has a connection of its own.
const MOST: f64 = 128.0;
/// Answers that are faster are no sign of trouble, however much slower than others. A server of two cores with twice as many
/// requests as keep it busy answers in this time; more of them would only need connections and memory, on both sides.
const SLOW: Duration = Duration::from_millis(50);
/// Answers this many times slower than the fastest mean a queue.
const QUEUEING: u32 = 10;
/// No pause is longer, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So much of the average is the newest answer.
const WEIGHT: f64 = 0.1;

/// The pace of all requests of one connection.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    under_way: usize,
    /// Nothing is sent before.
    resume: Option<Instant>,
    /// The limit was last lowered; what was sent before says nothing about the new one.
    lowered: Option<Instant>,
    fastest: Option<Duration>,
    average: Duration,
    failing_since: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                limit: FIRST,
                under_way: 0,
                resume: None,
                lowered: None,
                fastest: None,
                average: Duration::ZERO,
                failing_since: None,
            }),
            freed: Notify::new(),
        }
    }
}

/// The right to send one request.
pub(crate) struct Permit<'p> {
    pace: &'p Pace,
    sent: Instant,
}

impl Pace {
    /// Waits for a turn.
    pub(crate) async fn permit(&self) -> Permit<'_> {
        loop {
            // Before looking, so that what is freed meanwhile is not missed.
            let freed = self.freed.notified();
            let pause = {
                let mut state = self.lock();
                let now = Instant::now();
                state.resume = state.resume.filter(|resume| *resume > now);
                match state.resume {
                    Some(resume) => Some(resume),
                    #[expect(clippy::cast_precision_loss, reason = "at most MOST requests are under way")]
                    None if (state.under_way as f64) < state.limit.floor() => {
                        state.under_way += 1;
                        return Permit {
                            pace: self,
                            sent: now,
                        };
                    }
                    None => None,
                }
            };
            match pause {
                Some(resume) => tokio::time::sleep_until(resume).await,
                None => freed.await,
            }
        }
    }

    /// For how long nothing has worked.
    pub(crate) fn failing_for(&self) -> Option<Duration> {
        self.lock().failing_since.map(|since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Takes in how it went.
    pub(crate) fn done(self, error: Option<&ClusterError>) {
        self.pace.lock().learn(self.sent, Instant::now(), error);
    }
}

/// A request that is given up in the middle frees its place all the same.
impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        state.under_way = state.under_way.saturating_sub(1);
        drop(state);
        // More than one may start where the limit has just risen; each wakes the next.
        self.pace.freed.notify_waiters();
    }
}

impl State {
    /// Takes in a request that was sent at one moment and came to its end at another.
    fn learn(&mut self, sent: Instant, now: Instant, error: Option<&ClusterError>) {
        match error {
            Some(ClusterError::Throttled { retry_after, .. }) => {
                let pause = retry_after.map(|pause| now + pause.min(LONGEST_PAUSE));
                self.resume = self.resume.max(pause);
                self.failed(sent, now);
            }
            Some(ClusterError::Unreachable { .. }) => self.failed(sent, now),
            // Any other refusal is an answer too.
            Some(_) | None => self.answered(sent, now),
        }
    }

    fn failed(&mut self, sent: Instant, now: Instant) {
        self.failing_since.get_or_insert(now);
        self.lower(sent, now, 0.5);
    }

    fn lower(&mut self, sent: Instant, now: Instant, factor: f64) {
        if self.lowered.is_none_or(|lowered| sent >= lowered) {
            self.limit = (self.limit * factor).max(LEAST);
            self.lowered = Some(now);
        }
    }

    fn answered(&mut self, sent: Instant, now: Instant) {
        self.failing_since = None;
        let took = now.saturating_duration_since(sent);
        // Slowly up again, so that a fastest answer from better days is forgotten.
        let fastest = self
            .fastest
            .map_or(took, |fastest| took.min(fastest.mul_f64(1.001)));
        self.fastest = Some(fastest);
        self.average = self.average.mul_f64(1.0 - WEIGHT) + took.mul_f64(WEIGHT);
        if self.average > SLOW && self.average > fastest * QUEUEING {
            self.lower(sent, now, 0.9);
        } else {
            self.limit = (self.limit + 1.0 / self.limit).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn busy(seconds: u64) -> ClusterError {
        ClusterError::Throttled {
            message: String::new(),
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    /// A state after so many successes.
    fn well(times: usize) -> State {
        let pace = Pace::default();
        let now = Instant::now();
        for _ in 0..times {
            pace.lock().learn(now, now + MOMENT, None);
        }
        pace.state.into_inner().unwrap()
    }

    #[test]
    fn success_speeds_up_and_refusal_halves() {
        let mut state = well(1000);
        let fast = state.limit;
        assert!(fast > 40.0, "{fast}");
        let mut now = Instant::now();
        // A whole round that is refused counts once.
        for _ in 0..10 {
            state.learn(now, now + MOMENT, Some(&busy(1)));
        }
        assert!((state.limit - fast / 2.0).abs() < 0.01);
        for _ in 0..20 {
            now += MOMENT * 2;
            state.learn(now, now + MOMENT, Some(&busy(0)));
        }
        assert!((state.limit - LEAST).abs() < f64::EPSILON);
    }

    #[test]
    fn no_pause_is_longer_than_the_longest() {
        let (mut state, now) = (well(0), Instant::now());
        state.learn(now, now, Some(&busy(3)));
        assert_eq!(state.resume, Some(now + Duration::from_secs(3)));
        state.learn(now, now, Some(&busy(86_400)));
        assert_eq!(state.resume, Some(now + LONGEST_PAUSE));
        state.learn(now, now, Some(&busy(1)));
        assert_eq!(state.resume, Some(now + LONGEST_PAUSE));
    }

    #[test]
    fn a_queue_at_the_server_slows_down() {
        let (mut state, mut now) = (well(1), Instant::now());
        for _ in 0..100 {
            let sent = now;
            now += Duration::from_secs(2);
            state.learn(sent, now, None);
        }
        assert!(state.limit < 4.0, "{}", state.limit);
    }

    #[test]
    fn failing_is_measured_from_the_first_failure() {
        let (mut state, now) = (well(1), Instant::now());
        let dead = ClusterError::Unreachable {
            server: String::new(),
            detail: String::new(),
        };
        for seconds in [0, 5, 10] {
            let then = now + Duration::from_secs(seconds);
            state.learn(then, then, Some(&dead));
        }
        assert_eq!(state.failing_since, Some(now));
        // A refusal is a sign of life.
        let denied = ClusterError::Admission { message: "".into() };
        state.learn(now, now, Some(&denied));
        assert_eq!(state.failing_since, None);
    }

    #[tokio::test]
    async fn no_more_than_the_limit_are_under_way_and_none_is_lost() {
        let pace = Pace::default();
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(pace.permit().await);
        }
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, pace.permit()).await.is_err());
        // Dropped without an answer, as when the caller gives up.
        held.pop();
        assert!(tokio::time::timeout(soon, pace.permit()).await.is_ok());
    }

    #[tokio::test]
    async fn a_pause_holds_for_all() {
        let (pace, start) = (Pace::default(), Instant::now());
        let pause = Duration::from_millis(50);
        pace.permit().await.done(Some(&ClusterError::Throttled {
            message: String::new(),
            retry_after: Some(pause),
        }));
        pace.permit().await.done(None);
        assert!(start.elapsed() >= pause);
    }
}
