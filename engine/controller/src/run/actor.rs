//! The life of one Application: sleep, look, act, say.
//!
//! One task, so nothing about an application ever happens twice at once. What it remembers it can lose: the trusted revision,
//! the history, retries and the last operation stand in the status, the members in the ApplySet's record.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_apply::Finalizers;
use sluice_cluster::{ClusterError, Reply};
use sluice_model::application::{
    APPROVED_PLAN_ANNOTATION, ApplicationStatus, OPERATION_ANNOTATION, OperationState, REFRESH_ANNOTATION,
};
use sluice_model::plan::ApplicationKey;
use sluice_model::{Application, Coded, ObjectRef};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::sync::watch;
use tokio::time::Instant;

use super::look::Memory;
use super::wake::{Reasons, Wake};
use super::{Shared, automation, gate, operation, pace};
use crate::error::PipelineError;
use crate::pipeline::{HealthMemory, Job};

/// Recorded as the owner of status, finalizer and record. Not `sluice`, which is whoever applies what Git has: an Application
/// may itself come from Git.
pub(crate) const MANAGER: &str = "sluice-controller";
/// Live objects that change together are looked at together.
const GATHER: Duration = Duration::from_millis(100);
/// So often at most a single reason leads to a sync and another look.
const ROUNDS: usize = 4;

/// One Application's task.
pub(crate) struct Actor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) key: ApplicationKey,
    pub(crate) application: watch::Receiver<Option<Arc<Application>>>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) memory: Memory,
    pub(crate) health_memory: HealthMemory,
    /// What the status in the cluster says, as far as we know.
    pub(crate) written: ApplicationStatus,
    /// What is not worth writing yet.
    unsaid: Option<ApplicationStatus>,
    /// What the automation was at when the last controller ended.
    pub(super) interrupted: Option<OperationState>,
    /// The Application's finalizers, as of our last write.
    pub(super) finalizers: Option<Finalizers>,
    uid: Option<String>,
    generation: Option<i64>,
    /// Looks in a row that failed.
    pub(crate) failures: u32,
    /// When time alone may have changed a verdict.
    pub(crate) look_again: Option<Instant>,
    /// The generation of the spec at the last sync.
    pub(crate) synced_generation: Option<i64>,
    /// The generation of the spec at the last failed sync; none where that was before a restart.
    pub(crate) failed_generation: Option<i64>,
    pub(crate) healing: automation::Healing,
    /// What is remembered of an operation whose verdict is not in.
    pub(crate) gate: gate::Gate,
    /// When the repository is to be asked again.
    poll: Instant,
    /// When something else is due: a retry, another healing.
    pub(crate) due: Option<Instant>,
    since: Instant,
    last_look: Instant,
}

