//! What holds everything of one check, and its limits.

use std::rc::Rc;

use crate::parser::Script;
use crate::table::{Table, place};
use crate::tree::Prototype;
use crate::value::{Outcome, Raised, Returned, Text, Value};

/// What a script may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes, loop turns, comparisons and copied elements.
    pub steps: u64,
    /// Bytes in all; what is given up counts as well.
    pub bytes: u64,
    /// How deep calls may go: 4 for a call, and 1 for each level that the called function is nested.
    pub depth: u32,
}

impl Default for Limits {
    /// A tenth of a second on a slow machine, 16 MiB, and some 200 plain calls.
    fn default() -> Self {
        Self {
            steps: 2_000_000,
            bytes: 16 << 20,
            depth: 1_600,
        }
    }
}

/// Which limit a script ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::steps`].
    Steps,
    /// [`Limits::bytes`].
    Bytes,
}

/// Runs scripts, one after the other.
#[derive(Default)]
pub struct Engine {
    pub(crate) tables: Vec<Table>,
    pub(crate) functions: Vec<(Rc<Prototype>, Rc<[u32]>)>,
    pub(crate) cells: Vec<Value>,
    pub(crate) stack: Vec<Value>,
    /// The lines of the calls that are open.
    pub(crate) callers: Vec<u32>,
    /// The line that is being run.
    pub(crate) line: u32,
    pub(crate) steps: u64,
    bytes: u64,
    pub(crate) depth: u32,
    limits: Limits,
    name: Rc<str>,
    now: i64,
}

/// The number of the table of globals.
pub(crate) const GLOBALS: u32 = 0;

