//! `sluice render`.

use std::io::Write;

use clap::Args;

use crate::args::Global;
use crate::failure::Failure;

pub(crate) const HELP: &str = "";

/// The options of `sluice render`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// Not there yet.
pub(crate) fn run(_arguments: Arguments, _global: &Global, _out: &mut impl Write) -> Result<(), Failure> {
    Ok(())
}
