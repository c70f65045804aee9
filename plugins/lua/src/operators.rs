//! What operators do: on numbers and texts as they are, on tables by their metatables.

use crate::engine::{Engine, GLOBALS};
use crate::library;
use crate::number;
use crate::tree::Arithmetic;
use crate::value::{Outcome, Value};

impl Engine {
    /// A function of a value's metatable; nil where there is none.
    pub(crate) fn metamethod(&self, value: &Value, event: &str) -> Value {
        match value {
            Value::Table(table) => match self.at(*table).meta {
                Some(meta) => self.at(meta).named(event),
                None => Value::Nil,
            },
            _ => Value::Nil,
        }
    }

    /// A global. What the library has is taken into the environment when it is asked for first.
    pub(crate) fn global(&mut self, name: &crate::Text) -> Outcome {
        let value = self.at(GLOBALS).field(name);
        if !value.is_nil() {
            return Ok(value);
        }
        let key = Value::Text(name.clone());
        // What a script took out stays out.
        let from_library = match self.at(GLOBALS).find(&key) {
            Some(_) => None,
            None => library::global(self, name)?,
        };
        let Some(value) = from_library else {
            return self.missing(GLOBALS, &key);
        };
        self.table_mut(GLOBALS).put(key, value.clone());
        Ok(value)
    }

    /// `object[key]`.
    pub(crate) fn index(&mut self, object: &Value, key: &Value) -> Outcome {
        match object {
            Value::Table(table) => {
                let found = self.at(*table);
                let value = match key {
                    Value::Text(key) => found.field(key),
                    key => found.get(key),
                };
                if !value.is_nil() {
                    return Ok(value);
                }
                match key {
                    Value::Text(name) if *table == GLOBALS => self.global(name),
                    key => self.missing(*table, key),
                }
            }
            Value::Text(_) => {
                let strings = self.global(&b"string".as_slice().into())?;
                match strings {
                    Value::Table(_) => self.index(&strings, key),
                    _ => Ok(Value::Nil),
                }
            }
            _ => self.not_a_table(object, key),
        }
    }

    /// What a metatable says of a key that a table does not have.
    fn missing(&mut self, table: u32, key: &Value) -> Outcome {
        let object = Value::Table(table);
        match self.metamethod(&object, "__index") {
            Value::Nil => Ok(Value::Nil),
            function @ (Value::Function(_) | Value::Native(_)) => {
                Ok(self.call(function, vec![object, key.clone()])?.first())
            }
            other => {
                self.step(1)?;
                self.enter(4)?;
                let value = self.index(&other, key);
                self.depth -= 4;
                value
            }
        }
    }

    fn not_a_table<T>(&mut self, object: &Value, key: &Value) -> Outcome<T> {
        let key = match key {
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            key => key.shown(),
        };
        let kind = object.type_name();
        self.error(&format!(
            "attempt to index a non-table object({kind}) with key '{key}'"
        ))
    }

    /// `object[key] = value`.
    pub(crate) fn set_index(&mut self, object: &Value, key: Value, value: Value) -> Outcome<()> {
        let Value::Table(table) = object else {
            return self.not_a_table(object, &key);
        };
        if self.at(*table).meta.is_some() && self.at(*table).get(&key).is_nil() {
            match self.metamethod(object, "__newindex") {
                Value::Nil => {}
                function @ (Value::Function(_) | Value::Native(_)) => {
                    self.call(function, vec![object.clone(), key, value])?;
                    return Ok(());
                }
                other => {
                    self.step(1)?;
                    self.enter(4)?;
                    let done = self.set_index(&other, key, value);
                    self.depth -= 4;
                    return done;
                }
            }
        }
        self.put(*table, key, value)
    }

    pub(crate) fn arithmetic(&mut self, what: Arithmetic, left: &Value, right: &Value) -> Outcome {
        let number = |value: &Value| match value {
            Value::Number(number) => Some(*number),
            Value::Text(text) => number::read(text),
            _ => None,
        };
        if let (Some(left), Some(right)) = (number(left), number(right)) {
            return Ok(Value::Number(match what {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
                Arithmetic::Divide => left / right,
                Arithmetic::Power => left.powf(right),
                Arithmetic::Modulo => number::modulo(left, right),
            }));
        }
        let (event, word) = match what {
            Arithmetic::Add => ("__add", "add"),
            Arithmetic::Subtract => ("__sub", "sub"),
            Arithmetic::Multiply => ("__mul", "mul"),
            Arithmetic::Divide => ("__div", "div"),
            Arithmetic::Power => ("__pow", "pow"),
            Arithmetic::Modulo => ("__mod", "mod"),
        };
        // A text that is a number is called one.
        let kind = |value: &Value| number(value).map_or(value.type_name(), |_| "number");
        self.by_metatable((event, word), left, right, kind)
    }

