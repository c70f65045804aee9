//! World `sync-policy`: how is an object applied? All policies are asked, later ones override earlier ones field by field.

use std::collections::BTreeMap;

use serde::Serialize;
use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::decision::{HookCleanup, Overruled, Phase, Strategy, SyncDecision};
use sluice_model::plan::ApplicationKey;
use sluice_plugin_aot::RuntimeClass;

use self::bindings::exports::sluice::policy::sync as wit;
use super::prune::propagation;
use super::{PluginKind, World};
use crate::answer::{Answer, Problems};
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::host::PluginHost;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::state::{State, one_line};

pub(crate) use self::bindings::SyncPolicy;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.1.0",
        world: "sync-policy",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::sluice::policy::log,
        },
    });
}

impl World for SyncPolicy {
    const KIND: PluginKind = PluginKind::Sync;
    const NAME: &'static str = "sync-policy";
    const INTERFACE: &'static str = "sync";
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.sync
    }

    super::exports_of!(bindings::SyncPolicyPre<State>);
}

/// Objects that one call is handed at most: bounds what a slow policy may take of a large application at once.
const BATCH: usize = 1_000;

/// An object as Git wants it beside the same object as the cluster has it. At least one of the two is there.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncObject {
    /// None where Git no longer has it.
    pub desired: Option<Object>,
    /// None where the cluster does not have it yet.
    pub live: Option<Object>,
}

/// `(desired, live)`.
impl From<(Option<Object>, Option<Object>)> for SyncObject {
    fn from((desired, live): (Option<Object>, Option<Object>)) -> Self {
        Self { desired, live }
    }
}

/// An object that is not in the cluster, or not looked for.
impl From<Object> for SyncObject {
    fn from(desired: Object) -> Self {
        Self {
            desired: Some(desired),
            live: None,
        }
    }
}

/// What a sync decision may depend on besides the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncContext {
    /// The only clock that policies have.
    pub now: jiff::Timestamp,
    /// Whose objects they are; none where a file is looked at (`sluice explain`).
    pub application: Option<ApplicationKey>,
    /// `spec.syncPolicy.syncOptions`.
    pub options: Vec<String>,
}

impl PluginHost {
    /// How each object is applied.
    pub fn sync(
        &self,
        policies: &[PolicyRef],
        objects: &[SyncObject],
        context: &SyncContext,
    ) -> Answer<Vec<SyncDecision>> {
        self.answer::<SyncPolicy, _>(
            policies,
            |runtime, asked, problems| sync(runtime, asked, objects, context, problems),
            |reason| {
                let mut decision = SyncDecision::default();
                hold(&mut decision, &reason, None);
                vec![decision; objects.len()]
            },
        )
    }
}

/// The answer where there is none: the operation waits.
fn hold(decision: &mut SyncDecision, reason: &str, plugin: Option<&Asked>) {
    decision.hold = Some(reason.to_owned());
    let plugin = plugin.map(|asked| ("hold".to_owned(), asked.name.clone()));
    decision.decided_by.extend(plugin);
}

fn sync(
    runtime: &Runtime,
    asked: &[Asked],
    objects: &[SyncObject],
    context: &SyncContext,
    problems: &mut Problems,
) -> Vec<SyncDecision> {
    let mut decisions = vec![SyncDecision::default(); objects.len()];
    for asked in asked {
        let mut claimed: Vec<(&SyncObject, &mut SyncDecision)> = objects
            .iter()
            .zip(&mut decisions)
            .filter(|(change, _)| match (&asked.plugin, change.object()) {
                (Ok(plugin), Some(object)) => best_fit(&plugin.claims, &object.group_kind()).is_some(),
                (Ok(_), None) => false,
                // What a missing plugin would have claimed is not known: everything.
                (Err(_), _) => true,
            })
            .collect();
        for batch in claimed.chunks_mut(BATCH) {
            let changes: Vec<&SyncObject> = batch.iter().map(|(change, _)| *change).collect();
            match decide(runtime, asked, &changes, context) {
                Ok(opinions) => {
                    for ((_, decision), opinion) in batch.iter_mut().zip(opinions) {
                        merge(decision, opinion, &asked.name);
                    }
                }
                Err(error) => {
                    let reason = problems.add(asked, &error);
                    for (_, decision) in batch {
                        hold(decision, &reason, Some(asked));
                    }
                }
            }
        }
    }
    decisions
}

