//! From manifests and live objects to a plan: sync policies, compare, prune policies, plan.

use std::collections::BTreeMap;

use sluice_apply::Members;
use sluice_model::decision::{Occasion, Strategy, SyncDecision};
use sluice_model::difference::Difference;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey, ObjectRef};
use sluice_model::plan::{ApplicationKey, Plan};
use sluice_model::secret::mask;
use sluice_plan::{DesiredObject, Hooks, Options, PlanInput};
use sluice_plugin_host::{PluginHost, PluginProblem, PruneContext, SyncContext, SyncObject};

use crate::error::PipelineError;
use crate::pipeline::{Job, Live, Pipeline, blocking};

/// What a plan is to be made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The commit; empty where the application is being deleted.
    pub revision: String,
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// Delete what Git no longer has, as far as the policies let it.
    pub prune: bool,
    /// When hooks run.
    pub hooks: Hooks,
}

impl Intent {
    /// What `status` shows and people approve: all that a sync of `revision` could do.
    pub fn whole(revision: &str) -> Self {
        Self {
            revision: revision.to_owned(),
            occasion: Occasion::Sync,
            prune: true,
            hooks: Hooks::WithChanges,
        }
    }

    /// The deletion of the application with all it owns.
    pub fn farewell() -> Self {
        Self {
            revision: String::new(),
            occasion: Occasion::ApplicationDeleted,
            prune: true,
            hooks: Hooks::Always,
        }
    }
}

/// One desired object, judged.
#[derive(Debug, Clone)]
pub struct Compared {
    /// As it would be sent, Secret values included: for compare and apply, never for people.
    pub desired: Object,
    /// As the cluster has it.
    pub live: Option<Object>,
    /// How the two differ, masked.
    pub difference: Difference,
    /// What the sync policies said.
    pub decision: SyncDecision,
    /// Where it is written.
    pub origin: sluice_model::manifest::Origin,
}

impl Compared {
    /// True for what belongs to the application, not to a single sync of it.
    pub fn is_lasting(&self) -> bool {
        !self.decision.hook && !self.decision.skip && !self.decision.ignored
    }

    /// Its name.
    pub fn reference(&self) -> ObjectRef {
        self.desired.reference()
    }
}

/// Everything that was decided about one application at one revision.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What would be done.
    pub plan: Plan,
    /// What is sent for each object, Secret values included: for apply.
    pub manifests: BTreeMap<ObjectKey, Object>,
    /// Every desired object.
    pub objects: Vec<Compared>,
    /// Members after the plan is done, held deletions not done: for the ApplySet's record.
    pub afterwards: Members,
    /// Members after the plan is done with its held deletions.
    pub afterwards_approved: Members,
    /// Policies that did not answer; their cautious defaults are in the plan.
    pub problems: Vec<PluginProblem>,
    input: PlanInput,
}

impl Prepared {
    /// True where Git has nothing, the cluster something, and nobody said that this is meant.
    pub fn is_empty_by_mistake(&self) -> bool {
        self.objects.is_empty()
            && self.input.occasion == Occasion::Sync
            && !self.input.options.allow_empty
            && !self.input.candidates.is_empty()
    }

    /// The plan for less than [`Intent::whole`], from the same findings.
    pub fn plan_for(&self, prune: bool, hooks: Hooks) -> Plan {
        let mut input = self.input.clone();
        input.options.prune = prune;
        input.options.hooks = hooks;
        sluice_plan::plan(input)
    }
}

impl Pipeline {
    /// Asks the policies, compares, and plans.
    pub async fn prepare(
        &self,
        job: &Job,
        intent: Intent,
        manifests: &[Manifest],
        live: &Live,
        now: jiff::Timestamp,
    ) -> Result<Prepared, PipelineError> {
        let create_namespace = self.needs_namespace(job, manifests, live).await?;
        let (plugins, job, manifests, live) = (
            self.plugins.clone(),
            job.clone(),
            manifests.to_vec(),
            live.clone(),
        );
        blocking(move || decide(&plugins, &job, intent, manifests, &live, create_namespace, now)).await
    }

