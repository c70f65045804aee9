//! Values, and the ways of failing.

use std::rc::Rc;

/// A string of Lua: any bytes.
pub type Text = Rc<[u8]>;

/// A value of Lua. Tables and functions are numbers of what the engine holds for one check.
#[derive(Clone, Debug)]
pub enum Value {
    /// `nil`: a variable without a value, a key that a table does not have.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// The only kind of number that there is.
    Number(f64),
    /// A string.
    Text(Text),
    /// A table of [`Engine`](crate::Engine).
    Table(u32),
    /// A function of the script.
    Function(u32),
    /// A function of the library.
    Native(u16),
    /// Only in slots: a local that some closure captures.
    #[doc(hidden)]
    Cell(u32),
}

impl Value {
    /// A string.
    pub fn text(bytes: impl AsRef<[u8]>) -> Self {
        Self::Text(bytes.as_ref().into())
    }

    /// Everything but `nil` and `false`.
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// True for `nil`.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    pub(crate) fn is_function(&self) -> bool {
        matches!(self, Self::Function(_) | Self::Native(_))
    }

    /// What `type` says.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Table(_) => "table",
            Self::Function(_) | Self::Native(_) | Self::Cell(_) => "function",
        }
    }

    /// `tostring`, without what a metatable says.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Number(number) => crate::number::print(*number),
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Self::Table(table) => format!("table: 0x{table:08x}"),
            Self::Function(number) | Self::Cell(number) => format!("function: 0x{number:08x}"),
            Self::Native(number) => format!("function: 0x{number:08x}"),
        }
    }

    /// The bytes of [`Value::shown`].
    pub(crate) fn shown_bytes(&self) -> Text {
        match self {
            Self::Text(text) => Rc::clone(text),
            value => value.shown().into_bytes().into(),
        }
    }

    /// `rawequal`.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => Rc::ptr_eq(a, b) || a == b,
            (Self::Table(a), Self::Table(b)) | (Self::Function(a), Self::Function(b)) => a == b,
            (Self::Native(a), Self::Native(b)) => a == b,
            _ => false,
        }
    }
}

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Raised {
    /// An error of Lua, which `pcall` catches.
    Error(Value),
    /// More than the script may take; nothing of it catches that.
    Limit(crate::Limit),
}

/// The result of everything that may fail; the box keeps the good way short.
pub(crate) type Outcome<T = Value> = Result<T, Box<Raised>>;

/// What a call gives back.
pub(crate) enum Returned {
    /// The function returned no value.
    None,
    /// One value, which needs no list.
    One(Value),
    /// Any number of them.
    Many(Vec<Value>),
}

impl Returned {
    pub(crate) fn first(self) -> Value {
        match self {
            Self::None => Value::Nil,
            Self::One(value) => value,
            Self::Many(values) => values.into_iter().next().unwrap_or(Value::Nil),
        }
    }

    pub(crate) fn list(self) -> Vec<Value> {
        match self {
            Self::None => Vec::new(),
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

impl From<Value> for Returned {
    fn from(value: Value) -> Self {
        Self::One(value)
    }
}
