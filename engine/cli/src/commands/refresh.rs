//! `sluice refresh`: asks the controller to look now.

use std::io::Write;

use clap::Args;
use sluice_operations::Depth;

use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on, telling};
use crate::failure::Failure;
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice refresh guestbook
  sluice refresh guestbook --hard --wait

The request is the annotation `sluice.dev/refresh`; the controller removes it when it has
looked. A hard refresh also forgets what was made of Git, every verdict, and the kinds that the
API server has. In other tools: `argocd app get --refresh` and `--hard-refresh`, `flux reconcile`.

Exit codes: 0; 3 if there is no such Application; 7 if the cluster fails; 9 if no controller looked in
time.";

/// The options of `sluice refresh`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// Forget every cache first
    #[arg(long)]
    hard: bool,
    /// Wait until the controller has looked
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: Patience,
}

/// Asks, and waits if that is wanted.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let key = block_on(async {
        let connection = Connection::open(global).await?;
        let (operations, key) = (connection.operations(), connection.key(name));
        let depth = match arguments.hard {
            true => Depth::Hard,
            false => Depth::Normal,
        };
        operations.refresh(&key, depth).await?;
        if arguments.wait {
            let mut seen = telling(name);
            let follow = arguments.patience.follow(&mut seen);
            operations.follow_refresh(&key, follow).await?;
        }
        Ok(key)
    })?;
    let done = match arguments.wait {
        true => "was refreshed",
        false => "will be refreshed",
    };
    writeln!(out, "Application {key} {done}")?;
    Ok(())
}
