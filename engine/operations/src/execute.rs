//! Carrying out a plan that was saved before, exactly as it is.

mod health;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt as _;
use kube::ResourceExt as _;
use sluice_apply::{ApplyError, Event, Finished, Options, Parent, Rehearse, Request};
use sluice_model::Application;
use sluice_model::ObjectRef;
use sluice_model::application::APPROVED_PLAN_ANNOTATION;
use sluice_model::plan::Plan;
use sluice_pipeline::{PipelineError, Prepared};

use crate::applications::reference;
use crate::error::OperationError;
use crate::preview::{Preview, Progress};
use health::Waiting;

/// What carrying out a plan came to.
#[derive(Debug)]
pub struct Executed {
    /// What was done, step by step, and the failure if there was one.
    pub finished: Finished,
    /// How many deletions still wait for an approval.
    pub held: usize,
}

impl Preview {
    /// Carries out a saved plan of the Application. Its revision is verified, rendered and planned again: only if that gives the same plan
    /// is anything written. Held deletions are done only if the Application carries the approval of this plan. With `dry_run` the
    /// API server only tries everything.
    ///
    /// # Errors
    /// [`OperationError::Paused`]; [`OperationError::Plugins`] if a policy does not answer; [`PipelineError::Empty`] if the revision has
    /// no manifests at all; [`ApplyError::MovedOn`] with every object that would be treated otherwise now; those of
    /// [`Preview::prepare`]. A step that fails is in [`Executed::finished`].
    pub async fn execute(
        &self,
        application: &Application,
        saved: &Plan,
        dry_run: bool,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Executed, OperationError> {
        if let Some(pause) = application.spec.pause.as_ref().filter(|_| !dry_run) {
            return Err(OperationError::Paused {
                application: self.job.key.clone(),
                reason: pause.reason.clone(),
            });
        }
        let prepared = self.prepare(Some(&saved.revision), tell).await?;
        check(saved, &prepared)?;
        let approval = application.annotations().get(APPROVED_PLAN_ANNOTATION).cloned();
        let approved = approval.as_ref() == Some(&saved.digest());
        let parent = Parent {
            reference: reference(&saved.application),
            id: self.job.applyset(),
            recorded: self.job.recorded.clone(),
            afterwards: self.pipeline.members_after(&self.job, &prepared, saved, approved),
            finalizers: None,
        };
        let manifests = prepared.manifests();
        let request = Request {
            plan: saved,
            manifests: &manifests,
            approval: approval.as_deref(),
            parent: Some(&parent),
            options: Options {
                rehearse: match dry_run {
                    true => Rehearse::Only,
                    false => Rehearse::First,
                },
                ..Options::default()
            },
        };
        let waiting = Waiting::of(&self.pipeline, &self.job, &prepared, saved).await;
        let wait = move |objects: Vec<ObjectRef>, timeout: Duration| {
            waiting.clone().until_healthy(objects, timeout).boxed()
        };
        let mut events = |event: Event| tell(Progress::Applying(event));
        let finished = sluice_apply::apply(&prepared.cluster, request, &wait, &mut events).await;
        let held = if finished.held_done { 0 } else { saved.held.len() };
        Ok(Executed { finished, held })
    }
}

/// That what would be planned now is the saved plan.
fn check(saved: &Plan, prepared: &Prepared) -> Result<(), OperationError> {
    if !prepared.problems.is_empty() {
        return Err(OperationError::Plugins(prepared.problems.clone()));
    }
    if prepared.is_empty_by_mistake() {
        return Err(PipelineError::Empty.into());
    }
    if prepared.plan.digest() != saved.digest() {
        return Err(ApplyError::MovedOn {
            objects: outrun(saved, &prepared.plan),
        }
        .into());
    }
    Ok(())
}

/// In what the plan made now is another one.
fn outrun(saved: &Plan, now: &Plan) -> Vec<String> {
    let steps = |plan: &Plan| -> BTreeSet<String> {
        let held = plan.held.iter().map(|held| &held.step);
        let all = plan.steps.iter().chain(held);
        all.map(|step| {
            format!(
                "{} {}",
                step.object,
                serde_json::to_string(step).unwrap_or_default()
            )
        })
        .collect()
    };
    let (before, after) = (steps(saved), steps(now));
    let object = |text: &String| text.split(" {").next().unwrap_or_default().to_owned();
    let changed: BTreeSet<String> = before.symmetric_difference(&after).map(object).collect();
    let mut reasons: Vec<String> = changed
        .into_iter()
        .map(|object| format!("{object} would be treated otherwise now"))
        .collect();
    if saved.policies != now.policies {
        reasons.push("the policies are other ones now".to_owned());
    }
    if reasons.is_empty() {
        reasons.push(format!("what is planned now has the digest {}", now.digest()));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(steps: &[(&str, &str)], policies: Value, unchanged: usize) -> Plan {
        let step = |(name, propagation): &(&str, &str)| {
            json!({
                "phase": "Sync", "wave": 0, "action": {"do": "delete", "propagation": propagation},
                "object": {"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": name},
            })
        };
        let plan = json!({
            "version": "sluice.dev/plan/v1alpha2", "application": {"namespace": "shop", "name": "guestbook"},
            "revision": "3f2a91c", "destinationNamespace": "shop", "policies": policies,
            "steps": steps.iter().map(step).collect::<Vec<_>>(), "held": [], "kept": [], "blocked": [],
            "unchanged": unchanged,
        });
        serde_json::from_value(plan).unwrap()
    }

    #[test]
    fn a_plan_that_was_outrun_says_in_what() {
        let saved = plan(&[("a", "foreground"), ("b", "foreground")], json!([]), 1);
        let otherwise = |name: &str| format!("ConfigMap shop/{name} would be treated otherwise now");
        // A step that changed, one that is gone, and a new one.
        let now = plan(&[("a", "background"), ("c", "foreground")], json!([]), 1);
        assert_eq!(outrun(&saved, &now), ["a", "b", "c"].map(otherwise));
        let policies = json!(["sha256:1"]);
        let now = plan(&[("a", "foreground"), ("b", "foreground")], policies, 1);
        assert_eq!(outrun(&saved, &now), ["the policies are other ones now"]);
        let now = plan(&[("a", "foreground"), ("b", "foreground")], json!([]), 2);
        let digest = format!("what is planned now has the digest {}", now.digest());
        assert_eq!(outrun(&saved, &now), [digest]);
    }
}
