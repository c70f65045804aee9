//! What the scanner makes of a text.

use super::cursor::Mark;

/// One piece of a text that means something by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    /// The end of a block sequence or mapping, which is an indentation that becomes smaller.
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    FlowEntry,
    BlockEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    /// An empty handle for a tag that is written in full.
    Tag {
        handle: String,
        suffix: String,
    },
    Scalar {
        text: String,
        plain: bool,
    },
}

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) mark: Mark,
}

/// Why a text is no YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: &'static str,
    pub(crate) mark: Mark,
}

impl Fault {
    pub(super) fn new<T>(reason: &'static str, mark: Mark) -> Result<T, Self> {
        Err(Self { reason, mark })
    }
}
