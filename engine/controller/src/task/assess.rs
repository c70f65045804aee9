//! Assessing an Application: from the repository and the cluster to findings, without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sluice_decide::marks;
use sluice_health::{Awaited, Course, Expectation, ObjectHealth};
use sluice_model::application::{ApplicationStatus, HealthState, Source, rfc3339};
use sluice_model::census::Census;
use sluice_model::claims::Claims;
use sluice_model::decision::ApplyOptions;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey, ObjectRef};
use sluice_model::plan::{ApplicationKey, Plan, Step};
use sluice_model::{Application, Coded as _};
use sluice_pipeline::{
    Capabilities, Given, HealthMemory, Intent, Job, Live, PipelineError, Prepared, Trusted, codes,
};
use sluice_plan::Hooks;
use sluice_reconcile::{Assessment, Found, Outlook, PlanFacts, Terms};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use tokio::time::Instant;

use super::trust::{Trust, a_moment_ago};
use super::{log, summary};
use crate::fleet::{Meanings, Shared, Versions};

/// How long others may take to say what they want before this assessment goes on without deleting anything; a later one will.
const OTHERS_MAY_TAKE: Duration = Duration::from_secs(10);
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);
/// How long the first lists of an application's kinds may take.
const FIRST_LISTS: Duration = Duration::from_secs(60);

/// Assesses one Application, and remembers what need not be found out twice.
pub(crate) struct Assessor {
    shared: Arc<Shared>,
    key: ApplicationKey,
    pub(crate) trust: Trust,
    memory: Memory,
    health: HealthMemory,
    course: Course,
    /// Since when the repositories are as new as they are, RFC 3339, and how new that is.
    seen: (Versions, String),
    /// What the revisions of others mean in it, whose claims are known from their status alone.
    meanings: Meanings,
}

/// What was assessed: for carrying out what is decided on it.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) application: Arc<Application>,
    pub(crate) job: Job,
    pub(crate) trusted: Trusted,
    pub(crate) manifests: Arc<Vec<Manifest>>,
    pub(crate) prepared: Arc<Prepared>,
}

impl Subject {
    /// Returns what the loop decides on of one of its plans.
    pub(crate) fn facts(&self, plan: &Plan) -> PlanFacts {
        PlanFacts {
            revision: self.trusted.id(),
            version: self.trusted.version(),
            requested: self.trusted.requested(),
            digest: plan.digest(),
            steps: plan.steps.len(),
            held: plan.held.len(),
            policies: plan.policies.clone(),
        }
    }
}

/// A status to which findings are added.
pub(crate) struct Draft {
    pub(crate) status: ApplicationStatus,
    generation: Option<i64>,
    application: ApplicationKey,
    /// What happened that people are told of.
    pub(crate) happenings: Vec<(Happening, String)>,
    /// True if something failed that may work the next time.
    pub(crate) failed: bool,
}

impl Draft {
    pub(crate) fn new(application: &Application, key: &ApplicationKey, status: ApplicationStatus) -> Self {
        Self {
            status,
            generation: application.metadata.generation,
            application: key.clone(),
            happenings: Vec::new(),
            failed: false,
        }
    }

    /// Returns an empty one, which goes on from what the status says was verified of one source.
    pub(crate) fn of_source(&self, name: &str) -> Self {
        let status = ApplicationStatus {
            verification: self.status.verification_of(name).cloned(),
            ..ApplicationStatus::default()
        };
        Self {
            status,
            generation: self.generation,
            application: self.application.clone(),
            happenings: Vec::new(),
            failed: false,
        }
    }

    /// Sets a condition.
    pub(crate) fn find(&mut self, r#type: &str, finding: Finding) {
        let now = rfc3339(jiff::Timestamp::now());
        conditions::set(
            &mut self.status.conditions,
            r#type,
            finding,
            self.generation,
            &now,
        );
    }

