//! Compiling what is not trusted.
//!
//! A compiler is an attack surface of its own: a module of some hundred kilobytes can be made to cost it hours and all memory
//! there is (as many loops as locals, and all of them alive), and the tools that wrap core modules may panic or run out of
//! stack. [`Compiler::Child`] therefore does all of it in a child process of this very program, with a limit on memory and
//! processor time that the system holds: whatever happens to the child is an error here, and the machine's other programs go
//! on.
//!
//! The child's answer is native code that is run as it is. What is trusted there is no more than what is trusted in process:
//! our own compiler. The child is `/proc/self/exe`, the program that runs, even where its file was replaced meanwhile; no other
//! holds an end of the pipe; and what comes through it is checked like any image.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache::Cache;
use crate::engine::{Optimisation, compiling_engine};
use crate::image::{self, AotError};
use crate::{Allocation, ComponentiseError, Limits, RuntimeClass, componentise};

/// The first argument of a program that is to be the child: a program that uses [`Compiler::Child`] calls [`serve`] for it.
pub const CHILD_ARGUMENT: &str = "compile-plugin";
/// Another argument of the child.
const QUICK: &str = "quick";
/// Threads of the child: each has its stack and its arena, out of the same address space.
const THREADS: &str = "2";
/// What is read of the child's answer: 18 MB of Python become 35, or half as much again if compiled quickly.
const IMAGE_BYTES: u64 = 256 << 20;
/// What is read of its words.
const WORDS_BYTES: u64 = 4 << 10;
/// How the child ends where a module cannot be wrapped; any other failure is one of compiling.
const NOT_WRAPPED: u8 = 3;

/// From this size on compiling takes more than a second, and a plugin is compiled quickly first.
const LONG_BYTES: usize = 1 << 20;

/// Where strangers' plugins are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, on a thread: bounded in time only, and the thread goes on after the wait is over. For tests.
    Here,
    /// In a child process of this program, bounded in time and memory.
    Child(Workplace),
}

/// How the child process is used.
#[derive(Debug, Clone, Default)]
pub struct Workplace {
    /// A folder of its own for what was compiled, so that it need not be compiled again. Made if it is not there; only this user may
    /// have access to it.
    pub cache: Option<PathBuf>,
    /// For a program that goes on: a plugin that takes long to compile is compiled quickly first, and serves so until it is compiled
    /// well.
    pub is_quick_first: bool,
}

/// A plugin that was compiled.
pub struct Compiled {
    /// What instances are made of.
    pub component: Component,
    /// Whether there is nothing better to come.
    pub optimisation: Optimisation,
}

impl Compiled {
    /// One to which nothing better comes.
    pub fn fully(component: Component) -> Self {
        Self {
            component,
            optimisation: Optimisation::Full,
        }
    }
}

impl Compiler {
    /// Wraps and compiles a plugin for the engine of its class. Safe for any bytes.
    pub fn compile(&self, class: RuntimeClass, engine: &Engine, wasm: &[u8]) -> Result<Component, AotError> {
        let Self::Child(workplace) = self else {
            return here(class, engine, wasm);
        };
        let cache = workplace.open();
        if let Some(component) = cache.as_ref().and_then(|cache| cache.load(class, engine, wasm)) {
            return Ok(component);
        }
        let image = child(class, Optimisation::Full, wasm)?;
        let component = image::load_compiled(engine, engine, &image)?;
        if let Some(cache) = cache
            && let Err(error) = cache.keep(class, engine, wasm, &image)
        {
            tracing::warn!("what was compiled of a plugin is not kept: {error}");
        }
        Ok(component)
    }

    /// As [`Compiler::compile`], for a plugin that is waited for: it may be compiled quickly, and is to be compiled again then.
    pub fn compile_first(
        &self,
        class: RuntimeClass,
        engine: &Engine,
        wasm: &[u8],
    ) -> Result<Compiled, AotError> {
        match self {
            Self::Child(workplace) if workplace.is_quick_first && wasm.len() >= LONG_BYTES => {
                let cache = workplace.open();
                if let Some(component) = cache.and_then(|cache| cache.load(class, engine, wasm)) {
                    return Ok(Compiled::fully(component));
                }
                let image = child(class, Optimisation::Quick, wasm)?;
                let quick = compiling_engine(class, Allocation::OnDemand, Optimisation::Quick);
                let component = image::load_compiled(engine, &quick.map_err(AotError::Compile)?, &image)?;
                Ok(Compiled {
                    component,
                    optimisation: Optimisation::Quick,
                })
            }
            Self::Here | Self::Child(_) => self.compile(class, engine, wasm).map(Compiled::fully),
        }
    }
}

impl Workplace {
    /// The folder, if there is one that can be trusted.
    fn open(&self) -> Option<Cache> {
        let opened = Cache::open(self.cache.as_deref()?);
        let tell = |error: &std::io::Error| match error.kind() {
            // Not to be trusted, and somebody should know.
            std::io::ErrorKind::Other => tracing::warn!("compiled plugins are not kept: {error}"),
            _ => tracing::info!("compiled plugins are not kept: {error}"),
        };
        opened.inspect_err(tell).ok()
    }
}

