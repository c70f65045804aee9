//! Patterns. Every comparison is a step, and what backtracks goes only so deep.

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
    /// The pattern is none.
    Pattern(&'static str),
    /// It took more steps than were left.
    Steps,
}

type Found<T> = Result<T, Failure>;

/// The first match at or after a place, and how many steps it took.
pub(crate) fn find(text: &[u8], pattern: &[u8], from: usize, most_steps: u64) -> (Found<Option<Match>>, u64) {
    let (is_anchored, pattern) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut matcher = Matcher {
        text,
        pattern,
        captures: Vec::new(),
        steps: 0,
        most_steps,
        depth: 0,
    };
    let found = matcher.first(from, is_anchored);
    (found, matcher.steps)
}

struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
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
                if self
                    .captures
                    .iter()
                    .any(|capture| matches!(capture, Capture::Open(_)))
                {
                    return Err(Failure::Pattern("unfinished capture"));
                }
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

    /// Where the text ends that the rest of the pattern matches from a place on.
    fn go(&mut self, mut at: usize, mut rule: usize) -> Found<Option<usize>> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Failure::Pattern("pattern too complex"));
        }
        let end = loop {
            self.step()?;
            let Some(&first) = self.pattern.get(rule) else {
                break Some(at);
            };
            let second = self.pattern.get(rule + 1).copied();
            match (first, second) {
                (b'(', second) => break self.open(at, rule, second == Some(b')'))?,
                (b')', _) => break self.close(at, rule)?,
                (b'$', None) => break (at == self.text.len()).then_some(at),
                (b'%', Some(b'b')) => match self.balanced(at, rule)? {
                    Some(end) => (at, rule) = (end, rule + 4),
                    None => break None,
                },
                (b'%', Some(digit @ b'0'..=b'9')) => match self.again(at, digit)? {
                    Some(end) => (at, rule) = (end, rule + 2),
                    None => break None,
                },
                _ => match self.item(at, rule)? {
                    Item::Next(next, after) => (at, rule) = (next, after),
                    Item::Done(end) => break end,
                },
            }
        };
        self.depth -= 1;
        Ok(end)
    }

    fn open(&mut self, at: usize, rule: usize, is_position: bool) -> Found<Option<usize>> {
        let (capture, length) = match is_position {
            true => (Capture::Position(at + 1), 2),
            false => (Capture::Open(at), 1),
        };
        self.captures.push(capture);
        let count = self.captures.len();
        let end = self.go(at, rule + length)?;
        if end.is_none() {
            self.captures.truncate(count - 1);
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
        let end = self.go(at, rule + 1)?;
        if end.is_none() {
            self.captures[index] = before;
        }
        Ok(end)
    }

    /// `%bxy`.
    fn balanced(&mut self, at: usize, rule: usize) -> Found<Option<usize>> {
        let (Some(&open), Some(&close)) = (self.pattern.get(rule + 2), self.pattern.get(rule + 3)) else {
            return Err(Failure::Pattern("missing arguments to '%b'"));
        };
        if self.text.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for end in at + 1..self.text.len() {
            self.step()?;
            match self.text[end] {
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

    /// `%1`: what a capture took, once more.
    fn again(&mut self, at: usize, digit: u8) -> Found<Option<usize>> {
        let index = usize::from(digit - b'0').wrapping_sub(1);
        let Some(Capture::Text(start, end)) = self.captures.get(index).copied() else {
            return Err(Failure::Pattern("invalid capture index"));
        };
        self.steps += (end - start) as u64 / 16;
        let is_there = self.text[at..].starts_with(&self.text[start..end]);
        Ok(is_there.then(|| at + end - start))
    }

    /// A letter, a class or a set, and how often it may be there.
    fn item(&mut self, mut at: usize, rule: usize) -> Found<Item> {
        let Some(after) = self.item_end(rule) else {
            return Err(Failure::Pattern("malformed pattern"));
        };
        match self.pattern.get(after) {
            Some(b'?') => {
                if self.fits(at, rule, after)
                    && let end @ Some(_) = self.go(at + 1, after + 1)?
                {
                    return Ok(Item::Done(end));
                }
                Ok(Item::Next(at, after + 1))
            }
            Some(repeat @ (b'*' | b'+')) => {
                let least = at + usize::from(*repeat == b'+');
                let mut most = at;
                while self.fits(most, rule, after) {
                    self.step()?;
                    most += 1;
                }
                while most >= least {
                    if let end @ Some(_) = self.go(most, after + 1)? {
                        return Ok(Item::Done(end));
                    }
                    let Some(fewer) = most.checked_sub(1) else { break };
                    most = fewer;
                }
                Ok(Item::Done(None))
            }
            Some(b'-') => loop {
                if let end @ Some(_) = self.go(at, after + 1)? {
                    return Ok(Item::Done(end));
                }
                if !self.fits(at, rule, after) {
                    return Ok(Item::Done(None));
                }
                at += 1;
            },
            _ => Ok(match self.fits(at, rule, after) {
                true => Item::Next(at + 1, after),
                false => Item::Done(None),
            }),
        }
    }

    /// Where an item of the pattern ends; none if it does not.
    fn item_end(&self, rule: usize) -> Option<usize> {
        match *self.pattern.get(rule)? {
            b'%' => self.pattern.get(rule + 1).map(|_| rule + 2),
            b'[' => {
                let mut at = rule + 1;
                if self.pattern.get(at) == Some(&b'^') {
                    at += 1;
                }
                loop {
                    // The first one may be `]` itself.
                    at += if *self.pattern.get(at)? == b'%' { 2 } else { 1 };
                    if self.pattern.get(at) == Some(&b']') {
                        return Some(at + 1);
                    }
                }
            }
            _ => Some(rule + 1),
        }
    }

    /// Whether the byte at a place fits an item.
    fn fits(&self, at: usize, rule: usize, after: usize) -> bool {
        let Some(&byte) = self.text.get(at) else {
            return false;
        };
        match &self.pattern[rule..after] {
            [b'.'] => true,
            [b'%', class] => is_of(byte, *class),
            [b'[', b'^', set @ .., b']'] => !in_set(byte, set),
            [b'[', set @ .., b']'] => in_set(byte, set),
            item => item == [byte],
        }
    }
}

enum Item {
    /// Goes on here, with this rule.
    Next(usize, usize),
    /// The whole rest is decided.
    Done(Option<usize>),
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

fn in_set(byte: u8, mut set: &[u8]) -> bool {
    loop {
        set = match set {
            [] => return false,
            [b'%', class, rest @ ..] => {
                if is_of(byte, *class) {
                    return true;
                }
                rest
            }
            [first, b'-', last, rest @ ..] => {
                if (*first..=*last).contains(&byte) {
                    return true;
                }
                rest
            }
            [one, rest @ ..] => {
                if *one == byte {
                    return true;
                }
                rest
            }
        };
    }
}
