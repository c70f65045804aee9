//! See `../../src/chart_provenance.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::chart_provenance::run(bytes));
