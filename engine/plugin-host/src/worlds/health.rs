//! World `health-check`: does an object do its work? The most specific claim is asked first, the next where there is no opinion.

mod relatives;

use std::sync::Arc;

use serde_json::{Value, json};
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::related::{Related, Seen, Unrelated};
use sluice_model::{GroupKind, Object};
use sluice_plugin_aot::RuntimeClass;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Error, Result};

use self::relatives::HostRelatives;
use self::wit::sluice::policy::assessments;
use super::{PluginKind, World};
use crate::answer::{Answer, Problems};
use crate::claims::{Claim, Fit, best_fit};
use crate::codes::PluginError;
use crate::context::{Context, HostContext};
use crate::handles::Handles;
use crate::host::PluginHost;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::state::{State, lines, one_line};

pub(crate) use self::wit::HealthCheck;

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.2.0",
        world: "health-check",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::sluice::policy::log,
            "sluice:policy/context": crate::bindings::sluice::policy::context,
            "sluice:policy/setup": crate::bindings::sluice::policy::setup,
            "sluice:policy/relatives.relatives": crate::worlds::health::relatives::HostRelatives,
            "sluice:policy/assessments.assessment": crate::worlds::health::HostAssessment,
        },
    });
}

impl World for HealthCheck {
    type Handles = Given;

    const KIND: PluginKind = PluginKind::Health;
    const NAME: &'static str = "health-check";
    const INTERFACE: &'static str = "health";
    const ANSWERS: &'static [&'static str] = &["assessments", "relatives"];
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.health
    }

    fn link(linker: &mut Linker<State>) -> Result<()> {
        assessments::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
        relatives::link(linker)
    }

    super::exports_of!(wit::HealthCheckPre<State>);
}

/// What health plugins are asked.
pub struct HealthQuestion<'q> {
    /// Which plugins are asked, with which settings; the default ones if empty.
    pub policies: &'q [PolicyRef],
    /// The objects that are judged, as the cluster has them.
    pub objects: &'q [Object],
    /// The time of the question.
    pub now: jiff::Timestamp,
    /// What a check may see beside the object.
    pub related: Arc<dyn Related>,
    /// Whether [`Examined::read`] is to be told.
    pub is_traced: bool,
}

/// A verdict, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The verdict.
    pub verdict: HealthVerdict,
    /// What the checks asked to see beside the object, and what they were told.
    pub seen: Vec<Seen>,
    /// By which of its rules the plugin judged, if it said so.
    pub rule: Option<String>,
    /// The pointers that were read of the object, sorted, each once; `` for all of it. Empty if that was not asked for.
    pub read: Vec<String>,
}

impl Examined {
    fn of(verdict: HealthVerdict) -> Self {
        Self {
            verdict,
            seen: Vec::new(),
            rule: None,
            read: Vec::new(),
        }
    }
}

impl PluginHost {
    /// Whether each object does its work, as the cluster has it, seen by itself. An empty list of policies asks the default ones.
    pub fn health(
        &self,
        policies: &[PolicyRef],
        objects: &[Object],
        now: jiff::Timestamp,
    ) -> Answer<Vec<HealthVerdict>> {
        let answer = self.examine(&HealthQuestion {
            policies,
            objects,
            now,
            related: Arc::new(Unrelated),
            is_traced: false,
        });
        let verdicts = answer.value.into_iter().map(|examined| examined.verdict);
        Answer {
            value: verdicts.collect(),
            problems: answer.problems,
        }
    }

    /// Whether each object does its work, and what the verdict rests on.
    pub fn examine(&self, question: &HealthQuestion<'_>) -> Answer<Vec<Examined>> {
        let objects = question.objects;
        self.answer::<HealthCheck, _>(
            question.policies,
            |runtime, asked, problems| {
                let asked: Vec<Asked> = asked.into_iter().map(|asked| asked.about(objects)).collect();
                health(runtime, &asked, question, problems)
            },
            |reason| vec![Examined::of(cautious(reason, None)); objects.len()],
        )
    }
}

/// A plugin that is asked about an object, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthClaim {
    /// The plugin's name.
    pub plugin: String,
    /// The closest of its claims. A plugin with a rule for each of its claims, as `health-catalogue`, judges by the rule of this one. None
    /// for scripts, and where the plugin is not there.
    pub claim: Option<Claim>,
}

