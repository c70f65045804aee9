//! From a file's bytes to a plugin that may be asked: every check that is made before anything of it runs.

use std::any::Any;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};
use sluice_plugin_aot::{AotError, Compiled, Form, Limits, Optimisation, RuntimeClass, form};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre};

use crate::better::Better;
use crate::breaker::Breaker;
use crate::change::RejectedFile;
use crate::claims::Claim;
use crate::codes::PluginError;
use crate::digest::digest;
use crate::info::{PluginInfo, PluginOrigin};
use crate::run::Runtime;
use crate::settings::Schema;
use crate::setup::Descriptor;
use crate::state::{State, one_line};
use crate::worlds::PluginKind;

/// What holds before it is known which world a plugin is of.
pub(crate) const LIMITS: Limits = RuntimeClass::Policy.limits();
/// The longest group or kind: DNS allows no longer name.
const NAME_BYTES: usize = 253;
/// Bytes of a page of memory.
const WASM_PAGE: u64 = 64 << 10;
/// The version of the package `sluice:policy`, as far as plugins and engine must have it in common.
const VERSION: &str = "0.2.";
/// What plugins of every world may import.
const SHARED: &[&str] = &["objects", "log", "context", "setup"];

/// A plugin that passed all checks.
pub(crate) struct Plugin {
    pub(crate) name: String,
    /// `sha256:…` of the file.
    pub(crate) digest: String,
    pub(crate) bytes: usize,
    pub(crate) imports: Vec<String>,
    pub(crate) summary: String,
    pub(crate) claims: Vec<Claim>,
    pub(crate) settings_schema: Option<Schema>,
    pub(crate) uses_time: bool,
    /// Which question it answers.
    pub(crate) kind: PluginKind,
    /// What instances are made of; its type is that of the world.
    pub(crate) pre: Box<dyn Any + Send + Sync>,
    /// Shared by what was compiled of the same file.
    pub(crate) breaker: Arc<Breaker>,
    /// If it was compiled quickly: what takes its place.
    pub(crate) better: Option<Better<Self>>,
}

impl Plugin {
    /// Checks, compiles and describes a plugin from its file's bytes.
    pub(crate) fn from_wasm(runtime: &Runtime, name: &str, wasm: &[u8]) -> Result<Self, PluginError> {
        Self::compiled(runtime, name, wasm, Optimisation::Full, Arc::default())
    }

    /// As [`Plugin::from_wasm`]. It may be compiled quickly, if that is asked for; then [`Plugin::better`] is there, and waits to be
    /// started. `breaker` has the record of the same version.
    pub(crate) fn compiled(
        runtime: &Runtime,
        name: &str,
        wasm: &[u8],
        optimisation: Optimisation,
        breaker: Arc<Breaker>,
    ) -> Result<Self, PluginError> {
        if wasm.len() > LIMITS.file_bytes {
            let most = LIMITS.file_bytes >> 20;
            return Err(PluginError::Compile {
                reason: format!("the file has more than the {most} MiB that a policy may have"),
            });
        }
        match form(wasm) {
            Form::NotWasm => {
                return Err(PluginError::Compile {
                    reason: "the file is no WebAssembly".to_owned(),
                });
            }
            Form::CoreModule => check_core_imports(wasm)?,
            Form::Component => {}
        }
        let (compiler, engine) = (&runtime.compiler, &runtime.engine);
        let compiled = match optimisation {
            Optimisation::Quick => compiler.compile_first(RuntimeClass::Policy, engine, wasm),
            Optimisation::Full => compiler
                .compile(RuntimeClass::Policy, engine, wasm)
                .map(Compiled::fully),
        };
        let compiled = compiled.map_err(uncompiled)?;
        let (digest, component) = (digest(wasm), &compiled.component);
        let plugin = Self::from_component(runtime, name, digest, wasm.len(), component, Schema::parse)?;
        let is_quick = compiled.optimisation == Optimisation::Quick;
        Ok(Self {
            better: is_quick.then(Better::default),
            breaker,
            ..plugin
        })
    }

