//! The renderer of Jsonnet: the interpreter jrsonnet, with the files of the input for a disk.
//!
//! A program gives an object or a list of objects, each of which is a manifest. `evaluate` says which programs are evaluated and with what,
//! `tree` where imports are found.

pub mod evaluate;
pub mod problem;
pub mod tree;

#[cfg(target_arch = "wasm32")]
mod guest;
