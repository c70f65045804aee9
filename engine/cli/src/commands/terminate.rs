//! `sluice terminate`: ends the operation that is going on.

use std::io::Write;

use clap::Args;
use kube::ResourceExt as _;
use serde_json::json;
use sluice_model::application::{Application, OperationPhase, TERMINATE_ANNOTATION};

use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on, gone};
use crate::failure::{CliError, Failure};
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
    let title = block_on(async {
        let connection = Connection::open(global).await?;
        let title = connection.title(name);
        if !goes_on(&connection.application(name).await?) {
            return Err(CliError::NothingToEnd {
                application: title,
                what: "has no operation that goes on or is tried again",
            }
            .into());
        }
        let by = connection.requester().await;
        connection
            .annotate(name, json!({TERMINATE_ANNOTATION: by}))
            .await?;
        let ended = connection.follow(name, "idle", arguments.patience.timeout(), |application| {
            let application = application.ok_or_else(|| gone(&title))?;
            let open = application.annotations().contains_key(TERMINATE_ANNOTATION);
            Ok((!open && !is_running(application)).then_some(()))
        });
        ended.await?;
        Ok(title)
    })?;
    writeln!(out, "the operation of {title} was terminated")?;
    Ok(())
}

fn is_running(application: &Application) -> bool {
    phase(application) == Some(OperationPhase::Running)
}

/// True where something is done, or will be done again by itself.
fn goes_on(application: &Application) -> bool {
    let retried = application.spec.sync_policy.automated.is_some();
    match phase(application) {
        Some(OperationPhase::Running) => true,
        Some(OperationPhase::Failed) => retried,
        Some(OperationPhase::Succeeded | OperationPhase::Terminated | OperationPhase::Superseded) | None => {
            false
        }
    }
}

fn phase(application: &Application) -> Option<OperationPhase> {
    let operation = application.status.as_ref()?.operation.as_ref()?;
    Some(operation.phase())
}
