//! `sluice history`: the last operations, newest first.

use std::io::Write;

use clap::Args;
use sluice_model::application::HistoryEntry;

use crate::commands::status::phase_cell;
use crate::connection::{self, Connection};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format, Output, Table, short};

pub(crate) const HELP: &str = "\
Examples:
  sluice history guestbook
  sluice history guestbook -o json | jq -r .revision

Syncs of every kind are here, with how they ended, and pauses; at most ten, of which at least
five are successful syncs if there were that many: what `sluice rollback` can go back to. What
happens again and again (drift, a retry) is one entry with its number of times.

With -o json, every operation is one line: id, operation, kind, result, revision, deployedAt,
initiatedBy, planDigest, policies, signer, summary, times.

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
    let history = connection::block_on(async {
        let connection = Connection::open(global).await?;
        let key = connection.key(&arguments.application);
        Ok(connection.operations().history(&key).await?)
    })?;
    match arguments.output.format {
        Format::Text => table(&history).write(out, ""),
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &history),
    }
}

fn table(history: &[HistoryEntry]) -> Table {
    let mut table = Table::new();
    table.head(&[
        "ID", "KIND", "RESULT", "REVISION", "ENDED", "BY", "SIGNER", "PLAN", "SUMMARY",
    ]);
    for entry in history {
        let times = match entry.times {
            1 => String::new(),
            times => format!(" ×{times}"),
        };
        let digest = entry.plan_digest.trim_start_matches("sha256:");
        table.row(vec![
            entry.id.to_string().into(),
            format!("{:?}{times}", entry.kind).into(),
            phase_cell(entry.result),
            short(&entry.revision).into(),
            (&entry.deployed_at).into(),
            (&entry.initiated_by).into(),
            entry.signer.as_deref().map_or("-".to_owned(), short).into(),
            short(digest).into(),
            entry.summary.lines().next().unwrap_or_default().into(),
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
