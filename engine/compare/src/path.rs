//! Where in an object something is, and which places are not looked at.

use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::{Map, Value};

/// One part of the way from an object's root.
#[derive(Debug, Clone)]
pub(crate) enum Part<'a> {
    /// A field of a map.
    Field(&'a str),
    /// An entry of a list that is one value.
    Index(usize),
    /// An entry of a list that is matched by keys.
    Entry(Entry<'a>),
    /// A member of a set, and its index in the live list.
    Member { value: &'a Value, live: Option<usize> },
}

/// An entry of a list that is matched by keys. What it is called is only worked out when it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    /// The fields that are its keys.
    pub(crate) names: Rc<[&'a str]>,
    /// As Git gives it, and its index.
    pub(crate) desired: Option<(usize, &'a Map<String, Value>)>,
    /// As the cluster has it, and its index.
    pub(crate) live: Option<(usize, &'a Map<String, Value>)>,
}

impl<'a> Entry<'a> {
    /// Its keys: as Git gives them, and otherwise as the cluster has them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let sides = [self.desired, self.live];
        let find = move |name: &str| sides.iter().flatten().find_map(|(_, fields)| fields.get(name));
        self.names
            .iter()
            .copied()
            .filter_map(move |name| Some((name, find(name)?)))
    }
}

/// One step from a live value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Field(String),
    /// An entry that the live list has.
    Entry(usize),
    /// A new entry of a list.
    Append,
}

/// The same way in the live object.
pub(crate) fn steps(path: &[Part<'_>]) -> Vec<Step> {
    let there = |index: Option<usize>| index.map_or(Step::Append, Step::Entry);
    path.iter()
        .map(|part| match part {
            Part::Field(name) => Step::Field((*name).to_owned()),
            Part::Index(_) => Step::Append,
            Part::Entry(entry) => there(entry.live.map(|(index, _)| index)),
            Part::Member { live, .. } => there(*live),
        })
        .collect()
}

/// The same way in the record of managers, as the server writes it; none where the record has no such place.
pub(crate) fn keys(path: &[Part<'_>]) -> Option<Vec<String>> {
    path.iter()
        .map(|part| match part {
            Part::Field(name) => Some(format!("f:{name}")),
            Part::Entry(entry) => {
                let (_, live) = entry.live?;
                let keys: Map<String, Value> = entry
                    .names
                    .iter()
                    .filter_map(|name| live.get_key_value(*name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                Some(format!("k:{}", Value::Object(keys)))
            }
            Part::Index(_) | Part::Member { .. } => None,
        })
        .collect()
}

/// The place in a value that a pointer of a change names, as steps; where the value has no such entry of a list, a new one.
pub(crate) fn steps_to(value: &Value, pointer: &str) -> Vec<Step> {
    let mut at = Some(value);
    let parts = pointer.split('/').skip(1);
    parts
        .map(|part| {
            let part = part.replace("~1", "/").replace("~0", "~");
            match at {
                Some(Value::Array(entries)) => {
                    let index = entry_named(&part, entries).or_else(|| member_named(&part, entries));
                    at = index.and_then(|index| entries.get(index));
                    index.map_or(Step::Append, Step::Entry)
                }
                Some(_) | None => {
                    at = at.and_then(|value| value.get(&part));
                    Step::Field(part)
                }
            }
        })
        .collect()
}

/// What a value has at the place that a pointer of a change names.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    steps_to(value, pointer)
        .iter()
        .try_fold(value, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Entry(index) => value.get(*index),
            Step::Append => None,
        })
}

/// The member of a set that a part of a pointer names.
fn member_named(wanted: &str, entries: &[Value]) -> Option<usize> {
    let member = wanted.strip_prefix('[')?.strip_suffix(']')?;
    entries.iter().position(|entry| plain(entry) == member)
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
        Part::Entry(entry) => {
            let mut text = String::from("[");
            for (index, (key, value)) in entry.keys().enumerate() {
                let separator = if index == 0 { "" } else { "," };
                let _infallible = write!(text, "{separator}{key}={}", plain(value));
            }
            text + "]"
        }
        Part::Member { value, .. } => format!("[{}]", plain(value)),
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
            Part::Entry(entry) => {
                let index = entry.desired.map(|(index, _)| index);
                (index.is_some() && wanted.parse().ok() == index) || wanted == token(part)
            }
            Part::Member { .. } => wanted == token(part),
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
