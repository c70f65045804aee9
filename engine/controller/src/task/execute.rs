//! Carrying out a prepared plan, and what is told of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_apply::{ApplyError, Event, Finished, Members, Parent, Rehearse, Request};
use sluice_health::Expectation;
use sluice_model::Application;
use sluice_model::Coded as _;
use sluice_model::application::OperationFailure;
use sluice_model::decision::Propagation;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::{Object, ObjectKey};
use sluice_model::outcome::Outcome;
use sluice_model::plan::{Action, Plan};
use sluice_pipeline::{Job, Live, PipelineError};
use sluice_reconcile::{End, Execution, Observation, Order, Progress, stop};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::assess::Subject;
use super::wait::Waiting;
use super::{Task, summary};
use crate::fleet::Shared;

/// Of a sync that takes no longer only its end is an Event.
const QUIET: Duration = Duration::from_secs(5);

/// A plan that is prepared.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) subject: Subject,
    pub(super) plan: Arc<Plan>,
    /// What was written or deleted of it.
    pub(super) begun: BTreeSet<ObjectKey>,
}

impl Task {
    /// Carries out the prepared plan.
    pub(super) async fn execute(&mut self, order: Order) -> Observation {
        let Some(attempt) = self.attempt.clone() else {
            let error = PipelineError::internal("no plan was prepared");
            return executed(Vec::new(), End::Failed(failure(&error)));
        };
        let subject = &attempt.subject;
        let (commit, plan) = (&order.plan.revision, &order.plan.digest);
        tracing::info!(application = %self.key, commit, plan, steps = order.plan.steps, "sync begins");
        let pipeline = &self.shared.pipeline;
        let afterwards =
            pipeline.members_after(&subject.job, &subject.prepared, &attempt.plan, order.approved);
        let parent = Parent {
            finalizers: self.writer.finalizers(&subject.application),
            ..self.parent(&subject.job, afterwards)
        };
        let finalizers = parent.finalizers.clone();
        let (progress, said) = mpsc::unbounded_channel();
        let work = Work {
            shared: Arc::clone(&self.shared),
            wake: Arc::clone(&self.wake),
            application: self.writer.application.clone(),
            attempt,
            order,
            parent,
            progress,
        };
        let observation = self.follow(Box::pin(work.run()), said).await;
        if let Observation::Executed(execution) = &observation {
            if let Some(attempt) = &mut self.attempt {
                let done = execution
                    .outcomes
                    .iter()
                    .filter(|outcome| outcome.result.is_done());
                attempt.begun = done.map(|outcome| outcome.object.key()).collect();
            }
            if let (End::Done { .. }, Some(finalizers)) = (&execution.end, finalizers) {
                self.writer.wrote_finalizers(finalizers);
            }
            tracing::info!(application = %self.key, summary = execution.summary, "sync ended");
        }
        observation
    }

    /// Returns the record of members as a sync writes it.
    pub(super) fn parent(&self, job: &Job, afterwards: Members) -> Parent {
        Parent {
            reference: self.writer.reference(),
            id: job.applyset(),
            recorded: job.recorded.clone(),
            afterwards,
            finalizers: None,
        }
    }

    /// Corrects the record of members if an operation was interrupted before it could.
    pub(super) async fn correct_record(&self) {
        let Some(Subject { job, prepared, .. }) = &self.subject else {
            return;
        };
        let pipeline = &self.shared.pipeline;
        let afterwards = pipeline.members_after(job, prepared, &prepared.plan, false);
        if job.recorded != afterwards {
            let parent = self.parent(job, afterwards);
            // The next sync corrects it otherwise.
            if let Err(error) = sluice_apply::record(&pipeline.target, &parent).await {
                tracing::warn!(application = %self.key, %error, "the record of members could not be corrected");
            }
        }
    }

