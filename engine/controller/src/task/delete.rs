//! Deleting what an Application owns: finding it, running the hooks for it, carrying the plan out, setting the rest free. In which
//! order, and when, the core decides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use sluice_apply::{ApplyError, Event, Members, Request};
use sluice_health::Expectation;
use sluice_model::ObjectRef;
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::decision::Phase;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_pipeline::{Compared, Intent, Job, Live, PipelineError, Prepared};
use sluice_reconcile::{DeletionFacts, DeletionResult, Observation, Progress};
use sluice_report::conditions::Finding;
use sluice_report::events::Happening;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::assess::Draft;
use super::wait::Waiting;
use super::writer::MANAGER;
use super::{Task, log, summary};

/// How long a wave of deletions may take before the turn ends and a later one goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many objects are set free at once.
const PARALLEL: usize = 16;

/// What an Application owns that is being deleted.
pub(super) struct Deletion {
    job: Job,
    live: Live,
    /// What Git has of it: its hooks for the deletion, and what protects its objects.
    manifests: Arc<Vec<Manifest>>,
    /// The plan that was made last.
    prepared: Option<Arc<Prepared>>,
}

/// `, Realm.example.com shop/main first, held by example.com/cleanup`.
fn first_of(going: &[&Object]) -> String {
    let held = going.iter().find(|object| !object.finalizers().is_empty());
    let Some(first) = held.or(going.first()) else {
        return String::new();
    };
    let finalizers = first.finalizers().join(", ");
    let by = match finalizers.is_empty() {
        true => String::new(),
        false => format!(", held by {finalizers}"),
    };
    format!(", {} first{by}", first.reference())
}

/// True for a hook of the Application's deletion.
pub(crate) fn is_deletion_hook(object: &Compared) -> bool {
    let decision = &object.decision;
    let phases = [Phase::PreDelete, Phase::PostDelete];
    decision.hook
        && !decision.skip
        && !decision.ignored
        && decision.phases.iter().any(|phase| phases.contains(phase))
}

impl Task {
    /// Finds what the Application owns and, if its objects go with it, the manifests of its deletion.
    pub(super) async fn find_members(&mut self, since: Instant, prune: bool) -> Observation {
        let Some(application) = self.writer.application.borrow_and_update().clone() else {
            return Observation::Failed;
        };
        let mut draft = Draft::new(&application, &self.key, self.state.status().clone());
        let defaults = &self.shared.pipeline.defaults;
        let resolved = match prune {
            true => Job::resolve(&application, defaults),
            false => Job::to_let_go(&application, defaults),
        };
        let mut job = match resolved {
            Ok(job) => job,
            Err(problems) => {
                return Observation::Members {
                    status: Box::new(draft.status),
                    objects: Err(self.finding(&problems.into())),
                };
            }
        };
        let found = async {
            let live = self.assessor.live(&job, &[]).await?;
            let manifests = match prune {
                true => last_manifests(&mut self.assessor, &mut job, &mut draft, since).await?,
                false => Arc::default(),
            };
            Ok::<_, PipelineError>((live, manifests))
        };
        let objects = match found.await {
            Ok((live, manifests)) => {
                let owned = summary::owned(live.members.values());
                self.deletion = Some(Deletion {
                    job,
                    live,
                    manifests,
                    prepared: None,
                });
                Ok(owned)
            }
            Err(error) => Err(self.finding(&error)),
        };
        let mut said = draft.happenings;
        for (happening, note) in said.drain(..) {
            self.writer.tell(happening, &note);
        }
        Observation::Members {
            status: Box::new(draft.status),
            objects,
        }
    }

    /// Runs the hooks of a phase of the deletion to their end.
    pub(super) async fn run_hooks(&mut self, phase: Phase) -> Observation {
        let result = match self.deletion.take() {
            Some(deletion) => {
                let result = Box::pin(self.hooks(&deletion, phase)).await;
                self.deletion = Some(deletion);
                result
            }
            None => Err(nothing_found()),
        };
        Observation::HooksRan(result.map_err(|error| self.finding(&error)))
    }

