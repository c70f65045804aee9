//! Text to tokens.
//!
//! A key is known as one only when its colon comes. Until then its place is remembered for every level of brackets, and tokens
//! are held back; when the colon comes, a [`Token::Key`] is put in front of it.

use std::collections::{BTreeMap, VecDeque};

use super::cursor::{Cursor, END, Mark, ends_line, ends_word, is_break};
use super::token::{Fault, Placed, Token};

/// A key before its colon may be so many characters away from it, in the same line.
const LONGEST_KEY: usize = 1024;
/// Brackets, and indentations, within each other. What builds nodes has a limit of its own, which is lower.
const DEPTH: usize = 10_000;

/// Takes a text apart.
pub(crate) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    tokens: VecDeque<Placed>,
    /// How many tokens were given away.
    taken: usize,
    /// The column of the block that is open; -1 before any.
    pub(super) indent: isize,
    /// Those of the blocks around it.
    indents: Vec<isize>,
    /// How many brackets are open.
    pub(super) flow: usize,
    /// Whether a key without `?` may begin here.
    pub(super) key_allowed: bool,
    /// What may turn out to be a key: one for each open bracket, and one outside of them.
    keys: Vec<PossibleKey>,
    /// Which of them begins at the token of this number.
    keys_by_token: BTreeMap<usize, usize>,
}