    /// Sets a condition to a failure that may work the next time.
    pub(crate) fn fail(&mut self, r#type: &str, error: &PipelineError) {
        log(&self.application, error);
        self.failed = true;
        self.find(r#type, Finding::failed(error));
    }
}

/// What is remembered from one assessment to the next. All of it can be found out again.
#[derive(Debug, Default)]
struct Memory {
    rendered: Option<(Rendering, Arc<Vec<Manifest>>)>,
    wanted: Option<Wanted>,
    judged: Option<Judged>,
    /// What was claimed with the last preparation.
    claims: Option<(Weak<Prepared>, Claims)>,
    /// Jobs that completed and were removed, until the status remembers them.
    finished: BTreeMap<ObjectKey, Object>,
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
    sources: Vec<Source>,
    destination: String,
    given: Given,
    capabilities: Capabilities,
}

/// The last revision that could be judged.
#[derive(Debug, Clone)]
struct Judged {
    commit: String,
    manifests: Arc<Vec<Manifest>>,
}

impl Assessor {
    pub(crate) fn new(shared: Arc<Shared>, key: ApplicationKey) -> Self {
        Self {
            trust: Trust::new(Arc::clone(&shared), key.clone()),
            shared,
            key,
            memory: Memory::default(),
            health: HealthMemory::default(),
            course: Course::default(),
            seen: (Versions::new(), String::new()),
            meanings: Meanings::new(),
        }
    }

    /// This is another Application than before, though of the same name.
    pub(crate) fn meet(&mut self, application: &Application) {
        self.memory = Memory::default();
        self.trust
            .meet(application.metadata.uid.clone().unwrap_or_default());
    }

    /// Forgets everything that can be found out again.
    pub(crate) fn forget(&mut self) {
        self.memory = Memory::default();
        self.trust.forget();
        self.health = HealthMemory::default();
    }

    /// Returns what of an Application the stages need.
    ///
    /// # Errors
    /// Every mistake in its spec.
    pub(crate) fn job(&self, application: &Application) -> Result<Job, PipelineError> {
        Ok(Job::resolve(application, &self.shared.pipeline.defaults)?)
    }

    /// Assesses the Application. The repositories must have been fetched since `since`. Findings go into the status that is returned;
    /// the subject is there if enough is known to decide on it. `hooks` says when they run if the automation syncs a revision.
    pub(crate) async fn assess(
        &mut self,
        application: Arc<Application>,
        status: ApplicationStatus,
        since: Instant,
        hooks: impl Fn(&str) -> Hooks,
    ) -> (Assessment, Option<Subject>) {
        let before = status.health.clone();
        let mut draft = Draft::new(&application, &self.key, status);
        let mut assessment = Assessment {
            application: Arc::clone(&application),
            status: ApplicationStatus::default(),
            happenings: Vec::new(),
            failed: false,
            unsettled: false,
            found: None,
        };
        let mut subject = None;
        if application.metadata.deletion_timestamp.is_none() {
            match self.look(&application, &mut draft, since).await {
                Some((looked, health, unsettled)) => {
                    assessment.unsettled = unsettled;
                    let hooks = hooks(&looked.trusted.id());
                    assessment.found = Some(found(&looked, &health, hooks));
                    subject = Some(looked);
                }
                None => self.cannot_tell(&application, &mut draft.status),
            }
            assessment.unsettled |= self.follow(&mut draft, &before);
        }
        assessment.status = draft.status;
        assessment.happenings = draft.happenings;
        assessment.failed = draft.failed;
        (assessment, subject)
    }

    /// From what the objects come to now to what is shown of it after `before`. True if time alone may change that.
    fn follow(&mut self, draft: &mut Draft, before: &HealthState) -> bool {
        let seen = std::mem::take(&mut draft.status.health);
        let status = seen.status;
        let course = std::mem::take(&mut self.course);
        let (course, shown, rest) = course.go_on(before, seen, jiff::Timestamp::now());
        self.course = course;
        if shown.status != status {
            let finding = Finding::no(&format!("{:?}", shown.status), shown.message.clone());
            draft.find(conditions::HEALTHY, finding);
        }
        draft.status.health = shown;
        rest.is_some()
    }