impl Actor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        key: ApplicationKey,
        application: watch::Receiver<Option<Arc<Application>>>,
        wake: Arc<Wake>,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            key,
            application,
            wake,
            memory: Memory::default(),
            health_memory: HealthMemory::default(),
            written: ApplicationStatus::default(),
            unsaid: None,
            interrupted: None,
            finalizers: None,
            uid: None,
            generation: None,
            failures: 0,
            look_again: None,
            synced_generation: None,
            failed_generation: None,
            healing: automation::Healing::default(),
            gate: gate::Gate::default(),
            poll: now,
            due: None,
            // Whatever was fetched since the controller started is fresh enough for the first look.
            since: now,
            last_look: now,
        }
    }

    /// Until the Application is gone or the process ends.
    pub(crate) async fn run(mut self) {
        let ending = self.shared.ending.clone();
        loop {
            let due = self
                .poll
                .min(self.due.unwrap_or(self.poll))
                .min(self.look_again.unwrap_or(self.poll));
            tokio::select! {
                () = ending.cancelled() => return,
                () = self.wake.wait(due) => {}
            }
            if self.wake.peek().only_objects() {
                // As long as the last look took, at least, so that a busy application does not take all the time.
                tokio::time::sleep(GATHER).await;
            }
            let reasons = self.wake.take();
            let Some(application) = self.application.borrow_and_update().clone() else {
                return;
            };
            if application.metadata.uid != self.uid {
                self.begin(&application);
            }
            let gone = match application.metadata.deletion_timestamp.is_some() {
                true => Box::pin(self.farewell(&application)).await,
                false => {
                    Box::pin(self.attend(&application, reasons)).await;
                    false
                }
            };
            if gone {
                return;
            }
            let now = Instant::now();
            if self.failures > 0 {
                let wait = now + pace::after_failure(self.failures, self.shared.options.poll);
                self.due = Some(self.due.map_or(wait, |due| due.min(wait)));
            } else if self.due.is_some_and(|due| due <= now) {
                self.due = None;
            }
            self.last_look = now;
        }
    }

    /// A new Application, or the first sight of one: what is known of it stands in its status.
    fn begin(&mut self, application: &Application) {
        let now = Instant::now();
        self.uid.clone_from(&application.metadata.uid);
        self.memory = Memory::default();
        self.written = application.status.clone().unwrap_or_default();
        (self.unsaid, self.interrupted, self.finalizers) = (None, None, None);
        self.synced_generation = self.written.observed_generation;
        self.failed_generation = None;
        self.healing = automation::Healing::default();
        self.gate = gate::Gate::default();
        self.failures = 0;
        self.poll = now;
        self.due = None;
        self.look_again = None;
    }

    /// One look with all that follows from it.
    async fn attend(&mut self, application: &Arc<Application>, reasons: Reasons) {
        self.due = None;
        self.look_again = None;
        let failures = std::mem::take(&mut self.failures);
        let refresh = annotation(application, REFRESH_ANNOTATION);
        let now = Instant::now();
        let looks_anew = refresh.is_some() || now >= self.poll;
        // Whoever asks for a sync means what Git has now.
        if refresh.is_some() || asks_for_operation(application) {
            self.since = now;
            self.poll = now + pace::jittered(self.shared.options.poll);
        } else if now >= self.poll {
            // Applications of one repository share their polls: who finds something new wakes the others.
            let shared_poll = now.checked_sub(self.shared.options.poll / 2).unwrap_or(now);
            self.since = self.since.max(shared_poll);
            self.poll = now + pace::jittered(self.shared.options.poll);
        } else if let Some(news) = reasons.news {
            self.since = self.since.max(news);
        } else if failures > 0 && self.retries_source() {
            self.since = now;
        }
        if refresh == Some("hard") {
            self.memory.clear();
            self.health_memory = HealthMemory::default();
            self.shared.pipeline.forget(&self.key);
        }
        let misses_kinds = || {
            let pipeline = &self.shared.pipeline;
            Job::resolve(application, &pipeline.defaults).is_ok_and(|job| pipeline.misses_kinds(&job))
        };
        let asks_for_kinds = refresh == Some("hard") || looks_anew && misses_kinds();
        if asks_for_kinds && let Err(error) = self.shared.pipeline.cluster.refresh_kinds().await {
            tracing::warn!(application = %self.key, %error, "the kinds could not be asked for again");
        }
        self.generation = application.metadata.generation;
        let mut status = self.latest();
        status.observed_generation = self.generation;
        if self.first_look() {
            self.interrupted = operation::interrupted(&mut status);
        }
        self.note_pause(application, &mut status).await;
        self.take_termination(application, &mut status).await;
        let mut request = self.take_request(application, &mut status).await;
        for _ in 0..ROUNDS {
            let current = self
                .application
                .borrow_and_update()
                .clone()
                .unwrap_or_else(|| Arc::clone(application));
            if current.metadata.deletion_timestamp.is_some() {
                self.unsaid = Some(status);
                return;
            }
            let mut job = match Job::resolve(&current, &self.shared.pipeline.defaults) {
                Ok(job) => job,
                Err(problems) => {
                    self.unreadable(&current, &mut status, problems, request.take())
                        .await;
                    break;
                }
            };
            job.verified = status.verification.clone().unwrap_or_default();
            let looked = self.look(&mut job, &mut status, self.since).await;
            let again = match (looked, request.take()) {
                (Some(looked), Some(request)) => {
                    Box::pin(self.obey(&current, &job, &mut status, looked, request)).await
                }
                (Some(looked), None) => Box::pin(self.act(&current, &job, &mut status, looked)).await,
                (None, request) => {
                    let now = jiff::Timestamp::now();
                    let answer = self.gate.unknown(&status, job.health_timeout, now);
                    self.answered(&mut status, answer).await;
                    if let Some(request) = request {
                        self.give_up_request(&mut status, request);
                    }
                    false
                }
            };
            if !again || self.shared.ending.is_cancelled() {
                break;
            }
        }
        let quiet = self.gate.quiet(&status, jiff::Timestamp::now());
        let mut retry = match quiet.filter(|_| refresh.is_none()) {
            Some(rest) => {
                self.wake_at(Instant::now() + rest);
                self.unsaid = Some(status);
                false
            }
            None => self.write(status).await.is_err(),
        };
        if let Err(error) = self.put_finalizer(application).await {
            self.note_failure(&error.into());
            retry = true;
        }
        if let Some(refresh) = refresh {
            retry |= self.remove_annotations(&[REFRESH_ANNOTATION]).await.is_err();
            self.tell(Happening::Refreshed, &format!("{refresh} refresh"));
        }
        // Counted on where it goes on failing, forgotten where it does not.
        self.failures = match self.failures > 0 || retry {
            true => failures + 1,
            false => 0,
        };
    }

    /// The status as it is, whether it is written or not.
    pub(super) fn latest(&mut self) -> ApplicationStatus {
        self.unsaid.take().unwrap_or_else(|| self.written.clone())
    }

    fn first_look(&self) -> bool {
        self.last_look <= self.since && self.healing.is_new()
    }

    /// True where the last look failed at the repository, so that the next one has to ask it again.
    pub(crate) fn retries_source(&self) -> bool {
        conditions::get(&self.written.conditions, conditions::SOURCE_READY)
            .is_some_and(|condition| condition.status != "True")
    }

    /// Writes the status if it says anything new.
    pub(crate) async fn write(&mut self, status: ApplicationStatus) -> Result<(), ClusterError> {
        let Some(patch) = sluice_report::status::patch(&self.written, &status) else {
            return Ok(());
        };
        let kind = super::application_kind();
        let reference = self.reference();
        match self
            .shared
            .pipeline
            .cluster
            .merge_patch(&kind, &reference, Some("status"), MANAGER, &patch)
            .await
        {
            Ok(reply) => {
                self.take_note(&reply);
                self.written = status;
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                tracing::warn!(application = %self.key, code = error.code().id, %error, "the status could not be written");
                Err(error)
            }
        }
    }

    pub(crate) async fn remove_annotations(&self, keys: &[&str]) -> Result<(), ClusterError> {
        let nulls: serde_json::Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
        match self.patch_metadata(json!({"annotations": nulls})).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result.map(drop),
        }
    }

    pub(crate) async fn patch_metadata(&self, metadata: Value) -> Result<Reply, ClusterError> {
        let patch = json!({"metadata": metadata});
        let kind = super::application_kind();
        self.shared
            .pipeline
            .cluster
            .merge_patch(&kind, &self.reference(), None, MANAGER, &patch)
            .await
    }

    pub(crate) fn reference(&self) -> ObjectRef {
        ObjectRef {
            group: "sluice.dev".to_owned(),
            version: "v1alpha1".to_owned(),
            kind: "Application".to_owned(),
            namespace: Some(self.key.namespace.clone()),
            name: self.key.name.clone(),
        }
    }

    /// Sets a condition.
    pub(crate) fn finding(&self, status: &mut ApplicationStatus, r#type: &str, finding: Finding) {
        conditions::set(&mut status.conditions, r#type, finding, self.generation, &now());
    }

    pub(crate) fn note_failure(&self, error: &PipelineError) {
        tracing::warn!(application = %self.key, code = error.code().id, error = sluice_model::error::one_line(error), "failed");
    }

    /// Has the application looked at no later than then.
    pub(crate) fn wake_at(&mut self, when: Instant) {
        self.due = Some(self.due.map_or(when, |due| due.min(when)));
    }

    /// Tells an Event.
    pub(crate) fn tell(&self, happening: Happening, note: &str) {
        let application = self.application.borrow().clone();
        if let Some(application) = application {
            self.shared.events.tell(&application, happening, note);
        }
    }

    pub(crate) fn uid(&self) -> &str {
        self.uid.as_deref().unwrap_or_default()
    }

    pub(crate) fn generation(&self) -> Option<i64> {
        self.generation
    }
}

/// The value of an annotation.
pub(crate) fn annotation<'a>(application: &'a Application, key: &str) -> Option<&'a str> {
    application
        .metadata
        .annotations
        .as_ref()?
        .get(key)
        .map(String::as_str)
}

/// True where an operation is asked for.
pub(crate) fn asks_for_operation(application: &Application) -> bool {
    annotation(application, OPERATION_ANNOTATION).is_some()
}

/// The digest that somebody approved.
pub(crate) fn approved(application: &Application) -> Option<&str> {
    annotation(application, APPROVED_PLAN_ANNOTATION)
}

/// Returns what time it is: RFC 3339, to the second.
pub(crate) fn now() -> String {
    time(jiff::Timestamp::now())
}

/// Returns a time as a status has it: RFC 3339, to the second.
pub(crate) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
