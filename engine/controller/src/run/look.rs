//! One look at an application: from the repository and the cluster to findings, without changing anything.

use std::sync::Arc;
use std::time::Duration;

use sluice_model::application::{ApplicationStatus, HealthState, Source, Verification, VerificationState};
use sluice_model::manifest::Manifest;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;
use sluice_verify::Keyring;
use tokio::time::Instant;

use super::actor::Actor;
use super::standing;
use crate::error::PipelineError;
use crate::pipeline::{Found, HealthMemory, Intent, Job, Live, Prepared, Trusted};

/// How soon to look again where time alone may change a verdict.
const UNSETTLED: Duration = Duration::from_secs(15);
/// How long the first lists of an application's kinds may take.
const FIRST_LISTS: Duration = Duration::from_secs(60);

/// What a look found. Everything that failed stands in the status already.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) trusted: Trusted,
    pub(crate) manifests: Arc<Vec<Manifest>>,
    pub(crate) prepared: Prepared,
}

/// What was trusted, and on which grounds; as long as these are the same, so is the answer.
#[derive(Debug, Clone)]
pub(crate) struct Grounds {
    commit: String,
    tag: Option<String>,
    source: Source,
    verification: Option<Verification>,
    keyring: String,
}

impl PartialEq for Grounds {
    fn eq(&self, other: &Self) -> bool {
        self.commit == other.commit
            && self.tag == other.tag
            && self.source == other.source
            && self.verification == other.verification
            && self.keyring == other.keyring
    }
}

