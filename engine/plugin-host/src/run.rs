//! Running plugins: the shared engine, slots, the clock that stops them, and what an error means.

use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sluice_plugin_aot::{Allocation, Compiler, Limits, POOL_SLOTS, RuntimeClass};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap, WasmBacktrace};

use crate::bindings::{context, log, objects, setup};
use crate::codes::PluginError;
use crate::state::{State, one_line};
use crate::worlds::PluginKind;

/// How often the clock ticks; also how exact the limit is.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// How long a call waits for a slot.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// The runtime of a host, made when a plugin is loaded first.
pub(crate) struct LazyRuntime {
    compiler: Compiler,
    made: OnceLock<Result<Runtime, PluginError>>,
}

impl LazyRuntime {
    pub(crate) fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            made: OnceLock::new(),
        }
    }

    /// The runtime; an error where there can be none on this machine.
    pub(crate) fn get(&self) -> Result<&Runtime, PluginError> {
        let made = self.made.get_or_init(|| Runtime::new(self.compiler.clone()));
        made.as_ref().map_err(PluginError::again)
    }
}

/// One engine for all plugins of a host: they are all of the class of policies.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) compiler: Compiler,
    slots: Arc<Slots>,
}

impl Runtime {
    pub(crate) fn new(compiler: Compiler) -> Result<Self, PluginError> {
        Self::with_slots(compiler, POOL_SLOTS, SLOT_WAIT)
    }

    fn with_slots(compiler: Compiler, slots: u32, wait: Duration) -> Result<Self, PluginError> {
        let failed = |error: wasmtime::Error| PluginError::Instantiate {
            reason: format!("{error:#}"),
        };
        let engine = match sluice_plugin_aot::engine(RuntimeClass::Policy, Allocation::Pooled) {
            Ok(engine) => engine,
            Err(error) => {
                tracing::warn!("plugins start more slowly, address space is limited: {error:#}");
                sluice_plugin_aot::engine(RuntimeClass::Policy, Allocation::OnDemand).map_err(failed)?
            }
        };
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(failed)?;
        let slots = Slots::of(&engine, slots, wait);
        Ok(Self {
            engine,
            linker,
            compiler,
            slots,
        })
    }

    /// A fresh store for one instance, once there is room. Nothing may run in it before [`Slotted::allow`].
    pub(crate) fn store(&self, state: State) -> Result<Slotted, PluginError> {
        let slot = self.slots.take()?;
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        let handles = store.data().limits.handles;
        store.set_max_component_handles(handles);
        Ok(Slotted { store, _slot: slot })
    }
}

/// Gives a linker all that plugins may import: what all worlds have, and what each has of its own.
fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    objects::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    log::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    context::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    setup::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    PluginKind::ALL
        .into_iter()
        .try_for_each(|kind| kind.definition().link(linker))
}

/// A store and the slot it lives in.
pub(crate) struct Slotted {
    // Before the slot: the instance is gone when the slot is free.
    pub(crate) store: Store<State>,
    _slot: Slot,
}

impl Slotted {
    /// Sets the limits for the next call, which is handed so many objects. Returns its time limit.
    pub(crate) fn allow(&mut self, objects: usize) -> Duration {
        let count = u32::try_from(objects).unwrap_or(u32::MAX);
        let limits = self.store.data().limits;
        let time = limits.call + limits.call_per_object.saturating_mul(count);
        // One tick more: the first may be about to come.
        let ticks = time.as_millis() / TICK.as_millis() + 1;
        self.store
            .set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
        let output = objects
            .saturating_mul(limits.output_per_object)
            .saturating_add(limits.output_bytes);
        self.store.set_hostcall_fuel(output);
        self.store.data_mut().begin(Instant::now() + time + TICK, output);
        time
    }

    /// What an error of a call means.
    pub(crate) fn explain(
        &self,
        export: &'static str,
        time: Duration,
        error: &wasmtime::Error,
    ) -> PluginError {
        let state = self.store.data();
        meaning(state.memory.exceeded, &state.limits, export, time, error)
    }
}

/// What an error of a call means. `exceeded` tells that memory was refused.
pub(crate) fn meaning(
    exceeded: bool,
    limits: &Limits,
    export: &'static str,
    time: Duration,
    error: &wasmtime::Error,
) -> PluginError {
    if exceeded {
        return PluginError::Memory {
            export,
            mebibytes: limits.memory_bytes >> 20,
        };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        // Composed components take more than one memory and table of the pool.
        return PluginError::Capacity { seconds: 0 };
    }
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(frames)
        .unwrap_or_default();
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => PluginError::Timeout {
            export,
            milliseconds: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        },
        Some(trap) => PluginError::Trap {
            export,
            reason: one_line(&format!("{trap}{backtrace}")),
        },
        None => PluginError::BadOutput {
            export,
            reason: one_line(&format!("{}{backtrace}", error.root_cause())),
        },
    }
}