impl SyncObject {
    fn object(&self) -> Option<&Object> {
        self.desired.as_ref().or(self.live.as_ref())
    }
}

fn decide(
    runtime: &Runtime,
    asked: &Asked,
    changes: &[&SyncObject],
    context: &SyncContext,
) -> Result<Vec<wit::Decision>, PluginError> {
    let mut session = Session::<SyncPolicy>::start(runtime, asked)?;
    let (namespace, name) = match &context.application {
        Some(application) => (application.namespace.clone(), application.name.clone()),
        None => (String::new(), String::new()),
    };
    let context = wit::Context {
        now: context.now.as_second(),
        application_namespace: namespace,
        application_name: name,
        options: context.options.clone(),
    };
    let decisions = session.ask("decide", changes.len(), |store, world| {
        let state = store.data_mut();
        let given = changes
            .iter()
            .map(|change| {
                Ok(wit::Change {
                    desired: state.give_some(change.desired.as_ref())?,
                    live: state.give_some(change.live.as_ref())?,
                })
            })
            .collect::<wasmtime::Result<Vec<_>>>()?;
        world.sluice_policy_sync().call_decide(store, &given, &context)
    })?;
    let bad = |reason: String| {
        Err(PluginError::BadOutput {
            export: "decide",
            reason,
        })
    };
    if decisions.len() != changes.len() {
        return bad(format!(
            "{} decisions for {} objects",
            decisions.len(),
            changes.len()
        ));
    }
    let fields = decisions
        .iter()
        .filter_map(|decision| decision.ignore_fields.as_ref());
    match fields.flatten().find(|field| !field.starts_with(['/', '.'])) {
        Some(field) => bad(format!(
            "`{}` is neither a pointer nor a path to a field",
            one_line(field)
        )),
        None => Ok(decisions),
    }
}

/// Lays one plugin's opinion over what was decided before.
fn merge(decision: &mut SyncDecision, opinion: wit::Decision, plugin: &str) {
    let mut ledger = Ledger {
        plugin,
        decided_by: &mut decision.decided_by,
        overruled: &mut decision.overruled,
    };
    let phases = opinion.phases.map(|phases| {
        let mut phases: Vec<Phase> = phases.into_iter().map(phase).collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    });
    let mut phases_of_role = None;
    if let Some(role) = opinion.role {
        let (hook, skip, ignored, types) = match role {
            wit::Role::Part => (false, false, false, Vec::new()),
            // A hook that nobody can place is left out.
            wit::Role::Hook(types) => (true, false, types.is_empty(), types),
            wit::Role::Skip(types) => (false, true, false, types),
            wit::Role::Ignored => (false, false, true, Vec::new()),
        };
        phases_of_role = match (hook, skip || ignored) {
            (true, _) => None,
            (false, true) => Some(Vec::new()),
            (false, false) => Some(vec![Phase::Sync]),
        };
        let types = types.iter().map(|text| one_line(text)).collect();
        ledger.set("hook", &mut decision.hook, Some(hook));
        ledger.set("hookTypes", &mut decision.hook_types, Some(types));
        ledger.set("skip", &mut decision.skip, Some(skip));
        ledger.set("ignored", &mut decision.ignored, Some(ignored));
    }
    ledger.set("phases", &mut decision.phases, phases.or(phases_of_role));
    ledger.set("wave", &mut decision.wave, opinion.wave);
    let cleanup = opinion
        .cleanup
        .map(|list| list.into_iter().map(cleaned_up).collect());
    ledger.set("deletePolicies", &mut decision.delete_policies, cleanup);
    ledger.set("strategy", &mut decision.strategy, opinion.strategy.map(strategy));
    ledger.set("force", &mut decision.force, opinion.force_conflicts);
    ledger.set("validate", &mut decision.validate, opinion.validate);
    ledger.set("pruneLast", &mut decision.prune_last, opinion.prune_last);
    ledger.add("ignoreFields", &mut decision.ignore_fields, opinion.ignore_fields);
    ledger.add(
        "ignoreManagers",
        &mut decision.ignore_managers,
        opinion.ignore_managers,
    );
    ledger.set("takeOver", &mut decision.take_over, opinion.take_over.map(Some));
    let options = &mut decision.options;
    ledger.set(
        "skipDryRunOnMissingKind",
        &mut options.skip_dry_run_on_missing_kind,
        opinion.skip_dry_run_on_missing_kind,
    );
    let chosen = opinion.propagation.map(|word| Some(propagation(word)));
    ledger.set("propagation", &mut options.propagation, chosen);
    ledger.set("noWait", &mut options.no_wait, opinion.wait.map(|wait| !wait));
    ledger.set("timeout", &mut options.timeout, opinion.timeout.map(Some));
    if decision.hold.is_none() {
        let reason = opinion.hold.map(|reason| Some(one_line(&reason)));
        ledger.set("hold", &mut decision.hold, reason);
    }
}

