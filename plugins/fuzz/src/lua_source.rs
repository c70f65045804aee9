//! Any bytes as a script of Lua: it is parsed, or it is said where it breaks.

use sluice_lua::Script;

/// See the module.
///
/// # Panics
/// If the same bytes come to something else, or an error does not name the script.
pub fn run(bytes: &[u8]) {
    let parse = || Script::parse("fuzz.lua", bytes).map(|script| script.reads("obj"));
    let parsed = parse();
    assert_eq!(parsed, parse());
    if let Err(message) = parsed {
        assert!(message.contains("fuzz.lua"), "{message}");
    }
}
