//! See `../../src/keyring.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::keyring::run(bytes));
