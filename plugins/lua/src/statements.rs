//! Walks statements.

use std::rc::Rc;

use crate::engine::{Engine, GLOBALS};
use crate::library;
use crate::tree::{Block, Expression, Prototype, Statement};
use crate::value::{Outcome, Returned, Text, Value};

/// What comes after a statement.
pub(crate) enum Flow {
    Next,
    Break,
    Return(Returned),
    /// The function is left for another one.
    Tail(Value, Vec<Value>),
    /// The block that has this label takes it.
    Goto(Text),
}

/// A function that is being run.
pub(crate) struct Frame<'a> {
    pub(crate) prototype: &'a Rc<Prototype>,
    /// The cells of its upvalues.
    pub(crate) upvalues: &'a [u32],
    /// Where its slots begin.
    pub(crate) base: usize,
    /// What `...` is.
    pub(crate) extra: Vec<Value>,
}

/// What is assigned to.
enum Place<'t> {
    Variable(&'t Expression),
    /// A table, its key and the line.
    Entry(Value, Value, u32),
}

/// Leaves a loop unless its body goes on as usual.
macro_rules! turn {
    ($flow:expr) => {
        match $flow? {
            Flow::Next => {}
            Flow::Break => break,
            flow => return Ok(flow),
        }
    };
}

impl Frame<'_> {
    pub(crate) fn block(&self, engine: &mut Engine, block: &Block) -> Outcome<Flow> {
        let mut at = 0;
        while let Some(statement) = block.body.get(at) {
            at += 1;
            match self.statement(engine, statement)? {
                Flow::Next => {}
                Flow::Goto(target) => match block.labels.iter().find(|(label, _)| *label == target) {
                    Some((_, before)) => {
                        engine.step(1)?;
                        at = *before;
                    }
                    None => return Ok(Flow::Goto(target)),
                },
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&self, engine: &mut Engine, statement: &Statement) -> Outcome<Flow> {
        engine.step(1)?;
        match statement {
            Statement::Call(call) => drop(self.several(engine, call)?),
            Statement::Local(first, count, values) => self.local(engine, *first, *count, values)?,
            Statement::Assign(targets, values, line) => self.assign(engine, targets, values, *line)?,
            Statement::If(arms, otherwise) => {
                for (condition, block) in arms {
                    if self.value(engine, condition)?.is_true() {
                        return self.block(engine, block);
                    }
                }
                if let Some(block) = otherwise {
                    return self.block(engine, block);
                }
            }
            Statement::Do(block) => return self.block(engine, block),
            Statement::While(condition, block, line) => {
                while self.value(engine, condition)?.is_true() {
                    engine.line = *line;
                    engine.step(1)?;
                    turn!(self.block(engine, block));
                }
            }
            Statement::Repeat(block, condition, line) => loop {
                engine.line = *line;
                engine.step(1)?;
                turn!(self.block(engine, block));
                if self.value(engine, condition)?.is_true() {
                    break;
                }
            },
            Statement::For(slot, range, block, line) => {
                return self.counted(engine, *slot, range, block, *line);
            }
            Statement::ForIn(first, count, iterator, block, line) => {
                return self.iterated(engine, (*first, *count), iterator, block, *line);
            }
            Statement::LocalFunction(slot, prototype) => {
                self.declare(engine, *slot, Value::Nil)?;
                let function = self.closure(engine, prototype)?;
                self.set_slot(engine, *slot, function);
            }
            Statement::Return(values) => return self.returned(engine, values),
            Statement::Break => return Ok(Flow::Break),
            Statement::Goto(label, line) => {
                engine.line = *line;
                return Ok(Flow::Goto(label.clone()));
            }
        }
        Ok(Flow::Next)
    }

    fn local(&self, engine: &mut Engine, first: u32, count: u32, values: &[Expression]) -> Outcome<()> {
        if let ([value], 1) = (values, count) {
            let value = self.value(engine, value)?;
            return self.declare(engine, first, value);
        }
        let mut values = self.list(engine, values)?.into_iter();
        for slot in first..first + count {
            self.declare(engine, slot, values.next().unwrap_or(Value::Nil))?;
        }
        Ok(())
    }

    fn assign(
        &self,
        engine: &mut Engine,
        targets: &[Expression],
        values: &[Expression],
        line: u32,
    ) -> Outcome<()> {
        if let ([target], [value]) = (targets, values) {
            let place = self.place(engine, target)?;
            let value = self.value(engine, value)?;
            return self.assign_one(engine, place, value, line);
        }
        let mut places = Vec::with_capacity(targets.len());
        for target in targets {
            places.push(self.place(engine, target)?);
        }
        let mut values = self.list(engine, values)?;
        values.resize(targets.len(), Value::Nil);
        // The last one first.
        for (place, value) in places.into_iter().zip(values).rev() {
            self.assign_one(engine, place, value, line)?;
        }
        Ok(())
    }

    /// Where a value goes, as it is before the value is known.
    fn place<'t>(&self, engine: &mut Engine, target: &'t Expression) -> Outcome<Place<'t>> {
        Ok(match target {
            Expression::Index(pair, line) => {
                let object = self.value(engine, &pair.0)?;
                let key = self.value(engine, &pair.1)?;
                Place::Entry(object, key, *line)
            }
            variable => Place::Variable(variable),
        })
    }

    fn assign_one(&self, engine: &mut Engine, place: Place<'_>, value: Value, line: u32) -> Outcome<()> {
        match place {
            Place::Entry(object, key, line) => {
                engine.line = line;
                engine.set_index(&object, key, value)?;
            }
            Place::Variable(Expression::Local(slot) | Expression::Cell(slot)) => {
                self.set_slot(engine, *slot, value);
            }
            Place::Variable(Expression::Upvalue(at)) => {
                engine.cells[self.upvalues[*at as usize] as usize] = value;
            }
            Place::Variable(Expression::Global(name, _)) => {
                engine.line = line;
                engine.charge(80)?;
                let key = Value::Text(name.clone());
                if engine.at(GLOBALS).meta.is_some() {
                    return engine.set_index(&Value::Table(GLOBALS), key, value);
                }
                let globals = engine.table_mut(GLOBALS);
                match globals.find(&key) {
                    // What the library has is taken out by a nil that stays.
                    None if value.is_nil() => globals.append(key, value),
                    _ => globals.put(key, value),
                }
            }
            // The parser takes no other targets.
            Place::Variable(_) => {}
        }
        Ok(())
    }

    fn set_slot(&self, engine: &mut Engine, slot: u32, value: Value) {
        let at = self.base + slot as usize;
        match engine.stack[at] {
            Value::Cell(cell) => engine.cells[cell as usize] = value,
            _ => engine.stack[at] = value,
        }
    }

    fn counted(
        &self,
        engine: &mut Engine,
        slot: u32,
        range: &[Expression; 3],
        block: &Block,
        line: u32,
    ) -> Outcome<Flow> {
        let mut numbers = [0.0; 3];
        for ((bound, number), word) in range.iter().zip(&mut numbers).zip(["init", "limit", "step"]) {
            let value = self.value(engine, bound)?;
            let Value::Number(found) = value else {
                engine.line = line;
                return engine.error(&format!("for statement {word} must be a number"));
            };
            *number = found;
        }
        let [mut at, end, step] = numbers;
        while if step > 0.0 { at <= end } else { at >= end } {
            engine.line = line;
            engine.step(1)?;
            self.declare(engine, slot, Value::Number(at))?;
            turn!(self.block(engine, block));
            at += step;
        }
        Ok(Flow::Next)
    }

    fn iterated(
        &self,
        engine: &mut Engine,
        (first, count): (u32, u32),
        iterator: &[Expression],
        block: &Block,
        line: u32,
    ) -> Outcome<Flow> {
        let mut values = self.list(engine, iterator)?.into_iter();
        let mut value = || values.next().unwrap_or(Value::Nil);
        let (function, state, mut control) = (value(), value(), value());
        loop {
            engine.line = line;
            engine.step(1)?;
            let given = match (&function, &state) {
                // What `pairs` and `ipairs` give is not called: it is known what it does.
                (Value::Native(library::NEXT), Value::Table(table)) => match engine.next(*table, &control)? {
                    Some((key, value)) => [key, value],
                    None => break,
                },
                (Value::Native(library::INEXT), Value::Table(table)) => {
                    let Value::Number(index) = control else { break };
                    let index = Value::Number(index + 1.0);
                    let value = engine.at(*table).get(&index);
                    if value.is_nil() {
                        break;
                    }
                    [index, value]
                }
                _ => {
                    let given = engine
                        .call(function.clone(), vec![state.clone(), control])?
                        .list();
                    control = given.first().cloned().unwrap_or(Value::Nil);
                    if control.is_nil() {
                        break;
                    }
                    let mut given = given.into_iter();
                    for slot in first..first + count {
                        self.declare(engine, slot, given.next().unwrap_or(Value::Nil))?;
                    }
                    turn!(self.block(engine, block));
                    continue;
                }
            };
            control = given[0].clone();
            let mut given = given.into_iter();
            for slot in first..first + count {
                self.declare(engine, slot, given.next().unwrap_or(Value::Nil))?;
            }
            turn!(self.block(engine, block));
        }
        Ok(Flow::Next)
    }

    fn returned(&self, engine: &mut Engine, values: &[Expression]) -> Outcome<Flow> {
        Ok(match values {
            [] => Flow::Return(Returned::None),
            [Expression::Call(call)] => {
                let function = self.value(engine, &call.function)?;
                let arguments = self.list(engine, &call.arguments)?;
                engine.line = call.line;
                Flow::Tail(function, arguments)
            }
            [value] if value.is_multiple() => Flow::Return(self.several(engine, value)?),
            [value] => Flow::Return(Returned::One(self.value(engine, value)?)),
            values => Flow::Return(Returned::Many(self.list(engine, values)?)),
        })
    }
}
