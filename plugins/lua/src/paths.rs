//! What a script may read of a global: found in its tree, so that no more has to be fetched than that.

use std::rc::Rc;

use crate::tree::{Block, Expression, Prototype, Statement};
use crate::value::Text;

/// The parts of a global that a script may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paths {
    /// It may read anything: it hands the global on as a whole.
    All,
    /// It reads these, each by one or two keys from the top, and nothing beside them and what is below them.
    Some(Vec<(Text, Option<Text>)>),
}

/// By these a script may come to its globals without naming them.
const OPENERS: [&str; 6] = ["_G", "getfenv", "load", "loadstring", "require", "setfenv"];

impl Paths {
    pub(crate) fn of(main: &Rc<Prototype>, global: &str) -> Self {
        let mut search = Search {
            global: global.as_bytes(),
            found: Vec::new(),
            is_all: false,
        };
        search.block(&main.body);
        match search.is_all {
            true => Self::All,
            false => Self::Some(search.found),
        }
    }
}

struct Search<'a> {
    global: &'a [u8],
    found: Vec<(Text, Option<Text>)>,
    is_all: bool,
}

impl Search<'_> {
    fn add(&mut self, path: (Text, Option<Text>)) {
        if !self.found.contains(&path) {
            self.found.push(path);
        }
    }

    fn is_global(&self, expression: &Expression) -> bool {
        matches!(expression, Expression::Global(name, _) if **name == *self.global)
    }

    /// `global.key`, if it is one.
    fn key<'e>(&self, expression: &'e Expression) -> Option<&'e Text> {
        match expression {
            Expression::Index(pair, _) if self.is_global(&pair.0) => match &pair.1 {
                Expression::Text(key) => Some(key),
                _ => None,
            },
            _ => None,
        }
    }

    fn block(&mut self, block: &Block) {
        block.body.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
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
                self.all(&**range);
                self.block(block);
            }
            Statement::ForIn(_, _, iterator, block, _) => {
                self.all(iterator);
                self.block(block);
            }
            Statement::LocalFunction(_, prototype) => self.block(&prototype.body),
            Statement::Break | Statement::Goto(..) => {}
        }
    }

    fn all(&mut self, expressions: &[Expression]) {
        expressions
            .iter()
            .for_each(|expression| self.expression(expression));
    }

    fn pair(&mut self, pair: &(Expression, Expression)) {
        self.expression(&pair.0);
        self.expression(&pair.1);
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Global(name, _) => {
                self.is_all |=
                    **name == *self.global || OPENERS.iter().any(|opener| **name == *opener.as_bytes());
            }
            Expression::Index(pair, _) => {
                if let Some(key) = self.key(&pair.0) {
                    let first = key.clone();
                    match &pair.1 {
                        Expression::Text(second) => self.add((first, Some(second.clone()))),
                        other => {
                            self.add((first, None));
                            self.expression(other);
                        }
                    }
                } else if let Some(key) = self.key(expression) {
                    self.add((key.clone(), None));
                } else {
                    self.pair(pair);
                }
            }
            Expression::Arithmetic(_, pair, _)
            | Expression::Comparison(_, pair, _)
            | Expression::Concat(pair, _)
            | Expression::And(pair)
            | Expression::Or(pair) => self.pair(pair),
            Expression::Call(call) => {
                self.expression(&call.function);
                self.all(&call.arguments);
            }
            Expression::Method(method) => {
                self.expression(&method.object);
                self.all(&method.arguments);
            }
            Expression::Function(prototype) => self.block(&prototype.body),
            Expression::Not(inner)
            | Expression::Negate(inner, _)
            | Expression::Length(inner, _)
            | Expression::Paren(inner) => self.expression(inner),
            Expression::Table(list, entries, _) => {
                self.all(list);
                entries.iter().for_each(|entry| self.pair(entry));
            }
            Expression::Nil
            | Expression::True
            | Expression::False
            | Expression::Vararg
            | Expression::Number(_)
            | Expression::Text(_)
            | Expression::Local(_)
            | Expression::Cell(_)
            | Expression::Upvalue(_) => {}
        }
    }
}
