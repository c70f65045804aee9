//! Sync options: of the object in Git, of the live one, of the application.

use sluice_plugin::{Change, Decision, Object, Strategy, SyncContext, words};

pub(crate) fn apply(decision: &mut Decision, change: &Change, options: Option<&str>, context: &SyncContext) {
    let live = change.live();
    let live_options = live
        .filter(|_| change.desired().is_some())
        .and_then(|live| live.annotation("argocd.argoproj.io/sync-options"));
    let own: Vec<&str> = words::list(options.unwrap_or_default()).collect();
    let live_own: Vec<&str> = words::list(live_options.as_deref().unwrap_or_default()).collect();
    let all: Vec<&str> = context.options().iter().map(|option| option.trim()).collect();
    // Argo CD looks for some options on the live object too.
    let on_either = |option: &str| own.contains(&option) || live_own.contains(&option);
    let on_own = |option: &str| own.contains(&option) || all.contains(&option);

    let replace = on_either("Replace=true") || all.contains(&"Replace=true");
    let force = on_either("Force=true");
    let server_side = on_own("ServerSideApply=true") && !own.contains(&"ServerSideApply=false");
    // Never deleted to be made anew, there as here: everything in them would go.
    let is_ground = || change.object().is_some_and(is_ground);
    decision.strategy = match (replace, force, server_side) {
        (true, true, _) if !is_ground() => Some(Strategy::RecreateAlways),
        (true, _, _) => Some(Strategy::Replace),
        (false, true, false) if !is_ground() => Some(Strategy::Recreate),
        (false, _, true) => Some(Strategy::ServerSideApply),
        (false, _, false) => None,
    };
    if server_side && !replace {
        decision.force_conflicts = Some(true);
    }
    if on_own("Validate=false") {
        decision.validate = Some(false);
    }
    if on_own("SkipDryRunOnMissingResource=true") {
        decision.skip_dry_run_on_missing_kind = Some(true);
    }
    if on_either("PruneLast=true") || all.contains(&"PruneLast=true") {
        decision.prune_last = Some(true);
    }
    if all.contains(&"ClientSideApplyMigration=false") {
        decision.take_over = Some(Vec::new());
    }
    decision.propagation = all
        .iter()
        .find_map(|option| option.strip_prefix("PrunePropagationPolicy="))
        .and_then(words::propagation);
    // Where a file is looked at, there is no application to compare with.
    if all.contains(&"FailOnSharedResource=true")
        && let Some(owner) = live.and_then(tracked_by)
        && context
            .application()
            .is_some_and(|application| !is_named(&owner, application))
        && decision.hold.is_none()
    {
        decision.hold = Some(format!(
            "`FailOnSharedResource=true`: it belongs to Argo CD's application `{owner}`"
        ));
    }
}

fn is_ground(object: &Object<'_>) -> bool {
    let reference = object.reference();
    matches!(
        (reference.group.as_str(), reference.kind.as_str()),
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// Argo CD's application that tracks an object: `APPLICATION:GROUP/KIND:NAMESPACE/NAME`, which must be the object's own, since
/// controllers copy annotations.
fn tracked_by(live: &Object<'_>) -> Option<String> {
    let id = live.annotation("argocd.argoproj.io/tracking-id")?;
    let (application, of) = id.split_once(':')?;
    let reference = live.reference();
    let own = format!(
        "{}/{}:{}/{}",
        reference.group,
        reference.kind,
        reference.namespace.unwrap_or_default(),
        reference.name
    );
    (of == own).then(|| application.to_owned())
}

/// True for the application itself: by its name, or as `NAMESPACE_NAME` where Argo CD looks into several namespaces.
fn is_named(owner: &str, (namespace, name): &(String, String)) -> bool {
    owner == name || owner.split_once('_') == Some((namespace, name))
}
