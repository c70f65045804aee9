//! `string.format`, as Go formats.

use crate::engine::Engine;
use crate::library::Arguments;
use crate::number;
use crate::value::{Outcome, Returned, Value};

/// The widest field.
const WIDTH: usize = 999;

/// What stands between `%` and the letter.
struct Spec<'a> {
    flags: &'a str,
    width: usize,
    precision: Option<usize>,
}

pub(super) fn format(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("format", &values);
    let format = arguments.text(engine, 0)?;
    let mut text = Vec::new();
    let mut argument = 0;
    let mut rest = &*format;
    while let Some(percent) = rest.iter().position(|byte| *byte == b'%') {
        text.extend_from_slice(&rest[..percent]);
        rest = &rest[percent + 1..];
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'-' | b'+' | b' ' | b'#' | b'.' | b'0'..=b'9'))
            .count();
        let (spec, after) = rest.split_at(length);
        let Some((&verb, after)) = after.split_first() else {
            text.extend_from_slice(b"%!(NOVERB)");
            rest = &[];
            break;
        };
        rest = after;
        if verb == b'%' {
            text.push(b'%');
            continue;
        }
        argument += 1;
        engine.step(20)?;
        if argument >= values.len() {
            text.extend_from_slice(format!("%!{}(MISSING)", char::from(verb)).as_bytes());
            continue;
        }
        let Some(spec) = Spec::of(spec) else {
            return engine.error("invalid format (width or precision too long)");
        };
        let shown = spec.shown(engine, &arguments, argument, verb)?;
        engine.step(10 + shown.len() as u64 + spec.width as u64)?;
        engine.charge(shown.len() + spec.width)?;
        spec.pad(&shown, verb, &mut text);
    }
    text.extend_from_slice(rest);
    Ok(engine.text(&text)?.into())
}

impl<'a> Spec<'a> {
    /// None if it is too wide.
    fn of(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let flags = text.len() - text.trim_start_matches(['-', '+', ' ', '#', '0']).len();
        let (flags, rest) = text.split_at(flags);
        let (width, precision) = match rest.split_once('.') {
            Some((width, precision)) => (width, Some(precision)),
            None => (rest, None),
        };
        let number = |digits: &str| match digits.is_empty() {
            true => Some(0),
            false => digits.parse::<usize>().ok().filter(|number| *number <= WIDTH),
        };
        Some(Self {
            flags,
            width: number(width)?,
            precision: precision
                .map(number)
                .map_or(Some(None), |found| found.map(Some))?,
        })
    }

    fn shown(&self, engine: &mut Engine, arguments: &Arguments<'_>, at: usize, verb: u8) -> Outcome<Vec<u8>> {
        let value = arguments.get(at);
        let text = match verb {
            b'd' | b'i' => {
                let number = match &value {
                    Value::Text(text) => number::read(text).unwrap_or(0.0),
                    _ => arguments.number(engine, at)?,
                };
                self.signed(number, format!("{}", integer(number)))
            }
            b'x' => based(integer(arguments.number(engine, at)?), |number| {
                format!("{number:x}")
            }),
            b'X' => based(integer(arguments.number(engine, at)?), |number| {
                format!("{number:X}")
            }),
            b'o' => based(integer(arguments.number(engine, at)?), |number| {
                format!("{number:o}")
            }),
            b'u' => format!("%!u(int64={})", integer(arguments.number(engine, at)?)),
            b'c' => return Ok(vec![arguments.number(engine, at)? as u8]),
            b'f' | b'F' => {
                let number = arguments.number(engine, at)?;
                let shown = match number.is_finite() {
                    true => format!("{:.*}", self.precision.unwrap_or(6), number),
                    false => number::print(number),
                };
                self.signed(number, shown)
            }
            b'e' | b'E' | b'g' | b'G' => {
                let number = arguments.number(engine, at)?;
                self.signed(number, number::scientific(number, verb, self.precision))
            }
            b'q' => {
                let text = engine.shown(&value)?;
                format!("{text:?}")
            }
            _ => {
                let text = engine.shown_bytes(&value)?;
                return Ok(match (self.precision, std::str::from_utf8(&text)) {
                    (Some(letters), Ok(text)) => text.chars().take(letters).collect::<String>().into_bytes(),
                    _ => text.to_vec(),
                });
            }
        };
        Ok(text.into_bytes())
    }

    fn signed(&self, number: f64, text: String) -> String {
        match number >= 0.0 && self.flags.contains('+') && !text.starts_with('+') {
            true => format!("+{text}"),
            false => text,
        }
    }

    /// Fills up to the width.
    fn pad(&self, shown: &[u8], verb: u8, text: &mut Vec<u8>) {
        let length = std::str::from_utf8(shown).map_or(shown.len(), |shown| shown.chars().count());
        let missing = self.width.saturating_sub(length);
        if self.flags.contains('-') {
            text.extend_from_slice(shown);
            text.resize(text.len() + missing, b' ');
        } else if self.flags.contains('0') && verb != b's' {
            let sign = usize::from(shown.starts_with(b"-") || shown.starts_with(b"+"));
            text.extend_from_slice(&shown[..sign]);
            text.resize(text.len() + missing, b'0');
            text.extend_from_slice(&shown[sign..]);
        } else {
            text.resize(text.len() + missing, b' ');
            text.extend_from_slice(shown);
        }
    }
}

/// A number without its fraction. What does not fit 64 bits is the least of them, as on the machines that Go is run on most.
fn integer(number: f64) -> i64 {
    match number.is_nan() || number >= 9_223_372_036_854_775_808.0 {
        true => i64::MIN,
        false => number as i64,
    }
}

/// In another base, with the sign before it.
fn based(number: i64, shown: impl Fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", shown(number.unsigned_abs()))
}
