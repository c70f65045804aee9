//! `sluice controller`.

use clap::Args;

use crate::args::Global;
use crate::failure::Failure;

pub(crate) const HELP: &str = "";

/// The options of `sluice controller`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// Not there yet.
pub(crate) fn run(_arguments: Arguments, _global: &Global) -> Result<(), Failure> {
    Ok(())
}
