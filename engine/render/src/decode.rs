//! One file's text to manifests.

use std::borrow::Cow;

use serde_json::Value;
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::Object;

use crate::document::Converter;
use crate::error::{Problem, RenderError, RenderErrors};
use crate::parse::{self, At, Node, NodeKind, Wrong};
use crate::stream::{self, Document};

/// How much is read before it is called too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file. etcd takes objects of 1.5 MiB; a bundle of many may be larger.
    pub file_bytes: usize,
    /// Bytes of all files of one application.
    pub total_bytes: usize,
    /// Maps and lists within each other. Kubernetes itself refuses to look deeper than 10,000; schemas of CRDs reach 60.
    pub depth: usize,
    /// Values that aliases may add to one document, so that a few lines cannot become gigabytes.
    pub alias_nodes: usize,
    /// Of a key that is given twice the last one counts, as with Helm, `kubectl` and Argo CD. For what is rendered: a chart is not its
    /// user's to mend.
    pub last_of_equal_keys: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 32 << 20,
            total_bytes: 256 << 20,
            depth: 256,
            alias_nodes: 200_000,
            last_of_equal_keys: false,
        }
    }
}

/// Decodes a stream of YAML documents or JSON values, `List` kinds unpacked, in the order they are written.
///
/// `file` only names the text in places and errors.
///
/// # Errors
/// Everything that is wrong; after a syntax error the next document is read all the same.
pub fn decode(file: &str, bytes: &[u8]) -> Result<Vec<Manifest>, RenderErrors> {
    decode_within(file, bytes, &Limits::default())
}

/// [`decode`] with limits of one's own.
///
/// # Errors
/// As [`decode`].
pub fn decode_within(file: &str, bytes: &[u8], limits: &Limits) -> Result<Vec<Manifest>, RenderErrors> {
    let mut file = File {
        name: file,
        manifests: Vec::new(),
        errors: RenderErrors::default(),
    };
    if bytes.len() > limits.file_bytes {
        let reason = format!("more than {} bytes in one file", limits.file_bytes);
        file.report(
            0,
            Wrong {
                at: START,
                problem: Problem::TooLarge { reason },
            },
        );
        return file.errors.into_result(Vec::new());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let line = bytes.iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        let at = At {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: 0,
        };
        file.report(
            0,
            Wrong {
                at,
                problem: Problem::NotText,
            },
        );
        return file.errors.into_result(Vec::new());
    };
    let parts = stream::parts(text);
    let mut not_json = parts.not_json;
    for (value, at) in parts.json {
        file.take(
            0,
            Found {
                value,
                at,
                items: Vec::new(),
            },
        );
    }
    for Document { lines_before, text } in parts.yaml {
        match document(text, limits) {
            Ok(found) => found.into_iter().for_each(|found| file.take(lines_before, found)),
            // What looks like JSON and is neither is told as what its name says it is.
            Err(_) if file.name.ends_with(".json") && not_json.is_some() => {
                not_json
                    .take()
                    .into_iter()
                    .for_each(|wrong| file.report(0, wrong));
            }
            Err(wrong) => wrong
                .into_iter()
                .for_each(|wrong| file.report(lines_before, wrong)),
        }
    }
    for (lines_before, wrong) in parts.wrong {
        file.report(lines_before, wrong);
    }
    file.errors.into_result(file.manifests)
}

/// Reads a document that is no manifest, such as values of a chart, as Helm does: of a key that is given twice the last one counts.
///
/// # Errors
/// The line that cannot be read. The text may be secret, so no more is told.
pub fn read_values(text: &str) -> Result<Value, u32> {
    let limits = Limits {
        last_of_equal_keys: true,
        ..Limits::default()
    };
    let line = |wrong: Vec<Wrong>| wrong.first().map_or(1, |wrong| wrong.at.line);
    let text = text.strip_prefix("---\n").unwrap_or(text);
    let found = document(text, &limits).map_err(line)?;
    Ok(found.map_or(Value::Null, |found| found.value))
}

const START: At = At { line: 1, column: 1 };

/// A document as JSON, with the places of the document and of what is in its `items`.
struct Found {
    value: Value,
    at: At,
    items: Vec<At>,
}

/// Decodes the text of one document; none where it is empty.
fn document(text: &str, limits: &Limits) -> Result<Option<Found>, Vec<Wrong>> {
    let text = prepared(text);
    if let Some(wrong) = control_character(&text) {
        return Err(vec![wrong]);
    }
    let Some(root) = parse::parse(&text, limits.depth).map_err(|wrong| vec![wrong])? else {
        return Ok(None);
    };
    let mut converter = Converter::new(limits);
    let value = converter.value(&root);
    if converter.wrong.is_empty() {
        let (at, items) = (root.at, items(&root));
        return Ok(Some(Found { value, at, items }));
    }
    let mut wrong = converter.wrong;
    // What stands in an anchor is found again with every alias of it.
    wrong.sort_by_key(|wrong| (wrong.at.line, wrong.at.column));
    wrong.dedup_by(|a, b| a.at == b.at && a.problem == b.problem);
    Err(wrong)
}

/// As `kubectl` hands it to its parser: without a byte order mark, line breaks of Windows as those of Unix, and the last line
/// ended.
pub(crate) fn prepared(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains("\r\n") || !text.ends_with('\n') {
        let mut text = text.replace("\r\n", "\n");
        if !text.ends_with('\n') {
            text.push('\n');
        }
        return text.into();
    }
    text.into()
}

