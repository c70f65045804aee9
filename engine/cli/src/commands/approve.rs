//! `sluice approve`: lets the deletions of one very plan through, or one very commit of a rewritten history.

use std::io::Write;

use clap::Args;
use sluice_operations::{Approval, Approved, CommitId, PlanDigest};

use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice status guestbook                        what waits, why, and the digest
  sluice plan guestbook                          the whole plan
  sluice approve guestbook --plan sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  sluice approve guestbook --history 3f2a6c0e5b1d4f7a8c9e0b1a2d3c4e5f60718293

The approval of a plan is the annotation `sluice.dev/approved-plan`. It holds for that plan and for
no other: if Git, the cluster or a policy changes meanwhile, the plan has another digest and needs
another approval.

The approval of a history is the annotation `sluice.dev/accepted-history`. If the last trusted
commit is no longer in the history (a push with force, or the Application was pointed at
another repository or branch), nothing is synced until a person has looked at the new history and
names its newest commit. That one must still be signed by a trusted key; trust starts with it anew.

Exit codes: 0; 3 if there is no such Application or nothing waits; 5 if another plan or commit waits;
7 if the cluster fails.";

/// The options of `sluice approve`.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    #[command(flatten)]
    what: What,
}

/// What is approved.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Digest of the plan, as `sluice status` shows it
    #[arg(long = "plan", value_name = "DIGEST")]
    plan: Option<PlanDigest>,
    /// Newest commit of the history that was rewritten, as `sluice status` shows it
    #[arg(long = "history", value_name = "COMMIT")]
    history: Option<CommitId>,
}

/// Approves the plan, or the commit, that the arguments name.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let What { plan, history } = arguments.what;
    let approval = plan.map(Approval::Plan).or(history.map(Approval::History));
    let approval = approval.expect("clap requires one of the two");
    let approved = block_on(async {
        let connection = Connection::open(global).await?;
        let key = connection.key(&arguments.application);
        Ok(connection.operations().approve(&key, &approval).await?)
    })?;
    let deletions = match approved {
        Approved::Deletions(1) => "1 deletion".to_owned(),
        Approved::Deletions(count) => format!("{count} deletions"),
        Approved::History => String::new(),
    };
    match &approval {
        Approval::Plan(digest) => writeln!(out, "approved {deletions} of plan {digest}")?,
        Approval::History(commit) => writeln!(out, "accepted the history that leads to {commit}")?,
    }
    Ok(())
}
