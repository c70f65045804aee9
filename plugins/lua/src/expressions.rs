//! The parser's expressions.

use std::rc::Rc;

use crate::lexer::Token;
use crate::parser::{Parsed, Parser};
use crate::tree::{Arithmetic, Call, Comparison, Expression, Method, Prototype};

/// How closely what stands before an operand binds it.
const UNARY: u8 = 12;

/// An operator between two operands, and how closely it binds the left and the right one.
fn binding(sign: &str) -> Option<(u8, u8)> {
    Some(match sign {
        "or" => (1, 1),
        "and" => (3, 3),
        "<" | ">" | "<=" | ">=" | "~=" | "==" => (5, 5),
        ".." => (8, 6),
        "+" | "-" => (9, 9),
        "*" | "/" | "%" => (10, 10),
        "^" => (14, 12),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(crate) fn expressions(&mut self) -> Parsed<Vec<Expression>> {
        let mut expressions = vec![self.expression()?];
        while self.eat(",")? {
            expressions.push(self.expression()?);
        }
        Ok(expressions)
    }

    pub(crate) fn expression(&mut self) -> Parsed<Expression> {
        self.operation(0)
    }

    /// As much as binds closer than this.
    fn operation(&mut self, limit: u8) -> Parsed<Expression> {
        self.deeper()?;
        // The line of an operation is that of its first operand.
        let mut line = self.line();
        let mut left = if self.eat("not")? {
            line = self.line();
            Expression::Not(Box::new(self.operation(UNARY)?))
        } else if self.eat("-")? {
            line = self.line();
            match self.operation(UNARY)? {
                Expression::Number(number) => Expression::Number(-number),
                operand => Expression::Negate(Box::new(operand), line),
            }
        } else if self.eat("#")? {
            line = self.line();
            Expression::Length(Box::new(self.operation(UNARY)?), line)
        } else {
            self.simple()?
        };
        // A chain of operators is a tree that is as deep as it is long.
        let mut links = 0;
        while let Token::Sign(sign) = self.token
            && let Some((binds_left, binds_right)) = binding(sign)
            && binds_left > limit
        {
            self.bump()?;
            self.deeper()?;
            links += 1;
            let right = self.operation(binds_right)?;
            left = operation(sign, Box::new((left, right)), line);
        }
        for _ in 0..=links {
            self.higher();
        }
        Ok(left)
    }

    fn simple(&mut self) -> Parsed<Expression> {
        let constant = match &self.token {
            Token::Number(number) => Expression::Number(*number),
            Token::Text(text) => Expression::Text(text.clone()),
            Token::Sign("nil") => Expression::Nil,
            Token::Sign("true") => Expression::True,
            Token::Sign("false") => Expression::False,
            Token::Sign("...") => match self.function().is_vararg {
                true => Expression::Vararg,
                false => return self.refuse(self.line(), "cannot use '...' outside a vararg function"),
            },
            Token::Sign("{") => return self.table(),
            Token::Sign("function") => {
                self.bump()?;
                return Ok(Expression::Function(self.function_body(false)?));
            }
            _ => return self.suffixed(),
        };
        self.bump()?;
        Ok(constant)
    }

    /// A name or parentheses, and all that is appended to it.
    pub(crate) fn suffixed(&mut self) -> Parsed<Expression> {
        let line = self.line();
        let mut expression = self.primary()?;
        let mut links = 0;
        loop {
            if self.eat(".")? {
                let key = Expression::Text(self.identifier()?);
                expression = Expression::Index(Box::new((expression, key)), line);
            } else if self.eat("[")? {
                let key = self.expression()?;
                self.want("]")?;
                expression = Expression::Index(Box::new((expression, key)), line);
            } else if self.eat(":")? {
                let name = self.identifier()?;
                let arguments = self.arguments()?;
                expression = Expression::Method(Box::new(Method {
                    object: expression,
                    name,
                    arguments,
                    line,
                }));
            } else if self.is("(") || self.is("{") || matches!(self.token, Token::Text(_)) {
                let arguments = self.arguments()?;
                expression = Expression::Call(Box::new(Call {
                    function: expression,
                    arguments,
                    line,
                }));
            } else {
                break;
            }
            self.deeper()?;
            links += 1;
        }
        for _ in 0..links {
            self.higher();
        }
        Ok(expression)
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let line = self.line();
        if self.eat("(")? {
            let inner = self.expression()?;
            self.want(")")?;
            // In parentheses nothing can be assigned to, and several values are one.
            return Ok(Expression::Paren(Box::new(inner)));
        }
        let name = self.identifier()?;
        Ok(self.name(name, line))
    }

    fn arguments(&mut self) -> Parsed<Vec<Expression>> {
        if let Token::Text(text) = &self.token {
            let text = text.clone();
            self.bump()?;
            return Ok(vec![Expression::Text(text)]);
        }
        if self.is("{") {
            return Ok(vec![self.table()?]);
        }
        self.want("(")?;
        let arguments = match self.is(")") {
            true => Vec::new(),
            false => self.expressions()?,
        };
        self.want(")")?;
        Ok(arguments)
    }

    fn table(&mut self) -> Parsed<Expression> {
        self.deeper()?;
        let line = self.line();
        self.want("{")?;
        let (mut list, mut entries) = (Vec::new(), Vec::new());
        while !self.is("}") {
            if self.eat("[")? {
                let key = self.expression()?;
                self.want("]")?;
                self.want("=")?;
                entries.push((key, self.expression()?));
            } else if matches!(self.token, Token::Name(_)) && *self.peek()? == Token::Sign("=") {
                let key = Expression::Text(self.identifier()?);
                self.bump()?;
                entries.push((key, self.expression()?));
            } else {
                list.push(self.expression()?);
            }
            let mut goes_on = false;
            while self.eat(",")? || self.eat(";")? {
                goes_on = true;
            }
            if !goes_on {
                break;
            }
        }
        self.want("}")?;
        self.higher();
        Ok(Expression::Table(list, entries, line))
    }

    /// From the parameters to `end`.
    pub(crate) fn function_body(&mut self, is_method: bool) -> Parsed<Rc<Prototype>> {
        self.deeper()?;
        self.open_function();
        let mut parameters = 0;
        if is_method {
            self.declare(b"self".as_slice().into())?;
            parameters += 1;
        }
        self.want("(")?;
        let mut goes_on = !self.is(")");
        while goes_on {
            if self.eat("...")? {
                self.function().is_vararg = true;
                break;
            }
            let name = self.identifier()?;
            self.declare(name)?;
            parameters += 1;
            goes_on = self.eat(",")?;
        }
        self.want(")")?;
        let body = self.block_to_end()?;
        let function = self.close_function()?;
        self.higher();
        Ok(Rc::new(function.close(body, parameters)))
    }
}

fn operation(sign: &str, pair: Box<(Expression, Expression)>, line: u32) -> Expression {
    let arithmetic = |what, pair| Expression::Arithmetic(what, pair, line);
    let comparison = |what, pair| Expression::Comparison(what, pair, line);
    match sign {
        "and" => Expression::And(pair),
        "or" => Expression::Or(pair),
        ".." => Expression::Concat(pair, line),
        "+" => arithmetic(Arithmetic::Add, pair),
        "-" => arithmetic(Arithmetic::Subtract, pair),
        "*" => arithmetic(Arithmetic::Multiply, pair),
        "/" => arithmetic(Arithmetic::Divide, pair),
        "%" => arithmetic(Arithmetic::Modulo, pair),
        "^" => arithmetic(Arithmetic::Power, pair),
        "==" => comparison(Comparison::Equal, pair),
        "~=" => comparison(Comparison::NotEqual, pair),
        "<" => comparison(Comparison::Less, pair),
        "<=" => comparison(Comparison::LessOrEqual, pair),
        ">" => comparison(Comparison::Greater, pair),
        _ => comparison(Comparison::GreaterOrEqual, pair),
    }
}
