//! From bytes to tokens.

use std::borrow::Cow;

use crate::number;
use crate::value::Text;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    End,
    Name(Text),
    Text(Text),
    Number(f64),
    /// A word of the language, or an operator.
    Sign(&'static str),
}

/// Where a token is, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Where it starts.
    pub(crate) line: u32,
    /// Of its last byte, which is what gopher-lua names.
    last: (u32, u32),
    /// Its bytes; no script has more than fit.
    start: u32,
    end: u32,
}

const WORDS: [&str; 22] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];
/// The longer ones first.
const SIGNS: [&str; 27] = [
    "...", "..", "==", "~=", "<=", ">=", "::", ".", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(",
    ")", "{", "}", "[", "]", ";", ":", ",",
];

/// An error at a place.
fn error((line, column): (u32, u32), near: &str, message: &str) -> String {
    format!("line:{line}(column:{column}) near '{near}':   {message}\n")
}

/// Carriage returns end lines too, alone or beside a line feed.
fn with_one_kind_of_line_end(source: &[u8]) -> Cow<'_, [u8]> {
    if !source.contains(&b'\r') {
        return Cow::Borrowed(source);
    }
    let mut text = Vec::with_capacity(source.len());
    let mut rest = source;
    while let [first, after @ ..] = rest {
        rest = match (first, after.first()) {
            (b'\r', Some(b'\n')) | (b'\n', Some(b'\r')) => after.get(1..).unwrap_or_default(),
            _ => after,
        };
        text.push(if *first == b'\r' { b'\n' } else { *first });
    }
    Cow::Owned(text)
}