/// What is remembered from look to look. All of it can be found out again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    trusted: Option<(Grounds, Trusted)>,
    refused: Option<(Grounds, String, Finding)>,
    rendered: Option<(Grounds, String, Arc<Vec<Manifest>>)>,
    judged: Option<Judged>,
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
        let trusted = match self.trusted(job, status, since).await {
            Some(trusted) => trusted,
            None => {
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

    /// The trusted revision to compare with: the newest, or the last one where that is refused or cannot be had.
    async fn trusted(
        &mut self,
        job: &mut Job,
        status: &mut ApplicationStatus,
        since: Instant,
    ) -> Option<Trusted> {
        let shared = Arc::clone(&self.shared);
        let found = match shared.pipeline.find(job, None, since).await {
            Ok(found) => found,
            Err(error) => {
                self.failures += 1;
                self.finding(status, conditions::SOURCE_READY, Finding::failed(&error));
                self.note_failure(&error);
                // What was trusted is still what Git wanted last: drift is seen and healed even while Git is away.
                return self.remembered(job);
            }
        };
        let source = format!("{} is {}", found.revision.requested, found.revision.commit);
        self.finding(status, conditions::SOURCE_READY, Finding::yes("Fetched", source));
        let keyring = match shared.pipeline.keyring(job).await {
            Ok(keyring) => Arc::new(keyring),
            Err(error) => {
                self.finding(status, conditions::VERIFIED, Finding::failed(&error));
                self.note_failure(&error);
                return self.remembered(job);
            }
        };
        match self.verified(job, &found, Arc::clone(&keyring)).await {
            Ok(trusted) => {
                self.accepted(job, status, &trusted);
                Some(trusted)
            }
            Err(Refusal::Untrusted { commit, finding }) => {
                self.refused(job, status, &commit, finding).await;
                self.fall_back(job, status, keyring).await
            }
            Err(Refusal::Failed(error)) => {
                self.failures += 1;
                self.finding(status, conditions::SOURCE_READY, Finding::failed(&error));
                self.note_failure(&error);
                self.remembered(job)
            }
        }
    }

    /// What was trusted last, as long as the same is asked of it.
    fn remembered(&self, job: &Job) -> Option<Trusted> {
        let (grounds, trusted) = self.memory.trusted.as_ref()?;
        (grounds.verification == job.spec.verification).then(|| trusted.clone())
    }

    async fn verified(
        &mut self,
        job: &Job,
        found: &Found,
        keyring: Arc<Keyring>,
    ) -> Result<Trusted, Refusal> {
        let grounds = grounds(job, found, &keyring);
        if let Some((known, trusted)) = &self.memory.trusted
            && *known == grounds
        {
            return Ok(trusted.clone());
        }
        if let Some((known, commit, finding)) = &self.memory.refused
            && *known == grounds
        {
            return Err(Refusal::Untrusted {
                commit: commit.clone(),
                finding: finding.clone(),
            });
        }
        // Waiting for a repository takes no turn, computing does. A closed semaphore means that the process ends.
        let shared = Arc::clone(&self.shared);
        let _turn = shared.looking.acquire().await;
        match self
            .shared
            .pipeline
            .trust(job, found, keyring, jiff::Timestamp::now())
            .await
        {
            Ok(trusted) => {
                self.memory.trusted = Some((grounds, trusted.clone()));
                self.memory.refused = None;
                Ok(trusted)
            }
            Err(error @ PipelineError::Verify { .. }) => {
                let commit = found.revision.commit.clone();
                let finding = Finding::failed(&error);
                self.memory.refused = Some((grounds, commit.clone(), finding.clone()));
                Err(Refusal::Untrusted { commit, finding })
            }
            Err(error) => Err(Refusal::Failed(error)),
        }
    }

    fn accepted(&mut self, job: &mut Job, status: &mut ApplicationStatus, trusted: &Trusted) {
        let commit = trusted.revision.commit.clone();
        if job.mode() == sluice_model::application::VerificationMode::None {
            status.verification = None;
            self.finding(
                status,
                conditions::VERIFIED,
                Finding::yes("NotRequired", "the Application asks for no verification"),
            );
            return;
        }
        let before = status.verification.take().unwrap_or_default();
        let signer = trusted.signer.as_ref().map(|signer| signer.fingerprint.clone());
        let message = match &trusted.signer {
            Some(signer) => {
                let name = signer.user_id.as_deref().unwrap_or("unnamed");
                format!("{commit} is signed by {} ({name})", signer.fingerprint)
            }
            None => format!("{commit} was verified before"),
        };
        let same = before.trusted_revision.as_deref() == Some(commit.as_str());
        status.verification = Some(VerificationState {
            signer: signer.or_else(|| before.signer.clone().filter(|_| same)),
            trusted_revision: Some(commit.clone()),
            refused_revision: None,
            ..before
        });
        // A revision that was found trusted before keeps the words in which that was said.
        let said = conditions::get(&status.conditions, conditions::VERIFIED)
            .is_some_and(|said| said.status == "True");
        if !(same && said && trusted.signer.is_none()) {
            self.finding(status, conditions::VERIFIED, Finding::yes("Trusted", message));
        }
        job.last_trusted = Some(commit);
    }

    async fn refused(&mut self, job: &Job, status: &mut ApplicationStatus, commit: &str, finding: Finding) {
        let before = status.verification.take().unwrap_or_default();
        let known = before.refused_revision.as_deref() == Some(commit);
        let stays = match &job.last_trusted {
            Some(trusted) => format!("the cluster stays at {trusted}"),
            None => "nothing is synced".to_owned(),
        };
        let message = format!("{}; {stays}", finding.message);
        status.verification = Some(VerificationState {
            refused_revision: Some(commit.to_owned()),
            ..before
        });
        if !known {
            tracing::warn!(application = %self.key, commit, reason = finding.reason, "revision refused");
            self.tell(Happening::RevisionRefused, &message).await;
        }
        self.finding(status, conditions::VERIFIED, Finding { message, ..finding });
    }

    /// The last trusted revision, to go on with.
    async fn fall_back(
        &mut self,
        job: &Job,
        status: &mut ApplicationStatus,
        keyring: Arc<Keyring>,
    ) -> Option<Trusted> {
        let last = job.last_trusted.clone()?;
        if let Some((_, trusted)) = &self.memory.trusted
            && trusted.revision.commit == last
            && self
                .memory
                .trusted
                .as_ref()
                .is_some_and(|(known, _)| known.source.path == job.spec.source.path)
        {
            return Some(trusted.clone());
        }
        // What was fetched a moment ago will do.
        let long_ago = Instant::now()
            .checked_sub(Duration::from_secs(600))
            .unwrap_or_else(Instant::now);
        let again = async {
            let found = self.shared.pipeline.find(job, Some(&last), long_ago).await?;
            let trusted = self
                .shared
                .pipeline
                .trust(job, &found, Arc::clone(&keyring), jiff::Timestamp::now())
                .await?;
            Ok::<_, PipelineError>((grounds(job, &found, &keyring), trusted))
        };
        match again.await {
            Ok((grounds, trusted)) => {
                self.memory.trusted = Some((grounds, trusted.clone()));
                Some(trusted)
            }
            Err(error) => {
                self.finding(status, conditions::SOURCE_READY, Finding::failed(&error));
                self.note_failure(&error);
                None
            }
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
        let _turn = shared.looking.acquire().await;
        let pipeline = &shared.pipeline;
        let manifests = self.rendered(job, &trusted).await?;
        let rendered = format!("{} manifests", manifests.len());
        self.finding(status, conditions::RENDERED, Finding::yes("Rendered", rendered));
        let live = self.live(job, &manifests).await?;
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
        let commit = &trusted.revision.commit;
        status.sync.target = (status.sync.revision != *commit).then(|| commit.clone());
        let synced = match prepared.is_empty_by_mistake() {
            true => standing::empty(commit),
            false => standing::synced(&prepared.plan, commit),
        };
        self.finding(status, conditions::SYNCED, synced);
        self.memory.judged = Some(Judged {
            commit: commit.clone(),
            manifests: Arc::clone(&manifests),
        });
        Ok(Looked {
            trusted,
            manifests,
            prepared,
        })
    }

    /// The manifests of a trusted revision, rendered once.
    pub(crate) async fn rendered(
        &mut self,
        job: &Job,
        trusted: &Trusted,
    ) -> Result<Arc<Vec<Manifest>>, PipelineError> {
        let destination = job.destination().to_owned();
        let grounds = self
            .memory
            .trusted
            .as_ref()
            .filter(|(_, known)| known.revision == trusted.revision)
            .map(|(grounds, _)| grounds.clone());
        if let (Some(grounds), Some((known, to, manifests))) = (&grounds, &self.memory.rendered)
            && known == grounds
            && *to == destination
        {
            return Ok(Arc::clone(manifests));
        }
        let manifests = Arc::new(self.shared.pipeline.manifests(job, trusted).await?);
        if let Some(grounds) = grounds {
            self.memory.rendered = Some((grounds, destination, Arc::clone(&manifests)));
        }
        Ok(manifests)
    }

    /// What the cluster has, from the watches; what is still to be adopted is asked for.
    pub(crate) async fn live(&self, job: &Job, manifests: &[Manifest]) -> Result<Live, PipelineError> {
        let shared = &self.shared;
        let kinds = shared.pipeline.kinds(job, manifests).await?;
        shared.observer.ensure(&kinds, FIRST_LISTS).await?;
        shared.needs(&self.key, kinds.clone());
        let members = shared.observer.snapshot(&kinds, &job.applyset());
        shared
            .pipeline
            .with_others(job, Live::of_members(members), manifests)
            .await
    }

    /// A failure after trust: which condition tells of it, and what is no longer known.
    pub(crate) fn failed(&mut self, status: &mut ApplicationStatus, error: &PipelineError) {
        self.failures += 1;
        self.note_failure(error);
        let place = match error {
            PipelineError::Render(_) => conditions::RENDERED,
            PipelineError::Source(_) | PipelineError::Credentials { .. } => conditions::SOURCE_READY,
            PipelineError::Verify { .. } | PipelineError::Keyring { .. } => conditions::VERIFIED,
            PipelineError::Cluster(_) | PipelineError::Observe(_) => conditions::CLUSTER_READY,
            PipelineError::Apply(_)
            | PipelineError::Destination { .. }
            | PipelineError::Spec { .. }
            | PipelineError::OutOfBounds { .. }
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

enum Refusal {
    Untrusted { commit: String, finding: Finding },
    Failed(PipelineError),
}

fn grounds(job: &Job, found: &Found, keyring: &Keyring) -> Grounds {
    Grounds {
        commit: found.revision.commit.clone(),
        tag: found.revision.tag.clone(),
        source: job.spec.source.clone(),
        verification: job.spec.verification.clone(),
        keyring: keyring.digest(),
    }
}
