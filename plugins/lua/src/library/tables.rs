//! `table`.

use crate::engine::{Engine, Limit};
use crate::library::Arguments;
use crate::number;
use crate::value::{Outcome, Returned, Value};

/// The longest text that `concat` makes.
const TEXT_BYTES: usize = 8 << 20;

pub(super) fn insert(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("insert", &values);
    let table = arguments.table(engine, 0)?;
    if values.len() < 2 {
        return engine.error("wrong number of arguments");
    }
    if values.len() == 2 {
        let length = engine.length_of(table)?;
        engine.put(table, Value::Number(length as f64 + 1.0), arguments.get(1))?;
        return Ok(Returned::None);
    }
    let (place, value) = (arguments.integer(engine, 1)?, arguments.any(engine, 2)?);
    let length = engine.at(table).list.len();
    if place < 1 || place > length as i64 {
        engine.put(table, Value::Number(place as f64), value)?;
        return Ok(Returned::None);
    }
    engine.step(length as u64 / 8)?;
    engine.charge(48)?;
    engine.table_mut(table).list.insert(place as usize - 1, value);
    Ok(Returned::None)
}

pub(super) fn remove(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("remove", &values);
    let table = arguments.table(engine, 0)?;
    let place = match values.len() {
        1 => 0,
        _ => arguments.integer(engine, 1)?,
    };
    let list = &mut engine.table_mut(table).list;
    let length = list.len();
    // What is no place is the last one; beyond it there is nothing.
    let removed = match usize::try_from(place) {
        Ok(place @ 1..) if place > length => Value::Nil,
        Ok(place @ 1..) => list.remove(place - 1),
        _ => list.pop().unwrap_or(Value::Nil),
    };
    engine.step(length as u64 / 8)?;
    Ok(removed.into())
}

pub(super) fn concat(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("concat", &values);
    let table = arguments.table(engine, 0)?;
    let between = arguments.text_or(engine, 1, "")?;
    let first = arguments.integer_or(engine, 2, 1)?;
    let length = engine.length_of(table)? as i64;
    let last = arguments.integer_or(engine, 3, length)?.min(length);
    if values.len() == 3 && !(1..=length).contains(&first) {
        return Ok(Value::text("").into());
    }
    let first = first.min(length).max(1);
    let mut text = Vec::new();
    for place in first..=last {
        engine.step(1 + between.len() as u64 / 64)?;
        match engine.at(table).get(&Value::Number(place as f64)) {
            // One alone is not made a text.
            part @ Value::Number(_) if first == last => return Ok(part.into()),
            Value::Text(part) => text.extend_from_slice(&part),
            Value::Number(part) => text.extend_from_slice(number::print(part).as_bytes()),
            other => {
                let kind = other.type_name();
                return engine.error(&format!(
                    "invalid value ({kind}) at index {place} in table for concat"
                ));
            }
        }
        if place < last {
            text.extend_from_slice(&between);
        }
        if text.len() > TEXT_BYTES {
            return Engine::limit(Limit::Bytes);
        }
    }
    Ok(engine.text(&text)?.into())
}

/// Sorts by merging: an order that is none does no harm, and errors get out.
pub(super) fn sort(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let arguments = Arguments::of("sort", &values);
    let table = arguments.table(engine, 0)?;
    let order = match values.len() {
        1 => Value::Nil,
        _ => arguments.function(engine, 1)?,
    };
    let length = engine.at(table).list.len();
    engine.charge(48 * length)?;
    let mut sorted = engine.at(table).list.clone();
    let mut width = 1;
    while width < length {
        let mut merged = Vec::with_capacity(length);
        for start in (0..length).step_by(2 * width) {
            let middle = (start + width).min(length);
            let end = (start + 2 * width).min(length);
            let (mut left, mut right) = (start, middle);
            while left < middle || right < end {
                engine.step(1)?;
                let takes_right = match (left < middle, right < end) {
                    (true, true) => is_before(engine, &order, &sorted[right], &sorted[left])?,
                    (has_left, _) => !has_left,
                };
                let from = if takes_right { &mut right } else { &mut left };
                merged.push(sorted[*from].clone());
                *from += 1;
            }
        }
        sorted = merged;
        width *= 2;
    }
    // The order may have changed the table meanwhile.
    for (place, value) in engine.table_mut(table).list.iter_mut().zip(sorted) {
        *place = value;
    }
    Ok(Returned::None)
}

fn is_before(engine: &mut Engine, order: &Value, left: &Value, right: &Value) -> Outcome<bool> {
    match order {
        Value::Nil => engine.less(left, right, false),
        order => Ok(engine
            .call(order.clone(), vec![left.clone(), right.clone()])?
            .first()
            .is_true()),
    }
}

pub(super) fn getn(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let table = Arguments::of("getn", &values).table(engine, 0)?;
    Ok(Value::Number(engine.length_of(table)? as f64).into())
}

pub(super) fn maxn(engine: &mut Engine, values: Vec<Value>) -> Outcome<Returned> {
    let table = Arguments::of("maxn", &values).table(engine, 0)?;
    Ok(Value::Number(engine.length_of(table)? as f64).into())
}
