//! `sluice sync`: asks the controller for a sync, and follows it to its end.

use std::io::Write;

use clap::Args;
use serde_json::json;
use sluice_model::ExitKind;
use sluice_model::application::{OPERATION_ANNOTATION, OperationPhase, OperationRequest};

use crate::args::Global;
use crate::commands::status;
use crate::commands::wait::{Patience, Wanted, gone, holds};
use crate::connection::{Connection, block_on};
use crate::failure::{CliError, Failure, Standing};
use crate::output::short;

pub(crate) const HELP: &str = "\
Examples:
  sluice sync guestbook                        to the target revision, and follow it
  sluice sync guestbook --revision v1.4 --prune --wait
  sluice sync guestbook --no-follow            only ask

The request is the annotation `sluice.dev/operation`: who may sync is decided by RBAC on
Applications. Deletions go through the prune policies; those that are held are shown with the
command that approves them.

Exit codes: 0; 3 if there is no such Application; 5 if something is held for approval; 7 if the
sync or the cluster fails; 9 if the time is over (the sync goes on).";

/// The options of `sluice sync`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// Branch, tag or commit instead of the target revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Delete what Git no longer has, as far as the prune policies let it
    #[arg(long)]
    prune: bool,
    /// Wait until everything is healthy too
    #[arg(long, conflicts_with = "no_follow")]
    wait: bool,
    /// Return as soon as the request is made
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    patience: Patience,
}

/// Asks, and follows.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let application = block_on(async {
        let connection = Connection::open(global).await?;
        let title = connection.title(name);
        let request = OperationRequest {
            id: request_id(),
            revision: arguments.revision.clone(),
            prune: arguments.prune,
            requested_by: connection.whoami().await.unwrap_or_else(|| "unknown".to_owned()),
        };
        let text = serde_json::to_string(&request).map_err(CliError::Encode)?;
        connection
            .annotate(name, json!({OPERATION_ANNOTATION: text}))
            .await?;
        if arguments.no_follow {
            return Ok(None);
        }
        let synced = connection.follow(name, "synced", arguments.patience.timeout(), |application| {
            let application = application.ok_or_else(|| gone(&title))?;
            let operation = application
                .status
                .as_ref()
                .and_then(|status| status.operation.as_ref());
            let Some(operation) = operation.filter(|operation| operation.id == request.id) else {
                return Ok(None);
            };
            match operation.phase {
                OperationPhase::Running => Ok(None),
                OperationPhase::Failed => Err(CliError::OperationFailed {
                    application: title.clone(),
                    status: Standing(operation.message.clone()),
                }
                .into()),
                OperationPhase::Succeeded if arguments.wait && !holds(Wanted::Healthy, application) => {
                    Ok(None)
                }
                OperationPhase::Succeeded => Ok(Some(application.clone())),
            }
        });
        synced.await.map(Some)
    })?;
    let Some(application) = application else {
        writeln!(
            out,
            "Application {name} will be synced; see `sluice status {name}`"
        )?;
        return Ok(());
    };
    let state = application.status.clone().unwrap_or_default();
    let result = state
        .history
        .first()
        .map(|entry| format!(": {}", entry.summary))
        .unwrap_or_default();
    writeln!(
        out,
        "Application {name} is synced to {}{result}",
        short(&state.sync.revision)
    )?;
    if state.pending_approval.is_some() {
        status::pending(out, &application, &state)?;
        return Err(Failure::Answered(ExitKind::Held));
    }
    Ok(())
}

/// Tells this request from any other: the time to the nanosecond, and the process.
fn request_id() -> String {
    format!(
        "cli-{}-{}",
        jiff::Timestamp::now().as_nanosecond(),
        std::process::id()
    )
}