    /// Checks, links and describes a compiled component. `schema` reads its settings' schema.
    pub(crate) fn from_component(
        runtime: &Runtime,
        name: &str,
        digest: String,
        bytes: usize,
        component: &Component,
        schema: fn(&str) -> Result<Schema, String>,
    ) -> Result<Self, PluginError> {
        let imports = check_imports(runtime, component)?;
        let kind = world(runtime, component)?;
        let mismatch = |error: wasmtime::Error| PluginError::WorldMismatch {
            reason: format!("{error:#}"),
        };
        let instance: InstancePre<State> = runtime.linker.instantiate_pre(component).map_err(mismatch)?;
        let pre = kind.definition().pre(instance).map_err(mismatch)?;
        let mut plugin = Self {
            name: name.to_owned(),
            digest,
            bytes,
            imports,
            summary: String::new(),
            claims: Vec::new(),
            settings_schema: None,
            uses_time: false,
            kind,
            pre,
            breaker: Arc::default(),
            better: None,
        };
        let descriptor = kind.definition().describe(runtime, &plugin);
        plugin.adopt(descriptor.map_err(start_error)?, schema)?;
        Ok(plugin)
    }

    /// Whether settings fit its schema.
    pub(crate) fn check_settings(&self, settings: &Map<String, Value>) -> Result<(), PluginError> {
        let Some(schema) = &self.settings_schema else {
            return Ok(());
        };
        let problems = schema.problems(settings);
        match problems.is_empty() {
            true => Ok(()),
            false => Err(PluginError::Settings { problems }),
        }
    }

    /// What is known of it.
    pub(crate) fn info(
        &self,
        origin: PluginOrigin,
        asked_by_default: bool,
        rejected: Option<RejectedFile>,
    ) -> PluginInfo {
        PluginInfo {
            name: self.name.clone(),
            world: self.kind,
            origin,
            asked_by_default,
            digest: self.digest.clone(),
            bytes: self.bytes,
            summary: self.summary.clone(),
            claims: self.claims.clone(),
            settings_schema: self
                .settings_schema
                .as_ref()
                .map(|schema| schema.document().clone()),
            uses_time: self.uses_time,
            imports: self.imports.clone(),
            rejected,
        }
    }

    /// Takes its word for what it is, as far as that makes sense.
    fn adopt(
        &mut self,
        descriptor: Descriptor,
        schema: fn(&str) -> Result<Schema, String>,
    ) -> Result<(), PluginError> {
        let bad = |reason: String| PluginError::BadOutput {
            export: "describe",
            reason,
        };
        let is_name =
            |text: &str| text.len() <= NAME_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(claim) = descriptor
            .claims
            .iter()
            .find(|claim| !is_name(&claim.group) || !is_name(&claim.kind))
        {
            let claim = one_line(&format!("`{}` in `{}`", claim.kind, claim.group));
            return Err(bad(format!("the claim {claim} names no kind")));
        }
        let schema = descriptor.settings_schema.as_deref().map(schema).transpose();
        self.settings_schema = schema.map_err(|reason| bad(format!("the settings schema: {reason}")))?;
        self.summary = descriptor.summary;
        self.claims = descriptor.claims;
        self.uses_time = descriptor.uses_time;
        Ok(())
    }
}

/// What a failed compilation means.
pub(crate) fn uncompiled(error: AotError) -> PluginError {
    match error {
        AotError::Componentise(error) => PluginError::WorldMismatch {
            reason: one_line(&error.to_string()),
        },
        AotError::Compile(error) => PluginError::Compile {
            reason: one_line(&format!("it does not compile: {error:#}")),
        },
        other => PluginError::Compile {
            reason: one_line(&other.to_string()),
        },
    }
}

