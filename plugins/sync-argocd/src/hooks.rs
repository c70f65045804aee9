//! Hooks, their cleaning up, and waves.

use sluice_plugin::{Decision, HookCleanup, Phase, Role};

use crate::list;

/// Decides whether an object is a hook, and when it runs.
pub(crate) fn role(decision: &mut Decision, hook: Option<&str>, helm: Option<&str>) {
    let mut types: Vec<&str> = list(hook)
        .into_iter()
        .filter(|name| *name == "Skip" || phase(name).is_some())
        .collect();
    if types.is_empty() {
        for name in list(helm).into_iter().filter_map(helm_type) {
            if !types.contains(&name) {
                types.push(name);
            }
        }
    }
    let owned = || types.iter().map(|name| (*name).to_owned()).collect();
    let is_hook = match (hook, helm) {
        (Some(_), _) if types == ["Skip"] => {
            decision.role = Some(Role::Skip(owned()));
            return;
        }
        (Some(_), _) => true,
        (None, Some(helm)) => helm != "crd-install",
        (None, None) => false,
    };
    if is_hook {
        decision.role = Some(Role::Hook(owned()));
        decision.phases = Some(types.iter().filter_map(|name| phase(name)).collect());
    }
}

/// A hook of which nobody can tell when it is to run: it does not run, and neither does anything else.
pub(crate) fn unreadable(decision: &mut Decision, error: String) {
    decision.role = Some(Role::Hook(Vec::new()));
    decision.phases = Some(Vec::new());
    decision.hold = Some(error);
}

fn phase(name: &str) -> Option<Phase> {
    match name {
        "PreSync" => Some(Phase::PreSync),
        "Sync" => Some(Phase::Sync),
        "PostSync" => Some(Phase::PostSync),
        "SyncFail" => Some(Phase::SyncFail),
        "PreDelete" => Some(Phase::PreDelete),
        "PostDelete" => Some(Phase::PostDelete),
        _ => None,
    }
}

fn helm_type(name: &str) -> Option<&'static str> {
    match name {
        "pre-install" | "pre-upgrade" => Some("PreSync"),
        "post-install" | "post-upgrade" => Some("PostSync"),
        "pre-delete" => Some("PreDelete"),
        "post-delete" => Some("PostDelete"),
        _ => None,
    }
}

/// When a hook is cleaned up; none where neither annotation says so, which means before its next run.
pub(crate) fn cleanup(argocd: Option<&str>, helm: Option<&str>) -> Option<Vec<HookCleanup>> {
    let argocd = list(argocd).into_iter().filter_map(|name| match name {
        "BeforeHookCreation" => Some(HookCleanup::BeforeCreation),
        "HookSucceeded" => Some(HookCleanup::OnSuccess),
        "HookFailed" => Some(HookCleanup::OnFailure),
        _ => None,
    });
    let helm = list(helm).into_iter().filter_map(|name| match name {
        "before-hook-creation" => Some(HookCleanup::BeforeCreation),
        "hook-succeeded" => Some(HookCleanup::OnSuccess),
        "hook-failed" => Some(HookCleanup::OnFailure),
        _ => None,
    });
    let mut all: Vec<HookCleanup> = Vec::new();
    for cleanup in argocd.chain(helm) {
        if !all.contains(&cleanup) {
            all.push(cleanup);
        }
    }
    (!all.is_empty()).then_some(all)
}

/// The wave, or else Helm's weight.
pub(crate) fn wave(wave: Option<&str>, weight: Option<&str>) -> Option<i32> {
    let number = |text: &str| {
        text.parse::<i64>()
            .ok()
            .map(|wave| wave.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    };
    wave.and_then(number).or_else(|| weight.and_then(number))
}
