//! What somebody asks for: taken up once, refused with a code where it cannot be done.

use std::sync::Arc;

use sluice_model::Application;
use sluice_model::application::{
    ApplicationStatus, OPERATION_ANNOTATION, OperationKind, OperationPhase, OperationRequest, OperationState,
    TERMINATE_ANNOTATION,
};
use sluice_model::selection::Selector;
use sluice_plan::Hooks;
use sluice_report::events::Happening;
use tokio::time::Instant;

use super::actor::{Actor, annotation};
use super::look::Looked;
use super::operation::{self, AUTOMATIC};
use super::standing;
use super::syncing::Attempt;
use crate::error::PipelineError;
use crate::pipeline::{Intent, Job};

/// What kind of operation a request is, as far as it says so itself.
fn kind(request: &OperationRequest) -> OperationKind {
    match (request.dry_run, request.resources.is_empty()) {
        (true, _) => OperationKind::DryRun,
        (false, false) => OperationKind::SelectiveSync,
        (false, true) => OperationKind::Sync,
    }
}

impl Actor {
    /// Takes the operation that somebody asks for, if somebody does.
    pub(super) async fn take_request(
        &mut self,
        application: &Application,
        status: &mut ApplicationStatus,
    ) -> Option<OperationRequest> {
        let text = annotation(application, OPERATION_ANNOTATION)?.to_owned();
        // Taken once: where it cannot be removed it is not begun.
        if self.remove_annotations(&[OPERATION_ANNOTATION]).await.is_err() {
            self.failures += 1;
            return None;
        }
        match serde_json::from_str::<OperationRequest>(&text) {
            Ok(request) => Some(request),
            Err(error) => {
                let message = standing::unreadable_request(&error);
                self.tell(Happening::RequestRefused, &message);
                let (id, by) = ("unreadable".to_owned(), "unknown".to_owned());
                operation::refuse(status, id, OperationKind::Sync, by, message);
                None
            }
        }
    }

    /// Does what somebody asked for. True where another look should follow at once.
    pub(super) async fn obey(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        status: &mut ApplicationStatus,
        looked: Looked,
        request: OperationRequest,
    ) -> bool {
        self.healing.looked = true;
        match self.requested(job, status, looked, &request).await {
            Ok(attempt) => self.sync(application, job, status, attempt).await,
            Err(error) => {
                self.note_failure(&error);
                let message = standing::failure(&error);
                self.tell(Happening::RequestRefused, &message);
                operation::refuse(
                    status,
                    request.id.clone(),
                    kind(&request),
                    request.requested_by,
                    message,
                );
                false
            }
        }
    }

    /// A request cannot be done because it is not known what Git wants: that is its result.
    pub(super) fn give_up_request(&mut self, status: &mut ApplicationStatus, request: OperationRequest) {
        let failed = status
            .conditions
            .iter()
            .find(|condition| condition.status == "False");
        let message = failed.map_or_else(
            || "the application could not be looked at".to_owned(),
            |failed| failed.message.clone(),
        );
        operation::refuse(
            status,
            request.id.clone(),
            kind(&request),
            request.requested_by,
            message,
        );
    }

    /// What a person asked for: this revision or another one, all of it or some objects.
    async fn requested(
        &mut self,
        job: &Job,
        status: &mut ApplicationStatus,
        looked: Looked,
        request: &OperationRequest,
    ) -> Result<Attempt, PipelineError> {
        if let Some(pause) = job.spec.pause.as_ref().filter(|_| !request.dry_run) {
            return Err(PipelineError::Paused {
                by: super::pausing::who(&pause.by),
                reason: pause.reason.clone(),
            });
        }
        let Looked {
            mut trusted,
            mut manifests,
            mut prepared,
            ..
        } = looked;
        if let Some(name) = request.revision.as_deref() {
            let shared = Arc::clone(&self.shared);
            let pipeline = &shared.pipeline;
            let found = pipeline.find(job, Some(name), Instant::now()).await?;
            if found.revision.commit != trusted.revision.commit {
                if job.spec.sync_policy.automated.is_some() && !request.dry_run {
                    return Err(PipelineError::Automated {
                        wanted: trusted.revision.commit,
                        asked: found.revision.commit,
                    });
                }
                let now = jiff::Timestamp::now();
                trusted = self.trusted_by_name(job, status, &found).await?;
                manifests = Arc::new(pipeline.manifests(job, &trusted).await?);
                let mut live = self.live(job, &manifests).await?;
                self.settle_claims(&mut live, &manifests).await;
                let intent = Intent::whole(&trusted.revision.commit);
                prepared = pipeline.prepare(job, intent, &manifests, &live, now).await?;
            }
        }
        if !prepared.has(&request.resources) {
            let asked = request
                .resources
                .iter()
                .map(Selector::to_string)
                .collect::<Vec<_>>();
            return Err(PipelineError::NothingSelected {
                asked: asked.join(", "),
            });
        }
        if prepared.is_empty_by_mistake() {
            return Err(PipelineError::Empty);
        }
        let hooks = match request.resources.is_empty() || request.with_hooks {
            true => Hooks::Always,
            false => Hooks::Never,
        };
        let plan = prepared.plan_of(request.prune, hooks, &request.resources);
        let goes_back = job.spec.pin.is_some() && status.sync.revision != trusted.revision.commit;
        Ok(Attempt {
            id: request.id.clone(),
            kind: match kind(request) {
                OperationKind::Sync if goes_back => OperationKind::Rollback,
                kind => kind,
            },
            by: request.requested_by.clone(),
            plan,
            prepared,
            manifests,
            trusted,
            approval: None,
            retries: 0,
            follows: request.revision.is_none() && job.spec.pin.is_none(),
            resources: request.resources.clone(),
        })
    }

    /// Ends what is going on, or is about to be tried again, where somebody wants that.
    pub(super) async fn take_termination(
        &mut self,
        application: &Application,
        status: &mut ApplicationStatus,
    ) {
        let Some(by) = annotation(application, TERMINATE_ANNOTATION).map(str::to_owned) else {
            return;
        };
        if self.remove_annotations(&[TERMINATE_ANNOTATION]).await.is_err() {
            self.failures += 1;
            return;
        }
        let message =
            format!("it was terminated by {by}; a sync that is asked for, or a new commit, goes on");
        let is_retried = |last: &OperationState| last.id == AUTOMATIC && last.phase == OperationPhase::Failed;
        match &mut status.operation {
            Some(last) if is_retried(last) => {
                // Begun anew, as it would be, and ended at once.
                last.phase = OperationPhase::Running;
                let message = format!("{message}; before that: {}", last.message);
                operation::finish(status, OperationPhase::Terminated, message);
            }
            Some(last) if last.phase == OperationPhase::Running => {
                operation::finish(status, OperationPhase::Terminated, message.clone());
            }
            Some(_) | None => return,
        }
        self.tell(Happening::SyncTerminated, &message);
    }
}