impl PluginHost {
    /// Which plugins are asked about each object, in that order: the first with an opinion decides. An empty list of policies asks the
    /// default ones.
    pub fn health_claims(&self, policies: &[PolicyRef], objects: &[Object]) -> Vec<Vec<HealthClaim>> {
        let asked = self.ask(PluginKind::Health, policies);
        let mut orders = Orders {
            asked: &asked,
            known: Vec::new(),
        };
        let claim_of = |&(index, claim): &(usize, u32)| {
            let asked = asked.get(index)?;
            let plugin = asked.plugin.as_ref().ok().filter(|_| asked.scripts.is_none());
            let claim = plugin
                .and_then(|plugin| plugin.claims.get(claim as usize))
                .cloned();
            Some(HealthClaim {
                plugin: asked.name.clone(),
                claim,
            })
        };
        let claims_of = |object| orders.of(object).iter().filter_map(claim_of).collect();
        objects.iter().map(claims_of).collect()
    }
}

/// The answer where there is none: never taken for healthy.
fn cautious(reason: String, plugin: Option<&Asked>) -> HealthVerdict {
    HealthVerdict {
        status: HealthStatus::Unknown,
        message: reason,
        plugin: plugin.map(|asked| asked.name.clone()),
    }
}

impl Asked {
    /// With the scripts for these objects.
    fn about(mut self, objects: &[Object]) -> Self {
        if let Some(scripts) = &self.scripts {
            self.settings = scripts.settings(objects);
        }
        self
    }
}

fn health(
    runtime: &Runtime,
    asked: &[Asked],
    question: &HealthQuestion<'_>,
    problems: &mut Problems,
) -> Vec<Examined> {
    let mut workers: Vec<Worker<'_>> = asked
        .iter()
        .map(|asked| Worker { asked, session: None })
        .collect();
    let mut orders = Orders {
        asked,
        known: Vec::new(),
    };
    let mut all = Vec::with_capacity(question.objects.len());
    for object in question.objects {
        let mut examined = Examined::of(HealthVerdict::no_opinion());
        for &(index, claim) in orders.of(object) {
            let Some(worker) = workers.get_mut(index) else {
                continue;
            };
            let said = worker.assess(runtime, object, claim, question, &mut examined);
            match said {
                Ok(None) => {}
                Ok(Some((status, message))) => {
                    examined.verdict = HealthVerdict {
                        status,
                        message,
                        plugin: Some(worker.asked.name.clone()),
                    };
                    break;
                }
                Err(error) => {
                    // Closed: the plugin that fails may have been the one to say that something is wrong.
                    examined.verdict = cautious(
                        problems.add(&worker.asked.name, worker.asked.digest(), &error),
                        Some(worker.asked),
                    );
                    break;
                }
            }
        }
        examined.read.sort_unstable();
        examined.read.dedup();
        all.push(examined);
    }
    all
}

