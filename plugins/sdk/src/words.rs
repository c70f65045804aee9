//! The words that annotations are written with, the same in Argo CD and here.

use crate::{HookCleanup, ObjectRef, Phase, Propagation};

/// The entries of a comma-separated list, without the spaces around them; empty ones are passed over.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// The phase of a hook type such as `PreSync`; none for `Skip` and for what is no type.
pub fn phase(name: &str) -> Option<Phase> {
    Some(match name {
        "PreSync" => Phase::PreSync,
        "Sync" => Phase::Sync,
        "PostSync" => Phase::PostSync,
        "SyncFail" => Phase::SyncFail,
        "PreDelete" => Phase::PreDelete,
        "PostDelete" => Phase::PostDelete,
        _ => return None,
    })
}

/// A hook's delete policy such as `HookSucceeded`.
pub fn cleanup(name: &str) -> Option<HookCleanup> {
    Some(match name {
        "BeforeHookCreation" => HookCleanup::BeforeCreation,
        "HookSucceeded" => HookCleanup::OnSuccess,
        "HookFailed" => HookCleanup::OnFailure,
        _ => return None,
    })
}

/// `foreground`, `background` or `orphan`.
pub fn propagation(name: &str) -> Option<Propagation> {
    Some(match name {
        "foreground" => Propagation::Foreground,
        "background" => Propagation::Background,
        "orphan" => Propagation::Orphan,
        _ => return None,
    })
}

/// A kind with its group as people write it: `Deployment.apps`, and `Pod` for the core group.
pub fn kind(reference: &ObjectRef) -> String {
    kind_in(&reference.kind, &reference.group)
}

/// [`kind`] of a kind and a group.
pub fn kind_in(kind: &str, group: &str) -> String {
    match group {
        "" => kind.to_owned(),
        group => format!("{kind}.{group}"),
    }
}
