//! Regular expressions. How long one takes is bounded by how large it is when it is compiled, times the letters that it reads.

use regex_lite::{Regex, RegexBuilder};

use crate::functions::excerpt;
use crate::{Failure, Meter};

/// A regular expression that is compiled.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Steps for each letter: about as many as it has states.
    weight: usize,
}

/// Sizes in bytes that are tried one after the other: the first that is enough says how large a pattern is.
const SIZES: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];
/// Bytes of a state.
const STATE: usize = 32;

impl Pattern {
    /// Compiles a pattern.
    pub(crate) fn compile(meter: &Meter, source: &str) -> Result<Self, Failure> {
        meter.steps(source.len().saturating_mul(STATE))?;
        let wrong = |why: &str| {
            Failure::error(format!(
                "`{source}` is no regular expression that is known here: {why}"
            ))
        };
        let ignores_case = source.split("(?").skip(1).any(|flags| {
            let flags = flags.split([':', ')', '<', '-']).next().unwrap_or_default();
            flags.contains('i')
        });
        if ignores_case && !source.is_ascii() {
            return Err(wrong("the case of letters that are no ASCII cannot be ignored"));
        }
        let mut why = String::new();
        for size in SIZES {
            meter.steps(size / 2)?;
            match RegexBuilder::new(source).size_limit(size).build() {
                Ok(regex) => {
                    return Ok(Self {
                        regex,
                        weight: size / STATE,
                    });
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(wrong(&excerpt(why.lines().last().unwrap_or_default())))
    }

    /// Whether it fits a part of a text.
    pub(crate) fn fits(&self, meter: &Meter, text: &str) -> Result<bool, Failure> {
        meter.steps((text.len() + 1).saturating_mul(self.weight))?;
        Ok(self.regex.is_match(text))
    }
}

/// Whether a pattern that is known only now fits a part of a text.
pub(crate) fn fits(meter: &Meter, text: &str, pattern: &str) -> Result<bool, Failure> {
    Pattern::compile(meter, pattern)?.fits(meter, text)
}
