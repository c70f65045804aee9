//! `string`.

use crate::engine::{Engine, Limit};
use crate::library::{Arguments, GNEXT};
use crate::pattern::{Capture, Failure, Match, Pattern};
use crate::table::Table;
use crate::value::{Outcome, Returned, Text, Value};

/// The longest text that `gsub` makes.
const TEXT_BYTES: usize = 8 << 20;

pub(super) fn len(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let text = Arguments::of("len", &values).text(engine, 0)?;
    Ok(Value::Number(text.len() as f64).into())
}

pub(super) fn lower(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    // One letter for one: of those that become several, the first.
    cased(engine, &Arguments::of("lower", &values), |letter| {
        letter.to_lowercase().next().unwrap_or(letter)
    })
}

pub(super) fn upper(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    cased(engine, &Arguments::of("upper", &values), |letter| {
        let mut letters = letter.to_uppercase();
        match (letters.next(), letters.next()) {
            (Some(one), None) => one,
            _ => letter,
        }
    })
}

fn cased(engine: &mut Engine, arguments: &Arguments<'_>, change: fn(char) -> char) -> Outcome<Returned> {
    let text = arguments.text(engine, 0)?;
    engine.step(text.len() as u64 / 8)?;
    engine.charge(3 * text.len())?;
    let text: String = String::from_utf8_lossy(&text).chars().map(change).collect();
    Ok(engine.text(text.as_bytes())?.into())
}

pub(super) fn reverse(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let text = Arguments::of("reverse", &values).text(engine, 0)?;
    engine.step(text.len() as u64 / 64)?;
    engine.charge(text.len())?;
    let reversed: Vec<u8> = text.iter().rev().copied().collect();
    Ok(engine.text(&reversed)?.into())
}

pub(super) fn rep(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rep", &values);
    let text = arguments.text(engine, 0)?;
    let count = arguments.integer(engine, 1)?.max(0) as usize;
    engine.charge(text.len().saturating_mul(count).saturating_mul(2))?;
    let count = if text.is_empty() { 0 } else { count };
    engine.step(text.len().saturating_mul(count) as u64 / 64)?;
    Ok(Value::text(text.repeat(count)).into())
}

/// From the start of a part as Lua counts to a place in a text, which may lie beyond it.
fn start_of(length: usize, place: i64) -> usize {
    let from_zero = match place {
        0 => 0,
        place if place < 0 => (length as i64).saturating_add(place),
        place => place - 1,
    };
    from_zero.max(0) as usize
}

pub(super) fn sub(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("sub", &values);
    let text = arguments.text(engine, 0)?;
    let start = start_of(text.len(), arguments.integer(engine, 1)?);
    let end = end_of(text.len(), arguments.integer_or(engine, 2, -1)?);
    Ok(engine.text(text.get(start..end).unwrap_or_default())?.into())
}

/// Where a part ends.
fn end_of(length: usize, place: i64) -> usize {
    let length = length as i64;
    let place = match place < 0 {
        true => length.saturating_add(place).saturating_add(1),
        false => place,
    };
    place.clamp(0, length) as usize
}

pub(super) fn byte(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("byte", &values);
    let text = arguments.text(engine, 0)?;
    let first = arguments.integer_or(engine, 1, 1)?;
    let end = end_of(text.len(), arguments.integer_or(engine, 2, -1)?);
    // Zero is no place, where it is the first one for `sub`.
    let start = match (first, values.len()) {
        (0, _) => return Ok(Returned::None),
        (first, 2) if first.saturating_neg() > text.len() as i64 => return Ok(Returned::None),
        (first, _) => start_of(text.len(), first),
    };
    let end = if values.len() == 2 { start + 1 } else { end };
    let bytes = text.get(start..end).unwrap_or_default();
    engine.charge(24 * bytes.len())?;
    Ok(Returned::Many(
        bytes.iter().map(|byte| Value::Number(f64::from(*byte))).collect(),
    ))
}

pub(super) fn char(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("char", &values);
    let bytes: Outcome<Vec<u8>> = (0..values.len())
        .map(|at| arguments.integer(engine, at).map(|code| code as u8))
        .collect();
    Ok(engine.text(&bytes?)?.into())
}

