//! Whether to sync, and doing it.

use std::sync::{Arc, Mutex};

use sluice_apply::{Event, Finished, Members, Parent, Request};
use sluice_model::Application;
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, ApplicationStatus, HistoryEntry, OperationPhase, OperationRequest,
    OperationState, SyncStatus,
};
use sluice_model::manifest::Manifest;
use sluice_model::plan::Plan;
use sluice_plan::Hooks;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::actor::{self, Actor, now};
use super::look::Looked;
use super::waiting::Waiting;
use super::{pace, standing};
use crate::error::PipelineError;
use crate::pipeline::{Intent, Job, Prepared, Trusted};

/// The id of what nobody asked for.
const AUTOMATIC: &str = "auto";
/// As many syncs are remembered as Argo CD remembers.
const HISTORY: usize = 10;
/// A plan that the cluster overtook is made anew at once, this often in a row.
const OVERTAKEN: u32 = 3;
/// Drift that stays away for so long begins a new count.
const HEALED_FOR_GOOD: std::time::Duration = std::time::Duration::from_secs(600);

/// How often drift was undone lately.
#[derive(Debug, Default)]
pub(crate) struct Healing {
    times: usize,
    last: Option<Instant>,
    overtaken: u32,
    looked: bool,
}

impl Healing {
    /// True until the first decision was made.
    pub(crate) fn is_new(&self) -> bool {
        !self.looked
    }

    /// When drift may be undone again.
    fn due(&mut self, now: Instant) -> Instant {
        match self.last {
            Some(last) if now.duration_since(last) > HEALED_FOR_GOOD => {
                self.times = 0;
                now
            }
            Some(last) => last + pace::before_healing(self.times),
            None => now,
        }
    }
}

/// One sync that is to be done.
struct Attempt {
    id: String,
    by: String,
    plan: Plan,
    prepared: Prepared,
    manifests: Arc<Vec<Manifest>>,
    trusted: Trusted,
    approval: Option<String>,
    heals: bool,
    retries: u32,
    follows: bool,
}

