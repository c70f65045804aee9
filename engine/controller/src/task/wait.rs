//! Waiting for the health of what a wave applied, without asking the API server anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use sluice_apply::NotHealthy;
use sluice_health::{Answer, Awaited, Expectation, Failure, ObjectHealth, Wait};
use sluice_model::Application;
use sluice_model::ObjectRef;
use sluice_model::application::{REFRESH_ANNOTATION, WaitingFor};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};
use sluice_pipeline::{Job, Live, id_of};
use sluice_reconcile::{Progress, annotation, superseded, waiting_for};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::fleet::{Shared, Wake};

/// What has no watch event may still change its verdict by time.
const TICK: Duration = Duration::from_secs(1);

/// A refresh that cannot be answered yet asks the repository again no more often.
const BETWEEN_REFRESHES: Duration = Duration::from_secs(5);

/// Everything that a wait needs.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) shared: Arc<Shared>,
    pub(crate) job: Job,
    pub(crate) manifests: Arc<Vec<Manifest>>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) application: watch::Receiver<Option<Arc<Application>>>,
    pub(crate) generation: Option<i64>,
    /// The commit that is synced; what is newer takes its place.
    pub(crate) commit: String,
    /// True where the operation follows the target revision.
    pub(crate) follows: bool,
    /// The version of the Application from which on an annotation asks for something else.
    pub(crate) taken_at: u64,
    /// True where the Application is being deleted.
    pub(crate) deletes: bool,
    /// When the repository was looked at last, and because of which news.
    pub(crate) looked: Arc<Mutex<(Instant, Option<Instant>)>>,
    /// What is expected of the objects that are waited for.
    pub(crate) expectations: Arc<BTreeMap<ObjectKey, Expectation>>,
    /// The wave that is waited for.
    pub(crate) wave: Arc<Mutex<String>>,
    /// Where to say what is waited for.
    pub(crate) progress: mpsc::UnboundedSender<Progress>,
}