/// ` at a < b < c`: the innermost functions of a backtrace.
fn frames(backtrace: &WasmBacktrace) -> String {
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .take(6)
        .map(|frame| match frame.func_name() {
            Some(name) => rustc_demangled(name),
            None => format!("function {}", frame.func_index()),
        })
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(", at {}", names.join(" < ")),
    }
}

/// A mangled name without its hash is what an author knows; wasmtime demangles in its own text form only.
fn rustc_demangled(name: &str) -> String {
    let legible = name
        .rsplit_once("::h")
        .filter(|(_, hash)| hash.len() == 16)
        .map_or(name, |(path, _)| path);
    legible.chars().take(120).collect()
}

/// Counts the instances that live.
pub(crate) struct Slots {
    used: Mutex<u32>,
    total: u32,
    wait: Duration,
    changed: Condvar,
}

impl Slots {
    /// So many slots of an engine, and the clock that ticks while any is used. `wait` is how long one is waited for.
    pub(crate) fn of(engine: &Engine, total: u32, wait: Duration) -> Arc<Self> {
        let slots = Arc::new(Self {
            used: Mutex::new(0),
            total,
            wait,
            changed: Condvar::new(),
        });
        start_clock(engine, &slots);
        slots
    }

    pub(crate) fn take(self: &Arc<Self>) -> Result<Slot, PluginError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + self.wait;
        while *used >= self.total {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PluginError::Capacity {
                    seconds: self.wait.as_secs(),
                });
            }
            used = self
                .changed
                .wait_timeout(used, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *used += 1;
        if *used == 1 {
            // The clock sleeps while nothing runs.
            self.changed.notify_all();
        }
        Ok(Slot(Arc::clone(self)))
    }
}

/// A slot that is free again when it is dropped.
pub(crate) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.changed.notify_all();
    }
}

/// Ticks while an instance lives; a thread of its own, because nothing else is sure to run. Ends with the engine.
fn start_clock(engine: &Engine, slots: &Arc<Slots>) {
    let (weak_engine, weak_slots) = (engine.weak(), Arc::downgrade(slots));
    let clock = move || {
        while let (Some(engine), Some(slots)) = (weak_engine.upgrade(), weak_slots.upgrade()) {
            let used = slots.used.lock().unwrap_or_else(PoisonError::into_inner);
            if *used == 0 {
                // Wakes now and then, to see whether the engine is gone.
                let (used, _timeout) = slots
                    .changed
                    .wait_timeout(used, Duration::from_secs(5))
                    .unwrap_or_else(PoisonError::into_inner);
                drop(used);
                continue;
            }
            drop(used);
            engine.increment_epoch();
            drop((engine, slots));
            thread::sleep(TICK);
        }
    };
    if let Err(error) = thread::Builder::new()
        .name("plugin-clock".to_owned())
        .spawn(clock)
    {
        // Without a clock no deadline is ever reached; the process is out of threads and will fail elsewhere first.
        tracing::error!("plugins cannot be stopped, the clock did not start: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::Coded as _;

    fn state(plugin: &str) -> State {
        State::new(plugin, false, &RuntimeClass::Policy.limits(), Box::new(()))
    }

    #[test]
    fn a_slot_is_waited_for_and_free_again_when_its_instance_is_gone() {
        let runtime = Runtime::with_slots(Compiler::Here, 1, Duration::from_millis(50)).unwrap();
        let first = runtime.store(state("first")).unwrap();
        let refused = runtime.store(state("second")).err().unwrap();
        assert_eq!(refused.code().id, "P14");
        drop(first);
        assert!(runtime.store(state("third")).is_ok());
    }

    #[test]
    fn the_clock_ends_with_its_engine() {
        let runtime = Runtime::with_slots(Compiler::Here, 1, Duration::ZERO).unwrap();
        let slots = Arc::downgrade(&runtime.slots);
        drop(runtime.store(state("only")).unwrap());
        drop(runtime);
        let started = Instant::now();
        while slots.strong_count() > 0 {
            assert!(started.elapsed() < Duration::from_secs(20), "the clock goes on");
            thread::sleep(TICK);
        }
    }
}
