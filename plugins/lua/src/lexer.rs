//! From bytes to tokens.

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
    pub(crate) line: u32,
    /// Of its last letter for a name, as gopher-lua counts; of its first one else.
    pub(crate) column: u32,
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

/// Reads tokens one by one.
pub(crate) struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
    /// Where the last token is.
    pub(crate) place: Place,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a [u8]) -> Self {
        let mut lexer = Self {
            source,
            at: 0,
            line: 1,
            line_start: 0,
            place: Place { line: 1, column: 1 },
        };
        if source.first() == Some(&b'#') {
            lexer.skip_line();
        }
        lexer
    }

    /// The next token; an error says where and what.
    pub(crate) fn next(&mut self) -> Result<Token, String> {
        self.skip_blank()?;
        let Some(&first) = self.source.get(self.at) else {
            self.place = self.here();
            return Ok(Token::End);
        };
        self.place = self.here();
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Ok(self.name()),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
            b'"' | b'\'' => self.quoted(first),
            b'[' if self.level().is_some() => {
                let level = self.level().unwrap_or(0);
                Ok(Token::Text(self.long(level)?.into()))
            }
            _ => {
                let rest = self.source.get(self.at..).unwrap_or_default();
                let sign = SIGNS.iter().find(|sign| rest.starts_with(sign.as_bytes()));
                match sign {
                    Some(sign) => {
                        self.at += sign.len();
                        Ok(Token::Sign(sign))
                    }
                    None => Err(self.error(&char::from(first).to_string(), "Invalid token")),
                }
            }
        }
    }

    fn here(&self) -> Place {
        let column = self.at.saturating_sub(self.line_start).saturating_add(1);
        Place {
            line: self.line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    fn error(&self, near: &str, message: &str) -> String {
        let Place { line, column } = self.place;
        format!("line:{line}(column:{column}) near '{near}':   {message}\n")
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
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'-') if self.peek(1) == Some(b'-') => {
                    self.at += 2;
                    match (self.peek(0), self.level()) {
                        (Some(b'['), Some(level)) => drop(self.long(level)?),
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
        self.place.column = self.here().column.saturating_sub(1);
        let known = WORDS.iter().find(|known| known.as_bytes() == word);
        known.map_or_else(|| Token::Name(word.into()), |known| Token::Sign(known))
    }

    fn number(&mut self) -> Result<Token, String> {
        let start = self.at;
        let is_hexadecimal = self.peek(0) == Some(b'0') && matches!(self.peek(1), Some(b'x' | b'X'));
        if is_hexadecimal {
            self.at += 2;
            while self.peek(0).is_some_and(|byte| byte.is_ascii_hexdigit()) {
                self.at += 1;
            }
        } else {
            self.digits();
            if self.peek(0) == Some(b'.') && self.peek(1) != Some(b'.') {
                self.at += 1;
                self.digits();
            }
            if matches!(self.peek(0), Some(b'e' | b'E')) {
                self.at += 1;
                if matches!(self.peek(0), Some(b'+' | b'-')) {
                    self.at += 1;
                }
                self.digits();
            }
        }
        let word = self.source.get(start..self.at).unwrap_or_default();
        let word = std::str::from_utf8(word).unwrap_or_default();
        let number = match is_hexadecimal {
            true => word
                .get(2..)
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .map(|number| number as f64),
            false => word.parse().ok(),
        };
        number
            .map(Token::Number)
            .ok_or_else(|| self.error(word, "malformed number"))
    }

    fn digits(&mut self) {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// How many `=` a long bracket has; none where this is no such bracket.
    fn level(&self) -> Option<usize> {
        let mut end = self.at + 1;
        while self.source.get(end) == Some(&b'=') {
            end += 1;
        }
        (self.source.get(end) == Some(&b'[')).then(|| end - self.at - 1)
    }

    /// A text in long brackets.
    fn long(&mut self, level: usize) -> Result<Vec<u8>, String> {
        self.at += level + 2;
        if self.peek(0) == Some(b'\r') {
            self.at += 1;
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
            self.at += 1;
            if rest.first() == Some(&b'\n') {
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
                b'\n' => return Err(self.error(&String::from_utf8_lossy(&text), "unterminated string")),
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
