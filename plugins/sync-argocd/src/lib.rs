//! Order, hooks and options from Argo CD's and Helm's annotations, as Argo CD reads them.
//!
//! - `argocd.argoproj.io/hook`: list of `PreSync`, `Sync`, `PostSync`, `SyncFail`, `PreDelete`, `PostDelete`; `Skip` alone is never
//!   applied. Names that nobody knows are passed over; a hook with no known name is left out of the sync, as there.
//! - `helm.sh/hook`, where Argo CD's names nothing: pre-install and pre-upgrade are `PreSync`, post-install and post-upgrade
//!   `PostSync`, pre-delete and post-delete as they are; `crd-install` is no hook.
//! - `argocd.argoproj.io/sync-wave`, or else `helm.sh/hook-weight`. What is no integer counts as missing, as there.
//! - `argocd.argoproj.io/hook-delete-policy` and `helm.sh/hook-delete-policy`, both.
//! - `argocd.argoproj.io/sync-options`, and the same options in `spec.syncPolicy.syncOptions`: `Replace=true`, `Force=true` (also
//!   from the live object), `ServerSideApply=true|false`, `Validate=false`, `SkipDryRunOnMissingResource=true`, `PruneLast=true`.
//!
//! Sluice always applies server-side: `ServerSideApply=true` adds what Argo CD does with it, taking over fields in conflict.
//! `Replace` beats it. One thing is stricter: a hook annotation that is no text at all holds the operation.

mod hooks;
mod options;

use sluice_plugin::{
    Change, Claim, Decision, Descriptor, NO_OPINION, Problem, Settings, SyncContext, SyncPolicy,
};

/// The plugin.
pub struct SyncArgocd;

impl SyncPolicy for SyncArgocd {
    fn describe() -> Descriptor {
        Descriptor::new(
            "does what Argo CD's and Helm's annotations say: hooks, waves, delete policies, sync options",
            [Claim::all()],
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let problems = settings.unknown(&[]);
        if problems.is_empty() {
            Ok(Self)
        } else {
            Err(problems)
        }
    }

    fn decide(&self, change: &Change, context: &SyncContext) -> Result<Decision, String> {
        let Some(object) = change.desired.as_ref().or(change.live.as_ref()) else {
            return Ok(NO_OPINION);
        };
        let [hook, helm_hook, cleanup, helm_cleanup, wave, weight, options] = object.fields([
            "/metadata/annotations/argocd.argoproj.io~1hook",
            "/metadata/annotations/helm.sh~1hook",
            "/metadata/annotations/argocd.argoproj.io~1hook-delete-policy",
            "/metadata/annotations/helm.sh~1hook-delete-policy",
            "/metadata/annotations/argocd.argoproj.io~1sync-wave",
            "/metadata/annotations/helm.sh~1hook-weight",
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
        ]);
        let mut decision = NO_OPINION;
        match (hook.text(), helm_hook.text()) {
            (Ok(hook), Ok(helm)) => hooks::role(&mut decision, hook.as_deref(), helm.as_deref()),
            (Err(error), _) | (_, Err(error)) => hooks::unreadable(&mut decision, error),
        }
        // Argo CD reads what is no text as missing; so does everything from here on.
        let text = |field: sluice_plugin::Field| field.text().ok().flatten();
        decision.cleanup = hooks::cleanup(text(cleanup).as_deref(), text(helm_cleanup).as_deref());
        decision.wave = hooks::wave(text(wave).as_deref(), text(weight).as_deref());
        let live = change.live.as_ref().filter(|_| change.desired.is_some());
        let live = live.and_then(|live| live.annotation("argocd.argoproj.io/sync-options"));
        options::apply(
            &mut decision,
            text(options).as_deref(),
            live.as_deref(),
            &context.options,
        );
        Ok(decision)
    }
}

sluice_plugin::sync_policy!(SyncArgocd);

/// The entries of a comma-separated annotation, each once.
fn list(text: Option<&str>) -> Vec<&str> {
    let mut entries = Vec::new();
    for entry in text
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}
