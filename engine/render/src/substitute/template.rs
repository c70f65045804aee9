//! Texts with variables, as Flux expands them after a build: `${name}` and what a shell can do with one.
//!
//! The language is that of `fluxcd/pkg/envsubst`, with its quirks, because manifests are written for it: `:+` gives the value where there
//! is one, `${name-default}` is no expression, a `$` is escaped by another one in the text and in replacements, and nowhere else.
//! `tests/render` holds both against each other.

use super::pattern;

/// Expressions within each other.
const DEPTH: usize = 32;
/// A longer value is not matched against patterns: each of its parts would be looked at.
const MATCHED: usize = 4 << 10;
/// A longer text does not come out.
const LONGEST: usize = 32 << 20;

/// Why a text was not expanded. No value is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no expression.
    #[error("`${{{begin}…` is no expression: {reason}")]
    Syntax {
        /// How it begins.
        begin: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A variable is not set.
    #[error("the variable `{0}` is not set, and has no default")]
    Unset(String),
    /// What came out of it is no text, or too long.
    #[error("what `${{{0}…` comes to {1}")]
    Outcome(String, &'static str),
}

/// Expands a text. `variable` returns the value of a name; none for one that is not set, which is an error unless the expression has a
/// default.
///
/// # Errors
/// The first thing that is wrong.
pub fn expand(text: &str, variable: &mut dyn FnMut(&str) -> Option<String>) -> Result<String, TemplateError> {
    let mut expansion = Expansion {
        text,
        at: 0,
        depth: 0,
        variable,
    };
    let mut written = String::with_capacity(text.len());
    while let Some(c) = expansion.peek() {
        let rest = expansion.rest();
        if rest.starts_with("${") {
            expansion.at += 2;
            let from = expansion.at;
            let value = expansion.expression(from)?;
            written.push_str(&value);
        } else if rest.starts_with("$$") {
            expansion.at += 2;
            written.push('$');
        } else {
            expansion.at += c.len_utf8();
            written.push(c);
        }
        if written.len() > LONGEST {
            return Err(TemplateError::Outcome(String::new(), "is too long"));
        }
    }
    Ok(written)
}

struct Expansion<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    variable: &'t mut dyn FnMut(&str) -> Option<String>,
}

/// What ends an argument that is text.
#[derive(Clone, Copy)]
enum End {
    /// At the `}` of the expression.
    Brace,
    /// At a `:`, or at the `}` of the expression.
    Colon,
    /// At the `/` between what is replaced and what replaces it.
    Slash,
}

impl End {
    fn is(self, c: char) -> bool {
        match self {
            Self::Brace => c == '}',
            Self::Colon => matches!(c, ':' | '}'),
            Self::Slash => c == '/',
        }
    }
}

