//! What a person is told about a state.

use serde_json::Value as Json;
use sluice_plugin::{Object, Value};

use crate::facts::walk;
use crate::rule::Part;

/// Bytes that one field may bring into a message: some controllers write whole traces there.
const LONGEST: usize = 1024;

/// The text of these parts; what they name of the object is read in one crossing.
pub(crate) fn message(parts: &'static [Part], object: &Object<'_>, culprit: Option<&Json>) -> String {
    let mut asked: Vec<&str> = Vec::new();
    for part in parts {
        if let Part::Object(pointers) = part {
            asked.extend(*pointers);
        }
    }
    let values = match asked.is_empty() {
        true => Vec::new(),
        false => object.values(&asked),
    };
    let mut values = values.iter();
    let mut message = String::new();
    for part in parts {
        match part {
            Part::Text(text) => message.push_str(text),
            Part::Object(pointers) => {
                let texts = values.by_ref().take(pointers.len()).map(of_value);
                // All of them are taken, so that the next part finds its own.
                let found = texts.fold(String::new(), either);
                message.push_str(&found);
            }
            Part::Culprit(places) => {
                let texts = places
                    .iter()
                    .map(|steps| of_json(culprit.and_then(|entry| walk(entry, steps))));
                message.push_str(&texts.fold(String::new(), either));
            }
        }
    }
    message
}

fn either(first: String, second: String) -> String {
    if first.is_empty() { second } else { first }
}

fn of_value(value: &Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Boolean(flag)) => flag.to_string(),
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Text(text) | Value::Json(text)) => shortened(text),
    }
}

fn of_json(json: Option<&Json>) -> String {
    match json {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => shortened(text),
        Some(other) => shortened(&other.to_string()),
    }
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
