//! Runs a module until it has warmed up, and freezes it.

use wasmtime::{Caller, Engine, Instance, Linker, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::{BuildError, WARM, WASI};

/// What Go exports to be started.
const INITIALIZE: &str = "_initialize";

/// Returns the module as it is after [`WARM`], to be started without any of it being run again.
pub fn take(engine: &Engine, module: &[u8]) -> Result<Vec<u8>, BuildError> {
    run(engine, module).map_err(|error| BuildError::Snapshot(format!("{error:?}")))
}

fn run(engine: &Engine, module: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    // What is named here is no more exported afterwards: else it would be called when the component starts.
    wizer.init_func(INITIALIZE);
    let (context, instrumented) = wizer.instrument(module)?;
    let instrumented = Module::new(engine, &instrumented)?;
    let mut store = Store::new(engine, System::default());
    // Ends with this program.
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = linker(engine, &instrumented)?.instantiate(&mut store, &instrumented)?;
    for function in [INITIALIZE, WARM] {
        let called = instance
            .get_typed_func::<(), ()>(&mut store, function)?
            .call(&mut store, ());
        if let Err(error) = called {
            let printed = String::from_utf8_lossy(&store.data().printed);
            return Err(error.context(format!("`{function}` failed, and printed: {printed}")));
        }
    }
    futures::executor::block_on(wizer.snapshot(&context, &mut Frozen { store, instance }))
}

/// The operating system before the snapshot, as [`shim`](crate::shim) has it for afterwards, except that it keeps what is printed: that
/// says why a module does not start.
#[derive(Default)]
struct System {
    printed: Vec<u8>,
    ticks: u64,
    drawn: u8,
}

fn linker(engine: &Engine, module: &Module) -> wasmtime::Result<Linker<System>> {
    let mut linker = Linker::new(engine);
    // Go imports some functions more than once.
    linker.allow_shadowing(true);
    for import in module.imports() {
        let Some(kind) = import.ty().func().cloned() else {
            continue;
        };
        let name = import.name().to_owned();
        linker.func_new(
            WASI,
            import.name(),
            kind,
            move |mut caller, arguments, results| {
                let error = answer(&mut caller, &name, arguments)?;
                if let Some(result) = results.first_mut() {
                    *result = Val::I32(error);
                }
                Ok(())
            },
        )?;
    }
    Ok(linker)
}

/// Answers a call of WASI with an error number.
fn answer(caller: &mut Caller<'_, System>, name: &str, arguments: &[Val]) -> wasmtime::Result<i32> {
    const NO_DESCRIPTOR: i32 = 8;
    const NO_ENTRY: i32 = 44;
    let word = |place: usize| match arguments.get(place) {
        Some(Val::I32(word)) => Ok(word.cast_unsigned()),
        Some(_) | None => Err(wasmtime::Error::msg(format!(
            "`{name}` is called otherwise than WASI has it"
        ))),
    };
    match name {
        "args_sizes_get" => {
            put(caller, word(0)?, &1_u32.to_le_bytes())?;
            put(caller, word(1)?, &2_u32.to_le_bytes())?;
        }
        "args_get" => {
            put(caller, word(0)?, &word(1)?.to_le_bytes())?;
            put(caller, word(1)?, b"p\0")?;
        }
        "environ_sizes_get" => {
            put(caller, word(0)?, &[0; 4])?;
            put(caller, word(1)?, &[0; 4])?;
        }
        "environ_get" | "sched_yield" | "sluice_seed" => {}
        "clock_time_get" => {
            caller.data_mut().ticks += 1000;
            let ticks = caller.data().ticks + 1_000_000_000;
            put(caller, word(2)?, &ticks.to_le_bytes())?;
        }
        "random_get" => {
            // Nothing that is drawn here is ever used: each rendering is seeded first. Go only refuses zeros.
            for place in 0..word(1)? {
                caller.data_mut().drawn = caller.data().drawn.wrapping_add(1);
                let drawn = caller.data().drawn;
                put(caller, word(0)? + place, &[drawn])?;
            }
        }
        "fd_write" => {
            let mut written = 0;
            for part in 0..word(2)? {
                let place = word(1)? + 8 * part;
                let (start, length) = (get(caller, place)?, get(caller, place + 4)?);
                let mut text = vec![0; usize::try_from(length)?];
                memory(caller)?.read(&*caller, usize::try_from(start)?, &mut text)?;
                caller.data_mut().printed.extend(text);
                written += length;
            }
            put(caller, word(3)?, &written.to_le_bytes())?;
        }
        "poll_oneoff" => {
            caller.data_mut().ticks += 1_000_000_000;
            let (first, second) = (get(caller, word(0)?)?, get(caller, word(0)? + 4)?);
            put(caller, word(1)?, &[0; 32])?;
            put(caller, word(1)?, &first.to_le_bytes())?;
            put(caller, word(1)? + 4, &second.to_le_bytes())?;
            put(caller, word(3)?, &1_u32.to_le_bytes())?;
        }
        "proc_exit" => return Err(wasmtime::Error::msg("the module ended itself")),
        path if path.starts_with("path_") => return Ok(NO_ENTRY),
        _ => return Ok(NO_DESCRIPTOR),
    }
    Ok(0)
}

fn memory(caller: &mut Caller<'_, System>) -> wasmtime::Result<wasmtime::Memory> {
    let exported = caller
        .get_export("memory")
        .and_then(wasmtime::Extern::into_memory);
    exported.ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))
}

fn put(caller: &mut Caller<'_, System>, place: u32, bytes: &[u8]) -> wasmtime::Result<()> {
    memory(caller)?.write(caller, usize::try_from(place)?, bytes)?;
    Ok(())
}

fn get(caller: &mut Caller<'_, System>, place: u32) -> wasmtime::Result<u32> {
    let mut word = [0; 4];
    memory(caller)?.read(caller, usize::try_from(place)?, &mut word)?;
    Ok(u32::from_le_bytes(word))
}

/// A module that has warmed up, as wizer looks at it.
struct Frozen {
    store: Store<System>,
    instance: Instance,
}

#[expect(clippy::panic, reason = "asked only for what wizer has itself exported")]
impl InstanceState for Frozen {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            other => panic!("the global {name} is {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let Some(memory) = self.instance.get_memory(&mut self.store, name) else {
            panic!("there is no memory {name}");
        };
        contents(memory.data(&self.store));
    }
}
