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
use wasmtime::component::{InstancePre, Linker, Resource};
use wasmtime::{Result, Store};

use crate::codes::PluginError;
use crate::load::Plugin;
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::setup::{Descriptor, HostDescriptor, HostSettings};
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
    /// What the current call has handed over and only this world has: its answers, for the plugin to fill in.
    type Handles: Default + Send + 'static;

    /// Its kind.
    const KIND: PluginKind;
    /// Its name in the WIT package.
    const NAME: &'static str;
    /// The interface that its plugins export beside `plugin`, and no other world's do.
    const INTERFACE: &'static str;
    /// The interfaces that its plugins may import beside what all worlds have: that of its answers, and what only they may see.
    const ANSWERS: &'static [&'static str];
    /// How much its plugins may take.
    const CLASS: RuntimeClass;

    /// Those of an Application's policies that are of this world.
    fn policies(policies: &Policies) -> &[PolicyRef];

    /// Checks that a component exports all of the world.
    fn pre(instance: InstancePre<State>) -> Result<Self::Pre>;

    /// Makes an instance.
    fn instantiate(pre: &Self::Pre, store: &mut Store<State>) -> Result<Self>;

    /// Gives a linker [`World::ANSWERS`].
    fn link(linker: &mut Linker<State>) -> Result<()>;

    /// Calls `describe`.
    fn describe(&self, store: &mut Store<State>, descriptor: Resource<HostDescriptor>) -> Result<()>;

    /// Calls `configure`.
    fn configure(
        &self,
        store: &mut Store<State>,
        settings: Resource<HostSettings>,
    ) -> Result<Result<(), String>>;
}

/// A [`World`] without its type, for what is the same for all of them.
pub(crate) trait Definition: Sync {
    /// Returns [`World::NAME`], the name of the world.
    fn name(&self) -> &'static str;

    /// Returns [`World::INTERFACE`], which a plugin exports.
    fn interface(&self) -> &'static str;

    /// Returns [`World::ANSWERS`], what a plugin of the world may import.
    fn answers(&self) -> &'static [&'static str];

    /// Links what a plugin may import, [`World::link`].
    fn link(&self, linker: &mut Linker<State>) -> Result<()>;

    /// Returns those of an Application's policies that are of this world, [`World::policies`].
    fn policies<'p>(&self, policies: &'p Policies) -> &'p [PolicyRef];

    /// [`World::pre`]; a [`Session`] of the world knows its type.
    fn pre(&self, instance: InstancePre<State>) -> Result<Box<dyn Any + Send + Sync>>;

    /// Asks a plugin what it is, in an instance of its own.
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

    fn answers(&self) -> &'static [&'static str] {
        W::ANSWERS
    }

    fn link(&self, linker: &mut Linker<State>) -> Result<()> {
        W::link(linker)
    }

    fn policies<'p>(&self, policies: &'p Policies) -> &'p [PolicyRef] {
        W::policies(policies)
    }

    fn pre(&self, instance: InstancePre<State>) -> Result<Box<dyn Any + Send + Sync>> {
        Ok(Box::new(W::pre(instance)?))
    }

    fn describe(&self, runtime: &Runtime, plugin: &Plugin) -> Result<Descriptor, PluginError> {
        Session::<W>::describe(runtime, plugin)
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
            descriptor: ::wasmtime::component::Resource<$crate::setup::HostDescriptor>,
        ) -> ::wasmtime::Result<()> {
            self.sluice_policy_plugin().call_describe(store, descriptor)
        }

        fn configure(
            &self,
            store: &mut ::wasmtime::Store<$crate::state::State>,
            settings: ::wasmtime::component::Resource<$crate::setup::HostSettings>,
        ) -> ::wasmtime::Result<Result<(), String>> {
            self.sluice_policy_plugin().call_configure(store, settings)
        }
    };
}
pub(crate) use exports_of;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn worlds_are_told_apart_by_their_names_and_interfaces() {
        let names = |name: fn(&dyn Definition) -> &'static str| {
            let all = PluginKind::ALL.map(|kind| name(kind.definition()));
            all.into_iter().collect::<BTreeSet<_>>().len()
        };
        for name in [
            (|world| world.name()) as fn(&dyn Definition) -> &'static str,
            |world| world.interface(),
            |world| world.answers().first().expect("an interface"),
        ] {
            assert_eq!(names(name), PluginKind::ALL.len());
        }
    }
}
