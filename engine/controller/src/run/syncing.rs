//! Doing a sync: what a look calls for, and its execution. Its end is in `concluding`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_apply::{ApplyError, Event, Finished, Members, Parent, Rehearse, Request};
use sluice_health::Expectation;
use sluice_model::Application;
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, ApplicationStatus, OperationKind, OperationPhase, OperationState, SyncStatus,
    TERMINATE_ANNOTATION,
};
use sluice_model::manifest::Manifest;
use sluice_model::outcome::Outcome;
use sluice_model::plan::Plan;
use sluice_model::selection::Selector;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::actor::{self, Actor};
use super::automation::Decision;
use super::gate::{self, Answer};
use super::look::Looked;
use super::operation::{self, AUTOMATIC};
use super::standing;
use super::waiting::Waiting;
use crate::pipeline::{Job, Prepared, Trusted};

/// Of a sync that takes no longer only its end is an Event.
const QUIET: Duration = Duration::from_secs(5);

/// One sync that is to be done.
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) kind: OperationKind,
    pub(super) by: String,
    pub(super) plan: Plan,
    pub(super) prepared: Arc<Prepared>,
    pub(super) manifests: Arc<Vec<Manifest>>,
    pub(super) trusted: Trusted,
    /// The digest that was approved.
    pub(super) approval: Option<String>,
    pub(super) retries: u32,
    /// True where a newer commit takes its place.
    pub(super) follows: bool,
    /// Only these objects; everything where empty.
    pub(super) resources: Vec<Selector>,
}

/// What an execution came to, and who ended it where somebody did.
pub(super) struct Executed {
    pub(super) finished: Finished,
    pub(super) stopped: Option<Stop>,
}

/// Why an operation must write nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    Terminated(String),
    Paused(String),
}

impl Actor {
    /// Does what a look calls for where nobody asked for anything. True where another look should follow at once.
    pub(crate) async fn act(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        looked: Looked,
    ) -> bool {
        self.healing.looked = true;
        let answer = match gate::is_waiting(status) {
            true => {
                let now = jiff::Timestamp::now();
                self.gate.ask(status, &looked.awaited(), job.health_timeout, now)
            }
            false => Answer::None,
        };
        self.answered(status, answer).await;
        if job.spec.pause.is_some() {
            return false;
        }
        let Looked {
            trusted,
            manifests,
            prepared,
            ..
        } = looked;
        let digest = prepared.plan.digest();
        if let Some(approved) = actor::approved(application).filter(|_| !prepared.plan.held.is_empty()) {
            if approved == digest {
                let plan = prepared.plan.clone();
                let attempt = Attempt {
                    id: "approval".to_owned(),
                    kind: OperationKind::Approval,
                    by: approver(application),
                    plan,
                    prepared,
                    manifests,
                    trusted,
                    approval: Some(digest),
                    retries: 0,
                    follows: false,
                    resources: Vec::new(),
                };
                return self.sync(application, job, status, attempt).await;
            }
            let message = format!("the approval is of plan {approved}, and what waits is plan {digest}");
            self.finding(
                status,
                conditions::SYNCED,
                Finding::no("ApprovalOfAnotherPlan", message),
            );
        }
        let interrupted = self.interrupted.take();
        if status.sync.status == SyncStatus::Synced {
            self.correct_record(job, &prepared).await;
            return self.arrived(job, status, &trusted, interrupted);
        }
        match self.automatic(job, status, &trusted, &prepared) {
            Decision::Nothing => false,
            Decision::Arrived => self.arrived(job, status, &trusted, interrupted),
            Decision::Later(when, finding) => {
                self.wake_at(when);
                if let Some(finding) = finding {
                    self.finding(status, conditions::SYNCED, finding);
                }
                false
            }
            Decision::Failed(finding) => {
                self.finding(status, conditions::SYNCED, finding);
                false
            }
            Decision::Now { plan, heals, retries } => {
                let (kind, by) = match (heals, job.spec.pin.is_some()) {
                    (true, _) => (OperationKind::SelfHeal, "self-heal"),
                    (false, true) => (OperationKind::Rollback, "automation"),
                    (false, false) => (OperationKind::Sync, "automation"),
                };
                let attempt = Attempt {
                    id: AUTOMATIC.to_owned(),
                    kind,
                    by: by.to_owned(),
                    plan,
                    prepared,
                    manifests,
                    trusted,
                    approval: None,
                    retries,
                    follows: job.spec.pin.is_none(),
                    resources: Vec::new(),
                };
                self.sync(application, job, status, attempt).await
            }
        }
    }

