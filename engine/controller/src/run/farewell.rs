//! The end of an Application: its objects go, as far as the prune policies let them, or stay without an owner.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use sluice_apply::Request;
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, ApplicationStatus, DeletionPolicy, HealthState, PRUNE_FINALIZER, SyncStatus,
};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::health::HealthStatus;
use sluice_model::object::Object;
use sluice_model::{Application, ObjectRef};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::time::Instant;

use super::actor::{self, Actor, MANAGER};
use super::standing;
use crate::error::PipelineError;
use crate::pipeline::{Intent, Job, Live};

/// How soon to look whether what was deleted is gone; watches tell sooner.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How many objects are set free at once.
const PARALLEL: usize = 16;

impl Actor {
    /// One step towards the end. True once the Application may go.
    pub(crate) async fn farewell(&mut self, application: &Arc<Application>) -> bool {
        if !application
            .finalizers()
            .iter()
            .any(|finalizer| finalizer == PRUNE_FINALIZER)
        {
            return false;
        }
        self.due = None;
        let mut status = self.written.clone();
        status.sync.status = SyncStatus::OutOfSync;
        status.health = HealthState {
            status: HealthStatus::Progressing,
            message: "the Application is being deleted".to_owned(),
        };
        let because = Finding::unknown("Deleting", "the Application is being deleted");
        self.finding(&mut status, conditions::HEALTHY, because);
        match self.part(application, &mut status).await {
            Ok(true) => {
                self.tell(Happening::CleanedUp, "nothing that it owned is left")
                    .await;
                match self.release(application).await {
                    Ok(()) => return true,
                    Err(error) => {
                        self.note_failure(&PipelineError::Cluster(error));
                        self.failures += 1;
                    }
                }
            }
            Ok(false) => {
                self.failures = 0;
                self.due = Some(Instant::now() + LOOK_AGAIN);
            }
            Err(error) => {
                self.failures += 1;
                self.note_failure(&error);
                self.finding(&mut status, conditions::SYNCED, Finding::failed(&error));
            }
        }
        if self.write(status).await.is_err() {
            self.failures += 1;
        }
        false
    }

    /// True where nothing is left that belongs to it.
    async fn part(
        &mut self,
        application: &Arc<Application>,
        status: &mut ApplicationStatus,
    ) -> Result<bool, PipelineError> {
        let job = Job::of(application, &self.key.namespace);
        let live = self.live(&job, &[]).await?;
        status.objects = standing::owned(live.members.values());
        match job.spec.deletion_policy {
            DeletionPolicy::Orphan => {
                self.set_free(&job, live.members.values()).await?;
                Ok(true)
            }
            DeletionPolicy::Prune => self.prune(application, &job, status, live).await,
        }
    }

    async fn prune(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        live: Live,
    ) -> Result<bool, PipelineError> {
        let shared = Arc::clone(&self.shared);
        let now = jiff::Timestamp::now();
        // What is on its way out needs no second word.
        let (going, staying): (Vec<_>, Vec<_>) = live
            .members
            .into_iter()
            .partition(|(_, object)| object.is_deleting());
        let live = Live {
            members: staying.into_iter().collect(),
            others: std::collections::BTreeMap::new(),
        };
        let prepared = shared
            .pipeline
            .prepare(job, Intent::farewell(), &[], &live, now)
            .await?;
        let plan = &prepared.plan;
        let digest = plan.digest();
        // What is held is shown once the rest is done: then its digest stays what it is.
        status.pending_approval = standing::pending(plan).filter(|_| plan.steps.is_empty());
        status.attention = standing::attention(&prepared, &[]);
        if !plan.blocked.is_empty() {
            self.finding(status, conditions::SYNCED, standing::synced(plan, "the deletion"));
            return Ok(false);
        }
        let approval = actor::approved(application).filter(|approved| *approved == digest);
        if !plan.steps.is_empty() || approval.is_some() {
            let waiter =
                |_, _| -> futures::future::BoxFuture<'static, _> { Box::pin(std::future::ready(Ok(()))) };
            let request = Request {
                plan,
                manifests: &prepared.manifests,
                approval,
                parent: None,
                options: shared.options.apply,
            };
            let finished = sluice_apply::apply(&prepared.cluster, request, &waiter, &mut |_| {}).await;
            if let Some(failure) = finished.failure {
                return Err(failure.into());
            }
            if finished.held_done {
                self.remove_annotations(&[APPROVED_PLAN_ANNOTATION]).await?;
                status.pending_approval = None;
            }
            self.finding(
                status,
                conditions::SYNCED,
                Finding::no("Deleting", standing::summary(&finished.outcomes)),
            );
            return Ok(false);
        }
        if !plan.held.is_empty() {
            let number = plan.held.len();
            let message = format!(
                "{number} deletions wait for an approval of plan {digest}; the Application waits with them"
            );
            if status
                .conditions
                .iter()
                .all(|condition| condition.message != message)
            {
                self.tell(Happening::DeletionsHeld, &message).await;
            }
            self.finding(status, conditions::SYNCED, Finding::no("DeletionsHeld", message));
            return Ok(false);
        }
        if !going.is_empty() {
            let first = going
                .first()
                .map(|(_, object)| object.reference().to_string())
                .unwrap_or_default();
            let message = format!("{} objects are being deleted, {first} first", going.len());
            self.finding(status, conditions::SYNCED, Finding::no("Deleting", message));
            return Ok(false);
        }
        // What is left is what policies keep: it stays, and belongs to nobody any more.
        self.set_free(job, live.members.values()).await?;
        Ok(true)
    }

    /// Takes the mark of ownership off.
    async fn set_free(&self, job: &Job, objects: impl Iterator<Item = &Object>) -> Result<(), PipelineError> {
        let cluster = &self.shared.pipeline.cluster_of(job)?;
        let patch = json!({"metadata": {"labels": {PART_OF_LABEL: Value::Null}}});
        let patch = &patch;
        let references: Vec<ObjectRef> = objects.map(Object::reference).collect();
        let frees: Vec<_> = references
            .into_iter()
            .map(|reference| async move {
                let kind = cluster.kind_of(&reference).await?;
                match cluster.merge_patch(&kind, &reference, None, MANAGER, patch).await {
                    Err(error) if error.is_not_found() => Ok(()),
                    result => result.map(|_| ()),
                }
            })
            .collect();
        let results: Vec<Result<(), sluice_cluster::ClusterError>> = futures::stream::iter(frees)
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        results.into_iter().collect::<Result<(), _>>()?;
        Ok(())
    }

    /// Takes the finalizer off.
    async fn release(&self, application: &Application) -> Result<(), sluice_cluster::ClusterError> {
        let rest: Vec<&String> = application
            .finalizers()
            .iter()
            .filter(|finalizer| *finalizer != PRUNE_FINALIZER)
            .collect();
        let patch = self
            .patch_metadata(json!({"finalizers": rest, "resourceVersion": application.resource_version()}))
            .await;
        match patch {
            Err(error) if error.is_not_found() => Ok(()),
            // Changed meanwhile: the next look has the newer one.
            result => result,
        }
    }
}