/// Reads tokens one by one.
pub(crate) struct Lexer<'a> {
    source: Cow<'a, [u8]>,
    at: usize,
    line: u32,
    line_start: usize,
    /// Where the last token is.
    pub(crate) place: Place,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a [u8]) -> Self {
        let mut lexer = Self {
            source: with_one_kind_of_line_end(source),
            at: 0,
            line: 1,
            line_start: 0,
            place: Place::default(),
        };
        if source.first() == Some(&b'#') {
            lexer.skip_line();
        }
        lexer
    }

    /// The bytes of a token.
    pub(crate) fn bytes(&self, place: Place) -> &[u8] {
        self.source
            .get(place.start as usize..place.end as usize)
            .unwrap_or_default()
    }

    /// The next token; an error says where and what.
    pub(crate) fn next(&mut self) -> Result<Token, String> {
        self.skip_blank()?;
        (self.place.line, self.place.start) = (self.line, self.at as u32);
        let token = self.token()?;
        (self.place.last, self.place.end) = (self.here(), self.at as u32);
        Ok(token)
    }

    fn token(&mut self) -> Result<Token, String> {
        let Some(first) = self.peek(0) else {
            return Ok(Token::End);
        };
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Ok(self.name()),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
            b'"' | b'\'' => self.quoted(first),
            b'[' if matches!(self.peek(1), Some(b'[' | b'=')) => Ok(Token::Text(self.long()?.into())),
            _ => {
                let rest = self.source.get(self.at..).unwrap_or_default();
                let begins = |sign: &&&str| {
                    sign.as_bytes().first() == Some(&first) && rest.starts_with(sign.as_bytes())
                };
                let sign = SIGNS.iter().find(begins);
                self.at += sign.map_or(1, |sign| sign.len());
                match (sign, first) {
                    (Some(sign), _) => Ok(Token::Sign(sign)),
                    (None, b'~') => Err(self.error("~", "Invalid '~' token")),
                    (None, _) => Err(self.error(&char::from(first).to_string(), "Invalid token")),
                }
            }
        }
    }

    /// The line and the column of the byte that was read last.
    fn here(&self) -> (u32, u32) {
        let column = self.at.saturating_sub(self.line_start);
        (self.line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    fn error(&self, near: &str, message: &str) -> String {
        error(self.here(), near, message)
    }

    /// An error at a token.
    pub(crate) fn error_at(&self, place: Place, near: &str, message: &str) -> String {
        error(place.last, near, message)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn new_line(&mut self) {
        self.line = self.line.saturating_add(1);
        self.line_start = self.at;
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    /// Passes blanks and comments.
    fn skip_blank(&mut self) -> Result<(), String> {
        loop {
            match self.peek(0) {
                Some(b'\n') => {
                    self.at += 1;
                    self.new_line();
                }
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'-') if self.peek(1) == Some(b'-') => {
                    self.at += 2;
                    match (self.peek(0), self.peek(1)) {
                        (Some(b'['), Some(b'[' | b'=')) => {
                            if self.long().is_err() {
                                return Err(match self.at < self.source.len() {
                                    true => self.error("", "invalid multiline comment"),
                                    false => "at EOF:   invalid multiline comment\n".to_owned(),
                                });
                            }
                        }
                        _ => self.skip_line(),
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn name(&mut self) -> Token {
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            self.at += 1;
        }
        let word = self.source.get(start..self.at).unwrap_or_default();
        let known = WORDS.iter().find(|known| known.as_bytes() == word);
        known.map_or_else(|| Token::Name(word.into()), |known| Token::Sign(known))
    }

    fn number(&mut self) -> Result<Token, String> {
        if self.peek(0) == Some(b'0') && matches!(self.peek(1), Some(b'x' | b'X')) {
            let start = self.at;
            self.at += 2;
            while self.peek(0).is_some_and(|byte| byte.is_ascii_hexdigit()) {
                self.at += 1;
            }
            return match self.at - start {
                2 => Err(self.error(&self.since(start), "illegal hexadecimal number")),
                _ => Ok(self.number_since(start)),
            };
        }
        // One zero before other digits is passed over; with a second one it is octal.
        let has_zero = self.peek(0) == Some(b'0') && self.peek(1).is_some_and(|byte| byte.is_ascii_digit());
        let start = self.at + usize::from(has_zero);
        self.digits();
        if self.peek(0) == Some(b'.') {
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(0), Some(b'+' | b'-')) {
                self.at += 1;
            }
            // Whatever comes next is taken for a digit.
            self.at += usize::from(self.at < self.source.len());
            self.digits();
        }
        Ok(self.number_since(start))
    }

    fn since(&self, start: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.source.get(start..self.at).unwrap_or_default())
    }

    /// What looks like a number and is none is `NaN`.
    fn number_since(&self, start: usize) -> Token {
        let number = number::read(self.source.get(start..self.at).unwrap_or_default());
        Token::Number(number.unwrap_or(f64::NAN))
    }

    fn digits(&mut self) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// A text in long brackets.
    fn long(&mut self) -> Result<Vec<u8>, String> {
        self.at += 1;
        let signs = self.at;
        while self.peek(0) == Some(b'=') {
            self.at += 1;
        }
        let level = self.at - signs;
        let opening = self.peek(0);
        self.at += 1;
        match opening {
            Some(b'[') => {}
            Some(other) => return Err(self.error(&char::from(other).to_string(), "invalid multiline string")),
            None => return Err("at EOF:   invalid multiline string\n".to_owned()),
        }
        if self.peek(0) == Some(b'\n') {
            self.at += 1;
            self.new_line();
        }
        let start = self.at;
        let end = [b"]".as_slice(), &vec![b'='; level], b"]"].concat();
        while let Some(rest) = self.source.get(self.at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(&end) {
                let text = self.source.get(start..self.at).unwrap_or_default().to_vec();
                self.at += end.len();
                return Ok(text);
            }
            let is_end = rest.first() == Some(&b'\n');
            self.at += 1;
            if is_end {
                self.new_line();
            }
        }
        Err("at EOF:   unterminated multiline string\n".to_owned())
    }

    fn quoted(&mut self, quote: u8) -> Result<Token, String> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let Some(byte) = self.peek(0) else {
                return Err("at EOF:   unterminated string\n".to_owned());
            };
            self.at += 1;
            match byte {
                byte if byte == quote => return Ok(Token::Text(text.into())),
                b'\n' => {
                    self.new_line();
                    return Err(self.error(&String::from_utf8_lossy(&text), "unterminated string"));
                }
                b'\\' => self.escape(&mut text),
                byte => text.push(byte),
            }
        }
    }

    /// What follows a backslash. What is no escape stays as it is, without the backslash.
    fn escape(&mut self, text: &mut Vec<u8>) {
        let Some(byte) = self.peek(0) else { return };
        self.at += 1;
        match byte {
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'v' => text.push(11),
            b'\n' => {
                self.new_line();
                text.push(b'\n');
            }
            b'0'..=b'9' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    if let Some(digit @ b'0'..=b'9') = self.peek(0) {
                        code = code * 10 + u32::from(digit - b'0');
                        self.at += 1;
                    }
                }
                text.push(code as u8);
            }
            byte => text.push(byte),
        }
    }
}
