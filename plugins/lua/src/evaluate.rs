//! Walks expressions.

use crate::engine::Engine;
use crate::statements::Frame;
use crate::table::Table;
use crate::tree::{Comparison, Expression};
use crate::value::{Outcome, Returned, Value};

impl Frame<'_> {
    /// The values of several expressions; the last one may give more than one.
    pub(crate) fn list(&self, engine: &mut Engine, expressions: &[Expression]) -> Outcome<Vec<Value>> {
        let mut values = Vec::with_capacity(expressions.len());
        for (index, expression) in expressions.iter().enumerate() {
            if index + 1 == expressions.len() && expression.is_multiple() {
                values.extend(self.several(engine, expression)?.list());
            } else {
                values.push(self.value(engine, expression)?);
            }
        }
        Ok(values)
    }

    /// All values of an expression.
    pub(crate) fn several(&self, engine: &mut Engine, expression: &Expression) -> Outcome<Returned> {
        match expression {
            Expression::Call(call) => {
                let function = self.value(engine, &call.function)?;
                let arguments = self.list(engine, &call.arguments)?;
                engine.line = call.line;
                engine.call(function, arguments)
            }
            Expression::Method(method) => {
                let object = self.value(engine, &method.object)?;
                engine.line = method.line;
                let function = engine.index(&object, &Value::Text(method.name.clone()))?;
                let mut arguments = vec![object];
                arguments.extend(self.list(engine, &method.arguments)?);
                engine.line = method.line;
                engine.call(function, arguments)
            }
            Expression::Vararg => {
                engine.charge(24 * self.extra.len())?;
                engine.step(self.extra.len() as u64 / 8)?;
                Ok(Returned::Many(self.extra.clone()))
            }
            expression => Ok(Returned::One(self.value(engine, expression)?)),
        }
    }

    /// The value of an expression; the first of several.
    pub(crate) fn value(&self, engine: &mut Engine, expression: &Expression) -> Outcome {
        engine.steps += 1;
        Ok(match expression {
            Expression::Nil => Value::Nil,
            Expression::True => Value::Bool(true),
            Expression::False => Value::Bool(false),
            Expression::Number(number) => Value::Number(*number),
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Local(slot) => engine.stack[self.base + *slot as usize].clone(),
            Expression::Cell(slot) => match &engine.stack[self.base + *slot as usize] {
                Value::Cell(cell) => engine.cells[*cell as usize].clone(),
                value => value.clone(),
            },
            Expression::Upvalue(at) => engine.cells[self.upvalues[*at as usize] as usize].clone(),
            Expression::Global(name, line) => {
                engine.line = *line;
                engine.global(name)?
            }
            Expression::Index(pair, line) => self.indexed(engine, pair, *line)?,
            Expression::Call(_) | Expression::Method(_) | Expression::Vararg => {
                self.several(engine, expression)?.first()
            }
            Expression::Function(prototype) => self.closure(engine, prototype)?,
            Expression::And(pair) => match self.value(engine, &pair.0)? {
                left if left.is_true() => self.value(engine, &pair.1)?,
                left => left,
            },
            Expression::Or(pair) => match self.value(engine, &pair.0)? {
                left if left.is_true() => left,
                _ => self.value(engine, &pair.1)?,
            },
            Expression::Not(inner) => Value::Bool(!self.value(engine, inner)?.is_true()),
            Expression::Paren(inner) => self.value(engine, inner)?,
            Expression::Negate(inner, line) => match self.value(engine, inner)? {
                Value::Number(number) => Value::Number(-number),
                value => {
                    engine.line = *line;
                    self.negated(engine, &value)?
                }
            },
            Expression::Length(inner, line) => {
                let value = self.value(engine, inner)?;
                engine.line = *line;
                engine.length(&value)?
            }
            Expression::Arithmetic(what, pair, line) => {
                let (left, right) = self.both(engine, pair, *line)?;
                engine.arithmetic(*what, &left, &right)?
            }
            Expression::Concat(pair, line) => {
                let (left, right) = self.both(engine, pair, *line)?;
                engine.concat(&left, &right)?
            }
            Expression::Comparison(what, pair, line) => {
                let (left, right) = self.both(engine, pair, *line)?;
                Value::Bool(match what {
                    Comparison::Equal => engine.equal(&left, &right)?,
                    Comparison::NotEqual => !engine.equal(&left, &right)?,
                    Comparison::Less => engine.less(&left, &right, false)?,
                    Comparison::LessOrEqual => engine.less(&left, &right, true)?,
                    Comparison::Greater => engine.less(&right, &left, false)?,
                    Comparison::GreaterOrEqual => engine.less(&right, &left, true)?,
                })
            }
            Expression::Table(list, entries, line) => self.table(engine, list, entries, *line)?,
        })
    }

    fn both(
        &self,
        engine: &mut Engine,
        pair: &(Expression, Expression),
        line: u32,
    ) -> Outcome<(Value, Value)> {
        let left = self.value(engine, &pair.0)?;
        let right = self.value(engine, &pair.1)?;
        engine.line = line;
        Ok((left, right))
    }

    fn indexed(&self, engine: &mut Engine, pair: &(Expression, Expression), line: u32) -> Outcome {
        let object = self.value(engine, &pair.0)?;
        if let (Value::Table(table), Expression::Text(key)) = (&object, &pair.1) {
            let value = engine.at(*table).field(key);
            if !value.is_nil() {
                return Ok(value);
            }
        }
        let key = self.value(engine, &pair.1)?;
        engine.line = line;
        engine.index(&object, &key)
    }

    fn negated(&self, engine: &mut Engine, value: &Value) -> Outcome {
        let function = engine.metamethod(value, "__unm");
        if function.is_true() {
            return Ok(engine.call(function, vec![value.clone()])?.first());
        }
        match value {
            Value::Text(text) if crate::number::read(text).is_some() => {
                Ok(Value::Number(-crate::number::read(text).unwrap_or(0.0)))
            }
            _ => engine.error("__unm undefined"),
        }
    }

    fn table(
        &self,
        engine: &mut Engine,
        list: &[Expression],
        entries: &[(Expression, Expression)],
        line: u32,
    ) -> Outcome {
        let list = self.list(engine, list)?;
        let table = engine.table(Table::default())?;
        if let Value::Table(number) = table {
            for (key, value) in entries {
                let key = self.value(engine, key)?;
                let value = self.value(engine, value)?;
                engine.line = line;
                engine.put(number, key, value)?;
            }
            // What is listed takes the place of what has a number for a key.
            engine.charge(24 * list.len())?;
            let places = &mut engine.table_mut(number).list;
            match places.len() <= list.len() {
                true => *places = list,
                false => places
                    .iter_mut()
                    .zip(list)
                    .for_each(|(place, value)| *place = value),
            }
        }
        Ok(table)
    }
}