impl Waiting {
    /// The waiter that `apply` is handed.
    pub(crate) fn waiter(
        self,
    ) -> impl Fn(Vec<ObjectRef>, Duration) -> BoxFuture<'static, Result<(), NotHealthy>> + Send + Sync {
        move |objects, patience| {
            let waiting = self.clone();
            Box::pin(async move { waiting.wait(objects, patience).await })
        }
    }

    async fn wait(self, objects: Vec<ObjectRef>, patience: Duration) -> Result<(), NotHealthy> {
        let wanted: BTreeSet<ObjectKey> = objects.iter().map(ObjectRef::key).collect();
        let began = Instant::now();
        let mut rule = Wait::default();
        let mut said: Option<WaitingFor> = None;
        loop {
            let change = self.wake.objects_changed.notified();
            if let Some(reason) = self.superseded().await {
                return Err(NotHealthy::Abandoned { reason });
            }
            let verdicts = match self.verdicts(&objects, &wanted).await {
                Ok(verdicts) => verdicts,
                // The watches are broken just now: the controller cannot tell, and time goes on.
                Err(message) => {
                    let verdict = HealthVerdict {
                        status: HealthStatus::Unknown,
                        message,
                        plugin: None,
                    };
                    objects
                        .iter()
                        .map(|object| (object.clone(), verdict.clone()))
                        .collect()
                }
            };
            let awaited: Vec<Awaited> = verdicts.into_iter().map(|seen| self.awaited(seen)).collect();
            let answer;
            (rule, answer) = rule.judge(&awaited, began.elapsed(), patience);
            let (on, next) = match answer {
                Answer::Over => return Ok(()),
                Answer::Failed { on, why } => {
                    return Err(NotHealthy::Object {
                        object: Box::new(on.object),
                        verdict: Box::new(on.verdict),
                        late: why == Failure::Late,
                    });
                }
                Answer::Waiting { on, next } => (on, next),
            };
            let wave = self.wave.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let waiting = waiting_for(&wave, &on, said.as_ref(), jiff::Timestamp::now());
            if said.as_ref() != Some(&waiting) {
                // If the operation has ended, its status need not tell any more.
                let _unheard = self.progress.send(Progress::Waiting(waiting.clone()));
                said = Some(waiting);
            }
            let _either = tokio::time::timeout(TICK.min(next), change).await;
        }
    }

    fn awaited(&self, (object, verdict): (ObjectRef, HealthVerdict)) -> Awaited {
        let expectation = self.expectations.get(&object.key()).copied();
        Awaited {
            health: ObjectHealth { object, verdict },
            expectation: expectation.unwrap_or(Expectation::PART),
        }
    }

    async fn verdicts(
        &self,
        objects: &[ObjectRef],
        wanted: &BTreeSet<ObjectKey>,
    ) -> Result<Vec<(ObjectRef, HealthVerdict)>, String> {
        let one_line = |error: &dyn sluice_model::Coded| sluice_model::error::one_line(error);
        let kinds = self
            .shared
            .pipeline
            .kinds(&self.job, &self.manifests)
            .await
            .map_err(|error| one_line(&error))?;
        self.shared
            .observer
            .ensure(&kinds, Duration::from_secs(10))
            .await
            .map_err(|error| one_line(&error))?;
        let found = self.shared.observer.snapshot(&kinds, &self.job.applyset());
        let members = Live::of_members(found, &self.manifests).members;
        let live = members.values().filter(|object| wanted.contains(&object.key()));
        let live: Vec<&Object> = live.collect();
        let pipeline = &self.shared.pipeline;
        let judged = pipeline.judge(&self.job.spec.policies, &live, jiff::Timestamp::now());
        let answer = judged.await.map_err(|error| one_line(&error))?;
        let given = self.manifests.iter().map(|manifest| &manifest.object);
        let cluster = pipeline.target.hiding(given);
        let verdicts = answer.value.into_iter().map(|mut verdict| {
            cluster.redact(&mut verdict.message);
            verdict
        });
        let known: std::collections::BTreeMap<ObjectKey, HealthVerdict> =
            live.iter().map(|object| object.key()).zip(verdicts).collect();
        let finished = self.shared.observer.finished(&kinds, &self.job.applyset());
        let finished: BTreeSet<ObjectKey> = finished.iter().map(Object::key).collect();
        let absent = |object: &ObjectRef| HealthVerdict {
            // A Job with a time to live may have ended and gone since the last look.
            status: match finished.contains(&object.key()) {
                true => HealthStatus::Healthy,
                false => HealthStatus::Missing,
            },
            message: String::new(),
            plugin: None,
        };
        Ok(objects
            .iter()
            .map(|object| {
                (
                    object.clone(),
                    known
                        .get(&object.key())
                        .cloned()
                        .unwrap_or_else(|| absent(object)),
                )
            })
            .collect())
    }

    /// Why there is no point in waiting any longer.
    async fn superseded(&self) -> Option<String> {
        if self.shared.ending.is_cancelled() {
            return Some("the controller ends".to_owned());
        }
        let application = self.application.borrow().clone();
        if let Some(reason) = superseded(
            application.as_deref(),
            self.generation,
            self.deletes,
            self.taken_at,
        ) {
            return Some(reason.to_owned());
        }
        if !self.follows {
            return None;
        }
        // A fix for what does not get healthy must not have to wait for it: news, a refresh or the time of a poll let it in.
        let refresh = application.is_some_and(|now| annotation(&now, REFRESH_ANNOTATION).is_some());
        let (looked, known) = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let pause = if refresh {
            BETWEEN_REFRESHES
        } else {
            self.shared.options.poll
        };
        let news = self.wake.peek().news;
        let since = match news.filter(|news| Some(*news) != known) {
            Some(news) => news,
            None if now.duration_since(looked) >= pause => now,
            None => return None,
        };
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = (now, news);
        let mut found = Vec::new();
        for source in &self.job.sources {
            let one = self
                .shared
                .pipeline
                .find(&self.job, source, None, since)
                .await
                .ok()?;
            // A commit that is refused takes no other one's place.
            if source.verified.refused_revision.as_deref() == Some(one.origin.id()) {
                return None;
            }
            found.push(one);
        }
        let commit = id_of(&found);
        (commit != self.commit).then(|| format!("{commit} takes its place"))
    }
}
