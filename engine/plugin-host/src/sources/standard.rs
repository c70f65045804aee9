//! The plugins that are part of the binary. They use the public WIT and nothing else; only how they are loaded differs.

use std::sync::{Arc, OnceLock};

use sluice_plugin_aot::AotError;

use super::{Content, Source};
use crate::change::{Change, RejectedFile};
use crate::codes::PluginError;
use crate::info::PluginOrigin;
use crate::load::Plugin;
use crate::run::{LazyRuntime, Runtime};
use crate::settings::Schema;
use crate::worlds::PluginKind;

/// One embedded plugin.
struct Embedded {
    name: &'static str,
    kind: PluginKind,
    /// It is asked if `spec.policies` names it, and not by default.
    by_name_only: bool,
    digest: &'static str,
    wasm: &'static [u8],
    image: &'static [u8],
}

// `const ALL: &[Embedded]`, written by build.rs, in the order in which the plugins are asked.
include!(concat!(env!("OUT_DIR"), "/standard.rs"));

/// The standard plugins, each loaded when it is needed first.
pub(super) struct Standard(Arc<Shelf>);

struct Shelf {
    runtime: Arc<LazyRuntime>,
    /// Beside [`ALL`].
    loaded: Vec<OnceLock<Result<Arc<Plugin>, PluginError>>>,
}

impl Standard {
    pub(super) fn new(runtime: Arc<LazyRuntime>) -> Self {
        let loaded = ALL.iter().map(|_| OnceLock::new()).collect();
        Self(Arc::new(Shelf { runtime, loaded }))
    }
}

impl Source for Standard {
    fn content(&self) -> Arc<dyn Content> {
        Arc::<Shelf>::clone(&self.0)
    }

    fn refresh(&self, _: &dyn Fn(&str) -> Option<PluginKind>) -> Vec<Change> {
        Vec::new()
    }
}

impl Content for Shelf {
    fn names(&self, kind: PluginKind) -> Vec<String> {
        let of_kind = ALL.iter().filter(|embedded| embedded.kind == kind);
        of_kind.map(|embedded| embedded.name.to_owned()).collect()
    }

    fn kind_of(&self, name: &str) -> Option<PluginKind> {
        named(name).map(|(_, embedded)| embedded.kind)
    }

    fn is_by_name_only(&self, name: &str) -> bool {
        named(name).is_some_and(|(_, embedded)| embedded.by_name_only)
    }

    fn plugin(&self, name: &str) -> Option<Result<Arc<Plugin>, PluginError>> {
        let (index, embedded) = named(name)?;
        let loaded = self
            .loaded
            .get(index)?
            .get_or_init(|| embedded.load(self.runtime.get()?).map(Arc::new));
        Some(loaded.as_ref().map(Arc::clone).map_err(PluginError::again))
    }

    fn digest(&self, name: &str) -> Option<String> {
        named(name).map(|(_, embedded)| embedded.digest.to_owned())
    }

    fn origin(&self, _: &str) -> PluginOrigin {
        PluginOrigin::Standard
    }

    fn rejected(&self) -> Vec<(String, RejectedFile)> {
        Vec::new()
    }
}

/// The one of a name, and where in [`ALL`] it is.
fn named(name: &str) -> Option<(usize, &'static Embedded)> {
    ALL.iter().enumerate().find(|(_, embedded)| embedded.name == name)
}

impl Embedded {
    /// Loads what was compiled with the engine; compiles only where that was for another kind of machine.
    fn load(&self, runtime: &Runtime) -> Result<Plugin, PluginError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the image is part of this binary, made by its build"
        )]
        let loaded = sluice_plugin_aot::load(&runtime.engine, self.image);
        match loaded {
            Ok(component) => Plugin::from_component(
                runtime,
                self.name,
                self.digest.to_owned(),
                self.wasm.len(),
                &component,
                Schema::ours,
            ),
            Err(error) => {
                if matches!(error, AotError::Incompatible) {
                    tracing::info!(plugin = self.name, "compiled anew: {error}");
                } else {
                    tracing::warn!(plugin = self.name, "compiled anew: {error}");
                }
                Plugin::from_wasm(runtime, self.name, self.wasm)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_plugin_aot::Compiler;

    #[test]
    fn no_standard_plugin_needs_settings() {
        let runtime = Runtime::new(Compiler::Here).unwrap();
        for embedded in ALL {
            let plugin = embedded.load(&runtime).unwrap();
            let Some(schema) = &plugin.settings_schema else {
                continue;
            };
            let stranger = Schema::parse(&schema.document().to_string()).unwrap();
            let problems = stranger.problems(&serde_json::Map::new());
            assert_eq!(problems, Vec::<String>::new(), "{}", embedded.name);
        }
    }
}
