//! Where in a file a key stands, for what is found to be wrong once the file was decoded.
//!
//! The file is read again: that happens for errors only, and keeps places out of what is decoded.

use crate::decode::{Limits, prepared};
use crate::error::Place;
use crate::parse::{self, At, Node, NodeKind};
use crate::stream;

/// Where a path of keys ends, in the object that begins at a line. None where the file is JSON, or has no such key.
pub(crate) fn within(bytes: &[u8], line: u32, path: &[String]) -> Option<At> {
    let mut found = None;
    each_document(bytes, |lines_before, root| {
        let is_here = |node: &Node| node.at.line.saturating_add(lines_before) == line;
        let items = entry(root, "items").map(|(_, items)| items);
        let items = match items.map(|items| &items.kind) {
            Some(NodeKind::List { entries, .. }) => entries.as_slice(),
            _ => &[],
        };
        let mut objects = std::iter::once(root).chain(items.iter().map(AsRef::as_ref));
        let Some(mut node) = objects.find(|node| is_here(node)) else {
            return;
        };
        for key in path {
            let Some((key, value)) = entry(node, key) else {
                return;
            };
            found = Some(At {
                line: key.at.line.saturating_add(lines_before),
                ..key.at
            });
            node = value;
        }
    });
    found
}

/// Where a key of this name stands first in a file, whatever it is a key of.
#[must_use]
pub fn key(file: &str, bytes: &[u8], name: &str) -> Option<Place> {
    let mut found = None;
    each_document(bytes, |lines_before, root| {
        if let (None, Some(at)) = (&found, anywhere(root, name)) {
            found = Some(Place {
                file: file.to_owned(),
                line: at.line.saturating_add(lines_before),
                column: at.column,
            });
        }
    });
    found
}

fn each_document(bytes: &[u8], mut look: impl FnMut(u32, &Node)) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    for document in stream::parts(text).yaml {
        let text = prepared(document.text);
        if let Ok(Some(root)) = parse::parse(&text, Limits::default().depth) {
            look(document.lines_before, &root);
        }
    }
}

fn entry<'a>(node: &'a Node, name: &str) -> Option<(&'a Node, &'a Node)> {
    let NodeKind::Map { entries, .. } = &node.kind else {
        return None;
    };
    let found = entries.iter().find(|(key, _)| is_named(key, name));
    found.map(|(key, value)| (key.as_ref(), value.as_ref()))
}

fn anywhere(node: &Node, name: &str) -> Option<At> {
    match &node.kind {
        NodeKind::Map { entries, .. } => entries.iter().find_map(|(key, value)| match is_named(key, name) {
            true => Some(key.at),
            false => anywhere(value, name),
        }),
        NodeKind::List { entries, .. } => entries.iter().find_map(|entry| anywhere(entry, name)),
        NodeKind::Scalar { .. } | NodeKind::Alias(_) => None,
    }
}

fn is_named(key: &Node, name: &str) -> bool {
    matches!(&key.kind, NodeKind::Scalar { text, .. } if text == name)
}
