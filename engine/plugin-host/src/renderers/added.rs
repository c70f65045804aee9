//! Renderers of others: files of the plugin directory that an Application chooses by name.
//!
//! Compiling one may take minutes. It begins when a rendering needs it first, on a thread of its own and in the compiler's child process,
//! one after the other; whoever asks meanwhile is told so at once ([`PluginError::Compiling`]) and asks again. So no rendering by another
//! renderer waits for it. They run in an engine of their own, and take no turns of the standard ones.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
use sluice_model::rendering::{Complaint, Input, Outcome, Rendering};
use sluice_model::{Coded as _, ErrorCode};
use sluice_plugin_aot::{AotError, Compiler, RuntimeClass};

use super::instance::{LIMITS, Pre, Runtime};
use super::{WORLD, file};
use crate::change::RejectedFile;
use crate::codes::{self, PluginError};
use crate::digest::digest;
use crate::info::{PluginOrigin, RendererInfo};
use crate::load::{start_error, uncompiled};
use crate::sources::files::read_some;
use crate::state::{lines, one_line};

/// So many problems and warnings of one rendering are told.
const COMPLAINTS: usize = 100;
/// So many calls of one problem are told.
const CALLS: usize = 20;

/// One version of a renderer of others, held on to: whatever becomes of its file, all that is asked of it here is asked of this version.
#[derive(Clone)]
pub struct AddedRenderer(pub(crate) Arc<Version>);

impl AddedRenderer {
    /// `sha256:…` of its file.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// True if it was asked for and is being compiled, or waits for that.
    pub fn is_compiling(&self) -> bool {
        matches!(*self.0.state(), State::Compiling { .. })
    }

    /// Asks it once, in an instance of its own. If it is not compiled yet, that begins now.
    ///
    /// # Errors
    /// [`PluginError::Compiling`] until it is compiled; otherwise that it does not compile or start, crashed, or took too long or too much
    /// memory. What is wrong with the input is an answer.
    pub fn render(&self, input: &Input) -> Result<Outcome, PluginError> {
        let loaded = self.0.ready()?;
        let runtime = self.0.workshop.runtime()?;
        runtime.render(&loaded.pre, input).map(bounded)
    }
}

/// What renderers of others are compiled with and run in.
pub(crate) struct Workshop {
    compiler: Compiler,
    runtime: OnceLock<Result<Runtime, PluginError>>,
    /// Held by the one compilation that runs: each may take gigabytes.
    compiling: Mutex<()>,
}

impl Workshop {
    pub(crate) fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            runtime: OnceLock::new(),
            compiling: Mutex::default(),
        }
    }

    fn runtime(&self) -> Result<&Runtime, PluginError> {
        let made = self.runtime.get_or_init(Runtime::new);
        made.as_ref().map_err(PluginError::again)
    }
}

/// A file that passed all checks that need no compiler.
pub(crate) struct Version {
    pub(crate) name: String,
    /// `sha256:…` of the file.
    pub(crate) digest: String,
    path: PathBuf,
    workshop: Arc<Workshop>,
    state: Mutex<State>,
}

enum State {
    /// Nothing asked for it yet.
    New,
    /// `is_awaited`: somebody was told to ask again.
    Compiling { is_awaited: bool },
    /// `is_awaited`: somebody was told to ask again, and does not know yet that it is time.
    Ready { loaded: Arc<Loaded>, is_awaited: bool },
    /// It is of no use, and stays so.
    Failed(Failed),
}

struct Loaded {
    pre: Pre,
    /// What it says of itself.
    description: Value,
}

/// Why a version is of no use.
#[derive(Clone)]
struct Failed {
    code: &'static ErrorCode,
    message: String,
}

/// What became of a version since it was looked at last.
pub(crate) enum News {
    /// It is compiled, and somebody waits for it.
    Ready,
    /// It is of no use.
    Failed(PluginError),
}

