//! Order, hooks and options from Argo CD's and Helm's annotations, as Argo CD reads them.
//!
//! - `argocd.argoproj.io/hook`: list of `PreSync`, `Sync`, `PostSync`, `SyncFail`, `PreDelete`, `PostDelete`; `Skip` alone is never
//!   applied. Names that nobody knows are passed over; a hook with no known name is left out of the sync, as there.
//! - `helm.sh/hook`, where Argo CD's names nothing: pre-install and pre-upgrade are `PreSync`, post-install and post-upgrade
//!   `PostSync`, pre-delete and post-delete as they are; `crd-install` is no hook.
//! - `argocd.argoproj.io/sync-wave`, or else `helm.sh/hook-weight`. What is no integer counts as missing, as there.
//! - `argocd.argoproj.io/hook-delete-policy` and `helm.sh/hook-delete-policy`, both.
//! - `argocd.argoproj.io/ignore-healthcheck: "true"`: its health does not count for the application's.
//! - sync options, of the object (`argocd.argoproj.io/sync-options`) and of the application (`spec.syncPolicy.syncOptions`):
//!
//! | option | read from | becomes |
//! |---|---|---|
//! | `Replace=true` | object, live object, application | the whole object is replaced; beats `ServerSideApply` |
//! | `Replace=true` and `Force=true` | | deleted and created again; Namespaces and CRDs are only replaced |
//! | `Force=true` | object, live object | deleted and created again where a field cannot be changed; never Namespaces and CRDs |
//! | `ServerSideApply=true` | object, application | fields in conflict are taken over; `Force` means nothing then |
//! | `ServerSideApply=false` | object | not even where the application says `true` |
//! | `Validate=false` | object, application | unknown fields are not refused |
//! | `SkipDryRunOnMissingResource=true` | object, application | a kind that is not known yet does not stop the rehearsal |
//! | `PruneLast=true` | object, live object, application | its deletion comes last |
//! | `PrunePropagationPolicy=…` | application | also counts where hooks are cleaned up |
//! | `ClientSideApplyMigration=false` | application | no other manager's fields are taken over |
//! | `FailOnSharedResource=true` | application | held where Argo CD tracks the live object for another application |
//!
//! Sluice always applies server-side, applies only what differs (`ApplyOutOfSyncOnly`), never touches what another of its own
//! applications owns, and leaves ignored fields alone in apply as well (`RespectIgnoreDifferences`), so these need no option;
//! `CreateNamespace` is the engine's, `Prune` and `Delete` are read by `prune-argocd`. One thing is stricter than there: a hook
//! annotation that is no text at all holds the operation.

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
        settings.none().map(|()| Self)
    }

    fn decide(&self, change: &Change, context: &SyncContext) -> Result<Decision, String> {
        let Some(object) = change.object() else {
            return Ok(NO_OPINION);
        };
        let [
            hook,
            helm_hook,
            cleanup,
            helm_cleanup,
            wave,
            weight,
            options,
            ignore_health,
        ] = object.fields([
            "/metadata/annotations/argocd.argoproj.io~1hook",
            "/metadata/annotations/helm.sh~1hook",
            "/metadata/annotations/argocd.argoproj.io~1hook-delete-policy",
            "/metadata/annotations/helm.sh~1hook-delete-policy",
            "/metadata/annotations/argocd.argoproj.io~1sync-wave",
            "/metadata/annotations/helm.sh~1hook-weight",
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            "/metadata/annotations/argocd.argoproj.io~1ignore-healthcheck",
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
        decision.ignore_health = (text(ignore_health).as_deref() == Some("true")).then_some(true);
        options::apply(&mut decision, change, text(options).as_deref(), context);
        Ok(decision)
    }
}

sluice_plugin::sync_policy!(SyncArgocd);
