//! What the metadata of every object must look like, so that no later stage has to wonder.

use serde_json::Value;
use sluice_model::manifest::Manifest;

use crate::error::{Problem, RenderError};

/// What is wrong with the metadata of a manifest that is to be applied.
pub(crate) fn check(manifest: &Manifest) -> Vec<RenderError> {
    let object = &manifest.object;
    let mut problems = Vec::new();
    let mut wrong = |reason: String| problems.push(Problem::Metadata { reason });
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
            wrong(format!("`metadata` is {}, not a map", kind(other)));
            return located(manifest, problems);
        }
    };
    for field in ["name", "generateName", "namespace"] {
        match metadata.get(field) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => wrong(format!("`metadata.{field}` is {}, not text", kind(other))),
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
                    wrong(format!(
                        "`metadata.{field}` has `{key}` as {}, not text",
                        kind(value)
                    ));
                }
            }
            Some(other) => wrong(format!("`metadata.{field}` is {}, not a map", kind(other))),
        }
    }
    let named = ["name", "generateName"]
        .iter()
        .any(|field| metadata.get(*field).is_some_and(|name| name != ""));
    if !named {
        let reason = "has no `metadata.name`".to_owned();
        problems.push(Problem::NotAnObject { reason });
    }
    located(manifest, problems)
}

fn located(manifest: &Manifest, problems: Vec<Problem>) -> Vec<RenderError> {
    let about = |problem| RenderError::about(&manifest.origin, manifest.object.reference(), problem);
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
