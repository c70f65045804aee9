//! From a file's bytes to a plugin that may be asked: every check that is made before anything of it runs.

use std::fmt::Write as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice_plugin_aot::{AotError, Form, componentise, form, limits};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::health::HealthCheckPre;
use crate::bindings::prune::PrunePolicyPre;
use crate::bindings::sync::SyncPolicyPre;
use crate::claims::Claim;
use crate::codes::PluginError;
use crate::host::{Asked, PluginKind};
use crate::run::Runtime;
use crate::state::{State, one_line};

/// The largest file: a Rust policy has 100 KB, a TinyGo one 1 MB; compiling takes 40 times the size in memory.
const FILE_BYTES: usize = 8 << 20;
/// The longest compilation. 8 MiB take some 10 s on two cores.
const COMPILE: Duration = Duration::from_secs(60);
/// Bytes of a page of memory.
const WASM_PAGE: u64 = 64 << 10;
/// The instances that a plugin may import. Nothing else, ever.
const GRANTED: &[&str] = &["sluice:policy/objects@0.1.", "sluice:policy/log@0.1."];

/// A plugin that passed all checks.
pub(crate) struct Plugin {
    pub(crate) name: String,
    /// `sha256:…` of the file.
    pub(crate) digest: String,
    pub(crate) bytes: usize,
    pub(crate) imports: Vec<String>,
    pub(crate) summary: String,
    pub(crate) claims: Vec<Claim>,
    pub(crate) settings_schema: Option<Value>,
    pub(crate) uses_time: bool,
    pub(crate) pre: Pre,
    pub(crate) breaker: crate::breaker::Breaker,
}

/// A component, linked and checked against its world.
pub(crate) enum Pre {
    Health(HealthCheckPre<State>),
    Prune(PrunePolicyPre<State>),
    Sync(SyncPolicyPre<State>),
}

/// `sha256:…`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Plugin {
    /// Checks, compiles and describes a plugin from its file's bytes.
    pub(crate) fn from_wasm(runtime: &Runtime, name: &str, wasm: &[u8]) -> Result<Self, PluginError> {
        if wasm.len() > FILE_BYTES {
            let reason = format!(
                "the file has {} bytes; at most {FILE_BYTES} are taken",
                wasm.len()
            );
            return Err(PluginError::Compile { reason });
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
        let component = componentise(wasm).map_err(|error| PluginError::WorldMismatch {
            reason: error.to_string(),
        })?;
        let component = compile(runtime, component.into_owned())?;
        Self::from_component(runtime, name, digest(wasm), wasm.len(), &component)
    }

    /// Checks, links and describes a compiled component.
    pub(crate) fn from_component(
        runtime: &Runtime,
        name: &str,
        digest: String,
        bytes: usize,
        component: &Component,
    ) -> Result<Self, PluginError> {
        let imports = check_imports(runtime, component)?;
        let kind = world(runtime, component)?;
        let mismatch = |error: wasmtime::Error| PluginError::WorldMismatch {
            reason: format!("{error:#}"),
        };
        let instance: InstancePre<State> = runtime.linker.instantiate_pre(component).map_err(mismatch)?;
        let pre = match kind {
            PluginKind::Health => Pre::Health(HealthCheckPre::new(instance).map_err(mismatch)?),
            PluginKind::Prune => Pre::Prune(PrunePolicyPre::new(instance).map_err(mismatch)?),
            PluginKind::Sync => Pre::Sync(SyncPolicyPre::new(instance).map_err(mismatch)?),
        };
        let mut plugin = Self {
            name: name.to_owned(),
            digest,
            bytes,
            imports,
            summary: String::new(),
            claims: Vec::new(),
            settings_schema: None,
            uses_time: false,
            pre,
            breaker: crate::breaker::Breaker::default(),
        };
        plugin.describe(runtime)?;
        Ok(plugin)
    }

    /// Which question it answers.
    pub(crate) fn kind(&self) -> PluginKind {
        match self.pre {
            Pre::Health(_) => PluginKind::Health,
            Pre::Prune(_) => PluginKind::Prune,
            Pre::Sync(_) => PluginKind::Sync,
        }
    }

    /// Hands it settings, in an instance of its own.
    pub(crate) fn check_settings(&self, runtime: &Runtime, asked: &Asked) -> Result<(), PluginError> {
        match &self.pre {
            Pre::Health(pre) => crate::host::started!(runtime, asked, pre).map(drop),
            Pre::Prune(pre) => crate::host::started!(runtime, asked, pre).map(drop),
            Pre::Sync(pre) => crate::host::started!(runtime, asked, pre).map(drop),
        }
    }

    /// Asks it what it is, in an instance of its own.
    fn describe(&mut self, runtime: &Runtime) -> Result<(), PluginError> {
        // The three worlds share the interface but each has types of its own.
        macro_rules! descriptor {
            ($pre:expr) => {{
                let mut slotted = runtime.store(&self.name)?;
                let time = slotted.allow(0);
                let world = $pre.instantiate(&mut slotted.store);
                let world = world.map_err(|error| start_error(slotted.explain("start", time, &error)))?;
                let descriptor = world
                    .sluice_policy_plugin()
                    .call_describe(&mut slotted.store);
                let descriptor =
                    descriptor.map_err(|error| start_error(slotted.explain("describe", time, &error)))?;
                let claims = descriptor.claims.into_iter().map(|claim| Claim {
                    group: claim.group,
                    kind: claim.kind,
                });
                (
                    descriptor.summary,
                    claims.collect(),
                    descriptor.settings_schema,
                    descriptor.uses_time,
                )
            }};
        }
        let (summary, claims, schema, uses_time) = match &self.pre {
            Pre::Health(pre) => descriptor!(pre),
            Pre::Prune(pre) => descriptor!(pre),
            Pre::Sync(pre) => descriptor!(pre),
        };
        self.summary = one_line(&summary);
        self.claims = claims;
        self.uses_time = uses_time;
        self.settings_schema = match schema.map(|schema| serde_json::from_str::<Value>(&schema)) {
            None => None,
            Some(Ok(schema)) if schema.is_object() => Some(schema),
            Some(Ok(_) | Err(_)) => {
                let reason = "the settings schema is no JSON object".to_owned();
                return Err(PluginError::BadOutput {
                    export: "describe",
                    reason,
                });
            }
        };
        Ok(())
    }
}

