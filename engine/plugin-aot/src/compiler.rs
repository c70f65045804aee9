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

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::image::{self, AotError};
use crate::{Allocation, ComponentiseError, Limits, RuntimeClass, componentise, engine};

/// The first argument of a program that is to be the child: a program that uses [`Compiler::Child`] calls [`serve`] for it.
pub const CHILD_ARGUMENT: &str = "compile-plugin";
/// Threads of the child: each has its stack and its arena, out of the same address space.
const THREADS: &str = "2";
/// What is read of the child's answer: 8 MiB become some 40.
const IMAGE_BYTES: u64 = 256 << 20;
/// What is read of its words.
const WORDS_BYTES: u64 = 4 << 10;
/// How the child ends where a module cannot be wrapped; any other failure is one of compiling.
const NOT_WRAPPED: u8 = 3;

/// Where strangers' plugins are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, on a thread: bounded in time only, and the thread goes on after the wait is over. For tests.
    Here,
    /// In a child process of this program, bounded in time and memory.
    Child,
}

impl Compiler {
    /// Wraps and compiles a plugin for the engine of its class. Safe for any bytes.
    pub fn compile(self, class: RuntimeClass, engine: &Engine, wasm: &[u8]) -> Result<Component, AotError> {
        match self {
            Self::Here => here(class, engine, wasm),
            Self::Child => child(class, engine, wasm),
        }
    }
}

/// What the child does: reads a plugin from stdin, writes its image to stdout. Words on stderr and another exit code where it
/// cannot. `class` is its second argument.
#[expect(clippy::print_stderr, reason = "this is how the child talks to its parent")]
pub fn serve(class: &OsStr) -> ExitCode {
    let known = RuntimeClass::ALL.into_iter().find(|known| class == known.name());
    match image_of_stdin(known.unwrap_or(RuntimeClass::Policy)) {
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

fn image_of_stdin(class: RuntimeClass) -> Result<(), AotError> {
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
    let engine = engine(class, Allocation::OnDemand).map_err(AotError::Compile)?;
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
    let time = class.limits().compile_time;
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

fn child(class: RuntimeClass, engine: &Engine, wasm: &[u8]) -> Result<Component, AotError> {
    let limits = class.limits();
    let mut child = Command::new("/proc/self/exe")
        .arg(CHILD_ARGUMENT)
        .arg(class.name())
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
        let in_time = waited.recv_timeout(limits.compile_time).is_ok();
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
            return Err(too_long(limits.compile_time));
        }
        Ok((status, words, image))
    });
    let (status, words, image) = answer?;
    let words = words.trim().to_owned();
    match status.code() {
        Some(0) => image::load_piped(engine, &image),
        Some(code) if code == i32::from(NOT_WRAPPED) => {
            Err(AotError::Componentise(ComponentiseError { reason: words }))
        }
        Some(_) => Err(AotError::Compile(wasmtime::Error::msg(words))),
        // A signal: killed for its time, or aborted for want of memory or stack.
        None => Err(AotError::GaveUp {
            reason: format!(
                "compiling it takes more than {} s or {} MiB, or crashes the compiler",
                limits.compile_time.as_secs(),
                limits.compile_bytes >> 20
            ),
        }),
    }
}
