//! Objects whose Application is gone, or whose record of managers is.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use kube::ResourceExt as _;
use sluice_cluster::{Kind, Target};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::{Coded as _, Object, ObjectRef};

use crate::applications::Operations;
use crate::error::OperationError;

/// So many lists at once.
const PARALLEL: usize = 16;

/// One object that no Application can be said to own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Which object.
    pub object: ObjectRef,
    /// The ApplySet that its label names.
    pub set: String,
    /// Why it is one.
    pub reason: OrphanReason,
}

/// Why an object is an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrphanReason {
    /// No Application of the cluster has this ApplySet.
    NoApplication,
    /// The server no longer knows who wrote the object.
    Unrecorded,
}

impl Operations {
    /// Returns the orphans in `target`, by kind and name, as far as the user may list. Kinds that cannot be listed are logged.
    ///
    /// # Errors
    /// Those of [`Operations::list`], and the API server's if its kinds cannot be found out.
    pub async fn orphans(&self, target: &Target) -> Result<Vec<Orphan>, OperationError> {
        let applications = self.list(None).await?;
        let known: BTreeSet<String> = applications
            .iter()
            .map(|application| {
                let namespace = application.namespace().unwrap_or_default();
                applyset::id(&namespace, &application.name_any())
            })
            .collect();
        find(target, &known).await
    }
}

async fn find(target: &Target, known: &BTreeSet<String>) -> Result<Vec<Orphan>, OperationError> {
    let kinds = target.kinds().await?;
    let listed: Vec<Kind> = kinds.all().filter(|kind| kind.can("list")).cloned().collect();
    let looks = listed.into_iter().map(|kind| async move {
        let found = target.list(&kind, None, PART_OF_LABEL).await;
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
            object: reference.clone(),
            set: object.label(PART_OF_LABEL).unwrap_or_default().to_owned(),
            reason,
        })
    });
    Ok(orphans.collect())
}

/// Why an object is an orphan; none for one whose Application is there and has written it.
fn reason(object: &Object, known: &BTreeSet<String>) -> Option<OrphanReason> {
    match known.contains(object.label(PART_OF_LABEL)?) {
        false => Some(OrphanReason::NoApplication),
        true if applyset::is_unrecorded(object) => Some(OrphanReason::Unrecorded),
        true => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_no_application_or_no_record_is_an_orphan() {
        let known = BTreeSet::from(["applyset-a-v1".to_owned()]);
        let why = |set: &str, record: serde_json::Value| {
            let metadata = json!({"name": "x", "labels": {PART_OF_LABEL: set}, "managedFields": record});
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
            reason(&Object::new(object).unwrap(), &known)
        };
        let ours = json!([{"manager": "sluice", "operation": "Apply"}]);
        // A copied label: its controller is on record.
        let copied = json!([{"manager": "endpointslice-controller", "operation": "Update"}]);
        for (set, record, expected) in [
            (
                "applyset-gone-v1",
                ours.clone(),
                Some(OrphanReason::NoApplication),
            ),
            ("applyset-a-v1", json!([]), Some(OrphanReason::Unrecorded)),
            ("applyset-a-v1", ours, None),
            ("applyset-a-v1", copied, None),
        ] {
            assert_eq!(why(set, record), expected);
        }
    }
}
