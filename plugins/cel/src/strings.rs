//! The functions for strings. Positions are counted in letters (code points). The letters that are read are charged already.

use crate::{Failure, Meter, Value};

type Answer = Result<Value, Failure>;

/// Calls a function; none if there is no such one for these arguments.
pub(crate) fn call(meter: &Meter, name: &str, arguments: &[Value]) -> Result<Option<Value>, Failure> {
    use Value::{Int, List, Text};
    Ok(Some(match (name, arguments) {
        ("contains", [Text(text), Text(part)]) => Value::Bool(text.contains(&**part)),
        ("startsWith", [Text(text), Text(part)]) => Value::Bool(text.starts_with(&**part)),
        ("endsWith", [Text(text), Text(part)]) => Value::Bool(text.ends_with(&**part)),
        ("charAt", [Text(text), Int(at)]) => char_at(text, *at)?,
        ("indexOf", [Text(text), Text(part)]) => index_of(text, part, 0)?,
        ("indexOf", [Text(text), Text(part), Int(from)]) => index_of(text, part, *from)?,
        ("lastIndexOf", [Text(text), Text(part)]) => last_index_of(text, part, None)?,
        ("lastIndexOf", [Text(text), Text(part), Int(from)]) => last_index_of(text, part, Some(*from))?,
        ("lowerAscii", [Text(text)]) => {
            meter.text(text.len())?;
            Value::text(text.to_ascii_lowercase())
        }
        ("upperAscii", [Text(text)]) => {
            meter.text(text.len())?;
            Value::text(text.to_ascii_uppercase())
        }
        ("trim", [Text(text)]) => {
            meter.text(text.len())?;
            Value::text(text.trim())
        }
        ("reverse", [Text(text)]) => {
            meter.text(text.len())?;
            Value::text(text.chars().rev().collect::<String>())
        }
        ("strings.quote", [Text(text)]) => quote(meter, text)?,
        ("substring", [Text(text), Int(start)]) => substring(meter, text, *start, None)?,
        ("substring", [Text(text), Int(start), Int(end)]) => substring(meter, text, *start, Some(*end))?,
        ("split", [Text(text), Text(by)]) => split(meter, text, by, -1)?,
        ("split", [Text(text), Text(by), Int(limit)]) => split(meter, text, by, *limit)?,
        ("join", [List(list)]) => join(meter, list, "")?,
        ("join", [List(list), Text(by)]) => join(meter, list, by)?,
        ("replace", [Text(text), Text(old), Text(new)]) => replace(meter, text, old, new, -1)?,
        ("replace", [Text(text), Text(old), Text(new), Int(limit)]) => {
            replace(meter, text, old, new, *limit)?
        }
        _ => return Ok(None),
    }))
}

fn out_of_range(at: i64) -> Failure {
    Failure::error(format!("index out of range: {at}"))
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// Where in bytes a letter begins; the end of the text for the one after the last.
fn byte_of(text: &str, letter: usize) -> Option<usize> {
    let starts = text.char_indices().map(|(at, _)| at);
    starts.chain([text.len()]).nth(letter)
}

fn position(position: usize) -> Value {
    Value::Int(i64::try_from(position).unwrap_or(i64::MAX))
}

fn char_at(text: &str, at: i64) -> Answer {
    let start = usize::try_from(at).ok().and_then(|at| byte_of(text, at));
    let rest = start
        .and_then(|start| text.get(start..))
        .ok_or_else(|| out_of_range(at))?;
    Ok(Value::text(
        rest.chars().next().map(String::from).unwrap_or_default(),
    ))
}

fn index_of(text: &str, part: &str, from: i64) -> Answer {
    if part.is_empty() {
        return Ok(Value::Int(from));
    }
    let start = usize::try_from(from).map_err(|_| out_of_range(from))?;
    let found = byte_of(text, start).and_then(|start| Some(start + text.get(start..)?.find(part)?));
    let before = found.and_then(|found| text.get(..found));
    Ok(before.map_or(Value::Int(-1), |before| position(count(before))))
}

fn last_index_of(text: &str, part: &str, from: Option<i64>) -> Answer {
    let letters = count(text);
    if part.is_empty() {
        return Ok(from.map_or(position(letters), Value::Int));
    }
    let end = match from {
        None => text.len(),
        Some(from) => {
            let start = usize::try_from(from).map_err(|_| out_of_range(from))?;
            if start >= letters {
                return Ok(Value::Int(-1));
            }
            // It may begin there, so it may end as much later.
            byte_of(text, start + count(part)).unwrap_or(text.len())
        }
    };
    let found = text.get(..end).and_then(|text| text.rfind(part));
    let before = found.and_then(|found| text.get(..found));
    Ok(before.map_or(Value::Int(-1), |before| position(count(before))))
}

fn substring(meter: &Meter, text: &str, start: i64, end: Option<i64>) -> Answer {
    meter.text(text.len())?;
    if let Some(end) = end.filter(|end| start > *end) {
        return Err(Failure::error(format!(
            "invalid substring range. start: {start}, end: {end}"
        )));
    }
    let byte = |at: i64| {
        let byte = usize::try_from(at).ok().and_then(|at| byte_of(text, at));
        byte.ok_or_else(|| out_of_range(at))
    };
    let (from, to) = (byte(start)?, end.map_or(Ok(text.len()), byte)?);
    Ok(Value::text(text.get(from..to).unwrap_or_default()))
}

fn split(meter: &Meter, text: &str, by: &str, limit: i64) -> Answer {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    if most == 0 {
        return Ok(Value::list(Vec::new()));
    }
    let parts = match by.is_empty() {
        true => count(text),
        false => text.matches(by).count() + 1,
    };
    meter.text(text.len() + by.len())?;
    // A part is a text of its own.
    meter.entries(parts.min(most).saturating_mul(2))?;
    let parts: Vec<Value> = match by.is_empty() {
        true => letters(text, most).map(Value::text).collect(),
        false => text.splitn(most, by).map(Value::text).collect(),
    };
    Ok(Value::list(parts))
}

/// The letters of a text, the last of so many with all that is left.
fn letters(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    let mut given = 0;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        given += 1;
        let end = if given == most {
            rest.len()
        } else {
            first.len_utf8()
        };
        let (letter, after) = rest.split_at(end);
        rest = after;
        Some(letter)
    })
}

fn join(meter: &Meter, list: &[Value], by: &str) -> Answer {
    meter.steps(list.len())?;
    let mut texts = Vec::with_capacity(list.len());
    let mut bytes = by.len().saturating_mul(list.len());
    for entry in list {
        let Value::Text(text) = entry else {
            return Err(Failure::no_overload());
        };
        bytes = bytes.saturating_add(text.len());
        texts.push(&**text);
    }
    meter.text(bytes)?;
    Ok(Value::text(texts.join(by)))
}

fn replace(meter: &Meter, text: &str, old: &str, new: &str, limit: i64) -> Answer {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = match old.is_empty() {
        true => count(text) + 1,
        false => text.matches(old).count(),
    };
    let grown = found.min(most).saturating_mul(new.len());
    meter.text(text.len().saturating_add(grown))?;
    Ok(Value::text(text.replacen(old, new, most)))
}

fn quote(meter: &Meter, text: &str) -> Answer {
    meter.text(text.len().saturating_mul(2) + 2)?;
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        let escaped = match letter {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            '"' => "\\\"",
            letter => {
                quoted.push(letter);
                continue;
            }
        };
        quoted.push_str(escaped);
    }
    quoted.push('"');
    Ok(Value::text(quoted))
}
