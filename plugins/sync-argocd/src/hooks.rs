//! Hooks, their cleaning up, and waves.

use sluice_plugin::{Decision, HookCleanup, Role, words};

/// Decides whether an object is a hook, and when it runs.
pub(crate) fn role(decision: &mut Decision, hook: Option<&str>, helm: Option<&str>) {
    let own = words::list(hook.unwrap_or_default());
    let mut types = distinct(own.filter(|name| *name == "Skip" || words::phase(name).is_some()));
    if types.is_empty() {
        types = distinct(words::list(helm.unwrap_or_default()).filter_map(helm_type));
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
        decision.phases = Some(types.iter().filter_map(|name| words::phase(name)).collect());
    }
}

/// A hook of which nobody can tell when it is to run: it does not run, and neither does anything else.
pub(crate) fn unreadable(decision: &mut Decision, error: String) {
    decision.role = Some(Role::Hook(Vec::new()));
    decision.phases = Some(Vec::new());
    decision.hold = Some(error);
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
    let argocd = words::list(argocd.unwrap_or_default()).filter_map(words::cleanup);
    let helm = words::list(helm.unwrap_or_default()).filter_map(|name| match name {
        "before-hook-creation" => Some(HookCleanup::BeforeCreation),
        "hook-succeeded" => Some(HookCleanup::OnSuccess),
        "hook-failed" => Some(HookCleanup::OnFailure),
        _ => None,
    });
    let all = distinct(argocd.chain(helm));
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

/// Each entry once, where it comes first.
fn distinct<T: PartialEq>(entries: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for entry in entries {
        if !distinct.contains(&entry) {
            distinct.push(entry);
        }
    }
    distinct
}
