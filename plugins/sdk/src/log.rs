//! The engine's log: 200 lines and 16 KiB for one batch; what is beyond is dropped. Never write a secret.

#[cfg(target_arch = "wasm32")]
use crate::bindings::health::sluice::policy::log::{Level, write};

/// For the plugin's author.
pub fn debug(message: &str) {
    #[cfg(target_arch = "wasm32")]
    write(Level::Debug, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _tests_have_no_log = message;
}

/// For who runs the engine.
pub fn info(message: &str) {
    #[cfg(target_arch = "wasm32")]
    write(Level::Info, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _tests_have_no_log = message;
}

/// Something is odd, and the plugin goes on.
pub fn warn(message: &str) {
    #[cfg(target_arch = "wasm32")]
    write(Level::Warn, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _tests_have_no_log = message;
}
