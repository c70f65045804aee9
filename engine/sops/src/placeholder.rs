//! What stands for a value where the value itself must not be.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::cipher::DataKey;

/// A decrypted value. `Debug` does not show it.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Text of any length.
    Text(String),
    /// What is no text, as a binary file may be.
    Bytes(Vec<u8>),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Value(…)")
    }
}

impl Value {
    /// The value as JSON has it; none for what is no text.
    pub fn json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(_) => return None,
            Self::Int(number) => (*number).into(),
            Self::Float(number) => whole(*number).map_or_else(|| (*number).into(), Into::into),
            Self::Bool(value) => (*value).into(),
        })
    }

    /// The value as it is written within a text.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Int(number) => number.to_string().into_bytes(),
            Self::Float(number) => number.to_string().into_bytes(),
            Self::Bool(value) => value.to_string().into_bytes(),
        }
    }

    /// What goes into the MAC.
    pub(crate) fn hashed(&self) -> Vec<u8> {
        match self {
            Self::Bool(true) => b"True".to_vec(),
            Self::Bool(false) => b"False".to_vec(),
            Self::Float(number) => go_float(*number).into_bytes(),
            Self::Text(_) | Self::Bytes(_) | Self::Int(_) => self.bytes(),
        }
    }
}

/// A number that is whole, as SOPS writes it then.
#[expect(clippy::cast_possible_truncation, reason = "it is within what is exact")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// A number as Go's `FormatFloat(number, 'f', -1, 64)` writes it.
pub(crate) fn go_float(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        number => number.to_string(),
    }
}

/// Stands for one value of one file. It is a word of lower-case letters and digits, so that it may stand wherever a value may; and text
/// in base64, so that it may stand where that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placeholder(String);

impl Placeholder {
    /// What every placeholder begins with.
    pub const BEGIN: &str = "sluicezq";
    /// How long every placeholder is.
    pub const LENGTH: usize = 40;

    /// The placeholder of the value at a place. Who has not the data key can tell nothing of the value by it.
    pub(crate) fn of(key: &DataKey, place: &str, value: &Value) -> Self {
        let kind: u8 = match value {
            Value::Text(_) => 0,
            Value::Bytes(_) => 1,
            Value::Int(_) => 2,
            Value::Float(_) => 3,
            Value::Bool(_) => 4,
        };
        let mut digest = String::new();
        // A key of any length is one.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_slice()) {
            for part in [
                b"placeholder".as_slice(),
                place.as_bytes(),
                &[kind],
                &value.bytes(),
            ] {
                mac.update(&(part.len() as u64).to_le_bytes());
                mac.update(part);
            }
            digest = hex::encode(mac.finalize().into_bytes());
            digest.truncate(Self::LENGTH - Self::BEGIN.len());
        }
        Self(format!("{}{digest}", Self::BEGIN))
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
