//! `'%s is %d'.format([…])`.

use crate::{Failure, Meter, Value, functions, numbers};

/// The most digits after the point.
const PRECISION: usize = 1000;

/// Puts values into a text.
pub(crate) fn format(meter: &Meter, text: &str, values: &[Value]) -> Result<Value, Failure> {
    meter.letters(text.len())?;
    let mut out = Out {
        meter,
        text: String::new(),
    };
    let mut values = values.iter().enumerate();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push(before)?;
        if let Some(after) = after.strip_prefix('%') {
            out.push("%")?;
            rest = after;
            continue;
        }
        let (precision, after) = precision(after)?;
        let mut letters = after.chars();
        let clause = letters
            .next()
            .ok_or_else(|| Failure::error("unexpected end of string"))?;
        let (_, value) = values
            .next()
            .ok_or_else(|| Failure::error("a value is missing"))?;
        out.clause(clause, precision, value)?;
        rest = letters.as_str();
    }
    out.push(rest)?;
    Ok(Value::text(out.text))
}

/// Digits after the point, if they are given.
fn precision(text: &str) -> Result<(usize, &str), Failure> {
    let Some(digits) = text.strip_prefix('.') else {
        return Ok((6, text));
    };
    let end = digits
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, after) = digits.split_at(end);
    let precision = digits.parse().ok().filter(|precision| *precision <= PRECISION);
    let precision =
        precision.ok_or_else(|| Failure::error(format!("`{digits}` is no precision up to {PRECISION}")))?;
    Ok((precision, after))
}

struct Out<'a> {
    meter: &'a Meter,
    text: String,
}

impl Out<'_> {
    fn push(&mut self, text: &str) -> Result<(), Failure> {
        self.meter.text(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    fn clause(&mut self, clause: char, precision: usize, value: &Value) -> Result<(), Failure> {
        let text = match (clause, value) {
            ('s', value) => return self.value(value),
            ('d' | 'f' | 'e', Value::Double(number)) if !number.is_finite() => infinite(*number).to_owned(),
            ('d', Value::Double(number)) => format!("{number}"),
            ('d', Value::Int(_) | Value::Uint(_)) => functions::shown(value),
            ('f', value) => format!(
                "{:.precision$}",
                number(value).ok_or_else(|| wrong(clause, value))?
            ),
            ('e', value) => scientific(number(value).ok_or_else(|| wrong(clause, value))?, precision),
            ('b', Value::Bool(flag)) => u8::from(*flag).to_string(),
            ('b', Value::Int(integer)) => format!("{}{:b}", sign(*integer), integer.unsigned_abs()),
            ('b', Value::Uint(integer)) => format!("{integer:b}"),
            ('o', Value::Int(integer)) => format!("{}{:o}", sign(*integer), integer.unsigned_abs()),
            ('o', Value::Uint(integer)) => format!("{integer:o}"),
            ('x', Value::Int(integer)) => format!("{}{:x}", sign(*integer), integer.unsigned_abs()),
            ('X', Value::Int(integer)) => format!("{}{:X}", sign(*integer), integer.unsigned_abs()),
            ('x', Value::Uint(integer)) => format!("{integer:x}"),
            ('X', Value::Uint(integer)) => format!("{integer:X}"),
            ('x' | 'X', Value::Text(text)) => return self.hex(text.as_bytes(), clause == 'X'),
            ('x' | 'X', Value::Bytes(bytes)) => return self.hex(bytes, clause == 'X'),
            ('d' | 'b' | 'o' | 'x' | 'X', value) => return Err(wrong(clause, value)),
            _ => {
                return Err(Failure::error(format!(
                    "unrecognized formatting clause \"{clause}\""
                )));
            }
        };
        self.push(&text)
    }

    fn hex(&mut self, bytes: &[u8], is_upper: bool) -> Result<(), Failure> {
        self.meter.text(bytes.len().saturating_mul(2))?;
        let digits = if is_upper {
            b"0123456789ABCDEF"
        } else {
            b"0123456789abcdef"
        };
        let digit = |half: u8| digits.get(usize::from(half)).copied().map_or('0', char::from);
        let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        self.text.extend(halves.map(digit));
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), Failure> {
        self.meter.steps(1)?;
        match value {
            Value::Double(number) if !number.is_finite() => self.push(infinite(*number)),
            Value::Double(number) => self.push(&format!("{number}")),
            Value::Text(text) => self.push(text),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.push(text),
                Err(_) => Err(Failure::error("the bytes are no Unicode")),
            },
            Value::List(list) => {
                self.push("[")?;
                for (index, entry) in list.iter().enumerate() {
                    self.push(if index == 0 { "" } else { ", " })?;
                    self.value(entry)?;
                }
                self.push("]")
            }
            Value::Map(map) => {
                let mut entries: Vec<(String, &Value)> = Vec::new();
                for (key, value) in map.iter() {
                    self.meter.text(16)?;
                    entries.push((functions::shown(&key.to_value()), value));
                }
                entries.sort_by(|left, right| left.0.cmp(&right.0));
                self.push("{")?;
                for (index, (key, value)) in entries.into_iter().enumerate() {
                    self.push(if index == 0 { "" } else { ", " })?;
                    self.push(&key)?;
                    self.push(": ")?;
                    self.value(value)?;
                }
                self.push("}")
            }
            Value::Optional(_) => Err(wrong('s', value)),
            other => self.push(&functions::shown(other)),
        }
    }
}

fn sign(integer: i64) -> &'static str {
    if integer < 0 { "-" } else { "" }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Int(integer) => Some(*integer as f64),
        Value::Uint(integer) => Some(*integer as f64),
        _ => None,
    }
}

fn infinite(number: f64) -> &'static str {
    match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    }
}

fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!(
        "{digits}e{}",
        numbers::print_exponent(exponent.parse().unwrap_or_default())
    )
}

fn wrong(clause: char, value: &Value) -> Failure {
    Failure::error(format!("`%{clause}` takes no {}", value.type_name()))
}
