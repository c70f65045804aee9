//! Renderers: programs such as Helm that make manifests of files. They are components of WIT `sluice:render` that import nothing.
//!
//! They lie beside the program, tens of megabytes each, and the program knows their digests. Each is loaded when it is needed first:
//! mapped from the file that was compiled ahead of time, or, if that is not the one that this program knows, compiled from its Wasm in
//! a child process. A rendering gets a fresh instance, which is dropped with it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use sluice_model::rendering::{Complaint, Document, File, Input, Need, Outcome, Part, Rendering, Supply};
use sluice_plugin_aot::{Allocation, AotError, Compiler, Limits, RuntimeClass, engine, load_file};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use self::wit::exports::sluice::render::renderer as guest;
use crate::codes::PluginError;
use crate::digest::digest;
use crate::run::{Slots, TICK, meaning};
use crate::state::{MemoryLimit, one_line};

mod wit {
    wasmtime::component::bindgen!({
        path: "../../wit/render/0.1.0",
        world: "render-files",
    });
}

/// A renderer of this build.
struct Known {
    name: &'static str,
    /// One line: what it renders.
    summary: &'static str,
    /// `sha256:…` of its Wasm.
    digest: &'static str,
    /// BLAKE3 digest of what was compiled of it.
    compiled: [u8; 32],
}

// `const RENDERERS: &[Known]`, written by build.rs.
include!(concat!(env!("OUT_DIR"), "/renderers.rs"));

/// The world that renderers are of.
const WORLD: &str = "render-files";
const LIMITS: Limits = RuntimeClass::Renderer.limits();
/// How long a rendering waits for its turn: others may take as long as they may.
const TURN: Duration = Duration::from_secs(300);

/// What is known of a renderer without asking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RendererInfo {
    /// Its name.
    pub name: &'static str,
    /// Its world.
    pub world: &'static str,
    /// `sha256:…` of its Wasm.
    pub digest: &'static str,
    /// The interfaces that it imports: none.
    pub imports: [&'static str; 0],
    /// True if its file was found.
    pub is_there: bool,
    /// One line: what it renders.
    pub summary: &'static str,
}

/// The renderers there are. Cheap to clone; usable from any thread; calls block.
#[derive(Clone)]
pub struct Renderers(Arc<Inner>);

struct Inner {
    folders: Vec<PathBuf>,
    compiler: Compiler,
    runtime: OnceLock<Result<Runtime, PluginError>>,
    /// Beside [`RENDERERS`].
    loaded: Vec<OnceLock<Result<wit::RenderFilesPre<MemoryLimit>, PluginError>>>,
}

struct Runtime {
    engine: Engine,
    slots: Arc<Slots>,
}

impl Renderers {
    /// Those in a folder, or, without one, those that lie beside this program: in `renderers`, or where the build leaves them.
    pub fn new(folder: Option<PathBuf>, compiler: Compiler) -> Self {
        let folders = match folder {
            Some(folder) => vec![folder],
            None => beside_the_program(),
        };
        Self(Arc::new(Inner {
            folders,
            compiler,
            runtime: OnceLock::new(),
            loaded: RENDERERS.iter().map(|_| OnceLock::new()).collect(),
        }))
    }

