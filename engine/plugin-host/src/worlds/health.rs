//! World `health-check`: does an object do its work? The most specific claim is asked first, the next where there is no opinion.

use sluice_model::application::{Policies, PolicyRef};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::{GroupKind, Object};
use sluice_plugin_aot::RuntimeClass;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Error, Result};

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
use crate::state::{State, lines};

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
            "sluice:policy/assessments.assessment": crate::worlds::health::HostAssessment,
        },
    });
}

impl World for HealthCheck {
    type Handles = Handles<Assessment>;

    const KIND: PluginKind = PluginKind::Health;
    const NAME: &'static str = "health-check";
    const INTERFACE: &'static str = "health";
    const ANSWERS: &'static str = "assessments";
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.health
    }

    fn link(linker: &mut Linker<State>) -> Result<()> {
        assessments::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
    }

    super::exports_of!(wit::HealthCheckPre<State>);
}

impl PluginHost {
    /// Whether each object does its work, as the cluster has it. An empty list of policies asks the default ones.
    pub fn health(
        &self,
        policies: &[PolicyRef],
        objects: &[Object],
        now: jiff::Timestamp,
    ) -> Answer<Vec<HealthVerdict>> {
        self.answer::<HealthCheck, _>(
            policies,
            |runtime, asked, problems| {
                let asked: Vec<Asked> = asked.into_iter().map(|asked| asked.about(objects)).collect();
                health(runtime, &asked, objects, now.as_second(), problems)
            },
            |reason| vec![cautious(reason, None); objects.len()],
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
    objects: &[Object],
    now: i64,
    problems: &mut Problems,
) -> Vec<HealthVerdict> {
    let mut workers: Vec<Worker<'_>> = asked
        .iter()
        .map(|asked| Worker { asked, session: None })
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
            match worker.assess(runtime, object, claim, now) {
                Ok(None) => {}
                Ok(Some((status, message))) => {
                    verdict = HealthVerdict {
                        status,
                        message,
                        plugin: Some(worker.asked.name.clone()),
                    };
                    break;
                }
                Err(error) => {
                    // Closed: the plugin that fails may have been the one to say that something is wrong.
                    verdict = cautious(
                        problems.add(&worker.asked.name, worker.asked.digest(), &error),
                        Some(worker.asked),
                    );
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

/// What a plugin says of one object.
pub(crate) struct Assessment {
    claim: u32,
    /// The number of the context's handle.
    context: u32,
    verdict: Option<Verdict>,
}

/// A status and why.
type Verdict = (HealthStatus, String);

impl assessments::Host for State {}

impl assessments::HostAssessment for State {
    fn claim(&mut self, handle: Resource<HostAssessment>) -> Result<u32> {
        Ok(self.own::<Handles<Assessment>>()?.get(&handle)?.claim)
    }

    fn context(&mut self, handle: Resource<HostAssessment>) -> Result<Resource<HostContext>> {
        let assessment = self.own::<Handles<Assessment>>()?.get(&handle)?;
        Ok(Resource::new_own(assessment.context))
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
    let assessment = state.own::<Handles<Assessment>>()?.get_mut(handle)?;
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
    /// A verdict, or none where the plugin has no opinion.
    fn assess(
        &mut self,
        runtime: &Runtime,
        object: &Object,
        claim: u32,
        now: i64,
    ) -> Result<Option<Verdict>, PluginError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::start(runtime, self.asked)?,
        };
        let answer = session.ask("assess", 0, |store, world| {
            let state = store.data_mut();
            let object = state.give(object)?;
            let context = state.give_context(Context {
                now,
                application: None,
                sync_options: Vec::new(),
            })?;
            let assessment = state.own::<Handles<Assessment>>()?.keep(Assessment {
                claim,
                context: context.rep(),
                verdict: None,
            })?;
            let said = world.sluice_policy_health().call_assess(
                &mut *store,
                object,
                Resource::new_own(assessment),
            )?;
            let mut assessments = store.data_mut().own::<Handles<Assessment>>()?.end();
            let verdict = assessments.find_map(|assessment| assessment.verdict);
            Ok(said.map(|()| verdict))
        });
        // An error that a plugin reports is an answer; after any other the next object gets a fresh instance.
        self.session = Some(session).filter(Session::is_whole);
        answer
    }
}
