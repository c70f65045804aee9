//! Lua as gopher-lua reads it, for scripts of strangers.
//!
//! `health.lua` scripts are written for Argo CD, which runs them in gopher-lua: Lua 5.1 with `goto`, and with ways of its own of
//! printing numbers, taking arguments and wording errors. This crate follows it, and bounds what a script may take from within:
//! every node, loop turn and comparison is a step, every allocation is charged before it is made, every call counts against a
//! depth. A [`Limit`] is no error of Lua: `pcall` does not catch it.
//!
//! Start at [`Engine::check`]. A [`Script`] is parsed once ([`Script::parse`]) and run any number of times; each run has an
//! environment of its own, and all that it made goes with it.
//!
//! **Why an interpreter of our own.** The engines that there are in Rust sample their limits every so many instructions, and so
//! miss `s = s .. s`, the growth of `gsub` and the backtracking of patterns; recursion through `pcall`, `sort` and `gsub` breaks
//! their stack. Within an instance of WebAssembly each of these is a trap, and three traps keep *every* script from being run for a
//! while. They also print numbers as C does. As nothing outlives a check there is no garbage collector, so what is left is small.
//!
//! Left out: coroutines, `setfenv` and `getfenv`, `io`, `debug`, and whatever reaches files, processes or the environment.
#![forbid(unsafe_code)]

mod calls;
mod engine;
mod evaluate;
mod expressions;
mod lexer;
mod library;
mod number;
mod operators;
mod parser;
mod paths;
mod pattern;
mod scope;
mod statements;
mod table;
mod tree;
mod value;

pub use engine::{Engine, Limit, Limits};
pub use number::print as print_number;
pub use parser::Script;
pub use paths::Paths;
pub use value::{Text, Value};
