//! Where in an object something is, and which places are not looked at.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// One part of the way from an object's root.
#[derive(Debug, Clone)]
pub(crate) enum Part<'a> {
    /// A field of a map.
    Field(&'a str),
    /// An entry of a list that is one value.
    Index(usize),
    /// An entry of a list that is matched by keys, and its index in the desired list.
    Entry {
        keys: Vec<(&'a str, Value)>,
        index: Option<usize>,
    },
    /// A member of a set.
    Member(&'a Value),
}

/// RFC 6901, with keyed entries as `[name=web]`.
pub(crate) fn pointer(path: &[Part<'_>]) -> String {
    let mut text = String::new();
    for part in path {
        text.push('/');
        text.push_str(&token(part).replace('~', "~0").replace('/', "~1"));
    }
    text
}

/// A part without escapes.
fn token(part: &Part<'_>) -> String {
    match part {
        Part::Field(name) => (*name).to_owned(),
        Part::Index(index) => index.to_string(),
        Part::Entry { keys, .. } => {
            let mut text = String::from("[");
            for (index, (key, value)) in keys.iter().enumerate() {
                let separator = if index == 0 { "" } else { "," };
                let _infallible = write!(text, "{separator}{key}={}", plain(value));
            }
            text + "]"
        }
        Part::Member(value) => format!("[{}]", plain(value)),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Places that are not compared.
pub(crate) struct Ignored(Vec<Vec<String>>);

impl Ignored {
    /// Reads RFC 6901 pointers. The empty one would hide the whole object and is passed over.
    pub(crate) fn new(pointers: &[String]) -> Self {
        let parse = |pointer: &String| -> Vec<String> {
            pointer
                .trim_start_matches('/')
                .split('/')
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect()
        };
        Self(
            pointers
                .iter()
                .filter(|pointer| !pointer.trim_matches('/').is_empty())
                .map(parse)
                .collect(),
        )
    }

    /// True where one of the pointers names exactly this place; what is below it is then never reached.
    pub(crate) fn has(&self, path: &[Part<'_>]) -> bool {
        self.0.iter().any(|pattern| {
            pattern.len() == path.len()
                && pattern
                    .iter()
                    .zip(path)
                    .all(|(wanted, part)| matches(wanted, part))
        })
    }

    /// The pointers, taken apart.
    pub(crate) fn patterns(&self) -> &[Vec<String>] {
        &self.0
    }
}

fn matches(wanted: &str, part: &Part<'_>) -> bool {
    wanted == "*"
        || match part {
            Part::Field(name) => wanted == *name,
            Part::Index(index) => wanted.parse() == Ok(*index),
            Part::Entry { index, .. } => {
                (index.is_some() && wanted.parse().ok() == *index) || wanted == token(part)
            }
            Part::Member(_) => wanted == token(part),
        }
}

/// The entry of a list that a part of a pointer names: by index, or by keys as in `[name=web]`.
pub(crate) fn entry_named(wanted: &str, entries: &[Value]) -> Option<usize> {
    if let Ok(index) = wanted.parse::<usize>() {
        return (index < entries.len()).then_some(index);
    }
    let keys = wanted.strip_prefix('[')?.strip_suffix(']')?;
    let fits = |entry: &Map<String, Value>| {
        keys.split(',').all(|pair| {
            pair.split_once('=')
                .is_some_and(|(key, value)| entry.get(key).is_some_and(|found| plain(found) == value))
        })
    };
    entries
        .iter()
        .position(|entry| entry.as_object().is_some_and(fits))
}
