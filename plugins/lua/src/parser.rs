//! From a script to its tree. Statements are here, expressions in `expressions`.

use std::borrow::Cow;
use std::rc::Rc;

use crate::lexer::{Lexer, Place, Token};
use crate::paths::Paths;
use crate::scope::{self, Function};
use crate::tree::{Block, Expression, Prototype, Statement};
use crate::value::Text;

/// How deep blocks and expressions may be nested: parser and walker go as deep on the machine's stack.
const DEPTH: u32 = 150;
/// The largest script.
const SOURCE_BYTES: usize = 1 << 20;

/// A script that was parsed.
#[derive(Debug, Clone)]
pub struct Script {
    pub(crate) name: Rc<str>,
    pub(crate) main: Rc<Prototype>,
}

impl Script {
    /// Parses a script; `name` stands in messages of errors. An error says where and what, as gopher-lua words it.
    pub fn parse(name: &str, source: &[u8]) -> Result<Self, String> {
        Ok(Self {
            name: name.into(),
            main: parse(name, source)?,
        })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the script names a global.
    pub fn names(&self, global: &str) -> bool {
        self.reads(global) != Paths::Some(Vec::new())
    }

    /// What the script may read of a global: so that no more of it has to be fetched.
    pub fn reads(&self, global: &str) -> Paths {
        Paths::of(&self.main, global)
    }
}

/// Parses a chunk.
pub(crate) fn parse(name: &str, source: &[u8]) -> Result<Rc<Prototype>, String> {
    if source.len() > SOURCE_BYTES {
        return Err(format!(
            "{name}: the script has {} bytes; at most {SOURCE_BYTES} are taken",
            source.len()
        ));
    }
    let mut parser = Parser {
        lexer: Lexer::new(source),
        token: Token::End,
        place: Place::default(),
        ahead: None,
        functions: vec![Function::new(true, 0)],
        depth: 0,
        name,
    };
    parser.bump()?;
    let body = parser.block()?;
    if parser.token != Token::End {
        return parser.fail("syntax error");
    }
    let function = parser.close_function()?;
    Ok(Rc::new(function.close(body, 0)))
}

pub(crate) struct Parser<'a> {
    lexer: Lexer<'a>,
    pub(crate) token: Token,
    place: Place,
    ahead: Option<(Token, Place)>,
    pub(crate) functions: Vec<Function>,
    depth: u32,
    name: &'a str,
}

pub(crate) type Parsed<T> = Result<T, String>;

