//! `sluice rollback`: goes back to an earlier revision, and stays there.

use std::io::Write;

use clap::Args;
use serde_json::json;
use sluice_model::application::{
    Application, HistoryEntry, OPERATION_ANNOTATION, OperationRequest, VerificationMode,
};

use crate::commands::sync;
use crate::commands::wait::Patience;
use crate::connection::{Connection, block_on};
use crate::failure::{CliError, Failure};
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
    let (revision, synced) = block_on(async {
        let connection = Connection::open(global).await?;
        let application = connection.application(name).await?;
        let revision = target(&connection.title(name), &application, arguments.to.as_deref())?;
        let automated = application.spec.sync_policy.automated;
        let by = connection.requester().await;
        let request = OperationRequest {
            id: sync::request_id(),
            prune: arguments.prune || automated.is_some_and(|automated| automated.prune),
            requested_by: by.clone(),
            ..OperationRequest::default()
        };
        let text = serde_json::to_string(&request).map_err(CliError::Encode)?;
        let pin = json!({"revision": revision, "reason": arguments.reason, "by": by});
        let patch = json!({"metadata": {"annotations": {OPERATION_ANNOTATION: text}}, "spec": {"pin": pin}});
        connection.patch(name, patch).await?;
        if arguments.no_follow {
            return Ok((revision, None));
        }
        let followed = connection.follow_operation(name, &request.id, arguments.patience.timeout());
        Ok((revision, Some(followed.await?)))
    })?;
    writeln!(
        out,
        "Application {name} is pinned to {} until `sluice resume {name}`",
        short(&revision)
    )?;
    match synced {
        None => Ok(()),
        Some((application, ended)) => sync::tell(out, name, &application, &ended, arguments.prune),
    }
}

/// The revision that is meant: an entry's, or what was named; the last other one that was synced where nothing was.
fn target(title: &str, application: &Application, to: Option<&str>) -> Result<String, Failure> {
    let status = application.status.clone().unwrap_or_default();
    let nothing = |what: String| {
        Failure::from(CliError::NothingEarlier {
            application: title.to_owned(),
            what,
        })
    };
    // A commit means the same for ever; where tags are what is signed, it has to be the tag.
    let verification = application.spec.verification.as_ref();
    let by_tag = verification.is_some_and(|verification| verification.mode == VerificationMode::Tag);
    let named = |entry: &HistoryEntry| match by_tag && !entry.requested.is_empty() {
        true => entry.requested.clone(),
        false => entry.revision.clone(),
    };
    let Some(to) = to else {
        let mut earlier = status.history.iter().filter(|entry| entry.is_deployment());
        return earlier
            .find(|entry| entry.revision != status.sync.revision)
            .map(named)
            .ok_or_else(|| nothing("no other revision".to_owned()));
    };
    // A number is an entry; an abbreviated commit is longer than any number of entries.
    match to.parse::<u64>() {
        Ok(id) if to.len() < 7 => {
            let entry = status.history.iter().find(|entry| entry.id == id);
            let revision = entry
                .map(|entry| entry.revision.clone())
                .filter(|revision| !revision.is_empty());
            revision.ok_or_else(|| nothing(format!("no entry {id} with a revision")))
        }
        Ok(_) | Err(_) => Ok(to.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::status::tests::guestbook;

    #[test]
    fn an_entry_a_revision_or_the_last_other_one() {
        let application = guestbook();
        let target = |to: Option<&str>| target("Application shop/guestbook", &application, to);
        let first = "11ff91c05b77d4f0c7de1a2b3c4d5e6f70819203";
        assert_eq!(target(None).unwrap(), first);
        assert_eq!(target(Some("1")).unwrap(), first);
        assert_eq!(
            target(Some("2")).unwrap(),
            "3f2a91c05b77d4f0c7de1a2b3c4d5e6f70819203"
        );
        assert_eq!(target(Some("v1.4")).unwrap(), "v1.4");
        assert_eq!(target(Some("11112222")).unwrap(), "11112222");
        assert!(matches!(target(Some("9")), Err(Failure::Coded(errors)) if errors[0].code().id == "U25"));
    }

    #[test]
    fn without_a_history_there_is_nothing_to_go_back_to() {
        let fresh = Application {
            status: None,
            ..guestbook()
        };
        assert!(
            matches!(target("a", &fresh, None), Err(Failure::Coded(errors)) if errors[0].code().id == "U25")
        );
    }
}
