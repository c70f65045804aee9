//! `sluice completion`: scripts for shells.

use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::failure::Failure;

pub(crate) const HELP: &str = "\
Examples:
  source <(sluice completion bash)
  sluice completion zsh > \"${fpath[1]}/_sluice\"
  sluice completion fish > ~/.config/fish/completions/sluice.fish

Exit codes: 0; 2 for an unknown shell.";

/// The options of `sluice completion`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    // The generator panics where its output breaks off, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::args::Arguments::command(),
        "sluice",
        &mut script,
    );
    out.write_all(&script)?;
    Ok(())
}
