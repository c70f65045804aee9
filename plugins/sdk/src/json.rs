//! What the host does with an object's JSON, for native tests.

use serde_json::Value as Json;

use crate::{ObjectRef, Value};

pub(crate) fn reference(json: &Json) -> ObjectRef {
    let text = |pointer: &str| {
        json.pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let api_version = text("/apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    ObjectRef {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: text("/kind"),
        namespace: json
            .pointer("/metadata/namespace")
            .and_then(Json::as_str)
            .map(str::to_owned),
        name: text("/metadata/name"),
    }
}

pub(crate) fn find<'a>(json: &'a Json, pointer: &str) -> Option<&'a Json> {
    if pointer.is_empty() {
        return Some(json);
    }
    let unescape = |text: &str| text.replace("~1", "/").replace("~0", "~");
    pointer
        .strip_prefix('/')?
        .split('/')
        .try_fold(json, |at, segment| match at {
            Json::Array(list) => match segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(selector) => {
                    let (key, wanted) = selector.split_once('=')?;
                    list.iter().find(|entry| {
                        entry.get(unescape(key)).and_then(Json::as_str) == Some(&unescape(wanted))
                    })
                }
                None => list.get(segment.parse::<usize>().ok()?),
            },
            map => map.get(unescape(segment)),
        })
}

pub(crate) fn uid(json: &Json) -> Option<&str> {
    json.pointer("/metadata/uid").and_then(Json::as_str)
}

pub(crate) fn is_owned_by(json: &Json, owner: &str) -> bool {
    let references = json.pointer("/metadata/ownerReferences").and_then(Json::as_array);
    let mut references = references.into_iter().flatten();
    references.any(|reference| reference.get("uid").and_then(Json::as_str) == Some(owner))
}

pub(crate) fn is_about(event: &Json, uid: &str) -> bool {
    event.pointer("/involvedObject/uid").and_then(Json::as_str) == Some(uid)
}

pub(crate) fn has_labels(json: &Json, labels: &[(&str, &str)]) -> bool {
    let label = |key: &str| json.get("metadata")?.get("labels")?.get(key)?.as_str();
    labels.iter().all(|(key, value)| label(key) == Some(*value))
}

pub(crate) fn length(json: &Json, pointer: &str) -> Option<u32> {
    match find(json, pointer)? {
        Json::Array(list) => u32::try_from(list.len()).ok(),
        Json::Object(map) => u32::try_from(map.len()).ok(),
        _ => None,
    }
}

pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => Value::Json(json.to_string()),
    }
}