/// A crash while starting is a failed start, whatever the trap; limits keep their own codes.
fn start_error(error: PluginError) -> PluginError {
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
                    let granted = GRANTED.iter().any(|prefix| import.module.starts_with(prefix));
                    // `[export]sluice:policy/…` are intrinsics for resources that a plugin exports; there are none, harmless.
                    if !granted && !import.module.starts_with("[export]sluice:policy/") {
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
                    if pages.saturating_mul(WASM_PAGE) > limits::MEMORY_BYTES as u64 {
                        return Err(PluginError::Memory {
                            export: "start",
                            mebibytes: limits::MEMORY_BYTES >> 20,
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
        if !GRANTED.iter().any(|prefix| name.starts_with(prefix)) {
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
    let exported = |interface: &str| {
        exports
            .iter()
            .any(|name| name.starts_with(&format!("sluice:policy/{interface}@0.1.")))
    };
    let kinds: Vec<PluginKind> = PluginKind::ALL
        .into_iter()
        .filter(|kind| exported(kind.interface()))
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
                "{listed}; wanted are `sluice:policy/plugin@0.1.0` and exactly one of `health`, `prune` and `sync`"
            );
            Err(PluginError::WorldMismatch { reason })
        }
    }
}

/// Compiles on a thread of its own, so that a pathological file costs a thread for a minute and not the caller for ever.
fn compile(runtime: &Runtime, component: Vec<u8>) -> Result<Component, PluginError> {
    let (send, receive) = mpsc::sync_channel(1);
    let engine = runtime.engine.clone();
    let work = move || {
        let compiled = sluice_plugin_aot::compile(&engine, &component);
        // Nobody waits any more where this fails.
        let _gone = send.send(compiled);
    };
    thread::Builder::new()
        .name("plugin-compiler".to_owned())
        .spawn(work)
        .map_err(|error| PluginError::Compile {
            reason: format!("no thread to compile on: {error}"),
        })?;
    match receive.recv_timeout(COMPILE) {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(AotError::Compile(error))) => Err(PluginError::Compile {
            reason: one_line(&format!("it does not compile: {error:#}")),
        }),
        Ok(Err(error)) => Err(PluginError::Compile {
            reason: error.to_string(),
        }),
        Err(_) => Err(PluginError::Compile {
            reason: format!("compiling took longer than {} s", COMPILE.as_secs()),
        }),
    }
}
