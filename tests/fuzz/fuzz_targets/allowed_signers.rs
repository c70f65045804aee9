//! Any text as an `allowed_signers` file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_verify::Keyring;

fuzz_target!(|text: &str| {
    let keyring = Keyring::from_bytes("fuzz", text.as_bytes());
    assert_eq!(keyring.digest(), Keyring::from_bytes("fuzz", text.as_bytes()).digest());
});
