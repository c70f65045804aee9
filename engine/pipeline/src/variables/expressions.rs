//! Expressions in settings: `<+env.name>` is replaced by what it stands for.
//!
//! What takes an expression's place is not read for expressions again. An expression that is all of a value within `valuesObject` keeps the
//! kind of its variable (a number stays a number); anywhere else its text is put in.

use std::collections::BTreeMap;

use serde_json::Value;

/// How an expression begins.
const BEGIN: &str = "<+";

/// What expressions stand for, by their names (`env.name`), each with where that is from.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<String, (Value, String)>);

impl Known {
    pub(super) fn set(&mut self, name: String, value: Value, from: &str) {
        self.0.insert(name, (value, from.to_owned()));
    }

    /// Every one, by name: what it stands for, and where that is from.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Value, &str)> {
        self.0
            .iter()
            .map(|(name, (value, from))| (&**name, value, &**from))
    }

    fn get(&self, name: &str) -> Result<&Value, String> {
        let known = self.0.get(name).map(|(value, _)| value);
        known.ok_or_else(|| {
            let group = name.split_once('.').map_or(name, |(group, _)| group);
            let in_group = |known: &&String| known.split_once('.').is_some_and(|(first, _)| first == group);
            let alike: Vec<String> = self
                .0
                .keys()
                .filter(in_group)
                .take(20)
                .map(|known| format!("`<+{known}>`"))
                .collect();
            let reason = format!("`<+{name}>` stands for nothing");
            match (alike.as_slice(), group) {
                ([], "env") => format!("{reason}: `spec.environment` says what `<+env.…>` stands for"),
                ([], "service") => format!("{reason}: `spec.service` says what `<+service.…>` stands for"),
                ([], _) => format!("{reason}: expressions begin with `env.`, `service.` or `cluster.`"),
                (alike, _) => format!("{reason}; there are {}", alike.join(", ")),
            }
        })
    }
}

/// An expression that was replaced, or cannot be: where, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) place: String,
    pub(super) name: String,
}

/// What became of the expressions of some settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) replaced: Vec<Replaced>,
    /// Where, and why not.
    pub(super) wrong: Vec<(String, String)>,
}

/// The part of a setting within which values keep their kind.
const TYPED: &str = "valuesObject";

/// Replaces the expressions in all texts of some settings.
pub(super) fn replace(value: &mut Value, place: &str, known: &Known, outcome: &mut Outcome) {
    walk(value, place, false, known, outcome);
}

fn walk(value: &mut Value, place: &str, is_typed: bool, known: &Known, outcome: &mut Outcome) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if let Some(replaced) = replaced(text, place, is_typed, known, outcome) {
                *value = replaced;
            }
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter_mut().enumerate() {
                walk(entry, &format!("{place}[{index}]"), is_typed, known, outcome);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_typed = is_typed || name == TYPED;
                walk(value, &format!("{place}.{name}"), is_typed, known, outcome);
            }
        }
    }
}

/// A text with its expressions replaced; none if it has none.
fn replaced(text: &str, place: &str, is_typed: bool, known: &Known, outcome: &mut Outcome) -> Option<Value> {
    if !text.contains(BEGIN) {
        return None;
    }
    let mut whole = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find(BEGIN) {
        let (before, from) = rest.split_at(at);
        let Some(name) = name(from) else {
            let (passed, after) = rest.split_at(at + BEGIN.len());
            whole.push_str(passed);
            rest = after;
            continue;
        };
        found = true;
        whole.push_str(before);
        rest = from.get(BEGIN.len() + name.len() + 1..).unwrap_or_default();
        let is_all = before.is_empty() && rest.is_empty() && whole.is_empty();
        let value = match known.get(name) {
            Ok(value) => value,
            Err(reason) => {
                outcome.wrong.push((place.to_owned(), reason));
                continue;
            }
        };
        outcome.replaced.push(Replaced {
            place: place.to_owned(),
            name: name.to_owned(),
        });
        if is_all && is_typed {
            return Some(value.clone());
        }
        match value {
            Value::String(text) => whole.push_str(text),
            Value::Bool(_) | Value::Number(_) => whole.push_str(&value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let reason = format!("`<+{name}>` is no single value, and cannot be a part of a text");
                outcome.wrong.push((place.to_owned(), reason));
            }
        }
    }
    whole.push_str(rest);
    found.then_some(Value::String(whole))
}

