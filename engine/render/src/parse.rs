//! The text of one document to a tree of nodes that know where they stand.
//!
//! Built from the parser's events rather than by a YAML library, because places, scalar styles and duplicate keys are
//! needed and because `kubectl`'s reading of scalars is not YAML 1.2's.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::error::Problem;

/// A value with its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) at: At,
}

/// Line and column within the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// What a node is. Aliases share the node they name.
#[derive(Debug)]
pub(crate) enum NodeKind {
    Scalar {
        text: String,
        plain: bool,
        tag: Option<String>,
    },
    List {
        entries: Vec<Rc<Node>>,
        tag: Option<String>,
    },
    Map {
        entries: Vec<(Rc<Node>, Rc<Node>)>,
        tag: Option<String>,
    },
    Alias(Rc<Node>),
}

/// Something wrong, and where.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) at: At,
    pub(crate) problem: Problem,
}

/// The roots of the documents in `text`; most often one. `depth` bounds how far they nest.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Vec<Rc<Node>>, Wrong> {
    let mut builder = Builder {
        roots: Vec::new(),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        depth,
    };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| Wrong {
            at: at(error.marker().line(), error.marker().col()),
            problem: match error.info() {
                // The scanner has a limit of its own on brackets.
                reason if reason.contains("recursion limit") => Problem::TooLarge {
                    reason: reason.to_owned(),
                },
                reason => Problem::Syntax {
                    reason: reason.to_owned(),
                },
            },
        })?;
        if !builder.take(event, span)? {
            break;
        }
    }
    Ok(builder.roots)
}

fn at(line: usize, column: usize) -> At {
    let clamp = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    At {
        line: clamp(line.max(1)),
        column: clamp(column.saturating_add(1)),
    }
}

struct Builder {
    roots: Vec<Rc<Node>>,
    open: Vec<Open>,
    /// Finished nodes by the parser's number of their anchor; none while the node is still open.
    anchors: BTreeMap<usize, Option<Rc<Node>>>,
    depth: usize,
}

/// A collection whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    tag: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<(Rc<Node>, Rc<Node>)>,
        key: Option<Rc<Node>>,
    },
}

impl Builder {
    /// Takes one event; false at the end.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, Wrong> {
        let at = at(span.start.line(), span.start.col());
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::StreamEnd => return Ok(false),
            Event::Alias(id) => {
                let problem = |reason: &str| Problem::Alias {
                    reason: reason.to_owned(),
                };
                let target = match self.anchors.get(&id) {
                    Some(Some(node)) => Rc::clone(node),
                    Some(None) => {
                        return Err(Wrong {
                            at,
                            problem: problem("an anchor contains itself"),
                        });
                    }
                    None => {
                        return Err(Wrong {
                            at,
                            problem: problem("no such anchor in this document"),
                        });
                    }
                };
                self.finish(
                    Node {
                        kind: NodeKind::Alias(target),
                        at,
                    },
                    0,
                );
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let kind = NodeKind::Scalar {
                    text: text.into_owned(),
                    plain,
                    tag: short(tag.as_deref()),
                };
                self.finish(Node { kind, at }, anchor);
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(at, anchor, short(tag.as_deref()), Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    key: None,
                };
                self.start(at, anchor, short(tag.as_deref()), content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open {
                    at,
                    anchor,
                    tag,
                    content,
                }) = self.open.pop()
                {
                    let kind = match content {
                        Content::List(entries) => NodeKind::List { entries, tag },
                        Content::Map { entries, .. } => NodeKind::Map { entries, tag },
                    };
                    self.finish(Node { kind, at }, anchor);
                }
            }
        }
        Ok(true)
    }

    fn start(&mut self, at: At, anchor: usize, tag: Option<String>, content: Content) -> Result<(), Wrong> {
        if self.open.len() >= self.depth {
            let reason = format!("more than {} maps and lists within each other", self.depth);
            return Err(Wrong {
                at,
                problem: Problem::TooLarge { reason },
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open {
            at,
            anchor,
            tag,
            content,
        });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Some(Rc::clone(&node)));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.roots.push(node),
            Some(Content::List(entries)) => entries.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }
}

/// `!!int` for a tag of YAML's own, whatever way it is written.
fn short(tag: Option<&Tag>) -> Option<String> {
    const YAML: &str = "tag:yaml.org,2002:";
    let full = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix))?;
    match full.strip_prefix(YAML) {
        Some(name) => Some(format!("!!{name}")),
        None => Some(full),
    }
}
