//! Values.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::time::Timestamp;
use crate::{Failure, Meter};

/// Any value. Cheap to clone: what is large is shared.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `uint`.
    Uint(u64),
    /// A `double`.
    Double(f64),
    /// A `string`.
    Text(Rc<str>),
    /// `bytes`.
    Bytes(Rc<[u8]>),
    /// A `list`.
    List(Rc<[Value]>),
    /// A `map`.
    Map(Rc<Map>),
    /// A `google.protobuf.Timestamp`.
    Timestamp(Timestamp),
    /// A `google.protobuf.Duration`, in nanoseconds.
    Duration(i64),
    /// An `optional_type`.
    Optional(Option<Rc<Value>>),
    /// A type, by its name.
    Type(&'static str),
}

/// The entries of a map, in the order of their keys: cel-go's order is by chance.
pub type Map = BTreeMap<Key, Value>;

/// The key of a map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `true` or `false`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `uint`.
    Uint(u64),
    /// A `string`.
    Text(Rc<str>),
}

/// The types that an expression may name.
pub(crate) const TYPES: [&str; 11] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "optional_type",
    "string",
    "type",
    "uint",
];

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// A list.
    pub fn list(entries: Vec<Value>) -> Self {
        Self::List(entries.into())
    }

    /// A map.
    pub fn map(map: Map) -> Self {
        Self::Map(Rc::new(map))
    }

    pub(crate) fn some(value: Value) -> Self {
        Self::Optional(Some(Rc::new(value)))
    }

    /// The name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Optional(_) => "optional_type",
            Self::Type(_) => "type",
        }
    }

    /// Whether it is what its type has where nothing is set.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(flag) => !flag,
            Self::Int(integer) => *integer == 0,
            Self::Uint(integer) => *integer == 0,
            Self::Double(number) => *number == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Timestamp(timestamp) => *timestamp == Timestamp::ZERO,
            Self::Duration(nanoseconds) => *nanoseconds == 0,
            Self::Optional(_) | Self::Type(_) => false,
        }
    }
}

impl Key {
    /// A text as a key.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// A value as the key of a map that is made; none for types that are none.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(integer) => Self::Int(*integer),
            Value::Uint(integer) => Self::Uint(*integer),
            Value::Text(text) => Self::Text(Rc::clone(text)),
            _ => return None,
        })
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(integer) => Value::Int(*integer),
            Self::Uint(integer) => Value::Uint(*integer),
            Self::Text(text) => Value::Text(Rc::clone(text)),
        }
    }
}

/// The entry of a key. Whole numbers of all types are one key.
pub(crate) fn entry<'a>(meter: &Meter, map: &'a Map, key: &Value) -> Result<Option<&'a Value>, Failure> {
    if let Value::Text(text) = key {
        meter.letters(text.len())?;
    }
    Ok(found(map, key))
}

fn found<'a>(map: &'a Map, key: &Value) -> Option<&'a Value> {
    let number = match key {
        Value::Int(integer) => i128::from(*integer),
        Value::Uint(integer) => i128::from(*integer),
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 1e19 => *number as i128,
        other => return map.get(&Key::of(other)?),
    };
    let signed = i64::try_from(number).ok().map(Key::Int);
    let unsigned = u64::try_from(number).ok().map(Key::Uint);
    let mut keys = [signed, unsigned].into_iter().flatten();
    keys.find_map(|key| map.get(&key))
}
