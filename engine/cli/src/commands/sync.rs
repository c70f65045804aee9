//! `sluice sync`: asks the controller for a sync, and follows it to its end.

use std::io::Write;

use clap::Args;
use sluice_model::ExitKind;
use sluice_model::application::Application;
use sluice_model::selection::Selector;
use sluice_operations::{SyncRequest, Synced, kept_deletions};

use crate::commands::status;
use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on, telling};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{plain, short};

pub(crate) const HELP: &str = "\
Examples:
  sluice sync guestbook                        to the target revision, until it is healthy
  sluice sync guestbook --prune                and delete what Git no longer has
  sluice sync guestbook --resource apps/Deployment/shop/web --resource '/ConfigMap/shop/web-*'
  sluice sync guestbook --dry-run              let the API server try everything, store nothing
  sluice sync guestbook --revision v1.4        if nothing is automated; else see `sluice rollback`
  sluice sync guestbook --no-follow            only ask

The request is the annotation `sluice.dev/operation`: who may sync is decided by RBAC on
Applications. Deletions go through the prune policies; those that are held are shown with the
command that approves them. The sync is done when the application is healthy, or has failed to
be within `spec.syncPolicy.healthTimeout`. A sync of some objects runs no hooks unless told to,
and leaves the application at the revision it is at.

In other tools: `argocd app sync` (--resource GROUP:KIND:NAMESPACE/NAME there), `flux reconcile`.

Exit codes: 0; 3 if there is no such Application; 5 if something is held for approval (with
--dry-run too), or was to be deleted and stays because the engine does not let it go; 7 if the
sync or the cluster fails, or if the revision has no manifests at all; 9 if the time is over (the
sync goes on).";

/// The options of `sluice sync`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// Branch, tag or commit instead of the target revision; it has to be trusted too
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Delete what Git no longer has, as far as the prune policies let it
    #[arg(long)]
    prune: bool,
    /// Only these objects, as group/kind/namespace/name with `*` for any text; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    resource: Vec<Selector>,
    /// Run the hooks although only some objects are synced
    #[arg(long, requires = "resource")]
    with_hooks: bool,
    /// Only let the API server try everything
    #[arg(long)]
    dry_run: bool,
    /// Return as soon as the request is made
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    patience: Patience,
}

/// Asks, and follows.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let synced = block_on(async {
        let connection = Connection::open(global).await?;
        let (operations, key) = (connection.operations(), connection.key(name));
        let request = SyncRequest {
            revision: arguments.revision.clone(),
            prune: arguments.prune,
            resources: arguments.resource.clone(),
            with_hooks: arguments.with_hooks,
            dry_run: arguments.dry_run,
        };
        let id = operations.sync(&key, request).await?;
        if arguments.no_follow {
            return Ok(None);
        }
        let mut seen = telling(name);
        let followed = operations.follow_sync(&key, &id, arguments.patience.follow(&mut seen));
        Ok(Some(followed.await?))
    })?;
    match synced {
        None => {
            writeln!(
                out,
                "Application {name} will be synced; see `sluice status {name}`"
            )?;
            Ok(())
        }
        Some(synced) if arguments.dry_run => {
            writeln!(
                out,
                "Application {name} at {}: {}",
                short(&synced.revision),
                synced.message
            )?;
            match arguments.revision {
                // What waits is of the target revision.
                None => pending(out, &synced.application),
                Some(_) => Ok(()),
            }
        }
        Some(synced) => {
            let all = arguments.prune && arguments.resource.is_empty();
            tell(out, name, &synced, all)
        }
    }
}

/// Says what a sync came to, and what still waits for a person. `all` says that it was to bring the cluster all the way to Git.
pub(crate) fn tell(out: &mut impl Write, name: &str, synced: &Synced, all: bool) -> Result<(), Failure> {
    writeln!(
        out,
        "Application {name} is synced to {}: {}",
        short(&synced.revision),
        synced.message
    )?;
    pending(out, &synced.application)?;
    let status = synced.application.status.as_ref();
    match status.and_then(kept_deletions) {
        None => Ok(()),
        Some(message) => {
            writeln!(out, "{name} is still OutOfSync: {}", plain(message))?;
            // Without `--prune` what Git dropped was not to go.
            match all {
                true => Err(Failure::Answered(ExitKind::Held)),
                false => Ok(()),
            }
        }
    }
}

/// Shows what waits for approval, and ends with that.
fn pending(out: &mut impl Write, application: &Application) -> Result<(), Failure> {
    let state = application.status.clone().unwrap_or_default();
    if state.pending_approval.is_none() {
        return Ok(());
    }
    status::pending(out, application, &state)?;
    Err(Failure::Answered(ExitKind::Held))
}