/// The first character that YAML does not allow in a text at all, or that ends a line to some readers and not to others:
/// U+0085, U+2028 and U+2029 do in YAML 1.1 (§4.2), which `kubectl` reads, and don't in YAML 1.2 (§5.4).
fn control_character(text: &str) -> Option<Wrong> {
    let allowed = |c: char| match c {
        '\t' | '\n' | '\r' => true,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}' => false,
        c => !c.is_control(),
    };
    let (line, text) = text
        .lines()
        .enumerate()
        .find(|(_, line)| !line.chars().all(allowed))?;
    let column = text.chars().position(|c| !allowed(c))?;
    let character = text.chars().nth(column)?;
    let clamp = |number: usize| u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX);
    let code = u32::from(character);
    let reason = match character {
        '\u{85}' | '\u{2028}' | '\u{2029}' => {
            format!(
                "the character U+{code:04X} ends a line to some and not to others; write `\\u{code:04x}` in double quotes"
            )
        }
        '\u{feff}' => {
            "a byte order mark (U+FEFF) within a document; remove it, or write `\\ufeff` in double quotes"
                .to_owned()
        }
        _ => format!("the character U+{code:04X} is not allowed"),
    };
    Some(Wrong {
        at: At {
            line: clamp(line),
            column: clamp(column),
        },
        problem: Problem::Syntax { reason },
    })
}

/// Where the entries of a root's `items` stand.
fn items(root: &Node) -> Vec<At> {
    let NodeKind::Map { entries, .. } = &root.kind else {
        return Vec::new();
    };
    let items = entries
        .iter()
        .find(|(key, _)| matches!(&key.kind, NodeKind::Scalar { text, .. } if text == "items"));
    match items.map(|(_, value)| &value.kind) {
        Some(NodeKind::List { entries, .. }) => entries.iter().map(|entry| entry.at).collect(),
        Some(NodeKind::Map { .. } | NodeKind::Scalar { .. } | NodeKind::Alias(_)) | None => Vec::new(),
    }
}

/// What has been read of one file.
struct File<'a> {
    name: &'a str,
    manifests: Vec<Manifest>,
    errors: RenderErrors,
}

/// Lists within lists: no manifest has them, and a few are enough.
const LIST_DEPTH: usize = 4;

impl File<'_> {
    fn report(&mut self, lines_before: u32, wrong: Wrong) {
        let Wrong { at, mut problem } = wrong;
        if let Problem::DuplicateKey { first_line, .. } = &mut problem
            && *first_line > 0
        {
            *first_line = first_line.saturating_add(lines_before);
        }
        let line = at.line.saturating_add(lines_before);
        self.errors
            .push(RenderError::at(self.name, line, at.column, problem));
    }

    fn take(&mut self, lines_before: u32, found: Found) {
        let Found { value, at, items } = found;
        if !value.is_null() {
            self.object(
                value,
                At {
                    line: at.line.saturating_add(lines_before),
                    ..at
                },
                LIST_DEPTH,
                &|index| {
                    items.get(index).map(|at| At {
                        line: at.line.saturating_add(lines_before),
                        ..*at
                    })
                },
            );
        }
    }

    /// Takes an object, or the objects of a list.
    fn object(&mut self, mut value: Value, at: At, depth: usize, item_at: &dyn Fn(usize) -> Option<At>) {
        let not_an_object = |reason: String| Wrong {
            at,
            problem: Problem::NotAnObject { reason },
        };
        let entries = match list_entries(&mut value) {
            Ok(entries) => entries,
            Err(reason) => return self.report(0, not_an_object(reason.to_owned())),
        };
        let Some(entries) = entries else {
            match Object::new(value) {
                // `kubectl` refuses it; everything after the first slash would be the version here.
                Ok(object) if object.version().contains('/') => {
                    let reason = "a document is no Kubernetes object: `apiVersion` has more than one `/`";
                    self.report(0, not_an_object(reason.to_owned()));
                }
                Ok(object) => {
                    let origin = Origin {
                        file: self.name.to_owned(),
                        line: at.line,
                    };
                    self.manifests.push(Manifest { object, origin });
                }
                Err(missing) => {
                    let reason = format!("a document is no Kubernetes object: {missing}");
                    self.report(0, not_an_object(reason));
                }
            }
            return;
        };
        if depth == 0 {
            let reason = format!("more than {LIST_DEPTH} lists within each other");
            return self.report(
                0,
                Wrong {
                    at,
                    problem: Problem::TooLarge { reason },
                },
            );
        }
        for (index, entry) in entries.into_iter().enumerate() {
            let at = item_at(index).unwrap_or(at);
            self.object(entry, at, depth - 1, &|_| None);
        }
    }
}

/// The entries of a `List` or of a list of one kind, such as `ConfigMapList`, whose entries may leave out what kind they
/// are of. None for anything else.
fn list_entries(value: &mut Value) -> Result<Option<Vec<Value>>, &'static str> {
    let Some(map) = value.as_object_mut() else {
        return Ok(None);
    };
    let text = |key: &str| {
        map.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let of = kind.strip_suffix("List");
    let untyped = of == Some("") && api_version == "v1";
    let mut entries = match (of, map.get_mut("items")) {
        (Some(_), Some(Value::Array(entries))) => std::mem::take(entries),
        (Some(_), Some(Value::Null)) => Vec::new(),
        (_, None) if untyped => Vec::new(),
        (_, None) => return Ok(None),
        (_, Some(_)) => return Err(NO_LIST),
    };
    let of = of.unwrap_or_default();
    for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
        if !of.is_empty() {
            entry
                .entry("apiVersion")
                .or_insert_with(|| api_version.as_str().into());
            entry.entry("kind").or_insert_with(|| of.into());
        }
    }
    Ok(Some(entries))
}

const NO_LIST: &str =
    "a document has `items` and is no list of objects; `kubectl` takes it for one, whatever its kind";

#[cfg(test)]
mod tests;