    /// Ends the hooks that still run for an operation that was terminated.
    pub(super) async fn stop_hooks(&self) -> Result<(), PipelineError> {
        let Some(Attempt { subject, plan, begun }) = &self.attempt else {
            return Ok(());
        };
        let hooks: BTreeSet<ObjectKey> = plan
            .steps
            .iter()
            .filter(|step| matches!(&step.action, Action::Apply { cleanup, .. } if !cleanup.is_empty()))
            .map(|step| step.object.key())
            .filter(|hook| begun.contains(hook))
            .collect();
        if hooks.is_empty() {
            return Ok(());
        }
        let (pipeline, job) = (&self.shared.pipeline, &subject.job);
        let kinds = pipeline.kinds(job, &subject.manifests).await?;
        let found = self.shared.observer.snapshot(&kinds, &job.applyset());
        let members = Live::of_members(found, &subject.manifests).members;
        let live = members.values().filter(|object| hooks.contains(&object.key()));
        let live: Vec<&Object> = live.collect();
        let now = jiff::Timestamp::now();
        let answer = pipeline.judge(&job.spec.policies, &live, now).await?;
        let over = |verdict: &HealthVerdict| {
            matches!(verdict.status, HealthStatus::Healthy | HealthStatus::Degraded)
        };
        for (hook, _) in live
            .iter()
            .zip(answer.value)
            .filter(|(_, verdict)| !over(verdict))
        {
            sluice_apply::remove_hook(&subject.prepared.cluster, hook, Propagation::Background).await?;
            self.shared.observer.forget(&hook.key());
        }
        Ok(())
    }
}

/// One execution, with everything that it needs.
struct Work {
    shared: Arc<Shared>,
    wake: Arc<crate::fleet::Wake>,
    application: watch::Receiver<Option<Arc<Application>>>,
    attempt: Attempt,
    order: Order,
    parent: Parent,
    progress: mpsc::UnboundedSender<Progress>,
}

impl Work {
    async fn run(self) -> Observation {
        let Self {
            shared,
            attempt: Attempt { subject, plan, .. },
            order,
            ..
        } = &self;
        let wave = Arc::new(Mutex::new(String::new()));
        let waiting = Waiting {
            shared: Arc::clone(shared),
            job: subject.job.clone(),
            manifests: Arc::clone(&subject.manifests),
            wake: Arc::clone(&self.wake),
            application: self.application.clone(),
            generation: order.generation,
            commit: order.plan.revision.clone(),
            follows: order.follows,
            taken_at: order.taken_at,
            deletes: false,
            looked: Arc::new(Mutex::new((Instant::now(), None))),
            expectations: Arc::new(Expectation::all(plan)),
            wave: Arc::clone(&wave),
            progress: self.progress.clone(),
        };
        let waiter = waiting.waiter();
        let mut done: Vec<Outcome> = Vec::new();
        let mut events = |event: Event| match event {
            Event::Stored(object) => shared.observer.learn(&object),
            Event::Gone(reference) => shared.observer.forget(&reference.key()),
            Event::Waiting { name, .. } => {
                self.advance(Progress::Wave(name.clone()));
                *wave.lock().unwrap_or_else(PoisonError::into_inner) = name;
            }
            Event::Done(outcome) => done.push(outcome),
            Event::Later { object, why } => tracing::debug!(%object, why, "not taken yet"),
            Event::Rehearsing { .. } | Event::Wave { .. } => {}
        };
        let options = sluice_apply::Options {
            wave_timeout: subject.job.health_timeout,
            rehearse: match order.dry_run {
                true => Rehearse::Only,
                false => shared.options.apply.rehearse,
            },
            ..shared.options.apply
        };
        let manifests = subject.prepared.manifests();
        let request = Request {
            plan,
            manifests: &manifests,
            approval: order.approved.then_some(order.plan.digest.as_str()),
            parent: Some(&self.parent),
            options,
        };
        let ended = {
            let work = sluice_apply::apply(&subject.prepared.cluster, request, &waiter, &mut events);
            tokio::pin!(work);
            let mut now = self.application.clone();
            let late = tokio::time::sleep(QUIET);
            tokio::pin!(late);
            let mut quiet = true;
            loop {
                let seen = now.borrow_and_update().clone();
                if let Some(stop) = seen.and_then(|seen| stop(&seen, order)) {
                    break Err(stop);
                }
                tokio::select! {
                    finished = &mut work => break Ok(finished),
                    Ok(()) = now.changed() => {}
                    () = &mut late, if quiet => {
                        quiet = false;
                        self.advance(Progress::TakesLong);
                    }
                }
            }
        };
        match ended {
            Ok(finished) => self.finished(finished),
            Err(stop) => {
                let reason = stop.reason();
                let error = PipelineError::Apply(ApplyError::Abandoned { reason });
                executed(done, End::Stopped(stop, failure(&error)))
            }
        }
    }

