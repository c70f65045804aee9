//! What is wrong with a Secret, told by its own shape. What the API server says about it quotes values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::object::Object;
use crate::secret::METADATA;

/// What is wrong with a Secret: the field first, then the kind of mistake. No value is quoted.
pub fn mistakes(secret: &Object) -> Vec<String> {
    let mut found = Vec::new();
    for (field, value) in secret.value().as_object().into_iter().flatten() {
        match field.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => in_metadata(value, &mut found),
            "type" if !matches!(value, Value::String(_) | Value::Null) => {
                found.push(format!("type: {} where text is needed", shape(value)));
            }
            "immutable" if !matches!(value, Value::Bool(_) | Value::Null) => {
                let shape = shape(value);
                found.push(format!("immutable: {shape} where `true` or `false` is needed"));
            }
            "type" | "immutable" => {}
            "data" | "stringData" => match value {
                Value::Object(entries) => in_entries(field, entries, &mut found),
                Value::Null => {}
                other => {
                    let shape = shape(other);
                    found.push(format!(
                        "{field}: {shape} where a map of names to texts is needed"
                    ));
                }
            },
            unknown => {
                let meant = ["stringData", "data", "immutable", "type", "metadata"]
                    .into_iter()
                    .find(|known| resembles(unknown, known));
                let hint = meant.map_or(String::new(), |known| format!(" (is `{known}` meant?)"));
                found.push(format!("{unknown}: a Secret has no such field{hint}"));
            }
        }
    }
    found
}

fn in_metadata(metadata: &Value, found: &mut Vec<String>) {
    for field in metadata.as_object().into_iter().flat_map(Map::keys) {
        if !METADATA.contains(&field.as_str()) {
            found.push(format!(
                "metadata.{field}: metadata has no such field (is it indented too far?)"
            ));
        }
    }
}

fn in_entries(field: &str, entries: &Map<String, Value>, found: &mut Vec<String>) {
    for (key, value) in entries {
        let is_name = !key.is_empty()
            && key.len() <= 253
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name {
            found.push(format!(
                "{field}[{key}]: the names of entries are letters, digits, `-`, `_` and `.`, 253 at most"
            ));
        }
        match value {
            Value::String(text) if field == "data" && !is_base64(text) => found.push(format!(
                "{field}[{key}]: the value is not base64 (plain text belongs below `stringData`)"
            )),
            Value::String(_) | Value::Null => {}
            Value::Object(_) | Value::Array(_) => found.push(format!(
                "{field}[{key}]: {} where text is needed (is a `|` missing after the name?)",
                shape(value)
            )),
            Value::Bool(_) | Value::Number(_) => found.push(format!(
                "{field}[{key}]: {} where text is needed (put it in quotes)",
                shape(value)
            )),
        }
    }
}

/// As Go reads it: line ends within it do not count.
fn is_base64(text: &str) -> bool {
    let bytes: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    STANDARD.decode(bytes).is_ok()
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// True for what a slip of the hand makes of a word: another case, a letter too many or too few, words joined otherwise.
fn resembles(word: &str, known: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let (word, known) = (plain(word), plain(known));
    let longer = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.len() == 1);
    word == known || longer(&word, &known) || longer(&known, &word)
}

/// What a server calls a field of a Secret (`.stringData.settings\.yaml`, `data[tls.crt]`), as the Secret that was sent has it; none
/// where it has no such field, since a name that is not its own may be made of a value.
pub fn is_named(secret: &Object, field: &str) -> Option<String> {
    let field = field.trim_start_matches('.');
    let root: String = field.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    let rest = field.get(root.len()..).unwrap_or_default();
    if root == "metadata" {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./[]\\".contains(c);
        let is_plain = rest.chars().all(plain);
        return Some(if is_plain { field.to_owned() } else { root });
    }
    let standard = ["data", "stringData", "type", "immutable", "kind", "apiVersion"];
    let value = secret.value().get(&root);
    if value.is_none() && !standard.contains(&root.as_str()) {
        return None;
    }
    let key = rest.strip_prefix(['.', '[']).unwrap_or(rest);
    let key = key.strip_suffix(']').unwrap_or(key).replace('\\', "");
    let is_entry = value
        .and_then(Value::as_object)
        .is_some_and(|map| map.contains_key(&key));
    // What a type of Secret has to have.
    let is_required = matches!(
        key.as_str(),
        "tls.crt"
            | "tls.key"
            | ".dockerconfigjson"
            | ".dockercfg"
            | "username"
            | "password"
            | "ssh-privatekey"
    );
    let names_entry = matches!(root.as_str(), "data" | "stringData") && (is_entry || is_required);
    Some(if names_entry {
        format!("{root}[{key}]")
    } else {
        root
    })
}
