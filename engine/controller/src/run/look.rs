//! One look at an application: from the repository and the cluster to findings, without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sluice_health::{Awaited, Expectation, ObjectHealth};
use sluice_model::Application;
use sluice_model::application::{ApplicationStatus, HealthState, OperationRequest, Source};
use sluice_model::decision::ApplyOptions;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey, ObjectRef};
use sluice_report::conditions::{self, Finding};
use tokio::time::Instant;

use super::actor::Actor;
use super::{standing, trusting};
use crate::error::PipelineError;
use crate::pipeline::{HealthMemory, Intent, Job, Live, Prepared, Problem, Trusted, marks};

/// How soon to look again where time alone may change a verdict.
const UNSETTLED: Duration = Duration::from_secs(15);
/// How long others may take to say what they want before this look goes on without deleting anything; a later one will.
const OTHERS_MAY_TAKE: Duration = Duration::from_secs(10);
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);
/// How long an operation waits on where the spec cannot be read meanwhile, at most; its status says until when.
const SPEC_MAY_TAKE: Duration = Duration::from_secs(600);
/// How long the first lists of an application's kinds may take.
const FIRST_LISTS: Duration = Duration::from_secs(60);

/// What a look found. Everything that failed stands in the status already.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) trusted: Trusted,
    pub(crate) manifests: Arc<Vec<Manifest>>,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) health: Vec<ObjectHealth>,
}

impl Looked {
    /// What the end of an operation waits for.
    pub(crate) fn awaited(&self) -> Vec<Awaited> {
        let objects = self.prepared.objects.iter();
        let options: BTreeMap<ObjectRef, &ApplyOptions> = objects
            .map(|object| (object.reference(), &object.decision.options))
            .collect();
        let awaited = self.health.iter().filter_map(|health| {
            let options = options.get(&health.object);
            if options.is_some_and(|options| options.no_wait) {
                return None;
            }
            let seconds = options.and_then(|options| options.timeout);
            Some(Awaited {
                health: health.clone(),
                expectation: Expectation {
                    timeout: seconds.map(|seconds| Duration::from_secs(seconds.into())),
                    ..Expectation::PART
                },
            })
        });
        awaited.collect()
    }
}

/// What is remembered from look to look. All of it can be found out again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) trust: trusting::Memory,
    rendered: Option<(Rendering, Arc<Vec<Manifest>>)>,
    wanted: Option<Wanted>,
    judged: Option<Judged>,
    /// Jobs that completed and were removed, until the status remembers them.
    finished: BTreeMap<ObjectKey, Object>,
    /// How new the repository was at the last look.
    pub(super) version: u64,
}

/// What was rendered last says is wanted.
#[derive(Debug)]
struct Wanted {
    manifests: Arc<Vec<Manifest>>,
    keys: Arc<BTreeSet<ObjectKey>>,
}

/// What manifests are rendered from.
#[derive(Debug, PartialEq)]
struct Rendering {
    commit: String,
    source: Source,
    destination: String,
}

/// The last revision that could be judged.
#[derive(Debug, Clone)]
struct Judged {
    commit: String,
    manifests: Arc<Vec<Manifest>>,
}

impl Memory {
    /// Forgets what was made of the sources.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Actor {
    /// Looks. `since` says how fresh the repository must be. Findings go into `status`; none where something failed on the way.
    pub(crate) async fn look(
        &mut self,
        job: &mut Job,
        status: &mut ApplicationStatus,
        since: Instant,
    ) -> Option<Looked> {
        job.completed.clone_from(&status.completed);
        let trusted = match self.trusted(job, status, since).await {
            Some(trusted) => trusted,
            None => {
                self.cannot_tell(&job.spec.source.repo_url);
                standing::unknown(status);
                self.finding(
                    status,
                    conditions::SYNCED,
                    Finding::unknown("Unknown", "what Git wants is not known"),
                );
                self.finding(
                    status,
                    conditions::HEALTHY,
                    Finding::unknown("Unknown", "what Git wants is not known"),
                );
                return None;
            }
        };
        match self.judge(job, status, trusted).await {
            Ok(looked) => Some(looked),
            Err(error) => {
                self.cannot_tell(&job.spec.source.repo_url);
                let health = status.health.clone();
                self.failed(status, &error);
                if let PipelineError::Render(_) = error {
                    self.health_of_last(job, status, health).await;
                }
                None
            }
        }
    }

