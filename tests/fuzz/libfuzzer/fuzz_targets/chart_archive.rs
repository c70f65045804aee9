//! See `../../src/chart_archive.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_fuzz::chart_archive::run(bytes));
