//! The plugins that are part of the binary. They use the public WIT and nothing else; only how they are loaded differs.

use sluice_plugin_aot::AotError;

use crate::codes::PluginError;
use crate::info::PluginKind;
use crate::load::Plugin;
use crate::run::Runtime;
use crate::settings::Schema;

/// One embedded plugin.
pub(crate) struct Standard {
    pub(crate) name: &'static str,
    pub(crate) kind: PluginKind,
    pub(crate) digest: &'static str,
    wasm: &'static [u8],
    image: &'static [u8],
}

// `pub(crate) const ALL: &[Standard]`, written by build.rs, in the order in which the plugins are asked.
include!(concat!(env!("OUT_DIR"), "/standard.rs"));

impl Standard {
    /// The one of a name, and where in [`ALL`] it is.
    pub(crate) fn named(name: &str) -> Option<(usize, &'static Self)> {
        ALL.iter().enumerate().find(|(_, standard)| standard.name == name)
    }

    /// Loads what was compiled with the engine; compiles only where that was for another kind of machine.
    pub(crate) fn load(&self, runtime: &Runtime) -> Result<Plugin, PluginError> {
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
        for standard in ALL {
            let plugin = standard.load(&runtime).unwrap();
            let Some(schema) = &plugin.settings_schema else {
                continue;
            };
            let stranger = Schema::parse(&schema.document().to_string()).unwrap();
            let problems = stranger.problems(&serde_json::Map::new());
            assert_eq!(problems, Vec::<String>::new(), "{}", standard.name);
        }
    }
}
