//! World `sync-policy`: how is an object applied? All policies are asked, later ones override earlier ones field by field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::decision::{HookCleanup, Overruled, Phase, Propagation, Strategy, SyncDecision};
use sluice_model::plan::ApplicationKey;
use sluice_plugin_aot::RuntimeClass;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Error, Result};

use self::wit::sluice::policy::changes;
use super::prune::propagation;
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

pub(crate) use self::wit::SyncPolicy;

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.2.0",
        world: "sync-policy",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::sluice::policy::log,
            "sluice:policy/context": crate::bindings::sluice::policy::context,
            "sluice:policy/setup": crate::bindings::sluice::policy::setup,
            "sluice:policy/changes.change": crate::worlds::sync::HostChange,
        },
    });
}

impl World for SyncPolicy {
    type Handles = Handles<Change>;

    const KIND: PluginKind = PluginKind::Sync;
    const NAME: &'static str = "sync-policy";
    const INTERFACE: &'static str = "sync";
    const ANSWERS: &'static [&'static str] = &["changes"];
    const CLASS: RuntimeClass = RuntimeClass::Policy;

    fn policies(policies: &Policies) -> &[PolicyRef] {
        &policies.sync
    }

    fn link(linker: &mut Linker<State>) -> Result<()> {
        changes::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
    }

    super::exports_of!(wit::SyncPolicyPre<State>);
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
    /// The Application's `spec.syncPolicy.syncOptions`.
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
            |runtime, asked, problems| sync(runtime, &asked, objects, context, problems),
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
                        if let Some(opinion) = opinion {
                            merge(decision, *opinion, &asked.name);
                        }
                    }
                }
                Err(error) => {
                    let reason = problems.add(&asked.name, asked.digest(), &error);
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

/// What one plugin says of an object by itself: the fields that it has an opinion on, or its error.
pub(crate) fn told(
    runtime: &Runtime,
    asked: &Asked,
    change: &SyncObject,
    context: &SyncContext,
) -> Result<Value, PluginError> {
    let session = Session::configured(runtime, asked)?;
    let claims = &asked.plugin()?.claims;
    let is_claimed = change
        .object()
        .is_some_and(|object| best_fit(claims, &object.group_kind()).is_some());
    if !is_claimed {
        return Ok(json!({}));
    }
    match decided(session, &[change], context) {
        Ok(opinions) => {
            let opinion = opinions.into_iter().next().flatten().unwrap_or_default();
            Ok(opinion.json())
        }
        Err(PluginError::Guest { message, .. }) => Ok(json!({"error": message})),
        Err(error) => Err(error),
    }
}

/// What one plugin says of each object; none where it said nothing.
fn decide(
    runtime: &Runtime,
    asked: &Asked,
    changes: &[&SyncObject],
    context: &SyncContext,
) -> Result<Vec<Option<Box<Opinion>>>, PluginError> {
    decided(Session::start(runtime, asked)?, changes, context)
}

fn decided(
    mut session: Session<'_, SyncPolicy>,
    changes: &[&SyncObject],
    context: &SyncContext,
) -> Result<Vec<Option<Box<Opinion>>>, PluginError> {
    session.ask("decide", changes.len(), |store, world| {
        let state = store.data_mut();
        let mut given = Vec::with_capacity(changes.len());
        for change in changes {
            let mut keep = |object: &Option<Object>| {
                let object = object.as_ref();
                object.map(|object| state.keep(object)).transpose()
            };
            let change = Change {
                desired: keep(&change.desired)?,
                live: keep(&change.live)?,
                opinion: None,
            };
            let handle = state.own::<Handles<Change>>()?.keep(change)?;
            given.push(Resource::new_own(handle));
        }
        let application = context.application.as_ref();
        let context = state.give_context(Context {
            now: context.now.as_second(),
            application: application.map(|application| context::Application {
                namespace: application.namespace.clone(),
                name: application.name.clone(),
            }),
            sync_options: context.options.clone(),
        })?;
        let said = world
            .sluice_policy_sync()
            .call_decide(&mut *store, &given, context)?;
        let changes = store.data_mut().own::<Handles<Change>>()?.end();
        let opinions = changes.map(|change| change.opinion).collect();
        Ok(said.map(|()| opinions))
    })
}

/// What a plugin says of one object. None: nothing.
#[derive(Default)]
struct Opinion {
    role: Option<Role>,
    phases: Option<Vec<Phase>>,
    wave: Option<i32>,
    cleanup: Option<Vec<HookCleanup>>,
    strategy: Option<Strategy>,
    force_conflicts: Option<bool>,
    validate: Option<bool>,
    skip_dry_run_on_missing_kind: Option<bool>,
    prune_last: Option<bool>,
    ignore_fields: Vec<String>,
    ignore_managers: Vec<String>,
    take_over: Option<Vec<String>>,
    propagation: Option<Propagation>,
    wait: Option<bool>,
    ignore_health: Option<bool>,
    timeout: Option<u32>,
    hold: Option<String>,
}

/// What an object is to a sync.
enum Role {
    Part,
    Hook(Vec<String>),
    Skip(Vec<String>),
    Ignored,
}

impl Opinion {
    /// As the golden cases of plugins have it: in the words of the WIT.
    fn json(&self) -> Value {
        let phase = |phase: &Phase| match phase {
            Phase::PreSync => "pre-sync",
            Phase::Sync => "sync",
            Phase::PostSync => "post-sync",
            Phase::SyncFail => "sync-fail",
            Phase::PreDelete => "pre-delete",
            Phase::PostDelete => "post-delete",
            Phase::Skip => "skip",
        };
        let cleanup = |cleanup: &HookCleanup| match cleanup {
            HookCleanup::BeforeHookCreation => "before-creation",
            HookCleanup::HookSucceeded => "on-success",
            HookCleanup::HookFailed => "on-failure",
        };
        let role = |role: &Role| match role {
            Role::Part => json!("part"),
            Role::Hook(types) => json!({"hook": types}),
            Role::Skip(types) => json!({"skip": types}),
            Role::Ignored => json!("ignored"),
        };
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let all = json!({
            "role": self.role.as_ref().map(role),
            "phases": self.phases.as_ref().map(|phases| phases.iter().map(phase).collect::<Vec<_>>()),
            "wave": self.wave,
            "cleanup": self.cleanup.as_ref().map(|list| list.iter().map(cleanup).collect::<Vec<_>>()),
            "strategy": self.strategy,
            "forceConflicts": self.force_conflicts,
            "validate": self.validate,
            "skipDryRunOnMissingKind": self.skip_dry_run_on_missing_kind,
            "pruneLast": self.prune_last,
            "ignoreFields": some(&self.ignore_fields),
            "ignoreManagers": some(&self.ignore_managers),
            "takeOver": self.take_over,
            "propagation": self.propagation,
            "wait": self.wait,
            "ignoreHealth": self.ignore_health,
            "timeout": self.timeout,
            "hold": self.hold,
        });
        let fields = all.as_object().into_iter().flatten();
        let set = fields.filter(|(_, value)| !value.is_null());
        Value::Object(set.map(|(field, value)| (field.clone(), value.clone())).collect())
    }
}

/// Lays one plugin's opinion over what was decided before.
fn merge(decision: &mut SyncDecision, opinion: Opinion, plugin: &str) {
    let mut ledger = Ledger {
        plugin,
        decided_by: &mut decision.decided_by,
        overruled: &mut decision.overruled,
    };
    let phases = opinion.phases.map(|mut phases| {
        phases.sort_unstable();
        phases.dedup();
        phases
    });
    let mut phases_of_role = None;
    if let Some(role) = opinion.role {
        let (hook, skip, ignored, types) = match role {
            Role::Part => (false, false, false, Vec::new()),
            // A hook without a phase that is known is left out.
            Role::Hook(types) => (true, false, types.is_empty(), types),
            Role::Skip(types) => (false, true, false, types),
            Role::Ignored => (false, false, true, Vec::new()),
        };
        phases_of_role = match (hook, skip || ignored) {
            (true, _) => None,
            (false, true) => Some(Vec::new()),
            (false, false) => Some(vec![Phase::Sync]),
        };
        ledger.set("hook", &mut decision.hook, Some(hook));
        ledger.set("hookTypes", &mut decision.hook_types, Some(types));
        ledger.set("skip", &mut decision.skip, Some(skip));
        ledger.set("ignored", &mut decision.ignored, Some(ignored));
    }
    ledger.set("phases", &mut decision.phases, phases.or(phases_of_role));
    ledger.set("wave", &mut decision.wave, opinion.wave);
    ledger.set("deletePolicies", &mut decision.delete_policies, opinion.cleanup);
    ledger.set("strategy", &mut decision.strategy, opinion.strategy);
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
    ledger.set(
        "propagation",
        &mut options.propagation,
        opinion.propagation.map(Some),
    );
    ledger.set("noWait", &mut options.no_wait, opinion.wait.map(|wait| !wait));
    ledger.set("ignoreHealth", &mut options.ignore_health, opinion.ignore_health);
    ledger.set("timeout", &mut options.timeout, opinion.timeout.map(Some));
    if decision.hold.is_none() {
        ledger.set("hold", &mut decision.hold, opinion.hold.map(Some));
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
    fn add(&mut self, field: &str, list: &mut Vec<String>, mut new: Vec<String>) {
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

/// The handle of a [`Change`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostChange {}

/// An object in a plugin's hands, both sides by the numbers of their handles, and what the plugin has said of it so far.
pub(crate) struct Change {
    desired: Option<u32>,
    live: Option<u32>,
    opinion: Option<Box<Opinion>>,
}

/// What is said of a change so far, to say more.
fn of<'s>(state: &'s mut State, handle: &Resource<HostChange>) -> Result<&'s mut Opinion> {
    let change = state.own::<Handles<Change>>()?.get_mut(handle)?;
    Ok(change.opinion.get_or_insert_default())
}

impl changes::Host for State {}

impl changes::HostChange for State {
    fn desired(&mut self, handle: Resource<HostChange>) -> Result<Option<Resource<HostObject>>> {
        let change = self.own::<Handles<Change>>()?.get(&handle)?;
        Ok(change.desired.map(Resource::new_own))
    }

    fn live(&mut self, handle: Resource<HostChange>) -> Result<Option<Resource<HostObject>>> {
        let change = self.own::<Handles<Change>>()?.get(&handle)?;
        Ok(change.live.map(Resource::new_own))
    }

    fn set_part(&mut self, handle: Resource<HostChange>) -> Result<()> {
        of(self, &handle)?.role = Some(Role::Part);
        Ok(())
    }

    fn set_hook(&mut self, handle: Resource<HostChange>, types: Vec<String>) -> Result<()> {
        let types = lines(self, &types)?;
        of(self, &handle)?.role = Some(Role::Hook(types));
        Ok(())
    }

    fn set_skip(&mut self, handle: Resource<HostChange>, types: Vec<String>) -> Result<()> {
        let types = lines(self, &types)?;
        of(self, &handle)?.role = Some(Role::Skip(types));
        Ok(())
    }

    fn set_ignored(&mut self, handle: Resource<HostChange>) -> Result<()> {
        of(self, &handle)?.role = Some(Role::Ignored);
        Ok(())
    }

    fn set_phases(&mut self, handle: Resource<HostChange>, phases: Vec<changes::Phase>) -> Result<()> {
        self.spend(phases.len())?;
        of(self, &handle)?.phases = Some(phases.into_iter().map(phase).collect());
        Ok(())
    }

    fn set_wave(&mut self, handle: Resource<HostChange>, wave: i32) -> Result<()> {
        of(self, &handle)?.wave = Some(wave);
        Ok(())
    }

    fn set_cleanup(
        &mut self,
        handle: Resource<HostChange>,
        cleanup: Vec<changes::HookCleanup>,
    ) -> Result<()> {
        self.spend(cleanup.len())?;
        of(self, &handle)?.cleanup = Some(cleanup.into_iter().map(cleaned_up).collect());
        Ok(())
    }

    fn set_strategy(&mut self, handle: Resource<HostChange>, word: changes::Strategy) -> Result<()> {
        of(self, &handle)?.strategy = Some(strategy(word));
        Ok(())
    }

    fn set_force_conflicts(&mut self, handle: Resource<HostChange>, force: bool) -> Result<()> {
        of(self, &handle)?.force_conflicts = Some(force);
        Ok(())
    }

    fn set_validate(&mut self, handle: Resource<HostChange>, validate: bool) -> Result<()> {
        of(self, &handle)?.validate = Some(validate);
        Ok(())
    }

    fn set_skip_dry_run_on_missing_kind(&mut self, handle: Resource<HostChange>, skip: bool) -> Result<()> {
        of(self, &handle)?.skip_dry_run_on_missing_kind = Some(skip);
        Ok(())
    }

    fn set_prune_last(&mut self, handle: Resource<HostChange>, last: bool) -> Result<()> {
        of(self, &handle)?.prune_last = Some(last);
        Ok(())
    }

    fn ignore_fields(&mut self, handle: Resource<HostChange>, mut fields: Vec<String>) -> Result<()> {
        if let Some(field) = fields.iter().find(|field| !field.starts_with(['/', '.'])) {
            let field = one_line(field);
            return Err(Error::msg(format!(
                "`{field}` is neither a pointer nor a path to a field"
            )));
        }
        self.spend_texts(&fields)?;
        of(self, &handle)?.ignore_fields.append(&mut fields);
        Ok(())
    }

    fn ignore_managers(&mut self, handle: Resource<HostChange>, mut managers: Vec<String>) -> Result<()> {
        self.spend_texts(&managers)?;
        of(self, &handle)?.ignore_managers.append(&mut managers);
        Ok(())
    }

    fn set_take_over(&mut self, handle: Resource<HostChange>, managers: Vec<String>) -> Result<()> {
        self.spend_texts(&managers)?;
        of(self, &handle)?.take_over = Some(managers);
        Ok(())
    }

    fn set_propagation(&mut self, handle: Resource<HostChange>, word: objects::Propagation) -> Result<()> {
        of(self, &handle)?.propagation = Some(propagation(word));
        Ok(())
    }

    fn set_ignore_health(&mut self, handle: Resource<HostChange>, ignore: bool) -> Result<()> {
        of(self, &handle)?.ignore_health = Some(ignore);
        Ok(())
    }

    fn set_wait(&mut self, handle: Resource<HostChange>, wait: bool) -> Result<()> {
        of(self, &handle)?.wait = Some(wait);
        Ok(())
    }

    fn set_timeout(&mut self, handle: Resource<HostChange>, seconds: u32) -> Result<()> {
        of(self, &handle)?.timeout = Some(seconds);
        Ok(())
    }

    fn hold(&mut self, handle: Resource<HostChange>, reason: String) -> Result<()> {
        let reason = one_line(&reason);
        self.spend(reason.len())?;
        of(self, &handle)?.hold.get_or_insert(reason);
        Ok(())
    }

    fn drop(&mut self, _: Resource<HostChange>) -> Result<()> {
        self.tick()
    }
}

/// A plugin's texts, each of them as one line.
fn lines(state: &mut State, texts: &[String]) -> Result<Vec<String>> {
    let lines: Vec<String> = texts.iter().map(|text| one_line(text)).collect();
    state.spend_texts(&lines)?;
    Ok(lines)
}

fn phase(phase: changes::Phase) -> Phase {
    match phase {
        changes::Phase::PreSync => Phase::PreSync,
        changes::Phase::Sync => Phase::Sync,
        changes::Phase::PostSync => Phase::PostSync,
        changes::Phase::SyncFail => Phase::SyncFail,
        changes::Phase::PreDelete => Phase::PreDelete,
        changes::Phase::PostDelete => Phase::PostDelete,
    }
}

fn cleaned_up(cleanup: changes::HookCleanup) -> HookCleanup {
    match cleanup {
        changes::HookCleanup::BeforeCreation => HookCleanup::BeforeHookCreation,
        changes::HookCleanup::OnSuccess => HookCleanup::HookSucceeded,
        changes::HookCleanup::OnFailure => HookCleanup::HookFailed,
    }
}

fn strategy(strategy: changes::Strategy) -> Strategy {
    match strategy {
        changes::Strategy::ServerSideApply => Strategy::ServerSideApply,
        changes::Strategy::Merge => Strategy::Merge,
        changes::Strategy::CreateOnly => Strategy::CreateOnly,
        changes::Strategy::Replace => Strategy::Replace,
        changes::Strategy::Recreate => Strategy::Recreate,
        changes::Strategy::RecreateAlways => Strategy::RecreateAlways,
        changes::Strategy::LeaveAlone => Strategy::LeaveAlone,
    }
}
