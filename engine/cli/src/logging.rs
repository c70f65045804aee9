//! The log, on stderr: quiet unless asked for, or running as the controller.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::args::Command;
use crate::global::{Global, LogFormat};

/// Starts the log as the global options say; without any, the controller tells what it does and a command what is wrong.
pub(crate) fn start(global: &Global, command: &Command) {
    let level = match global.verbose {
        0 if matches!(command, Command::Controller(_)) => "info",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    // The client tells every refused connection as an error of its own; its caller says more.
    let level = format!("{level},kube_client::client::builder=off");
    let filter = EnvFilter::new(global.log_level.as_deref().unwrap_or(&level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match (global.log_format, command) {
        (LogFormat::Json, _) => log.json().flatten_event(true).init(),
        (LogFormat::Text, Command::Controller(_)) => log.init(),
        // A person who has just typed a command knows what time it is.
        (LogFormat::Text, _) => log.without_time().with_target(false).init(),
    }
}
