//! The functions that are globals.

use std::rc::Rc;

use crate::engine::{Engine, GLOBALS};
use crate::library::{Arguments, INEXT, NEXT};
use crate::number;
use crate::parser;
use crate::value::{Outcome, Raised, Returned, Value};

/// The most values that `unpack` gives at once.
const UNPACKED: f64 = 10_000.0;

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

/// The first argument, which has to be given even if it is nil.
fn any(engine: &Engine, function: &str, values: &[Value]) -> Outcome {
    match values.first() {
        Some(value) => Ok(value.clone()),
        None => engine.error(&format!("bad argument #1 to {function} (value expected)")),
    }
}

pub(super) fn type_(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    Ok(Value::text(any(engine, "type", &values)?.type_name()).into())
}

pub(super) fn tostring(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let value = any(engine, "tostring", &values)?;
    let shown = engine.shown_bytes(&value)?;
    engine.charge(16 + shown.len())?;
    Ok(Value::Text(shown).into())
}

pub(super) fn tonumber(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("tonumber", &values);
    if arguments.is_set(1) {
        let base = arguments.number(engine, 1)? as u32;
        let text = arguments.text(engine, 0)?;
        let text = String::from_utf8_lossy(&text);
        let number = match (2..=36).contains(&base) {
            true => i64::from_str_radix(text.trim(), base).ok(),
            false => None,
        };
        return Ok(number
            .map_or(Value::Nil, |number| Value::Number(number as f64))
            .into());
    }
    Ok(match arguments.get(0) {
        value @ Value::Number(_) => value,
        Value::Text(text) => number::read(&text).map_or(Value::Nil, Value::Number),
        _ => Value::Nil,
    }
    .into())
}

pub(super) fn pcall(engine: &mut Engine, mut values: Vec<Value>) -> Outcome<Returned> {
    if values.is_empty() {
        return Arguments::of("pcall", &values).bad(engine, 0, "function");
    }
    engine.step(40)?;
    let function = values.remove(0);
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
    let answers = pcall(engine, vec![arguments.get(0)])?.list();
    if answers.first().is_some_and(Value::is_true) {
        return Ok(Returned::Many(answers));
    }
    let error = answers.into_iter().nth(1).unwrap_or(Value::Nil);
    let handled = engine.call(arguments.get(1), vec![error])?.first();
    Ok(Returned::Many(vec![Value::Bool(false), handled]))
}

pub(super) fn error(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let value = any(engine, "error", &values)?;
    let level = Arguments::of("error", &values).number_or(engine, 1, 1.0)?;
    match value {
        Value::Text(text) if level > 0.0 => {
            let line = match level > 1.0 {
                // Where the function that raises it was called.
                true => engine.callers.last().copied().unwrap_or(engine.line),
                false => engine.line,
            };
            engine.error_at(line, &String::from_utf8_lossy(&text))
        }
        value => Err(Box::new(Raised::Error(value))),
    }
}

pub(super) fn assert(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    if values.first().is_some_and(Value::is_true) {
        return Ok(Returned::Many(values));
    }
    let message = match values.get(1) {
        Some(message) => engine.shown(message)?,
        None => "assertion failed!".to_owned(),
    };
    engine.error(&message)
}

pub(super) fn select(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("select", &values);
    if let Value::Text(text) = arguments.get(0)
        && *text == *b"#"
    {
        return Ok(Value::Number(values.len() as f64 - 1.0).into());
    }
    let index = arguments.number(engine, 0)?;
    let from = match index < 0.0 {
        true => values.len() as f64 + index,
        false => index,
    };
    engine.step(values.len() as u64 / 8)?;
    Ok(Returned::Many(
        values.get(from.max(1.0) as usize..).unwrap_or_default().to_vec(),
    ))
}

pub(super) fn unpack(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("unpack", &values);
    let table = arguments.table(engine, 0)?;
    let first = arguments.number_or(engine, 1, 1.0)?;
    let length = engine.length_of(table)? as f64;
    let last = arguments.number_or(engine, 2, length)?;
    if last - first >= UNPACKED {
        return engine.error("too many results to unpack");
    }
    let count = (last - first + 1.0).max(0.0) as usize;
    engine.step(count as u64)?;
    engine.charge(24 * count)?;
    let place = |at: usize| Value::Number(first + at as f64);
    Ok(Returned::Many(
        (0..count).map(|at| engine.at(table).get(&place(at))).collect(),
    ))
}

pub(super) fn rawget(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rawget", &values);
    let table = arguments.table(engine, 0)?;
    Ok(engine.at(table).get(&arguments.get(1)).into())
}

pub(super) fn rawset(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rawset", &values);
    let table = arguments.table(engine, 0)?;
    engine.put(table, arguments.get(1), arguments.get(2))?;
    Ok(arguments.get(0).into())
}

pub(super) fn rawequal(_: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("rawequal", &values);
    Ok(Value::Bool(arguments.get(0).same(&arguments.get(1))).into())
}

pub(super) fn setmetatable(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("setmetatable", &values);
    let table = arguments.table(engine, 0)?;
    let meta = match arguments.get(1) {
        Value::Table(meta) => Some(meta),
        Value::Nil => None,
        _ => return arguments.bad(engine, 1, "table"),
    };
    engine.table_mut(table).meta = meta;
    Ok(Value::Table(table).into())
}

pub(super) fn getmetatable(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let meta = match Arguments::of("getmetatable", &values).get(0) {
        Value::Table(table) => engine.at(table).meta,
        _ => None,
    };
    Ok(meta.map_or(Value::Nil, Value::Table).into())
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
    let source = Arguments::of("loadstring", &values).text(engine, 0)?;
    compile(engine, &source)
}

/// `load` takes a function that gives the source piece by piece.
pub(super) fn load(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("load", &values);
    let reader = match arguments.get(0) {
        reader @ (Value::Function(_) | Value::Native(_)) => reader,
        _ => return arguments.bad(engine, 0, "function"),
    };
    let mut source = Vec::new();
    loop {
        match engine.call(reader.clone(), Vec::new())?.first() {
            Value::Text(piece) if !piece.is_empty() => {
                engine.charge(piece.len())?;
                source.extend_from_slice(&piece);
            }
            Value::Nil | Value::Text(_) => return compile(engine, &source),
            _ => return engine.error("reader function must return a string"),
        }
    }
}

fn compile(engine: &mut Engine, source: &[u8]) -> Outcome<Returned> {
    // A tree takes many times what its text takes.
    engine.step(source.len() as u64)?;
    engine.charge(source.len().saturating_mul(64))?;
    match parser::parse("<string>", source) {
        Ok(main) => {
            engine.functions.push((main, Rc::new([])));
            Ok(Value::Function(engine.functions.len() as u32 - 1).into())
        }
        Err(error) => Ok(Returned::Many(vec![Value::Nil, engine.text(error.as_bytes())?])),
    }
}