#[derive(Clone, Copy)]
struct PossibleKey {
    possible: bool,
    /// In a block, at its very column, nothing but a key may stand.
    required: bool,
    token: usize,
    mark: Mark,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            flow: 0,
            key_allowed: true,
            keys: vec![PossibleKey {
                possible: false,
                required: false,
                token: 0,
                mark: Mark::default(),
            }],
            keys_by_token: BTreeMap::new(),
        }
    }

    /// The next token, which stays. After [`Token::StreamEnd`] there is none.
    pub(crate) fn peek(&mut self) -> Result<&Placed, Fault> {
        while self.needs_more()? {
            self.fetch()?;
        }
        let mark = self.cursor.mark;
        self.tokens.front().ok_or(Fault {
            reason: "the text ends here",
            mark,
        })
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Placed, Fault> {
        let next = self.peek()?.clone();
        self.tokens.pop_front();
        self.taken += 1;
        Ok(next)
    }

    /// Whether the first token cannot be given away yet: there is none, or it may be a key's.
    fn needs_more(&mut self) -> Result<bool, Fault> {
        if self.tokens.is_empty() {
            return Ok(true);
        }
        match self.keys_by_token.get(&self.taken) {
            Some(&key) => self.is_still_possible(key),
            None => Ok(false),
        }
    }

    fn fetch(&mut self) -> Result<(), Fault> {
        self.skip_to_token();
        let column = self.column();
        self.close_blocks(column);
        let cursor = &self.cursor;
        let (byte, next) = (cursor.byte(), cursor.ahead(1));
        let in_flow = self.flow > 0;
        if byte == END {
            return self.stream_end();
        }
        if cursor.mark.column == 0 && byte == b'%' {
            return Fault::new(NO_DIRECTIVE, cursor.mark);
        }
        if cursor.is_document_mark() {
            return self.document_mark(byte);
        }
        match byte {
            b'[' => self.open(Token::FlowSequenceStart),
            b'{' => self.open(Token::FlowMappingStart),
            b']' => self.close(Token::FlowSequenceEnd),
            b'}' => self.close(Token::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if ends_word(next) => self.block_entry(),
            b'?' if in_flow || ends_word(next) => self.key(),
            b':' if in_flow || ends_word(next) => self.value(),
            b'*' | b'&' => self.part_of_key(Self::anchor),
            b'!' => self.part_of_key(Self::tag),
            b'|' | b'>' if !in_flow => self.block_scalar_token(),
            b'\'' | b'"' => self.part_of_key(Self::quoted),
            b'-' | b'?' | b':' => self.part_of_key(Self::plain),
            b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b'\t' => Fault::new(begins_nothing(byte), cursor.mark),
            _ => self.part_of_key(Self::plain),
        }
    }

    /// Passes over blanks, comments and line breaks. Where a key may begin, a tab is no blank.
    fn skip_to_token(&mut self) {
        loop {
            let tabs = self.flow > 0 || !self.key_allowed;
            while self.cursor.byte() == b' ' || (tabs && self.cursor.byte() == b'\t') {
                self.cursor.skip();
            }
            self.cursor.skip_comment();
            if !is_break(self.cursor.byte()) {
                return;
            }
            self.cursor.skip_break();
            if self.flow == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn column(&self) -> isize {
        isize::try_from(self.cursor.mark.column).unwrap_or(isize::MAX)
    }

    pub(super) fn push(&mut self, token: Token, mark: Mark) {
        self.tokens.push_back(Placed { token, mark });
    }

    /// Puts a token in front of the one of this number, if that was not given away yet; otherwise at the end.
    fn insert(&mut self, number: usize, token: Token, mark: Mark) {
        match number.checked_sub(self.taken) {
            Some(place) if place <= self.tokens.len() => self.tokens.insert(place, Placed { token, mark }),
            Some(_) | None => self.push(token, mark),
        }
    }

    /// Adds a token that is one character.
    fn indicator(&mut self, token: Token) {
        let mark = self.cursor.mark;
        self.cursor.skip();
        self.push(token, mark);
    }

    /// Opens a block at a column that is further in, in front of the token of this number.
    fn open_block(&mut self, mark: Mark, before: Option<usize>, token: Token) -> Result<(), Fault> {
        let column = isize::try_from(mark.column).unwrap_or(isize::MAX);
        if self.flow > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > DEPTH {
            return Fault::new("maps and lists are nested too deeply", mark);
        }
        match before {
            Some(number) => self.insert(number, token, mark),
            None => self.push(token, mark),
        }
        Ok(())
    }

    /// Closes the blocks that are further in than this column.
    fn close_blocks(&mut self, column: isize) {
        while self.flow == 0 && self.indent > column {
            self.push(Token::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn is_still_possible(&mut self, key: usize) -> Result<bool, Fault> {
        let now = self.cursor.mark;
        let Some(key) = self.keys.get_mut(key).filter(|key| key.possible) else {
            return Ok(false);
        };
        if key.mark.line < now.line || key.mark.index + LONGEST_KEY < now.index {
            if key.required {
                return Fault::new(NO_COLON, key.mark);
            }
            key.possible = false;
        }
        Ok(key.possible)
    }

    /// Remembers that a key may begin here.
    fn may_be_key(&mut self) -> Result<(), Fault> {
        if !self.key_allowed {
            return Ok(());
        }
        let key = PossibleKey {
            possible: true,
            required: self.flow == 0 && self.indent == self.column(),
            token: self.taken + self.tokens.len(),
            mark: self.cursor.mark,
        };
        self.is_no_key()?;
        let last = self.keys.len().saturating_sub(1);
        if let Some(slot) = self.keys.get_mut(last) {
            *slot = key;
            self.keys_by_token.insert(key.token, last);
        }
        Ok(())
    }

    /// What might have been a key on this level is none.
    fn is_no_key(&mut self) -> Result<(), Fault> {
        let Some(key) = self.keys.last_mut().filter(|key| key.possible) else {
            return Ok(());
        };
        if key.required {
            return Fault::new(NO_COLON, key.mark);
        }
        key.possible = false;
        self.keys_by_token.remove(&key.token);
        Ok(())
    }

    /// Something that a key may begin with, and after which none begins.
    fn part_of_key(&mut self, scan: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.may_be_key()?;
        self.key_allowed = false;
        scan(self)
    }

    fn stream_end(&mut self) -> Result<(), Fault> {
        if self.cursor.mark.column != 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.close_blocks(-1);
        self.is_no_key()?;
        self.key_allowed = false;
        self.push(Token::StreamEnd, self.cursor.mark);
        Ok(())
    }

    fn document_mark(&mut self, byte: u8) -> Result<(), Fault> {
        self.close_blocks(-1);
        self.is_no_key()?;
        self.key_allowed = false;
        let mark = self.cursor.mark;
        for _ in 0..3 {
            self.cursor.skip();
        }
        let token = match byte {
            b'-' => Token::DocumentStart,
            _ => Token::DocumentEnd,
        };
        self.push(token, mark);
        Ok(())
    }

    fn open(&mut self, token: Token) -> Result<(), Fault> {
        self.may_be_key()?;
        self.keys.push(PossibleKey {
            possible: false,
            required: false,
            token: self.taken + self.tokens.len(),
            mark: self.cursor.mark,
        });
        self.flow += 1;
        if self.flow > DEPTH {
            return Fault::new("brackets are nested too deeply", self.cursor.mark);
        }
        self.key_allowed = true;
        self.indicator(token);
        Ok(())
    }

    fn close(&mut self, token: Token) -> Result<(), Fault> {
        self.is_no_key()?;
        if self.flow > 0 {
            self.flow -= 1;
            if let Some(key) = self.keys.pop() {
                self.keys_by_token.remove(&key.token);
            }
        }
        self.key_allowed = false;
        self.indicator(token);
        Ok(())
    }

    fn flow_entry(&mut self) -> Result<(), Fault> {
        self.is_no_key()?;
        self.key_allowed = true;
        self.indicator(Token::FlowEntry);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Fault> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Fault::new("a list cannot begin here", self.cursor.mark);
            }
            self.open_block(self.cursor.mark, None, Token::BlockSequenceStart)?;
        }
        self.is_no_key()?;
        self.key_allowed = true;
        self.indicator(Token::BlockEntry);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Fault::new("a key cannot begin here", self.cursor.mark);
            }
            self.open_block(self.cursor.mark, None, Token::BlockMappingStart)?;
        }
        self.is_no_key()?;
        self.key_allowed = self.flow == 0;
        self.indicator(Token::Key);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Fault> {
        let last = self.keys.len().saturating_sub(1);
        let possible = self.is_still_possible(last)?;
        match self.keys.get(last).copied().filter(|_| possible) {
            Some(key) => {
                self.insert(key.token, Token::Key, key.mark);
                self.open_block(key.mark, Some(key.token), Token::BlockMappingStart)?;
                if let Some(key) = self.keys.get_mut(last) {
                    key.possible = false;
                }
                self.keys_by_token.remove(&key.token);
                self.key_allowed = false;
            }
            None => {
                if self.flow == 0 {
                    if !self.key_allowed {
                        let reason = "a `: ` here makes a key of what is before it, and no key can be there; quote text that has one";
                        return Fault::new(reason, self.cursor.mark);
                    }
                    self.open_block(self.cursor.mark, None, Token::BlockMappingStart)?;
                }
                self.key_allowed = self.flow == 0;
            }
        }
        self.indicator(Token::Value);
        Ok(())
    }

    fn block_scalar_token(&mut self) -> Result<(), Fault> {
        self.is_no_key()?;
        self.key_allowed = true;
        self.block_scalar()
    }

    /// Ends a line that has nothing more but blanks and a comment.
    pub(super) fn end_line(&mut self, reason: &'static str) -> Result<(), Fault> {
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !ends_line(self.cursor.byte()) {
            return Fault::new(reason, self.cursor.mark);
        }
        self.cursor.skip_break();
        Ok(())
    }
}

const NO_COLON: &str = "this line is no `key: value`, and nothing else can stand at this indentation";

const NO_DIRECTIVE: &str = "a line that begins with `%` is a directive, and `kubectl` reads none in manifests; leave it out, or quote the text";

fn begins_nothing(byte: u8) -> &'static str {
    match byte {
        b'\t' => "a tab cannot indent; write spaces",
        b'@' => "`@` begins nothing in YAML; quote the text",
        b'`' => "a backtick begins nothing in YAML; quote the text",
        b'%' => "`%` begins nothing in YAML; quote the text",
        b'#' => "`#` begins nothing here",
        _ => "`|` and `>` cannot begin a text within brackets; quote it",
    }
}
