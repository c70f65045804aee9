//! `sluice orphans`: objects whose Application is gone.

use std::io::Write;

use clap::Args;
use serde::Serialize;
use sluice_operations::{Orphan, OrphanReason};

use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format, Output, Table};

pub(crate) const HELP: &str = "\
Examples:
  sluice orphans                     in all namespaces, as far as one may look
  sluice orphans -o json | jq -r .object

Lists the objects that carry the mark of an Application (`applyset.kubernetes.io/part-of`) that
no Application of the cluster has: what is left of Applications that were deleted by force.
Nothing ever deletes them. To give one to an Application that wants it, take the mark off:
`kubectl label KIND NAME applyset.kubernetes.io/part-of-`.

Listed too are objects of Applications that are there of which the server no longer knows who
wrote them (`metadata.managedFields` was wiped, or the object comes out of a backup). The next
sync takes up again what Git has of them; to delete another one needs an approval.

With -o json, every object is one line: object, set, reason.

Exit codes: 0 whether there are any or not; 7 if the cluster fails.";

/// The options of `sluice orphans`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
}

/// The contract of `-o json`.
#[derive(Debug, Serialize)]
struct Row {
    object: String,
    set: String,
    reason: &'static str,
}

/// Prints them.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let orphans = block_on(async {
        let connection = Connection::open(global).await?;
        Ok(connection.operations().orphans(&connection.target()).await?)
    })?;
    let rows: Vec<Row> = orphans.into_iter().map(row).collect();
    match arguments.output.format {
        Format::Text => {
            let mut table = Table::new();
            table.head(&["OBJECT", "SET", "REASON"]);
            for row in &rows {
                table.row(vec![(&row.object).into(), (&row.set).into(), row.reason.into()]);
            }
            table.write(out, "")
        }
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &rows),
    }
}

fn row(orphan: Orphan) -> Row {
    Row {
        object: orphan.object.to_string(),
        set: orphan.set,
        reason: match orphan.reason {
            OrphanReason::NoApplication => "no Application has this set",
            OrphanReason::Unrecorded => "who wrote it is no longer on record",
        },
    }
}
