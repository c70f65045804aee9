//! Plans as text, for snapshots that read like a story.

use std::fmt::Write as _;

use serde_json::Value;
use sluice_model::applyset;
use sluice_model::decision::Strategy;
use sluice_model::plan::{Action, Plan, Step as PlanStep};

use crate::history::{Settings, application};
use crate::policies::Policies;

pub(crate) fn noted(settings: &Settings) -> String {
    let flags = [
        (settings.no_prune, "without pruning"),
        (settings.allow_empty, "empty allowed"),
        (settings.hooks_always, "hooks in any case"),
        (settings.hooks_never, "without hooks"),
        (settings.create_namespace, "creating the namespace"),
        (settings.approve, "with approval"),
        (!settings.only.is_empty(), "some objects only"),
        (!settings.claimed.is_empty(), "another application wants some"),
        (!settings.released.is_empty(), "another application lets some go"),
        (!settings.ignore_differences.is_empty(), "ignoring differences"),
        (!settings.sync_options.is_empty(), "with options"),
        (settings.policies == Policies::Unlimited, "without limits"),
        (settings.policies == Policies::Failing, "plugins failing"),
        (settings.policies == Policies::Careless, "careless plugins"),
    ];
    let words: Vec<&str> = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, word)| *word)
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}

/// A plan as text.
pub fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    let mut wave = None;
    for step in &plan.steps {
        if wave != Some((step.phase, step.wave)) {
            wave = Some((step.phase, step.wave));
            let _infallible = writeln!(text, "{:?} {}", step.phase, step.wave);
        }
        text.push_str(&shown_step(step));
    }
    for held in &plan.held {
        let by = held.decided_by.as_deref().unwrap_or("the engine");
        let _infallible = writeln!(
            text,
            "held in wave {} by {by}: {}: {}",
            held.step.wave, held.step.object, held.reason
        );
    }
    for kept in &plan.kept {
        let by = kept.decided_by.as_deref().unwrap_or("the engine");
        let _infallible = writeln!(text, "kept by {by}: {}: {}", kept.object, kept.reason);
    }
    for block in &plan.blocked {
        let by = block.decided_by.as_deref().unwrap_or("the engine");
        let object = block.object.as_ref().map(ToString::to_string).unwrap_or_default();
        let _infallible = writeln!(text, "blocked by {by}: {object}: {}", block.reason);
    }
    let _infallible = writeln!(text, "unchanged: {}", plan.unchanged);
    text
}

fn shown_step(step: &PlanStep) -> String {
    let mut text = String::new();
    match &step.action {
        Action::Delete { propagation, .. } => {
            let _infallible = writeln!(text, "  - {} ({propagation:?})", step.object);
        }
        Action::Apply {
            strategy,
            force,
            delete_first,
            take_over,
            cleanup,
            ..
        } => {
            let sign = if step.precondition.is_some() { "~" } else { "+" };
            let mut notes: Vec<String> = step.origin.iter().map(ToString::to_string).collect();
            if *strategy != Strategy::ServerSideApply {
                notes.push(format!("{strategy:?}"));
            }
            if *force {
                notes.push("force".to_owned());
            }
            if !cleanup.is_empty() {
                notes.push(format!("{cleanup:?}"));
            }
            if *delete_first {
                notes.push("deleted first".to_owned());
            }
            notes.extend(
                take_over
                    .iter()
                    .map(|manager| format!("takes over from {manager}")),
            );
            let _infallible = writeln!(text, "  {sign} {} ({})", step.object, notes.join(", "));
        }
    }
    let set = applyset::id(&application().namespace, &application().name);
    for change in &step.changes {
        let value = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or("nothing".to_owned(), Value::to_string)
                .replace(&set, "OURS")
        };
        let holder = change.holder.as_ref().map(|holder| format!(" (of {holder})"));
        let _infallible = writeln!(
            text,
            "      {}: {} -> {}{}",
            change.pointer,
            value(&change.live),
            value(&change.desired),
            holder.unwrap_or_default()
        );
    }
    text
}

pub(crate) fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
