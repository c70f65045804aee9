//! See `../../src/allowed_signers.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::allowed_signers::run(bytes));