impl Version {
    /// Makes every check on a file's bytes that needs no compiler.
    pub(crate) fn of(
        workshop: &Arc<Workshop>,
        name: &str,
        path: PathBuf,
        wasm: &[u8],
    ) -> Result<Arc<Self>, PluginError> {
        file::check(wasm)?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            digest: digest(wasm),
            path,
            workshop: Arc::clone(workshop),
            state: Mutex::new(State::New),
        }))
    }

    /// Begins to compile it, for somebody who does not ask again: [`Version::take_news`] tells how that ended.
    pub(crate) fn start_awaited(self: &Arc<Self>) {
        self.start();
        if let State::Compiling { is_awaited } | State::Ready { is_awaited, .. } = &mut *self.state() {
            *is_awaited = true;
        }
    }

    /// Begins to compile it, unless that was begun.
    fn start(self: &Arc<Self>) {
        let mut state = self.state();
        if !matches!(*state, State::New) {
            return;
        }
        *state = State::Compiling { is_awaited: false };
        drop(state);
        let version = Arc::clone(self);
        let compiles = std::thread::Builder::new().name("renderer-compiler".to_owned());
        if let Err(error) = compiles.spawn(move || version.compile()) {
            tracing::warn!(renderer = self.name, "no thread to compile it on: {error}");
            *self.state() = State::New;
        }
    }

    /// True once it was compiled.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(*self.state(), State::Ready { .. })
    }

    /// True if [`Version::take_news`] has something to tell.
    pub(crate) fn has_news(&self) -> bool {
        matches!(
            *self.state(),
            State::Ready { is_awaited: true, .. } | State::Failed(_)
        )
    }

    /// What became of it, told once; that it is of no use is told again and again.
    pub(crate) fn take_news(&self) -> Option<News> {
        match &mut *self.state() {
            State::New
            | State::Compiling { .. }
            | State::Ready {
                is_awaited: false, ..
            } => None,
            State::Ready { is_awaited, .. } => {
                *is_awaited = false;
                Some(News::Ready)
            }
            State::Failed(failed) => Some(News::Failed(failed.error())),
        }
    }

    /// Waits until it is compiled; returns what it says of itself.
    pub(crate) fn inspect(&self) -> Result<RendererInfo, PluginError> {
        self.load()?;
        Ok(self.info(None))
    }

    /// What is known of it.
    pub(crate) fn info(&self, rejected: Option<RejectedFile>) -> RendererInfo {
        let description = match &*self.state() {
            State::Ready { loaded, .. } => Some(loaded.description.clone()),
            State::New | State::Compiling { .. } | State::Failed(_) => None,
        };
        RendererInfo {
            name: self.name.clone(),
            world: WORLD,
            origin: PluginOrigin::File(self.path.clone()),
            digest: self.digest.clone(),
            imports: [],
            is_there: true,
            summary: "sources that choose it by `plugin.name`".to_owned(),
            description,
            rejected,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What instances are made of. Does not wait.
    fn ready(self: &Arc<Self>) -> Result<Arc<Loaded>, PluginError> {
        self.start();
        match &mut *self.state() {
            State::Ready { loaded, .. } => Ok(Arc::clone(loaded)),
            State::Failed(failed) => Err(failed.error()),
            State::Compiling { is_awaited } => {
                *is_awaited = true;
                Err(PluginError::Compiling)
            }
            State::New => Err(PluginError::Compiling),
        }
    }

    fn compile(&self) {
        let _turn = self.workshop.compiling.lock();
        let _ended = Ended(self);
        match self.load() {
            Ok(()) => tracing::info!(
                renderer = self.name,
                digest = self.digest,
                "the renderer is compiled"
            ),
            Err(error) => {
                tracing::warn!(renderer = self.name, "{}: {}", error.code().id, error.message());
            }
        }
    }

    /// Compiles it and has it describe itself.
    fn load(&self) -> Result<(), PluginError> {
        let loaded = self.loaded();
        let mut state = self.state();
        let was_awaited = matches!(*state, State::Compiling { is_awaited: true });
        let (next, result) = match loaded {
            Ok(loaded) => {
                let ready = State::Ready {
                    loaded: Arc::new(loaded),
                    is_awaited: was_awaited,
                };
                (ready, Ok(()))
            }
            // What is wrong with the machine may pass.
            Err(error @ (PluginError::Read(_) | PluginError::Capacity { .. })) => (State::New, Err(error)),
            Err(error) => {
                let failed = Failed {
                    code: error.code(),
                    message: error.message(),
                };
                (State::Failed(failed), Err(error))
            }
        };
        *state = next;
        result
    }

    fn loaded(&self) -> Result<Loaded, PluginError> {
        let runtime = self.workshop.runtime()?;
        let wasm = read_some(&self.path, LIMITS.file_bytes)?;
        if digest(&wasm) != self.digest {
            // The next look at the folder finds the new one.
            let changed = std::io::Error::other("it was replaced a moment ago");
            return Err(PluginError::Read(changed));
        }
        let compiler = &self.workshop.compiler;
        let compiled = compiler.compile(RuntimeClass::Renderer, &runtime.engine, &wasm);
        let component = compiled.map_err(|error| match error {
            AotError::Child(error) => PluginError::Read(error),
            other => uncompiled(other),
        })?;
        let pre = runtime.prepare(&component)?;
        let text = runtime.describe(&pre).map_err(start_error)?;
        let description = description(&text)?;
        Ok(Loaded { pre, description })
    }
}

/// Sees to it that a thread that ends leaves no version that is being compiled: a panic is as good as a failure.
struct Ended<'a>(&'a Version);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if matches!(*state, State::Compiling { .. }) {
            *state = State::Failed(Failed {
                code: &codes::P04,
                message: "the engine failed while it was compiled".to_owned(),
            });
        }
    }
}

