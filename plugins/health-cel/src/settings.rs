//! The settings: which expressions there are for which kinds.

use serde_json::{Map, Value};
use sluice_cel::{Limits, Meter, Program};
use sluice_plugin::{Problem, Settings, Verdict};

use crate::fields::Reads;
use crate::rules::{Check, Expression, Message, Rule, Status, status};

pub(crate) const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "healthCheckExprs": {
      "description": "As in Flux's Kustomization.",
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind", "current"],
        "properties": {
          "apiVersion": {"type": "string", "minLength": 1},
          "kind": {"type": "string", "minLength": 1},
          "current": {"$ref": "#/$defs/expression"},
          "inProgress": {"$ref": "#/$defs/expression"},
          "failed": {"$ref": "#/$defs/expression"},
          "staleGeneration": {"$ref": "#/$defs/staleGeneration"}
        }
      }
    },
    "rules": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["kind", "checks"],
        "properties": {
          "group": {"type": "string"},
          "kind": {"type": "string", "minLength": 1},
          "checks": {
            "description": "The first whose `when` is true gives its status.",
            "type": "array",
            "items": {
              "type": "object",
              "additionalProperties": false,
              "required": ["when", "status"],
              "properties": {
                "when": {"$ref": "#/$defs/expression"},
                "status": {"$ref": "#/$defs/status"},
                "message": {"type": "string"},
                "messageExpression": {"$ref": "#/$defs/expression"}
              }
            }
          },
          "otherwise": {"$ref": "#/$defs/status"},
          "staleGeneration": {"$ref": "#/$defs/staleGeneration"}
        }
      }
    }
  },
  "$defs": {
    "expression": {"description": "An expression of CEL over the object.", "type": "string", "minLength": 1},
    "status": {"enum": ["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]},
    "staleGeneration": {
      "description": "What an object is whose controller has not seen its newest spec; progressing by default.",
      "enum": ["progressing", "ignore"]
    }
  }
}"##;

/// Longer expressions are cut in messages.
const SHOWN: usize = 120;

/// Reads the settings; the engine has held them against [`SCHEMA`], tests and other hosts may not have.
pub(crate) fn read(settings: &Settings) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut reader = Reader {
        problems: settings.unknown(&["healthCheckExprs", "rules"]),
        meter: Meter::new(Limits::default()),
    };
    let mut rules = Vec::new();
    for (key, read) in [
        (
            "healthCheckExprs",
            Reader::flux as fn(&mut Reader, &str, &Map<String, Value>) -> Option<Rule>,
        ),
        ("rules", Reader::rule),
    ] {
        for (at, entry) in reader.list(key, settings.get(key)) {
            rules.extend(read(&mut reader, &at, entry));
        }
    }
    match reader.problems.is_empty() {
        true => Ok(rules),
        false => Err(reader.problems),
    }
}

/// Collects all that is wrong.
struct Reader {
    problems: Vec<Problem>,
    /// For all expressions together.
    meter: Meter,
}

