//! `sluice orphans`: objects whose Application is gone.

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;
use futures::StreamExt as _;
use kube::ResourceExt as _;
use serde::Serialize;
use sluice_cluster::{Cluster, Kind};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::{Coded as _, ObjectRef};

use crate::args::Global;
use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::output::{self, Format, Output, Table};

pub(crate) const HELP: &str = "\
Examples:
  sluice orphans                     in all namespaces, as far as one may look
  sluice orphans -o json | jq -r .object

Lists the objects that carry the mark of an Application (`applyset.kubernetes.io/part-of`) that
no Application of the cluster has: what is left where an Application was taken away by force.
Nothing ever deletes them. To give one to an Application that wants it, take the mark off:
`kubectl label KIND NAME applyset.kubernetes.io/part-of-`.

With -o json, every object is one line: object, set.

Exit codes: 0 whether there are any or not; 7 if the cluster fails.";

/// So many lists at once.
const PARALLEL: usize = 16;

/// The options of `sluice orphans`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
}

/// One object without an owner.
#[derive(Debug, Serialize)]
struct Orphan {
    object: String,
    set: String,
}

/// Prints them.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let orphans = block_on(async {
        let connection = Connection::open(global).await?;
        let known: BTreeSet<String> = connection
            .applications(true)
            .await?
            .iter()
            .map(|application| {
                applyset::id(
                    &application.namespace().unwrap_or_default(),
                    &application.name_any(),
                )
            })
            .collect();
        find(&connection.cluster, &known).await
    })?;
    match arguments.output.format {
        Format::Text => {
            let mut table = Table::new();
            table.head(&["OBJECT", "SET"]);
            for orphan in &orphans {
                table.row(vec![(&orphan.object).into(), (&orphan.set).into()]);
            }
            table.write(out, "")
        }
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &orphans),
    }
}

async fn find(cluster: &Cluster, known: &BTreeSet<String>) -> Result<Vec<Orphan>, Failure> {
    let kinds = cluster.kinds().await.map_err(Failure::of)?;
    let listed: Vec<Kind> = kinds.all().filter(|kind| kind.can("list")).cloned().collect();
    let looks = listed.into_iter().map(|kind| async move {
        let found = cluster.list(&kind, None, PART_OF_LABEL).await;
        (kind, found)
    });
    let mut answers = futures::stream::iter(looks).buffer_unordered(PARALLEL);
    let mut found: BTreeSet<(ObjectRef, String)> = BTreeSet::new();
    while let Some((kind, answer)) = answers.next().await {
        match answer {
            Ok(objects) => found.extend(objects.iter().filter_map(|object| {
                let set = object.label(PART_OF_LABEL)?;
                (!known.contains(set)).then(|| (object.reference(), set.to_owned()))
            })),
            Err(error) => {
                tracing::warn!(kind = %kind.group_kind(), code = error.code().id, %error, "objects of this kind cannot be listed");
            }
        }
    }
    let orphans = found.into_iter().map(|(object, set)| Orphan {
        object: object.to_string(),
        set,
    });
    Ok(orphans.collect())
}
