//! How a failure tells people what happened, where, and what to do next.
//!
//! Every error enum of every crate implements [`Coded`]. A variant maps to one [`ErrorCode`], which is a `const` of the
//! crate that raises it and never changes its meaning; the letter says which stage it is from:
//! `S` source, `V` verify, `R` render, `C` compare, `L` plan, `A` apply, `O` observe, `P` plugin, `K` Application and
//! Kubernetes configuration, `U` command line.

use std::error::Error;
use std::fmt::Write as _;

/// One kind of failure, as documented: the code that users search for and the hint that gets them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// Stable, e.g. `S01`.
    pub id: &'static str,
    /// What it means, in half a sentence.
    pub summary: &'static str,
    /// What to do next, in the imperative.
    pub hint: &'static str,
    /// How the command line exits with it.
    pub exit: ExitKind,
}

/// The exit status of `sluice` by kind of failure. Documented in the README; never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitKind {
    /// All done.
    Success = 0,
    /// The question was answered with no: there is a difference, not all is healthy.
    Negative = 1,
    /// The command line was wrong.
    Usage = 2,
    /// What was read is wrong: a manifest, a spec, a keyring, a plugin's file.
    Input = 3,
    /// Trust was not established; also the answer of `sluice verify` where not all is trusted.
    Untrusted = 4,
    /// Something waits for a person's approval.
    Held = 5,
    /// The Git repository failed or could not be reached.
    Source = 6,
    /// The cluster failed, refused, or could not be reached.
    Cluster = 7,
    /// A plugin failed.
    Plugin = 8,
    /// Time ran out.
    Timeout = 9,
    /// A bug in Sluice (sysexits' `EX_SOFTWARE`).
    Internal = 70,
}

/// An error with a stable code.
pub trait Coded: Error {
    /// The documented code of this failure.
    fn code(&self) -> &'static ErrorCode;

    /// What to do next. The code's own hint, unless the error knows better.
    fn hint(&self) -> String {
        self.code().hint.to_owned()
    }
}

/// One line: the code, the message and every cause, e.g. `S01: fetch of "x" failed: connection refused`.
pub fn one_line(error: &dyn Coded) -> String {
    let (code, said) = (error.code().id, error.to_string());
    // What is many errors in one says the code of each.
    let mut line = match said.starts_with(&format!("{code}: ")) {
        true => said,
        false => format!("{code}: {said}"),
    };
    let mut source = error.source();
    while let Some(cause) = source {
        let _infallible = write!(line, ": {cause}");
        source = cause.source();
    }
    line
}