    fn advance(&self, progress: Progress) {
        // If the task is gone, no status need tell of it.
        let _unheard = self.progress.send(progress);
    }

    /// What the stage says it came to.
    fn finished(&self, finished: Finished) -> Observation {
        let Finished {
            outcomes,
            sync_fail,
            held_done,
            failure: failed,
        } = finished;
        let Some(error) = failed else {
            let unjudged = unjudged(&outcomes);
            return executed(outcomes, End::Done { held_done, unjudged });
        };
        if self.shared.ending.is_cancelled() && matches!(error, ApplyError::Abandoned { .. }) {
            return executed(outcomes, End::ControllerEnds);
        }
        let moved_on = matches!(error, ApplyError::MovedOn { .. });
        let abandoned = matches!(error, ApplyError::Abandoned { .. });
        let error = PipelineError::Apply(error);
        super::log(&self.attempt.subject.job.key, &error);
        let OperationFailure { code, message } = failure(&error);
        let failure = OperationFailure {
            code,
            message: summary::with_hooks(message, &sync_fail),
        };
        let end = match (moved_on, abandoned) {
            (true, _) => End::MovedOn(failure),
            (_, true) => End::Superseded(failure),
            (false, false) => End::Failed(failure),
        };
        executed(outcomes, end)
    }
}

fn executed(outcomes: Vec<Outcome>, end: End) -> Observation {
    Observation::Executed(Box::new(Execution {
        summary: summary::summary(&outcomes),
        outcomes,
        end,
    }))
}

/// A failure as the core has it: code, causes and hint.
pub(super) fn failure(error: &PipelineError) -> OperationFailure {
    OperationFailure {
        code: error.code().id.to_owned(),
        message: summary::failure(error),
    }
}

/// What a dry run could not judge: the first few objects, and what they rest on.
fn unjudged(outcomes: &[Outcome]) -> Option<String> {
    const SHOWN: usize = 5;
    let open: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| !outcome.rests_on.is_empty())
        .collect();
    let shown: Vec<String> = open
        .iter()
        .take(SHOWN)
        .map(|outcome| format!("{} is {}", outcome.object, outcome.message))
        .collect();
    let more = match open.len() > SHOWN {
        true => format!("; and {} more", open.len() - SHOWN),
        false => String::new(),
    };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::ObjectRef;
    use sluice_model::outcome::StepResult;

    fn outcome(name: &str, message: &str, rests_on: &[&str]) -> Outcome {
        let object = |kind: &str, name: &str| ObjectRef {
            group: String::new(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        };
        Outcome {
            object: object("Service", name),
            result: StepResult::Created,
            message: message.to_owned(),
            rests_on: rests_on
                .iter()
                .map(|name| object("ResourceQuota", name))
                .collect(),
        }
    }

    #[test]
    fn what_a_dry_run_could_not_judge_is_known_by_what_it_rests_on() {
        let later = "rehearsed later: rests on ResourceQuota shop/limits";
        let sure = outcome("sure", "", &[]);
        // Words are for people: a webhook may use the same ones.
        let said = outcome("said", later, &[]);
        assert_eq!(unjudged(&[sure.clone(), said]), None);
        let open = outcome("a", later, &["limits"]);
        let text = "Service shop/a is rehearsed later: rests on ResourceQuota shop/limits";
        assert_eq!(unjudged(&[sure, open.clone()]).as_deref(), Some(text));
        let many = vec![open; 7];
        assert!(unjudged(&many).is_some_and(|text| text.ends_with("; and 2 more")));
    }
}
