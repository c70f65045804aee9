//! Ctrl-C and SIGTERM as a flag. Every wait looks at it, so that everything is stopped by `Drop`, in order.

use std::{
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicBool, atomic::Ordering},
};

use anyhow::Result;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

/// What a shell reports of a program that Ctrl-C ended.
pub(crate) const EXIT_CODE: u8 = 130;

static STOPPING: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The user wants it to end.
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// Catches the signals from now on. The second one ends the program at once; the janitor cleans up then.
pub(crate) fn watch() {
    let stopping = STOPPING.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Registering fails for signals that cannot be caught; these can. The order counts: the flag is set second.
        flag::register_conditional_shutdown(signal, EXIT_CODE.into(), Arc::clone(stopping)).ok();
        flag::register(signal, Arc::clone(stopping)).ok();
    }
}

/// Fails with [`Stopped`] once a signal has come.
pub(crate) fn check() -> Result<()> {
    if STOPPING
        .get()
        .is_some_and(|stopping| stopping.load(Ordering::Relaxed))
    {
        Err(Stopped.into())
    } else {
        Ok(())
    }
}
