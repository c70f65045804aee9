//! Operators.

use std::cmp::Ordering;

use crate::tree::Binary;
use crate::value::entry;
use crate::{Failure, Meter, Value};

type Answer = Result<Value, Failure>;

/// `left operator right`.
pub(crate) fn binary(meter: &Meter, operator: Binary, left: &Value, right: &Value) -> Answer {
    match operator {
        Binary::Equal => equal(meter, left, right).map(Value::Bool),
        Binary::NotEqual => equal(meter, left, right).map(|is| Value::Bool(!is)),
        Binary::Less => compare(meter, left, right).map(|order| Value::Bool(order.is_lt())),
        Binary::LessOrEqual => compare(meter, left, right).map(|order| Value::Bool(order.is_le())),
        Binary::Greater => compare(meter, left, right).map(|order| Value::Bool(order.is_gt())),
        Binary::GreaterOrEqual => compare(meter, left, right).map(|order| Value::Bool(order.is_ge())),
        Binary::In => contains(meter, left, right).map(Value::Bool),
        Binary::Add => add(meter, left, right),
        Binary::Subtract => subtract(left, right),
        Binary::Multiply | Binary::Divide | Binary::Modulo => product(operator, left, right),
    }
}

/// `-value`.
pub(crate) fn negative(value: &Value) -> Answer {
    match value {
        Value::Int(integer) => checked(integer.checked_neg()),
        Value::Double(number) => Ok(Value::Double(-number)),
        Value::Duration(nanoseconds) => duration(nanoseconds.checked_neg()),
        _ => Err(Failure::no_overload()),
    }
}

/// Whether two values are equal. Numbers of different types may be; other values of different types are not.
pub(crate) fn equal(meter: &Meter, left: &Value, right: &Value) -> Result<bool, Failure> {
    meter.steps(1)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => {
            meter.letters(left.len().min(right.len()))?;
            left == right
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            meter.letters(left.len().min(right.len()))?;
            left == right
        }
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                if !equal(meter, left, right)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, value) in left.iter() {
                let Some(other) = entry(meter, right, &key.to_value())? else {
                    return Ok(false);
                };
                if !equal(meter, value, other)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Optional(left), Value::Optional(right)) => match (left, right) {
            (Some(left), Some(right)) => equal(meter, left, right)?,
            (left, right) => left.is_none() && right.is_none(),
        },
        (Value::Type(left), Value::Type(right)) => left == right,
        (left, right) => order(left, right) == Some(Some(Ordering::Equal)),
    })
}

/// The order of two numbers. None for what is none, and within it none where one is not a number (NaN).
fn order(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Double(left), right) => whole_order(*left, whole(right)?),
        (left, Value::Double(right)) => whole_order(*right, whole(left)?).map(Ordering::reverse),
        (left, right) => Some(whole(left)?.cmp(&whole(right)?)),
    })
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(integer) => Some(i128::from(*integer)),
        Value::Uint(integer) => Some(i128::from(*integer)),
        _ => None,
    }
}

/// The order of a number and a whole one, as cel-go compares: within the range of whole numbers as doubles.
fn whole_order(number: f64, whole: i128) -> Option<Ordering> {
    number.partial_cmp(&(whole as f64))
}

fn compare(meter: &Meter, left: &Value, right: &Value) -> Result<Ordering, Failure> {
    Ok(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => {
            meter.letters(left.len().min(right.len()))?;
            left.cmp(right)
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            meter.letters(left.len().min(right.len()))?;
            left.cmp(right)
        }
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        (Value::Duration(left), Value::Duration(right)) => left.cmp(right),
        (left, right) => {
            let order = order(left, right).ok_or_else(Failure::no_overload)?;
            order.ok_or_else(|| Failure::error("NaN values cannot be ordered"))?
        }
    })
}

/// `value in container`.
fn contains(meter: &Meter, value: &Value, container: &Value) -> Result<bool, Failure> {
    match container {
        Value::List(list) => among(meter, value, list),
        Value::Map(map) => Ok(entry(meter, map, value)?.is_some()),
        _ => Err(Failure::no_overload()),
    }
}

