//! From manifests and live objects to a plan: sync policies, compare, prune policies, plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluice_apply::Members;
use sluice_cluster::Cluster;
use sluice_compare::{Certainty, Rules};
use sluice_model::application::IgnoreDifference;
use sluice_model::decision::{Occasion, Propagation, PruneDecision, PruneVerdict, SyncDecision};
use sluice_model::difference::Difference;
use sluice_model::manager::{self, Manager};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::{Object, ObjectKey, ObjectRef};
use sluice_model::plan::{Action, ApplicationKey, Plan, Rerecord};
use sluice_model::secret::mask;
use sluice_model::selection::Selector;
use sluice_plan::{DesiredObject, DestinationNamespace, HookNames, Hooks, Options, PlanInput};
use sluice_plugin_host::{PluginHost, PluginProblem, PruneContext, SyncContext, SyncObject};

use crate::error::PipelineError;
use crate::pipeline::recall::Grounds;
use crate::pipeline::{Job, Live, Pipeline, blocking, completed};

/// What a plan is to be made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The commit; empty where the application is being deleted.
    pub revision: String,
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// Delete what Git no longer has, as far as the policies let it.
    pub prune: bool,
    /// When hooks run.
    pub hooks: Hooks,
    /// Only these objects; everything where empty.
    pub selection: Vec<Selector>,
    /// What Git still has of what is to be deleted: protection counts wherever it is written.
    pub protections: BTreeMap<ObjectKey, Object>,
}

impl Intent {
    /// What `status` shows and people approve: all that a sync of `revision` could do.
    pub fn whole(revision: &str) -> Self {
        Self {
            revision: revision.to_owned(),
            occasion: Occasion::Sync,
            prune: true,
            hooks: Hooks::WithChanges,
            selection: Vec::new(),
            protections: BTreeMap::new(),
        }
    }

    /// The deletion of the application with all it owns. `manifests` are what Git has of it.
    pub fn farewell(manifests: &[Manifest]) -> Self {
        let protections = manifests
            .iter()
            .map(|manifest| (manifest.object.key(), manifest.object.clone()));
        Self {
            revision: String::new(),
            occasion: Occasion::ApplicationDeleted,
            prune: true,
            hooks: Hooks::Always,
            selection: Vec::new(),
            protections: protections.collect(),
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
    pub origin: Origin,
    /// Pointers to what is neither compared nor applied: by policy, by the Application's rules, and because something else
    /// decides it.
    pub ignored: Vec<String>,
    /// Whose fields become ours.
    pub predecessors: Vec<Manager>,
    /// What else is written into the record of managers first.
    pub record: Rerecord,
    /// True where the change needs a new object, and the strategy allows for that.
    pub recreate: bool,
    pub(crate) certainty: Certainty,
    /// It is a Job that completed, and was removed since: nothing is missing.
    pub done: bool,
    /// Under what it is remembered once it has completed.
    pub(crate) mark: Option<String>,
    /// Another application owned it and no longer wants it.
    pub released: bool,
}

impl Compared {
    /// As it is and as it should be.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.desired).chain(&self.live)
    }

    /// What is to be, masked, and where that is written.
    fn manifest(&self) -> Manifest {
        Manifest {
            object: mask(&self.desired),
            origin: self.origin.clone(),
        }
    }

    fn for_plan(&self) -> DesiredObject {
        DesiredObject {
            manifest: self.manifest(),
            live: self.live.as_ref().map(mask),
            difference: self.difference.clone(),
            decision: self.decision.clone(),
            predecessors: self.predecessors.clone(),
            record: self.record.clone(),
            recreate: self.recreate,
            released: self.released,
        }
    }

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
    /// The cluster, as the account that is to do it.
    pub cluster: Cluster,
    /// Every desired object, in the order of the manifests.
    pub objects: Vec<Compared>,
    /// Policies that did not answer; their cautious defaults are in the plan.
    pub problems: Vec<PluginProblem>,
    /// True where a policy may decide otherwise later, because it looks at the clock.
    pub(super) uses_time: bool,
    /// What plans are made of, but for [`Self::objects`].
    rest: PlanInput,
    pub(super) members: Arc<BTreeMap<ObjectKey, Object>>,
}

impl Prepared {
    /// True where Git has nothing, the cluster something, and nobody said that this is meant.
    pub fn is_empty_by_mistake(&self) -> bool {
        let nothing = self.objects.is_empty()
            && self.rest.occasion == Occasion::Sync
            && !self.rest.options.allow_empty
            && !self.rest.candidates.is_empty();
        // Nothing but hooks is nothing too.
        let mut kept = self.plan.kept.iter();
        nothing || kept.any(|kept| kept.decided_by.is_none() && kept.reason == sluice_plan::EMPTY_REVISION)
    }

