//! Text into tokens.

use crate::Mistake;

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Name(String),
    /// Without a sign.
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// The longest name. To compare names is no step of its own.
const NAME: usize = 256;

/// Longer ones first.
const SIGNS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "<", ">", "+", "-",
    "*", "/", "%", "!", "=",
];

/// All tokens, [`Kind::End`] last.
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Mistake> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let kind = lexer.token()?;
        let is_last = kind == Kind::End;
        tokens.push(Token { at, kind });
        if is_last {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn skip_while(&mut self, is_part: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        while self.peek().is_some_and(&is_part) {
            self.next();
        }
        self.source.get(start..self.at).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        loop {
            self.skip_while(|letter| matches!(letter, ' ' | '\t' | '\r' | '\n' | '\u{c}'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.skip_while(|letter| letter != '\n');
        }
    }

    fn mistake<T>(&self, at: usize, message: impl Into<String>) -> Result<T, Mistake> {
        Err(Mistake::at(self.source, at, message))
    }

    fn token(&mut self) -> Result<Kind, Mistake> {
        let at = self.at;
        let Some(first) = self.peek() else {
            return Ok(Kind::End);
        };
        if let Some(prefix) = self.quote_prefix() {
            return self.quoted(prefix);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self
                .skip_while(|letter| letter.is_ascii_alphanumeric() || letter == '_')
                .to_owned();
            return match name.len() > NAME {
                true => self.mistake(at, format!("the name has more than {NAME} letters")),
                false => Ok(Kind::Name(name)),
            };
        }
        let second = self.rest().as_bytes().get(1);
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(u8::is_ascii_digit)) {
            return self.number();
        }
        let sign = SIGNS.into_iter().find(|sign| self.rest().starts_with(sign));
        match sign {
            Some("=") => self.mistake(at, "`=` is no operator; `==` compares"),
            Some(sign) => {
                self.at += sign.len();
                Ok(Kind::Sign(sign))
            }
            None => self.mistake(at, format!("`{}` has no meaning here", first.escape_debug())),
        }
    }

    fn number(&mut self) -> Result<Kind, Mistake> {
        let at = self.at;
        if self.rest().starts_with("0x") {
            self.at += 2;
            let digits = self.skip_while(|letter| letter.is_ascii_hexdigit()).to_owned();
            return self.integer(at, u64::from_str_radix(&digits, 16));
        }
        self.skip_while(|letter| letter.is_ascii_digit());
        let rest = self.rest().as_bytes();
        let has_fraction = rest.first() == Some(&b'.') && rest.get(1).is_some_and(u8::is_ascii_digit);
        if has_fraction {
            self.at += 1;
            self.skip_while(|letter| letter.is_ascii_digit());
        }
        let has_exponent = self.exponent();
        let text = self.source.get(at..self.at).unwrap_or_default();
        if has_fraction || has_exponent {
            return match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Kind::Double(number)),
                _ => self.mistake(at, "the number is too large"),
            };
        }
        let parsed = text.parse();
        self.integer(at, parsed)
    }

    fn exponent(&mut self) -> bool {
        let rest = self.rest().as_bytes();
        if !matches!(rest.first(), Some(b'e' | b'E')) {
            return false;
        }
        let sign = usize::from(matches!(rest.get(1), Some(b'+' | b'-')));
        if !rest.get(1 + sign).is_some_and(u8::is_ascii_digit) {
            return false;
        }
        self.at += 1 + sign;
        self.skip_while(|letter| letter.is_ascii_digit());
        true
    }

    fn integer(&mut self, at: usize, parsed: Result<u64, std::num::ParseIntError>) -> Result<Kind, Mistake> {
        let Ok(integer) = parsed else {
            return self.mistake(at, "it is no whole number that fits into 64 bits");
        };
        if matches!(self.peek(), Some('u' | 'U')) {
            self.next();
            return Ok(Kind::Uint(integer));
        }
        Ok(Kind::Int(integer))
    }

    /// What comes before a quotation mark: nothing, `r`, `b`, or `br`.
    fn quote_prefix(&self) -> Option<(usize, bool, bool)> {
        let rest = self.rest().as_bytes();
        let is = |at: usize, letter: u8| {
            rest.get(at)
                .is_some_and(|byte| byte.eq_ignore_ascii_case(&letter))
        };
        let is_bytes = is(0, b'b');
        let is_raw = is(usize::from(is_bytes), b'r');
        let length = usize::from(is_bytes) + usize::from(is_raw);
        matches!(rest.get(length), Some(b'"' | b'\'')).then_some((length, is_bytes, is_raw))
    }

    fn quoted(&mut self, (length, is_bytes, is_raw): (usize, bool, bool)) -> Result<Kind, Mistake> {
        let start = self.at;
        self.at += length;
        let mark = self.next().unwrap_or_default();
        let triple: String = [mark; 2].into_iter().collect();
        let is_long = self.rest().starts_with(&triple);
        let end: String = if is_long {
            self.at += 2;
            [mark; 3].into_iter().collect()
        } else {
            mark.into()
        };
        let mut bytes = Vec::new();
        loop {
            if self.rest().starts_with(&end) {
                self.at += end.len();
                break;
            }
            let at = self.at;
            match self.next() {
                None => return self.mistake(start, "the text does not end"),
                Some('\n' | '\r') if !is_long => {
                    return self.mistake(start, "the text does not end on its line");
                }
                Some('\\') if is_raw => bytes.push(b'\\'),
                Some('\\') => match self.escape(is_bytes) {
                    Some(Escape::Letter(letter)) => push(&mut bytes, letter),
                    Some(Escape::Byte(byte)) => bytes.push(byte),
                    None => return self.mistake(at, "there is no such escape"),
                },
                Some('\r') if self.peek() == Some('\n') => {}
                Some('\r') => bytes.push(b'\n'),
                Some(letter) => push(&mut bytes, letter),
            }
        }
        if is_bytes {
            return Ok(Kind::Bytes(bytes));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Kind::Text(text)),
            Err(_) => self.mistake(start, "the text is no Unicode"),
        }
    }

    fn escape(&mut self, is_bytes: bool) -> Option<Escape> {
        let letter = self.next()?;
        let plain = match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '?' | '"' | '\'' | '`' => letter,
            'x' | 'X' => return self.code(2, 16, is_bytes),
            'u' if !is_bytes => return self.code(4, 16, false),
            'U' if !is_bytes => return self.code(8, 16, false),
            '0'..='3' => {
                self.at -= 1;
                return self.code(3, 8, is_bytes);
            }
            _ => return None,
        };
        Some(Escape::Letter(plain))
    }

    fn code(&mut self, digits: usize, radix: u32, is_byte: bool) -> Option<Escape> {
        let text = self.rest().get(..digits)?;
        if !text.chars().all(|digit| digit.is_digit(radix)) {
            return None;
        }
        let code = u32::from_str_radix(text, radix).ok()?;
        self.at += digits;
        match is_byte {
            true => u8::try_from(code).ok().map(Escape::Byte),
            false => char::from_u32(code).map(Escape::Letter),
        }
    }
}

/// What an escape stands for.
enum Escape {
    Letter(char),
    Byte(u8),
}

fn push(bytes: &mut Vec<u8>, letter: char) {
    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}
