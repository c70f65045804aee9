//! The log, on stderr: quiet unless asked for, or running as the controller.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::args::{Command, Global, LogFormat};

/// Starts the log as the global options say; without any, the controller tells what it does and a command what is wrong.
pub(crate) fn start(global: &Global, command: &Command) {
    let level = match global.verbose {
        0 if matches!(command, Command::Controller(_)) => "info",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::new(global.log_level.as_deref().unwrap_or(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match global.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
