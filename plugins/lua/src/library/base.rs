//! The functions that are globals.

use std::rc::Rc;

use crate::engine::{Engine, GLOBALS};
use crate::library::{Arguments, INEXT, NEXT};
use crate::number;
use crate::parser;
use crate::value::{Outcome, Raised, Returned, Value};

/// The most values that `unpack` gives at once.
const UNPACKED: i64 = 10_000;

pub(super) fn next(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("next", &values);
    let table = arguments.table(engine, 0)?;
    Ok(match engine.next(table, &arguments.get(1))? {
        Some((key, value)) => Returned::Many(vec![key, value]),
        None => Value::Nil.into(),
    })
}

pub(super) fn inext(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("ipairs", &values);
    let table = arguments.table(engine, 0)?;
    let index = Value::Number(arguments.number(engine, 1)? + 1.0);
    Ok(match engine.at(table).get(&index) {
        Value::Nil => Value::Nil.into(),
        value => Returned::Many(vec![index, value]),
    })
}

pub(super) fn pairs(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let table = Arguments::of("pairs", &values).table(engine, 0)?;
    Ok(Returned::Many(vec![
        Value::Native(NEXT),
        Value::Table(table),
        Value::Nil,
    ]))
}

pub(super) fn ipairs(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let table = Arguments::of("ipairs", &values).table(engine, 0)?;
    Ok(Returned::Many(vec![
        Value::Native(INEXT),
        Value::Table(table),
        Value::Number(0.0),
    ]))
}

pub(super) fn type_(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    Ok(Value::text(Arguments::of("type", &values).any(engine, 0)?.type_name()).into())
}

pub(super) fn tostring(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let value = Arguments::of("tostring", &values).any(engine, 0)?;
    let convert = engine.metamethod(&value, "__tostring");
    if convert.is_function() {
        return Ok(engine.call(convert, vec![value])?.first().into());
    }
    let shown = value.shown_bytes();
    engine.charge(16 + shown.len())?;
    Ok(Value::Text(shown).into())
}

pub(super) fn tonumber(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("tonumber", &values);
    let base = match arguments.is_set(1) {
        true => Some(arguments.integer(engine, 1)?),
        false => None,
    };
    Ok(match arguments.any(engine, 0)? {
        value @ Value::Number(_) => value,
        Value::Text(text) => number::read_in(&text, base).map_or(Value::Nil, Value::Number),
        _ => Value::Nil,
    }
    .into())
}

pub(super) fn pcall(engine: &mut Engine, mut values: Vec<Value>) -> Outcome<Returned> {
    let function = Arguments::of("pcall", &values).any(engine, 0)?;
    values.remove(0);
    engine.step(40)?;
    if !matches!(function, Value::Function(_) | Value::Native(_))
        && engine.metamethod(&function, "__call").is_nil()
    {
        let message = format!("attempt to call a {} value", function.type_name());
        return Ok(Returned::Many(vec![Value::Bool(false), Value::text(message)]));
    }
    let mark = (engine.stack.len(), engine.callers.len(), engine.depth);
    match engine.call(function, values) {
        Ok(returned) => {
            let mut values = vec![Value::Bool(true)];
            values.extend(returned.list());
            Ok(Returned::Many(values))
        }
        Err(raised) => match *raised {
            Raised::Error(value) => {
                engine.recover(mark);
                Ok(Returned::Many(vec![Value::Bool(false), value]))
            }
            limit @ Raised::Limit(_) => Err(Box::new(limit)),
        },
    }
}

pub(super) fn xpcall(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("xpcall", &values);
    let (function, handler) = (arguments.function(engine, 0)?, arguments.function(engine, 1)?);
    let answers = pcall(engine, vec![function])?.list();
    if answers.first().is_some_and(Value::is_true) {
        return Ok(Returned::Many(answers));
    }
    let error = answers.into_iter().nth(1).unwrap_or(Value::Nil);
    // An error of the handler takes the place of the first one.
    let handled = pcall(engine, vec![handler, error])?.list().into_iter().nth(1);
    Ok(Returned::Many(vec![
        Value::Bool(false),
        handled.unwrap_or(Value::Nil),
    ]))
}

pub(super) fn error(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("error", &values);
    let value = arguments.any(engine, 0)?;
    let level = arguments.integer_or(engine, 1, 1)?;
    let text = match value {
        Value::Text(text) if level > 0 => String::from_utf8_lossy(&text).into_owned(),
        value => return Err(Box::new(Raised::Error(value))),
    };
    // The first two levels are the function that raises it; the third is where that was called.
    match usize::try_from(level).unwrap_or(usize::MAX).checked_sub(3) {
        None => engine.error(&text),
        // The call of the script itself is none.
        Some(above) => match engine.callers.iter().skip(1).rev().nth(above).copied() {
            Some(line) => engine.error_at(line, &text),
            None => Err(Box::new(Raised::Error(Value::text(format!(" {text}"))))),
        },
    }
}

pub(super) fn assert(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    if values.first().is_some_and(Value::is_true) {
        return Ok(Returned::Many(values));
    }
    let message = Arguments::of("assert", &values).text_or(engine, 1, "assertion failed!")?;
    engine.error(&String::from_utf8_lossy(&message))
}