    /// Whether what runs still works does not depend on a newer commit that cannot be rendered.
    async fn health_of_last(&mut self, job: &Job, status: &mut ApplicationStatus, before: HealthState) {
        let Some(last) = self.memory.judged.clone() else {
            status.health = before;
            return;
        };
        let shared = Arc::clone(&self.shared);
        let now = jiff::Timestamp::now();
        let health = async {
            let live = self.live(job, &last.manifests).await?;
            let intent = Intent::whole(&last.commit);
            let prepared = shared
                .pipeline
                .prepare(job, intent, &last.manifests, &live, now)
                .await?;
            shared
                .pipeline
                .health(
                    &job.spec.policies,
                    &prepared.objects,
                    &mut HealthMemory::default(),
                    now,
                )
                .await
        };
        if let Ok((health, _)) = health.await {
            let (state, finding) = standing::health(&health);
            status.health = state;
            self.finding(status, conditions::HEALTHY, finding);
        }
    }

    /// From a trusted revision on.
    async fn judge(
        &mut self,
        job: &Job,
        status: &mut ApplicationStatus,
        trusted: Trusted,
    ) -> Result<Looked, PipelineError> {
        let shared = Arc::clone(&self.shared);
        let pipeline = &shared.pipeline;
        let turn = shared.looking.acquire().await;
        let manifests = self.rendered(job, &trusted).await?;
        let rendered = standing::rendered(manifests.len(), &trusted.tree.get().submodules);
        self.finding(status, conditions::RENDERED, Finding::yes("Rendered", rendered));
        let desired = self.wanted(&manifests);
        let told = shared.claims.say(&self.key, self.memory.version, Some(desired));
        shared.ring(&told);
        let mut live = self.live(job, &manifests).await?;
        live.finished = self.finished(job, &live, &manifests).await?;
        drop(turn);
        self.settle_claims(&mut live, &manifests).await;
        let _turn = shared.looking.acquire().await;
        self.finding(
            status,
            conditions::CLUSTER_READY,
            Finding::yes("Watching", "every kind that it manages is watched"),
        );
        let now = jiff::Timestamp::now();
        let intent = Intent::whole(&trusted.revision.commit);
        let prepared = pipeline.prepare(job, intent, &manifests, &live, now).await?;
        let policies = &job.spec.policies;
        let (health, health_problems) = pipeline
            .health(policies, &prepared.objects, &mut self.health_memory, now)
            .await?;
        let problems: Vec<_> = prepared
            .problems
            .iter()
            .chain(&health_problems)
            .cloned()
            .collect();
        // Plugins that look at the clock may judge an unchanged object otherwise later, and one that failed may recover.
        let unsettled = !problems.is_empty() || pipeline.plugins.health_uses_time(&policies.health);
        self.look_again = unsettled.then(|| Instant::now() + UNSETTLED);
        self.finding(
            status,
            conditions::PLUGINS_READY,
            standing::plugins(&problems, &pipeline.plugins.rejected()),
        );
        let (state, finding) = standing::health(&health);
        status.health = state;
        self.finding(status, conditions::HEALTHY, finding);
        status.objects = standing::owned(live.members.values());
        status.attention = standing::attention(&prepared, &health);
        status.pending_approval = standing::pending(&prepared.plan);
        status.sync.status = standing::sync_status(&prepared.plan);
        status.completed = marks(&prepared.objects);
        status.deletion_hooks = prepared.objects.iter().any(super::farewell::is_deletion_hook);
        let commit = &trusted.revision.commit;
        status.sync.target = (status.sync.revision != *commit).then(|| commit.clone());
        let synced = match prepared.is_empty_by_mistake() {
            true => standing::empty(commit),
            false => standing::synced(&prepared.plan, commit),
        };
        self.finding(status, conditions::SYNCED, synced);
        self.memory.finished.clear();
        self.memory.judged = Some(Judged {
            commit: commit.clone(),
            manifests: Arc::clone(&manifests),
        });
        Ok(Looked {
            trusted,
            manifests,
            prepared,
            health,
        })
    }

    /// The manifests of a trusted revision, rendered once.
    pub(crate) async fn rendered(
        &mut self,
        job: &Job,
        trusted: &Trusted,
    ) -> Result<Arc<Vec<Manifest>>, PipelineError> {
        let rendering = Rendering {
            commit: trusted.revision.commit.clone(),
            source: job.spec.source.clone(),
            destination: job.destination().to_owned(),
        };
        if let Some((known, manifests)) = &self.memory.rendered
            && *known == rendering
        {
            return Ok(Arc::clone(manifests));
        }
        let manifests = Arc::new(self.shared.pipeline.manifests(job, trusted).await?);
        self.memory.wanted = Some(Wanted {
            keys: Arc::new(keys(&manifests)),
            manifests: Arc::clone(&manifests),
        });
        let lasts = self.shared.pipeline.serves(&manifests);
        self.memory.rendered = lasts.then(|| (rendering, Arc::clone(&manifests)));
        Ok(manifests)
    }