    /// Ends the operation where its verdict is in.
    pub(super) async fn answered(&mut self, status: &mut ApplicationStatus, answer: Answer) {
        match answer {
            Answer::None => {}
            Answer::Wait(rest) => self.wake_at(Instant::now() + rest),
            Answer::Passed => {
                let (commit, summary, kind) =
                    status
                        .operation
                        .as_ref()
                        .map_or_else(Default::default, |operation| {
                            (
                                operation.revision.clone(),
                                operation.summary.clone(),
                                operation.kind,
                            )
                        });
                operation::finish(status, OperationPhase::Succeeded, summary.clone());
                let happening = match kind {
                    OperationKind::SelfHeal => Happening::Healed,
                    _ => Happening::SyncSucceeded,
                };
                self.tell(happening, &format!("{commit}: {summary}"));
            }
            Answer::Failed(unfit) => {
                let message = standing::failure(&unfit);
                tracing::warn!(application = %self.key, error = message, "the application is not healthy after a sync");
                operation::finish(status, OperationPhase::Failed, message.clone());
                self.tell(Happening::SyncFailed, &message);
            }
        }
    }

    /// The cluster is where this revision wants it, as far as anybody let it. An operation that the end of a controller interrupted
    /// after its last write only lacks the verdict. True where another look should follow.
    fn arrived(
        &mut self,
        job: &Job,
        status: &mut ApplicationStatus,
        trusted: &Trusted,
        interrupted: Option<OperationState>,
    ) -> bool {
        let commit = &trusted.revision.commit;
        status.sync.revision.clone_from(commit);
        status.sync.target = None;
        self.synced_generation = self.generation();
        self.healing.overtaken = 0;
        let Some(mut operation) = interrupted else {
            return false;
        };
        if operation.revision != *commit {
            return false;
        }
        operation.summary = "done before the controller was restarted".to_owned();
        let now = jiff::Timestamp::now();
        self.gate.close(&mut operation, job.health_timeout, now);
        status.operation = Some(operation);
        true
    }

    /// Executes a plan and says so. True where another look should follow.
    pub(super) async fn sync(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        attempt: Attempt,
    ) -> bool {
        let commit = attempt.trusted.revision.commit.clone();
        let digest = attempt.plan.digest();
        let patience = job.health_timeout;
        if gate::is_waiting(status) {
            let newer = format!("{:?} to {commit} takes its place", attempt.kind);
            operation::finish(status, OperationPhase::Superseded, newer);
        }
        self.gate = gate::Gate::default();
        self.interrupted = None;
        let begun = OperationState {
            id: attempt.id.clone(),
            kind: attempt.kind,
            message: format!("{} steps", attempt.plan.steps.len()),
            revision: commit.clone(),
            requested: attempt.trusted.revision.requested.clone(),
            plan_digest: digest.clone(),
            policies: attempt.plan.policies.clone(),
            initiated_by: attempt.by.clone(),
            retries: attempt.retries,
            resources: attempt.resources.clone(),
            ..OperationState::default()
        };
        operation::begin(status, begun);
        if attempt.approval.is_none() && !attempt.plan.steps.is_empty() {
            // What is held is shown once the rest is done: then its digest stays what it is.
            status.pending_approval = None;
        }
        // Said before anything is done; where it cannot be said, the API server is away and nothing can be done either.
        if self.write(status.clone()).await.is_err() {
            self.failures += 1;
            return false;
        }
        tracing::info!(application = %self.key, commit, plan = digest, by = attempt.by, steps = attempt.plan.steps.len(), "sync begins");
        let executed = self.execute(application, job, status, &attempt, patience).await;
        self.conclude(status, job, attempt, executed, digest, patience)
            .await
    }

