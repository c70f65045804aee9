//! Waiting for the health of a wave, by looking at its objects again and again: for whom has no watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sluice_apply::NotHealthy;
use sluice_cluster::{Kind, Target};
use sluice_health::{Answer, Awaited, Expectation, Failure, ObjectHealth, Wait};
use sluice_model::ObjectRef;
use sluice_model::application::Policies;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::ObjectKey;
use sluice_model::plan::{Action, Plan, Step};
use sluice_observe::Observer;
use sluice_pipeline::{Job, Pipeline, Prepared};
use tokio::time::Instant;

/// What a wave's health is asked of.
#[derive(Clone)]
pub(super) struct Waiting {
    pipeline: Pipeline,
    cluster: Target,
    policies: Arc<Policies>,
    /// What is expected of the objects that the plan applies.
    expectations: Arc<BTreeMap<ObjectKey, Expectation>>,
    ended: EndedJobs,
}

/// Jobs of a plan that the cluster removes as soon as they have ended, which may be between two looks.
#[derive(Clone)]
struct EndedJobs {
    observer: Arc<Observer>,
    kinds: Arc<[Kind]>,
    applyset: String,
}

/// So long the first list of a watch may take.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// How often a wave is looked at while it is waited for.
const LOOK: Duration = Duration::from_secs(1);

impl Waiting {
    /// For the waves of a plan.
    pub(super) async fn of(pipeline: &Pipeline, job: &Job, prepared: &Prepared, plan: &Plan) -> Self {
        Self {
            pipeline: pipeline.clone(),
            cluster: prepared.cluster.clone(),
            policies: Arc::new(job.spec.policies.clone()),
            expectations: Arc::new(Expectation::all(plan)),
            ended: EndedJobs::watch(&prepared.cluster, plan, job.applyset()).await,
        }
    }

    /// Waits until the objects are healthy, by the one rule of health.
    pub(super) async fn until_healthy(
        self,
        objects: Vec<ObjectRef>,
        timeout: Duration,
    ) -> Result<(), NotHealthy> {
        let began = Instant::now();
        let mut rule = Wait::default();
        loop {
            let mut awaited = Vec::new();
            for object in &objects {
                let verdict = self.look(object).await;
                let health = ObjectHealth {
                    object: object.clone(),
                    verdict,
                };
                let expectation = self.expectations.get(&object.key()).copied();
                awaited.push(Awaited {
                    health,
                    expectation: expectation.unwrap_or(Expectation::PART),
                });
            }
            let answer;
            (rule, answer) = rule.judge(&awaited, began.elapsed(), timeout);
            match answer {
                Answer::Over => return Ok(()),
                Answer::Waiting { next, .. } => tokio::time::sleep(next.min(LOOK)).await,
                Answer::Failed { on, why } => {
                    return Err(NotHealthy::Object {
                        object: Box::new(on.object),
                        verdict: Box::new(on.verdict),
                        late: why == Failure::Late,
                    });
                }
            }
        }
    }

    async fn look(&self, object: &ObjectRef) -> HealthVerdict {
        let verdict = |status: HealthStatus, message: String| HealthVerdict {
            status,
            message,
            plugin: None,
        };
        let found = async {
            let kind = self.cluster.kind_of(object).await?;
            self.cluster.get(&kind, object).await
        };
        let live = match found.await {
            Ok(Some(live)) => live,
            Ok(None) if self.ended.has(object) => return verdict(HealthStatus::Healthy, String::new()),
            Ok(None) => return verdict(HealthStatus::Missing, String::new()),
            Err(error) => return verdict(HealthStatus::Unknown, error.to_string()),
        };
        let now = jiff::Timestamp::now();
        let answer = self.pipeline.judge(&self.policies, &[&live], now).await;
        let judged = answer.ok().and_then(|answer| answer.value.into_iter().next());
        let mut judged = judged.unwrap_or_else(|| {
            let message = "the health plugins did not answer".to_owned();
            verdict(HealthStatus::Unknown, message)
        });
        self.cluster.redact(&mut judged.message);
        judged
    }
}

impl EndedJobs {
    async fn watch(cluster: &Target, plan: &Plan, applyset: String) -> Self {
        let has_time_to_live = |step: &&Step| match &step.action {
            Action::Apply { manifest, .. } => manifest.pointer("/spec/ttlSecondsAfterFinished").is_some(),
            Action::Delete { .. } => false,
        };
        let is_job = |step: &&Step| step.object.group == "batch" && step.object.kind == "Job";
        let mut namespaces = BTreeSet::new();
        let mut kinds = Vec::new();
        let all = plan.steps.iter().chain(plan.held.iter().map(|held| &held.step));
        for step in all.filter(is_job).filter(has_time_to_live) {
            namespaces.extend(step.object.namespace.clone());
            if kinds.is_empty() {
                kinds.extend(cluster.kind_of(&step.object).await.ok());
            }
        }
        let observer = Observer::new(cluster.clone(), Some(namespaces), Arc::new(|_| {}));
        if let Err(error) = observer.ensure(&kinds, FIRST_LIST).await {
            // A user who may not watch waits for what is there to be looked at.
            tracing::warn!(%error, "Jobs that are removed at their end may be waited for in vain");
        }
        Self {
            observer: Arc::new(observer),
            kinds: kinds.into(),
            applyset,
        }
    }

    fn has(&self, object: &ObjectRef) -> bool {
        let ended = self.observer.finished(&self.kinds, &self.applyset);
        ended.iter().any(|ended| ended.key() == object.key())
    }
}
