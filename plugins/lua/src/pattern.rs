//! Patterns: parsed once, then matched. Every comparison is a step, and what backtracks goes only so deep.

/// How deep a match may go: captures, `?`, and what follows a repetition.
const DEPTH: u32 = 180;

/// A match.
#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) captures: Vec<Capture>,
}

/// What parentheses took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// The bytes from a place to another.
    Text(usize, usize),
    /// `()`: the place, from 1.
    Position(usize),
    /// Not closed yet; where it starts.
    Open(usize),
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The pattern does not go with the text.
    Pattern(&'static str),
    /// It took more steps than were left.
    Steps,
}

type Found<T> = Result<T, Failure>;

/// A pattern that was parsed.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    /// It starts with `^`: it matches where the search begins, or nowhere.
    pub(crate) is_anchored: bool,
    rules: Vec<Rule>,
}

/// One thing after the other that has to be there.
#[derive(Debug)]
enum Rule {
    One(Class),
    /// `*`, `+`, `-` or `?` of a class.
    Repeat(Class, u8),
    Open,
    Close,
    Position,
    /// `%bxy`; what is missing of it is nowhere.
    Balanced(Option<u8>, Option<u8>),
    /// `%1`: what a capture took, once more.
    Again(usize),
    /// `$`.
    End,
}

/// Which bytes fit.
#[derive(Debug)]
enum Class {
    Any,
    Byte(u8),
    /// `%a`; nothing fits a `%` that nothing follows.
    Letter(Option<u8>),
    /// `[a-z]`, and whether it is all others.
    Set(Vec<Class>, bool),
    Range(u8, u8),
    None,
}

impl Class {
    fn fits(&self, byte: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Byte(wanted) => byte == *wanted,
            Self::Letter(letter) => letter.is_some_and(|letter| is_of(byte, letter)),
            Self::Set(classes, is_other) => classes.iter().any(|class| class.fits(byte)) != *is_other,
            Self::Range(first, last) => (*first..=*last).contains(&byte),
            Self::None => false,
        }
    }
}

impl Pattern {
    /// An error is worded as gopher-lua words it, with the place of the byte that was read last.
    pub(crate) fn parse(source: &[u8]) -> Result<Self, String> {
        let (is_anchored, at) = match source.first() {
            Some(b'^') => (true, 1),
            _ => (false, 0),
        };
        let mut parser = Parser { source, at };
        let mut rules = Vec::new();
        let mut open = 0;
        while let Some(byte) = parser.next() {
            let rule = match byte {
                b'(' if parser.peek() == Some(b')') => {
                    parser.at += 1;
                    Rule::Position
                }
                b'(' => {
                    open += 1;
                    Rule::Open
                }
                b')' if open == 0 => {
                    return Err(format!("invalid ')' at {}", parser.at.saturating_sub(2)));
                }
                b')' => {
                    open -= 1;
                    Rule::Close
                }
                b'%' => match parser.peek() {
                    Some(b'0') => return Err(format!("invalid capture index at {}", parser.at - 1)),
                    Some(digit @ b'1'..=b'9') => {
                        parser.at += 1;
                        Rule::Again(usize::from(digit - b'1'))
                    }
                    Some(b'b') => {
                        parser.at += 1;
                        Rule::Balanced(parser.next(), parser.next())
                    }
                    _ => Rule::One(Class::Letter(parser.next())),
                },
                b'.' => Rule::One(Class::Any),
                b'[' => Rule::One(parser.set()?),
                b'$' if open == 0 && parser.peek().is_none() => Rule::End,
                b'*' | b'+' | b'-' | b'?' => match rules.pop() {
                    Some(Rule::One(class)) => Rule::Repeat(class, byte),
                    before => {
                        rules.extend(before);
                        Rule::One(Class::Byte(byte))
                    }
                },
                byte => Rule::One(Class::Byte(byte)),
            };
            rules.push(rule);
        }
        match open {
            0 => Ok(Self { is_anchored, rules }),
            _ => Err("unfinished capture at EOS".to_owned()),
        }
    }

    /// The first match at or after a place, and how many steps it took.
    pub(crate) fn find(&self, text: &[u8], from: usize, most_steps: u64) -> (Found<Option<Match>>, u64) {
        let mut matcher = Matcher {
            text,
            rules: &self.rules,
            captures: Vec::new(),
            steps: 0,
            most_steps,
            depth: 0,
        };
        let found = matcher.first(from, self.is_anchored);
        (found, matcher.steps)
    }
}

struct Parser<'a> {
    source: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    /// What is between brackets. What is first is no end and no range.
    fn set(&mut self) -> Result<Class, String> {
        let is_other = self.peek() == Some(b'^');
        self.at += usize::from(is_other);
        let mut classes = Vec::new();
        let mut is_range = false;
        loop {
            let Some(byte) = self.peek() else {
                return Err(match self.at > self.source.len() {
                    true => "unexpected EOS at EOS".to_owned(),
                    false => format!("unexpected EOS at {}", self.at - 1),
                });
            };
            self.at += 1;
            let class = match byte {
                b']' if !classes.is_empty() => break,
                b'-' if !classes.is_empty() => {
                    is_range = true;
                    continue;
                }
                b'%' => Class::Letter(self.next()),
                byte => Class::Byte(byte),
            };
            let class = match (is_range, classes.pop(), class) {
                (true, Some(Class::Byte(first)), Class::Byte(last)) => Class::Range(first, last),
                // From or to what is no letter there is no range.
                (true, _, _) => Class::None,
                (false, before, class) => {
                    classes.extend(before);
                    class
                }
            };
            classes.push(class);
            is_range = false;
        }
        if is_range {
            classes.push(Class::Byte(b'-'));
        }
        Ok(Class::Set(classes, is_other))
    }
}

