//! Any text, and any pattern after a NUL: the functions that search say the same of it, within their limits.

use sluice_lua::{Engine, Limits, Script, Value};

const STEPS: u64 = 50_000;

/// Patterns that are none are errors for all of them. The empty one is found at the start, wherever the search begins.
const SCRIPT: &str = "
    local ok, first, last = pcall(string.find, text, pattern)
    local by_match = pcall(string.match, text, pattern)
    local by_gsub, whole, count = pcall(string.gsub, text, pattern, '%0')
    assert(ok == by_match and ok == by_gsub, 'one of them takes the pattern')
    if not ok then return 'refused' end
    assert(whole == text, 'what is replaced by itself is another text')
    assert((first ~= nil) == (count > 0), 'one of them finds it')
    assert(first == nil or (first >= 1 and last >= first - 1 and last <= #text), 'a match is beyond the text')
    for _ in text:gmatch(pattern) do count = count - 1 end
    assert(count == 0, 'not as many matches')
    return 'found'";

/// See the module.
///
/// # Panics
/// If the functions differ, or a search takes more than its limit.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let [text, pattern] = [(); 2].map(|()| Value::text(parts.next().unwrap_or_default()));
    let script = Script::parse("fuzz.lua", SCRIPT.as_bytes()).expect("it is a script");
    let limits = Limits {
        steps: STEPS,
        ..Limits::default()
    };
    let mut engine = Engine::new(limits);
    let globals = |_: &mut Engine| Ok(vec![("text", text), ("pattern", pattern)]);
    if let Err(message) = engine.check(&script, 0, globals) {
        // What backtracks too deeply is refused in one place and not yet come to in another.
        let is_within = message.contains("the script takes more than")
            || message.contains("one of them takes the pattern");
        assert!(is_within, "{message}");
    }
    assert!(
        engine.taken().0 <= STEPS + (bytes.len() as u64) + 100,
        "{:?}",
        engine.taken()
    );
}
