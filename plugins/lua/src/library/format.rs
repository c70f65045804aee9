//! `string.format`, as Go formats.

use crate::engine::Engine;
use crate::library::Arguments;
use crate::number;
use crate::value::{Outcome, Returned, Value};

/// The widest field.
const WIDTH: usize = 999;

/// What stands between `%` and the letter.
struct Spec {
    is_left: bool,
    has_plus: bool,
    has_blank: bool,
    has_zeros: bool,
    is_other: bool,
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
        let Some((verb, length)) = letter(after) else {
            text.extend_from_slice(b"%!(NOVERB)");
            rest = &[];
            break;
        };
        rest = &after[length..];
        if verb == '%' {
            text.push(b'%');
            continue;
        }
        argument += 1;
        engine.step(20)?;
        let Some(value) = values.get(argument) else {
            text.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
            continue;
        };
        let Some(spec) = Spec::of(spec) else {
            return engine.error("invalid format (width or precision too long)");
        };
        let shown = spec.shown(value, verb);
        engine.step(10 + shown.len() as u64)?;
        engine.charge(shown.len())?;
        text.extend_from_slice(&shown);
    }
    text.extend_from_slice(rest);
    Ok(engine.text(&text)?.into())
}

/// The first letter of a text, and how many bytes it has; a byte that begins none is taken for one.
fn letter(text: &[u8]) -> Option<(char, usize)> {
    let first = *text.first()?;
    // No letter is longer. All of what follows would be looked at for each verb.
    let letter = text[..text.len().min(4)]
        .utf8_chunks()
        .next()
        .and_then(|chunk| chunk.valid().chars().next());
    Some(letter.map_or((char::from(first), 1), |letter| (letter, letter.len_utf8())))
}