    async fn look(
        &mut self,
        application: &Arc<Application>,
        draft: &mut Draft,
        since: Instant,
    ) -> Option<(Subject, Vec<ObjectHealth>, bool)> {
        let mut job = match self.job(application) {
            Ok(job) => job,
            // Nothing is looked at and nothing done until the spec is corrected.
            Err(error) => {
                failed(draft, &error);
                return None;
            }
        };
        job.go_on_from(&draft.status);
        let Some(trusted) = self.trust.revision(&mut job, draft, since).await else {
            summary::unknown(&mut draft.status);
            let because = Finding::unknown("Unknown", "what Git wants is not known");
            draft.find(conditions::SYNCED, because.clone());
            draft.find(conditions::HEALTHY, because);
            return None;
        };
        match self.judge(application, &job, draft, trusted).await {
            Ok(judged) => Some(judged),
            Err(error) => {
                let health = draft.status.health.clone();
                failed(draft, &error);
                let is_of_rendering = matches!(
                    error,
                    PipelineError::Render(_)
                        | PipelineError::EmptySource { .. }
                        | PipelineError::Given { .. }
                        | PipelineError::Decryption(_)
                );
                if is_of_rendering {
                    self.health_of_last(&job, draft, health).await;
                }
                None
            }
        }
    }

    /// Whether what runs still works does not depend on a newer commit that cannot be rendered.
    async fn health_of_last(&mut self, job: &Job, draft: &mut Draft, before: HealthState) {
        let Some(last) = self.memory.judged.clone() else {
            draft.status.health = before;
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
            let mut memory = HealthMemory::default();
            let (health, _) = shared
                .pipeline
                .health(&job.spec.policies, &prepared.objects, &mut memory, now)
                .await?;
            Ok::<_, PipelineError>(summary::health(&health, &summary::left_out(&prepared)))
        };
        if let Ok((state, finding)) = health.await {
            draft.status.health = state;
            draft.find(conditions::HEALTHY, finding);
        }
    }

    /// From a trusted revision on. Returns too whether time alone may change a verdict.
    async fn judge(
        &mut self,
        application: &Arc<Application>,
        job: &Job,
        draft: &mut Draft,
        trusted: Trusted,
    ) -> Result<(Subject, Vec<ObjectHealth>, bool), PipelineError> {
        let shared = Arc::clone(&self.shared);
        let pipeline = &shared.pipeline;
        let turn = shared.looking.acquire().await;
        let manifests = self.rendered(job, &trusted).await?;
        let rendered = summary::rendered(manifests.len(), &trusted.submodules());
        draft.find(conditions::RENDERED, Finding::yes("Rendered", rendered));
        self.find_meanings(job).await;
        let desired = self.wanted(&manifests);
        let told = shared
            .claims
            .say(&self.key, self.trust.versions(job), Some(Arc::clone(&desired)));
        shared.ring(&told);
        let mut live = self.live(job, &manifests).await?;
        live.finished = self.finished(job, &live, &manifests).await?;
        drop(turn);
        self.settle_claims(&mut live, &manifests).await;
        let _turn = shared.looking.acquire().await;
        let watching = Finding::yes("Watching", "every kind that it manages is watched");
        draft.find(conditions::CLUSTER_READY, watching);
        let now = jiff::Timestamp::now();
        let commit = &trusted.id();
        let intent = Intent::whole(commit);
        let prepared = pipeline.prepare(job, intent, &manifests, &live, now).await?;
        let policies = &job.spec.policies;
        let (health, health_problems) = pipeline
            .health(policies, &prepared.objects, &mut self.health, now)
            .await?;
        shared.rests_on(&job.applyset(), &self.health);
        let problems: Vec<_> = prepared
            .problems
            .iter()
            .chain(&health_problems)
            .cloned()
            .collect();
        // Plugins that look at the clock may judge an unchanged object otherwise later, and one that failed may recover.
        let judged = prepared.objects.iter().filter_map(|object| object.live.as_ref());
        let unsettled = !problems.is_empty() || pipeline.plugins.health_uses_time(&policies.health, judged);
        let plugins = summary::plugins(&problems, &pipeline.plugins.rejected());
        draft.find(conditions::PLUGINS_READY, plugins);
        let (state, finding) = summary::health(&health, &summary::left_out(&prepared));
        draft.find(conditions::HEALTHY, finding);
        let claims = self.claims(&desired, &live, &prepared);
        let status = &mut draft.status;
        status.claims = Some(claims);
        status.health = state;
        status.objects = summary::owned(live.members.values());
        status.attention = summary::attention(&prepared, &health);
        status.pending_approval = summary::pending(&prepared.plan);
        let owned_before = prepared.owned_before.as_ref();
        status.owned_before = owned_before.map(Census::to_record).unwrap_or_default();
        status.sync.status = summary::sync_status(&prepared.plan);
        status.completed = marks(&prepared.objects);
        status.deletion_hooks = prepared.objects.iter().any(super::delete::is_deletion_hook);
        let is_another = status.sync.revision != *commit;
        status.sync.target = is_another.then(|| commit.clone());
        status.sync.target_version = trusted.version().filter(|_| is_another);
        let synced = match prepared.is_empty_by_mistake() {
            true => summary::empty(commit),
            false => summary::synced(&prepared.plan, commit),
        };
        draft.find(conditions::SYNCED, synced);
        self.memory.finished.clear();
        self.memory.judged = Some(Judged {
            commit: commit.clone(),
            manifests: Arc::clone(&manifests),
        });
        let subject = Subject {
            application: Arc::clone(application),
            job: job.clone(),
            trusted,
            manifests,
            prepared,
        };
        Ok((subject, health, unsettled))
    }

