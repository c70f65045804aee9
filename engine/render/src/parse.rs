//! The text of one document to a tree of nodes that know where they stand.
//!
//! Built from the scanner's tokens rather than by a YAML library, because places, scalar styles and duplicate keys are
//! needed and because `kubectl`'s reading is not that of YAML 1.2.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::Problem;
use crate::yaml::{Fault, Mark, Placed, Scanner, Token};

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
        entries: Entries,
        tag: Option<String>,
    },
    Alias(Rc<Node>),
}

/// The keys of a map with their values, as they are written.
pub(crate) type Entries = Vec<(Rc<Node>, Rc<Node>)>;

/// Something wrong, and where.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) at: At,
    pub(crate) problem: Problem,
}

/// The root of the document in `text`; none where it holds none. `depth` bounds how far it nests.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Option<Rc<Node>>, Wrong> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        anchors: BTreeMap::new(),
        depth,
        left: depth,
    };
    parser.document()
}

/// What YAML itself calls its tags.
const YAML: &str = "tag:yaml.org,2002:";

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// Finished nodes by their anchor; none while the node is still open.
    anchors: BTreeMap<String, Option<Rc<Node>>>,
    depth: usize,
    left: usize,
}

/// What stands before a node.
#[derive(Default)]
struct Properties {
    anchor: Option<String>,
    tag: Option<String>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Option<Rc<Node>>, Wrong> {
        let root = match self.peek()? {
            Token::StreamEnd => return Ok(None),
            Token::DocumentStart => {
                self.next()?;
                match self.peek()? {
                    Token::DocumentStart | Token::DocumentEnd | Token::StreamEnd => self.empty()?,
                    _ => self.node(true, false)?,
                }
            }
            _ => self.node(true, false)?,
        };
        let mut rest = Ok(self.next()?);
        if rest.as_ref().is_ok_and(|end| end.token == Token::DocumentEnd) {
            rest = self.scanner.next();
        }
        // `kubectl` drops what is left, whatever it is, without a word.
        let mark = match rest {
            Ok(Placed {
                token: Token::StreamEnd,
                ..
            }) => return Ok(Some(root)),
            Ok(Placed { mark, .. }) | Err(Fault { mark, .. }) => mark,
        };
        let reason = "the document has ended before this; `kubectl` would leave out what follows. Begin a new one with `---`";
        Err(fault(reason, mark))
    }

