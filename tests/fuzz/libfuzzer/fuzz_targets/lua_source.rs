//! See `../../../../plugins/fuzz/src/lua_source.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_guests_fuzz::lua_source::run(bytes));