pub(super) fn select(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("select", &values);
    let count = values.len() as i64;
    let index = match arguments.get(0) {
        Value::Number(_) => arguments.integer(engine, 0)?,
        Value::Text(text) if *text == *b"#" => return Ok(Value::Number(count as f64 - 1.0).into()),
        Value::Text(text) => {
            let message = format!("invalid string '{}'", String::from_utf8_lossy(&text));
            return arguments.refuse(engine, 0, &message);
        }
        _ => return arguments.bad(engine, 0, "number or string"),
    };
    let from = if index < 0 {
        count.saturating_add(index)
    } else {
        index
    };
    if from < 1 {
        return arguments.refuse(engine, 0, "index out of range");
    }
    engine.step(count as u64 / 8)?;
    Ok(Returned::Many(
        values.get(from as usize..).unwrap_or_default().to_vec(),
    ))
}

pub(super) fn unpack(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("unpack", &values);
    let table = arguments.table(engine, 0)?;
    let first = arguments.integer_or(engine, 1, 1)?;
    let length = engine.length_of(table)? as i64;
    let last = arguments.integer_or(engine, 2, length)?;
    let count = last.saturating_sub(first).saturating_add(1).max(0);
    if count > UNPACKED {
        return engine.error("too many results to unpack");
    }
    engine.step(count as u64)?;
    engine.charge(24 * count as usize)?;
    let list = &engine.at(table).list;
    let value = |place: i64| {
        let place = usize::try_from(place - 1).ok();
        place
            .and_then(|place| list.get(place))
            .cloned()
            .unwrap_or(Value::Nil)
    };
    Ok(Returned::Many((first..first + count).map(value).collect()))
}

pub(super) fn rawget(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rawget", &values);
    let (table, key) = (arguments.table(engine, 0)?, arguments.any(engine, 1)?);
    Ok(engine.at(table).get(&key).into())
}

pub(super) fn rawset(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rawset", &values);
    let (table, key) = (arguments.table(engine, 0)?, arguments.any(engine, 1)?);
    engine.put(table, key, arguments.any(engine, 2)?)?;
    Ok(Returned::None)
}

pub(super) fn rawequal(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rawequal", &values);
    let (left, right) = (arguments.any(engine, 0)?, arguments.any(engine, 1)?);
    Ok(Value::Bool(left.same(&right)).into())
}

pub(super) fn setmetatable(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("setmetatable", &values);
    let meta = match arguments.get(1) {
        Value::Table(meta) => Some(meta),
        Value::Nil => None,
        _ => return arguments.bad(engine, 1, "nil or table"),
    };
    if arguments.get(0).is_nil() {
        return engine.error("cannot set metatable to a nil object.");
    }
    let table = arguments.table(engine, 0)?;
    let before = engine.at(table).meta;
    if before.is_some_and(|before| !engine.at(before).named("__metatable").is_nil()) {
        return engine.error("cannot change a protected metatable");
    }
    engine.table_mut(table).meta = meta;
    Ok(Value::Table(table).into())
}

pub(super) fn getmetatable(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let meta = match Arguments::of("getmetatable", &values).any(engine, 0)? {
        Value::Table(table) => engine.at(table).meta,
        // That of all texts.
        Value::Text(_) => return Ok(engine.global(&b"string".as_slice().into())?.into()),
        _ => None,
    };
    let shown = meta.map(|meta| engine.at(meta).named("__metatable"));
    Ok(match shown {
        Some(shown) if !shown.is_nil() => shown,
        _ => meta.map_or(Value::Nil, Value::Table),
    }
    .into())
}

/// There is nowhere to print to.
pub(super) fn print(_: &mut Engine, _: Vec<Value>) -> Outcome<Returned> {
    Ok(Returned::None)
}

/// The libraries are there already; of them it gives the table.
pub(super) fn require(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let name = Arguments::of("require", &values).text(engine, 0)?;
    let library = match &*name {
        b"os" | b"string" | b"table" | b"math" => engine.global(&name)?,
        b"_G" => Value::Table(GLOBALS),
        _ => Value::Nil,
    };
    match library {
        Value::Nil => engine.error(&format!("module {} not found", String::from_utf8_lossy(&name))),
        library => Ok(library.into()),
    }
}

pub(super) fn loadstring(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("loadstring", &values);
    let source = arguments.text(engine, 0)?;
    let name = arguments.text_or(engine, 1, "<string>")?;
    compile(engine, &name, &source)
}

/// `load` takes a function that gives the source piece by piece.
pub(super) fn load(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("load", &values);
    let reader = arguments.function(engine, 0)?;
    let name = arguments.text_or(engine, 1, "?")?;
    let mut source = Vec::new();
    loop {
        let piece = engine.call(reader.clone(), Vec::new())?.first();
        match piece {
            Value::Number(_) | Value::Text(_) => {
                let piece = piece.shown_bytes();
                if piece.is_empty() {
                    return compile(engine, &name, &source);
                }
                engine.charge(piece.len())?;
                source.extend_from_slice(&piece);
            }
            Value::Nil => return compile(engine, &name, &source),
            _ => {
                let message = "reader function must return a string";
                return Ok(Returned::Many(vec![Value::Nil, Value::text(message)]));
            }
        }
    }
}

fn compile(engine: &mut Engine, name: &[u8], source: &[u8]) -> Outcome<Returned> {
    // A tree takes many times what its text takes.
    engine.step(source.len() as u64)?;
    engine.charge(source.len().saturating_mul(64))?;
    match parser::parse(&String::from_utf8_lossy(name), source) {
        Ok(main) => {
            engine.functions.push((main, Rc::new([])));
            Ok(Value::Function(engine.functions.len() as u32 - 1).into())
        }
        Err(error) => Ok(Returned::Many(vec![Value::Nil, engine.text(error.as_bytes())?])),
    }
}
