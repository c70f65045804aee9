//! World `health-check`: does an object do its work? The most specific claim is asked first, the next where there is no opinion.

use sluice_model::application::{Policies, PolicyRef};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::{GroupKind, Object};
use sluice_plugin_aot::RuntimeClass;

use self::wit::exports::sluice::policy::health::{Context, Verdict};
use super::{PluginKind, World};
use crate::answer::{Answer, Problems};
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::host::PluginHost;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::state::{State, one_line};

pub(crate) use self::wit::HealthCheck;

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.1.0",
        world: "health-check",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::sluice::policy::log,
        },
    });
}

impl World for HealthCheck {
    const KIND: PluginKind = PluginKind::Health;
    const NAME: &'static str = "health-check";
    const INTERFACE: &'static str = "health";
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.health
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
            |runtime, asked, problems| health(runtime, asked, objects, now.as_second(), problems),
            |reason| vec![cautious(reason, None); objects.len()],
        )
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
            match worker.assess(runtime, object, Context { now, claim }) {
                Ok(Verdict::NoOpinion) => {}
                Ok(opinion) => {
                    verdict = judged(worker.asked, opinion);
                    break;
                }
                Err(error) => {
                    // Closed: whoever fails may have been the one to say that something is wrong.
                    verdict = cautious(problems.add(worker.asked, &error), Some(worker.asked));
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
        plugin: Some(asked.name.clone()),
    }
}

/// One plugin within one batch: its instance lives from the first question to the end or to the first error.
struct Worker<'a> {
    asked: &'a Asked,
    session: Option<Session<'a, HealthCheck>>,
}

impl Worker<'_> {
    fn assess(
        &mut self,
        runtime: &Runtime,
        object: &Object,
        context: Context,
    ) -> Result<Verdict, PluginError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::start(runtime, self.asked)?,
        };
        let answer = session.ask("assess", 0, |store, world| {
            let (owned, borrowed) = store.data_mut().lend(object)?;
            let answer = world
                .sluice_policy_health()
                .call_assess(&mut *store, borrowed, context)?;
            store.data_mut().take_back(owned)?;
            Ok(answer)
        });
        // An error that a plugin reports is an answer; after any other the next object gets a fresh instance.
        self.session = Some(session).filter(Session::is_whole);
        answer
    }
}