/// Whether a list has a value.
pub(crate) fn among(meter: &Meter, value: &Value, list: &[Value]) -> Result<bool, Failure> {
    for entry in list {
        if equal(meter, value, entry)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn add(meter: &Meter, left: &Value, right: &Value) -> Answer {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => checked(left.checked_add(*right)),
        (Value::Uint(left), Value::Uint(right)) => checked_unsigned(left.checked_add(*right)),
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(left + right)),
        (Value::Text(left), Value::Text(right)) => {
            meter.text(left.len() + right.len())?;
            Ok(Value::Text([&**left, &**right].concat().into()))
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            meter.text(left.len() + right.len())?;
            Ok(Value::Bytes([&**left, &**right].concat().into()))
        }
        (Value::List(left), Value::List(right)) => {
            meter.entries(left.len() + right.len())?;
            Ok(Value::List(left.iter().chain(right.iter()).cloned().collect()))
        }
        (Value::Duration(left), Value::Duration(right)) => duration(left.checked_add(*right)),
        (Value::Timestamp(time), Value::Duration(nanoseconds))
        | (Value::Duration(nanoseconds), Value::Timestamp(time)) => {
            time.plus(*nanoseconds).map(Value::Timestamp)
        }
        _ => Err(Failure::no_overload()),
    }
}

fn subtract(left: &Value, right: &Value) -> Answer {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => checked(left.checked_sub(*right)),
        (Value::Uint(left), Value::Uint(right)) => checked_unsigned(left.checked_sub(*right)),
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(left - right)),
        (Value::Duration(left), Value::Duration(right)) => duration(left.checked_sub(*right)),
        (Value::Timestamp(time), Value::Duration(nanoseconds)) => {
            let negative = nanoseconds.checked_neg().ok_or_else(overflow)?;
            time.plus(negative).map(Value::Timestamp)
        }
        (Value::Timestamp(left), Value::Timestamp(right)) => duration(left.since(right)),
        _ => Err(Failure::no_overload()),
    }
}

fn product(operator: Binary, left: &Value, right: &Value) -> Answer {
    match (operator, left, right) {
        (Binary::Multiply, Value::Int(left), Value::Int(right)) => checked(left.checked_mul(*right)),
        (Binary::Multiply, Value::Uint(left), Value::Uint(right)) => {
            checked_unsigned(left.checked_mul(*right))
        }
        (Binary::Multiply, Value::Double(left), Value::Double(right)) => Ok(Value::Double(left * right)),
        (Binary::Divide, Value::Double(left), Value::Double(right)) => Ok(Value::Double(left / right)),
        (Binary::Divide, Value::Int(_), Value::Int(0)) | (Binary::Divide, Value::Uint(_), Value::Uint(0)) => {
            Err(Failure::error("division by zero"))
        }
        (Binary::Modulo, Value::Int(_), Value::Int(0)) | (Binary::Modulo, Value::Uint(_), Value::Uint(0)) => {
            Err(Failure::error("modulus by zero"))
        }
        (Binary::Divide, Value::Int(left), Value::Int(right)) => checked(left.checked_div(*right)),
        (Binary::Divide, Value::Uint(left), Value::Uint(right)) => checked_unsigned(left.checked_div(*right)),
        (Binary::Modulo, Value::Int(left), Value::Int(right)) => checked(left.checked_rem(*right)),
        (Binary::Modulo, Value::Uint(left), Value::Uint(right)) => checked_unsigned(left.checked_rem(*right)),
        _ => Err(Failure::no_overload()),
    }
}

fn overflow() -> Failure {
    Failure::error("integer overflow")
}

fn checked(integer: Option<i64>) -> Answer {
    integer.map(Value::Int).ok_or_else(overflow)
}

fn checked_unsigned(integer: Option<u64>) -> Answer {
    let integer = integer.map(Value::Uint);
    integer.ok_or_else(|| Failure::error("unsigned integer overflow"))
}

fn duration(nanoseconds: Option<i64>) -> Answer {
    nanoseconds.map(Value::Duration).ok_or_else(overflow)
}