    async fn hooks(&mut self, deletion: &Deletion, phase: Phase) -> Result<(), PipelineError> {
        let Deletion { job, manifests, .. } = deletion;
        let shared = Arc::clone(&self.shared);
        let pipeline = &shared.pipeline;
        let (nothing, now) = (Live::default(), jiff::Timestamp::now());
        let judged = pipeline
            .prepare(job, Intent::farewell(&[]), manifests, &nothing, now)
            .await?;
        if let Some(problem) = judged.problems.first() {
            // A policy that did not answer may have made a hook of any of them: nothing is deleted before that is known.
            return Err(PipelineError::HooksUndecided {
                problem: problem.one_line(),
            });
        }
        let hooks: Vec<_> = judged
            .objects
            .iter()
            .filter(|object| is_deletion_hook(object) && object.decision.phases.contains(&phase))
            .map(|object| &object.origin)
            .collect();
        let chosen: Vec<Manifest> = manifests
            .iter()
            .filter(|manifest| hooks.contains(&&manifest.origin))
            .cloned()
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let prepared = pipeline
            .prepare(job, Intent::farewell(&[]), &chosen, &nothing, now)
            .await?;
        let mut plan = prepared.plan.clone();
        plan.steps.retain(|step| step.phase == phase);
        let message = format!("{} {phase:?} hooks run", plan.steps.len());
        self.writer.tell(Happening::DeletionHooks, &message);
        let hooks = Members::of(
            prepared.objects.iter().map(|hook| &hook.desired),
            &job.key.namespace,
        );
        let parent = self.parent(job, job.recorded.union(&hooks));
        let generation = self
            .writer
            .application
            .borrow()
            .as_ref()
            .and_then(|now| now.metadata.generation);
        let (progress, said) = mpsc::unbounded_channel();
        let wave = Arc::new(Mutex::new(String::new()));
        let waiting = Waiting {
            shared: Arc::clone(&shared),
            job: job.clone(),
            manifests: Arc::new(chosen),
            wake: Arc::clone(&self.wake),
            application: self.writer.application.clone(),
            generation,
            commit: String::new(),
            follows: false,
            taken_at: 0,
            deletes: true,
            looked: Arc::new(Mutex::new((Instant::now(), None))),
            expectations: Arc::new(Expectation::all(&plan)),
            wave: Arc::clone(&wave),
            progress: progress.clone(),
        };
        let options = sluice_apply::Options {
            wave_timeout: job.health_timeout,
            ..shared.options.apply
        };
        let work = async move {
            // Said where people look, as soon as the hooks run.
            let _unheard = progress.send(Progress::Wave(message));
            let waiter = waiting.waiter();
            let mut events = |event: Event| match event {
                Event::Stored(object) => shared.observer.learn(&object),
                Event::Gone(reference) => shared.observer.forget(&reference.key()),
                Event::Waiting { name, .. } => *wave.lock().unwrap_or_else(PoisonError::into_inner) = name,
                Event::Rehearsing { .. } | Event::Later { .. } | Event::Wave { .. } | Event::Done(_) => {}
            };
            let manifests = prepared.manifests();
            let request = Request {
                plan: &plan,
                manifests: &manifests,
                approval: None,
                parent: Some(&parent),
                options,
            };
            sluice_apply::apply(&prepared.cluster, request, &waiter, &mut events).await
        };
        let finished = self.follow(Box::pin(work), said).await;
        finished.failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Makes the plan that deletes what the Application owns.
    pub(super) async fn plan_deletion(&mut self) -> Observation {
        let planned = match &mut self.deletion {
            Some(deletion) => deletion.plan(&self.shared).await,
            None => Err(nothing_found()),
        };
        Observation::DeletionPlanned(planned.map(Box::new).map_err(|error| self.finding(&error)))
    }

    /// Carries that plan out. `approved` if a person approved what it holds.
    pub(super) async fn delete(&self, digest: &str, approved: bool) -> Observation {
        let planned = self
            .deletion
            .as_ref()
            .and_then(|deletion| deletion.prepared.clone());
        let Some(prepared) = planned.filter(|prepared| prepared.plan.digest() == digest) else {
            return Observation::Deleted(DeletionResult::Failed(self.finding(&nothing_found())));
        };
        let waiter =
            |_, _| -> futures::future::BoxFuture<'static, _> { Box::pin(std::future::ready(Ok(()))) };
        let manifests = prepared.manifests();
        let request = Request {
            plan: &prepared.plan,
            manifests: &manifests,
            approval: approved.then_some(digest),
            parent: None,
            options: sluice_apply::Options {
                deletion_timeout: PATIENCE,
                ..self.shared.options.apply
            },
        };
        let finished = sluice_apply::apply(&prepared.cluster, request, &waiter, &mut |_| {}).await;
        Observation::Deleted(match finished.failure {
            None => DeletionResult::Done {
                held_done: finished.held_done,
                summary: summary::summary(&finished.outcomes),
            },
            Some(failure @ ApplyError::StillThere { .. }) => DeletionResult::StillThere(failure.to_string()),
            Some(failure) => DeletionResult::Failed(self.finding(&failure.into())),
        })
    }

    /// Takes the mark of ownership off all that is left.
    pub(super) async fn set_free(&self) -> Observation {
        let free = async {
            let Some(deletion) = &self.deletion else {
                return Err(nothing_found());
            };
            // Hooks may have left something since.
            let left = self.assessor.live(&deletion.job, &deletion.manifests).await?;
            let target = &self.shared.pipeline.target_of(&deletion.job);
            let patch = json!({"metadata": {"labels": {PART_OF_LABEL: Value::Null}}});
            let patch = &patch;
            let references: Vec<ObjectRef> = left.members.values().map(Object::reference).collect();
            let frees: Vec<_> = references
                .into_iter()
                .map(|reference| async move {
                    let kind = target.kind_of(&reference).await?;
                    match target.merge_patch(&kind, &reference, None, MANAGER, patch).await {
                        Err(error) if error.is_not_found() => Ok(()),
                        result => result.map(|_| ()),
                    }
                })
                .collect();
            let results: Vec<Result<(), sluice_cluster::ClusterError>> = futures::stream::iter(frees)
                .buffer_unordered(PARALLEL)
                .collect()
                .await;
            results.into_iter().collect::<Result<(), _>>()?;
            Ok(())
        };
        Observation::SetFree(free.await.map_err(|error| self.finding(&error)))
    }

    fn finding(&self, error: &PipelineError) -> Finding {
        log(&self.key, error);
        Finding::failed(error)
    }
}

impl Deletion {
    async fn plan(&mut self, shared: &Arc<crate::fleet::Shared>) -> Result<DeletionFacts, PipelineError> {
        let live = Live {
            others: std::collections::BTreeMap::new(),
            finished: std::collections::BTreeMap::new(),
            ..self.live.clone()
        };
        let going: Vec<&Object> = live
            .members
            .values()
            .filter(|object| object.is_deleting())
            .collect();
        let going = (!going.is_empty())
            .then(|| format!("{} objects are being deleted{}", going.len(), first_of(&going)));
        let intent = Intent::farewell(&self.manifests);
        let now = jiff::Timestamp::now();
        let prepared = shared
            .pipeline
            .prepare(&self.job, intent, &[], &live, now)
            .await?;
        let plan = &prepared.plan;
        let blocked = !plan.blocked.is_empty();
        let facts = DeletionFacts {
            unsettled: live.claims.unsettled.clone(),
            digest: plan.digest(),
            steps: plan.steps.len(),
            held: plan.held.len(),
            blocked: blocked.then(|| summary::synced(plan, "the deletion")),
            pending: summary::pending(plan),
            attention: summary::attention(&prepared, &[]),
            going,
        };
        self.prepared = Some(prepared);
        Ok(facts)
    }
}

/// The manifests of the deletion. Who deletes an Application has often deleted its repository before; that only matters if it is
/// known to have hooks for its deletion.
async fn last_manifests(
    assessor: &mut super::assess::Assessor,
    job: &mut Job,
    draft: &mut Draft,
    since: Instant,
) -> Result<Arc<Vec<Manifest>>, PipelineError> {
    job.go_on_from(&draft.status);
    let rendered = match assessor.trust.revision(job, draft, since).await {
        Some(trusted) => assessor.rendered(job, &trusted).await.ok(),
        None => None,
    };
    match rendered {
        Some(manifests) => Ok(manifests),
        None if draft.status.deletion_hooks => Err(PipelineError::DeletionHooks),
        None => Ok(Arc::default()),
    }
}

fn nothing_found() -> PipelineError {
    PipelineError::internal("what the Application owns was not found out")
}
