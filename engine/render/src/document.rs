//! Nodes to JSON: merge keys, keys that are no text, duplicate keys, and aliases within a budget.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::decode::Limits;
use crate::error::Problem;
use crate::parse::{At, Node, NodeKind, Wrong};
use crate::scalar;

/// Turns nodes into JSON and collects what is wrong on the way.
pub(crate) struct Converter {
    /// What was found to be wrong.
    pub(crate) wrong: Vec<Wrong>,
    /// How many values aliases may still add.
    budget: usize,
    /// True once the budget was exceeded: said once.
    exhausted: bool,
    /// How many aliases are being followed.
    aliases: usize,
    depth_left: usize,
    /// Of a key that is given twice the last one counts.
    last_of_equal_keys: bool,
}

impl Converter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            wrong: Vec::new(),
            budget: limits.alias_nodes,
            exhausted: false,
            aliases: 0,
            depth_left: limits.depth,
            last_of_equal_keys: limits.last_of_equal_keys,
        }
    }

    /// The value of a node; what is wrong in it reads as null.
    pub(crate) fn value(&mut self, node: &Node) -> Value {
        if !self.may_go_on(node.at) {
            return Value::Null;
        }
        match &node.kind {
            NodeKind::Scalar { text, plain, tag } => {
                let resolved =
                    scalar::resolve(text, *plain, tag.as_deref()).and_then(scalar::Scalar::into_value);
                resolved.unwrap_or_else(|reason| {
                    self.report(node.at, Problem::Value { reason });
                    Value::Null
                })
            }
            NodeKind::List { entries, tag } => {
                self.expect_tag(node.at, tag.as_deref(), "!!seq", "list");
                self.nested(node.at, |this| {
                    Value::Array(entries.iter().map(|entry| this.value(entry)).collect())
                })
            }
            NodeKind::Map { entries, tag } => {
                self.expect_tag(node.at, tag.as_deref(), "!!map", "map");
                self.nested(node.at, |this| {
                    let mut map = Map::new();
                    this.fill(&mut map, entries);
                    Value::Object(map)
                })
            }
            NodeKind::Alias(target) => {
                self.aliases += 1;
                let value = self.value(target);
                self.aliases -= 1;
                value
            }
        }
    }

    /// Adds the entries to a map. A merged key yields to one that comes after it, and overrides one that came before,
    /// as `kubectl` has it.
    fn fill(&mut self, map: &mut Map<String, Value>, entries: &[(Rc<Node>, Rc<Node>)]) {
        let mut lines: BTreeMap<String, u32> = BTreeMap::new();
        for (key, value) in entries {
            if is_merge(key) {
                self.merge(map, value);
                continue;
            }
            let Some(name) = self.key(key) else { continue };
            let value = self.value(value);
            match lines.get(&name) {
                Some(_) if self.last_of_equal_keys => drop(map.insert(name, value)),
                Some(&first_line) => self.report(
                    key.at,
                    Problem::DuplicateKey {
                        key: name,
                        first_line,
                    },
                ),
                None => {
                    lines.insert(name.clone(), key.at.line);
                    map.insert(name, value);
                }
            }
        }
    }

    fn merge(&mut self, map: &mut Map<String, Value>, value: &Node) {
        match &value.kind {
            NodeKind::Map { .. } => self.merge_one(map, value),
            NodeKind::Alias(target) if matches!(target.kind, NodeKind::Map { .. }) => {
                self.merge_one(map, value)
            }
            // The first of a list is the strongest, so it comes last.
            NodeKind::List { entries, .. } => {
                for entry in entries.iter().rev() {
                    self.merge_one(map, entry);
                }
            }
            NodeKind::Alias(_) | NodeKind::Scalar { .. } => self.no_merge(value.at),
        }
    }

    fn merge_one(&mut self, map: &mut Map<String, Value>, value: &Node) {
        let is_map = match &value.kind {
            NodeKind::Map { .. } => true,
            NodeKind::Alias(target) => matches!(target.kind, NodeKind::Map { .. }),
            NodeKind::List { .. } | NodeKind::Scalar { .. } => false,
        };
        match self.value(value) {
            Value::Object(merged) if is_map => map.extend(merged),
            // Already reported: a budget or a depth that ran out.
            _ if is_map => {}
            _ => self.no_merge(value.at),
        }
    }

    fn no_merge(&mut self, at: At) {
        self.report(
            at,
            Problem::Alias {
                reason: "the merge key `<<` takes a map or a list of maps".to_owned(),
            },
        );
    }

    fn key(&mut self, node: &Node) -> Option<String> {
        let key = match &node.kind {
            NodeKind::Scalar { text, plain, tag } => {
                scalar::resolve(text, *plain, tag.as_deref()).and_then(scalar::Scalar::into_key)
            }
            NodeKind::Alias(target) => return self.key(target),
            NodeKind::List { .. } | NodeKind::Map { .. } => Err("a key cannot be a map or a list".to_owned()),
        };
        key.map_err(|reason| self.report(node.at, Problem::Value { reason }))
            .ok()
    }

    fn expect_tag(&mut self, at: At, tag: Option<&str>, own: &str, what: &str) {
        match tag {
            None | Some("!") => {}
            Some(tag) if tag == own => {}
            Some(_) => self.report(
                at,
                Problem::Value {
                    reason: format!("the tag does not fit a {what}"),
                },
            ),
        }
    }

    /// Aliases can nest values deeper than the text does.
    fn nested(&mut self, at: At, inner: impl FnOnce(&mut Self) -> Value) -> Value {
        let Some(left) = self.depth_left.checked_sub(1) else {
            self.report(
                at,
                Problem::TooLarge {
                    reason: "aliases nest maps and lists too deeply".to_owned(),
                },
            );
            return Value::Null;
        };
        self.depth_left = left;
        let value = inner(self);
        self.depth_left += 1;
        value
    }

    fn may_go_on(&mut self, at: At) -> bool {
        if self.aliases == 0 {
            return true;
        }
        match self.budget.checked_sub(1) {
            Some(rest) => {
                self.budget = rest;
                true
            }
            None => {
                if !self.exhausted {
                    self.exhausted = true;
                    self.report(
                        at,
                        Problem::TooLarge {
                            reason: "aliases make too much of a little text".to_owned(),
                        },
                    );
                }
                false
            }
        }
    }

    fn report(&mut self, at: At, problem: Problem) {
        self.wrong.push(Wrong { at, problem });
    }
}

fn is_merge(key: &Node) -> bool {
    match &key.kind {
        NodeKind::Scalar { text, plain, tag } => {
            text == "<<" && matches!((plain, tag.as_deref()), (true, None) | (_, Some("!" | "!!merge")))
        }
        NodeKind::List { .. } | NodeKind::Map { .. } | NodeKind::Alias(_) => false,
    }
}
