//! `sluice history`: the last syncs, newest first.

use std::io::Write;

use clap::Args;
use sluice_model::application::HistoryEntry;

use crate::args::Global;
use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::output::{self, Format, Output, Table, short};

pub(crate) const HELP: &str = "\
Examples:
  sluice history guestbook
  sluice history guestbook -o json | jq -r .revision

With -o json, every sync is one line: id, revision, deployedAt, initiatedBy, planDigest, signer,
summary.

Exit codes: 0; 3 if there is no such Application; 7 if the cluster fails.";

/// The options of `sluice history`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    #[command(flatten)]
    output: Output,
}

/// Prints the history.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let application = block_on(async {
        Connection::open(global)
            .await?
            .application(&arguments.application)
            .await
    })?;
    let history = application.status.unwrap_or_default().history;
    match arguments.output.format {
        Format::Text => table(&history).write(out, ""),
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &history),
    }
}

fn table(history: &[HistoryEntry]) -> Table {
    let mut table = Table::new();
    table.head(&["ID", "REVISION", "DEPLOYED", "BY", "SIGNER", "PLAN", "RESULT"]);
    for entry in history {
        let digest = entry.plan_digest.trim_start_matches("sha256:");
        table.row(vec![
            entry.id.to_string().into(),
            short(&entry.revision).into(),
            (&entry.deployed_at).into(),
            (&entry.initiated_by).into(),
            entry.signer.as_deref().map_or("-", short).into(),
            short(digest).into(),
            (&entry.summary).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_a_row() {
        let history = crate::commands::status::tests::guestbook()
            .status
            .unwrap()
            .history;
        let mut out = anstream::StripStream::new(Vec::new());
        table(&history).write(&mut out, "").unwrap();
        insta::assert_snapshot!(String::from_utf8(out.into_inner()).unwrap());
    }
}
