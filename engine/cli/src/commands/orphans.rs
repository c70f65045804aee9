//! `sluice orphans`: objects whose Application is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use clap::Args;
use futures::StreamExt as _;
use kube::ResourceExt as _;
use serde::Serialize;
use sluice_cluster::{Kind, Target};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::{Coded as _, Object, ObjectRef};

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
    reason: &'static str,
}

/// Why an object is listed; none for one whose Application is there and has written it.
fn reason(object: &Object, known: &BTreeSet<String>) -> Option<&'static str> {
    match known.contains(object.label(PART_OF_LABEL)?) {
        false => Some("no Application has this set"),
        true if applyset::is_unrecorded(object) => Some("who wrote it is no longer on record"),
        true => None,
    }
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
        find(&connection.target(), &known).await
    })?;
    match arguments.output.format {
        Format::Text => {
            let mut table = Table::new();
            table.head(&["OBJECT", "SET", "REASON"]);
            for orphan in &orphans {
                table.row(vec![
                    (&orphan.object).into(),
                    (&orphan.set).into(),
                    orphan.reason.into(),
                ]);
            }
            table.write(out, "")
        }
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &orphans),
    }
}

async fn find(cluster: &Target, known: &BTreeSet<String>) -> Result<Vec<Orphan>, Failure> {
    let kinds = cluster.kinds().await.map_err(Failure::of)?;
    let listed: Vec<Kind> = kinds.all().filter(|kind| kind.can("list")).cloned().collect();
    let looks = listed.into_iter().map(|kind| async move {
        let found = cluster.list(&kind, None, PART_OF_LABEL).await;
        (kind, found)
    });
    let mut answers = futures::stream::iter(looks).buffer_unordered(PARALLEL);
    let mut found: BTreeMap<ObjectRef, Object> = BTreeMap::new();
    while let Some((kind, answer)) = answers.next().await {
        match answer {
            Ok(objects) => {
                let listed = objects
                    .into_iter()
                    .filter(|object| reason(object, known).is_some());
                found.extend(listed.map(|object| (object.reference(), object)));
            }
            Err(error) => {
                tracing::warn!(kind = %kind.group_kind(), code = error.code().id, %error, "objects of this kind cannot be listed");
            }
        }
    }
    // The server has some objects in two API groups.
    let mut uids = BTreeSet::new();
    let orphans = found.iter().filter_map(|(reference, object)| {
        let again = object.metadata("uid").is_some_and(|uid| !uids.insert(uid));
        let reason = reason(object, known).filter(|_| !again)?;
        Some(Orphan {
            object: reference.to_string(),
            set: object.label(PART_OF_LABEL).unwrap_or_default().to_owned(),
            reason,
        })
    });
    Ok(orphans.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_no_application_or_no_record_is_listed() {
        let known = BTreeSet::from(["applyset-a-v1".to_owned()]);
        let why = |set: &str, record: serde_json::Value| {
            let metadata = json!({"name": "x", "labels": {PART_OF_LABEL: set}, "managedFields": record});
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
            reason(&Object::new(object).unwrap(), &known)
        };
        let ours = json!([{"manager": "sluice", "operation": "Apply"}]);
        assert!(why("applyset-gone-v1", ours.clone()).is_some_and(|why| why.contains("no Application")));
        assert!(why("applyset-a-v1", json!([])).is_some_and(|why| why.contains("record")));
        assert_eq!(why("applyset-a-v1", ours), None);
        // A copied label: its controller is on record.
        assert_eq!(
            why(
                "applyset-a-v1",
                json!([{"manager": "endpointslice-controller", "operation": "Update"}])
            ),
            None
        );
    }
}
