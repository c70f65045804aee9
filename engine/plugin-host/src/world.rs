//! The three worlds behind one face: bindgen gives each types of its own, but their shapes do not differ.

use wasmtime::component::InstancePre;
use wasmtime::{Result, Store};

use crate::bindings::{health, prune, sync};
use crate::claims::Claim;
use crate::info::PluginKind;
use crate::state::State;

pub(crate) use crate::bindings::health::HealthCheck;
pub(crate) use crate::bindings::prune::PrunePolicy;
pub(crate) use crate::bindings::sync::SyncPolicy;

/// An instance of a plugin of one world, as far as all worlds are alike.
pub(crate) trait World: Sized {
    /// A linked component that can be instantiated.
    type Pre;

    /// Its kind.
    const KIND: PluginKind;

    /// The component, where it is of this world.
    fn pre(pre: &Pre) -> Option<&Self::Pre>;

    /// Makes an instance.
    fn instantiate(pre: &Self::Pre, store: &mut Store<State>) -> Result<Self>;

    /// Calls `describe`.
    fn describe(&self, store: &mut Store<State>) -> Result<Descriptor>;

    /// Calls `configure`. What the plugin does not like: pointer and message.
    fn configure(&self, store: &mut Store<State>, settings: &str) -> Result<Result<(), Vec<Problem>>>;
}

/// A plugin's own words about itself, not checked yet.
pub(crate) struct Descriptor {
    pub(crate) summary: String,
    pub(crate) claims: Vec<Claim>,
    pub(crate) settings_schema: Option<String>,
    pub(crate) uses_time: bool,
}

/// A mistake in the settings.
pub(crate) struct Problem {
    pub(crate) pointer: String,
    pub(crate) message: String,
}

/// A component, linked and checked against its world.
pub(crate) enum Pre {
    Health(health::HealthCheckPre<State>),
    Prune(prune::PrunePolicyPre<State>),
    Sync(sync::SyncPolicyPre<State>),
}

impl Pre {
    /// Checks that a component exports all of its world.
    pub(crate) fn new(kind: PluginKind, instance: InstancePre<State>) -> Result<Self> {
        Ok(match kind {
            PluginKind::Health => Self::Health(health::HealthCheckPre::new(instance)?),
            PluginKind::Prune => Self::Prune(prune::PrunePolicyPre::new(instance)?),
            PluginKind::Sync => Self::Sync(sync::SyncPolicyPre::new(instance)?),
        })
    }

    pub(crate) fn kind(&self) -> PluginKind {
        match self {
            Self::Health(_) => PluginKind::Health,
            Self::Prune(_) => PluginKind::Prune,
            Self::Sync(_) => PluginKind::Sync,
        }
    }
}

macro_rules! world {
    ($world:ty, $pre:ty, $kind:ident) => {
        impl World for $world {
            type Pre = $pre;

            const KIND: PluginKind = PluginKind::$kind;

            fn pre(pre: &Pre) -> Option<&Self::Pre> {
                if let Pre::$kind(pre) = pre {
                    Some(pre)
                } else {
                    None
                }
            }

            fn instantiate(pre: &Self::Pre, store: &mut Store<State>) -> Result<Self> {
                pre.instantiate(store)
            }

            fn describe(&self, store: &mut Store<State>) -> Result<Descriptor> {
                let given = self.sluice_policy_plugin().call_describe(store)?;
                let claims = given.claims.into_iter().map(|claim| Claim {
                    group: claim.group,
                    kind: claim.kind,
                });
                Ok(Descriptor {
                    summary: given.summary,
                    claims: claims.collect(),
                    settings_schema: given.settings_schema,
                    uses_time: given.uses_time,
                })
            }

            fn configure(
                &self,
                store: &mut Store<State>,
                settings: &str,
            ) -> Result<Result<(), Vec<Problem>>> {
                let answer = self
                    .sluice_policy_plugin()
                    .call_configure(store, settings)?;
                Ok(answer.map_err(|problems| {
                    let problems = problems.into_iter().map(|problem| Problem {
                        pointer: problem.pointer,
                        message: problem.message,
                    });
                    problems.collect()
                }))
            }
        }
    };
}

world!(HealthCheck, health::HealthCheckPre<State>, Health);
world!(PrunePolicy, prune::PrunePolicyPre<State>, Prune);
world!(SyncPolicy, sync::SyncPolicyPre<State>, Sync);
