//! Variables in objects, once they are rendered: Flux's `postBuild`.
//!
//! As Flux does it: an object is written as YAML, the text is expanded ([`expand`]), and what comes out is read again. So a value decides
//! what type it has (`replicas: ${N}` becomes a number), also where the manifest has quotes; `${Q}5${Q}` with a `"` in `Q` keeps text.
//!
//! What a value of a Secret is put into is told ([`Substituted::secret`]), so that it can be hidden.

mod pattern;
mod template;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluice_model::object::Object;

use crate::decode::{Limits, decode_within};

pub use template::{TemplateError, expand};

/// The label or annotation that keeps an object as it is: `disabled`.
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The variables of an Application. `Debug` shows their names.
#[derive(Clone, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    secret: BTreeSet<String>,
    strict: bool,
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.values.keys()).finish()
    }
}

impl Variables {
    /// None yet. If `strict`, a variable that is not set and has no default is an error; otherwise it is empty.
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            ..Self::default()
        }
    }

    /// Sets a variable, whatever it was before. Line ends are left out of its value, as Flux does. Returns false if it is no name for one.
    pub fn set(&mut self, name: &str, value: &str, is_secret: bool) -> bool {
        if !is_variable(name) {
            return false;
        }
        self.values.insert(name.to_owned(), value.replace('\n', ""));
        match is_secret {
            true => drop(self.secret.insert(name.to_owned())),
            false => drop(self.secret.remove(name)),
        }
        true
    }

    /// True where none is set: then nothing is expanded at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All of them, each with its value and whether that is secret.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        let all = self.values.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str(), self.secret.contains(name)))
    }

    fn get(&self, name: &str) -> Option<String> {
        let value = self.values.get(name).cloned();
        value.or_else(|| (!self.strict).then(String::new))
    }
}

/// True for letters, digits and `_`, of which no digit is the first.
fn is_variable(name: &str) -> bool {
    let mut letters = name.bytes();
    letters
        .next()
        .is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && letters.all(|letter| letter == b'_' || letter.is_ascii_alphanumeric())
}

/// An object with its variables expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Substituted {
    /// The object.
    pub object: Object,
    /// The fields that a secret value went into: names, and `*` for an entry of a list.
    pub secret: Vec<Vec<String>>,
}

/// Why the variables of an object were not expanded. No value is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    /// An expression that is none, or a variable that is not set.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The values made something else of it.
    #[error(
        "with its variables in place it is no object any more: a value changes the structure of the YAML; quote it, or give it as it has to stand"
    )]
    NoObject,
}

/// Expands the variables of an object, unless it says that it is to stay as it is.
///
/// # Errors
/// [`SubstituteError`] for the first thing that is wrong.
pub fn substitute(object: &Object, variables: &Variables) -> Result<Substituted, SubstituteError> {
    let is_disabled = [object.annotation(SUBSTITUTE), object.label(SUBSTITUTE)].contains(&Some("disabled"));
    if variables.is_empty() || is_disabled {
        return Ok(Substituted {
            object: object.clone(),
            secret: Vec::new(),
        });
    }
    let unchanged = || Substituted {
        object: object.clone(),
        secret: Vec::new(),
    };
    let mut kept = Kept::default();
    let bare = kept.away(object.value());
    let text = serde_yaml::to_string(&bare).map_err(|_| SubstituteError::NoObject)?;
    if !text.contains('$') {
        return Ok(unchanged());
    }
    let used = RefCell::new(false);
    let mut look = |name: &str| {
        if variables.secret.contains(name) {
            *used.borrow_mut() = true;
        }
        variables.get(name)
    };
    let expanded = expand(&text, &mut look)?;
    let limits = Limits {
        last_of_equal_keys: false,
        ..Limits::default()
    };
    let mut read = decode_within("", expanded.as_bytes(), &limits).map_err(|_| SubstituteError::NoObject)?;
    let (Some(manifest), true) = (read.pop(), read.is_empty()) else {
        return Err(SubstituteError::NoObject);
    };
    let done = Object::new(kept.back(manifest.object.into_value())).map_err(|_| SubstituteError::NoObject)?;
    let mut secret = Vec::new();
    if used.into_inner() {
        places(object.value(), variables, &mut Vec::new(), &mut secret);
        if secret.is_empty() {
            // An expression that reaches over several fields.
            let all = done.value().as_object().into_iter().flat_map(|map| map.keys());
            let all = all.filter(|field| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
            secret.extend(all.map(|field| vec![field.clone()]));
        }
    }
    Ok(Substituted { object: done, secret })
}

/// Texts without a variable, kept aside while the others are expanded: they are what they are, however they would be written.
#[derive(Default)]
struct Kept(Vec<String>);

/// What stands for a text that is kept: a word that is text in YAML.
const KEPT: &str = "sluice0kept0";

impl Kept {
    fn away(&mut self, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => self.word(text).into(),
            Value::Array(entries) => entries.iter().map(|entry| self.away(entry)).collect(),
            Value::Object(map) => {
                let entries = map.iter().map(|(key, value)| {
                    // What tells the object is looked at before anything comes back.
                    let is_telling = matches!(key.as_str(), "apiVersion" | "kind" | "items");
                    let name = if is_telling { key.clone() } else { self.word(key) };
                    let value = match (is_telling, value) {
                        (true, Value::String(_)) => value.clone(),
                        _ => self.away(value),
                    };
                    (name, value)
                });
                Value::Object(entries.collect())
            }
        }
    }

    fn word(&mut self, text: &str) -> String {
        if text.contains('$') {
            return text.to_owned();
        }
        self.0.push(text.to_owned());
        format!("{KEPT}{:08}", self.0.len() - 1)
    }

    fn back(&self, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
            Value::String(text) => self.text(&text).into(),
            Value::Array(entries) => entries.into_iter().map(|entry| self.back(entry)).collect(),
            Value::Object(map) => {
                let entries = map
                    .into_iter()
                    .map(|(key, value)| (self.text(&key), self.back(value)));
                Value::Object(entries.collect())
            }
        }
    }

    fn text(&self, text: &str) -> String {
        let mut parts = text.split(KEPT);
        let mut written = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let number = part.get(..8).and_then(|number| number.parse::<usize>().ok());
            match number.and_then(|number| self.0.get(number)) {
                Some(kept) => {
                    written.push_str(kept);
                    written.push_str(part.get(8..).unwrap_or_default());
                }
                None => {
                    written.push_str(KEPT);
                    written.push_str(part);
                }
            }
        }
        written
    }
}

