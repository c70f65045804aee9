//! Tables: a list part as gopher-lua fills it, the rest in the order of first assignment.

use std::collections::HashMap;
use std::rc::Rc;

use crate::value::{Text, Value};

/// From how many entries on there is an index: fewer are found sooner one by one.
const INDEXED: usize = 8;
/// The first number that is no place in a list any more.
const LIST_END: f64 = 67_108_864.0;

/// A table.
#[derive(Clone, Default)]
pub(crate) struct Table {
    /// What `[1]`, `[2]`… are; holes are nil.
    pub(crate) list: Vec<Value>,
    /// The other entries; those that were taken out are nil, and keep their place.
    pub(crate) entries: Vec<(Value, Value)>,
    index: Option<HashMap<Key, u32>>,
    /// The number of its metatable.
    pub(crate) meta: Option<u32>,
}

/// A value as a key of the index.
#[derive(Hash, PartialEq, Eq, Clone)]
enum Key {
    Bool(bool),
    Number(u64),
    Text(Text),
    Table(u32),
    Function(u32),
    Native(u16),
}

impl Key {
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(number.to_bits()),
            Value::Text(text) => Self::Text(Rc::clone(text)),
            Value::Table(table) => Self::Table(*table),
            Value::Function(function) => Self::Function(*function),
            Value::Native(native) => Self::Native(*native),
            // Neither is ever a key.
            Value::Nil | Value::Cell(_) => Self::Bool(false),
        }
    }
}

/// The place in a list, from 1, that a number stands for.
pub(crate) fn place(number: f64) -> Option<usize> {
    let place = number as usize;
    ((1.0..LIST_END).contains(&number) && place as f64 == number).then_some(place)
}

impl Table {
    /// A list.
    pub(crate) fn of(list: Vec<Value>) -> Self {
        Self {
            list,
            ..Self::default()
        }
    }

    /// Where an entry of a key is.
    pub(crate) fn find(&self, key: &Value) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&Key::of(key)).map(|at| *at as usize),
            None => self.entries.iter().position(|entry| entry.0.same(key)),
        }
    }

    /// The value of a key; nil where there is none.
    pub(crate) fn get(&self, key: &Value) -> Value {
        if let Value::Number(number) = key
            && let Some(place) = place(*number)
            && let Some(value) = self.list.get(place - 1)
        {
            return value.clone();
        }
        self.find(key)
            .and_then(|at| self.entries.get(at))
            .map_or(Value::Nil, |entry| entry.1.clone())
    }

    /// [`Table::get`] of a text.
    pub(crate) fn field(&self, key: &Text) -> Value {
        let found = match &self.index {
            Some(index) => index
                .get(&Key::Text(Rc::clone(key)))
                .and_then(|at| self.entries.get(*at as usize)),
            None => self
                .entries
                .iter()
                .find(|entry| matches!(&entry.0, Value::Text(text) if Rc::ptr_eq(text, key) || text == key)),
        };
        found.map_or(Value::Nil, |entry| entry.1.clone())
    }

    /// [`Table::get`] of a name.
    pub(crate) fn named(&self, name: &str) -> Value {
        let named =
            |entry: &&(Value, Value)| matches!(&entry.0, Value::Text(text) if **text == *name.as_bytes());
        self.entries
            .iter()
            .find(named)
            .map_or(Value::Nil, |entry| entry.1.clone())
    }

    /// Sets an entry that is not of the list part.
    pub(crate) fn put(&mut self, key: Value, value: Value) {
        if let Some(entry) = self.find(&key).and_then(|at| self.entries.get_mut(at)) {
            entry.1 = value;
        } else if !value.is_nil() {
            self.append(key, value);
        }
    }

    /// [`Table::put`] of a key that is known to be new.
    pub(crate) fn append(&mut self, key: Value, value: Value) {
        let at = self.entries.len();
        if at == INDEXED && self.index.is_none() {
            let keys = self.entries.iter().enumerate();
            self.index = Some(keys.map(|(at, entry)| (Key::of(&entry.0), at as u32)).collect());
        }
        if let Some(index) = &mut self.index {
            index.insert(Key::of(&key), at as u32);
        }
        self.entries.push((key, value));
    }

    /// What `#` gives: the last place of the list part that is not nil.
    pub(crate) fn length(&self) -> usize {
        self.list
            .iter()
            .rposition(|value| !value.is_nil())
            .map_or(0, |at| at + 1)
    }
}
