//! Compiles plugins ahead of time and loads what was compiled: the only crate of the engine with `unsafe` code.
//!
//! A precompiled component is native code that is mapped and run as it is, so who hands it over is trusted with
//! everything. Three things keep that trust small:
//!
//! - [`precompile`] and [`load`] share one [`engine`], so that what is loaded was made by the same compiler with the same
//!   settings: the image starts with the engine's compatibility hash, and any other is refused ([`AotError::Incompatible`]);
//! - an image carries the SHA-256 of its code, so that a damaged file is refused too;
//! - [`load`] takes `&'static [u8]`: bytes that are part of the binary; [`load_file`] takes files of 60 MB that lie beside the binary,
//!   and only those whose digest is part of it. Nothing that was downloaded, mounted or written by anybody else at run time is ever
//!   loaded; such plugins are compiled from Wasm ([`Compiler`]), in a child process that answers through a pipe. What it answered may
//!   be kept in a folder of this user's, authenticated (`cache`).
//!
//! Start at [`engine`]; every setting there says why. What is trusted of the child is said in `compiler`, what of the folder in `cache`.

mod cache;
mod class;
mod compiler;
mod component;
mod engine;
mod image;

pub use class::{Limits, RuntimeClass};
pub use compiler::{CHILD_ARGUMENT, Compiled, Compiler, Workplace, serve};
pub use component::{ComponentiseError, Form, componentise, form};
pub use engine::{Allocation, Optimisation, POOL_SLOTS, engine};
pub use image::{AotError, load, load_file, precompile, precompile_file};
