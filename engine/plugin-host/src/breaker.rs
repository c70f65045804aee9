//! Keeps a plugin that fails again and again from costing its time limit again and again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sluice_model::{Coded as _, ErrorCode};

use crate::codes::{self, PluginError};

/// So many crashes, timeouts or memory failures …
const FAILURES: usize = 3;
/// … within this time, and a plugin is not asked for a while.
const WINDOW: Duration = Duration::from_secs(300);
/// The first rest; each further one is twice as long, up to the window.
const FIRST_REST: Duration = Duration::from_secs(10);

/// The record of one version of a plugin.
#[derive(Default)]
pub(crate) struct Breaker(Mutex<BreakerState>);

#[derive(Default)]
struct BreakerState {
    failures: VecDeque<Instant>,
    rest: Option<Rest>,
    next: Option<Duration>,
}

#[derive(Clone)]
struct Rest {
    until: Instant,
    code: &'static ErrorCode,
    message: String,
}

impl Breaker {
    /// An error while the plugin rests.
    pub(crate) fn check(&self) -> Result<(), PluginError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rest) = &state.rest else { return Ok(()) };
        let left = rest.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.rest = None;
            return Ok(());
        }
        Err(PluginError::Resting {
            code: rest.code,
            seconds: left.as_secs() + 1,
            message: rest.message.clone(),
        })
    }

    /// Counts the result of a call.
    pub(crate) fn watch<T>(&self, result: Result<T, PluginError>) -> Result<T, PluginError> {
        let Err(error) = &result else { return result };
        let code = error.code();
        if ![&codes::P09, &codes::P10, &codes::P11].contains(&code) {
            return result;
        }
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .failures
            .retain(|at| now.saturating_duration_since(*at) < WINDOW);
        if state.failures.is_empty() {
            state.next = None;
        }
        state.failures.push_back(now);
        if state.failures.len() >= FAILURES {
            let rest = state.next.unwrap_or(FIRST_REST);
            state.next = Some((rest * 2).min(WINDOW));
            state.rest = Some(Rest {
                until: now + rest,
                code,
                message: error.message(),
            });
            // One failure after the rest is enough for the next one.
            while state.failures.len() >= FAILURES {
                state.failures.pop_front();
            }
        }
        result
    }
}
