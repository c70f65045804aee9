//! Compiles plugins ahead of time and loads what was compiled: the only crate of the engine with `unsafe` code.
//!
//! A precompiled component is native code that is mapped and run as it is, so who hands it over is trusted with
//! everything. Three things keep that trust small:
//!
//! - [`precompile`] and [`load`] share one [`engine`], so that what is loaded was made by the same compiler with the same
//!   settings: the image starts with the engine's compatibility hash, and any other is refused ([`AotError::Incompatible`]);
//! - an image carries the SHA-256 of its code, so that a damaged file is refused too;
//! - [`load`] takes `&'static [u8]`: bytes that are part of the binary. Nothing that was downloaded, mounted or written by
//!   anybody at run time is ever loaded; such plugins are compiled from Wasm ([`Compiler`]), in a child process that answers
//!   through a pipe.
//!
//! Start at [`engine`]; every setting there says why. What is trusted of the child is said in `compiler`.

mod compiler;
mod component;
mod engine;
mod image;

pub use compiler::{CHILD_ARGUMENT, Compiler, serve};
pub use component::{ComponentiseError, Form, componentise, form};
pub use engine::{Allocation, POOL_SLOTS, engine};
pub use image::{AotError, load, precompile};

/// What the limits of plugins are made of; the host enforces those that an engine cannot.
pub mod limits {
    /// Memory of one instance, all of its linear memories together. 64 MiB: a Rust guest needs 1–2 MiB, TinyGo some 10.
    pub const MEMORY_BYTES: usize = 64 << 20;
    /// Entries of all tables of one instance: function references of the largest guests seen are some 5,000.
    pub const TABLE_ELEMENTS: usize = 20_000;
    /// Native stack that Wasm may use. Half of wasmtime's default: policies do not recurse, and callers' threads are small.
    pub const STACK_BYTES: usize = 512 << 10;
}