    /// The manifests of a trusted revision, rendered once.
    pub(crate) async fn rendered(
        &mut self,
        job: &Job,
        trusted: &Trusted,
    ) -> Result<Arc<Vec<Manifest>>, PipelineError> {
        let rendering = Rendering {
            commit: trusted.id(),
            sources: trusted
                .sources
                .iter()
                .map(|one| one.source.spec.clone())
                .collect(),
            destination: job.destination().to_owned(),
            given: self.shared.pipeline.given(job).await?,
            capabilities: self.shared.pipeline.capabilities(trusted).await?,
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
        live.claims = shared.claims.about(
            &self.key,
            &live,
            &self.wanted(manifests),
            &self.meanings,
            &self.seen.1,
        );
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
            live.claims = self.shared.claims.about(
                &self.key,
                live,
                &self.wanted(manifests),
                &self.meanings,
                &self.seen.1,
            );
        }
    }

    /// What it claims and lets go, found out once for each preparation.
    fn claims(&mut self, desired: &BTreeSet<ObjectKey>, live: &Live, prepared: &Arc<Prepared>) -> Claims {
        let meaning = self.trust.meaning().unwrap_or_default();
        if let Some((known, claims)) = &self.memory.claims
            && known.ptr_eq(&Arc::downgrade(prepared))
        {
            return Claims {
                revision: meaning,
                ..claims.clone()
            };
        }
        let claims = Claims::of(&meaning, desired, &live.members, &live.others);
        self.memory.claims = Some((Arc::downgrade(prepared), claims.clone()));
        claims
    }

    /// Finds out what the revisions of others mean in the repository, if their claims are known from their status alone.
    async fn find_meanings(&mut self, job: &Job) {
        let versions = self.trust.versions(job);
        if self.seen.0 != versions || self.seen.1.is_empty() {
            self.seen = (versions, rfc3339(jiff::Timestamp::now()));
        }
        self.meanings.clear();
        for (url, name) in self.shared.claims.unknown_revisions(&self.key) {
            let source = job.sources.iter().find(|source| source.spec.repo_url == url);
            let Some(source) = source else { continue };
            let found = self
                .shared
                .pipeline
                .find(job, source, Some(&name), a_moment_ago());
            // A name that means nothing here keeps the others from being settled, until they speak.
            if let Ok(found) = found.await {
                self.meanings.insert((url, name), found.origin.id().to_owned());
            }
        }
    }

