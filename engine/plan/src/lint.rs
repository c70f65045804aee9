//! An independent check of plans: says what is wrong with one, knowing nothing of how plans are made.
//!
//! Tests run it on every plan; a command that reads a plan from a file runs [`check`] before doing what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::decision::{HookCleanup, Occasion, Phase, PruneVerdict, Strategy};
use sluice_model::object::{GroupKind, Object, ObjectKey};
use sluice_model::plan::{Action, HeldDeletion, PLAN_VERSION, Plan, Step};
use sluice_model::secret;

use crate::input::PlanInput;

/// What is wrong with a plan by itself, one sentence each; empty for a sound one. Fit for a plan that was read from a file.
pub fn check(plan: &Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    if plan.version != PLAN_VERSION {
        wrong.push(format!("the version is `{}`, not `{PLAN_VERSION}`", plan.version));
    }
    if !plan.policies.is_sorted_by(|a, b| a < b) {
        wrong.push("the policies are not sorted, or one is named twice".to_owned());
    }
    in_order(plan, &mut wrong);
    once_each(plan, &mut wrong);
    for step in &plan.steps {
        match &step.action {
            Action::Apply { .. } => sound_apply(plan, step, &mut wrong),
            Action::Delete { .. } => sound_deletion(step, &mut wrong),
        }
    }
    for held in &plan.held {
        match &held.step.action {
            Action::Delete { .. } => sound_deletion(&held.step, &mut wrong),
            Action::Apply { .. } => wrong.push(format!("{} is held but no deletion", held.step.object)),
        }
    }
    needs_before(plan, &mut wrong);
    wrong
}

/// What is wrong with a plan, given what it was made of; [`check`] included.
pub fn check_against(plan: &Plan, input: &PlanInput) -> Vec<String> {
    let mut wrong = check(plan);
    let verdicts: BTreeMap<ObjectKey, _> = input
        .candidates
        .iter()
        .map(|candidate| (candidate.live.key(), candidate))
        .collect();
    let desired: BTreeSet<ObjectKey> = input
        .desired
        .iter()
        .map(|desired| desired.manifest.object.key())
        .collect();
    let wanted: BTreeSet<&str> = input
        .desired
        .iter()
        .filter_map(|desired| desired.live.as_ref()?.metadata("uid"))
        .collect();
    let done = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Delete { .. }))
        .map(|step| (step, false));
    let held = plan.held.iter().map(|held| (&held.step, true));
    for (step, is_held) in done.chain(held) {
        let key = step.object.key();
        let Some(candidate) = verdicts.get(&key) else {
            wrong.push(format!("{} is deleted, and no decision asks for it", step.object));
            continue;
        };
        let fits = match &candidate.prune.verdict {
            // More may wait than has to.
            PruneVerdict::Delete => is_held || !applyset::is_unrecorded(&candidate.live),
            PruneVerdict::Hold { .. } => is_held,
            PruneVerdict::Keep { .. } => false,
        };
        if !fits {
            wrong.push(format!("{} is deleted against its verdict", step.object));
        }
        let in_it = |held: &HeldDeletion| held.step.object.namespace.as_deref() == Some(&step.object.name);
        if !is_held && step.object.kind == "Namespace" && plan.held.iter().any(in_it) {
            wrong.push(format!("{} is deleted with what waits in it", step.object));
        }
        if candidate.claimed.is_some() {
            wrong.push(format!(
                "{} is deleted although another application claims it",
                step.object
            ));
        }
        if !input.selects(&candidate.live) {
            wrong.push(format!("{} is deleted although it was not selected", step.object));
        }
        if !input.options.prune {
            wrong.push(format!("{} is deleted by a plan that may not prune", step.object));
        }
        if input.occasion == Occasion::Sync {
            let uid = candidate.live.metadata("uid");
            if desired.contains(&key) || uid.is_some_and(|uid| wanted.contains(uid)) {
                wrong.push(format!("{} is deleted although Git has it", step.object));
            }
            if input.desired.is_empty() && !input.options.allow_empty {
                wrong.push(format!("{} is deleted because of an empty revision", step.object));
            }
        }
        if step.precondition.as_ref().map(|live| live.uid.as_str()) != candidate.live.metadata("uid") {
            wrong.push(format!("{} is deleted under another identity", step.object));
        }
    }
    for (object, live) in input
        .desired
        .iter()
        .filter(|desired| !desired.released)
        .filter_map(|d| Some((d.manifest.object.reference(), d.live.as_ref()?)))
    {
        let set = applyset::id(&plan.application.namespace, &plan.application.name);
        let foreign = live.label(PART_OF_LABEL).is_some_and(|owner| owner != set);
        let touched = plan.steps.iter().any(|step| step.object.key() == object.key());
        if foreign && touched && plan.blocked.is_empty() {
            wrong.push(format!("{object} is taken from another application"));
        }
    }
    wrong
}

