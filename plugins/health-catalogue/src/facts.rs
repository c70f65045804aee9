//! What was read of an object, and how tests see it.

use std::cell::OnceCell;

use serde_json::Value as Json;
use sluice_plugin::{Object, Value};

use crate::rule::Step;

/// The fields that a rule's tests read, each as it came; lists and maps are parsed when a test looks into them. Most objects are in one of
/// the first states of their rule, so what only later ones need is read when they are come to.
pub(crate) struct Facts {
    fields: &'static [&'static str],
    values: Vec<Option<Value>>,
    trees: Vec<OnceCell<Json>>,
}

/// A value as tests see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Seen<'a> {
    /// Nothing, or null.
    Nothing,
    Flag(bool),
    Number(f64),
    Text(&'a str),
    /// A list or a map.
    Tree,
}

impl Facts {
    /// None of them is read yet.
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Self {
            fields,
            values: Vec::new(),
            trees: Vec::new(),
        }
    }

    /// Reads what is not read yet of the first so many, in one crossing.
    pub(crate) fn read(&mut self, object: &Object<'_>, count: u16) {
        let wanted = self.fields.get(self.values.len()..usize::from(count));
        if let Some(wanted @ [_, ..]) = wanted {
            self.values.extend(object.values(wanted));
            self.trees.resize_with(self.values.len(), OnceCell::new);
        }
    }

    pub(crate) fn seen(&self, index: u16) -> Seen<'_> {
        match self.values.get(usize::from(index)) {
            None | Some(None | Some(Value::Null)) => Seen::Nothing,
            Some(Some(Value::Boolean(flag))) => Seen::Flag(*flag),
            Some(Some(Value::Integer(number))) => Seen::Number(*number as f64),
            Some(Some(Value::Number(number))) => Seen::Number(*number),
            Some(Some(Value::Text(text))) => Seen::Text(text),
            Some(Some(Value::Json(_))) => Seen::Tree,
        }
    }

    /// The list or map there, or none. Anything else is an error: to go on as if there were none would be a guess.
    pub(crate) fn tree(&self, index: u16) -> Result<Option<&Json>, String> {
        let at = usize::from(index);
        let wrong = || {
            let pointer = self.fields.get(at).copied().unwrap_or_default();
            format!("`{pointer}` is neither a list nor a map")
        };
        match (self.values.get(at), self.trees.get(at)) {
            (None | Some(None | Some(Value::Null)), _) => Ok(None),
            (Some(Some(Value::Json(text))), Some(cell)) => {
                if cell.get().is_none() {
                    let tree = serde_json::from_str(text).map_err(|_| wrong())?;
                    cell.get_or_init(|| tree);
                }
                Ok(cell.get())
            }
            _ => Err(wrong()),
        }
    }
}

impl<'a> Seen<'a> {
    pub(crate) fn of(json: Option<&'a Json>) -> Self {
        match json {
            None | Some(Json::Null) => Self::Nothing,
            Some(Json::Bool(flag)) => Self::Flag(*flag),
            Some(Json::Number(number)) => number.as_f64().map_or(Self::Nothing, Self::Number),
            Some(Json::String(text)) => Self::Text(text),
            Some(Json::Array(_) | Json::Object(_)) => Self::Tree,
        }
    }

    /// The text; empty where there is none.
    pub(crate) fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// The number, also one that was written as text: some resources say generations so.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Follows steps into a value.
pub(crate) fn walk<'a>(from: &'a Json, steps: &[Step]) -> Option<&'a Json> {
    steps.iter().try_fold(from, |at, step| match (at, step) {
        (Json::Object(map), Step::Key(key)) => map.get(*key),
        (Json::Array(list), Step::Key(key)) => list.get(key.parse::<usize>().ok()?),
        (Json::Array(list), Step::Where(key, wanted)) => list
            .iter()
            .find(|entry| entry.get(key).and_then(Json::as_str) == Some(*wanted)),
        _ => None,
    })
}
