//! The schema of a plugin's settings: what it may be, and whether settings fit it.
//!
//! A schema is a stranger's program in a small language: references can make it exponentially large, patterns can cost seconds.
//! So [`Schema::parse`] takes only what is bounded: 64 KiB, `$ref` within the document and never in circles, no more than 10,000
//! nodes when every reference is written out, at most 50 patterns that compile to little (they are matched in linear time).
//! Checking settings then costs at most their size times that of the schema. Nothing is ever fetched.

use std::error::Error;
use std::sync::OnceLock;

use boon::{Compiler, Draft, SchemaIndex, Schemas, UrlLoader, ValidationError};
use regex::RegexBuilder;
use serde_json::{Map, Value};

use crate::state::one_line;

/// The largest schema, as text. The standard plugins' have 1–2 KB.
const TEXT_BYTES: usize = 64 << 10;
/// Nodes of a schema whose references are written out.
const NODES: usize = 10_000;
/// How deep it may be; also what ends a reference to itself.
const DEPTH: usize = 64;
/// Patterns of a schema, and what each may compile to.
const PATTERNS: usize = 50;
const PATTERN_BYTES: usize = 256 << 10;
/// The schema's own address: nothing is there.
const ADDRESS: &str = "https://settings.invalid/schema.json";

/// A schema that settings can be checked against.
pub(crate) struct Schema {
    document: Value,
    /// Made when settings are first checked: the compiler needs some megabytes for itself.
    compiled: OnceLock<Result<(Schemas, SchemaIndex), String>>,
    /// It is one of ours, and none of ours wants any settings.
    ours: bool,
}

impl Schema {
    /// Checks and compiles a schema. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let schema = Self::read(text, false)?;
        schema.compiled().map_err(str::to_owned)?;
        Ok(schema)
    }

    /// As [`Schema::parse`], for one of ours: it is compiled when there are settings.
    pub(crate) fn ours(text: &str) -> Result<Self, String> {
        Self::read(text, true)
    }

    fn read(text: &str, ours: bool) -> Result<Self, String> {
        if text.len() > TEXT_BYTES {
            return Err(format!(
                "it has {} bytes; at most {TEXT_BYTES} are taken",
                text.len()
            ));
        }
        let document: Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        if !document.is_object() {
            return Err("it is no JSON object".to_owned());
        }
        let mut survey = Survey {
            root: &document,
            nodes: 0,
            patterns: 0,
        };
        survey.visit(&document, 0)?;
        Ok(Self {
            document,
            compiled: OnceLock::new(),
            ours,
        })
    }

    fn compiled(&self) -> Result<&(Schemas, SchemaIndex), &str> {
        let compiled = self.compiled.get_or_init(|| {
            let mut compiled = Schemas::new();
            let mut compiler = Compiler::new();
            compiler.set_default_draft(Draft::V2020_12);
            compiler.use_loader(Box::new(Nowhere));
            let wrong = |error: boon::CompileError| one_line(&error.to_string());
            let document = self.document.clone();
            compiler.add_resource(ADDRESS, document).map_err(wrong)?;
            let root = compiler.compile(ADDRESS, &mut compiled).map_err(wrong)?;
            Ok((compiled, root))
        });
        compiled.as_ref().map_err(String::as_str)
    }

    /// The schema itself.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// What is wrong with settings, one line each with the pointer first; empty where they fit.
    pub(crate) fn problems(&self, settings: &Map<String, Value>) -> Vec<String> {
        if self.ours && settings.is_empty() {
            return Vec::new();
        }
        let settings = Value::Object(settings.clone());
        let mut found = Vec::new();
        match self.compiled() {
            Ok((compiled, root)) => {
                if let Err(error) = compiled.validate(&settings, *root) {
                    leaves(&error, &mut found);
                }
            }
            Err(reason) => found.push(format!("the settings schema: {reason}")),
        }
        found
    }
}

/// The innermost errors: what contains them only repeats that something is wrong.
fn leaves(error: &ValidationError<'_, '_>, found: &mut Vec<String>) {
    if error.causes.is_empty() {
        found.push(format!("`{}`: {}", error.instance_location, error.kind));
    }
    error.causes.iter().for_each(|cause| leaves(cause, found));
}

/// Refuses to load anything.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<Value, Box<dyn Error>> {
        Err(format!("`{url}` is not part of the schema").into())
    }
}

/// Counts what a schema comes to.
struct Survey<'a> {
    root: &'a Value,
    nodes: usize,
    patterns: usize,
}