/// A crash while starting is a failed start, whatever the trap; limits keep their own codes.
pub(crate) fn start_error(error: PluginError) -> PluginError {
    match error {
        PluginError::Trap { export, reason } => PluginError::Instantiate {
            reason: format!("`{export}`: {reason}"),
        },
        PluginError::BadOutput {
            export: "start",
            reason,
        } => PluginError::Instantiate { reason },
        other => other,
    }
}

/// True for the instances that a plugin may import: those of the worlds. Nothing else, ever.
fn is_granted(import: &str) -> bool {
    let worlds = PluginKind::ALL.map(|kind| kind.definition().answers());
    let is_of_a_world = |interface: &str| worlds.iter().any(|answers| answers.contains(&interface));
    interface(import).is_some_and(|interface| SHARED.contains(&interface) || is_of_a_world(interface))
}

/// The interface of `sluice:policy/INTERFACE@VERSION`, of the version that is ours.
fn interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("sluice:policy/")?.split_once('@')?;
    version.starts_with(VERSION).then_some(interface)
}

/// Imports of a core module, before it is wrapped: `wit-component` would fail on a foreign one with words for its own users.
fn check_core_imports(wasm: &[u8]) -> Result<(), PluginError> {
    let invalid = |error: wasmparser::BinaryReaderError| PluginError::Compile {
        reason: error.to_string(),
    };
    let mut has_world = false;
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            wasmparser::Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(invalid)?;
                    // `[export]sluice:policy/…` are intrinsics for resources that a plugin exports; there are none, harmless.
                    if !is_granted(import.module) && !import.module.starts_with("[export]sluice:policy/") {
                        return Err(PluginError::ImportDenied {
                            import: one_line(&format!("{}#{}", import.module, import.name)),
                        });
                    }
                }
            }
            wasmparser::Payload::MemorySection(section) => {
                for memory in section {
                    // Said here, where it can be said plainly; the engine refuses it in any case.
                    let pages = memory.map_err(invalid)?.initial;
                    if pages.saturating_mul(WASM_PAGE) > LIMITS.memory_bytes as u64 {
                        return Err(PluginError::Memory {
                            export: "start",
                            mebibytes: LIMITS.memory_bytes >> 20,
                        });
                    }
                }
            }
            wasmparser::Payload::CustomSection(section) => {
                has_world |= section.name().starts_with("component-type")
            }
            _ => {}
        }
    }
    match has_world {
        true => Ok(()),
        false => Err(PluginError::WorldMismatch {
            reason:
                "the module does not say which world it is of (no `component-type` section; see wit-bindgen)"
                    .to_owned(),
        }),
    }
}

/// Imports of a component, by name, before it is linked.
fn check_imports(runtime: &Runtime, component: &Component) -> Result<Vec<String>, PluginError> {
    let mut imports = Vec::new();
    for (name, _) in component.component_type().imports(&runtime.engine) {
        if !is_granted(name) {
            return Err(PluginError::ImportDenied {
                import: one_line(name),
            });
        }
        imports.push(name.to_owned());
    }
    Ok(imports)
}

/// The one world whose interfaces are exported.
fn world(runtime: &Runtime, component: &Component) -> Result<PluginKind, PluginError> {
    let exports: Vec<String> = component
        .component_type()
        .exports(&runtime.engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
        .map(|(name, _)| name.to_owned())
        .collect();
    let exported = |wanted: &str| exports.iter().any(|name| interface(name) == Some(wanted));
    let kinds: Vec<PluginKind> = PluginKind::ALL
        .into_iter()
        .filter(|kind| exported(kind.definition().interface()))
        .collect();
    match kinds.as_slice() {
        [kind] if exported("plugin") => Ok(*kind),
        _ => {
            let mut reason = String::from("it exports ");
            let listed = match exports.is_empty() {
                true => "nothing".to_owned(),
                false => one_line(&exports.join(", ")),
            };
            let _infallible = write!(
                reason,
                "{listed}; wanted are `sluice:policy/plugin@0.2.0` and exactly one of `health`, `prune` and `sync`"
            );
            Err(PluginError::WorldMismatch { reason })
        }
    }
}
