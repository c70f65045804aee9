//! What comparing cannot settle, asked of the server: a dry-run, once for each desired and live state.

use futures::StreamExt as _;
use serde_json::Value;
use sluice_cluster::{ClusterError, Kind, Patch, Reply, Target};
use sluice_decide::{Compared, Doubts, DryRun, Intent, Refusal};
use sluice_model::Coded as _;
use sluice_model::object::{Object, ObjectRef};

use crate::{Job, Pipeline};

/// So many questions at once.
const PARALLEL: usize = 24;

impl Pipeline {
    /// Asks the server about every object that comparing is not sure of. False where it did not answer everything.
    pub(crate) async fn settle_doubts(&self, job: &Job, intent: &Intent, objects: &mut [Compared]) -> bool {
        let synced = job.synced.as_deref() == Some(&intent.revision);
        let before = self.answers.take(&job.key).unwrap_or_default();
        let mut doubts = Doubts::of(objects, synced, &before);
        let cluster = self
            .target_of(job)
            .hiding(objects.iter().flat_map(Compared::states));
        let set = job.applyset();
        let asked: Vec<_> = doubts
            .open()
            .iter()
            .cloned()
            .map(|doubt| {
                let object = objects.get(doubt.index).cloned();
                let (cluster, set) = (&cluster, set.as_str());
                async move {
                    let object = object?;
                    let server = OneObject::of(cluster, object.reference()).await?;
                    let answer = sluice_decide::ask(&server, &object, set).await?;
                    Some((doubt, answer))
                }
            })
            .collect();
        let answers: Vec<_> = futures::stream::iter(asked)
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let settled = answers.iter().all(Option::is_some);
        for (doubt, answer) in answers.into_iter().flatten() {
            doubts.answer(doubt, answer);
        }
        let known = doubts.settle(objects);
        if !known.is_empty() {
            self.answers.put(&job.key, known);
        }
        settled
    }
}

/// The server, asked about one object.
struct OneObject<'a> {
    cluster: &'a Target,
    kind: Kind,
    object: ObjectRef,
}

impl<'a> OneObject<'a> {
    /// None where its kind cannot be found out now.
    async fn of(cluster: &'a Target, object: ObjectRef) -> Option<Self> {
        let kind = cluster.kind_of(&object).await.ok()?;
        Some(Self {
            cluster,
            kind,
            object,
        })
    }

    fn answered(&self, reply: Result<Reply, ClusterError>) -> Result<Object, Refusal> {
        let object = reply.and_then(|reply| reply.object()).map(sluice_observe::lean);
        object.map_err(|error| {
            // Without its words: of a Secret they may have values.
            tracing::debug!(object = %self.object, code = error.code().id, "the server refuses a question");
            Refusal {
                later: error.is_transient() || matches!(error, ClusterError::Modified { .. }),
                immutable: error.is_immutable(),
                recorded_version: error.is_of_recorded_version(),
                invalid: match error {
                    ClusterError::Invalid { fields, .. } => Some(fields),
                    _ => None,
                },
            }
        })
    }
}

fn tried(strict: bool) -> Patch {
    Patch {
        force: true,
        strict,
        dry_run: true,
    }
}

impl DryRun for OneObject<'_> {
    async fn apply(&self, desired: &Object, strict: bool) -> Result<Object, Refusal> {
        self.answered(self.cluster.apply(&self.kind, desired, tried(strict)).await)
    }

    async fn create(&self, object: &Object, strict: bool) -> Result<Object, Refusal> {
        self.answered(self.cluster.create(&self.kind, object, tried(strict)).await)
    }

    async fn patch(&self, patch: &Value, strict: bool) -> Result<Object, Refusal> {
        let reply = self
            .cluster
            .try_patch(&self.kind, &self.object, patch, strict)
            .await;
        self.answered(reply)
    }
}
