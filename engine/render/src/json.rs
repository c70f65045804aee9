//! JSON as it stands in manifests: a stream of values, in which no key is given twice.
//!
//! Read as JSON rather than as YAML, because YAML reads `"\ud83d\ude00"` differently.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::Problem;
use crate::parse::{At, Wrong};
use crate::scalar;

/// What a text has of JSON values from its beginning on.
pub(crate) struct Values {
    /// The values, each with the place where it begins.
    pub(crate) found: Vec<(Value, At)>,
    /// Where the last of them ends.
    pub(crate) end: usize,
    /// Why there are no more, where the text goes on.
    pub(crate) stop: Option<Stop>,
}

/// What keeps a text from being JSON.
pub(crate) enum Stop {
    /// It is not, from here on.
    NotJson(Wrong),
    /// It is, and is refused all the same.
    Refused(Wrong),
}

/// Reads the values that a text begins with.
pub(crate) fn values(text: &str) -> Values {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Strict>();
    let mut values = Values {
        found: Vec::new(),
        end: 0,
        stop: None,
    };
    loop {
        let rest = text.get(stream.byte_offset()..).unwrap_or_default();
        let start = text.len() - rest.trim_start().len();
        match stream.next() {
            None => return values,
            Some(Ok(Strict(value))) => {
                values.found.push((value, place(text, start)));
                values.end = stream.byte_offset();
            }
            Some(Err(error)) => {
                values.stop = Some(stop(&error));
                return values;
            }
        }
    }
}

fn place(text: &str, offset: usize) -> At {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    At {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

/// Marks the message of a duplicate key, since an error of serde carries nothing but text.
const DUPLICATE: &str = "\u{0}duplicate\u{0}";

fn stop(error: &serde_json::Error) -> Stop {
    let clamp = |number: usize| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
    let at = At {
        line: clamp(error.line()),
        column: clamp(error.column()),
    };
    let full = error.to_string();
    let reason = full
        .rsplit_once(" at line ")
        .map_or(full.as_str(), |(reason, _)| reason);
    if let Some((_, key)) = reason.split_once(DUPLICATE) {
        let problem = Problem::DuplicateKey {
            key: key.to_owned(),
            first_line: 0,
        };
        return Stop::Refused(Wrong { at, problem });
    }
    let reason = format!("JSON: {reason}");
    if reason.contains("recursion limit") {
        let problem = Problem::TooLarge { reason };
        return Stop::Refused(Wrong { at, problem });
    }
    let problem = Problem::Syntax { reason };
    match REFUSED.iter().any(|refused| full.contains(refused)) {
        true => Stop::Refused(Wrong { at, problem }),
        false => Stop::NotJson(Wrong { at, problem }),
    }
}

/// Half a character as an escape, which Go replaces by U+FFFD; and numbers that no double holds.
const REFUSED: [&str; 3] = ["surrogate", "hex escape", "number out of range"];

/// A value in which no key is given twice and whole numbers are integers.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(value.into()),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        scalar::number(value).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Strict(value)) = access.next_element()? {
            entries.push(value);
        }
        Ok(Value::Array(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("{DUPLICATE}{key}")));
            }
            let Strict(value) = access.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