    /// `sha256:…` of a renderer; none if this build has no such renderer. Costs no loading.
    pub fn digest(name: &str) -> Option<&'static str> {
        RENDERERS
            .iter()
            .find(|known| known.name == name)
            .map(|known| known.digest)
    }

    /// Every renderer of this build. Costs no loading.
    pub fn list(&self) -> Vec<RendererInfo> {
        let is_there = |known: &Known| {
            let mut extensions = ["cwasm", "wasm"].into_iter();
            extensions.any(|extension| self.find(known, extension).is_some())
        };
        let info = |known: &Known| RendererInfo {
            name: known.name,
            world: WORLD,
            digest: known.digest,
            imports: [],
            is_there: is_there(known),
            summary: known.summary,
        };
        RENDERERS.iter().map(info).collect()
    }

    /// Asks a renderer once, in an instance of its own.
    ///
    /// # Errors
    /// If there is no such renderer, or it crashed, took too long or too much memory. What is wrong with the input is an answer.
    pub fn render(&self, name: &str, input: &Input) -> Result<Outcome, PluginError> {
        const EXPORT: &str = "render";
        let index = RENDERERS.iter().position(|known| known.name == name);
        let index = index.ok_or(PluginError::NotFound { kind: "renderer" })?;
        let runtime = self.runtime()?;
        let _slot = runtime.slots.take()?;
        let pre = self.loaded(index, runtime)?;
        let mut store = Store::new(&runtime.engine, MemoryLimit::new(&LIMITS));
        store.limiter(|limit| limit);
        store.set_max_component_handles(LIMITS.handles);
        store.set_hostcall_fuel(LIMITS.output_bytes);
        let ticks = LIMITS.call.as_millis() / TICK.as_millis() + 1;
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        let given = given(input);
        let answer = pre.instantiate(&mut store).and_then(|instance| {
            let renderer = instance.sluice_render_renderer();
            renderer.call_render(&mut store, &given)
        });
        match answer {
            Ok(outcome) => Ok(taken(outcome)),
            Err(error) => Err(meaning(
                store.data().exceeded,
                &LIMITS,
                EXPORT,
                LIMITS.call,
                &error,
            )),
        }
    }

    fn runtime(&self) -> Result<&Runtime, PluginError> {
        let made = self.0.runtime.get_or_init(|| {
            let failed = |error: wasmtime::Error| PluginError::Instantiate {
                reason: format!("{error:#}"),
            };
            let engine = engine(RuntimeClass::Renderer, Allocation::OnDemand).map_err(failed)?;
            let processors = std::thread::available_parallelism().map_or(2, usize::from);
            let slots = Slots::of(&engine, u32::try_from(processors).unwrap_or(2), TURN);
            Ok(Runtime { engine, slots })
        });
        made.as_ref().map_err(PluginError::again)
    }

    fn loaded(
        &self,
        index: usize,
        runtime: &Runtime,
    ) -> Result<&wit::RenderFilesPre<MemoryLimit>, PluginError> {
        let missing = || PluginError::NotFound { kind: "renderer" };
        let known = RENDERERS.get(index).ok_or_else(missing)?;
        let place = self.0.loaded.get(index).ok_or_else(missing)?;
        let loaded = place.get_or_init(|| {
            let component = self.component(known, &runtime.engine)?;
            let mismatch = |error: wasmtime::Error| PluginError::WorldMismatch {
                reason: one_line(&format!("{error:#}")),
            };
            let pre = Linker::new(&runtime.engine)
                .instantiate_pre(&component)
                .map_err(mismatch)?;
            wit::RenderFilesPre::new(pre).map_err(mismatch)
        });
        loaded.as_ref().map_err(PluginError::again)
    }

    fn find(&self, known: &Known, extension: &str) -> Option<PathBuf> {
        let file = format!("{}.{extension}", known.name);
        let mut places = self.0.folders.iter().map(|folder| folder.join(&file));
        places.find(|path| path.is_file())
    }

    /// From the file that was compiled ahead of time, or else from its Wasm.
    fn component(&self, known: &'static Known, engine: &Engine) -> Result<Component, PluginError> {
        if let Some(path) = self.find(known, "cwasm") {
            match load_file(engine, &path, &known.compiled) {
                Ok(component) => return Ok(component),
                Err(error) => tracing::warn!(
                    renderer = known.name,
                    "{} is not used, it is compiled anew: {error}",
                    path.display()
                ),
            }
        }
        let path = self
            .find(known, "wasm")
            .ok_or_else(|| PluginError::Read(self.nowhere(known)))?;
        let wasm = fs_err::read(&path).map_err(PluginError::Read)?;
        let found = digest(&wasm);
        if found != known.digest {
            let pinned = known.digest.to_owned();
            return Err(PluginError::Digest { pinned, found });
        }
        let compiled = self.0.compiler.compile(RuntimeClass::Renderer, engine, &wasm);
        compiled.map_err(|error: AotError| PluginError::Compile {
            reason: one_line(&error.to_string()),
        })
    }

    fn nowhere(&self, known: &Known) -> std::io::Error {
        let folders = self.0.folders.iter().map(|folder| folder.display().to_string());
        let folders: Vec<String> = folders.collect();
        let message = format!("`{}.wasm` is in none of {}", known.name, folders.join(", "));
        std::io::Error::new(std::io::ErrorKind::NotFound, message)
    }
}

/// Where an installation has them, and where a build leaves them.
fn beside_the_program() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(fs_err::canonicalize);
    let Ok(program) = program else {
        return Vec::new();
    };
    let above = |levels: usize| program.ancestors().nth(levels).map(Path::to_owned);
    let places = [
        (1, "renderers"),
        (2, "share/sluice/renderers"),
        (2, "plugins/renderers"),
        (3, "plugins/renderers"),
    ];
    let places = places
        .into_iter()
        .filter_map(|(levels, below)| Some(above(levels)?.join(below)));
    places.collect()
}

fn given(input: &Input) -> guest::Input {
    let file = |file: &File| guest::File {
        path: file.path.clone(),
        content: file.content.to_vec(),
    };
    let supply = |supply: &Supply| guest::Supply {
        need: match &supply.need {
            Need::Path(path) => guest::Need::Path(path.clone()),
            Need::Remote(address) => guest::Need::Remote(address.clone()),
            Need::Chart(chart) => guest::Need::Chart(chart.clone()),
            Need::Inflation(inflation) => guest::Need::Inflation(inflation.clone()),
        },
        path: supply.path.clone(),
        files: supply.files.iter().map(file).collect(),
    };
    guest::Input {
        path: input.path.clone(),
        files: input.files.iter().map(file).collect(),
        settings: input.settings.clone(),
        context: input.context.clone(),
        supplied: input.supplied.iter().map(supply).collect(),
    }
}

fn taken(outcome: guest::Outcome) -> Outcome {
    let complaint = |problem: guest::Problem| Complaint {
        code: one_line(&problem.code),
        message: problem.message,
        file: problem.file,
        line: problem.line,
        hint: problem.hint,
        trace: problem.trace,
    };
    match outcome {
        guest::Outcome::Rendered(rendering) => {
            let document = |document: guest::Document| Document {
                text: document.text,
                source: document.source,
                part: match document.part {
                    guest::Part::Manifest => Part::Manifest,
                    guest::Part::Crd => Part::Crd,
                    guest::Part::Hook => Part::Hook,
                    guest::Part::Test => Part::Test,
                },
            };
            Outcome::Rendered(Rendering {
                documents: rendering.documents.into_iter().map(document).collect(),
                notes: rendering.notes,
                read: rendering.read,
                random: rendering.random,
                warnings: rendering.warnings.into_iter().map(complaint).collect(),
            })
        }
        guest::Outcome::Needs(needs) => {
            let need = |need: guest::Need| match need {
                guest::Need::Path(path) => Need::Path(path),
                guest::Need::Remote(address) => Need::Remote(address),
                guest::Need::Chart(chart) => Need::Chart(chart),
                guest::Need::Inflation(inflation) => Need::Inflation(inflation),
            };
            Outcome::Needs(needs.into_iter().map(need).collect())
        }
        guest::Outcome::Refused(problems) => Outcome::Refused(problems.into_iter().map(complaint).collect()),
    }
}
