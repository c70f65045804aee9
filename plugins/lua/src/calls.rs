//! Calls of functions.

use std::rc::Rc;

use crate::engine::Engine;
use crate::library;
use crate::statements::{Flow, Frame};
use crate::tree::{Prototype, Upvalue};
use crate::value::{Outcome, Returned, Value};

/// What a call takes of the depth, beside what the function is nested.
const CALL: u32 = 4;

impl Engine {
    /// Calls a value.
    pub(crate) fn call(&mut self, function: Value, arguments: Vec<Value>) -> Outcome<Returned> {
        self.enter(CALL)?;
        let returned = self.call_inside(function, arguments);
        self.depth -= CALL;
        returned
    }

    fn call_inside(&mut self, mut function: Value, mut arguments: Vec<Value>) -> Outcome<Returned> {
        loop {
            self.step(1)?;
            match function {
                Value::Native(number) => return library::call(self, number, arguments),
                Value::Function(number) => {
                    let (prototype, upvalues) = self.functions[number as usize].clone();
                    match self.run_function(&prototype, &upvalues, arguments)? {
                        Flow::Return(returned) => return Ok(returned),
                        // A tail call takes the place of its caller.
                        Flow::Tail(callee, its) => (function, arguments) = (callee, its),
                        Flow::Next | Flow::Break | Flow::Goto(_) => return Ok(Returned::None),
                    }
                }
                other => match self.metamethod(&other, "__call") {
                    Value::Nil => return self.error("attempt to call a non-function object"),
                    callee => {
                        // A table that is called by way of itself gets one more argument each time.
                        self.step(arguments.len() as u64 / 4)?;
                        self.charge(24)?;
                        arguments.insert(0, other);
                        function = callee;
                    }
                },
            }
        }
    }

    fn run_function(
        &mut self,
        prototype: &Rc<Prototype>,
        upvalues: &[u32],
        mut arguments: Vec<Value>,
    ) -> Outcome<Flow> {
        self.enter(prototype.nesting)?;
        self.callers.push(self.line);
        let base = self.stack.len();
        let parameters = prototype.parameters as usize;
        self.charge(24 * prototype.slots as usize / 16)?;
        let extra = match prototype.is_vararg && arguments.len() > parameters {
            true => arguments.split_off(parameters),
            false => Vec::new(),
        };
        arguments.truncate(parameters);
        self.stack.extend(arguments);
        self.stack.resize(base + prototype.slots as usize, Value::Nil);
        let frame = Frame {
            prototype,
            upvalues,
            base,
            extra,
        };
        for slot in 0..prototype.parameters {
            if frame.is_cell(slot) {
                let value = std::mem::replace(&mut self.stack[base + slot as usize], Value::Nil);
                frame.declare(self, slot, value)?;
            }
        }
        let flow = frame.block(self, &prototype.body);
        self.stack.truncate(base);
        self.callers.pop();
        self.depth -= prototype.nesting;
        flow
    }

    /// Takes back what calls took that an error ended.
    pub(crate) fn recover(&mut self, (stack, callers, depth): (usize, usize, u32)) {
        self.stack.truncate(stack);
        self.callers.truncate(callers);
        self.depth = depth;
    }
}

impl Frame<'_> {
    pub(crate) fn is_cell(&self, slot: u32) -> bool {
        self.prototype.cells.get(slot as usize) == Some(&true)
    }

    /// Gives a local its first value.
    pub(crate) fn declare(&self, engine: &mut Engine, slot: u32, value: Value) -> Outcome<()> {
        let value = match self.is_cell(slot) {
            true => {
                engine.charge(24)?;
                engine.cells.push(value);
                Value::Cell(engine.cells.len() as u32 - 1)
            }
            false => value,
        };
        engine.stack[self.base + slot as usize] = value;
        Ok(())
    }

    /// A function with the variables around it.
    pub(crate) fn closure(&self, engine: &mut Engine, prototype: &Rc<Prototype>) -> Outcome {
        engine.charge(64 + 4 * prototype.upvalues.len())?;
        let mut upvalues = Vec::with_capacity(prototype.upvalues.len());
        for upvalue in &prototype.upvalues {
            upvalues.push(match upvalue {
                Upvalue::Outer(at) => self.upvalues[*at as usize],
                Upvalue::Slot(slot) => match engine.stack[self.base + *slot as usize] {
                    Value::Cell(cell) => cell,
                    // A jump passed its declaration.
                    _ => {
                        self.declare(engine, *slot, Value::Nil)?;
                        engine.cells.len() as u32 - 1
                    }
                },
            });
        }
        engine.functions.push((Rc::clone(prototype), upvalues.into()));
        Ok(Value::Function(engine.functions.len() as u32 - 1))
    }
}
