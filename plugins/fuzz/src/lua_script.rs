//! Any script over any object, with a NUL between: it ends within its limits, and is answered the same with no more of the object than it
//! is said to read.

use serde_json::{Map, Value as Json};
use sluice_lua::{Engine, Limits, Paths, Script, Value};

const LIMITS: Limits = Limits {
    steps: 20_000,
    bytes: 1 << 20,
    depth: 400,
};

/// See the module.
///
/// # Panics
/// If it takes more than its limits, or is answered otherwise with less of the object.
pub fn run(bytes: &[u8]) {
    let (source, object) = crate::with_object(bytes);
    let Ok(script) = Script::parse("fuzz.lua", source) else {
        return;
    };
    let mut engine = Engine::new(LIMITS);
    let whole = answer(&mut engine, &script, &object);
    // The last step, or the last piece, may have been a large one; it was not taken then.
    let (steps, taken) = engine.taken();
    assert!(steps < 2 * LIMITS.steps + taken, "{steps} steps");
    assert_eq!(
        whole,
        answer(&mut engine, &script, &object),
        "{}",
        String::from_utf8_lossy(source)
    );
    let part = match script.reads("obj") {
        Paths::All => return,
        Paths::Some(paths) => part(&object, &paths),
    };
    let of_part = answer(&mut engine, &script, &part);
    // Limits and addresses know how large an object is.
    if ![&whole, &of_part]
        .iter()
        .any(|answer| answer.contains("takes more than") || answer.contains(": 0x"))
    {
        assert_eq!(whole, of_part, "{}", String::from_utf8_lossy(source));
    }
}

fn answer(engine: &mut Engine, script: &Script, object: &Json) -> String {
    let globals = |engine: &mut Engine| Ok(vec![("obj", value(engine, object)?)]);
    let shown = |value: &Value| match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    match engine.check(script, 1_700_000_000, globals) {
        Ok(table @ Value::Table(_)) => ["status", "message"]
            .map(|name| shown(&engine.field(&table, name)))
            .join(" "),
        Ok(value) => shown(&value),
        Err(message) => message,
    }
}

fn value(engine: &mut Engine, json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::text(text),
        Json::Array(list) => {
            let values: Result<Vec<Value>, String> = list.iter().map(|entry| value(engine, entry)).collect();
            engine.list(values?)?
        }
        Json::Object(map) => {
            let mut entries = Vec::new();
            for (key, entry) in map {
                entries.push((key.as_bytes().into(), value(engine, entry)?));
            }
            engine.map(entries)?
        }
    })
}

/// What of an object is at these paths.
fn part(object: &Json, paths: &[(sluice_lua::Text, Option<sluice_lua::Text>)]) -> Json {
    let is_read = |first: &str, second: Option<&str>| {
        paths.iter().any(|(one, two)| {
            let is_below = match (second, two) {
                (Some(second), Some(two)) => **two == *second.as_bytes(),
                _ => true,
            };
            **one == *first.as_bytes() && is_below
        })
    };
    let Json::Object(map) = object else {
        return object.clone();
    };
    let mut kept = Map::new();
    for (first, entry) in map.iter().filter(|(first, _)| is_read(first, None)) {
        let entry = match entry {
            Json::Object(below) => below
                .iter()
                .filter(|(second, _)| is_read(first, Some(second)))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            entry => entry.clone(),
        };
        kept.insert(first.clone(), entry);
    }
    Json::Object(kept)
}