/// Phases and waves only go up, and a wave's deletions come after its applies.
fn in_order(plan: &Plan, wrong: &mut Vec<String>) {
    const SYNC: &[Phase] = &[Phase::PreSync, Phase::Sync, Phase::PostSync, Phase::SyncFail];
    const GOING: &[Phase] = &[Phase::PreDelete, Phase::Sync, Phase::PostDelete];
    let going = plan
        .steps
        .iter()
        .any(|step| matches!(step.phase, Phase::PreDelete | Phase::PostDelete));
    let phases = if going { GOING } else { SYNC };
    let place = |step: &Step| {
        let phase = phases.iter().position(|phase| *phase == step.phase);
        (phase, step.wave, matches!(step.action, Action::Delete { .. }))
    };
    for (before, after) in plan.steps.iter().zip(plan.steps.iter().skip(1)) {
        if place(before) > place(after) {
            wrong.push(format!("{} comes before {}", before.object, after.object));
        }
    }
    for step in plan.steps.iter().filter(|step| !phases.contains(&step.phase)) {
        wrong.push(format!("{} has no place in phase {:?}", step.object, step.phase));
    }
}

/// No object is applied twice in one phase, and none is in two of the lists.
fn once_each(plan: &Plan, wrong: &mut Vec<String>) {
    let mut applied = BTreeSet::new();
    let mut fates: BTreeMap<ObjectKey, &str> = BTreeMap::new();
    let mut fate = |object: &sluice_model::ObjectRef, what: &'static str, wrong: &mut Vec<String>| {
        let before = fates.insert(object.key(), what);
        if before.is_some_and(|before| before != what || what != "applied") {
            wrong.push(format!("{object} is {} and {what}", before.unwrap_or_default()));
        }
    };
    for step in &plan.steps {
        match step.action {
            Action::Apply { .. } => {
                if !applied.insert((step.object.key(), step.phase)) {
                    wrong.push(format!("{} is applied twice in one phase", step.object));
                }
                fate(&step.object, "applied", wrong);
            }
            Action::Delete { .. } => fate(&step.object, "deleted", wrong),
        }
    }
    plan.held
        .iter()
        .for_each(|held| fate(&held.step.object, "held", wrong));
    plan.kept
        .iter()
        .for_each(|kept| fate(&kept.object, "kept", wrong));
}

fn sound_apply(plan: &Plan, step: &Step, wrong: &mut Vec<String>) {
    let Action::Apply {
        manifest,
        strategy,
        delete_first,
        cleanup,
        ..
    } = &step.action
    else {
        return;
    };
    let name = &step.object;
    let Ok(object) = Object::shared(Arc::clone(manifest)) else {
        wrong.push(format!("the manifest of {name} is no object"));
        return;
    };
    if object.reference() != *name {
        wrong.push(format!("the manifest of {name} is of {}", object.reference()));
    }
    if name.name.is_empty() {
        wrong.push(format!("{name} has no name"));
    }
    let set = applyset::id(&plan.application.namespace, &plan.application.name);
    let made_up = step.origin.is_none() && name.kind == "Namespace" && name.group.is_empty();
    if !made_up && object.label(PART_OF_LABEL) != Some(set.as_str()) {
        wrong.push(format!("{name} would not carry the label of its application"));
    }
    if step.origin.is_none() && !made_up {
        wrong.push(format!("it is not known where {name} comes from"));
    }
    if secret::mask(&object) != object {
        wrong.push(format!("{name} shows the values of a secret"));
    }
    let again = *strategy == Strategy::RecreateAlways && step.precondition.is_some();
    let made_anew = *strategy == Strategy::Recreate && step.precondition.is_some();
    let expected = again || cleanup.contains(&HookCleanup::BeforeHookCreation);
    if *delete_first != expected && !(*delete_first && made_anew) {
        wrong.push(format!(
            "{name} is deleted first, or not, against its clean-up and strategy"
        ));
    }
}

fn sound_deletion(step: &Step, wrong: &mut Vec<String>) {
    if step.precondition.as_ref().is_none_or(|live| live.uid.is_empty()) {
        wrong.push(format!(
            "{} would be deleted whichever object it is by then",
            step.object
        ));
    }
    if step.origin.is_some() || !step.changes.is_empty() {
        wrong.push(format!(
            "the deletion of {} has an origin or changes",
            step.object
        ));
    }
}

/// A namespace or a CRD that is applied comes before what needs it.
fn needs_before(plan: &Plan, wrong: &mut Vec<String>) {
    let mut namespaces: BTreeSet<&str> = BTreeSet::new();
    let mut kinds: BTreeSet<GroupKind> = BTreeSet::new();
    for step in &plan.steps {
        let Action::Apply { manifest, .. } = &step.action else {
            continue;
        };
        let object = &step.object;
        match (object.group.as_str(), object.kind.as_str()) {
            ("", "Namespace") if namespaces.contains(object.name.as_str()) => {
                wrong.push(format!("{object} comes after what lives in it"));
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let spec = &manifest["spec"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                if kinds.contains(&GroupKind::new(
                    text(&spec["group"]),
                    text(&spec["names"]["kind"]),
                )) {
                    wrong.push(format!("{object} comes after objects of its kind"));
                }
            }
            _ => {}
        }
        namespaces.extend(object.namespace.as_deref());
        kinds.insert(object.group_kind());
    }
}
