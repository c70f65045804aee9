//! `string`.

use crate::engine::{Engine, Limit};
use crate::library::{Arguments, GNEXT};
use crate::pattern::{self, Capture, Failure, Match};
use crate::table::Table;
use crate::value::{Outcome, Returned, Text, Value};

/// The longest text that `gsub` makes.
const TEXT_BYTES: usize = 8 << 20;

pub(super) fn len(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let text = Arguments::of("len", &values).text(engine, 0)?;
    Ok(Value::Number(text.len() as f64).into())
}

pub(super) fn lower(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    cased(engine, &Arguments::of("lower", &values), str::to_lowercase)
}

pub(super) fn upper(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    cased(engine, &Arguments::of("upper", &values), str::to_uppercase)
}

fn cased(engine: &mut Engine, arguments: &Arguments<'_>, change: fn(&str) -> String) -> Outcome<Returned> {
    let text = arguments.text(engine, 0)?;
    engine.step(text.len() as u64 / 8)?;
    engine.charge(3 * text.len())?;
    let text = change(&String::from_utf8_lossy(&text));
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
    let count = arguments.number(engine, 1)?.max(0.0) as usize;
    engine.charge(text.len().saturating_mul(count).saturating_mul(2))?;
    let count = if text.is_empty() { 0 } else { count };
    engine.step(text.len().saturating_mul(count) as u64 / 64)?;
    Ok(Value::text(text.repeat(count)).into())
}

/// From a start and an end as Lua counts them to places in a text of this length.
fn range(length: usize, first: f64, last: f64) -> (usize, usize) {
    let end = length as f64;
    let first = if first < 0.0 { end + first + 1.0 } else { first }.max(1.0);
    let last = if last < 0.0 {
        end + last + 1.0
    } else {
        last.min(end)
    };
    match first <= last {
        true => (first as usize - 1, last as usize),
        false => (0, 0),
    }
}

pub(super) fn sub(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("sub", &values);
    let text = arguments.text(engine, 0)?;
    let (first, last) = (
        arguments.number(engine, 1)?,
        arguments.number_or(engine, 2, -1.0)?,
    );
    let (start, end) = range(text.len(), first, last);
    Ok(engine.text(&text[start..end])?.into())
}

pub(super) fn byte(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("byte", &values);
    let text = arguments.text(engine, 0)?;
    let first = arguments.number_or(engine, 1, 1.0)?;
    let (start, end) = range(text.len(), first, arguments.number_or(engine, 2, first)?);
    engine.charge(24 * (end - start))?;
    let bytes = text[start..end].iter();
    Ok(Returned::Many(
        bytes.map(|byte| Value::Number(f64::from(*byte))).collect(),
    ))
}

pub(super) fn char(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("char", &values);
    let bytes: Outcome<Vec<u8>> = (0..values.len())
        .map(|at| arguments.number(engine, at).map(|code| code as u8))
        .collect();
    Ok(engine.text(&bytes?)?.into())
}

/// The first match at or after a place; its steps are the script's.
fn search(engine: &mut Engine, text: &[u8], pattern: &[u8], from: usize) -> Outcome<Option<Match>> {
    let (found, steps) = pattern::find(text, pattern, from, engine.steps_left());
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

/// Where a search starts, from 0.
fn start(engine: &Engine, arguments: &Arguments<'_>, length: usize) -> Outcome<usize> {
    let place = arguments.number_or(engine, 2, 1.0)?;
    let start = match place < 0.0 {
        true => length as f64 + place,
        false => place - 1.0,
    };
    Ok((start.max(0.0) as usize).min(length))
}

pub(super) fn find(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("find", &values);
    let (text, pattern) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    let from = start(engine, &arguments, text.len())?;
    let is_plain = arguments.get(3).is_true() || !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte));
    let place = |at: usize| Value::Number(at as f64);
    if is_plain {
        engine.step((text.len() - from) as u64 / 8)?;
        let found = match pattern.is_empty() {
            true => Some(from),
            false => plain(engine, &text, &pattern, from)?,
        };
        return Ok(match found {
            Some(at) => Returned::Many(vec![place(at + 1), place(at + pattern.len())]),
            None => Value::Nil.into(),
        });
    }
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
    let (text, pattern) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    let from = start(engine, &arguments, text.len())?;
    match search(engine, &text, &pattern, from)? {
        Some(found) => Ok(Returned::Many(captured(engine, &text, &found)?)),
        // Not even nil, as in gopher-lua.
        None => Ok(Returned::None),
    }
}

/// The iterator is a table that can be called: its text, its pattern, and where it goes on.
pub(super) fn gmatch(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("gmatch", &values);
    let state = vec![
        Value::Text(arguments.text(engine, 0)?),
        Value::Text(arguments.text(engine, 1)?),
        Value::Number(0.0),
    ];
    let mut meta = Table::default();
    meta.append(Value::text("__call"), Value::Native(GNEXT));
    let meta = engine.table(meta)?;
    let state = engine.table(Table::of(state))?;
    if let (Value::Table(state), Value::Table(meta)) = (&state, meta) {
        engine.table_mut(*state).meta = Some(meta);
    }
    Ok(state.into())
}

pub(super) fn gnext(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let table = Arguments::of("gmatch", &values).table(engine, 0)?;
    let list = engine.at(table).list.clone();
    let [Value::Text(text), Value::Text(pattern), Value::Number(from)] = list.as_slice() else {
        return Ok(Value::Nil.into());
    };
    let from = *from as usize;
    let found = match from <= text.len() {
        true => search(engine, text, pattern, from)?,
        false => None,
    };
    let Some(found) = found else {
        return Ok(Value::Nil.into());
    };
    let next = found.end + usize::from(found.end == found.start);
    if let Some(place) = engine.table_mut(table).list.get_mut(2) {
        *place = Value::Number(next as f64);
    }
    Ok(Returned::Many(captured(engine, text, &found)?))
}

pub(super) fn gsub(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("gsub", &values);
    let (text, pattern) = (arguments.text(engine, 0)?, arguments.text(engine, 1)?);
    let by = match arguments.get(2) {
        Value::Number(_) => Value::Text(arguments.text(engine, 2)?),
        by @ (Value::Text(_) | Value::Table(_) | Value::Function(_) | Value::Native(_)) => by,
        _ => return arguments.bad(engine, 2, "string"),
    };
    let most = arguments.number_or(engine, 3, f64::INFINITY)?;
    let (mut result, mut at, mut count) = (Vec::new(), 0, 0.0);
    while count < most && at <= text.len() {
        let Some(found) = search(engine, &text, &pattern, at)? else {
            break;
        };
        count += 1.0;
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
        if pattern.first() == Some(&b'^') {
            break;
        }
    }
    result.extend_from_slice(text.get(at..).unwrap_or_default());
    Ok(Returned::Many(vec![engine.text(&result)?, Value::Number(count)]))
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
        true => engine.shown_bytes(&value).map(Some),
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
                text.extend_from_slice(&engine.shown_bytes(capture)?);
            }
            (b'%', other) => text.push(other.unwrap_or(b'%')),
            (byte, _) => text.push(byte),
        }
        if text.len() > TEXT_BYTES {
            return Engine::limit(Limit::Bytes);
        }
    }
    engine.step(template.len() as u64 / 16)?;
    Ok(text)
}
