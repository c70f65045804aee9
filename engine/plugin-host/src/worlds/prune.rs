//! World `prune-policy`: may an object be deleted? All policies are asked, the most cautious verdict wins.

use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::census::Census;
use sluice_model::decision::{Occasion, Propagation, PruneDecision, PruneVerdict};
use sluice_model::plan::ApplicationKey;
use sluice_plugin_aot::RuntimeClass;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker, Resource};

use self::wit::sluice::policy::candidates::{self, Tally};
use super::{PluginKind, World};
use crate::answer::{Answer, Problems};
use crate::bindings::{context, objects};
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::context::Context;
use crate::handles::Handles;
use crate::host::PluginHost;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::state::{HostObject, State, one_line};

pub(crate) use self::wit::PrunePolicy;

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.2.0",
        world: "prune-policy",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::sluice::policy::log,
            "sluice:policy/context": crate::bindings::sluice::policy::context,
            "sluice:policy/setup": crate::bindings::sluice::policy::setup,
            "sluice:policy/candidates.candidate": crate::worlds::prune::HostCandidate,
            "sluice:policy/candidates.deletion": crate::worlds::prune::HostDeletion,
        },
    });
}

impl World for PrunePolicy {
    type Handles = Given;

    const KIND: PluginKind = PluginKind::Prune;
    const NAME: &'static str = "prune-policy";
    const INTERFACE: &'static str = "prune";
    const ANSWERS: &'static [&'static str] = &["candidates"];
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.prune
    }

    fn link(linker: &mut Linker<State>) -> Result<()> {
        candidates::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
    }

    super::exports_of!(wit::PrunePolicyPre<State>);
}

/// An object that would be deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct PruneObject {
    /// As the cluster has it.
    pub live: Object,
    /// As Git has it, where it still does (when the Application is deleted). Protection counts wherever it is written.
    pub desired: Option<Object>,
}

/// A candidate that Git no longer has.
impl From<Object> for PruneObject {
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
    /// The Application's `spec.syncPolicy.syncOptions`.
    pub options: Vec<String>,
}

fn tallies(census: &Census) -> Vec<Tally> {
    let tally = |tally: sluice_model::census::Tally| Tally {
        group: tally.group,
        kind: tally.kind,
        namespace: tally.namespace,
        count: tally.count,
    };
    census.tallies().map(tally).collect()
}

impl PluginHost {
    /// Whether each candidate may be deleted. All candidates of a plan belong into one call.
    pub fn prune(
        &self,
        policies: &[PolicyRef],
        candidates: &[PruneObject],
        context: &PruneContext,
    ) -> Answer<Vec<PruneDecision>> {
        self.answer::<PrunePolicy, _>(
            policies,
            |runtime, asked, problems| prune(runtime, &asked, candidates, context, problems),
            |reason| vec![Word::cautious(reason).decision(); candidates.len()],
        )
    }
}

