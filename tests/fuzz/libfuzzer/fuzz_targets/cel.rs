//! See `../../../../plugins/fuzz/src/cel.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_guests_fuzz::cel::run(bytes));
