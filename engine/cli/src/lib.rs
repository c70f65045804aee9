//! The `sluice` command.
//!
//! `args` says what can be typed, `commands` has one module a command, `output` writes data to stdout, `failure` turns what
//! went wrong into a code, a hint and an exit status. Whatever decides anything is in the other crates. This is a library
//! only so that tests reach [`codes`]; `main.rs` calls [`main`] and nothing else.
//!
//! What needs no cluster starts no runtime and reads no kubeconfig: `sluice health -f` on one object has to be as quick as
//! `grep`.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod connection;
mod documents;
mod engine;
mod failure;
mod global;
mod logging;
mod output;
mod yaml;

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

pub use crate::failure::codes;

/// Runs the command line that the process was started with.
pub fn main() -> ExitCode {
    // The controller and the commands compile plugins in a child that is this program again.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == sluice_plugin_host::CHILD_ARGUMENT)
    {
        return sluice_plugin_host::serve(std::env::args_os().skip(2));
    }
    let arguments = args::Arguments::parse();
    logging::start(&arguments.global, &arguments.command);
    let mut out = BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()));
    let done = commands::run(arguments, &mut out);
    // What was printed before a failure is printed nevertheless.
    let flushed = out.flush().map_err(failure::Failure::from);
    match done.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
