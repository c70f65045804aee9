//! A desired object and the place in Git it came from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::Object;

/// Where a manifest stands, so that every later error can point at it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Path of the file, relative to the repository's root, `/` between parts.
    pub file: String,
    /// Line on which the document starts, from 1.
    pub line: u32,
}

/// Writes file and line, such as `apps/web.yaml:12`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One object as Git wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The object as written, scalars decoded as `kubectl` decodes them.
    pub object: Object,
    /// Where it is written.
    pub origin: Origin,
}
