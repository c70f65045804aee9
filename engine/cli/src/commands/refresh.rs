//! `sluice refresh`: asks the controller to look now.

use std::io::Write;

use clap::Args;
use kube::ResourceExt as _;
use serde_json::json;
use sluice_model::application::REFRESH_ANNOTATION;

use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on, gone};
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

/// Asks, and waits where that is wanted.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let title = block_on(async {
        let connection = Connection::open(global).await?;
        let value = if arguments.hard { "hard" } else { "normal" };
        connection
            .annotate(name, json!({REFRESH_ANNOTATION: value}))
            .await?;
        if arguments.wait {
            let title = connection.title(name);
            let seen = connection.follow(name, "refreshed", arguments.patience.timeout(), |application| {
                let application = application.ok_or_else(|| gone(&title))?;
                Ok((!application.annotations().contains_key(REFRESH_ANNOTATION)).then_some(()))
            });
            seen.await?;
        }
        Ok(connection.title(name))
    })?;
    writeln!(
        out,
        "{title} {}",
        if arguments.wait {
            "was refreshed"
        } else {
            "will be refreshed"
        }
    )?;
    Ok(())
}
