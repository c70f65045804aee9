//! What a script is parsed to. Locals are slots of their function already; numbers beside nodes are lines.

use std::rc::Rc;

use crate::value::Text;

/// Something that has a value, or several.
#[derive(Debug)]
pub(crate) enum Expression {
    Nil,
    True,
    False,
    Vararg,
    Number(f64),
    Text(Text),
    Local(u32),
    /// A local that some closure captures: its slot holds a cell.
    Cell(u32),
    Upvalue(u32),
    Global(Text, u32),
    Index(Box<(Expression, Expression)>, u32),
    Call(Box<Call>),
    Method(Box<Method>),
    Function(Rc<Prototype>),
    Arithmetic(Arithmetic, Box<(Expression, Expression)>, u32),
    Comparison(Comparison, Box<(Expression, Expression)>, u32),
    Concat(Box<(Expression, Expression)>, u32),
    And(Box<(Expression, Expression)>),
    Or(Box<(Expression, Expression)>),
    Not(Box<Expression>),
    Negate(Box<Expression>, u32),
    Length(Box<Expression>, u32),
    /// Cuts several values down to one.
    Paren(Box<Expression>),
    /// The list, and the entries with keys.
    Table(Vec<Expression>, Vec<(Expression, Expression)>, u32),
}

impl Expression {
    /// True for what may have several values.
    pub(crate) fn is_multiple(&self) -> bool {
        matches!(self, Self::Call(_) | Self::Method(_) | Self::Vararg)
    }
}

/// `f(a, b)`.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Expression,
    pub(crate) arguments: Vec<Expression>,
    pub(crate) line: u32,
}

/// `o:name(a, b)`.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) object: Expression,
    pub(crate) name: Text,
    pub(crate) arguments: Vec<Expression>,
    pub(crate) line: u32,
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Something that is done.
#[derive(Debug)]
pub(crate) enum Statement {
    /// The first slot, how many there are, and their values.
    Local(u32, u32, Vec<Expression>),
    Assign(Vec<Expression>, Vec<Expression>, u32),
    Call(Expression),
    Do(Block),
    While(Expression, Block, u32),
    Repeat(Block, Expression, u32),
    If(Vec<(Expression, Block)>, Option<Block>),
    /// Its slot; start, end and step.
    For(u32, Box<[Expression; 3]>, Block, u32),
    /// The first slot, how many there are, and what gives the iterator.
    ForIn(u32, u32, Vec<Expression>, Block, u32),
    LocalFunction(u32, Rc<Prototype>),
    Return(Vec<Expression>),
    Break,
    Goto(Text, u32),
}

/// Statements with a scope of their own.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) body: Vec<Statement>,
    /// Labels, and which statement they stand before.
    pub(crate) labels: Vec<(Text, usize)>,
}

/// A function as it is written.
#[derive(Debug, Default)]
pub(crate) struct Prototype {
    pub(crate) parameters: u32,
    pub(crate) is_vararg: bool,
    /// How many slots its locals take.
    pub(crate) slots: u32,
    /// How deep its blocks and expressions are nested: what a call of it takes of the stack.
    pub(crate) nesting: u32,
    /// Which slots some closure captures.
    pub(crate) cells: Vec<bool>,
    pub(crate) upvalues: Vec<Upvalue>,
    pub(crate) body: Block,
}

/// Where an upvalue comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Upvalue {
    /// A slot of the enclosing function.
    Slot(u32),
    /// An upvalue of the enclosing function.
    Outer(u32),
}
