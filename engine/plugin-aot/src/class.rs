//! Runtime classes: how much a plugin may take, by what it is for.
//!
//! A world names its class, and so a plugin's limits follow from the question that it answers. The engine holds the limits on
//! code and stack ([`engine`](crate::engine)), the host those on memory, time, answers and log.

use std::time::Duration;

/// What plugins of a world are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeClass {
    /// A judgement of some microseconds about objects that the host holds: health, pruning, how objects are applied. Whatever the
    /// language, a batch of an application asks for it again and again.
    Policy,
    /// A short program that a person starts, with an interpreter of its own, such as an action on one object. No world is of this
    /// class yet.
    Script,
    /// A tool that makes manifests of the files of a repository, such as Helm or Kustomize.
    Renderer,
}

/// The most that one plugin of a class may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest file. Compiling takes some 20 to 40 times the size in memory.
    pub file_bytes: usize,
    /// Memory of one instance, all of its linear memories together.
    pub memory_bytes: usize,
    /// Entries of all tables of one instance, which hold its function references.
    pub table_elements: usize,
    /// Native stack that Wasm may use.
    pub stack_bytes: usize,
    /// Time for one call.
    pub call: Duration,
    /// More time for each object of a call that is handed many.
    pub call_per_object: Duration,
    /// What a plugin may hand over in one call.
    pub output_bytes: usize,
    /// More of it for each object of a call that is handed many.
    pub output_per_object: usize,
    /// Handles that an instance holds at once.
    pub handles: usize,
    /// Lines of log of one instance.
    pub log_lines: u32,
    /// Bytes of log of one instance.
    pub log_bytes: usize,
    /// Where instances get their memory from.
    pub is_pooled: bool,
    /// Processor time for compiling it.
    pub compile_time: Duration,
    /// Wall time for compiling it: a machine may be busy with other things.
    pub compile_wait: Duration,
    /// Address space for compiling it, the program itself included.
    pub compile_bytes: u64,
}

impl RuntimeClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Policy, Self::Script, Self::Renderer];

    /// Its name, for the child that compiles.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Script => "script",
            Self::Renderer => "renderer",
        }
    }

    /// The limits of the class.
    pub const fn limits(self) -> Limits {
        match self {
            Self::Policy => POLICY,
            Self::Script => SCRIPT,
            Self::Renderer => RENDERER,
        }
    }
}

const POLICY: Limits = Limits {
    // A Rust policy has 100 KB, one of QuickJS or Go 2 to 4 MB, one of SpiderMonkey 12, one of Python 18.
    file_bytes: 32 << 20,
    // A Rust guest needs 1 to 2 MiB, one of Go or Python some 10.
    memory_bytes: 64 << 20,
    // The largest guests seen have some 8,000.
    table_elements: 20_000,
    // Half of wasmtime's default: policies do not recurse, and callers' threads are small.
    stack_bytes: 512 << 10,
    // A check takes microseconds; a fifth of a second forgives a machine that is very busy.
    call: Duration::from_millis(200),
    call_per_object: Duration::from_micros(200),
    output_bytes: 1 << 20,
    // A verdict with a reason of some length.
    output_per_object: 1 << 10,
    // Those of the largest batch, with both sides of each object.
    handles: 100_000,
    log_lines: 200,
    log_bytes: 16 << 10,
    is_pooled: true,
    // 12 MB of SpiderMonkey take some 15 s of processor time, and some 530 MiB with the program itself.
    compile_time: Duration::from_secs(60),
    compile_wait: Duration::from_secs(300),
    compile_bytes: 1 << 30,
};

const SCRIPT: Limits = Limits {
    // An interpreter with the libraries of what it runs.
    file_bytes: 64 << 20,
    memory_bytes: 256 << 20,
    table_elements: 100_000,
    // An interpreter that starts and runs what a person wrote.
    call: Duration::from_secs(1),
    handles: 10_000,
    ..POLICY
};

const RENDERER: Limits = Limits {
    // Helm and Kustomize as components: tens of megabytes of Go.
    file_bytes: 96 << 20,
    memory_bytes: 512 << 20,
    table_elements: 200_000,
    // Deep YAML is read by recursion.
    stack_bytes: 1 << 20,
    call: Duration::from_secs(30),
    // The manifests of one application.
    output_bytes: 32 << 20,
    handles: 1_000,
    log_lines: 1_000,
    // One that runs for seconds gains nothing from a pool, whose slots would each reserve all of its memory.
    is_pooled: false,
    // 30 MB take 15 s of processor time and 500 MiB.
    compile_time: Duration::from_secs(300),
    compile_bytes: 4 << 30,
    ..POLICY
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_does_more_may_take_more() {
        let [policy, script, renderer] =
            [RuntimeClass::Policy, RuntimeClass::Script, RuntimeClass::Renderer].map(RuntimeClass::limits);
        for (less, more) in [(policy, script), (script, renderer)] {
            assert!(less.file_bytes < more.file_bytes && less.memory_bytes < more.memory_bytes);
            assert!(less.table_elements < more.table_elements && less.call < more.call);
            assert!(less.output_bytes <= more.output_bytes && less.stack_bytes <= more.stack_bytes);
        }
        // Only objects in the host's hands come by the thousand.
        assert!(policy.handles > script.handles && script.handles > renderer.handles);
    }
}
