//! `math`. There is no `random`: a check always says the same of the same object.

use crate::engine::Engine;
use crate::library::Arguments;
use crate::value::{Outcome, Returned, Value};

/// Functions of one number.
macro_rules! of_one {
    ($($name:ident: $function:expr),* $(,)?) => {
        $(pub(super) fn $name(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
            let function: fn(f64) -> f64 = $function;
            Ok(Value::Number(function(Arguments::of(stringify!($name), &values).number(engine, 0)?)).into())
        })*
    };
}

/// Functions of two numbers.
macro_rules! of_two {
    ($($name:ident: $function:expr),* $(,)?) => {
        $(pub(super) fn $name(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
            let function: fn(f64, f64) -> f64 = $function;
            let arguments = Arguments::of(stringify!($name), &values);
            Ok(Value::Number(function(arguments.number(engine, 0)?, arguments.number(engine, 1)?)).into())
        })*
    };
}

of_one! {
    abs: f64::abs,
    acos: f64::acos,
    asin: f64::asin,
    atan: f64::atan,
    ceil: f64::ceil,
    cos: f64::cos,
    cosh: f64::cosh,
    deg: f64::to_degrees,
    exp: f64::exp,
    floor: f64::floor,
    log: f64::ln,
    log10: f64::log10,
    rad: f64::to_radians,
    sin: f64::sin,
    sinh: f64::sinh,
    sqrt: f64::sqrt,
    tan: f64::tan,
    tanh: f64::tanh,
}

of_two! {
    atan2: f64::atan2,
    fmod: |left, right| left % right,
    pow: f64::powf,
}

pub(super) fn modf(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let number = Arguments::of("modf", &values).number(engine, 0)?;
    Ok(Returned::Many(vec![
        Value::Number(number.trunc()),
        Value::Number(number - number.trunc()),
    ]))
}

pub(super) fn max(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    fold(engine, &Arguments::of("max", &values), f64::max)
}

pub(super) fn min(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    fold(engine, &Arguments::of("min", &values), f64::min)
}

fn fold(engine: &mut Engine, arguments: &Arguments<'_>, function: fn(f64, f64) -> f64) -> Outcome<Returned> {
    let mut number = arguments.number(engine, 0)?;
    for at in 1..arguments.values.len() {
        number = function(number, arguments.number(engine, at)?);
    }
    Ok(Value::Number(number).into())
}
