//! CEL as cel-go evaluates it for Flux's health checks, for expressions of strangers.
//!
//! The dialect is that of Flux: the standard functions, optional values, and the extensions for strings, sets and base64. Expressions are
//! parsed and not type-checked, numbers of different types compare with each other, and times are in UTC. Limits hold from within:
//! every node, entry and letter that is looked at is a step, and what is made is charged before it is ([`Limits`]). A
//! [`Failure::Limit`] is no error of CEL: `||` and `&&` do not pass over it.
//!
//! ```
//! use sluice_cel::{Failure, Limits, Meter, Program, Value};
//!
//! let meter = Meter::new(Limits::default());
//! let program = Program::parse("phase == 'Running' && ready >= 2", &meter).expect("an expression");
//! let fields = |name: &str| -> Result<Option<Value>, Failure> {
//!     Ok(match name {
//!         "phase" => Some(Value::text("Running")),
//!         "ready" => Some(Value::Int(3)),
//!         _ => None,
//!     })
//! };
//! let value = program.evaluate(&fields, &meter);
//! assert!(matches!(value, Ok(Value::Bool(true))));
//! ```
//!
//! **Why an evaluator of our own.** The crate `cel` has no budget: seven `all` within each other run until the instance is stopped, and
//! chained `replace` until its memory is used up. Within an instance of WebAssembly that is a trap, and three traps keep *every* rule
//! from being evaluated for a while. Bounds on the size of an expression alone do not help, because how long it takes follows from the
//! object, which its controller writes. Without a type checker, and with macros as nodes of the tree, what is left is small. Regular
//! expressions, base64 and calendars are libraries.
//!
//! Left out: messages of protocol buffers, and names of time zones (an offset such as `+02:00` is taken). `tests/answers.jsonl` has what
//! cel-go answers to our probes.
#![forbid(unsafe_code)]

mod constants;
mod evaluate;
mod format;
mod functions;
mod lexer;
mod meter;
mod numbers;
mod operators;
mod parser;
mod patterns;
mod reads;
mod strings;
mod time;
mod tree;
mod value;

pub use meter::{Limits, Meter};
pub use numbers::print as print_number;
pub use reads::Read;
pub use value::{Key, Map, Value};

pub use time::Timestamp;

/// An expression that can be evaluated any number of times.
#[derive(Debug)]
pub struct Program {
    tree: tree::Node,
}

/// Why an expression is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In letters, from 1.
    pub column: usize,
    /// What is wrong, for people.
    pub message: String,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// An error of the expression, in cel-go's words.
    Error(String),
    /// It takes too much.
    Limit(String),
}

/// Where the values of names come from: the fields of an object. None for a name that it does not have. It is asked each time that a
/// name is read, so it has to be quick.
pub type Fields<'a> = dyn Fn(&str) -> Result<Option<Value>, Failure> + 'a;

impl Program {
    /// Parses an expression. Constants that make no sense (a regular expression, a duration) are mistakes, as in cel-go. The meter
    /// bounds what reading takes: of one expression, or of all that are read with it.
    pub fn parse(source: &str, meter: &Meter) -> Result<Self, Mistake> {
        let too_much = |failure: Failure| Mistake::at(source, 0, failure.to_string());
        meter.steps(source.len()).map_err(too_much)?;
        let mut tree = parser::parse(source)?;
        constants::settle(source, meter, &mut tree)?;
        Ok(Self { tree })
    }

    /// Its value over an object.
    pub fn evaluate(&self, fields: &Fields<'_>, meter: &Meter) -> Result<Value, Failure> {
        evaluate::evaluate(&self.tree, fields, meter)
    }

    /// What it may read of an object, each once, sorted.
    pub fn reads(&self) -> Vec<Read> {
        reads::of(&self.tree)
    }
}

impl Mistake {
    /// A mistake so many bytes into a source.
    fn at(source: &str, at: usize, message: impl Into<String>) -> Self {
        let before = source.get(..at).unwrap_or(source);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            message: message.into(),
        }
    }
}

impl Failure {
    fn error(message: impl Into<String>) -> Self {
        Self::Error(message.into())
    }

    fn no_overload() -> Self {
        Self::error("no such overload")
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(message) | Self::Limit(message) => formatter.write_str(message),
        }
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}
