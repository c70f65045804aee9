//! See `../../../../plugins/fuzz/src/lua_script.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_guests_fuzz::lua_script::run(bytes));