/// True if a text has an expression in it.
pub(crate) fn has_expression(text: &str) -> bool {
    text.match_indices(BEGIN)
        .any(|(at, _)| text.get(at..).and_then(name).is_some())
}

/// The name of the expression that a text begins with; none if it only looks like the beginning of one.
fn name(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix(BEGIN)?.split_once('>')?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_letter)).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        let mut known = Known::default();
        for (name, value) in [
            ("env.name", json!("prod")),
            ("env.variables.replicas", json!(3)),
            ("env.variables.zones", json!(["a", "b"])),
            ("env.variables.tricky", json!("<+env.name>")),
            ("cluster.name", json!("eu-1")),
        ] {
            known.set(name.to_owned(), value, "here");
        }
        known
    }

    #[test]
    fn expressions_are_replaced_where_they_stand() {
        let cases = [
            (json!("apps/<+env.name>/<+cluster.name>"), json!("apps/prod/eu-1")),
            (json!("replicas: <+env.variables.replicas>"), json!("replicas: 3")),
            (json!("<+env.variables.replicas>"), json!("3")),
            (
                json!({"valuesObject": {"replicas": "<+env.variables.replicas>"}}),
                json!({"valuesObject": {"replicas": 3}}),
            ),
            (
                json!({"valuesObject": {"zones": "<+env.variables.zones>"}}),
                json!({"valuesObject": {"zones": ["a", "b"]}}),
            ),
            (
                json!({"valuesObject": {"n": "n<+env.variables.replicas>"}}),
                json!({"valuesObject": {"n": "n3"}}),
            ),
            // Only what stands in the settings is an expression.
            (json!("<+env.variables.tricky>"), json!("<+env.name>")),
            (
                json!("a <+ b, <+>, <+x y>, <+env.name"),
                json!("a <+ b, <+>, <+x y>, <+env.name"),
            ),
            (json!("<+<+env.name>"), json!("<+prod")),
            (json!("ü<+env.name>ü"), json!("üprodü")),
            (json!(5), json!(5)),
        ];
        for (mut value, expected) in cases {
            let mut outcome = Outcome::default();
            let before = value.clone();
            replace(&mut value, "spec.source", &known(), &mut outcome);
            assert_eq!(value, expected, "{before}");
            assert_eq!(outcome.wrong, [], "{before}");
        }
    }

    #[test]
    fn what_stands_for_nothing_is_an_error_with_its_place() {
        let mut value = json!({"helm": {"parameters": [{"value": "<+env.nam>-<+service.name>"}]},
            "path": "<+pipeline.x>", "b": "x<+env.variables.zones>"});
        let mut outcome = Outcome::default();
        replace(&mut value, "spec.source", &known(), &mut outcome);
        let wrong: Vec<String> = outcome
            .wrong
            .iter()
            .map(|(place, reason)| format!("{place}: {reason}"))
            .collect();
        assert_eq!(
            wrong,
            [
                "spec.source.b: `<+env.variables.zones>` is no single value, and cannot be a part of a text",
                "spec.source.helm.parameters[0].value: `<+env.nam>` stands for nothing; there are `<+env.name>`, \
                 `<+env.variables.replicas>`, `<+env.variables.tricky>`, `<+env.variables.zones>`",
                "spec.source.helm.parameters[0].value: `<+service.name>` stands for nothing: `spec.service` says what \
                 `<+service.…>` stands for",
                "spec.source.path: `<+pipeline.x>` stands for nothing: expressions begin with `env.`, `service.` or `cluster.`",
            ]
        );
    }

    #[test]
    fn only_whole_expressions_are_seen() {
        for (text, has) in [
            ("<+a.b>", true),
            ("x<+ <+a>", true),
            ("<+>", false),
            ("<+a b>", false),
            ("<+a", false),
        ] {
            assert_eq!(has_expression(text), has, "{text}");
        }
    }

    #[test]
    fn whatever_is_written_is_passed_on_or_replaced() {
        let text = "<+<+env.name>ü<+env.variables.replicas><+ <+>><+cluster.name<+ü>";
        let ends: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        for from in &ends {
            for part in ends.iter().filter_map(|to| text.get(*from..*to)) {
                let mut value = json!(part);
                let mut outcome = Outcome::default();
                replace(&mut value, "", &known(), &mut outcome);
                assert_eq!(
                    has_expression(part),
                    value != json!(part) || !outcome.wrong.is_empty(),
                    "{part}"
                );
            }
        }
    }
}
