//! A file to its documents, as `kubectl` divides it.
//!
//! What begins with a brace is read as JSON values as far as it goes. Where it turns out not to be JSON before a second value
//! was read, the rest is YAML; so a `.json` file may have its values divided by `---`. YAML is divided at the lines that begin
//! with `---`, whatever is around them, and what is between two of them is one document.

use serde_json::Value;

use crate::error::Problem;
use crate::json::{self, Stop, Values};
use crate::parse::{At, Wrong};

/// What a file consists of.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    /// The JSON values at its beginning, with their places.
    pub(crate) json: Vec<(Value, At)>,
    /// The YAML documents after them.
    pub(crate) yaml: Vec<Document<'a>>,
    /// Why the rest of what looked like JSON was taken for YAML.
    pub(crate) not_json: Option<Wrong>,
    /// What is wrong, with the number of lines before it.
    pub(crate) wrong: Vec<(u32, Wrong)>,
}

/// The text of a YAML document.
pub(crate) struct Document<'a> {
    pub(crate) lines_before: u32,
    pub(crate) text: &'a str,
}

/// So far `kubectl` looks for a brace.
const LOOKED_AT: usize = 4096;
/// `kubectl` takes less for the rest of the JSON before it, whatever it is.
const LEAST_YAML: usize = 4;

/// Divides a file.
pub(crate) fn parts(text: &str) -> Parts<'_> {
    let mut parts = Parts::default();
    let blank = text.len() - text.trim_start().len();
    if blank >= LOOKED_AT || !text.trim_start().starts_with('{') {
        parts.divide(text, 0);
        return parts;
    }
    let Values { found, end, stop } = json::values(text);
    let read = found.len();
    parts.json = found;
    match stop {
        None => {}
        Some(Stop::Refused(wrong)) => parts.wrong.push((0, wrong)),
        Some(Stop::NotJson(wrong)) => match yaml_after(text, end).filter(|_| read < 2) {
            Some((start, rest)) => {
                parts.not_json = Some(wrong);
                let lines = text.get(..start).unwrap_or_default().matches('\n').count();
                parts.divide(rest, lines);
            }
            None => parts.wrong.push((0, wrong)),
        },
    }
    parts
}

/// What is left for YAML where JSON ended: blanks and one line break are passed over.
fn yaml_after(text: &str, end: usize) -> Option<(usize, &str)> {
    let mut start = end;
    loop {
        let rest = text.get(start..).filter(|rest| rest.len() >= LEAST_YAML)?;
        let first = rest.chars().next()?;
        if !first.is_whitespace() {
            return Some((start, rest));
        }
        start += first.len_utf8();
        if first == '\n' {
            return Some((start, text.get(start..)?));
        }
    }
}

impl<'a> Parts<'a> {
    fn divide(&mut self, text: &'a str, lines_before: usize) {
        let (mut start, mut start_line, mut offset) = (0, lines_before, 0);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let number = lines_before + number;
            if let Some(rest) = line.strip_prefix("---") {
                let rest = rest.trim();
                if !rest.is_empty() && !rest.starts_with('#') {
                    let reason = "nothing but a comment can follow `---` at the beginning of a line";
                    self.wrong.push((
                        clamp(number),
                        Wrong {
                            at: At { line: 1, column: 4 },
                            problem: Problem::Syntax {
                                reason: reason.to_owned(),
                            },
                        },
                    ));
                }
                // The first line of a document may itself be `---`.
                if offset > start {
                    self.add(text.get(start..offset).unwrap_or_default(), start_line);
                    (start, start_line) = (offset + line.len(), number + 1);
                }
            }
            offset += line.len();
        }
        self.add(text.get(start..).unwrap_or_default(), start_line);
    }

    fn add(&mut self, text: &'a str, lines_before: usize) {
        if !text.is_empty() {
            let lines_before = clamp(lines_before);
            self.yaml.push(Document { lines_before, text });
        }
    }
}

fn clamp(lines: usize) -> u32 {
    u32::try_from(lines).unwrap_or(u32::MAX)
}
