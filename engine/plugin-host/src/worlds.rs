//! The worlds: one file for each, with its limits, its question, its cautious answer, how several opinions become one answer, and
//! its bindings. What follows here is what all of them have in common, and the list.
//!
//! A new world is a file beside the others with a type that implements [`World`], and an entry in [`PluginKind`]: in its variants, in
//! [`PluginKind::ALL`] and in [`PluginKind::definition`].

pub(crate) mod health;
pub(crate) mod prune;
pub(crate) mod sync;

use std::any::Any;
use std::marker::PhantomData;

use serde::{Serialize, Serializer};
use sluice_model::application::{Policies, PolicyRef};
use sluice_plugin_aot::RuntimeClass;
use wasmtime::component::InstancePre;
use wasmtime::{Result, Store};

use crate::claims::Claim;
use crate::codes::PluginError;
use crate::load::Plugin;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::state::State;

/// Which question a plugin answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginKind {
    /// World `health-check`: does an object do its work?
    Health,
    /// World `prune-policy`: may an object be deleted?
    Prune,
    /// World `sync-policy`: how is an object applied?
    Sync,
}

impl PluginKind {
    pub(crate) const ALL: [Self; 3] = [Self::Health, Self::Prune, Self::Sync];

    pub(crate) fn definition(self) -> &'static dyn Definition {
        match self {
            Self::Health => &Of::<health::HealthCheck>(PhantomData),
            Self::Prune => &Of::<prune::PrunePolicy>(PhantomData),
            Self::Sync => &Of::<sync::SyncPolicy>(PhantomData),
        }
    }

    /// The name of its world.
    pub fn world(self) -> &'static str {
        self.definition().name()
    }
}

/// The name of the world.
impl Serialize for PluginKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.world())
    }
}

/// A world; its values are instances of its plugins.
pub(crate) trait World: Sized + 'static {
    /// A component of this world, linked, that can be instantiated.
    type Pre: Send + Sync + 'static;

    /// Its kind.
    const KIND: PluginKind;
    /// Its name in the WIT package.
    const NAME: &'static str;
    /// The interface that its plugins export beside `plugin`, and no other world's do.
    const INTERFACE: &'static str;
    /// How much its plugins may take.
    const CLASS: RuntimeClass;

    /// Those of an Application's policies that are of this world.
    fn policies(policies: &Policies) -> &[PolicyRef];

    /// Checks that a component exports all of the world.
    fn pre(instance: InstancePre<State>) -> Result<Self::Pre>;

    /// Makes an instance.
    fn instantiate(pre: &Self::Pre, store: &mut Store<State>) -> Result<Self>;

    /// Calls `describe`.
    fn describe(&self, store: &mut Store<State>) -> Result<Descriptor>;

    /// Calls `configure`. What the plugin does not like comes back.
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

/// A [`World`] as far as nobody has to know which one it is.
pub(crate) trait Definition: Sync {
    /// [`World::NAME`].
    fn name(&self) -> &'static str;

    /// [`World::INTERFACE`].
    fn interface(&self) -> &'static str;

    /// [`World::policies`].
    fn policies<'p>(&self, policies: &'p Policies) -> &'p [PolicyRef];

    /// [`World::pre`]; a [`Session`] of the world knows its type.
    fn pre(&self, instance: InstancePre<State>) -> Result<Box<dyn Any + Send + Sync>>;

    /// Asks a plugin what it is, in an instance of its own: with nothing before it and no clock, the answer is always the same.
    fn describe(&self, runtime: &Runtime, plugin: &Plugin) -> Result<Descriptor, PluginError>;

    /// Hands a plugin its settings, and asks it nothing.
    fn check(&self, runtime: &Runtime, asked: &Asked) -> Result<(), PluginError>;
}

struct Of<W>(PhantomData<fn() -> W>);

impl<W: World> Definition for Of<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn interface(&self) -> &'static str {
        W::INTERFACE
    }

    fn policies<'p>(&self, policies: &'p Policies) -> &'p [PolicyRef] {
        W::policies(policies)
    }

    fn pre(&self, instance: InstancePre<State>) -> Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(W::pre(instance)?))
    }

    fn describe(&self, runtime: &Runtime, plugin: &Plugin) -> Result<Descriptor, PluginError> {
        Session::<W>::instance(runtime, plugin)?.call("describe", 0, |store, world| world.describe(store))
    }

    fn check(&self, runtime: &Runtime, asked: &Asked) -> Result<(), PluginError> {
        Session::<W>::start(runtime, asked).map(drop)
    }
}

/// What every world exports is the same, but bindgen gives each types of its own: the body of [`World`] that is about them.
macro_rules! exports_of {
    ($pre:ty) => {
        type Pre = $pre;

        fn pre(
            instance: ::wasmtime::component::InstancePre<$crate::state::State>,
        ) -> ::wasmtime::Result<Self::Pre> {
            Self::Pre::new(instance)
        }

        fn instantiate(
            pre: &Self::Pre,
            store: &mut ::wasmtime::Store<$crate::state::State>,
        ) -> ::wasmtime::Result<Self> {
            pre.instantiate(store)
        }

        fn describe(
            &self,
            store: &mut ::wasmtime::Store<$crate::state::State>,
        ) -> ::wasmtime::Result<$crate::worlds::Descriptor> {
            let given = self.sluice_policy_plugin().call_describe(store)?;
            let claims = given.claims.into_iter().map(|claim| $crate::claims::Claim {
                group: claim.group,
                kind: claim.kind,
            });
            Ok($crate::worlds::Descriptor {
                summary: given.summary,
                claims: claims.collect(),
                settings_schema: given.settings_schema,
                uses_time: given.uses_time,
            })
        }

        fn configure(
            &self,
            store: &mut ::wasmtime::Store<$crate::state::State>,
            settings: &str,
        ) -> ::wasmtime::Result<Result<(), Vec<$crate::worlds::Problem>>> {
            let answer = self
                .sluice_policy_plugin()
                .call_configure(store, settings)?;
            Ok(answer.map_err(|problems| {
                let problems = problems.into_iter().map(|problem| $crate::worlds::Problem {
                    pointer: problem.pointer,
                    message: problem.message,
                });
                problems.collect()
            }))
        }
    };
}
pub(crate) use exports_of;
