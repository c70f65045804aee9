//! Asking for health: the most specific claim first, the next where there is no opinion.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::{Coded as _, ErrorCode, GroupKind, Object};

use crate::bindings::health::HealthCheck;
use crate::bindings::health::exports::sluice::policy::health::{Context, Verdict};
use crate::claims::best_fit;
use crate::codes::{self, PluginError};
use crate::host::{Asked, Problems};
use crate::load::Pre;
use crate::run::{Runtime, Slotted};
use crate::state::one_line;

/// So many crashes, timeouts or memory failures …
const FAILURES: usize = 3;
/// … within this time, and a plugin is not asked for a while.
const WINDOW: Duration = Duration::from_secs(300);
/// The first rest; each further one is twice as long, up to the window.
const FIRST_REST: Duration = Duration::from_secs(10);

pub(crate) fn health(
    runtime: &Runtime,
    asked: &[Asked],
    objects: &[Object],
    now: i64,
    problems: &mut Problems,
) -> Vec<HealthVerdict> {
    let mut workers: Vec<Worker<'_>> = asked
        .iter()
        .map(|asked| Worker { asked, running: None })
        .collect();
    let mut orders: BTreeMap<GroupKind, Vec<usize>> = BTreeMap::new();
    let mut verdicts = Vec::with_capacity(objects.len());
    for object in objects {
        let group_kind = object.group_kind();
        let order = match orders.get(&group_kind) {
            Some(order) => order,
            None => {
                let order = most_specific_first(asked, &group_kind);
                orders.entry(group_kind).or_insert(order)
            }
        };
        let mut verdict = HealthVerdict::no_opinion();
        for &index in order {
            let Some(worker) = workers.get_mut(index) else {
                continue;
            };
            match worker.assess(runtime, object, now) {
                Ok(Verdict::NoOpinion) => {}
                Ok(opinion) => {
                    verdict = judged(worker.asked, opinion);
                    break;
                }
                Err(error) => {
                    // Closed: whoever fails may have been the one to say that something is wrong.
                    let message = format!(
                        "{}: plugin `{}`: {}",
                        error.code().id,
                        worker.asked.name(),
                        error.message()
                    );
                    verdict = HealthVerdict {
                        status: HealthStatus::Unknown,
                        message,
                        plugin: Some(worker.asked.name().to_owned()),
                    };
                    problems.add(worker.asked, &error);
                    break;
                }
            }
        }
        verdicts.push(verdict);
    }
    verdicts
}

/// The plugins with a claim on a kind, as indices. Of equal claims, the plugin named later comes first.
fn most_specific_first(asked: &[Asked], group_kind: &GroupKind) -> Vec<usize> {
    let mut claimed: Vec<_> = asked
        .iter()
        .enumerate()
        .filter_map(|(index, asked)| match &asked.plugin {
            Ok(plugin) => best_fit(&plugin.claims, group_kind).map(|fit| (Some(fit), index)),
            // What a missing plugin claims is not known: it would have been asked first.
            Err(_) => Some((None, index)),
        })
        .map(|(fit, index)| (fit.is_none(), fit, index))
        .collect();
    claimed.sort_unstable_by(|left, right| right.cmp(left));
    claimed.into_iter().map(|(_, _, index)| index).collect()
}

fn judged(asked: &Asked, verdict: Verdict) -> HealthVerdict {
    let (status, message) = match verdict {
        Verdict::NoOpinion => return HealthVerdict::no_opinion(),
        Verdict::Healthy(message) => (HealthStatus::Healthy, message),
        Verdict::Suspended(message) => (HealthStatus::Suspended, message),
        Verdict::Progressing(message) => (HealthStatus::Progressing, message),
        Verdict::Missing(message) => (HealthStatus::Missing, message),
        Verdict::Degraded(message) => (HealthStatus::Degraded, message),
        Verdict::Unknown(message) => (HealthStatus::Unknown, message),
    };
    HealthVerdict {
        status,
        message: one_line(&message),
        plugin: Some(asked.name().to_owned()),
    }
}

/// One plugin within one batch: its instance lives from the first question to the end or to the first error.
struct Worker<'a> {
    asked: &'a Asked,
    running: Option<(Slotted, HealthCheck)>,
}

impl Worker<'_> {
    fn assess(&mut self, runtime: &Runtime, object: &Object, now: i64) -> Result<Verdict, PluginError> {
        let plugin = match &self.asked.plugin {
            Ok(plugin) => plugin,
            Err(error) => return Err(error.again()),
        };
        plugin.breaker.check()?;
        let (mut slotted, world) = match self.running.take() {
            Some(running) => running,
            None => plugin.breaker.watch(start(runtime, self.asked))?,
        };
        let time = slotted.allow(0);
        let lent = slotted.store.data_mut().lend(object);
        let answer = lent.and_then(|(owned, borrowed)| {
            let answer =
                world
                    .sluice_policy_health()
                    .call_assess(&mut slotted.store, borrowed, Context { now })?;
            slotted.store.data_mut().take_back(owned)?;
            Ok(answer)
        });
        match answer {
            Ok(Ok(verdict)) => {
                self.running = Some((slotted, world));
                Ok(verdict)
            }
            // An error that a plugin reports is an answer: its instance is whole.
            Ok(Err(message)) => {
                self.running = Some((slotted, world));
                Err(PluginError::Guest {
                    export: "assess",
                    message: one_line(&message),
                })
            }
            // The instance goes with `slotted`; the next object gets a fresh one.
            Err(error) => plugin.breaker.watch(Err(slotted.explain("assess", time, &error))),
        }
    }
}

/// A configured instance.
fn start(runtime: &Runtime, asked: &Asked) -> Result<(Slotted, HealthCheck), PluginError> {
    let plugin = match &asked.plugin {
        Ok(plugin) => plugin,
        Err(error) => return Err(error.again()),
    };
    let Pre::Health(pre) = &plugin.pre else {
        return Err(PluginError::NotFound { kind: "health-check" });
    };
    crate::host::started!(runtime, asked, pre)
}

/// Keeps a plugin that fails again and again from costing its time limit again and again.
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
