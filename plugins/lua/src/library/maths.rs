//! `math`. There is no `random`: a check always says the same of the same object.

use crate::engine::Engine;
use crate::library::Arguments;
use crate::number;
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
    deg: |number| number * 180.0 / std::f64::consts::PI,
    exp: f64::exp,
    floor: f64::floor,
    log: f64::ln,
    log10: f64::log10,
    rad: |number| number * std::f64::consts::PI / 180.0,
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

pub(super) fn modulo(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("mod", &values);
    let (left, right) = (arguments.number(engine, 0)?, arguments.number(engine, 1)?);
    Ok(Value::Number(number::modulo(left, right)).into())
}

pub(super) fn frexp(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let (fraction, exponent) = number::halves(Arguments::of("frexp", &values).number(engine, 0)?);
    Ok(Returned::Many(vec![
        Value::Number(fraction),
        Value::Number(f64::from(exponent)),
    ]))
}

pub(super) fn ldexp(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("ldexp", &values);
    let number = arguments.number(engine, 0)?;
    // In steps: a power of two alone may be too large where the product is not.
    let exponent = arguments.integer(engine, 1)?.clamp(-2_200, 2_200) as i32;
    let step = exponent / 3;
    let product = number * 2f64.powi(step) * 2f64.powi(step) * 2f64.powi(exponent - 2 * step);
    Ok(Value::Number(product).into())
}

pub(super) fn max(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    fold(engine, &Arguments::of("max", &values), |most, number| {
        if number > most { number } else { most }
    })
}

pub(super) fn min(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    fold(engine, &Arguments::of("min", &values), |least, number| {
        if number < least { number } else { least }
    })
}

fn fold(engine: &mut Engine, arguments: &Arguments<'_>, function: fn(f64, f64) -> f64) -> Outcome<Returned> {
    if arguments.values.is_empty() {
        return engine.error("wrong number of arguments");
    }
    let mut number = arguments.number(engine, 0)?;
    for at in 1..arguments.values.len() {
        number = function(number, arguments.number(engine, at)?);
    }
    Ok(Value::Number(number).into())
}