    /// A value. `block` where one may begin that is written by indentation; `indentless` where a list's entries may stand at
    /// the column of the map around it.
    fn node(&mut self, block: bool, indentless: bool) -> Result<Rc<Node>, Wrong> {
        let mark = self.mark()?;
        if matches!(self.peek()?, Token::Alias(_)) {
            let Placed {
                token: Token::Alias(name),
                ..
            } = self.next()?
            else {
                return Err(fault(NO_CONTENT, mark));
            };
            return self.alias(&name, mark);
        }
        let properties = self.properties()?;
        let Placed { token, mark: here } = self.scanner.peek().map_err(wrong)?;
        match token {
            Token::BlockEntry if indentless => self.collection(mark, properties, Self::indentless_list),
            Token::Scalar { .. } => {
                let Token::Scalar { text, plain } = self.next()?.token else {
                    return Err(fault(NO_CONTENT, mark));
                };
                let tag = properties.tag.clone();
                Ok(self.finish(NodeKind::Scalar { text, plain, tag }, mark, properties))
            }
            Token::FlowSequenceStart => self.collection(mark, properties, Self::flow_list),
            Token::FlowMappingStart => self.collection(mark, properties, Self::flow_map),
            Token::BlockSequenceStart if block => self.collection(mark, properties, Self::block_list),
            Token::BlockMappingStart if block => self.collection(mark, properties, Self::block_map),
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                let kind = NodeKind::Scalar {
                    text: String::new(),
                    plain: true,
                    tag: properties.tag.clone(),
                };
                Ok(self.finish(kind, mark, properties))
            }
            _ => Err(fault(NO_CONTENT, *here)),
        }
    }

    fn alias(&self, name: &str, mark: Mark) -> Result<Rc<Node>, Wrong> {
        let reason = match self.anchors.get(name) {
            Some(Some(node)) => {
                let kind = NodeKind::Alias(Rc::clone(node));
                return Ok(Rc::new(Node { kind, at: at(mark) }));
            }
            Some(None) => "an anchor contains itself".to_owned(),
            // Without its name: a password that begins with `*` looks like one.
            None => "no anchor of this name before this in the document".to_owned(),
        };
        Err(Wrong {
            at: at(mark),
            problem: Problem::Alias { reason },
        })
    }

    /// An anchor and a tag, in either order.
    fn properties(&mut self) -> Result<Properties, Wrong> {
        let mut properties = Properties::default();
        for _ in 0..2 {
            match self.peek()? {
                Token::Anchor(_) if properties.anchor.is_none() => {
                    if let Token::Anchor(name) = self.next()?.token {
                        properties.anchor = Some(name);
                    }
                }
                Token::Tag { .. } if properties.tag.is_none() => {
                    let Placed { token, mark } = self.next()?;
                    if let Token::Tag { handle, suffix } = token {
                        properties.tag = Some(tag(&handle, &suffix, mark)?);
                    }
                }
                _ => break,
            }
        }
        Ok(properties)
    }

    fn collection(
        &mut self,
        mark: Mark,
        properties: Properties,
        read: fn(&mut Self, Option<String>) -> Result<NodeKind, Wrong>,
    ) -> Result<Rc<Node>, Wrong> {
        let Some(left) = self.left.checked_sub(1) else {
            let reason = format!("more than {} maps and lists within each other", self.depth);
            return Err(Wrong {
                at: at(mark),
                problem: Problem::TooLarge { reason },
            });
        };
        if let Some(anchor) = &properties.anchor {
            self.anchors.insert(anchor.clone(), None);
        }
        self.left = left;
        let kind = read(self, properties.tag.clone())?;
        self.left += 1;
        Ok(self.finish(kind, mark, properties))
    }

    fn finish(&mut self, kind: NodeKind, mark: Mark, properties: Properties) -> Rc<Node> {
        let node = Rc::new(Node { kind, at: at(mark) });
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, Some(Rc::clone(&node)));
        }
        node
    }

    fn block_list(&mut self, tag: Option<String>) -> Result<NodeKind, Wrong> {
        self.next()?;
        let mut entries = Vec::new();
        loop {
            let Placed { token, mark } = self.next()?;
            match token {
                Token::BlockEntry => entries.push(match self.peek()? {
                    Token::BlockEntry | Token::BlockEnd => self.empty()?,
                    _ => self.node(true, false)?,
                }),
                Token::BlockEnd => return Ok(NodeKind::List { entries, tag }),
                _ => {
                    return Err(fault(
                        "the list goes on here, and this is no entry of it: it does not begin with `- `",
                        mark,
                    ));
                }
            }
        }
    }

    fn indentless_list(&mut self, tag: Option<String>) -> Result<NodeKind, Wrong> {
        let mut entries = Vec::new();
        while *self.peek()? == Token::BlockEntry {
            self.next()?;
            entries.push(match self.peek()? {
                Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd => self.empty()?,
                _ => self.node(true, false)?,
            });
        }
        Ok(NodeKind::List { entries, tag })
    }

    fn block_map(&mut self, tag: Option<String>) -> Result<NodeKind, Wrong> {
        self.next()?;
        let mut entries = Vec::new();
        loop {
            let Placed { token, mark } = self.next()?;
            match token {
                Token::Key => {}
                Token::BlockEnd => return Ok(NodeKind::Map { entries, tag }),
                _ => return Err(fault("the map goes on here, and this is no key of it", mark)),
            }
            let key = self.block_entry()?;
            let value = match self.peek()? {
                Token::Value => {
                    self.next()?;
                    self.block_entry()?
                }
                _ => self.empty()?,
            };
            entries.push((key, value));
        }
    }

    /// A key or a value of a map that is written by indentation.
    fn block_entry(&mut self) -> Result<Rc<Node>, Wrong> {
        match self.peek()? {
            Token::Key | Token::Value | Token::BlockEnd => self.empty(),
            _ => self.node(true, true),
        }
    }

    fn flow_list(&mut self, tag: Option<String>) -> Result<NodeKind, Wrong> {
        self.next()?;
        let mut entries = Vec::new();
        loop {
            if *self.peek()? != Token::FlowSequenceEnd && !entries.is_empty() {
                self.expect_entry("a `,` or the `]` of the list is missing before this")?;
            }
            match self.peek()? {
                Token::FlowSequenceEnd => {
                    self.next()?;
                    return Ok(NodeKind::List { entries, tag });
                }
                Token::Key => entries.push(self.pair()?),
                _ => entries.push(self.node(false, false)?),
            }
        }
    }

    /// A map of one key, as an entry of a list: `[a: b]`.
    fn pair(&mut self) -> Result<Rc<Node>, Wrong> {
        let mark = self.next()?.mark;
        let key = match self.peek()? {
            // The original passes over it, whichever it is.
            Token::Value | Token::FlowEntry | Token::FlowSequenceEnd => {
                let empty = self.empty()?;
                self.next()?;
                empty
            }
            _ => self.node(false, false)?,
        };
        let value = self.flow_value(&Token::FlowSequenceEnd)?;
        let kind = NodeKind::Map {
            entries: vec![(key, value)],
            tag: None,
        };
        Ok(Rc::new(Node { kind, at: at(mark) }))
    }

    fn flow_map(&mut self, tag: Option<String>) -> Result<NodeKind, Wrong> {
        self.next()?;
        let mut entries = Vec::new();
        loop {
            if *self.peek()? != Token::FlowMappingEnd && !entries.is_empty() {
                self.expect_entry("a `,` or the `}` of the map is missing before this")?;
            }
            let entry = match self.peek()? {
                Token::FlowMappingEnd => {
                    self.next()?;
                    return Ok(NodeKind::Map { entries, tag });
                }
                Token::Key => {
                    self.next()?;
                    let key = match self.peek()? {
                        Token::Value | Token::FlowEntry | Token::FlowMappingEnd => self.empty()?,
                        _ => self.node(false, false)?,
                    };
                    (key, self.flow_value(&Token::FlowMappingEnd)?)
                }
                _ => (self.node(false, false)?, self.empty()?),
            };
            entries.push(entry);
        }
    }

    /// What follows a key within brackets that end so.
    fn flow_value(&mut self, end: &Token) -> Result<Rc<Node>, Wrong> {
        if *self.peek()? != Token::Value {
            return self.empty();
        }
        self.next()?;
        match self.peek()? {
            Token::FlowEntry => self.empty(),
            token if token == end => self.empty(),
            _ => self.node(false, false),
        }
    }

    fn expect_entry(&mut self, reason: &'static str) -> Result<(), Wrong> {
        let Placed { token, mark } = self.next()?;
        match token {
            Token::FlowEntry => Ok(()),
            _ => Err(fault(reason, mark)),
        }
    }

    /// A value that is not written.
    fn empty(&mut self) -> Result<Rc<Node>, Wrong> {
        let mark = self.mark()?;
        let kind = NodeKind::Scalar {
            text: String::new(),
            plain: true,
            tag: None,
        };
        Ok(self.finish(kind, mark, Properties::default()))
    }

    fn peek(&mut self) -> Result<&Token, Wrong> {
        self.scanner.peek().map(|placed| &placed.token).map_err(wrong)
    }

    fn mark(&mut self) -> Result<Mark, Wrong> {
        self.scanner.peek().map(|placed| placed.mark).map_err(wrong)
    }

    fn next(&mut self) -> Result<Placed, Wrong> {
        self.scanner.next().map_err(wrong)
    }
}

/// `!!int` for a tag of YAML's own, whatever way it is written.
fn tag(handle: &str, suffix: &str, mark: Mark) -> Result<String, Wrong> {
    match handle {
        "" => Ok(match suffix.strip_prefix(YAML) {
            Some(name) => format!("!!{name}"),
            None => suffix.to_owned(),
        }),
        "!" | "!!" => Ok(format!("{handle}{suffix}")),
        _ => Err(fault(
            "only a directive could say what this tag means, and `kubectl` reads none",
            mark,
        )),
    }
}

const NO_CONTENT: &str = "a value is missing before this";

fn at(mark: Mark) -> At {
    let clamp = |number: usize| u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX);
    At {
        line: clamp(mark.line),
        column: clamp(mark.column),
    }
}

fn fault(reason: &str, mark: Mark) -> Wrong {
    Wrong {
        at: at(mark),
        problem: Problem::Syntax {
            reason: reason.to_owned(),
        },
    }
}

fn wrong(Fault { reason, mark }: Fault) -> Wrong {
    fault(reason, mark)
}
