//! The settings that an Application hands to a policy.

use serde_json::{Map, Value};

use crate::Problem;

/// A JSON object; empty where nothing was set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings(Map<String, Value>);

impl Settings {
    /// Parses what `configure` is handed.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        if text == "{}" {
            return Ok(Self::default());
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(vec![Problem::new("", "the settings must be an object")]),
            Err(error) => Err(vec![Problem::new(
                "",
                &format!("the settings are no JSON: {error}"),
            )]),
        }
    }

    /// For policies without settings: a problem for each that is there all the same.
    pub fn none(&self) -> Result<(), Vec<Problem>> {
        let problems = self.unknown(&[]);
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }

    /// One setting.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Every key that is none of these, as a problem each: a misspelt setting must not go unnoticed.
    pub fn unknown(&self, known: &[&str]) -> Vec<Problem> {
        let there_are = match known {
            [] => "this plugin has no settings".to_owned(),
            known => format!("there are: {}", known.join(", ")),
        };
        let unknown = self.0.keys().filter(|key| !known.contains(&key.as_str()));
        unknown
            .map(|key| {
                Problem::new(
                    &format!("/{key}"),
                    &format!("there is no such setting; {there_are}"),
                )
            })
            .collect()
    }
}