/// A pattern; its bytes are steps.
fn pattern(engine: &mut Engine, source: &[u8]) -> Outcome<Pattern> {
    engine.step(source.len() as u64 / 4)?;
    engine.charge(source.len().saturating_mul(48))?;
    Pattern::parse(source).or_else(|message| engine.error(&message))
}

/// The first match at or after a place; its steps are the script's.
fn search(engine: &mut Engine, text: &[u8], pattern: &Pattern, from: usize) -> Outcome<Option<Match>> {
    let (found, steps) = pattern.find(text, from, engine.steps_left());
    engine.step(steps)?;
    match found {
        Ok(found) => {
            let captures = found.as_ref().map_or(0, |found| found.captures.len());
            engine.charge(48 * captures)?;
            Ok(found)
        }
        Err(Failure::Steps) => Engine::limit(Limit::Steps),
        Err(Failure::Pattern(message)) => engine.error(message),
    }
}

/// What a match gives: its captures, or all of it.
fn captured(engine: &mut Engine, text: &[u8], found: &Match) -> Outcome<Vec<Value>> {
    if found.captures.is_empty() {
        return Ok(vec![engine.text(&text[found.start..found.end])?]);
    }
    let mut values = Vec::with_capacity(found.captures.len());
    for capture in &found.captures {
        values.push(match *capture {
            Capture::Text(start, end) => engine.text(&text[start..end])?,
            Capture::Position(place) => Value::Number(place as f64),
            Capture::Open(_) => Value::Nil,
        });
    }
    Ok(values)
}

pub(super) fn find(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("find", &values);
    let (text, source) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    let place = |at: usize| Value::Number(at as f64);
    if source.is_empty() {
        return Ok(Returned::Many(vec![place(1), place(0)]));
    }
    let from = start_of(text.len(), arguments.integer_or(engine, 2, 1)?);
    let is_asked = values.len() == 4 && arguments.get(3).is_true();
    if is_asked || !source.iter().any(|byte| b"^$*+?.()[]%-".contains(byte)) {
        engine.step(text.len().saturating_sub(from) as u64 / 8)?;
        return Ok(match plain(engine, &text, &source, from)? {
            Some(at) => Returned::Many(vec![place(at + 1), place(at + source.len())]),
            None => Value::Nil.into(),
        });
    }
    let pattern = pattern(engine, &source)?;
    let Some(found) = search(engine, &text, &pattern, from)? else {
        return Ok(Value::Nil.into());
    };
    let mut values = vec![place(found.start + 1), place(found.end)];
    if !found.captures.is_empty() {
        values.extend(captured(engine, &text, &found)?);
    }
    Ok(Returned::Many(values))
}

/// Where a text is in another; every comparison that begins well is as many steps as it is long.
fn plain(engine: &mut Engine, text: &[u8], wanted: &[u8], from: usize) -> Outcome<Option<usize>> {
    for (at, window) in text.windows(wanted.len()).enumerate().skip(from) {
        if window.first() == wanted.first() {
            engine.step(1 + wanted.len() as u64 / 16)?;
            if window == wanted {
                return Ok(Some(at));
            }
        }
    }
    Ok(None)
}

pub(super) fn match_(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("match", &values);
    let (text, source) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    let from = start_of(text.len(), arguments.integer_or(engine, 2, 1)?);
    let pattern = pattern(engine, &source)?;
    match search(engine, &text, &pattern, from)? {
        Some(found) => Ok(Returned::Many(captured(engine, &text, &found)?)),
        // Not even nil, as in gopher-lua.
        None => Ok(Returned::None),
    }
}

/// The iterator's state is a table: its text, its pattern, and where it goes on.
pub(super) fn gmatch(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("gmatch", &values);
    let (text, source) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    pattern(engine, &source)?;
    let state = vec![Value::Text(text), Value::Text(source), Value::Number(0.0)];
    let state = engine.table(Table::of(state))?;
    Ok(Returned::Many(vec![Value::Native(GNEXT), state]))
}

