//! Preparing the plan that a decision comes to: the whole of it, a part, or that of another revision.

use std::collections::BTreeSet;
use std::sync::Arc;

use sluice_model::application::{OperationFailure, OperationRequest};
use sluice_model::plan::Plan;
use sluice_model::selection::Selector;
use sluice_pipeline::{Intent, PipelineError, id_of};
use sluice_plan::Hooks;
use sluice_reconcile::{PlanFacts, Wanted};
use tokio::time::Instant;

use super::assess::{Draft, Subject};
use super::execute::{Attempt, failure};
use super::{Task, log};

impl Task {
    /// Prepares a plan, and keeps it for being carried out.
    pub(super) async fn prepare(&mut self, wanted: Wanted) -> Result<PlanFacts, OperationFailure> {
        self.attempt = None;
        let prepared = match self.subject.clone() {
            Some(subject) => Box::pin(self.plan(wanted, subject)).await,
            None => Err(PipelineError::internal("nothing was assessed")),
        };
        match prepared {
            Ok((subject, plan)) => {
                let facts = subject.facts(&plan);
                self.attempt = Some(Attempt {
                    subject,
                    plan: Arc::new(plan),
                    begun: BTreeSet::new(),
                });
                Ok(facts)
            }
            Err(error) => {
                log(&self.key, &error);
                Err(failure(&error))
            }
        }
    }

    async fn plan(&mut self, wanted: Wanted, subject: Subject) -> Result<(Subject, Plan), PipelineError> {
        match wanted {
            Wanted::Automatic { prune, hooks, .. } => {
                let plan = subject.prepared.plan_for(prune, hooks);
                Ok((subject, plan))
            }
            Wanted::Approved { .. } => {
                let plan = subject.prepared.plan.clone();
                Ok((subject, plan))
            }
            Wanted::Requested(request) => Box::pin(self.requested(&request, subject)).await,
        }
    }

    /// What a person asked for: this revision or another one, all of it or some objects.
    async fn requested(
        &mut self,
        request: &OperationRequest,
        mut subject: Subject,
    ) -> Result<(Subject, Plan), PipelineError> {
        if let Some(name) = request.revision.as_deref() {
            subject = self.at_revision(name, request, subject).await?;
        }
        let prepared = &subject.prepared;
        if !prepared.has(&request.resources) {
            let asked: Vec<String> = request.resources.iter().map(Selector::to_string).collect();
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
        Ok((subject, plan))
    }

    /// The same at a revision that a person named.
    async fn at_revision(
        &mut self,
        name: &str,
        request: &OperationRequest,
        subject: Subject,
    ) -> Result<Subject, PipelineError> {
        let shared = Arc::clone(&self.shared);
        let (pipeline, job) = (&shared.pipeline, &subject.job);
        let mut found = Vec::new();
        let now = Instant::now();
        for (source, revision) in job.sources.iter().zip(job.asked(Some(name))?) {
            found.push(pipeline.find(job, source, revision.as_deref(), now).await?);
        }
        let asked = id_of(&found);
        if asked == subject.trusted.id() {
            return Ok(subject);
        }
        if job.spec.sync_policy.automated.is_some() && !request.dry_run {
            return Err(PipelineError::Automated {
                wanted: subject.trusted.id(),
                asked,
            });
        }
        let now = jiff::Timestamp::now();
        // What is found on the way stands in the status with the next assessment.
        let draft = Draft::new(&subject.application, &self.key, self.state.status().clone());
        let trusted = self.assessor.trust.by_name(job, &draft, &found).await?;
        let manifests = Arc::new(pipeline.manifests(job, &trusted).await?);
        let mut live = self.assessor.live(job, &manifests).await?;
        self.assessor.settle_claims(&mut live, &manifests).await;
        let intent = Intent::whole(&trusted.id());
        let prepared = pipeline.prepare(job, intent, &manifests, &live, now).await?;
        Ok(Subject {
            trusted,
            manifests,
            prepared,
            ..subject
        })
    }
}
