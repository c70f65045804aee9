//! Anchors, aliases and tags.

use super::cursor::{Mark, ends_word, is_word};
use super::scanner::Scanner;
use super::token::{Fault, Token};

impl Scanner<'_> {
    pub(super) fn anchor(&mut self) -> Result<(), Fault> {
        let mark = self.cursor.mark;
        let is_alias = self.cursor.byte() == b'*';
        self.cursor.skip();
        let name = self.word();
        let next = self.cursor.byte();
        if name.is_empty() || !(ends_word(next) || b"?:,]}%@`".contains(&next)) {
            let reason = match is_alias {
                true => "`*` begins an alias, and no name of one follows; quote text that begins so",
                false => "`&` begins an anchor, and no name of one follows; quote text that begins so",
            };
            return Fault::new(reason, mark);
        }
        let token = if is_alias {
            Token::Alias(name)
        } else {
            Token::Anchor(name)
        };
        self.push(token, mark);
        Ok(())
    }

    pub(super) fn tag(&mut self) -> Result<(), Fault> {
        let mark = self.cursor.mark;
        let (handle, suffix) = if self.cursor.ahead(1) == b'<' {
            self.cursor.skip();
            self.cursor.skip();
            let suffix = self.uri(String::new(), false, mark)?;
            if self.cursor.byte() != b'>' {
                return Fault::new("the tag that begins here does not end with `>`", mark);
            }
            self.cursor.skip();
            (String::new(), suffix)
        } else {
            let handle = self.handle();
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.uri(String::new(), false, mark)?;
                (handle, suffix)
            } else {
                let suffix = self.uri(handle.get(1..).unwrap_or_default().to_owned(), true, mark)?;
                match suffix.is_empty() {
                    true => (String::new(), "!".to_owned()),
                    false => ("!".to_owned(), suffix),
                }
            }
        };
        if !ends_word(self.cursor.byte()) {
            return Fault::new(
                "a space has to follow a tag; quote text that begins with `!`",
                mark,
            );
        }
        self.push(Token::Tag { handle, suffix }, mark);
        Ok(())
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while is_word(self.cursor.byte()) {
            self.cursor.read(&mut word);
        }
        word
    }

    /// `!`, `!word` or `!word!`.
    fn handle(&mut self) -> String {
        let mut handle = String::new();
        self.cursor.read(&mut handle);
        handle.push_str(&self.word());
        if self.cursor.byte() == b'!' {
            self.cursor.read(&mut handle);
        }
        handle
    }

    /// The characters of a tag, added to those that were read already.
    fn uri(&mut self, mut uri: String, may_be_empty: bool, mark: Mark) -> Result<String, Fault> {
        let before = uri.len();
        loop {
            match self.cursor.byte() {
                b'%' => self.octets(&mut uri, mark)?,
                byte if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) => self.cursor.read(&mut uri),
                _ if uri.len() == before && !may_be_empty => {
                    return Fault::new("a tag has no name; quote text that begins with `!`", mark);
                }
                _ => return Ok(uri),
            }
        }
    }

    /// One character that is written as `%XX` for each of its bytes.
    fn octets(&mut self, uri: &mut String, mark: Mark) -> Result<(), Fault> {
        let fault = || Fault::new("an escape in a tag is no UTF-8", mark);
        let mut bytes = Vec::new();
        let mut wanted = 1;
        while bytes.len() < wanted {
            let digit = |at| char::from(self.cursor.ahead(at)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.cursor.byte(), digit(1), digit(2)) else {
                return fault();
            };
            let byte = u8::try_from(high * 16 + low).unwrap_or_default();
            if bytes.is_empty() {
                wanted = match byte {
                    0..=0x7f => 1,
                    0xc0..=0xdf => 2,
                    0xe0..=0xef => 3,
                    0xf0..=0xf7 => 4,
                    _ => return fault(),
                };
            }
            bytes.push(byte);
            for _ in 0..3 {
                self.cursor.skip();
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => uri.push_str(&text),
            Err(_) => return fault(),
        }
        Ok(())
    }
}
