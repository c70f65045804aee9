//! Between the generated bindings and the traits: what the export macros expand to.
#![allow(missing_docs, reason = "for the macros alone, which are documented")]

use crate::bindings::health::sluice::policy::assessments::Assessment;
use crate::bindings::health::sluice::policy::context::Context;
use crate::bindings::health::sluice::policy::objects::Object as HostObject;
use crate::bindings::health::sluice::policy::setup;
use crate::bindings::prune::sluice::policy::candidates::{Candidate as HostCandidate, Deletion};
use crate::bindings::sync::sluice::policy::changes::Change as HostChange;
use crate::{
    Candidate, Change, Decision, Descriptor, HealthCheck, HealthContext, Object, Problem, PruneContext,
    PruneDecision, PrunePolicy, PruneVerdict, Role, Settings, SyncContext, SyncPolicy, Verdict,
};

/// Panics end in the engine's log before they trap; without this only the backtrace would tell.
pub fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::warn(&panic.to_string())));
}

/// Tells the host what the plugin is.
pub fn describe(host: setup::Descriptor, descriptor: Descriptor) {
    host.set_summary(&descriptor.summary);
    for claim in &descriptor.claims {
        host.add_claim(&claim.group, &claim.kind);
    }
    if let Some(schema) = &descriptor.settings_schema {
        host.set_settings_schema(schema);
    }
    if descriptor.uses_time {
        host.set_uses_time();
    }
}

/// Parses the settings and hands them on. Problems go to the host; then there is no plugin.
pub fn configured<T>(
    host: &setup::Settings,
    configure: impl FnOnce(&Settings) -> Result<T, Vec<Problem>>,
) -> Option<T> {
    report_panics();
    match Settings::parse(&host.to_json()).and_then(|settings| configure(&settings)) {
        Ok(plugin) => Some(plugin),
        Err(problems) => {
            for problem in problems {
                host.add_problem(&problem.pointer, &problem.message);
            }
            None
        }
    }
}

pub fn assess<T: HealthCheck>(
    plugin: Option<&T>,
    object: HostObject,
    assessment: Assessment,
) -> Result<(), String> {
    let plugin = plugin.ok_or(NOT_CONFIGURED)?;
    let context = HealthContext::host(assessment);
    let verdict = plugin.assess(&Object::host(object), &context)?;
    if let Some(host) = context.assessment() {
        if let Some(rule) = context.rule() {
            host.set_rule(&rule);
        }
        match verdict {
            Verdict::NoOpinion => {}
            Verdict::Healthy(message) => host.healthy(&message),
            Verdict::Suspended(message) => host.suspended(&message),
            Verdict::Progressing(message) => host.progressing(&message),
            Verdict::Missing(message) => host.missing(&message),
            Verdict::Degraded(message) => host.degraded(&message),
            Verdict::Unknown(message) => host.unknown(&message),
        }
    }
    Ok(())
}

pub fn review<T: PrunePolicy>(
    plugin: Option<&T>,
    candidates: Vec<HostCandidate>,
    deletion: Deletion,
    context: Context,
) -> Result<(), String> {
    let plugin = plugin.ok_or(NOT_CONFIGURED)?;
    let candidates: Vec<Candidate> = candidates.into_iter().map(Candidate::host).collect();
    let decisions = plugin.review(&candidates, &PruneContext::host(deletion, context))?;
    if decisions.len() != candidates.len() {
        // A mistake of the plugin, which may have mixed up the candidates: none of its words counts.
        let (said, asked) = (decisions.len(), candidates.len());
        return Err(format!("{said} decisions for {asked} candidates"));
    }
    for (candidate, decision) in candidates.iter().zip(decisions) {
        if let Some(host) = candidate.answers() {
            say(host, decision);
        }
    }
    Ok(())
}

fn say(host: &HostCandidate, decision: PruneDecision) {
    match decision.verdict {
        PruneVerdict::NoOpinion => {}
        PruneVerdict::Delete => host.allow(),
        PruneVerdict::Hold(reason) => host.hold(&reason),
        PruneVerdict::Keep(reason) => host.keep(&reason),
    }
    if let Some(propagation) = decision.propagation {
        host.set_propagation(propagation);
    }
}

/// Decides one by one: a handle is gone as soon as its object was judged.
pub fn decide<T: SyncPolicy>(
    plugin: Option<&T>,
    changes: Vec<HostChange>,
    context: Context,
) -> Result<(), String> {
    let plugin = plugin.ok_or(NOT_CONFIGURED)?;
    let context = SyncContext::host(context);
    for change in changes {
        let change = Change::host(change);
        let decision = plugin.decide(&change, &context)?;
        if let Some(host) = change.answers() {
            decided(host, decision);
        }
    }
    Ok(())
}

