//! The log, on stderr: quiet unless asked for, or running as the controller.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::args::{Global, LogFormat};

/// Starts the log as the global options say. A filter that cannot be read falls back to warnings.
pub(crate) fn start(global: &Global) {
    let level = match global.verbose {
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
