//! The library: which functions there are, and how they take their arguments.
//!
//! Nothing of it is made before a script names it: most name three or four functions.

mod base;
mod format;
mod maths;
mod strings;
mod tables;
mod time;

use crate::engine::Engine;
use crate::number;
use crate::table::Table;
use crate::value::{Outcome, Returned, Text, Value};

/// A function of the library.
type Native = fn(&mut Engine, Vec<Value>) -> Outcome<Returned>;

/// Where `next` is among [`NATIVES`].
pub(crate) const NEXT: u16 = 0;
/// Where the iterator of `ipairs` is.
pub(crate) const INEXT: u16 = 1;
/// Where the iterator of `gmatch` is.
const GNEXT: u16 = 2;
/// The library of functions that have no name.
const UNNAMED: &str = "=";

/// All of them: the library (none for globals), the name, the function.
const NATIVES: &[(&str, &str, Native)] = &[
    ("", "next", base::next),
    (UNNAMED, "ipairs", base::inext),
    (UNNAMED, "gmatch", strings::gnext),
    ("", "assert", base::assert),
    ("", "error", base::error),
    ("", "getmetatable", base::getmetatable),
    ("", "ipairs", base::ipairs),
    ("", "load", base::load),
    ("", "loadstring", base::loadstring),
    ("", "pairs", base::pairs),
    ("", "pcall", base::pcall),
    ("", "print", base::print),
    ("", "rawequal", base::rawequal),
    ("", "rawget", base::rawget),
    ("", "rawset", base::rawset),
    ("", "require", base::require),
    ("", "select", base::select),
    ("", "setmetatable", base::setmetatable),
    ("", "tonumber", base::tonumber),
    ("", "tostring", base::tostring),
    ("", "type", base::type_),
    ("", "unpack", base::unpack),
    ("", "xpcall", base::xpcall),
    ("string", "byte", strings::byte),
    ("string", "char", strings::char),
    ("string", "find", strings::find),
    ("string", "format", format::format),
    ("string", "gfind", strings::gmatch),
    ("string", "gmatch", strings::gmatch),
    ("string", "gsub", strings::gsub),
    ("string", "len", strings::len),
    ("string", "lower", strings::lower),
    ("string", "match", strings::match_),
    ("string", "rep", strings::rep),
    ("string", "reverse", strings::reverse),
    ("string", "sub", strings::sub),
    ("string", "upper", strings::upper),
    ("table", "concat", tables::concat),
    ("table", "getn", tables::getn),
    ("table", "insert", tables::insert),
    ("table", "maxn", tables::maxn),
    ("table", "remove", tables::remove),
    ("table", "sort", tables::sort),
    ("math", "abs", maths::abs),
    ("math", "acos", maths::acos),
    ("math", "asin", maths::asin),
    ("math", "atan", maths::atan),
    ("math", "atan2", maths::atan2),
    ("math", "ceil", maths::ceil),
    ("math", "cos", maths::cos),
    ("math", "cosh", maths::cosh),
    ("math", "deg", maths::deg),
    ("math", "exp", maths::exp),
    ("math", "floor", maths::floor),
    ("math", "fmod", maths::fmod),
    ("math", "frexp", maths::frexp),
    ("math", "ldexp", maths::ldexp),
    ("math", "log", maths::log),
    ("math", "log10", maths::log10),
    ("math", "max", maths::max),
    ("math", "min", maths::min),
    ("math", "mod", maths::modulo),
    ("math", "modf", maths::modf),
    ("math", "pow", maths::pow),
    ("math", "rad", maths::rad),
    ("math", "sin", maths::sin),
    ("math", "sinh", maths::sinh),
    ("math", "sqrt", maths::sqrt),
    ("math", "tan", maths::tan),
    ("math", "tanh", maths::tanh),
    ("os", "clock", time::clock),
    ("os", "date", time::date),
    ("os", "difftime", time::difftime),
    ("os", "getenv", time::getenv),
    ("os", "time", time::time),
];

/// Calls a function of the library.
pub(crate) fn call(engine: &mut Engine, number: u16, arguments: Vec<Value>) -> Outcome<Returned> {
    match NATIVES.get(number as usize) {
        Some((_, _, native)) => native(engine, arguments),
        None => engine.error("attempt to call a non-function object"),
    }
}

