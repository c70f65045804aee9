//! What is refused although `kubectl` reads it, by kind. Whatever is not in this table is a finding.

use sluice_render::{Problem, RenderError};

/// A kind of refusal, and why it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// What is refused.
    pub what: &'static str,
    /// Why the two differ.
    pub why: &'static str,
}

type Test = fn(&Problem) -> bool;

/// All of them.
pub const KINDS: &[(Kind, Test)] = &[
    (
        Kind {
            what: "a key is given twice in a map",
            why: "the last one counts for kubectl, and no reader of the file sees that; where the keys are `1` and \"1\", chance decides",
        },
        |problem| matches!(problem, Problem::DuplicateKey { .. }),
    ),
    (
        Kind {
            what: "a tag that does not fit its value, or that no schema defines",
            why: "kubectl passes over it, so the value is not what the tag says",
        },
        |problem| matches!(problem, Problem::Value { reason } if reason.starts_with("the tag ") || reason.ends_with("as its tag says")),
    ),
    (
        Kind {
            what: "a `!!binary` value that is no text",
            why: "JSON has no bytes; kubectl sends U+FFFD in their place",
        },
        |problem| matches!(problem, Problem::Value { reason } if reason.starts_with("the `!!binary` value is no text")),
    ),
    (
        Kind {
            what: "text after the end of a document, without a `---` line",
            why: "kubectl leaves it out without a word",
        },
        |problem| syntax(problem, "the document has ended before this"),
    ),
    (
        Kind {
            what: "the characters U+0085, U+2028 and U+2029, as they are",
            why: "they end a line in YAML 1.1 and do not in YAML 1.2, so tools and editors show another file than kubectl reads",
        },
        |problem| {
            syntax(problem, "the character U+0085")
                || syntax(problem, "the character U+2028")
                || syntax(problem, "the character U+2029")
        },
    ),
    (
        Kind {
            what: "a byte order mark within a document",
            why: "it cannot be seen; kubectl takes it for text, or leaves out a character of a later line for it",
        },
        |problem| syntax(problem, "a byte order mark (U+FEFF) within a document"),
    ),
    (
        Kind {
            what: "a file that is not UTF-8",
            why: "kubectl puts U+FFFD in the place of what it cannot read in JSON, and reads UTF-16 in part",
        },
        |problem| matches!(problem, Problem::NotText),
    ),
    (
        Kind {
            what: "half a character as an escape in JSON (`\\ud800`)",
            why: "kubectl puts U+FFFD in its place",
        },
        |problem| syntax(problem, "JSON: lone ") || syntax(problem, "JSON: unexpected end of hex escape"),
    ),
    (
        Kind {
            what: "a number in JSON that no double holds (`1e400`)",
            why: "kubectl refuses it too, or takes it for text where the file is not JSON in the end",
        },
        |problem| syntax(problem, "JSON: number out of range"),
    ),
    (
        Kind {
            what: "maps and lists nested deeper than 256, JSON deeper than 127, or too much that aliases add",
            why: "limits; Kubernetes' own schemas nest 60 deep",
        },
        |problem| matches!(problem, Problem::TooLarge { .. }),
    ),
];

fn syntax(problem: &Problem, beginning: &str) -> bool {
    matches!(problem, Problem::Syntax { reason } if reason.starts_with(beginning))
}

/// The kind of a refusal; none for one that the table lacks.
#[must_use]
pub fn kind(error: &RenderError) -> Option<Kind> {
    let known = KINDS.iter().find(|(_, test)| test(&error.problem));
    known.map(|(kind, _)| *kind)
}
