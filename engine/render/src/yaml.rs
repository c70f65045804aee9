//! A scanner for YAML as `kubectl` reads it.
//!
//! `kubectl` reads YAML 1.1 with go-yaml 2, whose scanner goes its own ways beside the specification: where a plain word ends
//! within brackets, how far a line may be indented, where a tab may stand, which key may span lines. Readers of YAML 1.2 give
//! other *values* for the same text, so its rules are followed here one by one. `tests/yaml` holds them against the real one.
//!
//! The scanner is given text without control characters and without the rare line breaks U+0085, U+2028 and U+2029: `decode`
//! refuses those. Where to start reading: [`Scanner::peek`].

mod cursor;
mod scalars;
mod scanner;
mod tags;
mod token;

pub(crate) use cursor::Mark;
pub(crate) use scanner::Scanner;
pub(crate) use token::{Fault, Placed, Token};
