//! See `../../../../plugins/fuzz/src/catalogue_object.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_guests_fuzz::catalogue_object::run(bytes));
