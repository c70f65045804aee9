//! An expression as a tree. Macros are nodes of their own, so nothing is written out.

use std::rc::Rc;

use crate::Value;
use crate::patterns::Pattern;

/// A part of an expression.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it begins: bytes from the start of the source.
    pub(crate) at: usize,
    /// How many nodes there are from it down to its deepest part.
    pub(crate) depth: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Literal(Value),
    /// A name: of a variable, a field of the object, or a type.
    Name(Rc<str>),
    /// `operand.field`, `operand.?field`, or `has(operand.field)`.
    Select {
        operand: Box<Node>,
        field: Rc<str>,
        how: Select,
    },
    /// `operand[index]`, or `operand[?index]`.
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        optional: bool,
    },
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    /// Conditions that are joined by `&&` (true) or `||` (false).
    Logic(bool, Vec<Node>),
    Choice(Box<[Node; 3]>),
    /// The flag: the entry is left out if it is an optional of nothing.
    List(Vec<(bool, Node)>),
    Map(Vec<(bool, Node, Node)>),
    Call {
        /// None for a function that is no method.
        target: Option<Box<Node>>,
        name: Rc<str>,
        arguments: Vec<Node>,
    },
    /// `text.matches(pattern)` with a pattern that is known.
    Matches(Box<Node>, Rc<Pattern>),
    /// A macro over the entries of a list, or the keys of a map.
    Each {
        what: Each,
        range: Box<Node>,
        variable: Rc<str>,
        /// Of `map` with three arguments.
        filter: Option<Box<Node>>,
        body: Box<Node>,
    },
    /// `target.optMap(variable, body)`; `flat` for `optFlatMap`.
    OptionalMap {
        target: Box<Node>,
        variable: Rc<str>,
        body: Box<Node>,
        flat: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Select {
    Plain,
    Optional,
    Has,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Negative,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

impl Node {
    /// The parts of it, in the order of the source.
    pub(crate) fn parts(&self) -> Vec<&Node> {
        match &self.kind {
            Kind::Literal(_) | Kind::Name(_) => Vec::new(),
            Kind::Select { operand, .. } | Kind::Unary(_, operand) | Kind::Matches(operand, _) => {
                vec![operand]
            }
            Kind::Index { operand, index, .. } => vec![operand, index],
            Kind::Binary(_, left, right) => vec![left, right],
            Kind::Logic(_, nodes) => nodes.iter().collect(),
            Kind::Choice(nodes) => nodes.iter().collect(),
            Kind::List(entries) => entries.iter().map(|(_, node)| node).collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(_, key, value)| [key, value]).collect(),
            Kind::Call {
                target, arguments, ..
            } => target.as_deref().into_iter().chain(arguments).collect(),
            Kind::Each {
                range, filter, body, ..
            } => [Some(range), filter.as_ref(), Some(body)]
                .into_iter()
                .flatten()
                .map(|node| &**node)
                .collect(),
            Kind::OptionalMap { target, body, .. } => vec![target, body],
        }
    }

    /// [`Node::parts`], to change them.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Node> {
        match &mut self.kind {
            Kind::Literal(_) | Kind::Name(_) => Vec::new(),
            Kind::Select { operand, .. } | Kind::Unary(_, operand) | Kind::Matches(operand, _) => {
                vec![operand]
            }
            Kind::Index { operand, index, .. } => vec![operand, index],
            Kind::Binary(_, left, right) => vec![left, right],
            Kind::Logic(_, nodes) => nodes.iter_mut().collect(),
            Kind::Choice(nodes) => nodes.iter_mut().collect(),
            Kind::List(entries) => entries.iter_mut().map(|(_, node)| node).collect(),
            Kind::Map(entries) => entries
                .iter_mut()
                .flat_map(|(_, key, value)| [key, value])
                .collect(),
            Kind::Call {
                target, arguments, ..
            } => target.as_deref_mut().into_iter().chain(arguments).collect(),
            Kind::Each {
                range, filter, body, ..
            } => [Some(range), filter.as_mut(), Some(body)]
                .into_iter()
                .flatten()
                .map(|node| &mut **node)
                .collect(),
            Kind::OptionalMap { target, body, .. } => vec![target, body],
        }
    }
}
