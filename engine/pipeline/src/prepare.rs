//! From manifests and live objects to a plan: what `sluice-decide` decides, with the plugins and the server to ask.

use std::ops::Deref;
use std::sync::Arc;

use sluice_apply::Members;
use sluice_cluster::Target;
use sluice_decide::{Candidate, Change, Compared, Decided, Deletion, Intent, Live, Policies, Subject};
use sluice_model::application;
use sluice_model::decision::{PruneDecision, SyncDecision};
use sluice_model::manifest::Manifest;
use sluice_model::plan::Plan;
use sluice_plugin_host::{PluginHost, PluginProblem, PruneContext, PruneObject, SyncContext, SyncObject};

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::plan_cache::Grounds;
use crate::{Job, Pipeline};

/// What was decided about one application at one revision, and the connection to carry it out with.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What was decided.
    pub decided: Decided,
    /// The cluster, as the account that is to do it.
    pub cluster: Target,
    /// Policies that did not answer; their cautious defaults are in the plan.
    pub problems: Vec<PluginProblem>,
    /// True where a policy may decide otherwise later, because it looks at the clock.
    pub(super) uses_time: bool,
}

impl Deref for Prepared {
    type Target = Decided;

    fn deref(&self) -> &Decided {
        &self.decided
    }
}

/// The plugins that an application names, as what [`sluice_decide`] asks.
#[derive(Clone)]
pub struct Plugins {
    host: PluginHost,
    policies: application::Policies,
    context: SyncContext,
    application: sluice_model::plan::ApplicationKey,
    /// Plugins that did not answer, each once, however many questions it was about.
    pub problems: Vec<PluginProblem>,
}

impl Plugins {
    /// Those of an application, asked at `now`, which is the only clock that they have.
    pub fn of(host: PluginHost, job: &Job, now: jiff::Timestamp) -> Self {
        Self {
            host,
            policies: job.spec.policies.clone(),
            context: sync_context(job, now),
            application: job.key.clone(),
            problems: Vec::new(),
        }
    }

    fn note(&mut self, problems: Vec<PluginProblem>) {
        for problem in problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }
}

impl Policies for Plugins {
    fn sync(&mut self, changes: Vec<Change>) -> Vec<SyncDecision> {
        let asked: Vec<SyncObject> = changes
            .into_iter()
            .map(|Change { desired, live }| SyncObject { desired, live })
            .collect();
        let answer = self.host.sync(&self.policies.sync, &asked, &self.context);
        self.note(answer.problems);
        answer.value
    }

    fn prune(&mut self, candidates: Vec<Candidate>, deletion: &Deletion) -> Vec<PruneDecision> {
        let asked: Vec<PruneObject> = candidates
            .into_iter()
            .map(|Candidate { live, desired }| PruneObject { live, desired })
            .collect();
        let context = PruneContext {
            now: self.context.now,
            occasion: deletion.occasion,
            application: self.application.clone(),
            owned: deletion.owned.clone(),
            desired: deletion.desired.clone(),
            options: self.context.options.clone(),
        };
        let answer = self.host.prune(&self.policies.prune, &asked, &context);
        self.note(answer.problems);
        answer.value
    }

    fn digests(&self) -> Vec<String> {
        self.host.digests(&self.policies)
    }
}

pub(super) fn sync_context(job: &Job, now: jiff::Timestamp) -> SyncContext {
    SyncContext {
        now,
        application: Some(job.key.clone()),
        options: job.spec.sync_policy.sync_options.clone(),
    }
}

impl Pipeline {
    /// Returns where members may be once a plan is done; with `approved`, also what it holds is done. What cannot be looked at stays in
    /// the record: when it comes back it is still the application's.
    pub fn members_after(&self, job: &Job, prepared: &Prepared, plan: &Plan, approved: bool) -> Members {
        let members = prepared.members_after(plan, approved);
        Members::of(members, &plan.application.namespace).union(&self.out_of_sight(job))
    }

    /// Asks the policies, compares, and plans: returns the plan that brings the cluster to the intent, and what it follows from. Asks
    /// the server only what it alone can tell, and each such thing once. If nothing has changed since the last time, what was found
    /// out then is the answer. A policy that does not answer is in [`Prepared::problems`], and its cautious default in the plan.
    ///
    /// # Errors
    /// [`PipelineError::Cluster`] if the destination namespace cannot be looked at.
    pub async fn prepare(
        &self,
        job: &Job,
        intent: Intent,
        manifests: &[Manifest],
        live: &Live,
        now: jiff::Timestamp,
    ) -> Result<Arc<Prepared>, PipelineError> {
        let namespace = self.destination_namespace(job, &intent, manifests, live).await?;
        let grounds = Grounds::of(&self.plugins, job, &intent);
        if namespace.is_none()
            && let Some(prepared) = self.recall(&grounds, manifests, live)
        {
            return Ok(prepared);
        }
        let (restored, complete) = self.with_records(job, manifests, live).await;
        let lasts = namespace.is_none() && complete;
        let mut question = Question {
            plugins: Plugins::of(self.plugins.clone(), job, now),
            subject: job.subject(),
            intent,
            live: restored,
        };
        let wanted = manifests.to_vec();
        let (question, mut objects) = blocking(move || {
            let Question {
                plugins,
                subject,
                live,
                ..
            } = &mut question;
            let objects = sluice_decide::compare(subject, live, wanted, plugins);
            (question, objects)
        })
        .await?;
        let settled = self.settle_doubts(job, &question.intent, &mut objects).await;
        let cluster = self.target_of(job);
        let prepared = blocking(move || {
            let Question {
                mut plugins,
                subject,
                intent,
                live,
            } = question;
            let cluster = cluster.hiding(objects.iter().flat_map(Compared::states));
            let decided = sluice_decide::decide(&subject, &intent, &live, objects, namespace, &mut plugins);
            let mut problems = plugins.problems;
            for problem in &mut problems {
                cluster.redact(&mut problem.message);
            }
            Prepared {
                uses_time: plugins.host.decisions_use_time(&plugins.policies),
                decided,
                cluster,
                problems,
            }
        })
        .await?;
        let prepared = Arc::new(prepared);
        if lasts && settled {
            self.remember(grounds, manifests, live, &prepared);
        }
        Ok(prepared)
    }
}

/// What is to be decided about, and by whom.
struct Question {
    plugins: Plugins,
    subject: Subject,
    intent: Intent,
    live: Live,
}