impl Reader {
    /// The entries of a list, which are maps, each with its pointer.
    fn list<'a>(&mut self, key: &str, list: Option<&'a Value>) -> Vec<(String, &'a Map<String, Value>)> {
        let entries = match list {
            None => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.problem(&format!("/{key}"), "it must be a list");
                return Vec::new();
            }
        };
        let mut maps = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("/{key}/{index}");
            match entry {
                Value::Object(map) => maps.push((at, map)),
                _ => self.problem(&at, "it must be a map"),
            }
        }
        maps
    }

    /// An entry as Flux has it.
    fn flux(&mut self, at: &str, entry: &Map<String, Value>) -> Option<Rule> {
        self.known(
            at,
            entry,
            &[
                "apiVersion",
                "kind",
                "current",
                "inProgress",
                "failed",
                "staleGeneration",
            ],
        );
        let api_version = self.needed(at, entry, "apiVersion");
        let kind = self.needed(at, entry, "kind");
        if !entry.contains_key("current") {
            self.problem(
                at,
                "`current` is missing: the expression that is true of a healthy object",
            );
        }
        let mut checks = Vec::new();
        let order: [(&str, Status); 3] = [
            ("inProgress", Verdict::Progressing),
            ("failed", Verdict::Degraded),
            ("current", Verdict::Healthy),
        ];
        for (key, status) in order {
            let Some(source) = self.text(at, entry, key) else {
                continue;
            };
            let message = match key {
                "current" => String::new(),
                key => format!("`{key}` is true: {}", shown(source)),
            };
            checks.extend(self.expression(at, key, source).map(|when| Check {
                when,
                status,
                message: Message::Text(message),
            }));
        }
        let group = api_version?.rsplit_once('/').map_or("", |(group, _)| group);
        self.finished(at, entry, group, kind?, checks, Verdict::Progressing)
    }

    /// An entry of our own form.
    fn rule(&mut self, at: &str, entry: &Map<String, Value>) -> Option<Rule> {
        self.known(
            at,
            entry,
            &["group", "kind", "checks", "otherwise", "staleGeneration"],
        );
        let group = self.text(at, entry, "group").unwrap_or_default();
        let kind = self.needed(at, entry, "kind");
        let otherwise = match self.text(at, entry, "otherwise") {
            Some(name) => self.status(&format!("{at}/otherwise"), name),
            None => Some(Verdict::Progressing as Status),
        };
        if !entry.contains_key("checks") {
            self.problem(at, "`checks` is missing: a list of `when` and `status`");
        }
        let mut checks = Vec::new();
        let key = format!("{}/checks", at.trim_start_matches('/'));
        for (at, check) in self.list(&key, entry.get("checks")) {
            checks.extend(self.check(&at, check));
        }
        self.finished(at, entry, group, kind?, checks, otherwise?)
    }

    fn check(&mut self, at: &str, check: &Map<String, Value>) -> Option<Check> {
        self.known(at, check, &["when", "status", "message", "messageExpression"]);
        let when = self.needed(at, check, "when");
        let when = when.and_then(|source| self.expression(at, "when", source));
        let status = self.needed(at, check, "status");
        let status = status.and_then(|name| self.status(&format!("{at}/status"), name));
        let text = self.text(at, check, "message");
        let message = match self.text(at, check, "messageExpression") {
            Some(source) => {
                if text.is_some() {
                    self.problem(
                        at,
                        "there is a `message` beside `messageExpression`: leave one of them out",
                    );
                }
                Message::Expression(self.expression(at, "messageExpression", source)?)
            }
            None => Message::Text(text.unwrap_or_default().to_owned()),
        };
        Some(Check {
            when: when?,
            status: status?,
            message,
        })
    }

    fn finished(
        &mut self,
        at: &str,
        entry: &Map<String, Value>,
        group: &str,
        kind: &str,
        checks: Vec<Check>,
        otherwise: Status,
    ) -> Option<Rule> {
        let waits_for_generation = match self.text(at, entry, "staleGeneration") {
            None | Some("progressing") => true,
            Some("ignore") => false,
            Some(_) => {
                self.problem(
                    &format!("{at}/staleGeneration"),
                    "it is `progressing` or `ignore`",
                );
                return None;
            }
        };
        let programs = checks.iter().flat_map(|check| {
            let message = match &check.message {
                Message::Expression(expression) => Some(&expression.program),
                Message::Text(_) => None,
            };
            [Some(&check.when.program), message].into_iter().flatten()
        });
        let reads = Reads::of(programs);
        Some(Rule {
            group: group.to_owned(),
            kind: kind.to_owned(),
            waits_for_generation,
            checks,
            otherwise,
            reads,
        })
    }

    fn expression(&mut self, at: &str, key: &str, source: &str) -> Option<Expression> {
        let pointer = format!("{at}/{key}");
        match Program::parse(source, &self.meter) {
            Ok(program) => Some(Expression {
                place: pointer,
                program,
            }),
            Err(mistake) => {
                self.problem(&pointer, &format!("{mistake}, in: {}", shown(source)));
                None
            }
        }
    }

    fn status(&mut self, at: &str, name: &str) -> Option<Status> {
        let status = status(name);
        if status.is_none() {
            let known = "Healthy, Progressing, Degraded, Suspended, Missing, Unknown";
            self.problem(at, &format!("there is no status `{name}`; there are: {known}"));
        }
        status
    }

    /// A text that has to be there.
    fn needed<'a>(&mut self, at: &str, entry: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        if !entry.contains_key(key) {
            self.problem(at, &format!("`{key}` is missing"));
        }
        self.text(at, entry, key)
    }

    fn text<'a>(&mut self, at: &str, entry: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        match entry.get(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.problem(&format!("{at}/{key}"), "it must be a text");
                None
            }
        }
    }

    /// A misspelt key must not go unnoticed.
    fn known(&mut self, at: &str, entry: &Map<String, Value>, known: &[&str]) {
        for key in entry.keys().filter(|key| !known.contains(&key.as_str())) {
            let there_are = known.join(", ");
            self.problem(
                &format!("{at}/{key}"),
                &format!("there is no such key; there are: {there_are}"),
            );
        }
    }

    fn problem(&mut self, pointer: &str, message: &str) {
        self.problems.push(Problem::new(pointer, message));
    }
}

/// An expression in one line.
fn shown(source: &str) -> String {
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}
