//! Which slot a name is: the scopes of the functions that are being parsed.

use std::collections::HashSet;

use crate::tree::{Block, Expression, Prototype, Statement, Upvalue};
use crate::value::Text;

/// The most locals that a function may declare, in all its blocks.
const LOCALS: u32 = 2_000;

/// A function that is being parsed.
pub(crate) struct Function {
    /// The locals in sight, each with its slot.
    pub(crate) locals: Vec<(Text, u32)>,
    captured: HashSet<u32>,
    upvalues: Vec<(Text, Upvalue)>,
    slots: u32,
    pub(crate) is_vararg: bool,
    /// How many loops are open.
    pub(crate) loops: u32,
    /// How deep the parser was when it came here, and how much deeper it went.
    pub(crate) depth: u32,
    pub(crate) nesting: u32,
    /// The jumps whose labels have not been seen yet, each with its line.
    pub(crate) jumps: Vec<(Text, u32)>,
}

impl Function {
    pub(crate) fn new(is_vararg: bool, depth: u32) -> Self {
        Self {
            locals: Vec::new(),
            captured: HashSet::new(),
            upvalues: Vec::new(),
            slots: 0,
            is_vararg,
            loops: 0,
            depth,
            nesting: 0,
            jumps: Vec::new(),
        }
    }

    /// A slot for a new local; none if there are too many. Each local has one of its own, so that captured ones can be told apart.
    pub(crate) fn declare(&mut self, name: Text) -> Option<u32> {
        let slot = self.slots;
        self.slots += 1;
        self.locals.push((name, slot));
        (slot < LOCALS).then_some(slot)
    }

    /// What is left of it once its body is there.
    pub(crate) fn close(self, mut body: Block, parameters: u32) -> Prototype {
        if !self.captured.is_empty() {
            Cells(&self.captured).block(&mut body);
        }
        Prototype {
            parameters,
            is_vararg: self.is_vararg,
            slots: self.slots,
            nesting: self.nesting,
            cells: (0..self.slots)
                .map(|slot| self.captured.contains(&slot))
                .collect(),
            upvalues: self.upvalues.into_iter().map(|(_, upvalue)| upvalue).collect(),
            body,
        }
    }
}

/// Finds a name in the innermost of these functions, or as an upvalue of it; none for a global.
pub(crate) fn lookup(functions: &mut [Function], name: &Text) -> Option<Expression> {
    let (function, outer) = functions.split_last_mut()?;
    if let Some((_, slot)) = function.locals.iter().rev().find(|(local, _)| local == name) {
        return Some(Expression::Local(*slot));
    }
    if let Some(at) = function.upvalues.iter().position(|(upvalue, _)| upvalue == name) {
        return Some(Expression::Upvalue(at as u32));
    }
    let upvalue = match lookup(outer, name)? {
        Expression::Local(slot) => {
            outer.last_mut()?.captured.insert(slot);
            Upvalue::Slot(slot)
        }
        Expression::Upvalue(at) => Upvalue::Outer(at),
        _ => return None,
    };
    function.upvalues.push((name.clone(), upvalue));
    Some(Expression::Upvalue(function.upvalues.len() as u32 - 1))
}

/// Turns the locals that closures capture into cells, once it is known which they are.
struct Cells<'a>(&'a HashSet<u32>);

impl Cells<'_> {
    fn block(&self, block: &mut Block) {
        block
            .body
            .iter_mut()
            .for_each(|statement| self.statement(statement));
    }

    fn statement(&self, statement: &mut Statement) {
        match statement {
            Statement::Local(_, _, values) | Statement::Return(values) => self.all(values),
            Statement::Assign(targets, values, _) => {
                self.all(targets);
                self.all(values);
            }
            Statement::Call(call) => self.expression(call),
            Statement::Do(block) => self.block(block),
            Statement::While(condition, block, _) | Statement::Repeat(block, condition, _) => {
                self.expression(condition);
                self.block(block);
            }
            Statement::If(arms, otherwise) => {
                for (condition, block) in arms {
                    self.expression(condition);
                    self.block(block);
                }
                if let Some(block) = otherwise {
                    self.block(block);
                }
            }
            Statement::For(_, range, block, _) => {
                range.iter_mut().for_each(|bound| self.expression(bound));
                self.block(block);
            }
            Statement::ForIn(_, _, iterator, block, _) => {
                self.all(iterator);
                self.block(block);
            }
            Statement::LocalFunction(..) | Statement::Break | Statement::Goto(..) => {}
        }
    }

    fn all(&self, expressions: &mut [Expression]) {
        expressions
            .iter_mut()
            .for_each(|expression| self.expression(expression));
    }

    fn pair(&self, pair: &mut (Expression, Expression)) {
        self.expression(&mut pair.0);
        self.expression(&mut pair.1);
    }

    fn expression(&self, expression: &mut Expression) {
        match expression {
            Expression::Local(slot) if self.0.contains(slot) => *expression = Expression::Cell(*slot),
            Expression::Index(pair, _)
            | Expression::Arithmetic(_, pair, _)
            | Expression::Comparison(_, pair, _)
            | Expression::Concat(pair, _)
            | Expression::And(pair)
            | Expression::Or(pair) => self.pair(pair),
            Expression::Call(call) => {
                self.expression(&mut call.function);
                self.all(&mut call.arguments);
            }
            Expression::Method(method) => {
                self.expression(&mut method.object);
                self.all(&mut method.arguments);
            }
            Expression::Not(inner)
            | Expression::Negate(inner, _)
            | Expression::Length(inner, _)
            | Expression::Paren(inner) => self.expression(inner),
            Expression::Table(list, entries, _) => {
                self.all(list);
                entries.iter_mut().for_each(|entry| self.pair(entry));
            }
            // A function of its own has seen to its own locals.
            Expression::Function(_)
            | Expression::Nil
            | Expression::True
            | Expression::False
            | Expression::Vararg
            | Expression::Number(_)
            | Expression::Text(_)
            | Expression::Local(_)
            | Expression::Cell(_)
            | Expression::Upvalue(_)
            | Expression::Global(..) => {}
        }
    }
}
