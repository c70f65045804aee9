//! The functions. As nothing is type-checked, a method is a function whose first argument stands before it, and the other way round.

use std::rc::Rc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::time::{self, Timestamp};
use crate::{Failure, Meter, Value, format, numbers, operators, patterns, strings};

type Answer = Result<Value, Failure>;

/// Letters of a text in a message.
const EXCERPT: usize = 100;

/// Functions with a point in their names.
const QUALIFIED: [(&str, &str, &str); 10] = [
    ("base64", "decode", "base64.decode"),
    ("base64", "encode", "base64.encode"),
    ("optional", "none", "optional.none"),
    ("optional", "of", "optional.of"),
    ("optional", "ofNonZeroValue", "optional.ofNonZeroValue"),
    ("optional", "unwrap", "optional.unwrap"),
    ("sets", "contains", "sets.contains"),
    ("sets", "equivalent", "sets.equivalent"),
    ("sets", "intersects", "sets.intersects"),
    ("strings", "quote", "strings.quote"),
];

/// The function `space.name`, if there is one.
pub(crate) fn qualified(space: &str, name: &str) -> Option<&'static str> {
    let mut known = QUALIFIED.into_iter();
    known.find_map(|(of, found, function)| (of == space && found == name).then_some(function))
}

/// Calls a function.
pub(crate) fn call(meter: &Meter, name: &str, arguments: &[Value]) -> Answer {
    // Whatever a function does with its texts, it does it in about as many steps as they have letters. What it makes it charges itself.
    for argument in arguments {
        match argument {
            Value::Text(text) => meter.letters(text.len())?,
            Value::Bytes(bytes) => meter.letters(bytes.len())?,
            _ => {}
        }
    }
    match (name, arguments) {
        ("size", [value]) => size(value),
        ("type", [value]) => Ok(Value::Type(value.type_name())),
        ("dyn", [value]) => Ok(value.clone()),
        ("bool", [value]) => to_bool(value),
        ("bytes", [value]) => to_bytes(meter, value),
        ("double", [value]) => to_double(value),
        ("duration", [value]) => to_duration(value),
        ("int", [value]) => to_int(value),
        ("string", [value]) => to_text(meter, value),
        ("timestamp", [value]) => to_timestamp(value),
        ("uint", [value]) => to_uint(value),
        ("matches", [Value::Text(text), Value::Text(pattern)]) => {
            patterns::fits(meter, text, pattern).map(Value::Bool)
        }
        ("base64.encode", [Value::Bytes(bytes)]) => {
            meter.bytes(bytes.len().saturating_mul(4) / 3 + 4)?;
            Ok(Value::text(PADDED.encode(bytes)))
        }
        ("base64.decode", [Value::Text(text)]) => {
            meter.bytes(text.len())?;
            let text = text.replace(['\r', '\n'], "");
            let bytes = PADDED
                .decode(&text)
                .or_else(|error| UNPADDED.decode(&text).map_err(|_| error));
            let bytes = bytes.map_err(|error| Failure::error(format!("no base64: {error}")))?;
            Ok(Value::Bytes(bytes.into()))
        }
        ("sets.contains", [Value::List(set), Value::List(part)]) => {
            contains_all(meter, set, part).map(Value::Bool)
        }
        ("sets.equivalent", [Value::List(left), Value::List(right)]) => {
            let is = contains_all(meter, left, right)? && contains_all(meter, right, left)?;
            Ok(Value::Bool(is))
        }
        ("sets.intersects", [Value::List(left), Value::List(right)]) => {
            for value in left.iter() {
                if operators::among(meter, value, right)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        ("optional.none", []) => Ok(Value::Optional(None)),
        ("optional.of", [value]) => Ok(Value::some(value.clone())),
        ("optional.ofNonZeroValue", [value]) => Ok(match value.is_zero() {
            true => Value::Optional(None),
            false => Value::some(value.clone()),
        }),
        ("optional.unwrap" | "unwrapOpt", [Value::List(list)]) => unwrapped(meter, list),
        ("hasValue", [Value::Optional(value)]) => Ok(Value::Bool(value.is_some())),
        ("value", [Value::Optional(value)]) => match value {
            Some(value) => Ok((**value).clone()),
            None => Err(Failure::error("optional.none() dereference")),
        },
        ("first", [Value::List(list)]) => Ok(Value::Optional(list.first().cloned().map(Rc::new))),
        ("last", [Value::List(list)]) => Ok(Value::Optional(list.last().cloned().map(Rc::new))),
        ("format", [Value::Text(text), Value::List(values)]) => format::format(meter, text, values),
        (name, [Value::Timestamp(timestamp), rest @ ..]) => {
            let zone = match rest {
                [] => "",
                [Value::Text(zone)] => zone,
                _ => return Err(no_function(name)),
            };
            let part = timestamp.part(name, zone).ok_or_else(|| no_function(name))?;
            part.map(Value::Int)
        }
        (name, [Value::Duration(nanoseconds)]) => {
            let part = time::duration_part(*nanoseconds, name);
            part.map(Value::Int).ok_or_else(|| no_function(name))
        }
        (name, arguments) => strings::call(meter, name, arguments)?.ok_or_else(|| no_function(name)),
    }
}

/// With the letters that fill up. What has none of them is read as well.
const PADDED: GeneralPurpose = base64(DecodePaddingMode::RequireCanonical);
const UNPADDED: GeneralPurpose = base64(DecodePaddingMode::RequireNone);

const fn base64(padding: DecodePaddingMode) -> GeneralPurpose {
    let as_go = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, as_go.with_decode_padding_mode(padding))
}

fn no_function(name: &str) -> Failure {
    Failure::error(format!("no such overload: {name}"))
}

fn not_convertible(value: &Value, into: &str) -> Failure {
    Failure::error(format!(
        "type conversion error from '{}' to '{into}'",
        value.type_name()
    ))
}

fn overflow() -> Failure {
    Failure::error("integer overflow")
}

fn length(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn size(value: &Value) -> Answer {
    Ok(length(match value {
        Value::Text(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(no_function("size")),
    }))
}

fn contains_all(meter: &Meter, set: &[Value], part: &[Value]) -> Result<bool, Failure> {
    for value in part {
        if !operators::among(meter, value, set)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn unwrapped(meter: &Meter, list: &[Value]) -> Answer {
    meter.entries(list.len())?;
    let mut values = Vec::new();
    for entry in list {
        let Value::Optional(value) = entry else {
            return Err(Failure::no_overload());
        };
        values.extend(value.as_deref().cloned());
    }
    Ok(Value::list(values))
}

fn to_bool(value: &Value) -> Answer {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::Text(text) => match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(not_convertible(value, "bool")),
        },
        _ => Err(not_convertible(value, "bool")),
    }
}

fn to_bytes(meter: &Meter, value: &Value) -> Answer {
    match value {
        Value::Bytes(_) => Ok(value.clone()),
        Value::Text(text) => {
            meter.bytes(text.len())?;
            Ok(Value::Bytes(text.as_bytes().into()))
        }
        _ => Err(not_convertible(value, "bytes")),
    }
}

fn to_double(value: &Value) -> Answer {
    Ok(Value::Double(match value {
        Value::Double(number) => *number,
        Value::Int(integer) => *integer as f64,
        Value::Uint(integer) => *integer as f64,
        Value::Text(text) => numbers::parse(text).ok_or_else(|| not_convertible(value, "double"))?,
        _ => return Err(not_convertible(value, "double")),
    }))
}

fn to_duration(value: &Value) -> Answer {
    match value {
        Value::Duration(_) => Ok(value.clone()),
        Value::Text(text) => time::parse_duration(text).map(Value::Duration),
        _ => Err(not_convertible(value, "google.protobuf.Duration")),
    }
}

fn to_timestamp(value: &Value) -> Answer {
    match value {
        Value::Timestamp(_) => Ok(value.clone()),
        Value::Text(text) => Timestamp::parse(text).map(Value::Timestamp),
        Value::Int(seconds) => Timestamp::from_seconds(*seconds).map(Value::Timestamp),
        _ => Err(not_convertible(value, "google.protobuf.Timestamp")),
    }
}

fn to_int(value: &Value) -> Answer {
    Ok(Value::Int(match value {
        Value::Int(integer) => *integer,
        Value::Uint(integer) => i64::try_from(*integer).map_err(|_| overflow())?,
        Value::Double(number) if *number > -(2_f64.powi(63)) && *number < 2_f64.powi(63) => *number as i64,
        Value::Double(_) => return Err(overflow()),
        Value::Text(text) => text.parse().map_err(|_| not_convertible(value, "int"))?,
        Value::Timestamp(timestamp) => timestamp.seconds(),
        Value::Duration(nanoseconds) => *nanoseconds,
        _ => return Err(not_convertible(value, "int")),
    }))
}

fn to_uint(value: &Value) -> Answer {
    let overflow = || Failure::error("unsigned integer overflow");
    Ok(Value::Uint(match value {
        Value::Uint(integer) => *integer,
        Value::Int(integer) => u64::try_from(*integer).map_err(|_| overflow())?,
        Value::Double(number) if *number >= 0.0 && *number < 2_f64.powi(64) => *number as u64,
        Value::Double(_) => return Err(overflow()),
        Value::Text(text) if !text.starts_with('+') => {
            text.parse().map_err(|_| not_convertible(value, "uint"))?
        }
        _ => return Err(not_convertible(value, "uint")),
    }))
}

fn to_text(meter: &Meter, value: &Value) -> Answer {
    Ok(Value::text(match value {
        Value::Text(_) => return Ok(value.clone()),
        Value::Bytes(bytes) => {
            meter.bytes(bytes.len())?;
            match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => return Err(Failure::error("invalid UTF-8 in bytes, cannot convert to string")),
            }
        }
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_) => {
            shown(value)
        }
        Value::Timestamp(timestamp) => timestamp.print_as_written(),
        _ => return Err(not_convertible(value, "string")),
    }))
}

/// The start of a text that may be long, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A value that has no parts, as text; of a text no more than its start.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(integer) => integer.to_string(),
        Value::Uint(integer) => integer.to_string(),
        Value::Double(number) => numbers::print(*number),
        Value::Text(text) => excerpt(text),
        Value::Timestamp(timestamp) => timestamp.print(),
        Value::Duration(nanoseconds) => time::print_duration(*nanoseconds),
        Value::Type(name) => (*name).to_owned(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Optional(_) => value.type_name().to_owned(),
    }
}
