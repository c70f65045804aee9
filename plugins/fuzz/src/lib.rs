//! What must hold of any bytes that reach the languages of health checks, as functions that panic where it does not.
//!
//! Each is one fuzz target, as those of `tests/fuzz`, whose `libfuzzer/` looks for such bytes; `tests/seeds.rs` gives them those that are
//! known. They are here because the languages are crates of this workspace.
#![forbid(unsafe_code)]
#![cfg(not(target_arch = "wasm32"))]

pub mod catalogue_object;
pub mod catalogue_rule;
pub mod cel;
pub mod lua_pattern;
pub mod lua_script;
pub mod lua_source;

/// A target: takes any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the name of their folder in `seeds/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("catalogue_object", catalogue_object::run),
    ("catalogue_rule", catalogue_rule::run),
    ("cel", cel::run),
    ("lua_pattern", lua_pattern::run),
    ("lua_script", lua_script::run),
    ("lua_source", lua_source::run),
];

/// What stands before the first NUL, and the object of JSON behind it.
fn with_object(bytes: &[u8]) -> (&[u8], serde_json::Value) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let first = parts.next().unwrap_or_default();
    let object = serde_json::from_slice(parts.next().unwrap_or_default());
    (first, object.unwrap_or_else(|_| serde_json::json!({})))
}
