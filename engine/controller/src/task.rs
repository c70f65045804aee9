//! The task of one Application, around the pure core: it waits, hands in what it sees, and carries out what the core decides.
//!
//! One task, so nothing about an Application ever happens twice at once. What it remembers it can lose: the trusted revision, the
//! history, retries and the last operation stand in the status, the members in the ApplySet's record.
//!
//! Where to start reading: `sluice_reconcile::step` for what is decided, then [`Task::run`]. Each effect is carried out in a file of
//! its own: `assess` (with `trust` and `ledger`), `prepare`, `execute` (with `wait`), `delete`; `writer` writes the Application.

mod assess;
mod delete;
mod execute;
mod ledger;
mod prepare;
mod summary;
mod trust;
mod wait;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use sluice_model::Application;
use sluice_model::plan::ApplicationKey;
use sluice_pipeline::PipelineError;
use sluice_reconcile::{Effect, Moment, Next, Now, Observation, Reasons, State, Woken, step};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::fleet::{Shared, Wake};
use assess::{Assessor, Subject};
use delete::Deletion;
use execute::Attempt;
use writer::Writer;

/// Live objects that change together are looked at together.
const GATHER: Duration = Duration::from_millis(100);

/// One Application's task.
pub(crate) struct Task {
    shared: Arc<Shared>,
    key: ApplicationKey,
    wake: Arc<Wake>,
    /// When the clock of the core began.
    start: Instant,
    state: State,
    writer: Writer,
    assessor: Assessor,
    /// What was assessed last, for carrying out what is decided on it.
    subject: Option<Subject>,
    /// The plan that was prepared last.
    attempt: Option<Attempt>,
    /// What the Application owns, while it is being deleted.
    deletion: Option<Deletion>,
}

/// An effect could not be carried out. Why is in the log.
struct Failed;

impl Task {
    pub(crate) fn new(
        shared: Arc<Shared>,
        key: ApplicationKey,
        application: watch::Receiver<Option<Arc<Application>>>,
        wake: Arc<Wake>,
    ) -> Self {
        let poll = shared.options.poll;
        Self {
            state: State::new(key.to_string(), poll, Moment::default()),
            start: Instant::now(),
            writer: Writer::new(Arc::clone(&shared), key.clone(), application),
            assessor: Assessor::new(Arc::clone(&shared), key.clone()),
            subject: None,
            attempt: None,
            deletion: None,
            wake,
            key,
            shared,
        }
    }

    /// Until the Application is gone or the process ends.
    pub(crate) async fn run(mut self) {
        let ending = self.shared.ending.clone();
        let mut due = self.start;
        loop {
            tokio::select! {
                () = ending.cancelled() => return,
                () = self.wake.wait(due) => {}
            }
            if self.wake.peek().only_objects() {
                tokio::time::sleep(GATHER).await;
            }
            let reasons = self.wake.take();
            let Some(application) = self.writer.application.borrow_and_update().clone() else {
                return;
            };
            if self.writer.meet(&application) {
                self.assessor.meet(&application);
            }
            let reasons = Reasons {
                application: reasons.application,
                objects: reasons.objects,
                surroundings: reasons.surroundings,
                news: reasons.news.map(|news| self.moment(news)),
            };
            match self.turn(Woken { application, reasons }).await {
                Some(Next::At(moment, why)) => {
                    due = self.start + moment.0;
                    tracing::trace!(application = %self.key, ?why, "rests");
                }
                Some(Next::Answer) => due = Instant::now(),
                Some(Next::Gone) | None => return,
            }
        }
    }

    /// One turn, from waking to resting. None if the process ends.
    async fn turn(&mut self, woken: Woken) -> Option<Next> {
        let mut observation = Observation::Woken(woken);
        loop {
            let (question, next) = self.hand_in(observation).await;
            let Some(question) = question else {
                (self.subject, self.attempt, self.deletion) = (None, None, None);
                return Some(next);
            };
            if self.shared.ending.is_cancelled() && matches!(question, Effect::Assess { .. }) {
                // What was done is said; the next controller goes on from there.
                let _unsaid = self.writer.write(self.state.status()).await;
                return None;
            }
            observation = Box::pin(self.answer(question)).await;
        }
    }

    /// Hands an observation to the core, and carries out what it decides. Returns its question, if it has one.
    async fn hand_in(&mut self, observation: Observation) -> (Option<Effect>, Next) {
        let (effects, mut next) = self.step(observation);
        let mut question = None;
        for effect in effects {
            match effect.is_question() {
                true => question = Some(effect),
                false => {
                    if self.carry_out(effect).await.is_err() {
                        (_, next) = self.step(Observation::Failed);
                    }
                }
            }
        }
        (question, next)
    }