    async fn execute(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        attempt: &Attempt,
        patience: Duration,
    ) -> Executed {
        let (pipeline, approved) = (&self.shared.pipeline, attempt.approval.is_some());
        let afterwards = pipeline.members_after(job, &attempt.prepared, &attempt.plan, approved);
        let parent = Parent {
            finalizers: self.finalizers(application),
            ..self.parent(job, afterwards)
        };
        let (tell, mut told) = mpsc::unbounded_channel();
        let wave = Arc::new(Mutex::new(String::new()));
        let waiting = Waiting {
            shared: Arc::clone(&self.shared),
            job: job.clone(),
            manifests: Arc::clone(&attempt.manifests),
            wake: Arc::clone(&self.wake),
            application: self.application.clone(),
            generation: application.metadata.generation,
            commit: attempt.trusted.revision.commit.clone(),
            follows: attempt.follows,
            deletes: false,
            looked: Arc::new(Mutex::new((Instant::now(), None))),
            expectations: Arc::new(Expectation::all(&attempt.plan)),
            wave: Arc::clone(&wave),
            tell,
        };
        let waiter = waiting.waiter();
        let shared = Arc::clone(&self.shared);
        let mut done: Vec<Outcome> = Vec::new();
        let mut events = |event: Event| match event {
            Event::Stored(object) => shared.observer.learn(&object),
            Event::Gone(reference) => shared.observer.forget(&reference.key()),
            Event::Waiting { name, .. } => *wave.lock().unwrap_or_else(PoisonError::into_inner) = name,
            Event::Done(outcome) => done.push(outcome),
            Event::Later { object, why } => tracing::debug!(%object, why, "not taken yet"),
            Event::Rehearsing { .. } | Event::Wave { .. } => {}
        };
        let options = sluice_apply::Options {
            wave_timeout: patience,
            rehearse: match attempt.kind {
                OperationKind::DryRun => Rehearse::Only,
                _ => self.shared.options.apply.rehearse,
            },
            ..self.shared.options.apply
        };
        let manifests = attempt.prepared.manifests();
        let request = Request {
            plan: &attempt.plan,
            manifests: &manifests,
            approval: attempt.approval.as_deref(),
            parent: Some(&parent),
            options,
        };
        let mut now = self.application.clone();
        let mut quiet = true;
        let late = tokio::time::sleep(QUIET);
        tokio::pin!(late);
        let stop = {
            let work = sluice_apply::apply(&attempt.prepared.cluster, request, &waiter, &mut events);
            tokio::pin!(work);
            loop {
                if let Some(stop) = now
                    .borrow_and_update()
                    .as_deref()
                    .and_then(|now| stop(now, attempt.kind))
                {
                    break stop;
                }
                tokio::select! {
                    finished = &mut work => {
                        if finished.failure.is_none() && parent.finalizers.is_some() {
                            self.finalizers.clone_from(&parent.finalizers);
                        }
                        return Executed { finished, stopped: None };
                    }
                    Ok(()) = now.changed() => {}
                    () = &mut late, if quiet => {
                        quiet = false;
                        self.tell_start(attempt);
                    }
                    Some(waiting) = told.recv() => {
                        if let Some(operation) = &mut status.operation {
                            operation.message = waiting.to_string();
                            operation.waiting_for = Some(waiting);
                        }
                        // Only for people who look meanwhile; the end is written in any case.
                        let _unseen = self.write(status.clone()).await;
                    }
                }
            }
        };
        let reason = match &stop {
            Stop::Terminated(by) => format!("it was terminated by {by}"),
            Stop::Paused(by) => format!("the Application was paused by {by}"),
        };
        Executed {
            finished: Finished {
                outcomes: done,
                sync_fail: Vec::new(),
                held_done: false,
                failure: Some(ApplyError::Abandoned { reason }),
            },
            stopped: Some(stop),
        }
    }

    fn tell_start(&self, attempt: &Attempt) {
        let (commit, digest) = (&attempt.plan.revision, attempt.plan.digest());
        let note = format!("{:?} to {commit}, plan {digest}, by {}", attempt.kind, attempt.by);
        self.tell(Happening::SyncStarted, &note);
    }

    pub(super) fn parent(&self, job: &Job, afterwards: Members) -> Parent {
        Parent {
            reference: self.reference(),
            id: job.applyset(),
            recorded: job.recorded.clone(),
            afterwards,
            finalizers: None,
        }
    }

    /// Corrects the record of members where an operation was interrupted before it could.
    async fn correct_record(&self, job: &Job, prepared: &Prepared) {
        let pipeline = &self.shared.pipeline;
        let afterwards = pipeline.members_after(job, prepared, &prepared.plan, false);
        if job.recorded == afterwards {
            return;
        }
        let parent = self.parent(job, afterwards);
        if let Err(error) = sluice_apply::record(&pipeline.cluster, &parent).await {
            tracing::warn!(application = %self.key, %error, "the record of members could not be corrected");
        }
    }
}

/// Why an operation must write nothing more. A dry run writes nothing anyway.
fn stop(application: &Application, kind: OperationKind) -> Option<Stop> {
    if let Some(by) = actor::annotation(application, TERMINATE_ANNOTATION) {
        return Some(Stop::Terminated(by.to_owned()));
    }
    let pause = application
        .spec
        .pause
        .as_ref()
        .filter(|_| kind != OperationKind::DryRun)?;
    Some(Stop::Paused(super::pausing::who(&pause.by)))
}

/// Who put the approval on, as the API server recorded it; the name of a field manager, where nobody says more.
fn approver(application: &Application) -> String {
    let pointer = format!("f:{APPROVED_PLAN_ANNOTATION}");
    let entries = application.metadata.managed_fields.iter().flatten();
    let manager = entries
        .filter(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            fields
                .and_then(|fields| fields.pointer("/f:metadata/f:annotations"))
                .is_some_and(|annotations| annotations.get(&pointer).is_some())
        })
        .filter_map(|entry| entry.manager.clone())
        .next();
    manager.map_or_else(
        || "approval".to_owned(),
        |manager| format!("approval by {manager}"),
    )
}
