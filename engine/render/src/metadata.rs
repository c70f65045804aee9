//! What the metadata of every object must look like, so that no later stage has to wonder.

use serde_json::Value;
use sluice_model::manifest::Manifest;

use crate::error::{Problem, RenderError};
use crate::place;

/// What is wrong with the metadata of a manifest that is to be applied. `bytes` is the file that it stands in.
pub(crate) fn check(manifest: &Manifest, bytes: &[u8]) -> Vec<RenderError> {
    let object = &manifest.object;
    let mut problems = Vec::new();
    let mut wrong = |path: &[&str], reason: String| {
        let path = path.iter().map(|key| (*key).to_owned()).collect();
        problems.push((Problem::Metadata { reason }, path));
    };
    let metadata = match object.value().get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None | Some(Value::Null) => {
            let reason = "has no `metadata`, and so no name".to_owned();
            return vec![RenderError::about(
                &manifest.origin,
                object.reference(),
                Problem::NotAnObject { reason },
            )];
        }
        Some(other) => {
            wrong(&["metadata"], format!("`metadata` is {}, not a map", kind(other)));
            return located(manifest, bytes, problems);
        }
    };
    for field in ["name", "generateName", "namespace"] {
        match metadata.get(field) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => wrong(
                &["metadata", field],
                format!("`metadata.{field}` is {}, not text", kind(other)),
            ),
        }
    }
    for field in ["labels", "annotations"] {
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                for (key, value) in entries
                    .iter()
                    .filter(|(_, value)| !value.is_string() && !value.is_null())
                {
                    wrong(
                        &["metadata", field, key],
                        format!("`metadata.{field}` has `{key}` as {}, not text", kind(value)),
                    );
                }
            }
            Some(other) => wrong(
                &["metadata", field],
                format!("`metadata.{field}` is {}, not a map", kind(other)),
            ),
        }
    }
    let named = ["name", "generateName"]
        .iter()
        .any(|field| metadata.get(*field).is_some_and(|name| name != ""));
    if !named {
        let reason = "has no `metadata.name`".to_owned();
        problems.push((Problem::NotAnObject { reason }, Vec::new()));
    }
    located(manifest, bytes, problems)
}

/// Errors with the places of the keys that they are about.
fn located(manifest: &Manifest, bytes: &[u8], problems: Vec<(Problem, Vec<String>)>) -> Vec<RenderError> {
    let about = |(problem, path): (Problem, Vec<String>)| {
        let mut error = RenderError::about(&manifest.origin, manifest.object.reference(), problem);
        if let Some(at) = place::within(bytes, manifest.origin.line, &path) {
            (error.place.line, error.place.column) = (at.line, at.column);
        }
        error
    };
    problems.into_iter().map(about).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