    /// Whether `CreateNamespace=true` is set and the destination does not exist. Asks only where something of it is missing,
    /// so that an application that runs costs no request.
    async fn needs_namespace(
        &self,
        job: &Job,
        manifests: &[Manifest],
        live: &Live,
    ) -> Result<bool, PipelineError> {
        let namespace = job.destination();
        let wanted = job
            .spec
            .sync_policy
            .sync_options
            .iter()
            .any(|option| option == "CreateNamespace=true");
        let written = manifests.iter().any(|manifest| {
            manifest.object.kind() == "Namespace"
                && manifest.object.group().is_empty()
                && manifest.object.name() == namespace
        });
        let here = |manifest: &&Manifest| manifest.object.namespace() == Some(namespace);
        let missing = manifests
            .iter()
            .filter(here)
            .any(|manifest| live.find(&manifest.object.reference().key()).is_none());
        if !wanted || written || !missing {
            return Ok(false);
        }
        let reference = ObjectRef {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: namespace.to_owned(),
        };
        let kind = self.cluster.kind_of(&reference).await?;
        Ok(self.cluster.get(&kind, &reference).await?.is_none())
    }
}

fn decide(
    plugins: &PluginHost,
    job: &Job,
    intent: Intent,
    manifests: Vec<Manifest>,
    live: &Live,
    create_namespace: bool,
    now: jiff::Timestamp,
) -> Prepared {
    let mut problems = Vec::new();
    let objects = compare(plugins, job, manifests, live, now, &mut problems);
    let sent = objects
        .iter()
        .map(|object| (object.reference().key(), object.desired.clone()))
        .collect();
    let candidates = candidates(plugins, job, &intent, &objects, live, now, &mut problems);
    let input = PlanInput {
        application: ApplicationKey::clone(&job.key),
        revision: intent.revision.clone(),
        destination_namespace: job.destination().to_owned(),
        policies: plugins.digests(&job.spec.policies),
        occasion: intent.occasion,
        desired: objects
            .iter()
            .map(|object| DesiredObject {
                manifest: Manifest {
                    object: mask(&object.desired),
                    origin: object.origin.clone(),
                },
                live: object.live.as_ref().map(mask),
                difference: object.difference.clone(),
                decision: object.decision.clone(),
            })
            .collect(),
        candidates,
        options: Options {
            prune: intent.prune,
            allow_empty: job
                .spec
                .sync_policy
                .automated
                .is_some_and(|automated| automated.allow_empty),
            hooks: intent.hooks,
            create_namespace,
        },
    };
    let plan = sluice_plan::plan(input.clone());
    let approved = afterwards(job, &objects, live, &plan, true);
    let afterwards = afterwards(job, &objects, live, &plan, false);
    Prepared {
        plan,
        manifests: sent,
        objects,
        afterwards,
        afterwards_approved: approved,
        problems,
        input,
    }
}

fn compare(
    plugins: &PluginHost,
    job: &Job,
    manifests: Vec<Manifest>,
    live: &Live,
    now: jiff::Timestamp,
    problems: &mut Vec<PluginProblem>,
) -> Vec<Compared> {
    let context = sync_context(job, now);
    let asked: Vec<SyncObject> = manifests
        .iter()
        .map(|manifest| SyncObject {
            desired: Some(mask(&manifest.object)),
            live: live.find(&manifest.object.reference().key()).map(mask),
        })
        .collect();
    let answer = plugins.sync(&job.spec.policies.sync, &asked, &context);
    note(problems, answer.problems);
    manifests
        .into_iter()
        .zip(answer.value)
        .map(|(manifest, mut decision)| {
            let found = live.find(&manifest.object.reference().key()).cloned();
            let desired = sluice_compare::prepare(&manifest.object, found.as_ref(), &decision.ignore_fields);
            let difference = sluice_compare::compare(&desired, found.as_ref(), &decision.ignore_fields);
            // An object of ours belongs to Git: whoever changed a field of it owns that field now, and syncing it takes it back.
            // What was never ours is another matter: taking it over needs a policy that says so. Where others are to keep
            // fields of our objects, a policy ignores the fields or merges. The force stands in the plan, and in its digest.
            decision.force |=
                matches!(difference, Difference::Changed(_)) && decision.strategy != Strategy::Merge;
            Compared {
                desired,
                live: found,
                difference,
                decision,
                origin: manifest.origin,
            }
        })
        .collect()
}

