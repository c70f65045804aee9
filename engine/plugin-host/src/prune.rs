//! Asking what may be deleted: all policies are asked, the most cautious verdict wins.

use sluice_model::decision::{Occasion, Propagation, PruneDecision, PruneVerdict};
use sluice_model::plan::ApplicationKey;
use sluice_model::{Coded as _, Object};

use crate::bindings::prune::exports::sluice::policy::prune as wit;
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::host::{Asked, Problems};
use crate::load::Pre;
use crate::run::Runtime;
use crate::state::one_line;

/// An object that would be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct PruneCandidate {
    /// As the cluster has it.
    pub live: Object,
    /// As Git has it, where it still does (when the Application is deleted). Protection counts wherever it is written.
    pub desired: Option<Object>,
}

/// A candidate that Git no longer has.
impl From<Object> for PruneCandidate {
    fn from(live: Object) -> Self {
        Self { live, desired: None }
    }
}

/// What a prune verdict may depend on besides the candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneContext {
    /// The only clock that policies have.
    pub now: jiff::Timestamp,
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// Whose objects they are.
    pub application: ApplicationKey,
    /// How many objects the application owns before the plan, candidates included.
    pub owned: u32,
    /// How many objects Git wants.
    pub desired: u32,
    /// `spec.syncPolicy.syncOptions`.
    pub options: Vec<String>,
}

pub(crate) fn prune(
    runtime: &Runtime,
    asked: &[Asked],
    candidates: &[PruneCandidate],
    context: &PruneContext,
    problems: &mut Problems,
) -> Vec<PruneDecision> {
    let mut decisions: Vec<Option<PruneDecision>> = vec![None; candidates.len()];
    for asked in asked {
        let claimed: Vec<usize> = match &asked.plugin {
            Ok(plugin) => indices(candidates, |candidate| {
                best_fit(&plugin.claims, &candidate.live.group_kind()).is_some()
            }),
            // What a missing plugin would have claimed is not known: everything.
            Err(_) => (0..candidates.len()).collect(),
        };
        if claimed.is_empty() {
            continue;
        }
        let chosen: Vec<&PruneCandidate> = claimed
            .iter()
            .filter_map(|&index| candidates.get(index))
            .collect();
        let opinions: Vec<Option<PruneDecision>> = match review(runtime, asked, &chosen, context) {
            Ok(verdicts) => verdicts
                .into_iter()
                .map(|verdict| opinion(asked, verdict))
                .collect(),
            Err(error) => {
                problems.add(asked, &error);
                let reason = format!(
                    "{}: plugin `{}`: {}",
                    error.code().id,
                    asked.name(),
                    error.message()
                );
                let kept = PruneDecision {
                    verdict: PruneVerdict::Keep { reason },
                    decided_by: None,
                };
                vec![Some(kept); claimed.len()]
            }
        };
        for (index, opinion) in claimed.into_iter().zip(opinions) {
            let Some(decision) = decisions.get_mut(index) else {
                continue;
            };
            let more_cautious = match (&*decision, &opinion) {
                (_, None) => false,
                (None, Some(_)) => true,
                // Of equally cautious ones the first keeps its word.
                (Some(before), Some(now)) => caution(&now.verdict) > caution(&before.verdict),
            };
            if more_cautious {
                *decision = opinion;
            }
        }
    }
    decisions
        .into_iter()
        .map(|decision| decision.unwrap_or_else(undecided))
        .collect()
}

/// Nobody has an opinion: a deletion that nobody asked for is one for a person.
fn undecided() -> PruneDecision {
    let reason = "no prune policy has an opinion on it".to_owned();
    PruneDecision {
        verdict: PruneVerdict::Hold { reason },
        decided_by: None,
    }
}

fn caution(verdict: &PruneVerdict) -> (u8, Propagation) {
    match verdict {
        PruneVerdict::Delete { propagation } => (0, *propagation),
        PruneVerdict::Hold { .. } => (1, Propagation::Foreground),
        PruneVerdict::Keep { .. } => (2, Propagation::Foreground),
    }
}

fn indices<T>(items: &[T], keep: impl Fn(&T) -> bool) -> Vec<usize> {
    items
        .iter()
        .enumerate()
        .filter(|(_, item)| keep(item))
        .map(|(index, _)| index)
        .collect()
}

fn opinion(asked: &Asked, verdict: wit::Verdict) -> Option<PruneDecision> {
    let verdict = match verdict {
        wit::Verdict::NoOpinion => return None,
        wit::Verdict::Delete(wit::Propagation::Foreground) => PruneVerdict::Delete {
            propagation: Propagation::Foreground,
        },
        wit::Verdict::Delete(wit::Propagation::Background) => PruneVerdict::Delete {
            propagation: Propagation::Background,
        },
        wit::Verdict::Delete(wit::Propagation::Orphan) => PruneVerdict::Delete {
            propagation: Propagation::Orphan,
        },
        wit::Verdict::Hold(reason) => PruneVerdict::Hold {
            reason: one_line(&reason),
        },
        wit::Verdict::Keep(reason) => PruneVerdict::Keep {
            reason: one_line(&reason),
        },
    };
    Some(PruneDecision {
        verdict,
        decided_by: Some(asked.name().to_owned()),
    })
}

fn review(
    runtime: &Runtime,
    asked: &Asked,
    candidates: &[&PruneCandidate],
    context: &PruneContext,
) -> Result<Vec<wit::Verdict>, PluginError> {
    let plugin = match &asked.plugin {
        Ok(plugin) => plugin,
        Err(error) => return Err(error.again()),
    };
    let Pre::Prune(pre) = &plugin.pre else {
        return Err(PluginError::NotFound { kind: "prune-policy" });
    };
    plugin.breaker.check()?;
    let (mut slotted, world) = plugin.breaker.watch(crate::host::started!(runtime, asked, pre))?;
    let time = slotted.allow(candidates.len());
    let context = wit::Context {
        now: context.now.as_second(),
        occasion: match context.occasion {
            Occasion::Sync => wit::Occasion::Sync,
            Occasion::ApplicationDeleted => wit::Occasion::ApplicationDeleted,
        },
        application_namespace: context.application.namespace.clone(),
        application_name: context.application.name.clone(),
        owned: context.owned,
        desired: context.desired,
        options: context.options.clone(),
    };
    let state = slotted.store.data_mut();
    let given: wasmtime::Result<Vec<wit::Candidate>> = candidates
        .iter()
        .map(|candidate| {
            let desired = candidate
                .desired
                .as_ref()
                .map(|object| state.give(object))
                .transpose()?;
            Ok(wit::Candidate {
                live: state.give(&candidate.live)?,
                desired,
            })
        })
        .collect();
    let answer = given.and_then(|given| {
        world
            .sluice_policy_prune()
            .call_review(&mut slotted.store, &given, &context)
    });
    match answer {
        Ok(Ok(verdicts)) if verdicts.len() == candidates.len() => Ok(verdicts),
        Ok(Ok(verdicts)) => Err(PluginError::BadOutput {
            export: "review",
            reason: format!("{} verdicts for {} candidates", verdicts.len(), candidates.len()),
        }),
        Ok(Err(message)) => Err(PluginError::Guest {
            export: "review",
            message: one_line(&message),
        }),
        Err(error) => plugin.breaker.watch(Err(slotted.explain("review", time, &error))),
    }
}
