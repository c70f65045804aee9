//! Renderers: programs such as Helm that make manifests of files. They are components of WIT `sluice:render` that import nothing.
//!
//! The standard ones ([`Renderers`]) lie beside the program, tens of megabytes each, and the program knows their digests. Each is loaded
//! when it is needed first: mapped from the file that was compiled ahead of time, or, if that is not the one that this program knows,
//! compiled from its Wasm in a child process. Those of others ([`AddedRenderer`]) lie in the plugin directory. A rendering gets a fresh
//! instance, which is dropped with it.

mod added;
mod file;
mod instance;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sluice_model::rendering::{Input, Outcome};
use sluice_plugin_aot::{AotError, Compiler, RuntimeClass, load_file};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::codes::PluginError;
use crate::digest::digest;
use crate::info::{PluginOrigin, RendererInfo};
use crate::state::one_line;

pub use self::added::AddedRenderer;
pub(crate) use self::added::{News, Version, Workshop};
pub(crate) use self::file::is_renderer;
use self::instance::{Pre, Runtime};

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
pub(crate) const WORLD: &str = "render-files";

/// The standard renderers. Cheap to clone; usable from any thread; calls block.
#[derive(Clone)]
pub struct Renderers(Arc<Inner>);

struct Inner {
    folders: Vec<PathBuf>,
    compiler: Compiler,
    runtime: OnceLock<Result<Runtime, PluginError>>,
    /// Beside [`RENDERERS`].
    loaded: Vec<OnceLock<Result<Pre, PluginError>>>,
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
            name: known.name.to_owned(),
            world: WORLD,
            origin: PluginOrigin::Standard,
            digest: known.digest.to_owned(),
            imports: [],
            is_there: is_there(known),
            summary: known.summary.to_owned(),
            description: None,
            rejected: None,
        };
        RENDERERS.iter().map(info).collect()
    }

    /// Asks a renderer once, in an instance of its own.
    ///
    /// # Errors
    /// If there is no such renderer, or it crashed, took too long or too much memory. What is wrong with the input is an answer.
    pub fn render(&self, name: &str, input: &Input) -> Result<Outcome, PluginError> {
        let index = RENDERERS.iter().position(|known| known.name == name);
        let index = index.ok_or(PluginError::NotFound { kind: WORLD })?;
        let runtime = self.0.runtime.get_or_init(Runtime::new);
        let runtime = runtime.as_ref().map_err(PluginError::again)?;
        runtime.render(self.loaded(index, runtime)?, input)
    }

    fn loaded(&self, index: usize, runtime: &Runtime) -> Result<&Pre, PluginError> {
        let missing = || PluginError::NotFound { kind: WORLD };
        let known = RENDERERS.get(index).ok_or_else(missing)?;
        let place = self.0.loaded.get(index).ok_or_else(missing)?;
        let loaded = place.get_or_init(|| {
            let component = self.component(known, &runtime.engine)?;
            runtime.prepare(&component)
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