impl Engine {
    /// An engine with its limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Runs a script in a fresh environment with these globals, which are made by `globals`; `now` is what `os.time` says. The value
    /// that the script returns first holds until the next check: [`Engine::field`] looks into it. An error says script and line.
    pub fn check(
        &mut self,
        script: &Script,
        now: i64,
        globals: impl FnOnce(&mut Self) -> Result<Vec<(&'static str, Value)>, String>,
    ) -> Result<Value, String> {
        self.reset(&script.name, now);
        let globals = globals(self)?;
        for (name, value) in globals {
            let key = Value::text(name);
            self.table_mut(GLOBALS).put(key, value);
        }
        self.run(Rc::clone(&script.main))
            .map_err(|raised| self.told(*raised))
    }

    fn run(&mut self, main: Rc<Prototype>) -> Outcome {
        self.functions.push((main, Rc::new([])));
        let main = Value::Function(self.functions.len() as u32 - 1);
        self.call(main, Vec::new()).map(Returned::first)
    }

    /// A table with these entries, charged to the script. Keys are taken to be different from each other.
    pub fn map(&mut self, entries: impl IntoIterator<Item = (Text, Value)>) -> Result<Value, String> {
        let mut table = Table::default();
        for (key, value) in entries {
            if !value.is_nil() {
                table.append(Value::Text(key), value);
            }
        }
        self.table(table).map_err(|raised| self.told(*raised))
    }

    /// A list; charged to the script.
    pub fn list(&mut self, values: Vec<Value>) -> Result<Value, String> {
        self.table(Table::of(values)).map_err(|raised| self.told(*raised))
    }

    /// A field of a table; nil where there is none.
    pub fn field(&self, table: &Value, name: &str) -> Value {
        match table {
            Value::Table(table) => self.at(*table).named(name),
            _ => Value::Nil,
        }
    }

    /// The fields of a table that have texts for keys, and whether it has other entries too.
    pub fn fields(&self, table: &Value) -> (Vec<(Text, Value)>, bool) {
        let Value::Table(table) = table else {
            return (Vec::new(), false);
        };
        let table = self.at(*table);
        let mut fields = Vec::new();
        let mut others = table.length() > 0;
        for (key, value) in table.entries.iter().filter(|(_, value)| !value.is_nil()) {
            match key {
                Value::Text(key) => fields.push((key.clone(), value.clone())),
                _ => others = true,
            }
        }
        (fields, others)
    }

    /// How many steps the last check took, and how many bytes.
    pub fn taken(&self) -> (u64, u64) {
        (self.steps, self.bytes)
    }

    /// Everything of the last check goes.
    fn reset(&mut self, name: &Rc<str>, now: i64) {
        self.tables.clear();
        self.functions.clear();
        self.cells.clear();
        self.stack.clear();
        self.callers.clear();
        (self.steps, self.bytes, self.depth, self.line) = (0, 0, 0, 0);
        self.name = Rc::clone(name);
        self.now = now;
        self.tables.push(Table::default());
        self.table_mut(GLOBALS)
            .append(Value::text("_G"), Value::Table(GLOBALS));
    }

    /// A failure as people read it.
    fn told(&self, raised: Raised) -> String {
        match raised {
            Raised::Error(Value::Text(text)) => String::from_utf8_lossy(&text).into_owned(),
            Raised::Error(value) => format!(
                "{}: an error that is a {}, not a text",
                self.name,
                value.type_name()
            ),
            Raised::Limit(limit) => {
                let limit = match limit {
                    Limit::Steps => format!("the script takes more than {} steps", self.limits.steps),
                    Limit::Bytes => format!("the script takes more than {} MiB", self.limits.bytes >> 20),
                };
                format!("{}:{}: {limit}", self.name, self.line)
            }
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// An error of Lua at the line that is being run.
    pub(crate) fn error<T>(&self, message: &str) -> Outcome<T> {
        self.error_at(self.line, message)
    }

    pub(crate) fn error_at<T>(&self, line: u32, message: &str) -> Outcome<T> {
        let text = format!("{}:{line}: {message}", self.name);
        Err(Box::new(Raised::Error(Value::text(text))))
    }

    pub(crate) fn limit<T>(limit: Limit) -> Outcome<T> {
        Err(Box::new(Raised::Limit(limit)))
    }

    /// Counts steps.
    pub(crate) fn step(&mut self, steps: u64) -> Outcome<()> {
        self.steps = self.steps.saturating_add(steps);
        match self.steps > self.limits.steps {
            true => Self::limit(Limit::Steps),
            false => Ok(()),
        }
    }

    /// How many steps are left.
    pub(crate) fn steps_left(&self) -> u64 {
        self.limits.steps.saturating_sub(self.steps)
    }

    /// Charges bytes that are about to be taken.
    pub(crate) fn charge(&mut self, bytes: usize) -> Outcome<()> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        match self.bytes > self.limits.bytes {
            true => Self::limit(Limit::Bytes),
            false => Ok(()),
        }
    }

    /// Goes one call deeper.
    pub(crate) fn enter(&mut self, depth: u32) -> Outcome<()> {
        match self.depth + depth > self.limits.depth {
            true => self.error("stack overflow"),
            false => {
                self.depth += depth;
                Ok(())
            }
        }
    }

    pub(crate) fn table(&mut self, table: Table) -> Outcome {
        self.charge(96 + 24 * table.list.len() + 48 * table.entries.len())?;
        self.tables.push(table);
        Ok(Value::Table(self.tables.len() as u32 - 1))
    }

    pub(crate) fn text(&mut self, bytes: &[u8]) -> Outcome {
        self.charge(16 + bytes.len())?;
        Ok(Value::text(bytes))
    }

    /// A table by its number. Numbers are only made by [`Engine::table`].
    pub(crate) fn at(&self, table: u32) -> &Table {
        &self.tables[table as usize]
    }

    pub(crate) fn table_mut(&mut self, table: u32) -> &mut Table {
        &mut self.tables[table as usize]
    }

    /// `rawset`.
    pub(crate) fn put(&mut self, table: u32, key: Value, value: Value) -> Outcome<()> {
        match &key {
            Value::Nil => return self.error("table index is nil"),
            Value::Number(number) if number.is_nan() => return self.error("table index is NaN"),
            Value::Number(number) => {
                if let Some(place) = place(*number) {
                    return self.put_in_list(table, place, value);
                }
            }
            _ => {}
        }
        self.charge(240)?;
        self.table_mut(table).put(key, value);
        Ok(())
    }

    /// Holes up to a place are filled, so they are charged.
    fn put_in_list(&mut self, table: u32, place: usize, value: Value) -> Outcome<()> {
        let length = self.at(table).list.len();
        if place > length {
            if value.is_nil() {
                return Ok(());
            }
            self.charge(48 * (place - length))?;
            self.table_mut(table).list.resize(place, Value::Nil);
        }
        self.table_mut(table).list[place - 1] = value;
        Ok(())
    }

    /// `next`: the entry after a key; none at the end.
    pub(crate) fn next(&mut self, table: u32, key: &Value) -> Outcome<Option<(Value, Value)>> {
        let found = self.at(table);
        let length = found.list.len();
        let mut at = match key {
            Value::Nil => 0,
            Value::Number(number) if place(*number).is_some_and(|place| place <= length) => *number as usize,
            key => match found.find(key) {
                Some(at) => length + at + 1,
                None => return self.error("invalid key to 'next'"),
            },
        };
        let start = at;
        let entry = loop {
            let entry = match at.checked_sub(length) {
                None => (Value::Number(at as f64 + 1.0), found.list[at].clone()),
                Some(at) => match found.entries.get(at) {
                    Some(entry) => entry.clone(),
                    None => break None,
                },
            };
            at += 1;
            if !entry.1.is_nil() {
                break Some(entry);
            }
        };
        let passed = at - start;
        self.step(passed as u64)?;
        Ok(entry)
    }
}
