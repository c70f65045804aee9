//! Where the scanner stands in a text, and what is there.

/// A place in a text. Lines and columns count from 0, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// Characters before it in the whole text.
    pub(crate) index: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Reads a text forward. What lies beyond its end reads as [`END`], which no text has.
pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    pub(super) mark: Mark,
}

/// What is read at the end of the text.
pub(super) const END: u8 = 0;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            mark: Mark::default(),
        }
    }

    /// The byte here. Everything that means something to YAML is a single byte.
    pub(super) fn byte(&self) -> u8 {
        self.ahead(0)
    }

    /// The byte so many bytes ahead.
    pub(super) fn ahead(&self, count: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.offset + count)
            .copied()
            .unwrap_or(END)
    }

    /// Whether the bytes from here on are these.
    pub(super) fn at(&self, text: &str) -> bool {
        self.text
            .as_bytes()
            .get(self.offset..)
            .is_some_and(|rest| rest.starts_with(text.as_bytes()))
    }

    /// Passes over one character.
    pub(super) fn skip(&mut self) {
        self.take();
    }

    /// Passes over one character and returns it.
    pub(super) fn take(&mut self) -> &'a str {
        let rest = self.text.get(self.offset..).unwrap_or_default();
        let width = rest.chars().next().map_or(0, char::len_utf8);
        self.offset += width;
        self.mark.index += 1;
        self.mark.column += 1;
        rest.get(..width).unwrap_or_default()
    }

    /// Passes over one character and adds it to a text.
    pub(super) fn read(&mut self, to: &mut String) {
        to.push_str(self.take());
    }

    /// Passes over a line break, where one is here.
    pub(super) fn skip_break(&mut self) {
        let width = match (self.byte(), self.ahead(1)) {
            (b'\r', b'\n') => 2,
            (b'\r' | b'\n', _) => 1,
            _ => return,
        };
        self.offset += width;
        self.mark.index += width;
        self.mark.line += 1;
        self.mark.column = 0;
    }

    /// Passes over a line break and adds it, as `\n`, to a text.
    pub(super) fn read_break(&mut self, to: &mut String) {
        if is_break(self.byte()) {
            to.push('\n');
            self.skip_break();
        }
    }

    /// Passes over spaces and tabs.
    pub(super) fn skip_blanks(&mut self) {
        while is_blank(self.byte()) {
            self.skip();
        }
    }

    /// Passes over a comment up to its line's end, where one begins here.
    pub(super) fn skip_comment(&mut self) {
        if self.byte() == b'#' {
            while !ends_line(self.byte()) {
                self.skip();
            }
        }
    }

    /// Whether a line begins here that is `---` or `...`, alone or before a blank.
    pub(super) fn is_document_mark(&self) -> bool {
        self.mark.column == 0 && (self.at("---") || self.at("...")) && ends_word(self.ahead(3))
    }
}

pub(super) fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A line break, or the end of the text.
pub(super) fn ends_line(byte: u8) -> bool {
    is_break(byte) || byte == END
}

/// A blank, a line break, or the end of the text.
pub(super) fn ends_word(byte: u8) -> bool {
    is_blank(byte) || ends_line(byte)
}

/// What the names of anchors, tag handles and directives are made of.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
