//! `sluice pause` and `sluice resume`: nothing is written for a while, and then it is again.

use std::io::Write;

use clap::Args;
use sluice_operations::Resumed;

use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice pause guestbook --reason 'the database is being moved'
  sluice resume guestbook

Sets `spec.pause`. What goes on is ended between two writes, and nothing is written from then on:
no sync, no healing, no deletion, and not that of the Application itself either, which waits. It
is still looked at: `sluice status`, `sluice diff` and `sluice sync --dry-run` go on working.

In other tools: `flux suspend`; taking `automated` away with Argo CD, which still lets people sync.

Exit codes: 0; 3 if there is no such Application; 7 if the cluster fails.";

pub(crate) const RESUME_HELP: &str = "\
Examples:
  sluice resume guestbook

Takes `spec.pause` and `spec.pin` away, whichever is there: the application follows its target
revision again.

In other tools: `flux resume`.

Exit codes: 0; 3 if there is no such Application, or it is neither paused nor pinned; 7 if the
cluster fails.";

/// The options of `sluice pause`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// The reason, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// The options of `sluice resume`.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
}

/// Pauses the Application that the arguments name.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    block_on(async {
        let connection = Connection::open(global).await?;
        let key = connection.key(name);
        Ok(connection.operations().pause(&key, &arguments.reason).await?)
    })?;
    writeln!(out, "Application {name} is paused until `sluice resume {name}`")?;
    Ok(())
}

/// Ends a pause and a pin.
pub(crate) fn resume(arguments: Resume, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let resumed = block_on(async {
        let connection = Connection::open(global).await?;
        Ok(connection.operations().resume(&connection.key(name)).await?)
    })?;
    let ended = match resumed {
        Resumed::PauseAndPin => "no longer paused, and no longer pinned",
        Resumed::Pause => "no longer paused",
        Resumed::Pin => "no longer pinned",
    };
    writeln!(out, "Application {name} is {ended}")?;
    Ok(())
}
