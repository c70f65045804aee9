//! The end of an Application: its objects go, as far as the prune policies let them, or stay without an owner.
//!
//! Where they go, its `PreDelete` hooks run first, in their waves, and have to succeed; then the objects are deleted, the
//! highest wave first; once all of them are gone, its `PostDelete` hooks run, and have to succeed too. The Application stays
//! until then: what fails is tried again, and nothing is skipped.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use sluice_apply::{ApplyError, Event, Members, Request};
use sluice_health::Expectation;
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, ApplicationStatus, DeletionPolicy, DeletionState, HealthState, PRUNE_FINALIZER,
    SyncStatus,
};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::decision::Phase;
use sluice_model::health::HealthStatus;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_model::{Application, ObjectRef};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::actor::{self, Actor, MANAGER};
use super::standing;
use super::waiting::Waiting;
use crate::error::PipelineError;
use crate::pipeline::{Compared, Intent, Job, Live};

/// How soon to look whether what was deleted is gone; watches tell sooner.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How many objects are set free at once.
const PARALLEL: usize = 16;

/// `, Realm.example.com shop/main first, held by example.com/cleanup`.
fn first_of(going: &[&Object]) -> String {
    let held = going.iter().find(|object| !object.finalizers().is_empty());
    let Some(first) = held.or(going.first()) else {
        return String::new();
    };
    let finalizers = first.finalizers().join(", ");
    let by = match finalizers.is_empty() {
        true => String::new(),
        false => format!(", held by {finalizers}"),
    };
    format!(", {} first{by}", first.reference())
}

