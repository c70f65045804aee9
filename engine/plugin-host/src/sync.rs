//! Asking how objects are applied: all policies are asked, later ones override earlier ones field by field.

use sluice_model::decision::{HookCleanup, Phase, Strategy, SyncDecision};
use sluice_model::plan::ApplicationKey;
use sluice_model::{Coded as _, Object};

use crate::bindings::sync::exports::sluice::policy::sync as wit;
use crate::claims::best_fit;
use crate::codes::PluginError;
use crate::host::{Asked, Problems};
use crate::load::Pre;
use crate::pointer;
use crate::run::Runtime;
use crate::state::one_line;

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

pub(crate) fn sync(
    runtime: &Runtime,
    asked: &[Asked],
    objects: &[SyncObject],
    context: &SyncContext,
    problems: &mut Problems,
) -> Vec<SyncDecision> {
    let mut decisions = vec![SyncDecision::default(); objects.len()];
    for asked in asked {
        let claimed: Vec<usize> = match &asked.plugin {
            Ok(plugin) => (0..objects.len())
                .filter(|&index| {
                    let object = objects
                        .get(index)
                        .and_then(|change| change.desired.as_ref().or(change.live.as_ref()));
                    object.is_some_and(|object| best_fit(&plugin.claims, &object.group_kind()).is_some())
                })
                .collect(),
            Err(_) => (0..objects.len()).collect(),
        };
        for batch in claimed.chunks(BATCH) {
            let changes: Vec<&SyncObject> = batch.iter().filter_map(|&index| objects.get(index)).collect();
            match decide(runtime, asked, &changes, context) {
                Ok(opinions) => {
                    for (&index, opinion) in batch.iter().zip(opinions) {
                        if let Some(decision) = decisions.get_mut(index) {
                            merge(decision, opinion, asked.name());
                        }
                    }
                }
                Err(error) => {
                    problems.add(asked, &error);
                    let reason = format!(
                        "{}: plugin `{}`: {}",
                        error.code().id,
                        asked.name(),
                        error.message()
                    );
                    for &index in batch {
                        if let Some(decision) = decisions.get_mut(index) {
                            decision.hold = Some(reason.clone());
                            decision
                                .decided_by
                                .insert("hold".to_owned(), asked.name().to_owned());
                        }
                    }
                }
            }
        }
    }
    decisions
}

fn decide(
    runtime: &Runtime,
    asked: &Asked,
    changes: &[&SyncObject],
    context: &SyncContext,
) -> Result<Vec<wit::Decision>, PluginError> {
    let plugin = match &asked.plugin {
        Ok(plugin) => plugin,
        Err(error) => return Err(error.again()),
    };
    let Pre::Sync(pre) = &plugin.pre else {
        return Err(PluginError::NotFound { kind: "sync-policy" });
    };
    plugin.breaker.check()?;
    let (mut slotted, world) = plugin.breaker.watch(crate::host::started!(runtime, asked, pre))?;
    let time = slotted.allow(changes.len());
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
    let state = slotted.store.data_mut();
    let given: wasmtime::Result<Vec<wit::Change>> = changes
        .iter()
        .map(|change| {
            let desired = change
                .desired
                .as_ref()
                .map(|object| state.give(object))
                .transpose()?;
            let live = change
                .live
                .as_ref()
                .map(|object| state.give(object))
                .transpose()?;
            Ok(wit::Change { desired, live })
        })
        .collect();
    let answer = given.and_then(|given| {
        world
            .sluice_policy_sync()
            .call_decide(&mut slotted.store, &given, &context)
    });
    let bad = |reason: String| {
        Err(PluginError::BadOutput {
            export: "decide",
            reason,
        })
    };
    match answer {
        Ok(Ok(decisions)) if decisions.len() != changes.len() => bad(format!(
            "{} decisions for {} objects",
            decisions.len(),
            changes.len()
        )),
        Ok(Ok(decisions)) => {
            let mut pointers = decisions
                .iter()
                .filter_map(|decision| decision.ignore_fields.as_ref())
                .flatten();
            match pointers.find(|text| !pointer::is_pointer(text)) {
                Some(text) => bad(format!("`{}` is no pointer to a field", one_line(text))),
                None => Ok(decisions),
            }
        }
        Ok(Err(message)) => Err(PluginError::Guest {
            export: "decide",
            message: one_line(&message),
        }),
        Err(error) => plugin.breaker.watch(Err(slotted.explain("decide", time, &error))),
    }
}

/// Lays one plugin's opinion over what was decided before.
fn merge(decision: &mut SyncDecision, opinion: wit::Decision, plugin: &str) {
    let mut decided = |field: &str| {
        decision.decided_by.insert(field.to_owned(), plugin.to_owned());
    };
    if let Some(role) = opinion.role {
        for field in ["hook", "hookTypes", "skip", "ignored"] {
            decided(field);
        }
        let (hook, skip, ignored, types) = match role {
            wit::Role::Part => (false, false, false, Vec::new()),
            // A hook that nobody can place is left out.
            wit::Role::Hook(types) => (true, false, types.is_empty(), types),
            wit::Role::Skip(types) => (false, true, false, types),
            wit::Role::Ignored => (false, false, true, Vec::new()),
        };
        if skip || ignored {
            decision.phases = Vec::new();
            decided("phases");
        }
        (decision.hook, decision.skip, decision.ignored) = (hook, skip, ignored);
        decision.hook_types = types.iter().map(|text| one_line(text)).collect();
    }
    if let Some(phases) = opinion.phases {
        decided("phases");
        decision.phases = phases.into_iter().map(phase).collect();
        decision.phases.sort_unstable();
        decision.phases.dedup();
    }
    if let Some(wave) = opinion.wave {
        decided("wave");
        decision.wave = wave;
    }
    if let Some(cleanup) = opinion.cleanup {
        decided("deletePolicies");
        decision.delete_policies = cleanup.into_iter().map(cleaned_up).collect();
    }
    if let Some(chosen) = opinion.strategy {
        decided("strategy");
        decision.strategy = strategy(chosen);
    }
    if let Some(force) = opinion.force_conflicts {
        decided("force");
        decision.force = force;
    }
    if let Some(validate) = opinion.validate {
        decided("validate");
        decision.validate = validate;
    }
    if let Some(skip) = opinion.skip_dry_run_on_missing_kind {
        decided("skipDryRunOnMissingKind");
        decision.skip_dry_run_on_missing_kind = skip;
    }
    if let Some(last) = opinion.prune_last {
        decided("pruneLast");
        decision.prune_last = last;
    }
    if let Some(fields) = opinion.ignore_fields.filter(|fields| !fields.is_empty()) {
        decided("ignoreFields");
        decision.ignore_fields.extend(fields);
        decision.ignore_fields.sort_unstable();
        decision.ignore_fields.dedup();
    }
    if let Some(reason) = opinion.hold
        && decision.hold.is_none()
    {
        decided("hold");
        decision.hold = Some(one_line(&reason));
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
        wit::Strategy::LeaveAlone => Strategy::LeaveAlone,
    }
}
