//! One plugin within one batch: from what was asked for to an instance that answers, the same for every world.
//!
//! A [`Session`] is a configured instance. It ends with the batch, or at the first error that leaves the instance in a state that
//! is not known ([`Session::is_whole`]). Crashes, timeouts and failed allocations are counted on the way: the breaker of a plugin
//! that has too many keeps the next session from starting.

use std::sync::Arc;

use serde_json::{Map, Value};
use wasmtime::Store;

use crate::codes::PluginError;
use crate::load::Plugin;
use crate::run::{Runtime, Slotted};
use crate::scripts::Scripts;
use crate::setup::Descriptor;
use crate::state::{State, one_line};
use crate::worlds::World;

/// One plugin of one question, or why it cannot be asked.
pub(crate) struct Asked {
    pub(crate) name: String,
    /// As the Application gives them.
    pub(crate) settings: Map<String, Value>,
    pub(crate) plugin: Result<Arc<Plugin>, PluginError>,
    /// The scripts that it is asked with, for the kinds that they are for and no others.
    pub(crate) scripts: Option<Arc<Scripts>>,
}

impl Asked {
    /// The digest of its file; empty if there is none.
    pub(crate) fn digest(&self) -> &str {
        self.plugin.as_ref().map_or("", |plugin| plugin.digest.as_str())
    }

    /// Whether an answer about something unchanged may differ later.
    pub(crate) fn uses_time(&self) -> bool {
        match &self.plugin {
            Ok(plugin) => plugin.uses_time,
            Err(_) => true,
        }
    }

    /// The plugin, where there is one.
    pub(crate) fn plugin(&self) -> Result<&Plugin, PluginError> {
        self.plugin.as_deref().map_err(PluginError::again)
    }
}

/// A configured instance.
pub(crate) struct Session<'a, W> {
    plugin: &'a Plugin,
    slotted: Slotted,
    world: W,
    is_whole: bool,
}

impl<'a, W: World> Session<'a, W> {
    /// A fresh instance with its settings, unless the plugin is missing, rests, or is not content with its settings.
    pub(crate) fn start(runtime: &Runtime, asked: &'a Asked) -> Result<Self, PluginError> {
        let plugin = asked.plugin()?;
        plugin.breaker.check()?;
        plugin.check_settings(&asked.settings)?;
        Self::configured(runtime, asked)
    }

    /// As [`Session::start`], for a plugin that is tried: its own word on its settings is wanted, whatever its schema says.
    pub(crate) fn configured(runtime: &Runtime, asked: &'a Asked) -> Result<Self, PluginError> {
        let plugin = asked.plugin()?;
        let mut session = plugin.breaker.watch(Self::instance(runtime, plugin))?;
        let settings = Value::Object(asked.settings.clone()).to_string();
        let problems = session.call("configure", 0, |store, world| {
            let settings = store.data_mut().give_settings(settings)?;
            let taken = world.configure(store, settings)?;
            let mut problems = store.data_mut().take_problems();
            problems.extend(taken.err());
            Ok(problems)
        })?;
        match problems.is_empty() {
            true => Ok(session),
            false => Err(PluginError::Settings { problems }),
        }
    }

    /// What a plugin says of itself. With nothing before it and no clock, it always says the same.
    pub(crate) fn describe(runtime: &Runtime, plugin: &'a Plugin) -> Result<Descriptor, PluginError> {
        Self::instance(runtime, plugin)?.call("describe", 0, |store, world| {
            let descriptor = store.data_mut().give_descriptor()?;
            world.describe(store, descriptor)?;
            Ok(store.data_mut().take_descriptor())
        })
    }

    /// A fresh instance without settings.
    fn instance(runtime: &Runtime, plugin: &'a Plugin) -> Result<Self, PluginError> {
        let pre = plugin
            .pre
            .downcast_ref::<W::Pre>()
            .ok_or(PluginError::NotFound { kind: W::NAME })?;
        let own = Box::new(W::Handles::default());
        let state = State::new(&plugin.name, plugin.uses_time, &W::CLASS.limits(), own);
        let mut slotted = runtime.store(state)?;
        let time = slotted.allow(0);
        let world = W::instantiate(pre, &mut slotted.store)
            .map_err(|error| slotted.explain("start", time, &error))?;
        Ok(Self {
            plugin,
            slotted,
            world,
            is_whole: true,
        })
    }

    /// Calls an export, with the limits for so many objects.
    fn call<T>(
        &mut self,
        export: &'static str,
        objects: usize,
        call: impl FnOnce(&mut Store<State>, &W) -> wasmtime::Result<T>,
    ) -> Result<T, PluginError> {
        let time = self.slotted.allow(objects);
        match call(&mut self.slotted.store, &self.world) {
            Ok(answer) => {
                self.slotted.store.data_mut().end();
                Ok(answer)
            }
            Err(error) => {
                self.is_whole = false;
                let error = self.slotted.explain(export, time, &error);
                self.plugin.breaker.watch(Err(error))
            }
        }
    }

    /// Asks a question, with the limits for so many objects: hands over what it is about, calls the export and takes the answers. A
    /// plugin may answer with an error of its own.
    pub(crate) fn ask<T>(
        &mut self,
        export: &'static str,
        objects: usize,
        question: impl FnOnce(&mut Store<State>, &W) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, PluginError> {
        let answer = self.call(export, objects, question)?;
        answer.map_err(|message| PluginError::Guest {
            export,
            message: one_line(&message),
        })
    }

    /// False once a call failed: the instance must not be asked again.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }
}
