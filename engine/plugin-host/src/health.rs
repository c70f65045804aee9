//! Asking for health: the most specific claim first, the next where there is no opinion.

use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::{Coded as _, GroupKind, Object};

use crate::bindings::health::HealthCheck;
use crate::bindings::health::exports::sluice::policy::health::{Context, Verdict};
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::host::{Asked, Problems};
use crate::load::Pre;
use crate::run::{Runtime, Slotted};
use crate::state::one_line;

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
    let mut orders = Orders {
        asked,
        known: Vec::new(),
    };
    let mut verdicts = Vec::with_capacity(objects.len());
    for object in objects {
        let mut verdict = HealthVerdict::no_opinion();
        for &(index, claim) in orders.of(object) {
            let Some(worker) = workers.get_mut(index) else {
                continue;
            };
            match worker.assess(runtime, object, Context { now, claim }) {
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

/// In which order plugins are asked about the kinds of a batch: there are few, and they come in runs.
struct Orders<'a> {
    asked: &'a [Asked],
    known: Vec<(GroupKind, Vec<(usize, u32)>)>,
}

impl Orders<'_> {
    /// The plugins with a claim on an object's kind, each with its closest claim.
    fn of(&mut self, object: &Object) -> &[(usize, u32)] {
        let (group, kind) = (object.group(), object.kind());
        let known = self
            .known
            .iter()
            .rposition(|(known, _)| known.kind == kind && known.group == group);
        let at = known.unwrap_or_else(|| {
            let group_kind = object.group_kind();
            let order = most_specific_first(self.asked, &group_kind);
            self.known.push((group_kind, order));
            self.known.len() - 1
        });
        self.known.get(at).map_or(&[], |(_, order)| order.as_slice())
    }
}

/// The plugins with a claim on a kind, as indices, each with its closest claim. Of equal claims, the plugin named later comes
/// first.
fn most_specific_first(asked: &[Asked], group_kind: &GroupKind) -> Vec<(usize, u32)> {
    let mut claimed: Vec<_> = asked
        .iter()
        .enumerate()
        .filter_map(|(index, asked)| match &asked.plugin {
            Ok(plugin) => {
                best_fit(&plugin.claims, group_kind).map(|(fit, claim)| (false, Some(fit), index, claim))
            }
            // What a missing plugin claims is not known: it might have been asked first.
            Err(_) => Some((true, None, index, 0)),
        })
        .collect();
    claimed.sort_unstable_by(|left, right| right.cmp(left));
    claimed
        .into_iter()
        .map(|(_, _, index, claim)| (index, u32::try_from(claim).unwrap_or(u32::MAX)))
        .collect()
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
    fn assess(
        &mut self,
        runtime: &Runtime,
        object: &Object,
        context: Context,
    ) -> Result<Verdict, PluginError> {
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
            let answer = world
                .sluice_policy_health()
                .call_assess(&mut slotted.store, borrowed, context)?;
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
