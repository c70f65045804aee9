//! See `../../src/sops.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::sops::run(bytes));
