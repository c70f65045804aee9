//! Runs scripts.

use sluice_lua::{Engine, Limits, Script, Value};

/// Without optimisation a call takes many times the stack that it takes in a plugin.
pub(crate) fn with_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(test);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// What a chunk returns, as `tostring` gives it; nothing for nil. `SYNTAX` or `ERROR` before what is wrong with it.
pub(crate) fn answer(source: &str) -> String {
    answer_of(&mut Engine::new(Limits::default()), source.as_bytes())
}

/// [`answer`], by an engine that may have run others.
pub(crate) fn answer_of(engine: &mut Engine, source: &[u8]) -> String {
    let script = match Script::parse("<string>", source) {
        Ok(script) => script,
        Err(error) => return format!("SYNTAX {error}"),
    };
    // Shown by the interpreter itself, so that numbers and metatables are seen to.
    let shown = [
        b"local r = (function(...) ".as_slice(),
        source,
        b"\nend)(...) if r == nil then return nil end return tostring(r)",
    ]
    .concat();
    let script = Script::parse("<string>", &shown).unwrap_or(script);
    match engine.check(&script, 1_700_000_000, |_| Ok(Vec::new())) {
        Ok(Value::Text(text)) => String::from_utf8_lossy(&text).into_owned(),
        Ok(_) => String::new(),
        Err(error) => format!("ERROR {error}"),
    }
}
