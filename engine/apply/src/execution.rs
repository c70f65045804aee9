//! The plan from its first to its last wave.

mod later;

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sluice_cluster::{ClusterError, Kind, Target};
use sluice_model::ObjectRef;
use sluice_model::decision::{HookCleanup, Phase, Strategy};
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::plan::{Action, PLAN_VERSION, Plan, Step};
use tokio::time::Instant;

use self::later::Progress;
use crate::error::{ApplyError, Refusal};
use crate::gone::{self, Failure};
use crate::rehearsal::{Found, Rehearsal};
use crate::step::{self, Ready};
use crate::{Event, Finished, NotHealthy, Rehearse, Request, Waiter, applyset, retry, stages};

/// Does what a plan says.
///
/// `wait` is asked between waves; `events` hears of everything while it happens. Dropping the future ends it between two
/// requests; applied again, the plan made anew goes on from there.
pub async fn apply(
    cluster: &Target,
    request: Request<'_>,
    wait: &Waiter,
    events: &mut (dyn FnMut(Event) + Send),
) -> Finished {
    let plan = request.plan;
    let cluster = &cluster.hiding(request.manifests.values());
    let approved = request.approval.is_some_and(|approval| approval == plan.digest());
    let mut due: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| step.phase != Phase::SyncFail)
        .collect();
    if approved {
        due.extend(plan.held.iter().map(|held| &held.step));
    }
    let mut execution = Execution {
        cluster,
        request,
        wait,
        events,
        rested: Vec::new(),
        outcomes: vec![None; due.len()],
    };
    let failure = execution.run(&due).await.err();
    let sync_fail = match failure.as_ref().is_some_and(runs_sync_fail) {
        true => execution.sync_fail().await,
        false => Vec::new(),
    };
    let outcomes = execution.outcomes.into_iter().zip(&due).map(|(outcome, step)| {
        outcome.unwrap_or_else(|| Outcome {
            object: step.object.clone(),
            result: StepResult::NotTried,
            message: String::new(),
            rests_on: Vec::new(),
        })
    });
    Finished {
        outcomes: outcomes.collect(),
        sync_fail,
        held_done: approved && failure.is_none() && !plan.held.is_empty(),
        failure,
    }
}

/// Only where something was written is there anything that a hook could clean up after.
fn runs_sync_fail(failure: &ApplyError) -> bool {
    match failure {
        ApplyError::Steps { .. }
        | ApplyError::Unhealthy { .. }
        | ApplyError::StillThere { .. }
        | ApplyError::NotEstablished { .. } => true,
        ApplyError::PlanVersion { .. }
        | ApplyError::Blocked { .. }
        | ApplyError::MovedOn { .. }
        | ApplyError::Refused { .. }
        | ApplyError::NoManifest { .. }
        | ApplyError::Abandoned { .. }
        | ApplyError::Parent(_) => false,
    }
}

pub(crate) struct Execution<'e> {
    pub(crate) cluster: &'e Target,
    pub(crate) request: Request<'e>,
    pub(crate) wait: &'e Waiter,
    pub(crate) events: &'e mut (dyn FnMut(Event) + Send),
    /// By the index of the step that is due: what it rests on, if it was refused at first.
    pub(crate) rested: Vec<Vec<ObjectRef>>,
    /// By the index of the step that is due.
    pub(crate) outcomes: Vec<Option<Outcome>>,
}

