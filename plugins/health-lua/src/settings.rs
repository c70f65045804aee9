//! The scripts, and which objects each is for.

use std::cell::OnceCell;

use serde_json::Value;
use sluice_lua::Script;
use sluice_plugin::patterns::fits;
use sluice_plugin::{ObjectRef, Problem, Settings};

use crate::object::Reads;

pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "check": {"type": "boolean"},
    "scripts": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["kind", "script"],
        "properties": {
          "name": {"type": "string"},
          "group": {"type": "string"},
          "kind": {"type": "string", "minLength": 1},
          "script": {"type": "string"}
        }
      }
    }
  }
}"#;

/// By these words a script may come to the clock.
const CLOCKS: [&str; 5] = ["os", "_G", "require", "load", "loadstring"];

/// All scripts, in the order in which they are looked at.
pub(crate) struct Scripts(Vec<Entry>);

/// One script.
pub(crate) struct Entry {
    name: String,
    group: String,
    kind: String,
    source: String,
    /// Parsed when it is run first; the others of an instance never are.
    parsed: OnceCell<Result<Parsed, String>>,
}

/// A script that can be run.
pub(crate) struct Parsed {
    pub(crate) script: Script,
    pub(crate) reads: Reads,
    pub(crate) looks_at_clock: bool,
}

impl Scripts {
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = settings.unknown(&["check", "scripts"]);
        let mut entries = Vec::new();
        let listed = match settings.get("scripts") {
            None => [].as_slice(),
            Some(Value::Array(list)) => list.as_slice(),
            Some(_) => {
                problems.push(Problem::new("/scripts", "it must be a list"));
                &[]
            }
        };
        for (index, listed) in listed.iter().enumerate() {
            match Entry::read(listed) {
                Ok(entry) => entries.push(entry),
                Err(reason) => problems.push(Problem::new(&format!("/scripts/{index}"), &reason)),
            }
        }
        if settings.get("check") == Some(&Value::Bool(true)) {
            for (index, entry) in entries.iter().enumerate() {
                if let Err(error) = entry.parsed() {
                    problems.push(Problem::new(&format!("/scripts/{index}"), error));
                }
            }
        }
        // One for just this kind first; the others by their patterns.
        entries.sort_by(|left, right| left.rank().cmp(&right.rank()));
        match problems.is_empty() {
            true => Ok(Self(entries)),
            false => Err(problems),
        }
    }

    /// The script for an object, if there is one.
    pub(crate) fn of(&self, object: &ObjectRef) -> Option<&Entry> {
        self.0
            .iter()
            .find(|entry| fits(&entry.group, &object.group) && fits(&entry.kind, &object.kind))
    }
}

impl Entry {
    fn read(value: &Value) -> Result<Self, String> {
        let text = |key: &str| match value.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{key}` must be a text")),
        };
        let group = text("group")?.unwrap_or_default();
        let kind = text("kind")?.ok_or("`kind` is missing: the kind of object that the script is for")?;
        let source = text("script")?.ok_or("`script` is missing: the text of the script")?;
        let name = text("name")?.unwrap_or_else(|| match group.is_empty() {
            true => format!("{kind}/health.lua"),
            false => format!("{group}/{kind}/health.lua"),
        });
        Ok(Self {
            name,
            group,
            kind,
            source,
            parsed: OnceCell::new(),
        })
    }

    fn rank(&self) -> (bool, &str, &str) {
        (
            self.group.contains('*') || self.kind.contains('*'),
            &self.group,
            &self.kind,
        )
    }

    /// The script, or what is wrong with it.
    pub(crate) fn parsed(&self) -> Result<&Parsed, &String> {
        let parsed = self.parsed.get_or_init(|| {
            let script =
                Script::parse(&self.name, self.source.as_bytes()).map_err(|error| one_line(&error))?;
            let reads = Reads::of(&script);
            let looks_at_clock = CLOCKS.iter().any(|word| script.names(word));
            Ok(Parsed {
                script,
                reads,
                looks_at_clock,
            })
        });
        parsed.as_ref()
    }
}

/// gopher-lua's messages about scripts are spaced out over lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