fn candidates(
    plugins: &PluginHost,
    job: &Job,
    intent: &Intent,
    objects: &[Compared],
    live: &Live,
    now: jiff::Timestamp,
    problems: &mut Vec<PluginProblem>,
) -> Vec<sluice_plan::PruneCandidate> {
    let desired: std::collections::BTreeSet<ObjectKey> =
        objects.iter().map(|object| object.reference().key()).collect();
    let gone: Vec<&Object> = live
        .members
        .iter()
        .filter(|(key, object)| !desired.contains(*key) && !object.is_deleting())
        .map(|(_, object)| object)
        .collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let context = PruneContext {
        now,
        occasion: intent.occasion,
        application: job.key.clone(),
        owned: live
            .members
            .values()
            .filter(|member| !member.is_deleting())
            .collect(),
        desired: objects
            .iter()
            .filter(|object| object.is_lasting())
            .map(|object| &object.desired)
            .collect(),
        options: job.spec.sync_policy.sync_options.clone(),
    };
    let masked: Vec<Object> = gone.iter().map(|object| mask(object)).collect();
    let asked: Vec<_> = masked
        .iter()
        .cloned()
        .map(sluice_plugin_host::PruneCandidate::from)
        .collect();
    let prune = plugins.prune(&job.spec.policies.prune, &asked, &context);
    note(problems, prune.problems);
    let asked: Vec<_> = masked
        .iter()
        .map(|object| SyncObject {
            desired: None,
            live: Some(object.clone()),
        })
        .collect();
    let sync = plugins.sync(&job.spec.policies.sync, &asked, &sync_context(job, now));
    note(problems, sync.problems);
    masked
        .into_iter()
        .zip(prune.value)
        .zip(sync.value)
        .map(|((live, prune), sync)| sluice_plan::PruneCandidate { live, prune, sync })
        .collect()
}

fn sync_context(job: &Job, now: jiff::Timestamp) -> SyncContext {
    SyncContext {
        now,
        application: Some(job.key.clone()),
        options: job.spec.sync_policy.sync_options.clone(),
    }
}

/// Each problem once, however many questions it was about.
fn note(problems: &mut Vec<PluginProblem>, new: Vec<PluginProblem>) {
    for problem in new {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// Where members may be once the plan is done: what is desired, and what stays of what was.
fn afterwards(job: &Job, objects: &[Compared], live: &Live, plan: &Plan, approved: bool) -> Members {
    let desired = objects
        .iter()
        .filter(|object| !object.decision.skip && !object.decision.ignored)
        .map(|object| &object.desired);
    let held = plan.held.iter().map(|held| &held.step).filter(|_| approved);
    let deleted: std::collections::BTreeSet<ObjectKey> = plan
        .steps
        .iter()
        .chain(held)
        .filter(|step| matches!(step.action, sluice_model::plan::Action::Delete { .. }))
        .map(|step| step.object.key())
        .collect();
    let staying = live
        .members
        .iter()
        .filter(|(key, _)| !deleted.contains(*key))
        .map(|(_, object)| object);
    Members::of(desired.chain(staying), &job.key.namespace)
}
