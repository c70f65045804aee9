//! Sync options, of the object and of the application.

use sluice_plugin::{Decision, Strategy};

use crate::list;

pub(crate) fn apply(
    decision: &mut Decision,
    object: Option<&str>,
    live: Option<&str>,
    application: &[String],
) {
    let (object, live) = (list(object), list(live));
    let own = |option: &str| object.contains(&option);
    let live = |option: &str| live.contains(&option);
    let all = |option: &str| application.iter().any(|entry| entry.trim() == option);

    let replace = own("Replace=true") || live("Replace=true") || all("Replace=true");
    let force = own("Force=true") || live("Force=true");
    let server_side =
        !own("ServerSideApply=false") && (own("ServerSideApply=true") || all("ServerSideApply=true"));
    decision.strategy = match (force, replace, server_side) {
        (true, _, _) => Some(Strategy::Recreate),
        (false, true, _) => Some(Strategy::Replace),
        (false, false, true) => Some(Strategy::ServerSideApply),
        (false, false, false) => None,
    };
    if server_side && !replace {
        decision.force_conflicts = Some(true);
    }
    if own("Validate=false") || all("Validate=false") {
        decision.validate = Some(false);
    }
    if own("SkipDryRunOnMissingResource=true") || all("SkipDryRunOnMissingResource=true") {
        decision.skip_dry_run_on_missing_kind = Some(true);
    }
    if own("PruneLast=true") || live("PruneLast=true") || all("PruneLast=true") {
        decision.prune_last = Some(true);
    }
}
