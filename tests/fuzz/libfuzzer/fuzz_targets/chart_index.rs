//! See `../../src/chart_index.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::chart_index::run(bytes));