    /// What manifests say is wanted.
    fn wanted(&self, manifests: &[Manifest]) -> Arc<BTreeSet<ObjectKey>> {
        let last = self.memory.wanted.as_ref();
        match last.filter(|last| std::ptr::eq(last.manifests.as_slice(), manifests)) {
            Some(last) => Arc::clone(&last.keys),
            None => Arc::new(keys(manifests)),
        }
    }

    /// What the cluster has, from the watches; what is still to be adopted is asked for.
    pub(crate) async fn live(&self, job: &Job, manifests: &[Manifest]) -> Result<Live, PipelineError> {
        let shared = &self.shared;
        let kinds = shared.pipeline.kinds(job, manifests).await?;
        shared.observer.ensure(&kinds, FIRST_LISTS).await?;
        shared.needs(&self.key, kinds.clone());
        let members = shared.observer.snapshot(&kinds, &job.applyset());
        let mut live = shared.pipeline.live(job, members, manifests).await?;
        live.claims = shared.claims.about(&self.key, &live, &self.wanted(manifests));
        Ok(live)
    }

    /// Of what is missing now, the Jobs that completed and were removed since the last look.
    async fn finished(
        &mut self,
        job: &Job,
        live: &Live,
        manifests: &[Manifest],
    ) -> Result<BTreeMap<ObjectKey, Object>, PipelineError> {
        let kinds = self.shared.pipeline.kinds(job, manifests).await?;
        let new = self.shared.observer.take_finished(&kinds, &job.applyset());
        let finished = &mut self.memory.finished;
        finished.extend(new.into_iter().map(|job| (job.key(), job)));
        finished.retain(|key, _| live.find(key).is_none());
        Ok(finished.clone())
    }

    /// Gives other applications a moment to say what they want, where something is to be deleted.
    pub(crate) async fn settle_claims(&self, live: &mut Live, manifests: &[Manifest]) {
        let deadline = Instant::now() + OTHERS_MAY_TAKE;
        while live.claims.unsettled.is_some()
            && Instant::now() < deadline
            && !self.shared.ending.is_cancelled()
        {
            tokio::time::sleep(BETWEEN_QUESTIONS).await;
            live.claims = self.shared.claims.about(&self.key, live, &self.wanted(manifests));
        }
    }

    /// Others need not wait for what this application wants: it cannot say so now.
    fn cannot_tell(&self, repository: &str) {
        let version = self.shared.pipeline.mirrors.version(repository, false);
        let told = self.shared.claims.say(&self.key, version, None);
        self.shared.ring(&told);
    }

    /// The spec has mistakes: nothing is looked at and nothing done until it is corrected.
    pub(super) async fn unreadable(
        &mut self,
        application: &Application,
        status: &mut ApplicationStatus,
        problems: Vec<Problem>,
        request: Option<OperationRequest>,
    ) {
        self.cannot_tell(&application.spec.source.repo_url);
        self.failed(status, &problems.into());
        let answer = self.gate.unknown(status, SPEC_MAY_TAKE, jiff::Timestamp::now());
        self.answered(status, answer).await;
        if let Some(request) = request {
            self.give_up_request(status, request);
        }
    }

    /// A failure after trust: which condition tells of it, and what is no longer known.
    pub(crate) fn failed(&mut self, status: &mut ApplicationStatus, error: &PipelineError) {
        self.failures += 1;
        self.note_failure(error);
        let place = match error {
            PipelineError::Render(_) => conditions::RENDERED,
            PipelineError::Source(_) | PipelineError::Credentials { .. } | PipelineError::Hosts { .. } => {
                conditions::SOURCE_READY
            }
            PipelineError::Verify { .. }
            | PipelineError::NoLongerTrusted { .. }
            | PipelineError::Keyring { .. } => conditions::VERIFIED,
            PipelineError::Cluster(_) | PipelineError::Observe(_) => conditions::CLUSTER_READY,
            PipelineError::Apply(_)
            | PipelineError::Spec(_)
            | PipelineError::OutOfBounds { .. }
            | PipelineError::Empty
            | PipelineError::Paused { .. }
            | PipelineError::Automated { .. }
            | PipelineError::NothingSelected { .. }
            | PipelineError::DeletionHooks
            | PipelineError::Internal { .. } => conditions::SYNCED,
        };
        standing::unknown(status);
        let because = Finding::unknown(
            standing::code(error),
            "it could not be found out; see the other conditions",
        );
        self.finding(status, conditions::SYNCED, because.clone());
        self.finding(status, conditions::HEALTHY, because);
        self.finding(status, place, Finding::failed(error));
    }
}

fn keys(manifests: &[Manifest]) -> BTreeSet<ObjectKey> {
    let keys = manifests.iter().map(|manifest| manifest.object.key());
    keys.collect()
}