impl<'a> Survey<'a> {
    fn visit(&mut self, node: &'a Value, depth: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(format!("it comes to more than {NODES} nodes"));
        }
        if depth > DEPTH {
            return Err(format!("it is deeper than {DEPTH}, or refers to itself"));
        }
        match node {
            Value::Object(map) => map
                .iter()
                .try_for_each(|(key, value)| self.keyword(key, value, depth)),
            Value::Array(list) => list.iter().try_for_each(|entry| self.visit(entry, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn keyword(&mut self, key: &str, value: &'a Value, depth: usize) -> Result<(), String> {
        match (key, value) {
            ("$ref", Value::String(reference)) => {
                let target = reference
                    .strip_prefix('#')
                    .filter(|pointer| !pointer.contains('%'));
                let target = target.and_then(|pointer| self.root.pointer(pointer));
                let target = target.ok_or_else(|| {
                    format!("`{}` is no pointer into the schema itself", one_line(reference))
                })?;
                self.visit(target, depth + 1)
            }
            ("$dynamicRef" | "$recursiveRef" | "$id" | "$anchor" | "$dynamicAnchor", Value::String(_)) => {
                Err(format!("`{key}` is not taken: refer by `#/…`"))
            }
            ("pattern", Value::String(pattern)) => self.pattern(pattern),
            ("patternProperties", Value::Object(map)) => {
                map.keys().try_for_each(|pattern| self.pattern(pattern))?;
                self.visit(value, depth + 1)
            }
            _ => self.visit(value, depth + 1),
        }
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), String> {
        self.patterns += 1;
        if self.patterns > PATTERNS {
            return Err(format!("it has more than {PATTERNS} patterns"));
        }
        match RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build() {
            Ok(_) => Ok(()),
            Err(error) => Err(one_line(&format!("the pattern `{pattern}`: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: &Value, words: &str) {
        match Schema::parse(&schema.to_string()) {
            Ok(_) => panic!("taken: {schema}"),
            Err(reason) => assert!(reason.contains(words), "{reason}"),
        }
    }

    #[test]
    fn problems_say_where_and_what() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$"},
                "limits": {"type": "array", "items": {"$ref": "#/$defs/limit"}},
            },
            "$defs": {"limit": {"type": "integer", "minimum": 1}},
        });
        let schema = Schema::parse(&schema.to_string()).unwrap();
        let check = |settings: Value, want: &[&str]| {
            assert_eq!(schema.problems(settings.as_object().unwrap()), want, "{settings}");
        };
        check(json!({"name": "a", "limits": [1, 2]}), &[]);
        check(json!({}), &["``: missing properties 'name'"]);
        check(
            json!({"name": "A"}),
            &["`/name`: 'A' does not match pattern '^[a-z]+$'"],
        );
        check(
            json!({"name": "a", "limits": [1, 0, "x"]}),
            &[
                "`/limits/1`: must be >=1, but got 0",
                "`/limits/2`: want integer, but got string",
            ],
        );
        check(
            json!({"name": "a", "other~/": 1}),
            &["``: additionalProperties 'other~/' not allowed"],
        );
    }

    #[test]
    fn what_would_cost_too_much_is_no_schema() {
        // Each level doubles: a million nodes, written out.
        let mut definitions = Map::new();
        for level in 0..20 {
            let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
            definitions.insert(level.to_string(), json!({"allOf": [next, next]}));
        }
        definitions.insert("20".to_owned(), json!({}));
        refused(&json!({"$ref": "#/$defs/0", "$defs": definitions}), "10000 nodes");
        refused(&json!({"properties": {"a": {"$ref": "#"}}}), "refers to itself");
        refused(&json!({"$ref": "#"}), "refers to itself");
        refused(&json!({"pattern": "(((a{100}){100}){100}){100}"}), "the pattern");
        refused(&json!({"pattern": r"(a)\1"}), "the pattern");
        let many: Vec<Value> = (0..51).map(|_| json!({"pattern": "a"})).collect();
        refused(&json!({"anyOf": many}), "50 patterns");
        refused(&json!({"description": "x".repeat(TEXT_BYTES)}), "at most 65536");
    }

    #[test]
    fn nothing_is_fetched() {
        refused(
            &json!({"$ref": "https://example.com/schema.json"}),
            "into the schema itself",
        );
        refused(&json!({"$ref": "file:///etc/passwd"}), "into the schema itself");
        refused(&json!({"$id": "file:///etc/passwd"}), "`$id`");
        refused(&json!({"$schema": "file:///etc/passwd"}), "");
        refused(&json!([]), "no JSON object");
        refused(&json!({"type": 7}), "");
    }
}