impl Actor {
    /// Does what a look calls for. True where another look should follow at once.
    pub(crate) async fn act(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        looked: Looked,
        request: Option<OperationRequest>,
    ) -> bool {
        self.healing.looked = true;
        let Looked {
            trusted,
            manifests,
            prepared,
            ..
        } = looked;
        if let Some(request) = request {
            return match self
                .requested(job, request.clone(), trusted, manifests, prepared)
                .await
            {
                Ok(attempt) => self.sync(application, job, status, attempt).await,
                Err(error) => {
                    self.note_failure(&error);
                    let message = standing::failure(&error);
                    self.tell(Happening::SyncFailed, &message).await;
                    refuse(status, request.id, request.requested_by, message);
                    false
                }
            };
        }
        let digest = prepared.plan.digest();
        if let Some(approved) = actor::approved(application).filter(|_| !prepared.plan.held.is_empty()) {
            if approved == digest {
                let plan = prepared.plan.clone();
                let attempt = Attempt {
                    id: "approval".to_owned(),
                    by: approver(application),
                    plan,
                    prepared,
                    manifests,
                    trusted,
                    approval: Some(digest),
                    heals: false,
                    retries: 0,
                    follows: false,
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
        if status.sync.status == SyncStatus::Synced {
            self.correct_record(job, &prepared).await;
            self.arrived(status, &trusted);
            return false;
        }
        match self.automatic(job, status, &trusted, &prepared) {
            Decision::Nothing => false,
            Decision::Arrived => {
                self.arrived(status, &trusted);
                false
            }
            Decision::Later(when, finding) => {
                self.due = Some(self.due.map_or(when, |due| due.min(when)));
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
                let attempt = Attempt {
                    id: AUTOMATIC.to_owned(),
                    by: if heals {
                        "self-heal".to_owned()
                    } else {
                        "automation".to_owned()
                    },
                    plan,
                    prepared,
                    manifests,
                    trusted,
                    approval: None,
                    heals,
                    retries,
                    follows: true,
                };
                self.sync(application, job, status, attempt).await
            }
        }
    }

    /// The cluster is where this revision wants it, as far as anybody let it.
    fn arrived(&mut self, status: &mut ApplicationStatus, trusted: &Trusted) {
        status.sync.revision.clone_from(&trusted.revision.commit);
        status.sync.target = None;
        self.synced_generation = self.generation();
        self.healing.overtaken = 0;
    }

    /// What a person asked for: this revision or another one, with its hooks.
    async fn requested(
        &mut self,
        job: &Job,
        request: OperationRequest,
        trusted: Trusted,
        manifests: Arc<Vec<Manifest>>,
        prepared: Prepared,
    ) -> Result<Attempt, PipelineError> {
        let (trusted, manifests, prepared) = match request.revision.as_deref() {
            None => (trusted, manifests, prepared),
            Some(name) => {
                let pipeline = &self.shared.pipeline;
                let found = pipeline.find(job, Some(name), Instant::now()).await?;
                if found.revision.commit == trusted.revision.commit {
                    (trusted, manifests, prepared)
                } else {
                    let now = jiff::Timestamp::now();
                    let trusted = pipeline.trusted(job, Some(name)).await?;
                    let manifests = Arc::new(pipeline.manifests(job, &trusted).await?);
                    let live = self.live(job, &manifests).await?;
                    let intent = Intent::whole(&trusted.revision.commit);
                    let prepared = pipeline.prepare(job, intent, &manifests, &live, now).await?;
                    (trusted, manifests, prepared)
                }
            }
        };
        let plan = prepared.plan_for(request.prune, Hooks::Always);
        let follows = request.revision.is_none();
        let by = request.requested_by;
        Ok(Attempt {
            id: request.id,
            by,
            plan,
            prepared,
            manifests,
            trusted,
            approval: None,
            heals: false,
            retries: 0,
            follows,
        })
    }

    /// Whether the automation syncs now.
    fn automatic(
        &mut self,
        job: &Job,
        status: &ApplicationStatus,
        trusted: &Trusted,
        prepared: &Prepared,
    ) -> Decision {
        let Some(automated) = job.spec.sync_policy.automated else {
            return Decision::Nothing;
        };
        if prepared.is_empty_by_mistake() {
            return Decision::Nothing;
        }
        let commit = &trusted.revision.commit;
        let moved = status.sync.revision != *commit || self.synced_generation != self.generation();
        // A failure says nothing about a spec that was changed since.
        let same_spec = self
            .failed_generation
            .is_none_or(|failed| Some(failed) == self.generation());
        let last = status
            .operation
            .as_ref()
            .filter(|last| last.id == AUTOMATIC && last.revision == *commit);
        let failed = last.filter(|last| last.phase == OperationPhase::Failed && same_spec);
        let hooks = match (failed.is_some(), moved) {
            (true, _) => Hooks::Always,
            (false, true) => Hooks::WithChanges,
            (false, false) => Hooks::Never,
        };
        let plan = prepared.plan_for(automated.prune, hooks);
        match (plan.blocked.is_empty(), plan.steps.is_empty()) {
            (false, _) => return Decision::Nothing,
            (true, true) => return Decision::Arrived,
            (true, false) => {}
        }
        if let Some(failed) = failed {
            return self.again(job, failed, plan);
        }
        if moved {
            return Decision::Now {
                plan,
                heals: false,
                retries: 0,
            };
        }
        if !automated.self_heal {
            return Decision::Nothing;
        }
        let now = Instant::now();
        match self.healing.due(now) {
            due if due > now => Decision::Later(due, None),
            _ => Decision::Now {
                plan,
                heals: true,
                retries: 0,
            },
        }
    }

    /// Whether a failed sync is tried again.
    fn again(&self, job: &Job, failed: &OperationState, plan: Plan) -> Decision {
        let retry = &job.spec.sync_policy.retry;
        let commit = failed.revision.get(..12).unwrap_or(&failed.revision);
        if failed.retries >= retry.limit {
            let message = format!(
                "syncing {commit} failed {} times and is not tried again: {}",
                failed.retries + 1,
                failed.message
            );
            return Decision::Failed(Finding::no(code_of(failed), message));
        }
        let wait = match pace::before_retry(&retry.backoff, failed.retries) {
            Ok(wait) => wait,
            Err(error) => return Decision::Failed(Finding::failed(&error)),
        };
        let finished = failed
            .finished_at
            .as_ref()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let passed = finished.map_or(wait, |at| {
            std::time::Duration::try_from(jiff::Timestamp::now().duration_since(at)).unwrap_or_default()
        });
        match wait.checked_sub(passed).filter(|rest| !rest.is_zero()) {
            Some(rest) => Decision::Later(
                Instant::now() + rest,
                Some(Finding::no(
                    code_of(failed),
                    format!("syncing {commit} failed and is tried again: {}", failed.message),
                )),
            ),
            None => Decision::Now {
                plan,
                heals: false,
                retries: failed.retries + 1,
            },
        }
    }

    /// Executes a plan and says so. True where another look should follow.
    async fn sync(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        attempt: Attempt,
    ) -> bool {
        let commit = attempt.trusted.revision.commit.clone();
        let digest = attempt.plan.digest();
        status.operation = Some(OperationState {
            id: attempt.id.clone(),
            phase: OperationPhase::Running,
            message: format!("{} steps", attempt.plan.steps.len()),
            revision: commit.clone(),
            plan_digest: digest.clone(),
            initiated_by: attempt.by.clone(),
            started_at: now(),
            finished_at: None,
            retries: attempt.retries,
        });
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
        if !attempt.heals {
            self.tell(
                Happening::SyncStarted,
                &format!("to {commit}, plan {digest}, by {}", attempt.by),
            )
            .await;
        }
        let finished = self.execute(application, job, status, &attempt).await;
        self.conclude(status, attempt, finished, digest).await
    }

    async fn execute(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        attempt: &Attempt,
    ) -> Finished {
        let afterwards = match attempt.approval {
            Some(_) => attempt.prepared.afterwards_approved.clone(),
            None => attempt.prepared.afterwards.clone(),
        };
        let parent = self.parent(job, afterwards);
        let (tell, mut told) = mpsc::unbounded_channel();
        let waiting = Waiting {
            shared: Arc::clone(&self.shared),
            job: job.clone(),
            manifests: Arc::clone(&attempt.manifests),
            wake: Arc::clone(&self.wake),
            application: self.application.clone(),
            generation: application.metadata.generation,
            commit: attempt.trusted.revision.commit.clone(),
            follows: attempt.follows,
            looked: Arc::new(Mutex::new(Instant::now())),
            tell,
        };
        let waiter = waiting.waiter();
        let shared = Arc::clone(&self.shared);
        let mut events = |event: Event| match event {
            Event::Stored(object) => shared.observer.learn(&object),
            Event::Gone(reference) => shared.observer.forget(&reference.key()),
            Event::Rehearsing { .. } | Event::Wave { .. } | Event::Waiting { .. } | Event::Done(_) => {}
        };
        let request = Request {
            plan: &attempt.plan,
            manifests: &attempt.prepared.manifests,
            approval: attempt.approval.as_deref(),
            parent: Some(&parent),
            options: self.shared.options.apply,
        };
        let work = sluice_apply::apply(&attempt.prepared.cluster, request, &waiter, &mut events);
        tokio::pin!(work);
        loop {
            tokio::select! {
                finished = &mut work => return finished,
                Some(message) = told.recv() => {
                    if let Some(operation) = &mut status.operation {
                        operation.message = format!("waiting for {message}");
                    }
                    // Only for people who look meanwhile; the end is written in any case.
                    let _unseen = self.write(status.clone()).await;
                }
            }
        }
    }

    fn parent(&self, job: &Job, afterwards: Members) -> Parent {
        Parent {
            reference: self.reference(),
            id: job.applyset(),
            recorded: job.recorded.clone(),
            afterwards,
        }
    }

    /// Corrects the record of members where an operation was interrupted before it could.
    async fn correct_record(&self, job: &Job, prepared: &Prepared) {
        if job.recorded == prepared.afterwards {
            return;
        }
        let parent = self.parent(job, prepared.afterwards.clone());
        if let Err(error) = sluice_apply::record(&self.shared.pipeline.cluster, &parent).await {
            tracing::warn!(application = %self.key, %error, "the record of members could not be corrected");
        }
    }

    async fn conclude(
        &mut self,
        status: &mut ApplicationStatus,
        attempt: Attempt,
        finished: Finished,
        digest: String,
    ) -> bool {
        let summary = standing::summary(&finished.outcomes);
        let commit = attempt.trusted.revision.commit.clone();
        let Some(operation) = &mut status.operation else {
            return false;
        };
        operation.finished_at = Some(now());
        if attempt.heals {
            self.healing.times += 1;
            self.healing.last = Some(Instant::now());
        }
        if let Some(failure) = finished.failure {
            let overtaken = matches!(failure, sluice_apply::ApplyError::MovedOn { .. });
            let failure = PipelineError::Apply(failure);
            let message = standing::failure(&failure);
            self.note_failure(&failure);
            operation.phase = OperationPhase::Failed;
            operation.message.clone_from(&message);
            self.failed_generation = self.generation();
            if overtaken && self.healing.overtaken < OVERTAKEN && attempt.id == AUTOMATIC {
                // Not a failure of this revision: the next plan takes what changed into account.
                self.healing.overtaken += 1;
                status.operation = None;
                return true;
            }
            self.finding(
                status,
                conditions::SYNCED,
                Finding {
                    message: message.clone(),
                    ..Finding::failed(&failure)
                },
            );
            self.tell(Happening::SyncFailed, &message).await;
            // What was done before the failure shows in another look, and so does the time of the next try.
            return attempt.id == AUTOMATIC
                || finished.outcomes.iter().any(|outcome| is_done(outcome.result));
        }
        self.healing.overtaken = 0;
        operation.phase = OperationPhase::Succeeded;
        operation.message.clone_from(&summary);
        status.sync.revision.clone_from(&commit);
        status.sync.target = None;
        self.synced_generation = self.generation();
        let entry = HistoryEntry {
            id: status.history.first().map_or(1, |last| last.id + 1),
            revision: commit.clone(),
            deployed_at: now(),
            initiated_by: attempt.by.clone(),
            plan_digest: digest.clone(),
            signer: status
                .verification
                .as_ref()
                .and_then(|state| state.signer.clone()),
            summary: summary.clone(),
        };
        status.history.insert(0, entry);
        status.history.truncate(HISTORY);
        tracing::info!(application = %self.key, commit, summary, "sync done");
        if finished.held_done {
            // The approval is used up; a new plan needs a new one.
            if self
                .remove_annotations(&[APPROVED_PLAN_ANNOTATION])
                .await
                .is_err()
            {
                self.failures += 1;
            }
            self.tell(Happening::DeletionsApproved, &format!("plan {digest}: {summary}"))
                .await;
        }
        let held = attempt.plan.held.len();
        if held > 0 && !finished.held_done {
            self.tell(
                Happening::DeletionsHeld,
                &format!("{held} deletions wait for approval; see `sluice status`"),
            )
            .await;
        }
        let happening = if attempt.heals {
            Happening::Healed
        } else {
            Happening::SyncSucceeded
        };
        self.tell(happening, &format!("{commit}: {summary}")).await;
        true
    }
}

fn is_done(result: sluice_model::outcome::StepResult) -> bool {
    use sluice_model::outcome::StepResult;
    matches!(
        result,
        StepResult::Created | StepResult::Configured | StepResult::Deleted
    )
}

/// The code that the message of a failed operation begins with.
fn code_of(failed: &OperationState) -> &str {
    failed
        .message
        .split(':')
        .next()
        .filter(|code| code.len() == 3)
        .unwrap_or("SyncFailed")
}

/// What the automation does.
enum Decision {
    Nothing,
    /// All that it may do is done: the cluster is at this revision, whatever still waits for a person.
    Arrived,
    Later(Instant, Option<Finding>),
    Failed(Finding),
    Now {
        plan: Plan,
        heals: bool,
        retries: u32,
    },
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

/// An operation that ended before it began.
pub(crate) fn refuse(status: &mut ApplicationStatus, id: String, by: String, message: String) {
    status.operation = Some(OperationState {
        id,
        phase: OperationPhase::Failed,
        message,
        revision: String::new(),
        plan_digest: String::new(),
        initiated_by: by,
        started_at: now(),
        finished_at: Some(now()),
        retries: 0,
    });
}

/// An operation that was under way when the controller ended. The automation goes on by itself; what a person asked for has to
/// be asked for again.
pub(crate) fn interrupted(status: &mut ApplicationStatus, first_look: bool) {
    if !first_look || !actor::is_running(status) {
        return;
    }
    match &mut status.operation {
        Some(operation) if operation.id != AUTOMATIC => {
            operation.phase = OperationPhase::Failed;
            operation.message = "the controller was restarted meanwhile; ask again to go on".to_owned();
            operation.finished_at = Some(now());
        }
        operation => *operation = None,
    }
}
