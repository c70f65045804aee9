//! Single values: what a scalar of YAML 1.1 means to `kubectl`.
//!
//! The rules are those of go-yaml 2 as `sigs.k8s.io/yaml` uses it, and of the JSON that it makes of the result: `0644` is
//! octal, `1_000` a thousand, `on` a boolean, `1.0` the integer 1, a timestamp text. The table `decode/kubectl.jsonl` holds
//! what the real one answers.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};

/// What a scalar resolves to, before it becomes JSON: as a key and as a value it becomes different things.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond [`i64::MAX`].
    Big(u64),
    Float(f64),
    Text(String),
}

/// Resolves a scalar. `plain` is false for quoted and block scalars. `tag` is in its short form: `!!int`.
///
/// # Errors
/// Why the text does not fit its tag, for people.
pub(crate) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Scalar, String> {
    // Without the text: it may be a value of a Secret.
    let misfit = |wanted: &str| Err(format!("the value is no {wanted}, as its tag says"));
    match tag {
        None if plain => Ok(implicit(text)),
        None | Some("!" | "!!str") => Ok(Scalar::Text(text.to_owned())),
        Some("!!int") => match implicit(text) {
            found @ (Scalar::Int(_) | Scalar::Big(_)) => Ok(found),
            _ => misfit("integer"),
        },
        Some("!!float") => match implicit(text) {
            Scalar::Int(integer) => Ok(Scalar::Float(integer as f64)),
            found @ Scalar::Float(_) => Ok(found),
            _ => misfit("number"),
        },
        Some("!!bool") => match implicit(text) {
            found @ Scalar::Bool(_) => Ok(found),
            _ => misfit("boolean"),
        },
        Some("!!null") => match implicit(text) {
            Scalar::Null => Ok(Scalar::Null),
            _ => misfit("null"),
        },
        Some("!!timestamp") if is_timestamp(text) => Ok(Scalar::Text(text.to_owned())),
        Some("!!timestamp") => misfit("timestamp"),
        Some("!!binary") => {
            let compact: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            let bytes = STANDARD
                .decode(compact)
                .map_err(|_| "the `!!binary` value is no base64".to_owned())?;
            String::from_utf8(bytes)
                .map(Scalar::Text)
                .map_err(|_| "the `!!binary` value is no text, and JSON has nothing else".to_owned())
        }
        // A password that begins with `!` looks like one.
        Some(_) => Err("the tag is not known".to_owned()),
    }
}

impl Scalar {
    /// As JSON, and as Kubernetes reads that JSON: whole numbers that fit become integers.
    pub(crate) fn into_value(self) -> Result<Value, String> {
        match self {
            Self::Null => Ok(Value::Null),
            Self::Bool(value) => Ok(Value::Bool(value)),
            Self::Int(value) => Ok(value.into()),
            Self::Big(value) => number(value as f64),
            Self::Float(value) => number(value),
            Self::Text(text) => Ok(Value::String(text)),
        }
    }

    /// As the key of a map.
    pub(crate) fn into_key(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Int(value) => Ok(value.to_string()),
            Self::Float(value) => Ok(float_key(value)),
            Self::Null => Err("a key cannot be null".to_owned()),
            Self::Big(_) => Err("the number is too large for a key".to_owned()),
        }
    }
}

/// A float as JSON: an integer where it is a whole number that fits, as the API server would read it.
pub(crate) fn number(value: f64) -> Result<Value, String> {
    let Some(float) = Number::from_f64(value) else {
        return Err("infinity and NaN are no JSON".to_owned());
    };
    // Written out without an exponent, as Go writes it into JSON, and read back.
    Ok(format!("{value}")
        .parse::<i64>()
        .map_or(Value::Number(float), Into::into))
}

/// A plain scalar without a tag.
fn implicit(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let found = match text.as_bytes().first() {
        Some(b'.') => decimal(&without_separators(text)).map(Scalar::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => numeric(&text.replace('_', "")),
        Some(_) | None => None,
    };
    found.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// Underscores between digits removed, where they are nowhere else.
fn without_separators(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    match bytes.contains(&b'_') && (0..bytes.len()).all(|at| bytes.get(at) != Some(&b'_') || between(at)) {
        true => text.replace('_', "").into(),
        false => text.into(),
    }
}

fn numeric(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if let Some(magnitude) = integer(digits) {
        if negative && magnitude <= i64::MIN.unsigned_abs() {
            return Some(Scalar::Int(0i64.wrapping_sub_unsigned(magnitude)));
        }
        match i64::try_from(magnitude) {
            Ok(value) if !negative => return Some(Scalar::Int(value)),
            // Unsigned numbers carry no sign.
            Err(_) if digits.len() == text.len() => return Some(Scalar::Big(magnitude)),
            Ok(_) | Err(_) => {}
        }
    }
    decimal(text).map(Scalar::Float)
}

/// Digits with the base in front, as programming languages write them; a leading zero is octal.
fn integer(digits: &str) -> Option<u64> {
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (base, digits) = match lower.as_deref() {
        Some("0x") => (16, digits.get(2..)?),
        Some("0o") => (8, digits.get(2..)?),
        Some("0b") => (2, digits.get(2..)?),
        Some(octal) if octal.starts_with('0') => (8, digits.get(1..)?),
        Some(_) | None => (10, digits),
    };
    // from_str_radix would take a sign here.
    match digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        true => u64::from_str_radix(digits, base).ok(),
        false => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, where it fits a double.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let some_digits = |text: &str| !text.is_empty() && digits(text);
    let mantissa_fits = match (whole, fraction) {
        ("", Some(fraction)) => some_digits(fraction),
        (whole, fraction) => some_digits(whole) && fraction.is_none_or(digits),
    };
    if !mantissa_fits || !exponent.is_none_or(some_digits) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// As go-yaml writes a float that is a key: `%g` at single precision.
fn float_key(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision is what the original prints"
    )]
    let single = value as f32;
    if single.is_infinite() {
        return if single > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{single:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if single != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{single}")
}

/// `2001-12-14`, `2001-12-14 21:59:43.1`, `2001-12-14T21:59:43Z` and the like: all stay text, so this only tells whether
/// the tag fits.
fn is_timestamp(text: &str) -> bool {
    let date_end = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, rest) = text.split_at(date_end);
    let parts: Vec<&str> = date.split('-').collect();
    let number = |text: &str, max: u32| {
        (1..=2).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse().is_ok_and(|n: u32| n <= max)
    };
    let date_fits = matches!(parts.as_slice(), [year, month, day]
        if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) && number(month, 12) && number(day, 31));
    if !date_fits || rest.is_empty() {
        return date_fits;
    }
    let zoned = !rest.starts_with(' ');
    let rest = rest.get(1..).unwrap_or_default();
    let (time, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock: Vec<&str> = clock.split(':').collect();
    let clock_fits = matches!(clock.as_slice(), [hour, minute, second]
        if number(hour, 23) && number(minute, 59) && number(second, 59));
    let fraction_fits = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    let zone_fits = match zone.strip_prefix(['+', '-']) {
        Some(offset) => offset
            .split_once(':')
            .is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 59)),
        None => zone == "Z",
    };
    clock_fits && fraction_fits && if zoned { zone_fits } else { zone.is_empty() }
}