impl Parser<'_> {
    /// An error at the token that comes next.
    pub(crate) fn fail<T>(&self, message: &str) -> Parsed<T> {
        let near = match &self.token {
            Token::End => return Err(format!("{} at EOF:   {message}\n", self.name)),
            Token::Name(text) | Token::Text(text) => String::from_utf8_lossy(text),
            Token::Number(_) => String::from_utf8_lossy(self.lexer.bytes(self.place)),
            // The one sign that it does not name.
            Token::Sign(".") => Cow::Borrowed(""),
            Token::Sign(sign) => Cow::Borrowed(*sign),
        };
        let error = self.lexer.error_at(self.place, &near, message);
        Err(format!("{} {error}", self.name))
    }

    /// An error of what the grammar allows.
    pub(crate) fn refuse<T>(&self, line: u32, message: &str) -> Parsed<T> {
        Err(format!(
            "compile error near line({line}) {}: {message}",
            self.name
        ))
    }

    pub(crate) fn line(&self) -> u32 {
        self.place.line
    }

    /// Goes on by one token; gives the one that was next.
    pub(crate) fn bump(&mut self) -> Parsed<Token> {
        let (token, place) = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.lex()?,
        };
        self.place = place;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn lex(&mut self) -> Parsed<(Token, Place)> {
        match self.lexer.next() {
            Ok(token) => Ok((token, self.lexer.place)),
            Err(error) => Err(format!("{} {error}", self.name)),
        }
    }

    /// The token after the next one.
    pub(crate) fn peek(&mut self) -> Parsed<&Token> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lex()?);
        }
        Ok(self.ahead.as_ref().map_or(&Token::End, |(token, _)| token))
    }

    pub(crate) fn is(&self, sign: &str) -> bool {
        matches!(&self.token, Token::Sign(next) if *next == sign)
    }

    pub(crate) fn eat(&mut self, sign: &str) -> Parsed<bool> {
        let is_next = self.is(sign);
        if is_next {
            self.bump()?;
        }
        Ok(is_next)
    }

    pub(crate) fn want(&mut self, sign: &str) -> Parsed<()> {
        match self.eat(sign)? {
            true => Ok(()),
            false => self.fail("syntax error"),
        }
    }

    pub(crate) fn identifier(&mut self) -> Parsed<Text> {
        match &self.token {
            Token::Name(name) => {
                let name = name.clone();
                self.bump()?;
                Ok(name)
            }
            _ => self.fail("syntax error"),
        }
    }

    /// The function that is being parsed.
    pub(crate) fn function(&mut self) -> &mut Function {
        if self.functions.is_empty() {
            self.functions.push(Function::new(true, 0));
        }
        let last = self.functions.len() - 1;
        &mut self.functions[last]
    }

    /// Ends the function that is being parsed: no jump of it is left without its label.
    pub(crate) fn close_function(&mut self) -> Parsed<Function> {
        let function = self.functions.pop().unwrap_or_else(|| Function::new(true, 0));
        match function.jumps.first() {
            Some((label, line)) => {
                let label = String::from_utf8_lossy(label);
                let message = format!("no visible label '{label}' for <goto> at line {line}");
                self.refuse(self.line().saturating_add(1), &message)
            }
            None => Ok(function),
        }
    }

    /// Goes one level deeper; [`Parser::higher`] comes back.
    pub(crate) fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        let depth = self.depth;
        let function = self.function();
        function.nesting = function.nesting.max(depth.saturating_sub(function.depth));
        match depth > DEPTH {
            true => self.fail("it is nested too deeply"),
            false => Ok(()),
        }
    }

    pub(crate) fn higher(&mut self) {
        self.depth -= 1;
    }

    /// Starts a function inside this one.
    pub(crate) fn open_function(&mut self) {
        let depth = self.depth;
        self.functions.push(Function::new(false, depth));
    }

    pub(crate) fn declare(&mut self, name: Text) -> Parsed<u32> {
        match self.function().declare(name) {
            Some(slot) => Ok(slot),
            None => self.fail("too many local variables"),
        }
    }

    fn declare_all(&mut self, names: Vec<Text>) -> Parsed<(u32, u32)> {
        let count = names.len() as u32;
        let mut first = 0;
        for (index, name) in names.into_iter().enumerate() {
            let slot = self.declare(name)?;
            if index == 0 {
                first = slot;
            }
        }
        Ok((first, count))
    }

    pub(crate) fn name(&mut self, name: Text, line: u32) -> Expression {
        scope::lookup(&mut self.functions, &name).unwrap_or(Expression::Global(name, line))
    }

    /// Statements up to what ends a block; its locals are out of sight then.
    pub(crate) fn block(&mut self) -> Parsed<Block> {
        let mark = self.function().locals.len();
        let block = self.open_block()?;
        self.function().locals.truncate(mark);
        Ok(block)
    }

    /// As [`Parser::block`], but its locals stay in sight.
    fn open_block(&mut self) -> Parsed<Block> {
        self.deeper()?;
        let first_jump = self.function().jumps.len();
        let mut block = Block::default();
        while !self.at_end_of_block() {
            if self.eat(";")? {
                continue;
            }
            if self.eat("::")? {
                let label = self.identifier()?;
                self.want("::")?;
                block.labels.push((label, block.body.len()));
                continue;
            }
            let statement = self.statement()?;
            let is_last = matches!(statement, Statement::Return(_) | Statement::Break);
            block.body.push(statement);
            if is_last {
                self.eat(";")?;
                if !self.at_end_of_block() {
                    return self.fail("syntax error");
                }
            }
        }
        let mut jumps = self.function().jumps.split_off(first_jump);
        jumps.retain(|(target, _)| !block.labels.iter().any(|(label, _)| label == target));
        self.function().jumps.append(&mut jumps);
        self.higher();
        Ok(block)
    }

    fn at_end_of_block(&self) -> bool {
        matches!(
            self.token,
            Token::End | Token::Sign("end" | "else" | "elseif" | "until")
        )
    }

    pub(crate) fn block_to_end(&mut self) -> Parsed<Block> {
        let block = self.block()?;
        self.want("end")?;
        Ok(block)
    }

    fn loop_body(&mut self) -> Parsed<Block> {
        self.want("do")?;
        self.function().loops += 1;
        let block = self.block_to_end()?;
        self.function().loops -= 1;
        Ok(block)
    }

    fn statement(&mut self) -> Parsed<Statement> {
        let line = self.line();
        let Token::Sign(sign) = self.token else {
            return self.assignment_or_call(line);
        };
        match sign {
            "if" => self.conditional(),
            "while" => {
                self.bump()?;
                let condition = self.expression()?;
                Ok(Statement::While(condition, self.loop_body()?, line))
            }
            "do" => {
                self.bump()?;
                Ok(Statement::Do(self.block_to_end()?))
            }
            "repeat" => self.repeat(line),
            "for" => self.counted_or_iterated(line),
            "function" => self.named_function(line),
            "local" => self.local(),
            "return" => {
                self.bump()?;
                let is_bare = self.at_end_of_block() || self.is(";");
                Ok(Statement::Return(if is_bare {
                    Vec::new()
                } else {
                    self.expressions()?
                }))
            }
            "break" => {
                self.bump()?;
                match self.function().loops {
                    0 => self.refuse(line, "no loop to break"),
                    _ => Ok(Statement::Break),
                }
            }
            "goto" => {
                self.bump()?;
                let label = self.identifier()?;
                self.function().jumps.push((label.clone(), line));
                Ok(Statement::Goto(label, line))
            }
            _ => self.assignment_or_call(line),
        }
    }

    fn conditional(&mut self) -> Parsed<Statement> {
        self.bump()?;
        let mut arms = vec![self.arm()?];
        loop {
            if self.eat("elseif")? {
                arms.push(self.arm()?);
            } else if self.eat("else")? {
                return Ok(Statement::If(arms, Some(self.block_to_end()?)));
            } else {
                self.want("end")?;
                return Ok(Statement::If(arms, None));
            }
        }
    }

    fn arm(&mut self) -> Parsed<(Expression, Block)> {
        let condition = self.expression()?;
        self.want("then")?;
        Ok((condition, self.block()?))
    }

    /// The condition sees the locals of the body.
    fn repeat(&mut self, line: u32) -> Parsed<Statement> {
        self.bump()?;
        let mark = self.function().locals.len();
        self.function().loops += 1;
        let block = self.open_block()?;
        self.function().loops -= 1;
        self.want("until")?;
        let condition = self.expression()?;
        self.function().locals.truncate(mark);
        Ok(Statement::Repeat(block, condition, line))
    }

    fn counted_or_iterated(&mut self, line: u32) -> Parsed<Statement> {
        self.bump()?;
        let mark = self.function().locals.len();
        let mut names = vec![self.identifier()?];
        let statement = if self.eat("=")? {
            let start = self.expression()?;
            self.want(",")?;
            let end = self.expression()?;
            let step = match self.eat(",")? {
                true => self.expression()?,
                false => Expression::Number(1.0),
            };
            let (slot, _) = self.declare_all(names)?;
            Statement::For(slot, Box::new([start, end, step]), self.loop_body()?, line)
        } else {
            while self.eat(",")? {
                names.push(self.identifier()?);
            }
            self.want("in")?;
            let iterator = self.expressions()?;
            let (first, count) = self.declare_all(names)?;
            Statement::ForIn(first, count, iterator, self.loop_body()?, line)
        };
        self.function().locals.truncate(mark);
        Ok(statement)
    }

    /// `function a.b:c() … end`.
    fn named_function(&mut self, line: u32) -> Parsed<Statement> {
        self.bump()?;
        let name = self.identifier()?;
        let mut target = self.name(name, line);
        let mut is_method = false;
        while !is_method && (self.is(".") || self.is(":")) {
            is_method = self.is(":");
            self.bump()?;
            let line = self.line();
            let key = Expression::Text(self.identifier()?);
            target = Expression::Index(Box::new((target, key)), line);
        }
        let function = Expression::Function(self.function_body(is_method)?);
        Ok(Statement::Assign(vec![target], vec![function], line))
    }

    fn local(&mut self) -> Parsed<Statement> {
        self.bump()?;
        if self.eat("function")? {
            let name = self.identifier()?;
            let slot = self.declare(name)?;
            return Ok(Statement::LocalFunction(slot, self.function_body(false)?));
        }
        let mut names = vec![self.identifier()?];
        while self.eat(",")? {
            names.push(self.identifier()?);
        }
        let has_values = self.eat("=")?;
        // A function sees the local that it is given to, as if `local function` were written.
        if let ([name], true) = (names.as_slice(), has_values && self.is("function")) {
            let slot = self.declare(name.clone())?;
            self.bump()?;
            return Ok(Statement::LocalFunction(slot, self.function_body(false)?));
        }
        let values = if has_values {
            self.expressions()?
        } else {
            Vec::new()
        };
        let (first, count) = self.declare_all(names)?;
        Ok(Statement::Local(first, count, values))
    }

    fn assignment_or_call(&mut self, line: u32) -> Parsed<Statement> {
        let first = self.suffixed()?;
        if !self.is("=") && !self.is(",") {
            return match first {
                Expression::Call(_) | Expression::Method(_) => Ok(Statement::Call(first)),
                _ => self.fail("parse error"),
            };
        }
        let mut targets = Vec::new();
        let mut target = first;
        loop {
            if !matches!(
                target,
                Expression::Local(_)
                    | Expression::Upvalue(_)
                    | Expression::Global(..)
                    | Expression::Index(..)
            ) {
                return self.fail("syntax error");
            }
            targets.push(target);
            if !self.eat(",")? {
                break;
            }
            target = self.suffixed()?;
        }
        self.want("=")?;
        Ok(Statement::Assign(targets, self.expressions()?, line))
    }
}
