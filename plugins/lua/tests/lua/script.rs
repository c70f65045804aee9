//! Runs scripts.

use sluice_lua::{Engine, Limits, Script, Value, print_number};

/// Without optimisation a call takes many times the stack that it takes in a plugin.
pub(crate) fn with_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(test);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// What probes of the form `= EXPRESSIONS` are shown by.
const SHOW: &str = include_str!("../show.lua");

/// What a chunk returns first; nothing for nil, and only the type of what has no text. `SYNTAX` or `ERROR` before what is wrong with it.
pub(crate) fn answer(source: &str) -> String {
    let mut engine = Engine::new(Limits::default());
    match source.strip_prefix("= ") {
        Some(expressions) => {
            let source = format!("{} return show({expressions})", SHOW.trim());
            answer_of(&mut engine, source.as_bytes())
        }
        None => answer_of(&mut engine, source.as_bytes()),
    }
}

/// [`answer`], by an engine that may have run others.
pub(crate) fn answer_of(engine: &mut Engine, source: &[u8]) -> String {
    let script = match Script::parse("<string>", source) {
        Ok(script) => script,
        Err(error) => return format!("SYNTAX {error}"),
    };
    match engine.check(&script, 1_700_000_000, |_| Ok(Vec::new())) {
        Ok(Value::Nil) => String::new(),
        Ok(Value::Bool(flag)) => flag.to_string(),
        Ok(Value::Number(number)) => print_number(number),
        Ok(Value::Text(text)) => String::from_utf8_lossy(&text).into_owned(),
        Ok(other) => other.type_name().to_owned(),
        Err(error) => format!("ERROR {error}"),
    }
}