impl Failed {
    fn error(&self) -> PluginError {
        PluginError::Repeated {
            code: self.code,
            message: self.message.clone(),
        }
    }
}

/// Reads what a renderer says of itself: an object with at least a name.
fn description(text: &str) -> Result<Value, PluginError> {
    let bad = |reason: &str| PluginError::BadOutput {
        export: "describe",
        reason: reason.to_owned(),
    };
    let description: Value = serde_json::from_str(text).map_err(|error| bad(&error.to_string()))?;
    match description.get("name").is_some_and(Value::is_string) {
        true => Ok(description),
        false => Err(bad("it is no JSON object with a `name`")),
    }
}

/// An answer as it may stand in a status or a terminal, whoever wrote the renderer.
fn bounded(outcome: Outcome) -> Outcome {
    let complaints = |complaints: Vec<Complaint>| {
        let bounded = complaints
            .into_iter()
            .take(COMPLAINTS)
            .map(|complaint| Complaint {
                code: complaint.code,
                message: lines(&complaint.message),
                file: complaint.file.map(|file| one_line(&file)),
                line: complaint.line,
                hint: complaint.hint.map(|hint| one_line(&hint)),
                trace: complaint
                    .trace
                    .iter()
                    .take(CALLS)
                    .map(|call| one_line(call))
                    .collect(),
            });
        bounded.collect()
    };
    match outcome {
        Outcome::Rendered(rendering) => {
            let mut documents = rendering.documents;
            for document in &mut documents {
                document.source = one_line(&document.source);
            }
            Outcome::Rendered(Rendering {
                documents,
                notes: rendering.notes,
                read: rendering.read,
                random: rendering
                    .random
                    .iter()
                    .take(COMPLAINTS)
                    .map(|name| one_line(name))
                    .collect(),
                warnings: complaints(rendering.warnings),
                charts: Vec::new(),
            })
        }
        Outcome::Refused(problems) => Outcome::Refused(complaints(problems)),
        needs @ Outcome::Needs(_) => needs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_an_object_with_a_name() {
        assert!(description(r#"{"name": "a", "version": "1"}"#).is_ok());
        for text in ["", "[]", "{}", r#"{"name": 1}"#, "\"a\""] {
            let error = description(text).err().map(|error| error.code().id);
            assert_eq!(error, Some("P12"), "{text}");
        }
    }

    #[test]
    fn what_a_renderer_complains_of_is_bounded() {
        let complaint = Complaint {
            code: "code".to_owned(),
            message: format!("a\u{1b}[31m\n{}", "b".repeat(5_000)),
            file: Some("a\nb".to_owned()),
            line: Some(3),
            hint: Some("c\u{7}".to_owned()),
            trace: vec!["d".to_owned(); 50],
        };
        let Outcome::Refused(told) = bounded(Outcome::Refused(vec![complaint; 1_000])) else {
            panic!("it was refused");
        };
        assert_eq!(told.len(), COMPLAINTS);
        let first = &told[0];
        assert!(first.message.starts_with("a[31m\nb") && first.message.len() < 1_100);
        assert_eq!((first.file.as_deref(), first.line), (Some("a b"), Some(3)));
        assert_eq!((first.hint.as_deref(), first.trace.len()), (Some("c"), CALLS));
    }
}