    /// What is sent for each object, Secret values included: for apply. Hooks are under the names that they get.
    pub fn manifests(&self) -> BTreeMap<ObjectKey, Object> {
        let (named, generated): (Vec<_>, Vec<_>) = self
            .objects
            .iter()
            .partition(|object| !object.desired.name().is_empty());
        let named = named
            .into_iter()
            .map(|object| (object.desired.key(), object.desired.clone()));
        let mut sent: BTreeMap<ObjectKey, Object> = named.collect();
        let written: Vec<Manifest> = generated.iter().map(|object| object.manifest()).collect();
        let names = HookNames::of(written.iter());
        for (object, manifest) in generated.into_iter().zip(&written) {
            let phases = object.decision.phases.iter();
            let runs = phases.map(|phase| names.named(manifest, &self.plan.revision, *phase));
            sent.extend(runs.map(|run| (run.key(), object.desired.clone())));
        }
        sent
    }

    /// The plan for less than [`Intent::whole`], from the same findings.
    pub fn plan_for(&self, prune: bool, hooks: Hooks) -> Plan {
        self.plan_of(prune, hooks, &[])
    }

    /// As [`Prepared::plan_for`], for some objects alone; for all of them where none are named.
    pub fn plan_of(&self, prune: bool, hooks: Hooks, selection: &[Selector]) -> Plan {
        let whole = &self.rest.options;
        let has_hooks = self.objects.iter().any(|object| object.decision.hook);
        if selection.is_empty() && whole.prune == prune && (whole.hooks == hooks || !has_hooks) {
            return self.plan.clone();
        }
        let mut rest = self.rest.clone();
        rest.options.prune = prune;
        rest.options.hooks = hooks;
        rest.selection = selection.to_vec();
        plan(&self.objects, rest, &self.cluster)
    }

    /// True where any object is meant, in Git or in the cluster.
    pub fn has(&self, selection: &[Selector]) -> bool {
        let desired = self.objects.iter().map(Compared::reference);
        let live = self.members.values().map(Object::reference);
        selection.is_empty()
            || desired
                .chain(live)
                .any(|object| Selector::any(selection, &object))
    }

    /// Where members will be once a plan made of this is done, with what it holds where that is approved: what is desired, and
    /// what stays of what was.
    fn members_after(&self, plan: &Plan, approved: bool) -> Members {
        let desired = self
            .objects
            .iter()
            .filter(|object| !object.decision.skip && !object.decision.ignored)
            .map(|object| &object.desired);
        let held = plan.held.iter().map(|held| &held.step).filter(|_| approved);
        let deleted: BTreeSet<ObjectKey> = plan
            .steps
            .iter()
            .chain(held)
            .filter(|step| matches!(step.action, Action::Delete { .. }))
            .map(|step| step.object.key())
            .collect();
        let staying = self.members.iter().filter(|(key, _)| !deleted.contains(*key));
        Members::of(
            desired.chain(staying.map(|(_, object)| object)),
            &plan.application.namespace,
        )
    }
}

impl Pipeline {
    /// Where members may be once a plan is done, with what it holds where that is approved. What cannot be looked at stays in the
    /// record: when it comes back it is still the application's.
    pub fn members_after(&self, job: &Job, prepared: &Prepared, plan: &Plan, approved: bool) -> Members {
        prepared
            .members_after(plan, approved)
            .union(&self.out_of_sight(job))
    }