struct Matcher<'a> {
    text: &'a [u8],
    rules: &'a [Rule],
    captures: Vec<Capture>,
    steps: u64,
    most_steps: u64,
    depth: u32,
}

impl Matcher<'_> {
    fn first(&mut self, from: usize, is_anchored: bool) -> Found<Option<Match>> {
        for start in from..=self.text.len() {
            self.captures.clear();
            self.depth = 0;
            if let Some(end) = self.go(start, 0)? {
                let captures = std::mem::take(&mut self.captures);
                return Ok(Some(Match { start, end, captures }));
            }
            if is_anchored {
                break;
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Found<()> {
        self.steps += 1;
        match self.steps > self.most_steps {
            true => Err(Failure::Steps),
            false => Ok(()),
        }
    }

    fn fits(&self, at: usize, class: &Class) -> bool {
        self.text.get(at).is_some_and(|byte| class.fits(*byte))
    }

    /// Where the text ends that the rules from one on match from a place on.
    fn go(&mut self, mut at: usize, mut rule: usize) -> Found<Option<usize>> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Failure::Pattern("pattern too complex"));
        }
        let rules = self.rules;
        let end = loop {
            self.step()?;
            let Some(this) = rules.get(rule) else {
                break Some(at);
            };
            rule += 1;
            match this {
                Rule::One(class) if self.fits(at, class) => at += 1,
                Rule::One(_) => break None,
                Rule::End if at == self.text.len() => {}
                Rule::End => break None,
                Rule::Position => break self.capture(Capture::Position(at + 1), at, rule)?,
                Rule::Open => break self.capture(Capture::Open(at), at, rule)?,
                Rule::Close => break self.close(at, rule)?,
                Rule::Balanced(open, close) => match self.balanced(at, *open, *close)? {
                    Some(end) => at = end,
                    None => break None,
                },
                Rule::Again(index) => match self.again(at, *index)? {
                    Some(end) => at = end,
                    None => break None,
                },
                Rule::Repeat(class, b'?') => {
                    if self.fits(at, class)
                        && let end @ Some(_) = self.go(at + 1, rule)?
                    {
                        break end;
                    }
                }
                Rule::Repeat(class, b'-') => break self.fewest(at, class, rule)?,
                Rule::Repeat(class, repeat) => {
                    break self.most(at, class, usize::from(*repeat == b'+'), rule)?;
                }
            }
        };
        self.depth -= 1;
        Ok(end)
    }

    fn capture(&mut self, capture: Capture, at: usize, rule: usize) -> Found<Option<usize>> {
        let before = self.captures.len();
        self.captures.push(capture);
        let end = self.go(at, rule)?;
        if end.is_none() {
            self.captures.truncate(before);
        }
        Ok(end)
    }

    fn close(&mut self, at: usize, rule: usize) -> Found<Option<usize>> {
        let open = self
            .captures
            .iter()
            .rposition(|capture| matches!(capture, Capture::Open(_)));
        let Some(index) = open else {
            return Err(Failure::Pattern("invalid pattern capture"));
        };
        let before = self.captures[index];
        if let Capture::Open(start) = before {
            self.captures[index] = Capture::Text(start, at);
        }
        let end = self.go(at, rule)?;
        if end.is_none() {
            self.captures[index] = before;
        }
        Ok(end)
    }

    fn balanced(&mut self, at: usize, open: Option<u8>, close: Option<u8>) -> Found<Option<usize>> {
        if open.is_none() || self.text.get(at).copied() != open {
            return Ok(None);
        }
        let mut depth = 1;
        for end in at + 1..self.text.len() {
            self.step()?;
            match Some(self.text[end]) {
                byte if byte == close => depth -= 1,
                byte if byte == open => depth += 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(Some(end + 1));
            }
        }
        Ok(None)
    }

    fn again(&mut self, at: usize, index: usize) -> Found<Option<usize>> {
        let (start, end) = match self.captures.get(index) {
            Some(Capture::Text(start, end)) => (*start, *end),
            Some(Capture::Position(_)) => return Ok(Some(at)),
            _ => return Err(Failure::Pattern("invalid capture index")),
        };
        self.steps += (end - start) as u64 / 16;
        let is_there = self.text[at..].starts_with(&self.text[start..end]);
        Ok(is_there.then(|| at + end - start))
    }

    /// As many as there are, then fewer.
    fn most(&mut self, at: usize, class: &Class, least: usize, rule: usize) -> Found<Option<usize>> {
        let mut most = at;
        while self.fits(most, class) {
            self.step()?;
            most += 1;
        }
        for end in (at + least..=most).rev() {
            if let end @ Some(_) = self.go(end, rule)? {
                return Ok(end);
            }
        }
        Ok(None)
    }

    /// As few as will do.
    fn fewest(&mut self, mut at: usize, class: &Class, rule: usize) -> Found<Option<usize>> {
        loop {
            if let end @ Some(_) = self.go(at, rule)? {
                return Ok(end);
            }
            if !self.fits(at, class) {
                return Ok(None);
            }
            at += 1;
        }
    }
}

/// Whether a byte is of a class such as `%a`; of the others if the letter is a capital.
fn is_of(byte: u8, class: u8) -> bool {
    let is_of = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 11,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is_of != class.is_ascii_uppercase()
}