impl Execution<'_> {
    async fn run(&mut self, due: &[&Step]) -> Result<(), ApplyError> {
        check(self.request.plan)?;
        let steps = due
            .iter()
            .map(|step| Ready::new(step, self.request.manifests))
            .collect::<Result<Vec<_>, _>>()?;
        (self.events)(Event::Rehearsing { steps: steps.len() });
        let mut rehearsal = Rehearsal::new(self.cluster, &steps, &self.request.options);
        let mut progress = Progress::new(rehearsal.all().await?);
        self.rested = progress.rested(&steps);
        if self.request.options.rehearse == Rehearse::Only {
            for (index, ready) in steps.iter().enumerate() {
                let found = progress.found.get(index).unwrap_or(&Found::Unknown);
                let message = match found {
                    Found::Anew => "would be deleted and created again".to_owned(),
                    Found::Later(_) => self.note(index),
                    Found::New | Found::Exists(_) | Found::Unknown => String::new(),
                };
                self.done(index, predicted(ready.step, found), message, &ready.step.object);
            }
            return Ok(());
        }
        for (index, ready) in steps.iter().enumerate() {
            let why = self.note(index);
            if !why.is_empty() {
                (self.events)(Event::Later {
                    object: ready.step.object.clone(),
                    why,
                });
            }
        }
        if let Some(parent) = self.request.parent {
            applyset::grow(self.cluster, parent)
                .await
                .map_err(|error| match error {
                    ClusterError::Modified { message, .. } => ApplyError::MovedOn {
                        objects: vec![format!("{}: {message}", parent.reference)],
                    },
                    error => ApplyError::Parent(error),
                })?;
        }
        let waves = waves(&steps);
        let last = waves.len().saturating_sub(1);
        for (number, (range, name)) in waves.into_iter().enumerate() {
            let wave = steps.get(range.clone()).unwrap_or_default();
            (self.events)(Event::Wave {
                name: name.clone(),
                steps: wave.len(),
            });
            let deadline = Instant::now() + self.request.options.wave_timeout;
            let begins_before = range.end;
            let done = async {
                self.settle_open(&mut rehearsal, &mut progress, range.end, &name)
                    .await?;
                let rest: Vec<usize> = range.filter(|index| !progress.is_done(*index)).collect();
                self.runs(&steps, rest, &mut progress, false).await?;
                self.settle(wave, &name, number == last).await
            };
            if let Err(error) = done.await {
                if runs_sync_fail(&error) {
                    let before = steps.get(..begins_before).unwrap_or_default();
                    let phase = wave.first().map(|ready| ready.step.phase);
                    let begins = before.partition_point(|ready| Some(ready.step.phase) != phase);
                    let of_phase = before.get(begins..).unwrap_or_default();
                    self.phase_failed(of_phase, deadline).await;
                }
                return Err(error);
            }
        }
        if let Some(parent) = self.request.parent
            && let Err(error) = applyset::shrink(self.cluster, parent).await
        {
            // The record still names every member, only too much: the next sync corrects it.
            tracing::warn!(%error, "the record of members could not be shrunk");
        }
        Ok(())
    }

    /// Does steps, run after run. What was deleted and is held by finalizers has to be gone before the next run begins: what
    /// comes next may be what lets it go.
    async fn runs(
        &mut self,
        steps: &[Ready<'_>],
        order: impl IntoIterator<Item = usize>,
        progress: &mut Progress,
        to_the_end: bool,
    ) -> Result<(), ApplyError> {
        let mut held: Vec<&Step> = Vec::new();
        for run in stages::runs(steps, order) {
            self.all_gone(&held).await?;
            let run_held = self.parallel(steps, &run, progress).await?;
            progress.mark(&run);
            held = run_held
                .into_iter()
                .filter_map(|index| steps.get(index))
                .map(|ready| ready.step)
                .collect();
        }
        match to_the_end {
            true => self.all_gone(&held).await,
            false => Ok(()),
        }
    }

    /// Does steps that do not need each other. All are tried, even where one fails. Those whose object finalizers hold are named.
    async fn parallel(
        &mut self,
        steps: &[Ready<'_>],
        run: &[usize],
        progress: &Progress,
    ) -> Result<Vec<usize>, ApplyError> {
        let (cluster, options) = (self.cluster, self.request.options);
        let mut next = run
            .iter()
            .filter_map(|&index| Some((index, steps.get(index)?, progress.found.get(index)?)));
        let mut under_way = FuturesUnordered::new();
        let mut refusals = Vec::new();
        let (mut defined, mut held) = (Vec::new(), Vec::new());
        loop {
            // Each is made when its turn comes: a wave may have many thousands of steps.
            let room = options.concurrency.max(1).saturating_sub(under_way.len());
            for (index, ready, found) in next.by_ref().take(room) {
                under_way.push(async move { (index, ready, one(cluster, ready, found, &options).await) });
            }
            let Some((index, ready, result)) = under_way.next().await else {
                break;
            };
            let step = ready.step;
            match result {
                Ok(done) => {
                    defined.extend(ready.object.iter().flat_map(Kind::defined_by));
                    if let Some(stored) = done.stored {
                        (self.events)(Event::Stored(stored));
                    }
                    held.extend(done.is_held.then_some(index));
                    let message = match done.message.is_empty() {
                        true => self.note(index),
                        false => done.message,
                    };
                    self.done(index, done.result, message, &step.object);
                }
                Err(failure) => {
                    let refusal = failure_of(step, &failure);
                    self.done(index, StepResult::Failed, refusal.message.clone(), &step.object);
                    refusals.push(refusal);
                }
            }
        }
        drop(under_way);
        if !defined.is_empty() {
            // What comes next may be of the new kinds.
            gone::until_listed(cluster, &defined, options.establishing).await;
        }
        refusals.sort_by(|a, b| a.object.cmp(&b.object));
        match refusals.is_empty() {
            true => Ok(held),
            false => Err(ApplyError::Steps { refusals }),
        }
    }

    /// Waits for what a wave did, as far as anything depends on it, and cleans up the hooks that succeeded.
    async fn settle(&mut self, wave: &[Ready<'_>], name: &str, last: bool) -> Result<(), ApplyError> {
        let waited: Vec<ObjectRef> = wave
            .iter()
            .filter(|ready| is_waited_for(ready.step, last))
            .map(|r| r.step.object.clone())
            .collect();
        let result = match waited.is_empty() {
            true => Ok(()),
            false => {
                (self.events)(Event::Waiting {
                    name: name.to_owned(),
                    objects: waited.clone(),
                });
                (self.wait)(waited, self.request.options.wave_timeout).await
            }
        };
        match result {
            Ok(()) => self.clean_up(wave.iter(), HookCleanup::HookSucceeded).await,
            Err(NotHealthy::Abandoned { reason }) => return Err(ApplyError::Abandoned { reason }),
            Err(NotHealthy::Object {
                object,
                verdict,
                late,
            }) => {
                return Err(ApplyError::Unhealthy {
                    wave: name.to_owned(),
                    object,
                    verdict,
                    late,
                });
            }
        }
        if !last {
            let steps = wave.iter().map(|ready| ready.step);
            let deleted: Vec<&Step> = steps
                .filter(|step| matches!(step.action, Action::Delete { .. }))
                .collect();
            self.all_gone(&deleted).await?;
        }
        Ok(())
    }

    /// Waits until all of these are gone, in the time that one has.
    async fn all_gone(&mut self, steps: &[&Step]) -> Result<(), ApplyError> {
        let began = Instant::now();
        for step in steps {
            let patience = self
                .request
                .options
                .deletion_timeout
                .saturating_sub(began.elapsed());
            self.until_gone(step, patience).await?;
        }
        Ok(())
    }

    async fn until_gone(&mut self, step: &Step, patience: Duration) -> Result<(), ApplyError> {
        let gone = async {
            let kind = self.cluster.kind_of(&step.object).await?;
            gone::until_gone(
                self.cluster,
                &kind,
                &step.object,
                step.precondition.as_ref(),
                patience,
            )
            .await
        };
        match gone.await {
            // Its kind went with it.
            Ok(()) | Err(Failure::Cluster(ClusterError::UnknownKind { .. })) => {
                (self.events)(Event::Gone(step.object.clone()));
                Ok(())
            }
            Err(Failure::Apply(ApplyError::StillThere {
                object, finalizers, ..
            })) => Err(ApplyError::StillThere {
                object,
                finalizers,
                seconds: self.request.options.deletion_timeout.as_secs(),
            }),
            Err(Failure::Apply(error)) => Err(error),
            Err(Failure::Cluster(error)) => Err(ApplyError::Steps {
                refusals: vec![Refusal::new(step.object.clone(), None, &error)],
            }),
        }
    }

    fn done(&mut self, index: usize, result: StepResult, message: String, object: &ObjectRef) {
        let outcome = Outcome {
            object: object.clone(),
            result,
            message,
            rests_on: self.rested.get(index).cloned().unwrap_or_default(),
        };
        (self.events)(Event::Done(outcome.clone()));
        if let Some(place) = self.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }
}

fn check(plan: &Plan) -> Result<(), ApplyError> {
    if plan.version != PLAN_VERSION {
        return Err(ApplyError::PlanVersion {
            found: plan.version.clone(),
            known: PLAN_VERSION,
        });
    }
    if !plan.blocked.is_empty() {
        let reasons = plan.blocked.iter().map(|block| match &block.object {
            Some(object) => format!("{object}: {}", block.reason),
            None => block.reason.clone(),
        });
        return Err(ApplyError::Blocked {
            reasons: reasons.collect(),
        });
    }
    Ok(())
}

pub(crate) async fn one(
    cluster: &Target,
    ready: &Ready<'_>,
    found: &Found,
    options: &crate::Options,
) -> Result<step::Done, Failure> {
    let kind = retry::safely(cluster, || cluster.kind_of(&ready.step.object)).await?;
    let before = match found {
        Found::Exists(version) => Some(version.as_str()),
        Found::New | Found::Anew | Found::Unknown | Found::Later(_) => None,
    };
    let done = step::perform(cluster, &kind, ready, before, options).await?;
    if done.stored.is_some() && ready.step.object.kind == "CustomResourceDefinition" {
        gone::until_established(cluster, &kind, &ready.step.object, options.establishing).await?;
    }
    Ok(done)
}

/// What a step failed with.
pub(crate) fn failure_of(step: &Step, failure: &Failure) -> Refusal {
    match failure {
        Failure::Cluster(error) => Refusal::new(step.object.clone(), step.origin.clone(), error),
        Failure::Apply(error) => refusal_of(step, error),
    }
}

fn refusal_of(step: &Step, error: &ApplyError) -> Refusal {
    use sluice_model::Coded as _;
    Refusal {
        object: step.object.clone(),
        origin: step.origin.clone(),
        code: error.code(),
        message: sluice_model::error::one_line(error),
        hint: error.hint(),
    }
}

fn predicted(step: &Step, found: &Found) -> StepResult {
    match (&step.action, found) {
        (Action::Delete { .. }, _) => StepResult::Deleted,
        (
            Action::Apply {
                strategy: Strategy::LeaveAlone,
                ..
            },
            _,
        ) => StepResult::Unchanged,
        (Action::Apply { .. }, Found::Exists(_) | Found::Anew) => StepResult::Configured,
        (Action::Apply { .. }, Found::New | Found::Unknown | Found::Later(_))
            if step.precondition.is_none() =>
        {
            StepResult::Created
        }
        (Action::Apply { .. }, Found::New | Found::Unknown | Found::Later(_)) => StepResult::Configured,
    }
}

/// The next wave needs everything that this one applied; after the last one only hooks matter, which must come to their end.
fn is_waited_for(step: &Step, last: bool) -> bool {
    match &step.action {
        Action::Delete { .. }
        | Action::Apply {
            strategy: Strategy::LeaveAlone,
            ..
        } => false,
        Action::Apply { options, .. } if options.no_wait => false,
        Action::Apply {
            cleanup,
            delete_first,
            ..
        } => !last || *delete_first || !cleanup.is_empty() || step.phase != Phase::Sync,
    }
}

/// Ranges of steps of equal phase and wave, with a name for people.
fn waves(steps: &[Ready<'_>]) -> Vec<(std::ops::Range<usize>, String)> {
    let mut waves: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut current = None;
    for (index, ready) in steps.iter().enumerate() {
        let key = (ready.step.phase, ready.step.wave);
        match waves.last_mut() {
            Some((range, _)) if current == Some(key) => range.end = index + 1,
            _ => waves.push((index..index + 1, format!("{:?} wave {}", key.0, key.1))),
        }
        current = Some(key);
    }
    waves
}