/// Who decided what, while opinions are merged.
struct Ledger<'a> {
    plugin: &'a str,
    decided_by: &'a mut BTreeMap<String, String>,
    overruled: &'a mut Vec<Overruled>,
}

impl Ledger<'_> {
    /// An opinion takes the place of an earlier one.
    fn set<T: PartialEq + Serialize>(&mut self, field: &str, slot: &mut T, opinion: Option<T>) {
        let Some(opinion) = opinion else { return };
        let before = self.decided_by.insert(field.to_owned(), self.plugin.to_owned());
        if let Some(plugin) = before.filter(|_| *slot != opinion) {
            self.overruled.push(Overruled {
                field: field.to_owned(),
                plugin,
                value: serde_json::to_value(&*slot).unwrap_or_default(),
            });
        }
        *slot = opinion;
    }

    /// An opinion joins the earlier ones. Who says something new decided it.
    fn add(&mut self, field: &str, list: &mut Vec<String>, opinion: Option<Vec<String>>) {
        let mut new: Vec<String> = opinion.unwrap_or_default();
        new.retain(|entry| !list.contains(entry));
        if new.is_empty() {
            return;
        }
        self.decided_by.insert(field.to_owned(), self.plugin.to_owned());
        list.append(&mut new);
        list.sort_unstable();
        list.dedup();
    }
}

fn phase(phase: wit::Phase) -> Phase {
    match phase {
        wit::Phase::PreSync => Phase::PreSync,
        wit::Phase::Sync => Phase::Sync,
        wit::Phase::PostSync => Phase::PostSync,
        wit::Phase::SyncFail => Phase::SyncFail,
        wit::Phase::PreDelete => Phase::PreDelete,
        wit::Phase::PostDelete => Phase::PostDelete,
    }
}

fn cleaned_up(cleanup: wit::HookCleanup) -> HookCleanup {
    match cleanup {
        wit::HookCleanup::BeforeCreation => HookCleanup::BeforeHookCreation,
        wit::HookCleanup::OnSuccess => HookCleanup::HookSucceeded,
        wit::HookCleanup::OnFailure => HookCleanup::HookFailed,
    }
}

fn strategy(strategy: wit::Strategy) -> Strategy {
    match strategy {
        wit::Strategy::ServerSideApply => Strategy::ServerSideApply,
        wit::Strategy::Merge => Strategy::Merge,
        wit::Strategy::CreateOnly => Strategy::CreateOnly,
        wit::Strategy::Replace => Strategy::Replace,
        wit::Strategy::Recreate => Strategy::Recreate,
        wit::Strategy::RecreateAlways => Strategy::RecreateAlways,
        wit::Strategy::LeaveAlone => Strategy::LeaveAlone,
    }
}
