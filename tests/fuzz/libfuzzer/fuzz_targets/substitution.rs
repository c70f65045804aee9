//! See `../../src/substitution.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::substitution::run(bytes));
