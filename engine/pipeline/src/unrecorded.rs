//! Objects of ours that lost their record of managers: what is to be taken up again, so that the plan says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use sluice_model::Coded as _;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};

use crate::{Job, Live, Pipeline};

/// So many questions at once.
const PARALLEL: usize = 24;

impl Pipeline {
    /// The live state with those desired objects of ours that have no record as ones that are to be adopted. Asks the server about
    /// each, and nothing where there are none. False where it did not answer everything.
    pub(super) async fn with_records(&self, job: &Job, manifests: &[Manifest], live: &Live) -> (Live, bool) {
        let set = job.applyset();
        let lost: Vec<&Object> = manifests
            .iter()
            .filter_map(|manifest| live.find(&manifest.object.key()))
            .filter(|object| object.label(PART_OF_LABEL) == Some(set.as_str()))
            .filter(|object| applyset::is_unrecorded(object) && !object.is_deleting())
            .collect();
        if lost.is_empty() {
            return (live.clone(), true);
        }
        let cluster = &self.target_of(job);
        let asked: Vec<_> = lost
            .into_iter()
            .map(|object| async move {
                let answer = async {
                    let kind = cluster.kind_of(&object.reference()).await?;
                    sluice_apply::recorded(cluster, &kind, object).await
                };
                match answer.await {
                    Ok(known) => Some((object.key(), known)),
                    Err(error) => {
                        let object = object.reference();
                        tracing::debug!(%object, code = error.code().id, "what it had on record cannot be found out");
                        None
                    }
                }
            })
            .collect();
        let number = asked.len();
        let answers: Vec<_> = futures::stream::iter(asked)
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let known: BTreeMap<ObjectKey, Object> = answers.into_iter().flatten().collect();
        let complete = known.len() == number;
        let mut live = live.clone();
        let members = Arc::make_mut(&mut live.members);
        for (key, object) in known {
            match members.get_mut(&key) {
                Some(member) => *member = object,
                None => drop(live.others.insert(key, object)),
            }
        }
        (live, complete)
    }
}
