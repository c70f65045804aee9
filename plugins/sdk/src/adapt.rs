//! Between the generated bindings and the traits: what the export macros expand to.
#![allow(missing_docs, reason = "for the macros alone, which are documented")]

use crate::bindings::{health, prune, sync};
use crate::{
    Candidate, Change, Decision, Descriptor, Object, Problem, PruneContext, PruneDecision, Settings,
    SyncContext,
};

pub use crate::bindings::health::sluice::policy::objects::Object as HostObject;

/// Panics end in the engine's log before they trap; without this only the backtrace would tell.
pub fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::warn(&panic.to_string())));
}

/// Parses the settings and hands them on.
pub fn configured<T>(
    text: &str,
    configure: impl FnOnce(&Settings) -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    report_panics();
    configure(&Settings::parse(text)?)
}

macro_rules! plugin_types {
    ($descriptor:ident, $problems:ident, $world:ident) => {
        pub fn $descriptor(descriptor: Descriptor) -> $world::exports::sluice::policy::plugin::Descriptor {
            use $world::exports::sluice::policy::plugin;
            plugin::Descriptor {
                summary: descriptor.summary,
                claims: descriptor
                    .claims
                    .into_iter()
                    .map(|claim| plugin::Claim {
                        group: claim.group,
                        kind: claim.kind,
                    })
                    .collect(),
                settings_schema: descriptor.settings_schema,
                uses_time: descriptor.uses_time,
            }
        }

        pub fn $problems(problems: Vec<Problem>) -> Vec<$world::exports::sluice::policy::plugin::Problem> {
            use $world::exports::sluice::policy::plugin;
            problems
                .into_iter()
                .map(|problem| plugin::Problem {
                    pointer: problem.pointer,
                    message: problem.message,
                })
                .collect()
        }
    };
}

plugin_types!(health_descriptor, health_problems, health);
plugin_types!(prune_descriptor, prune_problems, prune);
plugin_types!(sync_descriptor, sync_problems, sync);

/// Owned handles, as the traits see them.
pub fn candidates(candidates: Vec<prune::exports::sluice::policy::prune::Candidate>) -> Vec<Candidate> {
    candidates
        .into_iter()
        .map(|candidate| Candidate {
            live: Object::owned(candidate.live),
            desired: candidate.desired.map(Object::owned),
        })
        .collect()
}

pub fn prune_decisions(
    decisions: Result<Vec<PruneDecision>, String>,
) -> Result<Vec<prune::exports::sluice::policy::prune::Decision>, String> {
    let given = |decision: PruneDecision| prune::exports::sluice::policy::prune::Decision {
        verdict: decision.verdict,
        propagation: decision.propagation,
    };
    Ok(decisions?.into_iter().map(given).collect())
}

pub fn prune_context(context: prune::exports::sluice::policy::prune::Context) -> PruneContext {
    PruneContext {
        now: context.now,
        occasion: context.occasion,
        application: (context.application_namespace, context.application_name),
        owned: context.owned,
        desired: context.desired,
        options: context.options,
    }
}

/// Decides one by one: a handle is gone as soon as its object was judged.
pub fn decide_all(
    changes: Vec<sync::exports::sluice::policy::sync::Change>,
    context: sync::exports::sluice::policy::sync::Context,
    decide: impl Fn(&Change, &SyncContext) -> Result<Decision, String>,
) -> Result<Vec<Decision>, String> {
    let context = SyncContext {
        now: context.now,
        application: (context.application_namespace, context.application_name),
        options: context.options,
    };
    changes
        .into_iter()
        .map(|change| {
            let change = Change {
                desired: change.desired.map(Object::owned),
                live: change.live.map(Object::owned),
            };
            decide(&change, &context)
        })
        .collect()
}

/// The error of being asked before being configured.
pub const NOT_CONFIGURED: &str = "the plugin was not configured";

