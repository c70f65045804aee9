//! Tokens into a tree, as CEL's grammar has it.

use std::rc::Rc;

use crate::lexer::{self, Kind as Sign, Token};
use crate::tree::{Binary, Each, Kind, Node, Select, Unary};
use crate::{Mistake, Value};

/// The longest source, in bytes.
const SOURCE: usize = 16 << 10;
/// How deep a tree may be: what walks it calls itself as often. Values are at most as deep as half of this squared (as many `map` in a
/// row that each put as many lists around an entry), and walking those has to fit the stack as well.
const DEPTH: usize = 64;

/// Names that nothing may have, because languages have them for something else.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The tree of an expression.
pub(crate) fn parse(source: &str) -> Result<Node, Mistake> {
    if source.len() > SOURCE {
        return Err(Mistake::at(
            source,
            0,
            format!(
                "the expression has {} bytes, and at most {SOURCE} are taken",
                source.len()
            ),
        ));
    }
    let mut parser = Parser {
        source,
        tokens: lexer::tokens(source)?,
        next: 0,
        depth: 0,
    };
    let node = parser.expression()?;
    match parser.peek() {
        Sign::End => Ok(node),
        _ => parser.unexpected(),
    }
}

const TOO_DEEP: &str = "it is nested too deeply, or has too many operators in a row";

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Sign {
        self.tokens.get(self.next).map_or(&Sign::End, |token| &token.kind)
    }

    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.source.len(), |token| token.at)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Sign::Sign(found) if *found == sign)
    }

    /// Takes a sign, if it is next.
    fn take(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        self.next += usize::from(is);
        is
    }

    /// Takes a sign, which has to be next.
    fn expect(&mut self, sign: &str) -> Result<(), Mistake> {
        match self.take(sign) {
            true => Ok(()),
            false => self.mistake(format!("`{sign}` is expected, and {} is there", self.found())),
        }
    }

    /// As [`Self::expect`], for where a bracket has to close.
    fn closes(&mut self, sign: &str) -> Result<bool, Mistake> {
        self.expect(sign).map(|()| true)
    }

    fn found(&self) -> String {
        match self.peek() {
            Sign::End => "the end".to_owned(),
            Sign::Name(name) => format!("`{name}`"),
            Sign::Sign(sign) => format!("`{sign}`"),
            Sign::Int(_) | Sign::Uint(_) | Sign::Double(_) => "a number".to_owned(),
            Sign::Text(_) | Sign::Bytes(_) => "a text".to_owned(),
        }
    }

    /// A node, unless it is too deep.
    fn node(&self, at: usize, kind: Kind) -> Result<Node, Mistake> {
        let mut node = Node { at, depth: 1, kind };
        let parts = node.parts();
        node.depth += parts.into_iter().map(|part| part.depth).max().unwrap_or_default();
        match node.depth > DEPTH {
            true => Err(Mistake::at(self.source, at, TOO_DEEP)),
            false => Ok(node),
        }
    }

    fn mistake<T>(&self, message: impl Into<String>) -> Result<T, Mistake> {
        Err(Mistake::at(self.source, self.at(), message))
    }

    fn unexpected<T>(&self) -> Result<T, Mistake> {
        self.mistake(format!("{} is not expected here", self.found()))
    }

    /// Parses a part that is one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        if self.depth >= DEPTH {
            return self.mistake(TOO_DEEP);
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Result<Node, Mistake> {
        self.deeper(|parser| {
            let condition = parser.logic(false)?;
            let at = parser.at();
            if !parser.take("?") {
                return Ok(condition);
            }
            let yes = parser.logic(false)?;
            parser.expect(":")?;
            let no = parser.expression()?;
            parser.node(at, Kind::Choice(Box::new([condition, yes, no])))
        })
    }

    /// Conditions joined by `&&`, or by `||`.
    fn logic(&mut self, and: bool) -> Result<Node, Mistake> {
        let sign = if and { "&&" } else { "||" };
        let part = |parser: &mut Self| match and {
            true => parser.binary(0),
            false => parser.logic(true),
        };
        let first = part(self)?;
        let at = self.at();
        if !self.is(sign) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(sign) {
            parts.push(part(self)?);
        }
        self.node(at, Kind::Logic(and, parts))
    }

    /// Relations (0), sums (1) and products (2), which go from left to right.
    fn binary(&mut self, level: usize) -> Result<Node, Mistake> {
        let part = |parser: &mut Self| match level {
            2 => parser.unary(),
            _ => parser.binary(level + 1),
        };
        let mut left = part(self)?;
        loop {
            let at = self.at();
            let Some(operator) = self.operator(level) else {
                return Ok(left);
            };
            self.next += 1;
            let right = part(self)?;
            left = self.node(at, Kind::Binary(operator, Box::new(left), Box::new(right)))?;
        }
    }

    fn operator(&self, level: usize) -> Option<Binary> {
        let sign = match self.peek() {
            Sign::Sign(sign) => sign,
            Sign::Name(name) if name == "in" => "in",
            _ => return None,
        };
        Some(match (level, sign) {
            (0, "==") => Binary::Equal,
            (0, "!=") => Binary::NotEqual,
            (0, "<") => Binary::Less,
            (0, "<=") => Binary::LessOrEqual,
            (0, ">") => Binary::Greater,
            (0, ">=") => Binary::GreaterOrEqual,
            (0, "in") => Binary::In,
            (1, "+") => Binary::Add,
            (1, "-") => Binary::Subtract,
            (2, "*") => Binary::Multiply,
            (2, "/") => Binary::Divide,
            (2, "%") => Binary::Modulo,
            _ => return None,
        })
    }

    fn unary(&mut self) -> Result<Node, Mistake> {
        let at = self.at();
        for (sign, operator) in [("!", Unary::Not), ("-", Unary::Negative)] {
            if !self.is(sign) {
                continue;
            }
            let mut count = 0;
            while self.is(sign) {
                // A sign before a number belongs to it.
                if operator == Unary::Negative && self.is_number_after() {
                    break;
                }
                self.next += 1;
                count += 1;
            }
            let operand = self.member()?;
            return Ok(match count % 2 {
                // Two of them are none, as in cel-go, whatever they stand before.
                0 => operand,
                _ => self.node(at, Kind::Unary(operator, Box::new(operand)))?,
            });
        }
        self.member()
    }

    fn is_number_after(&self) -> bool {
        let after = self.tokens.get(self.next + 1).map(|token| &token.kind);
        matches!(after, Some(Sign::Int(_) | Sign::Double(_)))
    }

    fn member(&mut self) -> Result<Node, Mistake> {
        let mut node = self.primary()?;
        loop {
            let at = self.at();
            let kind = if self.take(".") {
                let optional = self.take("?");
                let Some(name) = self.name() else {
                    return self.mistake(format!(
                        "a field's name is expected, and {} is there",
                        self.found()
                    ));
                };
                if !optional && self.take("(") {
                    let arguments = self.list(")", Self::expression)?;
                    node = self.method(at, node, name, arguments)?;
                    continue;
                }
                Kind::Select {
                    operand: Box::new(node),
                    field: name,
                    how: if optional { Select::Optional } else { Select::Plain },
                }
            } else if self.take("[") {
                let optional = self.take("?");
                let index = self.expression()?;
                self.expect("]")?;
                Kind::Index {
                    operand: Box::new(node),
                    index: Box::new(index),
                    optional,
                }
            } else if self.is("{") {
                return self
                    .mistake("messages of protocol buffers are not taken: write a map, `{'key': value}`");
            } else {
                return Ok(node);
            };
            node = self.node(at, kind)?;
        }
    }

    /// A name, if one is next.
    fn name(&mut self) -> Option<Rc<str>> {
        let name = match self.peek() {
            Sign::Name(name) if !matches!(name.as_str(), "in" | "true" | "false" | "null") => {
                name.as_str().into()
            }
            _ => return None,
        };
        self.next += 1;
        Some(name)
    }

    /// Entries up to a bracket.
    fn list<T>(
        &mut self,
        end: &str,
        entry: impl Fn(&mut Self) -> Result<T, Mistake>,
    ) -> Result<Vec<T>, Mistake> {
        let mut entries = Vec::new();
        // Calls have no comma at their end; lists and maps may have one, also if they are empty.
        let is_call = end == ")";
        if self.take(end) || (!is_call && self.take(",") && self.closes(end)?) {
            return Ok(entries);
        }
        loop {
            entries.push(entry(self)?);
            if self.take(end) {
                return Ok(entries);
            }
            self.expect(",")?;
            if !is_call && self.take(end) {
                return Ok(entries);
            }
        }
    }

    fn primary(&mut self) -> Result<Node, Mistake> {
        let at = self.at();
        let token = self.peek().clone();
        let kind = match token {
            Sign::Sign("(") => {
                self.next += 1;
                let node = self.expression()?;
                self.expect(")")?;
                return Ok(node);
            }
            Sign::Sign("[") => {
                self.next += 1;
                Kind::List(self.list("]", |parser| Ok((parser.take("?"), parser.expression()?)))?)
            }
            Sign::Sign("{") => {
                self.next += 1;
                Kind::Map(self.list("}", |parser| {
                    let optional = parser.take("?");
                    let key = parser.expression()?;
                    parser.expect(":")?;
                    Ok((optional, key, parser.expression()?))
                })?)
            }
            Sign::Sign("-") | Sign::Int(_) | Sign::Uint(_) | Sign::Double(_) => Kind::Literal(self.number()?),
            Sign::Text(text) => {
                self.next += 1;
                Kind::Literal(Value::Text(text.into()))
            }
            Sign::Bytes(bytes) => {
                self.next += 1;
                Kind::Literal(Value::Bytes(bytes.into()))
            }
            Sign::Sign(".") | Sign::Name(_) => return self.named(at),
            Sign::Sign(_) | Sign::End => return self.unexpected(),
        };
        self.node(at, kind)
    }

    fn number(&mut self) -> Result<Value, Mistake> {
        let is_negative = self.take("-");
        let value = match (self.peek(), is_negative) {
            (Sign::Int(integer), true) => 0_i64.checked_sub_unsigned(*integer).map(Value::Int),
            (Sign::Int(integer), false) => i64::try_from(*integer).ok().map(Value::Int),
            (Sign::Uint(integer), false) => Some(Value::Uint(*integer)),
            (Sign::Double(number), _) => Some(Value::Double(if is_negative { -number } else { *number })),
            _ => return self.unexpected(),
        };
        let Some(value) = value else {
            return self.mistake("it is no whole number that fits into 64 bits");
        };
        self.next += 1;
        Ok(value)
    }

    /// What begins with a name: a literal, a call, or the name.
    fn named(&mut self, at: usize) -> Result<Node, Mistake> {
        let is_absolute = self.take(".");
        let word = match self.peek() {
            Sign::Name(word) if !is_absolute => word.as_str(),
            _ => "",
        };
        let literal = match word {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = literal {
            self.next += 1;
            return self.node(at, Kind::Literal(value));
        }
        let place = self.at();
        let Some(name) = self.name() else {
            return self.unexpected();
        };
        if RESERVED.contains(&&*name) {
            return Err(Mistake::at(
                self.source,
                place,
                format!("`{name}` is a reserved word"),
            ));
        }
        if !self.take("(") {
            return self.node(at, Kind::Name(name));
        }
        let mut arguments = self.list(")", Self::expression)?;
        if &*name == "has" && arguments.len() == 1 {
            return self.has(arguments.remove(0));
        }
        self.node(
            at,
            Kind::Call {
                target: None,
                name,
                arguments,
            },
        )
    }

    fn has(&self, argument: Node) -> Result<Node, Mistake> {
        match argument.kind {
            Kind::Select {
                operand,
                field,
                how: Select::Plain,
            } => self.node(
                argument.at,
                Kind::Select {
                    operand,
                    field,
                    how: Select::Has,
                },
            ),
            _ => Err(Mistake::at(
                self.source,
                argument.at,
                "`has` takes a field: `has(status.phase)`",
            )),
        }
    }

    /// A method, or a macro in the form of one.
    fn method(
        &self,
        at: usize,
        target: Node,
        name: Rc<str>,
        mut arguments: Vec<Node>,
    ) -> Result<Node, Mistake> {
        let each = match (&*name, arguments.len()) {
            ("all", 2) => Some(Each::All),
            ("exists", 2) => Some(Each::Exists),
            ("exists_one", 2) => Some(Each::ExistsOne),
            ("map", 2 | 3) => Some(Each::Map),
            ("filter", 2) => Some(Each::Filter),
            _ => None,
        };
        let is_optional = matches!((&*name, arguments.len()), ("optMap" | "optFlatMap", 2));
        if each.is_none() && !is_optional {
            return self.node(
                at,
                Kind::Call {
                    target: Some(Box::new(target)),
                    name,
                    arguments,
                },
            );
        }
        let first = arguments.remove(0);
        let Kind::Name(variable) = first.kind else {
            return Err(Mistake::at(
                self.source,
                first.at,
                format!("`{name}` takes a name for the entry first: `list.{name}(entry, …)`"),
            ));
        };
        if &*variable == "__result__" {
            return Err(Mistake::at(
                self.source,
                first.at,
                "`__result__` has a meaning of its own",
            ));
        }
        let filter = (arguments.len() == 2).then(|| Box::new(arguments.remove(0)));
        let body = Box::new(arguments.remove(0));
        let target = Box::new(target);
        let kind = match each {
            Some(what) => Kind::Each {
                what,
                range: target,
                variable,
                filter,
                body,
            },
            None => Kind::OptionalMap {
                target,
                variable,
                body,
                flat: &*name == "optFlatMap",
            },
        };
        self.node(at, kind)
    }
}