impl<'t> Expansion<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn wrong(&self, from: usize, reason: &'static str) -> TemplateError {
        TemplateError::Syntax {
            begin: self.begin(from),
            reason,
        }
    }

    /// The name with which an expression begins: what comes after it may hold values.
    fn begin(&self, from: usize) -> String {
        let text = self.text.get(from..).unwrap_or_default();
        text.chars().take_while(|c| is_name(*c)).take(64).collect()
    }

    fn close(&mut self, from: usize) -> Result<(), TemplateError> {
        if self.peek() != Some('}') {
            return Err(self.wrong(from, "its `}` is missing, or stands elsewhere"));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, _) = rest.split_at(end);
        self.at += end;
        name
    }

    /// Takes as many of some characters as there are, up to a number.
    fn operator(&mut self, of: &[char], most: usize) -> &'t str {
        let rest = self.rest();
        let end: usize = rest
            .chars()
            .take(most)
            .take_while(|c| of.contains(c))
            .map(char::len_utf8)
            .sum();
        let (operator, _) = rest.split_at(end);
        self.at += end;
        operator
    }

    /// What stands after `${`.
    fn expression(&mut self, from: usize) -> Result<String, TemplateError> {
        if self.depth >= DEPTH {
            return Err(self.wrong(from, "there are too many within each other"));
        }
        self.depth += 1;
        let value = self.inner(from);
        self.depth -= 1;
        let value = value?;
        String::from_utf8(value)
            .map_err(|_| TemplateError::Outcome(self.begin(from), "is no text: a character was cut"))
    }

    fn inner(&mut self, from: usize) -> Result<Vec<u8>, TemplateError> {
        if self.peek() == Some('#') {
            self.at += 1;
            let name = self.name();
            if name.is_empty() {
                return Err(self.wrong(from, "it has no name"));
            }
            self.close(from)?;
            return Ok(self.value(name)?.len().to_string().into_bytes());
        }
        let name = self.name();
        if name.is_empty() {
            return Err(self.wrong(from, "it has no name"));
        }
        match self.peek() {
            Some('}') => {
                self.at += 1;
                Ok(self.value(name)?.into_bytes())
            }
            Some(':') => match self.rest().chars().nth(1) {
                Some('=' | '-' | '?' | '+') => {
                    self.at += 2;
                    self.or_default(from, name)
                }
                Some(c) if c.is_ascii() => {
                    self.at += 1;
                    self.part(from, name)
                }
                _ => Err(self.wrong(from, "a position is missing after `:`")),
            },
            Some('=') => {
                self.at += 1;
                self.or_default(from, name)
            }
            Some(',' | '^') => {
                let operator = self.operator(&[',', '^'], 2);
                self.close(from)?;
                let value = self.value(name)?;
                Ok(cased(&value, operator).into_bytes())
            }
            Some('/') => self.replaced(from, name),
            Some('#') => self.trimmed(from, name, '#'),
            Some('%') => self.trimmed(from, name, '%'),
            _ => Err(self.wrong(from, "its `}` is missing, or stands elsewhere")),
        }
    }

    fn value(&mut self, name: &str) -> Result<String, TemplateError> {
        (self.variable)(name).ok_or_else(|| TemplateError::Unset(name.chars().take(64).collect()))
    }

    /// An argument: one expression, or text up to the next one or the end.
    fn argument(&mut self, from: usize, end: End, escapes: bool) -> Result<String, TemplateError> {
        if self.rest().starts_with("${") {
            self.at += 2;
            let from = self.at;
            return self.expression(from);
        }
        let mut text = String::new();
        while let Some(c) = self.peek() {
            let rest = self.rest();
            if rest.starts_with("${") {
                break;
            }
            let escaped = escapes && ["$$", "\\/", "\\\\"].iter().any(|pair| rest.starts_with(pair));
            if escaped {
                text.extend(rest.chars().nth(1));
                self.at += 2;
            } else if end.is(c) {
                break;
            } else {
                text.push(c);
                self.at += c.len_utf8();
            }
        }
        match text.is_empty() {
            true => Err(self.wrong(from, "an argument is missing")),
            false => Ok(text),
        }
    }

    /// `${name:-default}` and its like: the value, or what stands there if it is empty.
    fn or_default(&mut self, from: usize, name: &str) -> Result<Vec<u8>, TemplateError> {
        let mut default = String::new();
        while self.peek() != Some('}') {
            default.push_str(&self.argument(from, End::Brace, false)?);
        }
        self.at += 1;
        let value = (self.variable)(name).unwrap_or_default();
        Ok(if value.is_empty() { default } else { value }.into_bytes())
    }

    /// `${name:position}` and `${name:position:length}`, in bytes.
    fn part(&mut self, from: usize, name: &str) -> Result<Vec<u8>, TemplateError> {
        let position = self.argument(from, End::Colon, false)?;
        let length = match self.peek() {
            Some('}') => None,
            Some(':') => {
                self.operator(&[':'], usize::MAX);
                Some(self.argument(from, End::Brace, false)?)
            }
            _ => return Err(self.wrong(from, "its `}` is missing, or stands elsewhere")),
        };
        self.close(from)?;
        let value = self.value(name)?.into_bytes();
        let whole = i64::try_from(value.len()).unwrap_or(i64::MAX);
        let Ok(position) = position.parse::<i64>() else {
            return Ok(value);
        };
        let start = if position < 0 {
            (whole + position.max(-whole)).max(0)
        } else {
            position
        };
        let end = match length.map(|length| length.parse::<i64>()) {
            None => whole,
            Some(Err(_)) => return Ok(value),
            Some(Ok(length)) if length < 0 => whole.saturating_add(length),
            Some(Ok(length)) => start.saturating_add(length).min(whole),
        };
        let index = |number: i64| usize::try_from(number).unwrap_or_default();
        Ok(value.get(index(start)..index(end)).unwrap_or_default().to_vec())
    }

    /// `${name/old/new}` and its like.
    fn replaced(&mut self, from: usize, name: &str) -> Result<Vec<u8>, TemplateError> {
        self.at += 1;
        let which = self.peek().filter(|c| matches!(c, '/' | '#' | '%'));
        self.at += which.map_or(0, char::len_utf8);
        let old = self.argument(from, End::Slash, true)?;
        if self.operator(&['/'], usize::MAX).is_empty() {
            return Err(self.wrong(from, "a `/` is missing"));
        }
        let new = match self.peek() {
            Some('}') => None,
            _ => Some(self.argument(from, End::Brace, true)?),
        };
        self.close(from)?;
        let value = self.value(name)?;
        let new_text = new.as_deref().unwrap_or_default();
        let grows = value.len().saturating_mul(new_text.len().max(1));
        if grows > LONGEST {
            return Err(TemplateError::Outcome(self.begin(from), "is too long"));
        }
        Ok(match (which, &new) {
            (Some('/'), _) => value.replace(&old, new_text),
            (Some('#'), Some(_)) if value.starts_with(&old) => value.replacen(&old, new_text, 1),
            (Some('%'), Some(_)) => match value.strip_suffix(&old) {
                Some(kept) => format!("{kept}{new_text}"),
                None => value,
            },
            (Some(_), _) => value,
            (None, _) => value.replacen(&old, new_text, 1),
        }
        .into_bytes())
    }

    /// `${name#pattern}` and its like.
    fn trimmed(&mut self, from: usize, name: &str, operator: char) -> Result<Vec<u8>, TemplateError> {
        let longest = self.operator(&[operator], 2).len() == 2;
        let pattern = self.argument(from, End::Brace, false)?;
        self.close(from)?;
        let value = self.value(name)?;
        if value.len() > MATCHED || pattern.len() > MATCHED {
            return Err(TemplateError::Outcome(
                self.begin(from),
                "is too long for a pattern",
            ));
        }
        let backwards = |text: &str| text.chars().rev().collect::<String>();
        match operator {
            '#' => Ok(pattern::trimmed(value.as_bytes(), pattern.as_bytes(), longest).to_vec()),
            _ => {
                let (value, pattern) = (backwards(&value), backwards(&pattern));
                let kept = pattern::trimmed(value.as_bytes(), pattern.as_bytes(), longest);
                let kept = std::str::from_utf8(kept).map_err(|_| {
                    TemplateError::Outcome(self.begin(from), "is no text: a character was cut")
                })?;
                Ok(backwards(kept).into_bytes())
            }
        }
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Letter by letter, where one letter becomes one.
fn cased(text: &str, operator: &str) -> String {
    let single = |mut letters: Box<dyn Iterator<Item = char>>, c: char| match (letters.next(), letters.next())
    {
        (Some(letter), None) => letter,
        _ => c,
    };
    let lower = |c: char| single(Box::new(c.to_lowercase()), c);
    let upper = |c: char| single(Box::new(c.to_uppercase()), c);
    let first = |change: &dyn Fn(char) -> char| {
        let mut letters = text.chars();
        let first = letters.next().map(change);
        first.into_iter().chain(letters).collect()
    };
    match operator {
        "," => first(&lower),
        "^" => first(&upper),
        ",," => text.chars().map(lower).collect(),
        "^^" => text.chars().map(upper).collect(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, TemplateError> {
        expand(text, &mut |name| match name {
            "name" => Some("some.value".to_owned()),
            "empty" => Some(String::new()),
            "path" => Some("/usr/local/bin".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn expressions_are_expanded() {
        let cases = [
            ("no variable, $5 and $name", "no variable, $5 and $name"),
            ("a ${name} b", "a some.value b"),
            ("$${name} $$", "${name} $"),
            ("${unset:-default} ${unset:=a b} ${empty:-x}", "default a b x"),
            ("${unset:-${name}} ${unset:-${other:-deep}}", "some.value deep"),
            ("${name:+other}", "some.value"),
            ("${name:5} ${name:0:4} ${name:-x}", "value some some.value"),
            ("${name:1:-1}", "ome.valu"),
            ("${#name}", "10"),
            ("${name^} ${name^^} ${name,}", "Some.value SOME.VALUE some.value"),
            (
                "${name/e/E} ${name//e/E} ${name/#some/no} ${name/%value/x}",
                "somE.value somE.valuE no.value some.x",
            ),
            (
                "${path#*/} ${path##*/} ${path%/*} ${path%%/*}",
                "usr/local/bin bin /usr/local ",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_said_without_values() {
        for text in [
            "${",
            "${}",
            "${name",
            "${name-x}",
            "${name:",
            "${name:-x",
            "${name/a}",
            "${a b}",
            "${1 }",
        ] {
            let error = expanded(text).expect_err(text);
            assert!(matches!(error, TemplateError::Syntax { .. }), "{text}: {error}");
        }
        assert_eq!(
            expanded("${unset}"),
            Err(TemplateError::Unset("unset".to_owned()))
        );
        let deep = format!("{}{}", "${a:-".repeat(100), "}".repeat(100));
        assert!(expanded(&deep).is_err());
    }
}