/// Exports a [`HealthCheck`](crate::HealthCheck): the plugin of this crate.
#[macro_export]
macro_rules! health_check {
    ($plugin:ty) => {
        // Only there are names such as `sluice:policy/health@0.1.0#assess` known to linkers.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::health::exports::sluice::policy::{health, plugin};
            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }
            struct Exported;
            impl plugin::Guest for Exported {
                fn describe() -> plugin::Descriptor {
                    $crate::internal::health_descriptor(<$plugin as $crate::HealthCheck>::describe())
                }
                fn configure(
                    settings: ::std::string::String,
                ) -> Result<(), ::std::vec::Vec<plugin::Problem>> {
                    let plugin =
                        $crate::internal::configured(&settings, <$plugin as $crate::HealthCheck>::configure)
                            .map_err($crate::internal::health_problems)?;
                    PLUGIN.with(|cell| drop(cell.set(plugin)));
                    Ok(())
                }
            }
            impl health::Guest for Exported {
                fn assess(
                    object: &$crate::internal::HostObject,
                    context: health::Context,
                ) -> Result<health::Verdict, ::std::string::String> {
                    PLUGIN.with(|cell| match cell.get() {
                        Some(plugin) => {
                            $crate::HealthCheck::assess(plugin, &$crate::Object::lent(object), &context)
                        }
                        None => Err($crate::internal::NOT_CONFIGURED.into()),
                    })
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
        // Only there are names such as `sluice:policy/health@0.1.0#assess` known to linkers.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::prune::exports::sluice::policy::{plugin, prune};
            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }
            struct Exported;
            impl plugin::Guest for Exported {
                fn describe() -> plugin::Descriptor {
                    $crate::internal::prune_descriptor(<$plugin as $crate::PrunePolicy>::describe())
                }
                fn configure(
                    settings: ::std::string::String,
                ) -> Result<(), ::std::vec::Vec<plugin::Problem>> {
                    let plugin =
                        $crate::internal::configured(&settings, <$plugin as $crate::PrunePolicy>::configure)
                            .map_err($crate::internal::prune_problems)?;
                    PLUGIN.with(|cell| drop(cell.set(plugin)));
                    Ok(())
                }
            }
            impl prune::Guest for Exported {
                fn review(
                    candidates: ::std::vec::Vec<prune::Candidate>,
                    context: prune::Context,
                ) -> Result<::std::vec::Vec<prune::Decision>, ::std::string::String> {
                    let candidates = $crate::internal::candidates(candidates);
                    PLUGIN.with(|cell| match cell.get() {
                        Some(plugin) => $crate::internal::prune_decisions($crate::PrunePolicy::review(
                            plugin,
                            &candidates,
                            &$crate::internal::prune_context(context),
                        )),
                        None => Err($crate::internal::NOT_CONFIGURED.into()),
                    })
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
        // Only there are names such as `sluice:policy/health@0.1.0#assess` known to linkers.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::sync::exports::sluice::policy::{plugin, sync};
            ::std::thread_local! {
                static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
            }
            struct Exported;
            impl plugin::Guest for Exported {
                fn describe() -> plugin::Descriptor {
                    $crate::internal::sync_descriptor(<$plugin as $crate::SyncPolicy>::describe())
                }
                fn configure(
                    settings: ::std::string::String,
                ) -> Result<(), ::std::vec::Vec<plugin::Problem>> {
                    let plugin =
                        $crate::internal::configured(&settings, <$plugin as $crate::SyncPolicy>::configure)
                            .map_err($crate::internal::sync_problems)?;
                    PLUGIN.with(|cell| drop(cell.set(plugin)));
                    Ok(())
                }
            }
            impl sync::Guest for Exported {
                fn decide(
                    changes: ::std::vec::Vec<sync::Change>,
                    context: sync::Context,
                ) -> Result<::std::vec::Vec<sync::Decision>, ::std::string::String> {
                    PLUGIN.with(|cell| match cell.get() {
                        Some(plugin) => $crate::internal::decide_all(changes, context, |change, context| {
                            $crate::SyncPolicy::decide(plugin, change, context)
                        }),
                        None => Err($crate::internal::NOT_CONFIGURED.into()),
                    })
                }
            }
    $crate::bindings::sync::export!(Exported with_types_in $crate::bindings::sync);
        };
    };
}
