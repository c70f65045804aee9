//! The engine of a runtime class: one configuration, for compiling and for running.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm,
};

use crate::{Limits, RuntimeClass};

/// How many instances may live at once. A batch takes one for some microseconds to milliseconds, and callers have no more
/// threads than cores; 64 leaves room for batches that use several plugins.
pub const POOL_SLOTS: u32 = 64;
/// Core instances of one component.
const CORE_INSTANCES: u32 = 64;
/// Of the slots, how many keep memory while nothing runs in them.
const WARM_SLOTS: u32 = 8;

/// Where instances get their memory from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// From slots reserved once: a fresh instance costs microseconds. Reserves address space (some 260 GiB), not memory.
    Pooled,
    /// From the system, each time: for where address space is limited (`ulimit -v`).
    OnDemand,
}

/// How much work goes into compiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optimisation {
    /// In less than half the time; what comes out takes about twice as long for a call, and half as much memory again.
    Quick,
    /// As everything is compiled that serves for long.
    Full,
}

/// Makes an engine for the plugins of a class. It runs what was compiled by [`Optimisation::Quick`] as well.
pub fn engine(class: RuntimeClass, allocation: Allocation) -> wasmtime::Result<Engine> {
    compiling_engine(class, allocation, Optimisation::Full)
}

/// Makes an engine that compiles so.
pub(crate) fn compiling_engine(
    class: RuntimeClass,
    allocation: Allocation,
    optimisation: Optimisation,
) -> wasmtime::Result<Engine> {
    let limits = class.limits();
    let mut config = Config::new();

    // A policy must be stoppable wherever it is. Epochs cost some 10 %, fuel would cost 100 %.
    config.epoch_interruption(true);
    // Calls are synchronous on blocking threads; without this each call sets up tasks that are not used.
    config.concurrency_support(false);
    config.max_wasm_stack(limits.stack_bytes);
    // Where a trap happened, in the plugin's terms; never its source, which would have to be parsed from the plugin.
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);

    // The same bytes in must give the same bytes out on every machine.
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    // What no policy needs is no attack surface. (Threads, GC, exceptions and stack switching are not even compiled in.)
    config.wasm_memory64(false);
    // Adapters between the parts of a composed component copy from one memory to another. An instance's memories count together.
    config.wasm_multi_memory(true);
    config.wasm_tail_call(false);
    config.wasm_wide_arithmetic(false);
    config.wasm_custom_page_sizes(false);

    // What a call means is the same either way, so wasmtime loads both into one engine.
    match optimisation {
        Optimisation::Full => config.cranelift_opt_level(OptLevel::Speed),
        Optimisation::Quick => config
            .cranelift_opt_level(OptLevel::None)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass),
    };
    // Initial memory is mapped, not copied.
    config.memory_init_cow(true);

    if allocation == Allocation::Pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(&limits)));
    }
    Engine::new(&config)
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_SLOTS);
    // A wrapped core module is three core instances (itself, its shim and its fix-up) with one memory and two tables;
    // those that were composed of several have more, and one of Python has 38. They cost nothing until there are any.
    pool.max_core_instances_per_component(CORE_INSTANCES);
    pool.total_core_instances(POOL_SLOTS * CORE_INSTANCES);
    pool.max_memories_per_component(4);
    pool.max_memories_per_module(4);
    pool.total_memories(POOL_SLOTS);
    pool.max_memory_size(limits.memory_bytes);
    pool.max_tables_per_component(8);
    pool.total_tables(POOL_SLOTS * 4);
    pool.table_elements(limits.table_elements);
    // Up to this much of a used memory is cleared by writing zeros rather than by giving pages back and faulting them in again:
    // a policy touches few pages, and page faults are most of what a fresh instance costs.
    pool.linear_memory_keep_resident(256 << 10);
    // Each keeps what it used: as many as policies run at once on a small machine, not one for every policy on every thread.
    pool.max_unused_warm_slots(WARM_SLOTS);
    pool.table_keep_resident(16 << 10);
    // Resetting by pagemap may miss pages that were swapped out (wasmtime issue 14357): data of one instance in the next.
    pool.pagemap_scan(Enabled::No);
    pool
}
