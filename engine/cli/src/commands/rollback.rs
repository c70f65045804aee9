//! `sluice rollback`: goes back to an earlier revision, and stays there.

use std::io::Write;

use clap::Args;
use sluice_operations::{Rollback, RolledBack};

use crate::commands::sync;
use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on, telling};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::short;

pub(crate) const HELP: &str = "\
Examples:
  sluice rollback guestbook                    to the last other revision that was synced
  sluice rollback guestbook 7                  to the revision of entry 7 of `sluice history`
  sluice rollback guestbook 3f2a91c --reason 'checkout is broken'
  sluice resume guestbook                      follow Git again

The revision is pinned in `spec.pin`: the automation keeps it, and undoes drift from it, until
`sluice resume`. It has to be signed as any other, by keys that count now; that it is older than
what is trusted already is no obstacle. Objects that the earlier revision does not have are
deleted if the automation prunes, or with --prune, as far as the prune policies let them.

Going back is never done without being asked. In other tools: `argocd app rollback`, which is
refused there while the automation is on; a `git revert` with Flux.

Exit codes: 0; 3 if there is no such Application or nothing to go back to; 5 if something is held
for approval; 7 if the sync or the cluster fails; 9 if the time is over (the rollback goes on).";

/// The options of `sluice rollback`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// An entry of the history by its number, or a branch, tag or commit
    #[arg(value_name = "ID|REVISION")]
    to: Option<String>,
    /// The reason, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Delete what that revision does not have, also if the automation does not prune
    #[arg(long)]
    prune: bool,
    /// Return as soon as the revision is pinned
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    patience: Patience,
}

/// Pins, asks for a sync, and follows it.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let rollback = Rollback {
        to: arguments.to,
        reason: arguments.reason,
        prune: arguments.prune,
    };
    let (revision, synced) = block_on(async {
        let connection = Connection::open(global).await?;
        let (operations, key) = (connection.operations(), connection.key(name));
        let RolledBack { revision, operation } = operations.rollback(&key, &rollback).await?;
        if arguments.no_follow {
            return Ok((revision, None));
        }
        let mut seen = telling(name);
        let followed = operations.follow_sync(&key, &operation, arguments.patience.follow(&mut seen));
        Ok((revision, Some(followed.await?)))
    })?;
    writeln!(
        out,
        "Application {name} is pinned to {} until `sluice resume {name}`",
        short(&revision)
    )?;
    match synced {
        None => Ok(()),
        Some(synced) => sync::tell(out, name, &synced, rollback.prune),
    }
}