fn decided(host: &HostChange, decision: Decision) {
    fn texts(texts: &[String]) -> Vec<&str> {
        texts.iter().map(String::as_str).collect()
    }
    /// Says what there is an opinion on.
    fn say<T>(opinion: Option<T>, tell: impl FnOnce(T)) {
        if let Some(opinion) = opinion {
            tell(opinion);
        }
    }
    say(decision.role, |role| match role {
        Role::Part => host.set_part(),
        Role::Hook(types) => host.set_hook(&texts(&types)),
        Role::Skip(types) => host.set_skip(&texts(&types)),
        Role::Ignored => host.set_ignored(),
    });
    say(decision.phases, |phases| host.set_phases(&phases));
    say(decision.wave, |wave| host.set_wave(wave));
    say(decision.cleanup, |cleanup| host.set_cleanup(&cleanup));
    say(decision.strategy, |strategy| host.set_strategy(strategy));
    say(decision.force_conflicts, |force| host.set_force_conflicts(force));
    say(decision.validate, |validate| host.set_validate(validate));
    say(decision.skip_dry_run_on_missing_kind, |skip| {
        host.set_skip_dry_run_on_missing_kind(skip);
    });
    say(decision.prune_last, |last| host.set_prune_last(last));
    say(decision.ignore_fields, |fields| {
        host.ignore_fields(&texts(&fields))
    });
    say(decision.ignore_managers, |managers| {
        host.ignore_managers(&texts(&managers));
    });
    say(decision.take_over, |managers| {
        host.set_take_over(&texts(&managers))
    });
    say(decision.propagation, |propagation| {
        host.set_propagation(propagation)
    });
    say(decision.wait, |wait| host.set_wait(wait));
    say(decision.ignore_health, |ignore| host.set_ignore_health(ignore));
    say(decision.timeout, |seconds| host.set_timeout(seconds));
    say(decision.hold, |reason| host.hold(&reason));
}

/// The error of being asked before being configured.
const NOT_CONFIGURED: &str = "the plugin was not configured";

/// Exports a [`HealthCheck`](crate::HealthCheck): the plugin of this crate.
#[macro_export]
macro_rules! health_check {
    ($plugin:ty) => {
        // Only there are names such as `sluice:policy/health@0.2.0#assess` known to linkers.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::health::exports::sluice::policy::{health, plugin};
            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }
            struct Exported;
            impl plugin::Guest for Exported {
                fn describe(descriptor: plugin::Descriptor) {
                    $crate::internal::describe(descriptor, <$plugin as $crate::HealthCheck>::describe());
                }
                fn configure(settings: plugin::Settings) -> Result<(), ::std::string::String> {
                    let plugin =
                        $crate::internal::configured(&settings, <$plugin as $crate::HealthCheck>::configure);
                    if let Some(plugin) = plugin {
                        PLUGIN.with(|cell| drop(cell.set(plugin)));
                    }
                    Ok(())
                }
            }
            impl health::Guest for Exported {
                fn assess(
                    object: health::Object,
                    assessment: health::Assessment,
                ) -> Result<(), ::std::string::String> {
                    PLUGIN.with(|cell| $crate::internal::assess(cell.get(), object, assessment))
                }
            }
    $crate::bindings::health::export!(Exported with_types_in $crate::bindings::health);
        };
    };
}

/// Exports a [`PrunePolicy`](crate::PrunePolicy): the plugin of this crate.
#[macro_export]
macro_rules! prune_policy {
    ($plugin:ty) => {
        // Only there are names such as `sluice:policy/health@0.2.0#assess` known to linkers.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::prune::exports::sluice::policy::{plugin, prune};
            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }
            struct Exported;
            impl plugin::Guest for Exported {
                fn describe(descriptor: plugin::Descriptor) {
                    $crate::internal::describe(descriptor, <$plugin as $crate::PrunePolicy>::describe());
                }
                fn configure(settings: plugin::Settings) -> Result<(), ::std::string::String> {
                    let plugin =
                        $crate::internal::configured(&settings, <$plugin as $crate::PrunePolicy>::configure);
                    if let Some(plugin) = plugin {
                        PLUGIN.with(|cell| drop(cell.set(plugin)));
                    }
                    Ok(())
                }
            }
            impl prune::Guest for Exported {
                fn review(
                    candidates: ::std::vec::Vec<prune::Candidate>,
                    deletion: prune::Deletion,
                    context: prune::Context,
                ) -> Result<(), ::std::string::String> {
                    PLUGIN.with(|cell| $crate::internal::review(cell.get(), candidates, deletion, context))
                }
            }
    $crate::bindings::prune::export!(Exported with_types_in $crate::bindings::prune);
        };
    };
}

/// Exports a [`SyncPolicy`](crate::SyncPolicy): the plugin of this crate.
#[macro_export]
macro_rules! sync_policy {
    ($plugin:ty) => {
        // Only there are names such as `sluice:policy/health@0.2.0#assess` known to linkers.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::sync::exports::sluice::policy::{plugin, sync};
            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }
            struct Exported;
            impl plugin::Guest for Exported {
                fn describe(descriptor: plugin::Descriptor) {
                    $crate::internal::describe(descriptor, <$plugin as $crate::SyncPolicy>::describe());
                }
                fn configure(settings: plugin::Settings) -> Result<(), ::std::string::String> {
                    let plugin =
                        $crate::internal::configured(&settings, <$plugin as $crate::SyncPolicy>::configure);
                    if let Some(plugin) = plugin {
                        PLUGIN.with(|cell| drop(cell.set(plugin)));
                    }
                    Ok(())
                }
            }
            impl sync::Guest for Exported {
                fn decide(
                    changes: ::std::vec::Vec<sync::Change>,
                    context: sync::Context,
                ) -> Result<(), ::std::string::String> {
                    PLUGIN.with(|cell| $crate::internal::decide(cell.get(), changes, context))
                }
            }
    $crate::bindings::sync::export!(Exported with_types_in $crate::bindings::sync);
        };
    };
}
