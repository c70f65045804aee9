//! Values from JSON, and as the text that `oracle/main.go` makes of them.

use serde_json::Value as Json;
use sluice_cel::{Failure, Key, Limits, Meter, Program, Value};

/// What is answered to an expression over an object, in the words of the oracle.
pub(crate) fn answer(source: &str, object: &Json) -> String {
    let program = match Program::parse(source, &Meter::new(Limits::default())) {
        Ok(program) => program,
        Err(mistake) => return format!("refused: {mistake}"),
    };
    match evaluate(&program, object) {
        Ok(value) => show(&value),
        Err(failure) => format!("error: {failure}"),
    }
}

/// The value of a program over an object.
pub(crate) fn evaluate(program: &Program, object: &Json) -> Result<Value, Failure> {
    let fields = |name: &str| Ok(object.get(name).map(value));
    program.evaluate(&fields, &Meter::new(Limits::default()))
}

/// A value of JSON, as Kubernetes decodes it.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Double(number.as_f64().expect("a number")),
        },
        Json::String(text) => Value::text(text),
        Json::Array(list) => Value::list(list.iter().map(value).collect()),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, entry)| (Key::text(key), value(entry)));
            Value::map(entries.collect())
        }
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(integer) => integer.to_string(),
        Value::Uint(integer) => format!("{integer}u"),
        Value::Double(number) => format!("double {}", scientific(*number)),
        Value::Text(text) => quoted(text),
        Value::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("bytes {digits}")
        }
        Value::Timestamp(timestamp) => format!("timestamp {}", timestamp.print()),
        Value::Duration(nanoseconds) => format!("duration {nanoseconds}"),
        Value::Optional(None) => "none".to_owned(),
        Value::Optional(Some(value)) => format!("some {}", show(value)),
        Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| format!("{}: {}", show_key(key), show(value));
            let mut entries: Vec<String> = map.iter().map(entry).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Type(name) => format!("type {name}"),
    }
}

fn show_key(key: &Key) -> String {
    match key {
        Key::Bool(flag) => flag.to_string(),
        Key::Int(integer) => integer.to_string(),
        Key::Uint(integer) => format!("{integer}u"),
        Key::Text(text) => quoted(text),
    }
}

/// As Go's encoder quotes.
fn quoted(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a text");
    quoted
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// As Go's `%e` with as few digits as there need to be.
fn scientific(number: f64) -> String {
    if !number.is_finite() {
        return sluice_cel::print_number(number);
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
