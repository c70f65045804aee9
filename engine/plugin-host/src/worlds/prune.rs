//! World `prune-policy`: may an object be deleted? All policies are asked, the most cautious verdict wins.

use std::collections::BTreeMap;

use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::decision::{Occasion, Propagation, PruneDecision, PruneVerdict};
use sluice_model::object::GroupKind;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_aot::RuntimeClass;

use self::bindings::exports::sluice::policy::prune as wit;
use super::{PluginKind, World};
use crate::answer::{Answer, Problems};
use crate::bindings::objects;
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::host::PluginHost;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::state::{State, one_line};

pub(crate) use self::bindings::PrunePolicy;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.1.0",
        world: "prune-policy",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::sluice::policy::log,
        },
    });
}

impl World for PrunePolicy {
    const KIND: PluginKind = PluginKind::Prune;
    const NAME: &'static str = "prune-policy";
    const INTERFACE: &'static str = "prune";
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.prune
    }

    super::exports_of!(bindings::PrunePolicyPre<State>);
}

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
    /// What the application owns before the plan, candidates included; without what is being deleted already.
    pub owned: Census,
    /// What Git wants it to own.
    pub desired: Census,
    /// `spec.syncPolicy.syncOptions`.
    pub options: Vec<String>,
}

/// How many objects there are of each kind in each namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<(GroupKind, Option<String>), u32>);

impl<'a> FromIterator<&'a Object> for Census {
    fn from_iter<T: IntoIterator<Item = &'a Object>>(objects: T) -> Self {
        let mut census = Self::default();
        for object in objects {
            let key = (object.group_kind(), object.namespace().map(str::to_owned));
            *census.0.entry(key).or_default() += 1;
        }
        census
    }
}

impl Census {
    fn tallies(&self) -> Vec<wit::Tally> {
        let tally = |((kind, namespace), count): (&(GroupKind, Option<String>), &u32)| wit::Tally {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            namespace: namespace.clone(),
            count: *count,
        };
        self.0.iter().map(tally).collect()
    }
}

impl PluginHost {
    /// Whether each candidate may be deleted. All candidates of a plan belong into one call.
    pub fn prune(
        &self,
        policies: &[PolicyRef],
        candidates: &[PruneCandidate],
        context: &PruneContext,
    ) -> Answer<Vec<PruneDecision>> {
        self.answer::<PrunePolicy, _>(
            policies,
            |runtime, asked, problems| prune(runtime, asked, candidates, context, problems),
            |reason| vec![Word::cautious(reason).decision(); candidates.len()],
        )
    }
}

fn prune(
    runtime: &Runtime,
    asked: &[Asked],
    candidates: &[PruneCandidate],
    context: &PruneContext,
    problems: &mut Problems,
) -> Vec<PruneDecision> {
    let mut words = vec![Word::default(); candidates.len()];
    for asked in asked {
        let (indices, claimed): (Vec<usize>, Vec<&PruneCandidate>) = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| match &asked.plugin {
                Ok(plugin) => best_fit(&plugin.claims, &candidate.live.group_kind()).is_some(),
                // What a missing plugin would have claimed is not known: everything.
                Err(_) => true,
            })
            .unzip();
        if claimed.is_empty() {
            continue;
        }
        let said: Vec<Word> = match review(runtime, asked, &claimed, context) {
            Ok(decisions) => decisions
                .into_iter()
                .map(|decision| Word::of(asked, decision))
                .collect(),
            Err(error) => {
                let reason = problems.add(asked, &error);
                vec![Word::cautious(reason); claimed.len()]
            }
        };
        for (index, word) in indices.into_iter().zip(said) {
            if let Some(before) = words.get_mut(index) {
                before.join(word);
            }
        }
    }
    words.into_iter().map(Word::decision).collect()
}

/// What was said of one candidate so far.
#[derive(Debug, Clone, Default)]
struct Word {
    verdict: Option<PruneVerdict>,
    propagation: Option<Propagation>,
    decided_by: Option<String>,
}

impl Word {
    /// The answer where there is none: the object stays.
    fn cautious(reason: String) -> Self {
        Self {
            verdict: Some(PruneVerdict::Keep { reason }),
            ..Self::default()
        }
    }

    fn of(asked: &Asked, decision: wit::Decision) -> Self {
        let verdict = match decision.verdict {
            wit::Verdict::NoOpinion => None,
            wit::Verdict::Delete => Some(PruneVerdict::Delete),
            wit::Verdict::Hold(reason) => Some(PruneVerdict::Hold {
                reason: one_line(&reason),
            }),
            wit::Verdict::Keep(reason) => Some(PruneVerdict::Keep {
                reason: one_line(&reason),
            }),
        };
        Self {
            decided_by: verdict.is_some().then(|| asked.name.clone()),
            verdict,
            propagation: decision.propagation.map(propagation),
        }
    }

    /// The more cautious word wins; of equally cautious ones the first.
    fn join(&mut self, other: Self) {
        let caution = |word: &Self| {
            word.verdict.as_ref().map(|verdict| match verdict {
                PruneVerdict::Delete => 0,
                PruneVerdict::Hold { .. } => 1,
                PruneVerdict::Keep { .. } => 2,
            })
        };
        self.propagation = self.propagation.max(other.propagation);
        if caution(&other) > caution(self) {
            (self.verdict, self.decided_by) = (other.verdict, other.decided_by);
        }
    }

    fn decision(self) -> PruneDecision {
        PruneDecision {
            // A deletion that nobody has an opinion on is one for a person.
            verdict: self.verdict.unwrap_or_else(|| PruneVerdict::Hold {
                reason: "no prune policy has an opinion on it".to_owned(),
            }),
            propagation: self.propagation.unwrap_or_default(),
            decided_by: self.decided_by,
        }
    }
}

fn review(
    runtime: &Runtime,
    asked: &Asked,
    candidates: &[&PruneCandidate],
    context: &PruneContext,
) -> Result<Vec<wit::Decision>, PluginError> {
    let mut session = Session::<PrunePolicy>::start(runtime, asked)?;
    let context = wit::Context {
        now: context.now.as_second(),
        occasion: match context.occasion {
            Occasion::Sync => wit::Occasion::Sync,
            Occasion::ApplicationDeleted => wit::Occasion::ApplicationDeleted,
        },
        application_namespace: context.application.namespace.clone(),
        application_name: context.application.name.clone(),
        owned: context.owned.tallies(),
        desired: context.desired.tallies(),
        options: context.options.clone(),
    };
    let decisions = session.ask("review", candidates.len(), |store, world| {
        let state = store.data_mut();
        let given = candidates
            .iter()
            .map(|candidate| {
                Ok(wit::Candidate {
                    live: state.give(&candidate.live)?,
                    desired: state.give_some(candidate.desired.as_ref())?,
                })
            })
            .collect::<wasmtime::Result<Vec<_>>>()?;
        world.sluice_policy_prune().call_review(store, &given, &context)
    })?;
    match decisions.len() == candidates.len() {
        true => Ok(decisions),
        false => Err(PluginError::BadOutput {
            export: "review",
            reason: format!(
                "{} decisions for {} candidates",
                decisions.len(),
                candidates.len()
            ),
        }),
    }
}

/// The model's word for the interface's.
pub(crate) fn propagation(propagation: objects::Propagation) -> Propagation {
    match propagation {
        objects::Propagation::Foreground => Propagation::Foreground,
        objects::Propagation::Background => Propagation::Background,
        objects::Propagation::Orphan => Propagation::Orphan,
    }
}