    /// Asks the policies, compares, and plans. Asks the server only what nobody else can tell, and each such thing once. Where
    /// nothing has changed since the last time, what was found out then is the answer.
    pub async fn prepare(
        &self,
        job: &Job,
        intent: Intent,
        manifests: &[Manifest],
        live: &Live,
        now: jiff::Timestamp,
    ) -> Result<Arc<Prepared>, PipelineError> {
        let rules = rules(job)?;
        let namespace = self.destination_namespace(job, &intent, manifests, live).await?;
        let grounds = Grounds::of(&self.plugins, job, &intent);
        if namespace.is_none()
            && let Some(prepared) = self.recall(&grounds, manifests, live)
        {
            return Ok(prepared);
        }
        let (restored, complete) = self.with_records(job, manifests, live).await?;
        let lasts = namespace.is_none() && complete;
        let question = Question {
            plugins: self.plugins.clone(),
            job: job.clone(),
            intent,
            live: restored,
            now,
        };
        let wanted = manifests.to_vec();
        let (question, mut objects, problems) = blocking(move || {
            let mut problems = Vec::new();
            let objects = compare(&question, wanted, &rules, &mut problems);
            (question, objects, problems)
        })
        .await?;
        let settled = self.settle_doubts(job, &question.intent, &mut objects).await?;
        let cluster = self.cluster_of(job)?;
        let prepared = blocking(move || decide(&question, cluster, objects, namespace, problems)).await?;
        let prepared = Arc::new(prepared);
        if lasts && settled {
            self.remember(grounds, manifests, live, &prepared);
        }
        Ok(prepared)
    }
}

/// The rules of the spec, read.
fn rules(job: &Job) -> Result<Rules, PipelineError> {
    Rules::read(&job.spec.ignore_differences).map_err(|error| PipelineError::Spec {
        field: "spec.ignoreDifferences",
        detail: error.to_string(),
    })
}

/// What is to be decided about, and by whom.
struct Question {
    plugins: PluginHost,
    job: Job,
    intent: Intent,
    live: Live,
    now: jiff::Timestamp,
}

fn decide(
    question: &Question,
    cluster: Cluster,
    objects: Vec<Compared>,
    namespace: Option<DestinationNamespace>,
    mut problems: Vec<PluginProblem>,
) -> Prepared {
    let Question {
        plugins,
        job,
        intent,
        live,
        ..
    } = question;
    let cluster = cluster.hiding(objects.iter().flat_map(Compared::states));
    let candidates = candidates(question, &objects, &mut problems);
    for problem in &mut problems {
        cluster.redact(&mut problem.message);
    }
    let rest = PlanInput {
        application: ApplicationKey::clone(&job.key),
        revision: intent.revision.clone(),
        destination_namespace: job.destination().to_owned(),
        policies: plugins.digests(&job.spec.policies),
        occasion: intent.occasion,
        desired: Vec::new(),
        candidates,
        namespace,
        selection: intent.selection.clone(),
        options: Options {
            prune: intent.prune,
            allow_empty: job
                .spec
                .sync_policy
                .automated
                .is_some_and(|automated| automated.allow_empty),
            hooks: intent.hooks,
        },
    };
    Prepared {
        plan: plan(&objects, rest.clone(), &cluster),
        cluster,
        objects,
        problems,
        uses_time: plugins.decisions_use_time(&job.spec.policies),
        rest,
        members: Arc::clone(&live.members),
    }
}

fn plan(objects: &[Compared], rest: PlanInput, cluster: &Cluster) -> Plan {
    let mut plan = sluice_plan::plan(PlanInput {
        desired: objects.iter().map(Compared::for_plan).collect(),
        ..rest
    });
    // A policy sees no Secret, but it may quote another object that has a value of one.
    for reason in plan.reasons_mut() {
        cluster.redact(reason);
    }
    plan
}

fn compare(
    question: &Question,
    manifests: Vec<Manifest>,
    rules: &Rules,
    problems: &mut Vec<PluginProblem>,
) -> Vec<Compared> {
    let Question {
        plugins, job, live, ..
    } = question;
    let asked: Vec<SyncObject> = manifests
        .iter()
        .map(|manifest| SyncObject {
            desired: Some(mask(&manifest.object)),
            live: live.find(&manifest.object.key()).map(mask),
        })
        .collect();
    let answer = plugins.sync(&job.spec.policies.sync, &asked, &sync_context(job, question.now));
    note(problems, answer.problems);
    manifests
        .into_iter()
        .zip(answer.value)
        .map(|(manifest, decision)| {
            let key = manifest.object.key();
            let found = live.find(&key).cloned();
            let mark = completed::mark(&manifest.object).filter(|_| !decision.hook);
            let done = found.is_none()
                && mark.as_ref().is_some_and(|mark| {
                    let as_it_was = |last: &Object| {
                        let before = judge(manifest.clone(), Some(last.clone()), decision.clone(), rules);
                        before.difference.is_same()
                    };
                    job.completed.contains(mark) || live.finished.get(&key).is_some_and(as_it_was)
                });
            let judged = judge(manifest, found, decision, rules);
            Compared {
                released: live.claims.released.contains(&key),
                difference: match done {
                    true => Difference::Same,
                    false => judged.difference,
                },
                done,
                mark,
                ..judged
            }
        })
        .collect()
}

fn judge(manifest: Manifest, live: Option<Object>, mut decision: SyncDecision, rules: &Rules) -> Compared {
    let Manifest { object, origin } = manifest;
    let mut ignored = rules.pointers(&object, live.as_ref());
    match Rules::read(&[ignored_by(&decision)]) {
        Ok(policy) => ignored.extend(policy.pointers(&object, live.as_ref())),
        // Whatever it was to keep out of the sync must not be written meanwhile.
        Err(error) => drop(decision.hold.get_or_insert(format!("ignored field {error}"))),
    }
    // Where a policy forces, Git's number of replicas counts, and not the autoscaler's.
    if let Some(live) = live.as_ref().filter(|_| !decision.force) {
        ignored.extend(sluice_compare::autoscaled(live));
    }
    let adopted = live.as_ref().filter(|_| decision.strategy.applies());
    let names = decision.take_over.as_deref();
    let predecessors = adopted
        .map(|live| manager::predecessors(live, names))
        .unwrap_or_default();
    let desired = sluice_compare::prepare(&object, live.as_ref(), &ignored);
    let mut comparison =
        sluice_compare::compare_taking_over(&desired, live.as_ref(), &ignored, &predecessors);
    let recorded = adopted
        .and_then(manager::recorded_version)
        .filter(|recorded| *recorded != desired.api_version())
        .map(str::to_owned);
    if recorded.is_none() {
        // Only what is applied has an entry that speaks of what Git has.
        comparison.difference = comparison.difference.without("/apiVersion");
    }
    let record = Rerecord {
        claim: std::mem::take(&mut comparison.claim),
        from_version: recorded,
    };
    Compared {
        desired,
        live,
        difference: comparison.difference,
        decision,
        origin,
        ignored,
        predecessors,
        record,
        recreate: false,
        done: false,
        mark: None,
        released: false,
        certainty: comparison.certainty,
    }
}

/// What the policies want ignored of one object, as a rule.
fn ignored_by(decision: &SyncDecision) -> IgnoreDifference {
    let any = || "*".to_owned();
    let (paths, pointers) = decision
        .ignore_fields
        .iter()
        .cloned()
        .partition(|field| field.starts_with('.'));
    IgnoreDifference {
        group: any(),
        kind: any(),
        json_pointers: pointers,
        jq_path_expressions: paths,
        managed_fields_managers: decision.ignore_managers.clone(),
        ..IgnoreDifference::default()
    }
}

fn candidates(
    question: &Question,
    objects: &[Compared],
    problems: &mut Vec<PluginProblem>,
) -> Vec<sluice_plan::PruneCandidate> {
    let Question {
        plugins,
        job,
        intent,
        live,
        now,
    } = question;
    let desired: std::collections::BTreeSet<ObjectKey> =
        objects.iter().map(|object| object.desired.key()).collect();
    let claims = &live.claims;
    let (gone, going): (Vec<&Object>, Vec<&Object>) = live
        .members
        .iter()
        .filter(|(key, _)| !desired.contains(*key))
        .map(|(_, object)| object)
        .partition(|object| !object.is_deleting());
    if gone.is_empty() {
        return Vec::new();
    }
    let context = PruneContext {
        now: *now,
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
        .map(|object| sluice_plugin_host::PruneCandidate {
            live: object.clone(),
            desired: intent.protections.get(&object.key()).map(mask),
        })
        .collect();
    let prune = plugins.prune(&job.spec.policies.prune, &asked, &context);
    note(problems, prune.problems);
    // What is on its way out was decided about before; others may have to wait for it.
    let decided = going.iter().map(|_| PruneDecision {
        verdict: PruneVerdict::Delete,
        propagation: Propagation::default(),
        decided_by: None,
    });
    let verdicts: Vec<PruneDecision> = prune.value.into_iter().chain(decided).collect();
    let masked: Vec<Object> = masked.into_iter().chain(going.into_iter().map(mask)).collect();
    let asked: Vec<_> = masked
        .iter()
        .map(|object| SyncObject {
            desired: None,
            live: Some(object.clone()),
        })
        .collect();
    let sync = plugins.sync(&job.spec.policies.sync, &asked, &sync_context(job, *now));
    note(problems, sync.problems);
    masked
        .into_iter()
        .zip(verdicts)
        .zip(sync.value)
        .map(|((live, prune), sync)| sluice_plan::PruneCandidate {
            claimed: claims.reason(&live.key()).cloned(),
            live,
            prune,
            sync,
        })
        .collect()
}

pub(super) fn sync_context(job: &Job, now: jiff::Timestamp) -> SyncContext {
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
