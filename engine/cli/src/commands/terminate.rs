//! `sluice terminate`: ends the operation that is going on.

use std::io::Write;

use clap::Args;

use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on, telling};
use crate::failure::Failure;
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice terminate guestbook

Ends the operation that is going on between two writes, with the hooks that still run for it, and
ends the retries of one that failed. What was done stays done. The automation lets this revision
be: it goes on with the next commit, a changed spec, or a sync that a person asks for.

The request is the annotation `sluice.dev/terminate`. In other tools: `argocd app terminate-op`.

Exit codes: 0; 3 if there is no such Application or nothing goes on; 7 if the cluster fails; 9 if
it did not end in time.";

/// The options of `sluice terminate`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    #[command(flatten)]
    patience: Patience,
}

/// Asks, and waits until it has ended.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let key = block_on(async {
        let connection = Connection::open(global).await?;
        let (operations, key) = (connection.operations(), connection.key(name));
        operations.terminate(&key).await?;
        let mut seen = telling(name);
        let follow = arguments.patience.follow(&mut seen);
        operations.follow_termination(&key, follow).await?;
        Ok(key)
    })?;
    writeln!(out, "the operation of Application {key} was terminated")?;
    Ok(())
}