impl Spec {
    /// None if it is too wide.
    fn of(text: &[u8]) -> Option<Self> {
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
            is_left: flags.contains('-'),
            has_plus: flags.contains('+'),
            has_blank: flags.contains(' '),
            has_zeros: flags.contains('0') && !flags.contains('-'),
            is_other: flags.contains('#'),
            width: number(width)?,
            precision: precision
                .map(number)
                .map_or(Some(None), |found| found.map(Some))?,
        })
    }

    fn shown(&self, value: &Value, verb: char) -> Vec<u8> {
        let shown = match value {
            Value::Text(text) => match verb {
                // The two ways are the wrong way round in gopher-lua.
                'd' | 'i' => Some(match number::read(text) {
                    Some(_) => self.text(text),
                    None => self.integer(0, 'd'),
                }),
                verb => self.text_as(text, verb),
            },
            Value::Number(number) => match verb {
                's' | 'q' => self.text_as(number::print(*number).as_bytes(), verb),
                'i' => Some(self.integer(number::integer(*number), 'd')),
                'b' | 'c' | 'd' | 'o' | 'x' | 'X' | 'U' => Some(self.integer(number::integer(*number), verb)),
                'e' | 'E' | 'f' | 'F' | 'g' | 'G' => Some(self.float(*number, verb)),
                'v' => Some(self.plain(value)),
                _ => None,
            },
            Value::Bool(_) if verb == 't' => Some(self.plain(value)),
            value => self.text_as(value.shown().as_bytes(), verb),
        };
        shown.unwrap_or_else(|| self.unfit(value, verb))
    }

    /// What Go writes where a verb does not fit a value.
    fn unfit(&self, value: &Value, verb: char) -> Vec<u8> {
        let kind = match value {
            Value::Text(_) => "string",
            Value::Number(number) if number::whole(*number).is_some() => "int64",
            Value::Number(_) => "float64",
            Value::Bool(_) => "lua.LBool",
            _ => return b"&{}".to_vec(),
        };
        [format!("%!{verb}({kind}=").as_bytes(), &self.plain(value), b")"].concat()
    }

    /// As `%v` does.
    fn plain(&self, value: &Value) -> Vec<u8> {
        match value {
            Value::Number(number) => match number::whole(*number) {
                Some(whole) => self.integer(whole, 'd'),
                None => self.float(*number, 'g'),
            },
            Value::Text(text) => self.text(text),
            value => self.padded(value.shown().as_bytes()),
        }
    }

    fn text_as(&self, text: &[u8], verb: char) -> Option<Vec<u8>> {
        match verb {
            's' | 'v' => Some(self.text(text)),
            'q' => Some(self.padded(quoted(self.cut(text), self.is_other, self.has_plus).as_bytes())),
            'x' | 'X' => Some(self.bytes(text, verb)),
            _ => None,
        }
    }

    fn text(&self, text: &[u8]) -> Vec<u8> {
        self.padded(self.cut(text))
    }

    /// As many letters as the precision says.
    fn cut<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let mut rest = text;
        for _ in 0..self.precision.unwrap_or(usize::MAX) {
            match letter(rest) {
                Some((_, length)) => rest = &rest[length..],
                None => return text,
            }
        }
        &text[..text.len() - rest.len()]
    }

    /// The bytes of a text as hexadecimal digits.
    fn bytes(&self, text: &[u8], verb: char) -> Vec<u8> {
        let text = &text[..text.len().min(self.precision.unwrap_or(usize::MAX))];
        let prefix = if self.is_other { "0x" } else { "" };
        let (prefix, between) = match self.has_blank {
            true => (prefix, format!(" {prefix}")),
            false => (prefix, String::new()),
        };
        let digits: Vec<String> = text.iter().map(|byte| format!("{byte:02x}")).collect();
        let prefix = if text.is_empty() { "" } else { prefix };
        let shown = format!("{prefix}{}", digits.join(&between));
        self.padded(cased(shown, verb).as_bytes())
    }

    fn integer(&self, number: i64, verb: char) -> Vec<u8> {
        let digits = number.unsigned_abs();
        let (digits, prefix) = match verb {
            'c' => {
                let letter = u32::try_from(number).ok().and_then(char::from_u32);
                let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
                return self.padded(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'U' => return self.padded(format!("U+{number:04X}").as_bytes()),
            'b' => (format!("{digits:b}"), "0b"),
            'o' => (format!("{digits:o}"), "0"),
            'x' => (format!("{digits:x}"), "0x"),
            'X' => (format!("{digits:X}"), "0X"),
            _ => (digits.to_string(), ""),
        };
        if number == 0 && self.precision == Some(0) {
            return vec![b' '; self.width];
        }
        let sign = self.sign(number < 0);
        let least = match self.precision {
            Some(precision) => precision,
            None if self.has_zeros => self.width.saturating_sub(sign.len()),
            None => 0,
        };
        let digits = format!("{digits:0>least$}");
        let prefix = match verb {
            'o' if digits.starts_with('0') => "",
            _ if self.is_other => prefix,
            _ => "",
        };
        self.with_blanks(format!("{sign}{prefix}{digits}").as_bytes())
    }

    fn float(&self, number: f64, verb: char) -> Vec<u8> {
        if number.is_nan() {
            return self.with_blanks(format!("{}NaN", self.sign(false)).as_bytes());
        }
        let sign = self.sign(number.is_sign_negative());
        if number.is_infinite() {
            let sign = if sign.is_empty() { "+" } else { sign };
            return self.with_blanks(format!("{sign}Inf").as_bytes());
        }
        let digits = match verb {
            'f' | 'F' => format!("{:.*}", self.precision.unwrap_or(6), number.abs()),
            _ => cased(number::scientific(number.abs(), verb, self.precision), verb),
        };
        match self.has_zeros {
            true => {
                let least = self.width.saturating_sub(sign.len());
                format!("{sign}{digits:0>least$}").into_bytes()
            }
            false => self.with_blanks(format!("{sign}{digits}").as_bytes()),
        }
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.has_plus, self.has_blank) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn padded(&self, text: &[u8]) -> Vec<u8> {
        self.filled(text, if self.has_zeros { b'0' } else { b' ' })
    }

    fn with_blanks(&self, text: &[u8]) -> Vec<u8> {
        self.filled(text, b' ')
    }

    /// Fills up to the width, which counts letters.
    fn filled(&self, text: &[u8], by: u8) -> Vec<u8> {
        let length: usize = text
            .utf8_chunks()
            .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
            .sum();
        let filling = vec![by; self.width.saturating_sub(length)];
        match self.is_left {
            true => [text, &filling].concat(),
            false => [&filling, text].concat(),
        }
    }
}

fn cased(text: String, verb: char) -> String {
    match verb.is_ascii_uppercase() {
        true => text.to_uppercase(),
        false => text,
    }
}

/// A text as a literal of Go; between back quotes if that was asked for and can be.
fn quoted(text: &[u8], is_raw: bool, is_ascii: bool) -> String {
    if let Ok(text) = std::str::from_utf8(text)
        && is_raw
        && !text
            .contains(|letter: char| letter == '`' || letter == '\u{7f}' || letter < ' ' && letter != '\t')
    {
        return format!("`{text}`");
    }
    let mut shown = String::from("\"");
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let is_hidden = letter.escape_debug().len() > 2 || is_ascii && !letter.is_ascii();
            match letter {
                '"' | '\\' => shown.extend(['\\', letter]),
                '\'' => shown.push(letter),
                '\x07' => shown.push_str("\\a"),
                '\x08' => shown.push_str("\\b"),
                '\x0b' => shown.push_str("\\v"),
                '\x0c' => shown.push_str("\\f"),
                '\0' | '\x01'..' ' | '\x7f' if is_hidden || letter == '\0' => {
                    shown.push_str(&format!("\\x{:02x}", letter as u32))
                }
                '\0'..' ' => shown.extend(letter.escape_debug()),
                '\u{10000}'.. if is_hidden => shown.push_str(&format!("\\U{:08x}", letter as u32)),
                _ if is_hidden => shown.push_str(&format!("\\u{:04x}", letter as u32)),
                letter => shown.push(letter),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown + "\""
}