    /// Other Applications need not wait for what this one wants: it cannot say so now.
    fn cannot_tell(&self, application: &Application, status: &mut ApplicationStatus) {
        let claims = status.claims.get_or_insert_default();
        match self.trust.meaning() {
            Some(meaning) => {
                claims.revision = meaning;
                claims.unknown_at = None;
            }
            None => claims.unknown_at = Some(rfc3339(jiff::Timestamp::now())),
        }
        let mirrors = &self.shared.pipeline.mirrors;
        let versions = application.spec.sources().map(|source| {
            let url = source.repo_url.clone();
            (url.clone(), mirrors.version(&url))
        });
        let told = self.shared.claims.say(&self.key, versions.collect(), None);
        self.shared.ring(&told);
    }
}

/// What the loop decides on.
fn found(subject: &Subject, health: &[ObjectHealth], hooks: Hooks) -> Found {
    let prepared = &subject.prepared;
    let automated = subject.job.spec.sync_policy.automated;
    let out_of_sync = summary::sync_status(&prepared.plan) != sluice_model::application::SyncStatus::Synced;
    let automatic = automated.filter(|_| out_of_sync).map(|automated| {
        let plan = prepared.plan_for(automated.prune, hooks);
        Outlook {
            blocked: !plan.blocked.is_empty(),
            mends: plan.steps.iter().any(Step::mends),
        }
    });
    let job = &subject.job;
    Found {
        revision: subject.trusted.id(),
        plan: subject.facts(&prepared.plan),
        automatic,
        awaited: awaited(prepared, health),
        empty_by_mistake: prepared.is_empty_by_mistake(),
        terms: Terms {
            patience: job.health_timeout,
            retry: job.retry,
        },
    }
}

/// The objects whose health the end of an operation waits for.
fn awaited(prepared: &Prepared, health: &[ObjectHealth]) -> Vec<Awaited> {
    let objects = prepared.objects.iter();
    let options: BTreeMap<ObjectRef, &ApplyOptions> = objects
        .map(|object| (object.reference(), &object.decision.options))
        .collect();
    let awaited = health.iter().filter_map(|health| {
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

/// A failure after trust: which condition tells of it, and what is no longer known.
fn failed(draft: &mut Draft, error: &PipelineError) {
    let place = match error {
        PipelineError::Spec(_) if error.code() == &codes::EXPRESSION => conditions::RENDERED,
        PipelineError::Render(_)
        | PipelineError::EmptySource { .. }
        | PipelineError::Given { .. }
        | PipelineError::Decryption(_) => conditions::RENDERED,
        PipelineError::Source(_)
        | PipelineError::Chart(_)
        | PipelineError::Credentials { .. }
        | PipelineError::Hosts { .. } => conditions::SOURCE_READY,
        PipelineError::Verify { .. }
        | PipelineError::NoLongerTrusted { .. }
        | PipelineError::Keyring { .. } => conditions::VERIFIED,
        PipelineError::Cluster(_) | PipelineError::Observe(_) => conditions::CLUSTER_READY,
        PipelineError::Apply(_)
        | PipelineError::Spec(_)
        | PipelineError::OutOfBounds { .. }
        | PipelineError::Revisions { .. }
        | PipelineError::Empty
        | PipelineError::Automated { .. }
        | PipelineError::NothingSelected { .. }
        | PipelineError::DeletionHooks
        | PipelineError::HooksUndecided { .. }
        | PipelineError::Internal { .. } => conditions::SYNCED,
    };
    summary::unknown(&mut draft.status);
    let because = Finding::unknown(error.code().id, "not known; the other conditions say why");
    draft.find(conditions::SYNCED, because.clone());
    draft.find(conditions::HEALTHY, because);
    if let PipelineError::Spec(problems) = error {
        // Whose signatures are asked for is part of it: then nothing is known to be trusted any more.
        let trust = problems
            .iter()
            .find(|problem| problem.field.starts_with("spec.verification"));
        if let Some(problem) = trust {
            draft.find(conditions::VERIFIED, Finding::failed(problem));
        }
    }
    draft.fail(place, error);
}

fn keys(manifests: &[Manifest]) -> BTreeSet<ObjectKey> {
    let keys = manifests.iter().map(|manifest| manifest.object.key());
    keys.collect()
}
