//! See `../../../../plugins/fuzz/src/lua_pattern.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_guests_fuzz::lua_pattern::run(bytes));