/// What the child does: reads a plugin from stdin, writes its image to stdout. Words on stderr and another exit code where it
/// cannot. `arguments` are those after [`CHILD_ARGUMENT`].
#[expect(clippy::print_stderr, reason = "this is how the child talks to its parent")]
pub fn serve(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    let class = RuntimeClass::ALL.into_iter().find(|class| is_given(class.name()));
    let class = class.unwrap_or(RuntimeClass::Policy);
    let optimisation = match is_given(QUICK) {
        true => Optimisation::Quick,
        false => Optimisation::Full,
    };
    match image_of_stdin(class, optimisation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(AotError::Componentise(error)) => {
            eprintln!("{}", error.reason);
            ExitCode::from(NOT_WRAPPED)
        }
        Err(AotError::Compile(error)) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn image_of_stdin(class: RuntimeClass, optimisation: Optimisation) -> Result<(), AotError> {
    use rlimit::Resource;
    let limit = |resource: Resource, limit: u64| resource.set(limit, limit).map_err(AotError::Child);
    let Limits {
        compile_bytes,
        compile_time,
        ..
    } = class.limits();
    limit(Resource::AS, compile_bytes)?;
    limit(Resource::CPU, compile_time.as_secs())?;
    limit(Resource::CORE, 0)?;
    let mut wasm = Vec::new();
    std::io::stdin().read_to_end(&mut wasm).map_err(AotError::Child)?;
    let engine = compiling_engine(class, Allocation::OnDemand, optimisation).map_err(AotError::Compile)?;
    let component = componentise(&wasm).map_err(AotError::Componentise)?;
    let image = image::precompile(&engine, &component)?;
    std::io::stdout().write_all(&image).map_err(AotError::Child)
}

fn here(class: RuntimeClass, engine: &Engine, wasm: &[u8]) -> Result<Component, AotError> {
    let (send, receive) = mpsc::sync_channel(1);
    let (engine, wasm) = (engine.clone(), wasm.to_vec());
    let work = move || {
        let component = componentise(&wasm).map_err(AotError::Componentise);
        // If this fails, the caller waits no more.
        let _gone = send.send(component.and_then(|component| image::compile(&engine, &component)));
    };
    thread::Builder::new()
        .name("plugin-compiler".to_owned())
        .spawn(work)
        .map_err(AotError::Child)?;
    let time = class.limits().compile_wait;
    receive.recv_timeout(time).unwrap_or_else(|error| {
        Err(match error {
            mpsc::RecvTimeoutError::Timeout => too_long(time),
            mpsc::RecvTimeoutError::Disconnected => AotError::GaveUp {
                reason: "the compiler crashed on it".to_owned(),
            },
        })
    })
}

fn too_long(time: Duration) -> AotError {
    AotError::GaveUp {
        reason: format!("compiling took longer than {} s", time.as_secs()),
    }
}

/// The image that the child makes of a plugin.
fn child(class: RuntimeClass, optimisation: Optimisation, wasm: &[u8]) -> Result<Vec<u8>, AotError> {
    let limits = class.limits();
    let mut child = Command::new("/proc/self/exe")
        .arg(CHILD_ARGUMENT)
        .arg(class.name())
        .args((optimisation == Optimisation::Quick).then_some(QUICK))
        // Nothing of the environment is its business.
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS)
        .env("MALLOC_ARENA_MAX", THREADS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(AotError::Child)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (done, waited) = mpsc::channel();
    let answer = thread::scope(|scope| {
        scope.spawn(move || {
            // A child that does not read to the end says why in other ways.
            let _unread = stdin.map(|mut stdin| stdin.write_all(wasm));
        });
        let words = scope.spawn(move || {
            let mut words = String::new();
            let _unreadable = stderr.map(|stderr| stderr.take(WORDS_BYTES).read_to_string(&mut words));
            words
        });
        let image = scope.spawn(move || {
            let mut image = Vec::new();
            let read = stdout.map(|stdout| stdout.take(IMAGE_BYTES).read_to_end(&mut image));
            // Closed: the child is at its end.
            let _nobody = done.send(());
            read.transpose().map(|_| image)
        });
        let in_time = waited.recv_timeout(limits.compile_wait).is_ok();
        if !in_time {
            // Gone already where this fails; its pipes are closed then, and the threads above end.
            let _gone = child.kill();
        }
        let status = child.wait().map_err(AotError::Child)?;
        let words = words.join().unwrap_or_default();
        let image = image
            .join()
            .unwrap_or_else(|_| Ok(Vec::new()))
            .map_err(AotError::Child)?;
        if !in_time {
            return Err(too_long(limits.compile_wait));
        }
        Ok((status, words, image))
    });
    let (status, words, image) = answer?;
    let words = words.trim().to_owned();
    match status.code() {
        Some(0) => Ok(image),
        Some(code) if code == i32::from(NOT_WRAPPED) => {
            Err(AotError::Componentise(ComponentiseError { reason: words }))
        }
        Some(_) => Err(AotError::Compile(wasmtime::Error::msg(words))),
        // A signal: killed for its time, or aborted for want of memory or stack.
        None => Err(AotError::GaveUp {
            reason: format!(
                "compiling it takes more than {} s of processor time or {} MiB, or crashes the compiler",
                limits.compile_time.as_secs(),
                limits.compile_bytes >> 20
            ),
        }),
    }
}