    fn step(&mut self, observation: Observation) -> (Vec<Effect>, Next) {
        let now = self.now();
        let (state, effects, next) = step(std::mem::take(&mut self.state), observation, now);
        self.state = state;
        (effects, next)
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<(), Failed> {
        let pipeline = &self.shared.pipeline;
        let result: Result<(), PipelineError> = match effect {
            Effect::Tell(happening, note) => {
                self.writer.tell(happening, &note);
                Ok(())
            }
            Effect::Forget => {
                self.assessor.forget();
                pipeline.forget(&self.key);
                Ok(())
            }
            Effect::RefreshKinds { always } => {
                self.refresh_kinds(always).await;
                Ok(())
            }
            Effect::Write => self.writer.write(self.state.status()).await.map_err(Into::into),
            Effect::PutFinalizer => self.writer.put_finalizer().await.map_err(Into::into),
            Effect::Remove(keys) => self
                .writer
                .remove_annotations(keys)
                .await
                .map(drop)
                .map_err(Into::into),
            Effect::CorrectRecord => {
                self.correct_record().await;
                Ok(())
            }
            Effect::StopHooks => self.stop_hooks().await,
            Effect::WantNothing => {
                self.shared.ring(&self.shared.claims.remove(&self.key));
                Ok(())
            }
            question => {
                tracing::error!(application = %self.key, ?question, "a question is no effect");
                Ok(())
            }
        };
        result.map_err(|error| {
            log(&self.key, &error);
            Failed
        })
    }

    /// Finds out the answer to a question of the core.
    async fn answer(&mut self, question: Effect) -> Observation {
        match question {
            Effect::Take(keys) => Observation::Taken(self.writer.remove_annotations(&keys).await.ok()),
            Effect::Announce => Observation::Announced(self.writer.write(self.state.status()).await.is_ok()),
            Effect::Assess { since } => {
                let since = self.start + since.0;
                let Some(application) = self.writer.application.borrow_and_update().clone() else {
                    return Observation::Failed;
                };
                let status = self.state.status().clone();
                let hooks = |revision: &str| self.state.hooks(revision);
                let (assessment, subject) =
                    Box::pin(self.assessor.assess(application, status, since, hooks)).await;
                self.subject = subject;
                Observation::Assessed(Box::new(assessment))
            }
            Effect::Prepare(wanted) => Observation::Prepared(Box::pin(self.prepare(wanted)).await),
            Effect::Execute(order) => Box::pin(self.execute(order)).await,
            Effect::FindMembers { since, prune } => self.find_members(self.start + since.0, prune).await,
            Effect::RunHooks(phase) => Box::pin(self.run_hooks(phase)).await,
            Effect::PlanDeletion => self.plan_deletion().await,
            Effect::Delete { digest, approved } => Box::pin(self.delete(&digest, approved)).await,
            Effect::SetFree => self.set_free().await,
            Effect::Release => {
                let released = self.writer.release().await;
                if let Err(error) = &released {
                    log(&self.key, error);
                }
                Observation::Released(released.is_ok())
            }
            effect => {
                tracing::error!(application = %self.key, ?effect, "an effect is no question");
                Observation::Failed
            }
        }
    }

    /// Carries out work that takes its time, and hands its progress to the core meanwhile.
    async fn follow<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut said: mpsc::UnboundedReceiver<sluice_reconcile::Progress>,
    ) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                ended = &mut work => return ended,
                Some(progress) = said.recv() => {
                    // No progress leads to a question.
                    let _none = self.hand_in(Observation::Progress(progress)).await;
                }
            }
        }
    }

    /// Asks the API server for its kinds; unless `always`, only if one is missing that the Application has objects of.
    async fn refresh_kinds(&self, always: bool) {
        let pipeline = &self.shared.pipeline;
        let misses = || {
            let application = self.writer.application.borrow().clone();
            let job = application.and_then(|application| self.assessor.job(&application).ok());
            job.is_some_and(|job| pipeline.misses_kinds(&job))
        };
        if always || misses() {
            // A failure shows where a kind is needed.
            if let Err(error) = pipeline.target.refresh_kinds().await {
                log(&self.key, &error);
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            wall: jiff::Timestamp::now(),
            moment: self.moment(Instant::now()),
        }
    }

    fn moment(&self, instant: Instant) -> Moment {
        Moment(instant.saturating_duration_since(self.start))
    }
}

/// Logs a failure, with its code.
fn log(application: &ApplicationKey, error: &dyn sluice_model::Coded) {
    let text = sluice_model::error::one_line(error);
    tracing::warn!(%application, code = error.code().id, error = text, "failed");
}