pub(super) fn gnext(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let table = Arguments::of("gmatch", &values).table(engine, 0)?;
    let list = engine.at(table).list.clone();
    let [Value::Text(text), Value::Text(source), Value::Number(from)] = list.as_slice() else {
        return Ok(Value::Nil.into());
    };
    let pattern = pattern(engine, source)?;
    let Some(found) = search(engine, text, &pattern, *from as usize)? else {
        return Ok(Value::Nil.into());
    };
    let next = match pattern.is_anchored {
        true => text.len() + 1,
        false => found.end + usize::from(found.end == found.start),
    };
    if let Some(place) = engine.table_mut(table).list.get_mut(2) {
        *place = Value::Number(next as f64);
    }
    Ok(Returned::Many(captured(engine, text, &found)?))
}

pub(super) fn gsub(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("gsub", &values);
    let (text, source) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    let by = match arguments.get(2) {
        by @ (Value::Text(_) | Value::Table(_) | Value::Function(_) | Value::Native(_)) => by,
        _ => return arguments.bad(engine, 2, "string or table or function"),
    };
    // Less than none is all.
    let most = u64::try_from(arguments.integer_or(engine, 3, -1)?).unwrap_or(u64::MAX);
    let pattern = pattern(engine, &source)?;
    let (mut result, mut at, mut count) = (Vec::new(), 0, 0);
    while count < most && at <= text.len() {
        let Some(found) = search(engine, &text, &pattern, at)? else {
            break;
        };
        count += 1;
        result.extend_from_slice(&text[at..found.start]);
        let whole = &text[found.start..found.end];
        let captures = captured(engine, &text, &found)?;
        match replacement(engine, &by, whole, captures, found.captures.is_empty())? {
            Some(replacement) => result.extend_from_slice(&replacement),
            None => result.extend_from_slice(whole),
        }
        at = found.end;
        if found.end == found.start {
            result.extend(text.get(at));
            at += 1;
        }
        engine.charge(16 + found.end - found.start)?;
        if result.len() > TEXT_BYTES {
            return Engine::limit(Limit::Bytes);
        }
        if pattern.is_anchored {
            break;
        }
    }
    result.extend_from_slice(text.get(at..).unwrap_or_default());
    let count = Value::Number(count as f64);
    Ok(Returned::Many(vec![engine.text(&result)?, count]))
}

/// What stands in for a match; none for the match itself.
fn replacement(
    engine: &mut Engine,
    by: &Value,
    whole: &[u8],
    captures: Vec<Value>,
    is_whole: bool,
) -> Outcome<Option<Text>> {
    let value = match by {
        Value::Text(template) => {
            return Ok(Some(filled(engine, template, whole, &captures, is_whole)?.into()));
        }
        Value::Table(_) => {
            let key = captures.into_iter().next().unwrap_or(Value::Nil);
            engine.index(by, &key)?
        }
        function => engine.call(function.clone(), captures)?.first(),
    };
    match value.is_true() {
        // What is neither a text nor a number is put in as nothing.
        true if matches!(value, Value::Text(_) | Value::Number(_)) => Ok(Some(value.shown_bytes())),
        true => Ok(Some(b"".as_slice().into())),
        false => Ok(None),
    }
}

/// A replacement with `%0` to `%9` filled in.
fn filled(
    engine: &mut Engine,
    template: &[u8],
    whole: &[u8],
    captures: &[Value],
    is_whole: bool,
) -> Outcome<Vec<u8>> {
    let mut text = Vec::new();
    let mut bytes = template.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, if byte == b'%' { bytes.next() } else { None }) {
            (b'%', Some(b'0')) => text.extend_from_slice(whole),
            (b'%', Some(b'1')) if is_whole => text.extend_from_slice(whole),
            (b'%', Some(digit @ b'1'..=b'9')) => {
                let capture = captures.get(usize::from(digit - b'1')).filter(|_| !is_whole);
                let Some(capture) = capture else {
                    return engine.error("invalid capture index");
                };
                text.extend_from_slice(&capture.shown_bytes());
            }
            (b'%', Some(b'%') | None) => text.push(b'%'),
            (b'%', Some(other)) => text.extend([b'%', other]),
            (byte, _) => text.push(byte),
        }
        if text.len() > TEXT_BYTES {
            return Engine::limit(Limit::Bytes);
        }
    }
    engine.step(template.len() as u64 / 16)?;
    Ok(text)
}