/// A global that the library has: a function, or a table of functions.
pub(crate) fn global(engine: &mut Engine, name: &Text) -> Outcome<Option<Value>> {
    let name = std::str::from_utf8(name).unwrap_or_default();
    let function = NATIVES
        .iter()
        .position(|(library, function, _)| library.is_empty() && *function == name);
    match (function, name) {
        (Some(number), _) => Ok(Some(Value::Native(number as u16))),
        (None, "_VERSION") => Ok(Some(Value::text("Lua 5.1"))),
        (None, "string" | "table" | "math" | "os") => library(engine, name).map(Some),
        (None, _) => Ok(None),
    }
}

fn library(engine: &mut Engine, library: &str) -> Outcome {
    let mut table = Table::default();
    for (number, (its, name, _)) in NATIVES.iter().enumerate() {
        if *its == library {
            table.append(Value::text(name), Value::Native(number as u16));
        }
    }
    if library == "math" {
        table.append(Value::text("huge"), Value::Number(f64::MAX));
        table.append(Value::text("pi"), Value::Number(std::f64::consts::PI));
    }
    let made = engine.table(table)?;
    // Texts have it for a metatable.
    if let (Value::Table(number), "string") = (&made, library) {
        let table = engine.table_mut(*number);
        table.append(Value::text("__index"), made.clone());
    }
    Ok(made)
}

/// The arguments of a function of the library, and its name for messages.
pub(crate) struct Arguments<'a> {
    pub(crate) values: &'a [Value],
    pub(crate) function: &'static str,
}

impl<'a> Arguments<'a> {
    pub(crate) fn of(function: &'static str, values: &'a [Value]) -> Self {
        Self { values, function }
    }

    /// One of them; nil where it was not given.
    pub(crate) fn get(&self, at: usize) -> Value {
        self.values.get(at).cloned().unwrap_or(Value::Nil)
    }

    pub(crate) fn is_set(&self, at: usize) -> bool {
        self.values.get(at).is_some_and(|value| !value.is_nil())
    }

    /// An error of one that is of another type.
    pub(crate) fn bad<T>(&self, engine: &Engine, at: usize, wanted: &str) -> Outcome<T> {
        let got = self.get(at).type_name();
        self.refuse(engine, at, &format!("{wanted} expected, got {got}"))
    }

    pub(crate) fn text(&self, engine: &Engine, at: usize) -> Outcome<Text> {
        match self.get(at) {
            Value::Text(text) => Ok(text),
            Value::Number(number) => Ok(number::print(number).into_bytes().into()),
            _ => self.bad(engine, at, "string"),
        }
    }

    pub(crate) fn number(&self, engine: &Engine, at: usize) -> Outcome<f64> {
        match self.get(at) {
            Value::Number(number) => Ok(number),
            Value::Text(text) => match number::read(&text) {
                Some(number) => Ok(number),
                None => self.bad(engine, at, "number"),
            },
            _ => self.bad(engine, at, "number"),
        }
    }

    /// A number without its fraction; no text is one.
    pub(crate) fn integer(&self, engine: &Engine, at: usize) -> Outcome<i64> {
        match self.get(at) {
            Value::Number(number) => Ok(number::integer(number)),
            _ => self.bad(engine, at, "number"),
        }
    }

    pub(crate) fn integer_or(&self, engine: &Engine, at: usize, default: i64) -> Outcome<i64> {
        match self.is_set(at) {
            true => self.integer(engine, at),
            false => Ok(default),
        }
    }

    /// A text that may be left out; no number is one.
    pub(crate) fn text_or(&self, engine: &Engine, at: usize, default: &str) -> Outcome<Text> {
        match self.get(at) {
            Value::Nil => Ok(default.as_bytes().into()),
            Value::Text(text) => Ok(text),
            _ => self.bad(engine, at, "string"),
        }
    }

    /// One that has to be given, even if it is nil.
    pub(crate) fn any(&self, engine: &Engine, at: usize) -> Outcome {
        match self.values.get(at) {
            Some(value) => Ok(value.clone()),
            None => self.refuse(engine, at, "value expected"),
        }
    }

    pub(crate) fn function(&self, engine: &Engine, at: usize) -> Outcome {
        match self.get(at) {
            function @ (Value::Function(_) | Value::Native(_)) => Ok(function),
            _ => self.bad(engine, at, "function"),
        }
    }

    /// An error of one of them.
    pub(crate) fn refuse<T>(&self, engine: &Engine, at: usize, message: &str) -> Outcome<T> {
        let (number, function) = (at + 1, self.function);
        engine.error(&format!("bad argument #{number} to {function} ({message})"))
    }

    pub(crate) fn table(&self, engine: &Engine, at: usize) -> Outcome<u32> {
        match self.get(at) {
            Value::Table(table) => Ok(table),
            _ => self.bad(engine, at, "table"),
        }
    }
}