/// Whether a text has a secret variable in it; also where that cannot be told.
fn is_secret(text: &str, variables: &Variables) -> bool {
    if !text.contains("${") {
        return false;
    }
    let mut found = false;
    let mut look = |name: &str| {
        found |= variables.secret.contains(name);
        variables.get(name)
    };
    let outcome = expand(text, &mut look);
    found || outcome.is_err()
}

fn places(value: &Value, variables: &Variables, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) if is_secret(text, variables) => found.push(path.clone()),
        Value::String(_) => {}
        Value::Array(entries) => {
            path.push("*".to_owned());
            entries
                .iter()
                .for_each(|entry| places(entry, variables, path, found));
            path.pop();
        }
        Value::Object(map) => {
            if map.keys().any(|key| is_secret(key, variables)) {
                found.push(path.clone());
                return;
            }
            for (key, value) in map {
                path.push(key.clone());
                places(value, variables, path, found);
                path.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(data: Value) -> Object {
        Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}))
            .unwrap()
    }

    fn variables() -> Variables {
        let mut variables = Variables::new(false);
        for (name, value, is_secret) in [
            ("N", "3", false),
            ("TEXT", "one\ntwo", false),
            ("TOKEN", "s3cr3t-token", true),
            ("BAD", "a: b", false),
            ("Q", "\"", false),
        ] {
            assert!(variables.set(name, value, is_secret));
        }
        assert!(!variables.set("1a", "", false) && !variables.set("a-b", "", false));
        variables
    }

    #[test]
    fn values_decide_their_type_and_secrets_are_told() {
        let object = config(
            json!({"n": "${N}", "q": "${Q}${N}${Q}", "text": "${TEXT}", "list": ["x", "a ${TOKEN:-none} b"], "unset": "${X}"}),
        );
        let done = substitute(&object, &variables()).unwrap();
        assert_eq!(
            done.object.value()["data"],
            json!({"n": 3, "q": "3", "text": "onetwo", "list": ["x", "a s3cr3t-token b"], "unset": null})
        );
        assert_eq!(
            done.secret,
            vec![vec!["data".to_owned(), "list".to_owned(), "*".to_owned()]]
        );
        let text = format!("{:?}", variables());
        assert!(text.contains("TOKEN") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn what_is_disabled_stays() {
        for place in ["labels", "annotations"] {
            let object = Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", place: {SUBSTITUTE: "disabled"}}, "data": {"n": "${N}"}})).unwrap();
            assert_eq!(substitute(&object, &variables()).unwrap().object, object);
        }
    }

    #[test]
    fn what_breaks_the_object_is_refused_without_quoting() {
        let mut variables = variables();
        variables.set("BREAK", "]s3cr3t: [", true);
        let error = substitute(&config(json!({"a": "x ${BREAK} #"})), &variables);
        if let Err(error) = error {
            assert!(!error.to_string().contains("s3cr3t"));
        }
        let error = substitute(&config(json!({"a": "${BAD}"})), &variables).unwrap_err();
        assert_eq!(error, SubstituteError::NoObject);
        let mut strict = Variables::new(true);
        strict.set("N", "3", false);
        let error = substitute(&config(json!({"a": "${X}"})), &strict).unwrap_err();
        assert!(error.to_string().contains("`X`"), "{error}");
    }
}