/// What one plugin says of each object by itself: a verdict, null for no opinion, or its error.
pub(crate) fn told(
    runtime: &Runtime,
    asked: &Asked,
    question: &HealthQuestion<'_>,
) -> Result<Vec<Value>, PluginError> {
    let mut orders = Orders {
        asked: std::slice::from_ref(asked),
        known: Vec::new(),
    };
    let mut worker = Worker {
        asked,
        session: Some(Session::configured(runtime, asked)?),
    };
    let said = |object: &Object| {
        let Some(&(_, claim)) = orders.of(object).first() else {
            return Ok(Value::Null);
        };
        let mut examined = Examined::of(HealthVerdict::no_opinion());
        match worker.assess(runtime, object, claim, question, &mut examined) {
            Ok(None) => Ok(Value::Null),
            Ok(Some((status, message))) => Ok(json!({"status": status, "message": message})),
            Err(PluginError::Guest { message, .. }) => Ok(json!({"error": message})),
            Err(error) => Err(error),
        }
    };
    question.objects.iter().map(said).collect()
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
            Ok(plugin) => match &asked.scripts {
                // A script comes before any plugin, also for the kinds that Kubernetes itself has, as in Argo CD.
                Some(scripts) => scripts
                    .has(group_kind)
                    .then_some((false, Some(Fit::Script), index, 0)),
                None => {
                    best_fit(&plugin.claims, group_kind).map(|(fit, claim)| (false, Some(fit), index, claim))
                }
            },
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

/// The handle of an [`Assessment`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostAssessment {}

/// What a call hands over: the assessment, and what is around the object.
#[derive(Default)]
pub(crate) struct Given {
    assessments: Handles<Assessment>,
    /// None before the first question.
    related: Option<Arc<dyn Related>>,
    /// Where the object is.
    namespace: Option<String>,
    /// What the plugin asked for.
    seen: Vec<Seen>,
}

/// What a plugin says of one object.
pub(crate) struct Assessment {
    claim: u32,
    /// The number of the context's handle.
    context: u32,
    rule: Option<String>,
    verdict: Option<Verdict>,
}

/// A status and why.
type Verdict = (HealthStatus, String);

impl assessments::Host for State {}

impl assessments::HostAssessment for State {
    fn claim(&mut self, handle: Resource<HostAssessment>) -> Result<u32> {
        Ok(self.own::<Given>()?.assessments.get(&handle)?.claim)
    }

    fn context(&mut self, handle: Resource<HostAssessment>) -> Result<Resource<HostContext>> {
        let assessment = self.own::<Given>()?.assessments.get(&handle)?;
        Ok(Resource::new_own(assessment.context))
    }

    fn relatives(&mut self, handle: Resource<HostAssessment>) -> Result<Resource<HostRelatives>> {
        // They have the number of their assessment, and end with it.
        self.own::<Given>()?.assessments.get(&handle)?;
        Ok(Resource::new_own(handle.rep()))
    }

    fn set_rule(&mut self, handle: Resource<HostAssessment>, name: String) -> Result<()> {
        self.own::<Given>()?.assessments.get_mut(&handle)?.rule = Some(one_line(&name));
        Ok(())
    }

    fn healthy(&mut self, handle: Resource<HostAssessment>, message: String) -> Result<()> {
        judge(self, &handle, HealthStatus::Healthy, &message)
    }

    fn suspended(&mut self, handle: Resource<HostAssessment>, message: String) -> Result<()> {
        judge(self, &handle, HealthStatus::Suspended, &message)
    }

    fn progressing(&mut self, handle: Resource<HostAssessment>, message: String) -> Result<()> {
        judge(self, &handle, HealthStatus::Progressing, &message)
    }

    fn missing(&mut self, handle: Resource<HostAssessment>, message: String) -> Result<()> {
        judge(self, &handle, HealthStatus::Missing, &message)
    }

    fn degraded(&mut self, handle: Resource<HostAssessment>, message: String) -> Result<()> {
        judge(self, &handle, HealthStatus::Degraded, &message)
    }

    fn unknown(&mut self, handle: Resource<HostAssessment>, message: String) -> Result<()> {
        judge(self, &handle, HealthStatus::Unknown, &message)
    }

    fn drop(&mut self, _: Resource<HostAssessment>) -> Result<()> {
        self.tick()
    }
}

fn judge(
    state: &mut State,
    handle: &Resource<HostAssessment>,
    status: HealthStatus,
    message: &str,
) -> Result<()> {
    let assessment = state.own::<Given>()?.assessments.get_mut(handle)?;
    if assessment.verdict.is_some() {
        return Err(Error::msg("a second verdict on one object"));
    }
    assessment.verdict = Some((status, lines(message)));
    Ok(())
}

/// One plugin within one batch: its instance lives from the first question to the end or to the first error.
struct Worker<'a> {
    asked: &'a Asked,
    session: Option<Session<'a, HealthCheck>>,
}

impl Worker<'_> {
    /// A verdict, or none if the plugin has no opinion. What it rests on is added to `examined`.
    fn assess(
        &mut self,
        runtime: &Runtime,
        object: &Object,
        claim: u32,
        question: &HealthQuestion<'_>,
        examined: &mut Examined,
    ) -> Result<Option<Verdict>, PluginError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::start(runtime, self.asked)?,
        };
        let answer = session.ask("assess", 0, |store, world| {
            let state = store.data_mut();
            let object_handle = state.give(object)?;
            if question.is_traced {
                state.trace(&object_handle);
            }
            let context = state.give_context(Context {
                now: question.now.as_second(),
                application: None,
                sync_options: Vec::new(),
            })?;
            let given = state.own::<Given>()?;
            given.related = Some(Arc::clone(&question.related));
            given.namespace = object.namespace().map(str::to_owned);
            let assessment = given.assessments.keep(Assessment {
                claim,
                context: context.rep(),
                rule: None,
                verdict: None,
            })?;
            let said = world.sluice_policy_health().call_assess(
                &mut *store,
                object_handle,
                Resource::new_own(assessment),
            );
            let state = store.data_mut();
            examined.read.extend(state.take_trace());
            let given = state.own::<Given>()?;
            examined.seen.append(&mut given.seen);
            let assessment = given.assessments.end().next();
            let (rule, verdict) = assessment
                .map(|assessment| (assessment.rule, assessment.verdict))
                .unwrap_or_default();
            if verdict.is_some() {
                examined.rule = rule;
            }
            Ok(said?.map(|()| verdict))
        });
        // An error that a plugin reports is an answer; after any other the next object gets a fresh instance.
        self.session = Some(session).filter(Session::is_whole);
        answer
    }
}