fn prune(
    runtime: &Runtime,
    asked: &[Asked],
    candidates: &[PruneObject],
    context: &PruneContext,
    problems: &mut Problems,
) -> Vec<PruneDecision> {
    let mut words = vec![Word::default(); candidates.len()];
    for asked in asked {
        let (indices, claimed): (Vec<usize>, Vec<&PruneObject>) = candidates
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
            Ok(words) => words,
            Err(error) => {
                let reason = problems.add(&asked.name, asked.digest(), &error);
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

    /// As the golden cases of plugins have it.
    fn json(self) -> Value {
        let mut said = match self.verdict {
            None => Value::Null,
            Some(PruneVerdict::Delete) => json!({"delete": true}),
            Some(PruneVerdict::Hold { reason }) => json!({"hold": reason}),
            Some(PruneVerdict::Keep { reason }) => json!({"keep": reason}),
        };
        if let Some(propagation) = self.propagation {
            let mut fields = said.as_object().cloned().unwrap_or_default();
            fields.insert("propagation".to_owned(), json!(propagation));
            said = Value::Object(fields);
        }
        said
    }

    fn decision(self) -> PruneDecision {
        PruneDecision {
            // A deletion that no plugin has an opinion on is one for a person.
            verdict: self.verdict.unwrap_or_else(|| PruneVerdict::Hold {
                reason: "no prune policy has an opinion on it".to_owned(),
            }),
            propagation: self.propagation.unwrap_or_default(),
            decided_by: self.decided_by,
        }
    }
}

/// What one plugin says of each candidate by itself: a verdict, with its propagation if it has an opinion on that, or null.
pub(crate) fn told(
    runtime: &Runtime,
    asked: &Asked,
    candidates: &[PruneObject],
    context: &PruneContext,
) -> Result<Vec<Value>, PluginError> {
    let plugin = asked.plugin()?;
    let claimed = |candidate: &&PruneObject| best_fit(&plugin.claims, &candidate.live.group_kind()).is_some();
    let asked_about: Vec<&PruneObject> = candidates.iter().filter(claimed).collect();
    let session = Session::configured(runtime, asked)?;
    let mut words = reviewed(session, asked, &asked_about, context)?.into_iter();
    let said = candidates.iter().map(|candidate| match claimed(&candidate) {
        true => words.next().map_or(Value::Null, |word| word.json()),
        false => Value::Null,
    });
    Ok(said.collect())
}

/// What one plugin says of each candidate.
fn review(
    runtime: &Runtime,
    asked: &Asked,
    candidates: &[&PruneObject],
    context: &PruneContext,
) -> Result<Vec<Word>, PluginError> {
    reviewed(Session::start(runtime, asked)?, asked, candidates, context)
}

fn reviewed(
    mut session: Session<'_, PrunePolicy>,
    asked: &Asked,
    candidates: &[&PruneObject],
    context: &PruneContext,
) -> Result<Vec<Word>, PluginError> {
    let words = session.ask("review", candidates.len(), |store, world| {
        let state = store.data_mut();
        let mut given = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let candidate = Candidate {
                live: state.keep(&candidate.live)?,
                desired: candidate
                    .desired
                    .as_ref()
                    .map(|object| state.keep(object))
                    .transpose()?,
                word: Word::default(),
            };
            let handle = state.own::<Given>()?.candidates.keep(candidate)?;
            given.push(Resource::new_own(handle));
        }
        let deletion = state.own::<Given>()?.deletions.keep(Deletion {
            application_is_deleted: match context.occasion {
                Occasion::Sync => false,
                Occasion::ApplicationDeleted => true,
            },
            owned: tallies(&context.owned),
            desired: tallies(&context.desired),
        })?;
        let context = state.give_context(Context {
            now: context.now.as_second(),
            application: Some(context::Application {
                namespace: context.application.namespace.clone(),
                name: context.application.name.clone(),
            }),
            sync_options: context.options.clone(),
        })?;
        let said = world.sluice_policy_prune().call_review(
            &mut *store,
            &given,
            Resource::new_own(deletion),
            context,
        )?;
        let words = store.data_mut().own::<Given>()?.end();
        Ok(said.map(|()| words))
    })?;
    let named = |word: Word| Word {
        decided_by: word.verdict.is_some().then(|| asked.name.clone()),
        ..word
    };
    Ok(words.into_iter().map(named).collect())
}

/// The handle of a [`Candidate`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostCandidate {}

/// The handle of a [`Deletion`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostDeletion {}

/// What a review hands over.
#[derive(Default)]
pub(crate) struct Given {
    candidates: Handles<Candidate>,
    deletions: Handles<Deletion>,
}

/// One object that would be deleted, both sides by the numbers of their handles, and what the plugin has said of it so far.
struct Candidate {
    live: u32,
    desired: Option<u32>,
    word: Word,
}

struct Deletion {
    application_is_deleted: bool,
    owned: Vec<Tally>,
    desired: Vec<Tally>,
}

impl Given {
    /// Ends the review: the words, in the order of the candidates.
    fn end(&mut self) -> Vec<Word> {
        drop(self.deletions.end());
        self.candidates.end().map(|candidate| candidate.word).collect()
    }
}

impl candidates::Host for State {}

impl candidates::HostCandidate for State {
    fn live(&mut self, handle: Resource<HostCandidate>) -> Result<Resource<HostObject>> {
        let candidate = self.own::<Given>()?.candidates.get(&handle)?;
        Ok(Resource::new_own(candidate.live))
    }

    fn desired(&mut self, handle: Resource<HostCandidate>) -> Result<Option<Resource<HostObject>>> {
        let candidate = self.own::<Given>()?.candidates.get(&handle)?;
        Ok(candidate.desired.map(Resource::new_own))
    }

    fn allow(&mut self, handle: Resource<HostCandidate>) -> Result<()> {
        say(self, &handle, PruneVerdict::Delete)
    }

    fn hold(&mut self, handle: Resource<HostCandidate>, reason: String) -> Result<()> {
        let reason = one_line(&reason);
        self.spend(reason.len())?;
        say(self, &handle, PruneVerdict::Hold { reason })
    }

    fn keep(&mut self, handle: Resource<HostCandidate>, reason: String) -> Result<()> {
        let reason = one_line(&reason);
        self.spend(reason.len())?;
        say(self, &handle, PruneVerdict::Keep { reason })
    }

    fn set_propagation(&mut self, handle: Resource<HostCandidate>, word: objects::Propagation) -> Result<()> {
        let candidate = self.own::<Given>()?.candidates.get_mut(&handle)?;
        candidate.word.join(Word {
            propagation: Some(propagation(word)),
            ..Word::default()
        });
        Ok(())
    }

    fn drop(&mut self, _: Resource<HostCandidate>) -> Result<()> {
        self.tick()
    }
}

/// One plugin's words on one candidate are joined as those of several plugins are.
fn say(state: &mut State, handle: &Resource<HostCandidate>, verdict: PruneVerdict) -> Result<()> {
    let candidate = state.own::<Given>()?.candidates.get_mut(handle)?;
    candidate.word.join(Word {
        verdict: Some(verdict),
        ..Word::default()
    });
    Ok(())
}

impl candidates::HostDeletion for State {
    fn application_is_deleted(&mut self, handle: Resource<HostDeletion>) -> Result<bool> {
        Ok(self
            .own::<Given>()?
            .deletions
            .get(&handle)?
            .application_is_deleted)
    }

    fn owned(&mut self, handle: Resource<HostDeletion>) -> Result<Vec<Tally>> {
        Ok(self.own::<Given>()?.deletions.get(&handle)?.owned.clone())
    }

    fn desired(&mut self, handle: Resource<HostDeletion>) -> Result<Vec<Tally>> {
        Ok(self.own::<Given>()?.deletions.get(&handle)?.desired.clone())
    }

    fn drop(&mut self, _: Resource<HostDeletion>) -> Result<()> {
        self.tick()
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
