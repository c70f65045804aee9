//! Hooks after they have run: which of them are deleted and those for a failed sync.

use futures::future::join_all;
use sluice_cluster::ClusterError;
use sluice_model::decision::{HookCleanup, Phase, Propagation};
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::plan::{Action, Step};
use tokio::time::Instant;

use crate::execution::{Execution, failure_of, one};
use crate::rehearsal::Found;
use crate::removal::remove_hook;
use crate::step::Ready;
use crate::{Event, NotHealthy, retry};

/// When a hook is deleted; none for what is no hook.
fn cleanup<'s>(ready: &'s Ready<'_>) -> Option<&'s [HookCleanup]> {
    match &ready.step.action {
        Action::Apply { cleanup, .. } if !cleanup.is_empty() => Some(cleanup),
        Action::Apply { .. } | Action::Delete { .. } => None,
    }
}

/// False where a policy says that nothing waits for it.
fn waits(ready: &Ready<'_>) -> bool {
    !matches!(&ready.step.action, Action::Apply { options, .. } if options.no_wait)
}

impl Execution<'_> {
    /// Deletes those hooks of some steps that say so for this case. What cannot be deleted is left; the next sync sees it.
    pub(crate) async fn clean_up<'r>(
        &mut self,
        steps: impl Iterator<Item = &'r Ready<'r>>,
        when: HookCleanup,
    ) {
        let due = steps.filter(|ready| cleanup(ready).is_some_and(|cleanup| cleanup.contains(&when)));
        for ready in due {
            let Action::Apply { options, .. } = &ready.step.action else {
                continue;
            };
            let propagation = options.propagation.unwrap_or(Propagation::Background);
            let object = &ready.step.object;
            let removed = async {
                let kind = self.cluster.kind_of(object).await?;
                match retry::safely(self.cluster, || self.cluster.get(&kind, object)).await? {
                    Some(live) => remove_hook(self.cluster, &live, propagation).await,
                    None => Ok(()),
                }
            };
            match removed.await {
                Ok(()) => (self.events)(Event::Gone(object.clone())),
                Err::<(), ClusterError>(error) if error.is_not_found() => {}
                Err(error) => tracing::warn!(%object, %error, "a finished hook could not be deleted"),
            }
        }
    }

    /// What becomes of the hooks of a phase that failed: those that still run are waited for until `deadline`, since what comes
    /// after a failure must not run beside them, and all that failed are deleted where they say so. `applied` are the phase's
    /// steps up to the wave that failed.
    pub(crate) async fn phase_failed(&mut self, applied: &[Ready<'_>], deadline: Instant) {
        let hooks: Vec<&Ready<'_>> = applied.iter().filter(|ready| cleanup(ready).is_some()).collect();
        let hooks = hooks
            .into_iter()
            .filter(|hook| waits(hook) && self.was_applied(hook.step));
        let hooks: Vec<&Ready<'_>> = hooks.collect();
        let rest = deadline.saturating_duration_since(Instant::now());
        let ends = hooks
            .iter()
            .map(|hook| (self.wait)(vec![hook.step.object.clone()], rest));
        let ends = join_all(ends).await;
        if ends
            .iter()
            .any(|end| matches!(end, Err(NotHealthy::Abandoned { .. })))
        {
            return;
        }
        let failed = hooks.into_iter().zip(ends).filter(|(_, end)| end.is_err());
        let failed: Vec<&Ready<'_>> = failed.map(|(hook, _)| hook).collect();
        self.clean_up(failed.into_iter(), HookCleanup::HookFailed).await;
    }

    fn was_applied(&self, step: &Step) -> bool {
        self.outcomes.iter().flatten().any(|outcome| {
            outcome.object == step.object
                && !matches!(outcome.result, StepResult::Failed | StepResult::NotTried)
        })
    }

    /// Runs the hooks for failed syncs to their end, wave by wave, and says what came of each.
    pub(crate) async fn sync_fail(&mut self) -> Vec<Outcome> {
        let plan = self.request.plan;
        let steps: Vec<&Step> = plan
            .steps
            .iter()
            .filter(|step| step.phase == Phase::SyncFail)
            .collect();
        let mut outcomes = Vec::new();
        let mut failed = false;
        for wave in steps.chunk_by(|a, b| a.wave == b.wave) {
            if failed {
                outcomes.extend(
                    wave.iter()
                        .map(|step| outcome(step, StepResult::NotTried, String::new())),
                );
                continue;
            }
            let mut begun = Vec::new();
            for step in wave {
                match self.begin(step).await {
                    Ok((ready, result)) => begun.push((ready, result)),
                    Err(message) => {
                        failed = true;
                        outcomes.push(outcome(step, StepResult::Failed, message));
                    }
                }
            }
            let name = format!("SyncFail wave {}", wave.first().map_or(0, |step| step.wave));
            let objects = begun.iter().map(|(ready, _)| ready.step.object.clone()).collect();
            (self.events)(Event::Waiting { name, objects });
            let patience = self.request.options.wave_timeout;
            let wait = self.wait;
            let ends = begun.iter().map(|(ready, _)| async move {
                match waits(ready) {
                    true => wait(vec![ready.step.object.clone()], patience).await,
                    false => Ok(()),
                }
            });
            let ends = join_all(ends).await;
            for ((ready, result), end) in begun.iter().zip(ends) {
                let told = match end {
                    Ok(()) => {
                        self.clean_up(std::iter::once(ready), HookCleanup::HookSucceeded)
                            .await;
                        outcome(ready.step, *result, String::new())
                    }
                    Err(NotHealthy::Object { verdict, .. }) => {
                        failed = true;
                        self.clean_up(std::iter::once(ready), HookCleanup::HookFailed)
                            .await;
                        let message = format!("{:?}: {}", verdict.status, verdict.message);
                        outcome(ready.step, StepResult::Failed, message)
                    }
                    Err(NotHealthy::Abandoned { reason }) => {
                        failed = true;
                        outcome(ready.step, *result, reason)
                    }
                };
                outcomes.push(told);
            }
        }
        for outcome in &outcomes {
            (self.events)(Event::Done(outcome.clone()));
        }
        outcomes
    }

    /// Applies a hook for failed syncs; an error says why it could not be.
    async fn begin<'s>(&mut self, step: &'s Step) -> Result<(Ready<'s>, StepResult), String> {
        let ready = Ready::new(step, self.request.manifests)
            .map_err(|error| sluice_model::error::one_line(&error))?;
        match one(self.cluster, &ready, &Found::Unknown, &self.request.options).await {
            Ok(done) => {
                if let Some(stored) = done.stored {
                    (self.events)(Event::Stored(stored));
                }
                Ok((ready, done.result))
            }
            Err(failure) => Err(failure_of(step, &failure).message),
        }
    }
}

fn outcome(step: &Step, result: StepResult, message: String) -> Outcome {
    Outcome {
        object: step.object.clone(),
        result,
        message,
        rests_on: Vec::new(),
    }
}