/// True for a hook of the Application's deletion.
pub(crate) fn is_deletion_hook(object: &Compared) -> bool {
    let decision = &object.decision;
    let phases = [Phase::PreDelete, Phase::PostDelete];
    decision.hook
        && !decision.skip
        && !decision.ignored
        && decision.phases.iter().any(|phase| phases.contains(phase))
}

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
        // It wants nothing any more.
        self.shared.ring(&self.shared.claims.remove(&self.key));
        let mut status = self.latest();
        self.note_pause(application, &mut status).await;
        if application.spec.pause.is_some() {
            let message =
                "the Application is being deleted, which waits as long as it is paused; see `sluice resume`";
            self.finding(&mut status, conditions::SYNCED, Finding::no("Paused", message));
            if self.write(status).await.is_err() {
                self.failures += 1;
            }
            return false;
        }
        status.sync.status = SyncStatus::OutOfSync;
        status.health = HealthState {
            status: HealthStatus::Progressing,
            message: "the Application is being deleted".to_owned(),
        };
        let because = Finding::unknown("Deleting", "the Application is being deleted");
        self.finding(&mut status, conditions::HEALTHY, because);
        match Box::pin(self.part(application, &mut status)).await {
            Ok(true) => {
                self.tell(Happening::CleanedUp, "nothing that it owned is left");
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
        let defaults = &self.shared.pipeline.defaults;
        let mut job = match application.spec.deletion_policy {
            DeletionPolicy::Orphan => Job::to_let_go(application, defaults)?,
            DeletionPolicy::Prune => Job::resolve(application, defaults)?,
        };
        let live = self.live(&job, &[]).await?;
        status.objects = standing::owned(live.members.values());
        match job.spec.deletion_policy {
            DeletionPolicy::Orphan => {
                self.set_free(&job, live.members.values()).await?;
                Ok(true)
            }
            DeletionPolicy::Prune => {
                let manifests = self.last_manifests(&mut job, status).await?;
                self.stages(application, &job, status, live, manifests).await
            }
        }
    }

    /// What Git has of it: its hooks for the deletion, and what protects its objects.
    async fn last_manifests(
        &mut self,
        job: &mut Job,
        status: &mut ApplicationStatus,
    ) -> Result<Arc<Vec<Manifest>>, PipelineError> {
        // What was fetched at the last poll will do, unless that failed.
        let now = Instant::now();
        let since = match self.retries_source() {
            true => now,
            false => now.checked_sub(self.shared.options.poll).unwrap_or(now),
        };
        let rendered = match self.trusted(job, status, since).await {
            Some(trusted) => self.rendered(job, &trusted).await.ok(),
            None => None,
        };
        match rendered {
            Some(manifests) => Ok(manifests),
            None if status.deletion_hooks => Err(PipelineError::DeletionHooks),
            // Whoever deletes an application has often deleted its repository before.
            None => Ok(Arc::default()),
        }
    }

    /// The stages of the deletion. Each is written down before the next one begins, so that none is done twice.
    async fn stages(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        live: Live,
        manifests: Arc<Vec<Manifest>>,
    ) -> Result<bool, PipelineError> {
        let mut stage = status.deletion.unwrap_or(DeletionState::PreDelete);
        if stage == DeletionState::PreDelete {
            self.run_hooks(application, job, status, &manifests, Phase::PreDelete)
                .await?;
            stage = DeletionState::Objects;
            self.enter(status, stage).await?;
        }
        if stage == DeletionState::Objects {
            if !self.prune(application, job, status, live, &manifests).await? {
                return Ok(false);
            }
            stage = DeletionState::PostDelete;
            self.enter(status, stage).await?;
        }
        self.run_hooks(application, job, status, &manifests, Phase::PostDelete)
            .await?;
        // Hooks whose delete policy leaves them belong to nobody from here on.
        let left = self.live(job, &manifests).await?;
        self.set_free(job, left.members.values()).await?;
        Ok(true)
    }

    async fn enter(
        &mut self,
        status: &mut ApplicationStatus,
        stage: DeletionState,
    ) -> Result<(), PipelineError> {
        status.deletion = Some(stage);
        self.write(status.clone()).await?;
        Ok(())
    }

    /// Runs the hooks of a phase of the deletion to their end. Where one fails the deletion goes no further, and it is run again
    /// after a while.
    async fn run_hooks(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        manifests: &[Manifest],
        phase: Phase,
    ) -> Result<(), PipelineError> {
        let pipeline = self.shared.pipeline.clone();
        let (nothing, now) = (Live::default(), jiff::Timestamp::now());
        let judged = pipeline
            .prepare(job, Intent::farewell(&[]), manifests, &nothing, now)
            .await?;
        let hooks: Vec<_> = judged
            .objects
            .iter()
            .filter(|object| is_deletion_hook(object) && object.decision.phases.contains(&phase))
            .map(|object| &object.origin)
            .collect();
        let chosen: Vec<Manifest> = manifests
            .iter()
            .filter(|manifest| hooks.contains(&&manifest.origin))
            .cloned()
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let prepared = pipeline
            .prepare(job, Intent::farewell(&[]), &chosen, &nothing, now)
            .await?;
        let mut plan = prepared.plan.clone();
        plan.steps.retain(|step| step.phase == phase);
        self.tell(
            Happening::DeletionHooks,
            &format!("{} {phase:?} hooks run", plan.steps.len()),
        );
        let message = format!("{} {phase:?} hooks run", plan.steps.len());
        self.finding(status, conditions::SYNCED, Finding::no("DeletionHooks", message));
        let hooks = Members::of(
            prepared.objects.iter().map(|hook| &hook.desired),
            &job.key.namespace,
        );
        let parent = self.parent(job, job.recorded.union(&hooks));
        let (tell, mut told) = mpsc::unbounded_channel();
        let wave = Arc::new(Mutex::new(String::new()));
        let waiting = Waiting {
            shared: Arc::clone(&self.shared),
            job: job.clone(),
            manifests: Arc::new(chosen),
            wake: Arc::clone(&self.wake),
            application: self.application.clone(),
            generation: application.metadata.generation,
            commit: String::new(),
            follows: false,
            deletes: true,
            looked: Arc::new(Mutex::new((Instant::now(), None))),
            expectations: Arc::new(Expectation::all(&plan)),
            wave: Arc::clone(&wave),
            tell,
        };
        let waiter = waiting.waiter();
        let shared = Arc::clone(&self.shared);
        let mut events = |event: Event| match event {
            Event::Stored(object) => shared.observer.learn(&object),
            Event::Gone(reference) => shared.observer.forget(&reference.key()),
            Event::Waiting { name, .. } => *wave.lock().unwrap_or_else(PoisonError::into_inner) = name,
            Event::Rehearsing { .. } | Event::Later { .. } | Event::Wave { .. } | Event::Done(_) => {}
        };
        let manifests = prepared.manifests();
        let request = Request {
            plan: &plan,
            manifests: &manifests,
            approval: None,
            parent: Some(&parent),
            options: sluice_apply::Options {
                wave_timeout: job.health_timeout,
                ..self.shared.options.apply
            },
        };
        let work = sluice_apply::apply(&prepared.cluster, request, &waiter, &mut events);
        tokio::pin!(work);
        let finished = loop {
            tokio::select! {
                finished = &mut work => break finished,
                Some(waiting) = told.recv() => {
                    self.finding(status, conditions::SYNCED, Finding::no("DeletionHooks", waiting.to_string()));
                    // Only for people who look meanwhile.
                    let _unseen = self.write(status.clone()).await;
                }
            }
        };
        finished.failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    async fn prune(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        live: Live,
        manifests: &[Manifest],
    ) -> Result<bool, PipelineError> {
        let shared = Arc::clone(&self.shared);
        let now = jiff::Timestamp::now();
        if let Some(reason) = live.claims.unsettled {
            self.finding(status, conditions::SYNCED, Finding::no("Deleting", reason));
            return Ok(false);
        }
        let live = Live {
            others: std::collections::BTreeMap::new(),
            finished: std::collections::BTreeMap::new(),
            ..live
        };
        let going: Vec<&Object> = live
            .members
            .values()
            .filter(|object| object.is_deleting())
            .collect();
        let prepared = shared
            .pipeline
            .prepare(job, Intent::farewell(manifests), &[], &live, now)
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
            let manifests = prepared.manifests();
            let request = Request {
                plan,
                manifests: &manifests,
                approval,
                parent: None,
                options: sluice_apply::Options {
                    deletion_timeout: LOOK_AGAIN,
                    ..shared.options.apply
                },
            };
            let finished = sluice_apply::apply(&prepared.cluster, request, &waiter, &mut |_| {}).await;
            match finished.failure {
                None => {}
                // What comes after it waits; the next look goes on from there.
                Some(failure @ ApplyError::StillThere { .. }) => {
                    self.finding(
                        status,
                        conditions::SYNCED,
                        Finding::no("Deleting", failure.to_string()),
                    );
                    return Ok(false);
                }
                Some(failure) => return Err(failure.into()),
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
                self.tell(Happening::DeletionsHeld, &message);
            }
            self.finding(status, conditions::SYNCED, Finding::no("DeletionsHeld", message));
            return Ok(false);
        }
        if !going.is_empty() {
            let message = format!("{} objects are being deleted{}", going.len(), first_of(&going));
            self.finding(status, conditions::SYNCED, Finding::no("Deleting", message));
            return Ok(false);
        }
        // What is left is what policies keep or others want: it stays, and belongs to nobody any more.
        self.set_free(job, live.members.values()).await?;
        Ok(true)
    }

    /// Takes the mark of ownership off.
    async fn set_free(&self, job: &Job, objects: impl Iterator<Item = &Object>) -> Result<(), PipelineError> {
        let cluster = &self.shared.pipeline.cluster_of(job);
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
            result => result.map(drop),
        }
    }
}
