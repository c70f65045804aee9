//! Plain, quoted and block texts.

use super::cursor::{END, ends_line, ends_word, is_blank, is_break};
use super::scanner::Scanner;
use super::token::{Fault, Token};

/// Blanks and line breaks between two pieces of a text, until it is known what becomes of them: a single break is a space,
/// of several all but the first stay.
#[derive(Default)]
struct Gap {
    blanks: String,
    first_break: String,
    more_breaks: String,
    broken: bool,
}

impl Gap {
    fn is_empty(&self) -> bool {
        !self.broken && self.blanks.is_empty()
    }

    /// What it is in the text; empty afterwards.
    fn close(&mut self, text: &mut String) {
        if !self.broken {
            text.push_str(&self.blanks);
        } else if self.first_break.is_empty() {
            text.push_str(&self.more_breaks);
        } else if self.more_breaks.is_empty() {
            text.push(' ');
        } else {
            text.push_str(&self.more_breaks);
        }
        *self = Self::default();
    }
}

impl Scanner<'_> {
    /// Blanks and breaks up to the next character of a text. `indent` is the column up to which a tab may not indent.
    fn gap(&mut self, gap: &mut Gap, indent: Option<isize>) -> Result<(), Fault> {
        loop {
            let byte = self.cursor.byte();
            if is_blank(byte) {
                let column = isize::try_from(self.cursor.mark.column).unwrap_or(isize::MAX);
                if gap.broken && byte == b'\t' && indent.is_some_and(|indent| column < indent) {
                    return Fault::new("a tab cannot indent; write spaces", self.cursor.mark);
                }
                match gap.broken {
                    true => self.cursor.skip(),
                    false => self.cursor.read(&mut gap.blanks),
                }
            } else if is_break(byte) {
                match gap.broken {
                    true => self.cursor.read_break(&mut gap.more_breaks),
                    false => {
                        gap.blanks.clear();
                        self.cursor.read_break(&mut gap.first_break);
                        gap.broken = true;
                    }
                }
            } else {
                return Ok(());
            }
        }
    }

    pub(super) fn plain(&mut self) -> Result<(), Fault> {
        let mark = self.cursor.mark;
        let indent = self.indent + 1;
        let mut text = String::new();
        let mut gap = Gap::default();
        loop {
            if self.cursor.is_document_mark() || self.cursor.byte() == b'#' {
                break;
            }
            while !ends_word(self.cursor.byte()) && !self.ends_plain() {
                if !gap.is_empty() {
                    gap.close(&mut text);
                }
                self.cursor.read(&mut text);
            }
            if !is_blank(self.cursor.byte()) && !is_break(self.cursor.byte()) {
                break;
            }
            self.gap(&mut gap, Some(indent))?;
            let column = isize::try_from(self.cursor.mark.column).unwrap_or(isize::MAX);
            if self.flow == 0 && column < indent {
                break;
            }
        }
        self.push(Token::Scalar { text, plain: true }, mark);
        if gap.broken {
            self.key_allowed = true;
        }
        Ok(())
    }

    /// Whether the character here ends a plain word although it is no blank. Within brackets a colon does so only before a
    /// blank, as everywhere else: `[a:, b]` has two words.
    fn ends_plain(&self) -> bool {
        match self.cursor.byte() {
            b':' => ends_word(self.cursor.ahead(1)),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow > 0,
            _ => false,
        }
    }

    pub(super) fn quoted(&mut self) -> Result<(), Fault> {
        let mark = self.cursor.mark;
        let quote = self.cursor.byte();
        self.cursor.skip();
        let mut text = String::new();
        loop {
            if self.cursor.is_document_mark() {
                return Fault::new(
                    "the quoted text that begins here does not end before the document does",
                    mark,
                );
            }
            if self.cursor.byte() == END {
                return Fault::new("the quoted text that begins here does not end", mark);
            }
            let mut gap = Gap::default();
            while !ends_word(self.cursor.byte()) {
                match (self.cursor.byte(), self.cursor.ahead(1)) {
                    (b'\'', b'\'') if quote == b'\'' => {
                        text.push('\'');
                        self.cursor.skip();
                        self.cursor.skip();
                    }
                    (byte, _) if byte == quote => break,
                    (b'\\', next) if quote == b'"' && is_break(next) => {
                        // The line goes on in the next one, without a space.
                        self.cursor.skip();
                        self.cursor.skip_break();
                        gap.broken = true;
                        break;
                    }
                    (b'\\', _) if quote == b'"' => self.escape(&mut text)?,
                    _ => self.cursor.read(&mut text),
                }
            }
            if self.cursor.byte() == quote {
                break;
            }
            self.gap(&mut gap, None)?;
            gap.close(&mut text);
        }
        self.cursor.skip();
        self.push(Token::Scalar { text, plain: false }, mark);
        Ok(())
    }

    /// What a backslash and the character behind it stand for.
    fn escape(&mut self, text: &mut String) -> Result<(), Fault> {
        let mark = self.cursor.mark;
        let (character, digits) = match self.cursor.ahead(1) {
            b'0' => ('\0', 0),
            b'a' => ('\u{7}', 0),
            b'b' => ('\u{8}', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\u{b}', 0),
            b'f' => ('\u{c}', 0),
            b'r' => ('\r', 0),
            b'e' => ('\u{1b}', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            b'/' => {
                let reason = "`\\/` is an escape of JSON that `kubectl` does not know in YAML; write `/`";
                return Fault::new(reason, mark);
            }
            _ => {
                return Fault::new(
                    "no such escape in double quotes; write `\\\\` for a backslash",
                    mark,
                );
            }
        };
        self.cursor.skip();
        self.cursor.skip();
        if digits == 0 {
            text.push(character);
            return Ok(());
        }
        let mut code = 0u32;
        for _ in 0..digits {
            let Some(digit) = char::from(self.cursor.byte()).to_digit(16) else {
                return Fault::new("the escape wants more hexadecimal digits", mark);
            };
            code = code.saturating_mul(16).saturating_add(digit);
            self.cursor.skip();
        }
        let Some(character) = char::from_u32(code) else {
            let reason = "the escape is no character; two halves of one, as JSON has them, are written `\\U` and eight digits";
            return Fault::new(reason, mark);
        };
        text.push(character);
        Ok(())
    }

    pub(super) fn block_scalar(&mut self) -> Result<(), Fault> {
        let mark = self.cursor.mark;
        let literal = self.cursor.byte() == b'|';
        self.cursor.skip();
        let (chomp, given) = self.block_header()?;
        self.end_line("only an indentation, `+`, `-` or a comment can follow `|` and `>`")?;
        let mut indent = match usize::try_from(self.indent) {
            _ if given == 0 => 0,
            Ok(around) => around + given,
            Err(_) => given,
        };
        let mut text = String::new();
        let mut last_break = String::new();
        let mut breaks = String::new();
        let mut was_blank = false;
        self.block_breaks(&mut indent, &mut breaks)?;
        while self.cursor.mark.column == indent && self.cursor.byte() != END {
            let is_blank_line = is_blank(self.cursor.byte());
            if !literal && !was_blank && !is_blank_line && !last_break.is_empty() {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&last_break);
            }
            last_break.clear();
            text.push_str(&breaks);
            breaks.clear();
            was_blank = is_blank_line;
            while !ends_line(self.cursor.byte()) {
                self.cursor.read(&mut text);
            }
            self.cursor.read_break(&mut last_break);
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomp != Some(b'-') {
            text.push_str(&last_break);
        }
        if chomp == Some(b'+') {
            text.push_str(&breaks);
        }
        self.push(Token::Scalar { text, plain: false }, mark);
        Ok(())
    }

    /// `+` or `-`, and the indentation, 0 where none is given; in either order.
    fn block_header(&mut self) -> Result<(Option<u8>, usize), Fault> {
        let mut chomp = None;
        let mut indent = 0;
        for _ in 0..2 {
            match self.cursor.byte() {
                sign @ (b'+' | b'-') if chomp.is_none() => chomp = Some(sign),
                b'0' if indent == 0 => return Fault::new("an indentation of 0 is none", self.cursor.mark),
                digit @ b'1'..=b'9' if indent == 0 => indent = usize::from(digit - b'0'),
                _ => break,
            }
            self.cursor.skip();
        }
        Ok((chomp, indent))
    }

    /// Passes over the indentation and empty lines before a line of a block text. Where the indentation is not known yet, it
    /// is that of the deepest line up to the first with text.
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Result<(), Fault> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.byte() == b' ' {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.mark.column);
            if (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.byte() == b'\t' {
                return Fault::new(
                    "a tab cannot indent a block of text; write spaces",
                    self.cursor.mark,
                );
            }
            if !is_break(self.cursor.byte()) {
                break;
            }
            self.cursor.read_break(breaks);
        }
        if *indent == 0 {
            let least = usize::try_from(self.indent + 1).unwrap_or(0).max(1);
            *indent = deepest.max(least);
        }
        Ok(())
    }
}