    pub(crate) fn concat(&mut self, left: &Value, right: &Value) -> Outcome {
        let plain = |value: &Value| matches!(value, Value::Text(_) | Value::Number(_));
        if plain(left) && plain(right) {
            let (left, right) = (left.shown_bytes(), right.shown_bytes());
            self.charge(16 + left.len() + right.len())?;
            return Ok(Value::text([&*left, &*right].concat()));
        }
        self.by_metatable(("__concat", "concat"), left, right, Value::type_name)
    }

    fn by_metatable(
        &mut self,
        (event, word): (&str, &str),
        left: &Value,
        right: &Value,
        kind: impl Fn(&Value) -> &'static str,
    ) -> Outcome {
        for value in [left, right] {
            let function = self.metamethod(value, event);
            if function.is_function() {
                return Ok(self.call(function, vec![left.clone(), right.clone()])?.first());
            }
        }
        let (left, right) = (kind(left), kind(right));
        self.error(&format!(
            "cannot perform {word} operation between {left} and {right}"
        ))
    }

    /// `left < right`, or `left <= right`.
    pub(crate) fn less(&mut self, left: &Value, right: &Value, or_equal: bool) -> Outcome<bool> {
        match (left, right) {
            (Value::Number(left), Value::Number(right)) => {
                return Ok(if or_equal { left <= right } else { left < right });
            }
            (Value::Text(left), Value::Text(right)) => {
                self.step(left.len().min(right.len()) as u64 / 8)?;
                return Ok(if or_equal { left <= right } else { left < right });
            }
            (Value::Table(_), Value::Table(_)) => {
                let event = if or_equal { "__le" } else { "__lt" };
                if let Some(answer) = self.by_both(event, left, right)? {
                    return Ok(answer);
                }
                // Without an order for it, what is not greater is less or equal.
                if or_equal && let Some(answer) = self.by_both("__lt", right, left)? {
                    return Ok(!answer);
                }
            }
            _ => {}
        }
        let (left, right) = (left.type_name(), right.type_name());
        self.error(&format!("attempt to compare {left} with {right}"))
    }

    pub(crate) fn equal(&mut self, left: &Value, right: &Value) -> Outcome<bool> {
        if let Value::Text(text) = left {
            self.step(text.len() as u64 / 8)?;
        }
        if left.same(right) {
            return Ok(true);
        }
        match (left, right) {
            (Value::Table(_), Value::Table(_)) => Ok(self.by_both("__eq", left, right)? == Some(true)),
            _ => Ok(false),
        }
    }

    /// What the metatables of both say, if they say it by the same function.
    fn by_both(&mut self, event: &str, left: &Value, right: &Value) -> Outcome<Option<bool>> {
        let function = self.metamethod(left, event);
        if !function.is_function() || !function.same(&self.metamethod(right, event)) {
            return Ok(None);
        }
        let answer = self.call(function, vec![left.clone(), right.clone()])?;
        Ok(Some(answer.first().is_true()))
    }

    pub(crate) fn length(&mut self, value: &Value) -> Outcome {
        match value {
            Value::Text(text) => Ok(Value::Number(text.len() as f64)),
            Value::Table(table) => {
                let function = self.metamethod(value, "__len");
                match function.is_true() {
                    true => Ok(self.call(function, vec![value.clone()])?.first()),
                    false => Ok(Value::Number(self.length_of(*table)? as f64)),
                }
            }
            _ => self.error("__len undefined"),
        }
    }

    /// The length of a table's list; the holes at its end are steps.
    pub(crate) fn length_of(&mut self, table: u32) -> Outcome<usize> {
        let found = self.at(table);
        let length = found.length();
        let passed = found.list.len() - length;
        self.step(passed as u64)?;
        Ok(length)
    }
}
