//! A whole file: read, opened, and written in its two ways.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize as _;

use crate::error::SopsError;
use crate::format::{Format, is_key};
use crate::keys::Keys;
use crate::metadata::Metadata;
use crate::placeholder::{Placeholder, Value};
use crate::tree::Node;
use crate::walk::{Found, Walked, walk};

/// A larger file is refused: what it would become fits into no Secret.
const FILE_BYTES: usize = 4 << 20;
/// So many documents are read of one file, at most.
const DOCUMENTS: usize = 1_000;

/// A file that was opened, and whose MAC is right. `Debug` shows no value.
#[derive(Clone)]
pub struct Decrypted {
    /// The file as it is, with a placeholder for every value.
    pub opaque: Vec<u8>,
    /// The file as SOPS decrypts it, but for the way in which texts are quoted, and comments.
    pub clear: Vec<u8>,
    /// What the placeholders stand for.
    pub values: BTreeMap<Placeholder, Value>,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Decrypted({} values)", self.values.len())
    }
}

/// Opens an encrypted file.
///
/// # Errors
/// If it is not what SOPS writes, if no key opens it, or if anything in it is not what was encrypted.
pub fn decrypt(format: Format, bytes: &[u8], keys: &Keys) -> Result<Decrypted, SopsError> {
    if bytes.len() > FILE_BYTES {
        return Err(SopsError::malformed("it is more than 4 MiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SopsError::malformed("it is no text"))?;
    match format {
        Format::Yaml => yaml(text, keys),
        Format::Json => json(text, keys),
        Format::Binary => binary(text, keys),
        Format::Dotenv => dotenv(text, keys),
        Format::Ini => Err(SopsError::unsupported("as an INI file")),
    }
}

/// Opens what was read. The metadata are those of the first document.
fn open(mut documents: Vec<Node>, keys: &Keys) -> Result<Walked, SopsError> {
    let mut sops = None;
    for (index, document) in documents.iter_mut().enumerate() {
        if let Node::Map(entries) = document {
            let (own, rest) = std::mem::take(entries)
                .into_iter()
                .partition(|(name, _)| name == "sops");
            *entries = rest;
            if index == 0 {
                sops = Vec::into_iter(own).next();
            }
        }
    }
    let (_, sops) = sops.ok_or_else(|| SopsError::malformed("its first document has no `sops`"))?;
    let metadata = Metadata::read(&sops)?;
    let key = keys.open(&metadata)?;
    walk(&documents, &metadata, &key)
}

fn yaml(text: &str, keys: &Keys) -> Result<Decrypted, SopsError> {
    let read = documents(text).ok_or_else(|| SopsError::malformed("it cannot be read as YAML"))?;
    let walked = open(read, keys)?;
    let bare = without_metadata(text);
    // What was written in place has to be what was decrypted when it is read again, or the file is written anew.
    let opaque = replaced(&bare, &walked.found, &quoted_placeholder);
    let in_place = documents(&opaque).is_some_and(|read| read == walked.opaque);
    let written = |put: &dyn Fn(&Found) -> String| match in_place {
        true => replaced(&bare, &walked.found, put),
        false => anew(&walked, put),
    };
    Ok(finished(
        written(&quoted_placeholder),
        written(&literal),
        &walked.found,
    ))
}

fn json(text: &str, keys: &Keys) -> Result<Decrypted, SopsError> {
    let document =
        serde_json::from_str(text).map_err(|_| SopsError::malformed("it cannot be read as JSON"))?;
    let walked = open(vec![document], keys)?;
    let written = |put: &dyn Fn(&Found) -> String| anew(&walked, put);
    Ok(finished(
        written(&quoted_placeholder),
        written(&literal),
        &walked.found,
    ))
}

fn binary(text: &str, keys: &Keys) -> Result<Decrypted, SopsError> {
    let document =
        serde_json::from_str(text).map_err(|_| SopsError::malformed("it cannot be read as JSON"))?;
    let walked = open(vec![document], keys)?;
    let data = walked
        .opaque
        .first()
        .and_then(|document| document.get("data")?.text().map(str::to_owned));
    let data = data.ok_or_else(|| SopsError::malformed("it has no `data`"))?;
    let clear = match walked
        .found
        .iter()
        .find(|found| found.placeholder.as_str() == data)
    {
        Some(found) => found.value.bytes(),
        // An empty file.
        None => data.clone().into_bytes(),
    };
    Ok(Decrypted {
        opaque: data.into_bytes(),
        clear,
        values: values(&walked.found),
    })
}

/// Lines of `NAME=value`, in which `\n` stands for a line's end.
fn dotenv(text: &str, keys: &Keys) -> Result<Decrypted, SopsError> {
    let (mut entries, mut sops, mut rest) = (Vec::new(), Vec::new(), String::new());
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            rest.push_str(&format!("{line}\n"));
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| SopsError::malformed("a line in it is no `NAME=value`"))?;
        let node = Node::Text(value.replace("\\n", "\n"));
        match name.strip_prefix("sops_") {
            Some(name) => sops.push((name, node)),
            None => {
                rest.push_str(&format!("{line}\n"));
                entries.push((name.to_owned(), node));
            }
        }
    }
    entries.push(("sops".to_owned(), unflattened(sops)?));
    let walked = open(vec![Node::Map(entries)], keys)?;
    let escaped = |found: &Found| match &found.value {
        Value::Text(text) => text.replace('\n', "\\n"),
        value @ (Value::Bytes(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            String::from_utf8_lossy(&value.bytes()).into_owned()
        }
    };
    let opaque = replaced(&rest, &walked.found, &|found| {
        found.placeholder.as_str().to_owned()
    });
    let clear = replaced(&rest, &walked.found, &escaped);
    let mut decrypted = finished(opaque, clear, &walked.found);
    for found in &walked.found {
        decrypted
            .values
            .insert(found.placeholder.clone(), Value::Text(escaped(found)));
    }
    Ok(decrypted)
}

/// `age__list_0__map_enc` and the like, as they were.
fn unflattened(flat: Vec<(&str, Node)>) -> Result<Node, SopsError> {
    let mut sops: Vec<(String, Node)> = Vec::new();
    for (name, value) in flat {
        let Some((list, rest)) = name.split_once("__list_") else {
            sops.push((name.to_owned(), value));
            continue;
        };
        let entry = rest.split_once("__map_");
        let entry = entry.and_then(|(index, field)| Some((index.parse::<usize>().ok()?, field)));
        let (index, field) = entry.ok_or_else(|| SopsError::malformed("its metadata cannot be read"))?;
        if !sops.iter().any(|(known, _)| known == list) {
            sops.push((list.to_owned(), Node::List(Vec::new())));
        }
        if let Some((_, Node::List(entries))) = sops.iter_mut().find(|(known, _)| known == list) {
            if index > entries.len() {
                return Err(SopsError::malformed("its metadata cannot be read"));
            }
            if index == entries.len() {
                entries.push(Node::Map(Vec::new()));
            }
            if let Some(Node::Map(fields)) = entries.get_mut(index) {
                fields.push((field.to_owned(), value));
            }
        }
    }
    Ok(Node::Map(sops))
}

fn finished(opaque: String, clear: String, found: &[Found]) -> Decrypted {
    Decrypted {
        opaque: opaque.into_bytes(),
        clear: clear.into_bytes(),
        values: values(found),
    }
}

fn values(found: &[Found]) -> BTreeMap<Placeholder, Value> {
    let values = found
        .iter()
        .map(|found| (found.placeholder.clone(), found.value.clone()));
    values.collect()
}

fn quoted_placeholder(found: &Found) -> String {
    format!("\"{}\"", found.placeholder.as_str())
}

/// A value as YAML and JSON alike write it.
fn literal(found: &Found) -> String {
    let json = found.value.json().unwrap_or_default();
    match (&found.value, &json) {
        // YAML has the rare line ends escaped, too.
        (Value::Text(_), json) => {
            let rare = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'];
            json.to_string().chars().fold(String::new(), |mut text, c| {
                match rare.contains(&c) || (c.is_control() && c != '\n') {
                    true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                    false => text.push(c),
                }
                text
            })
        }
        (Value::Float(number), serde_json::Value::Null) => match number.is_nan() {
            true => ".nan".to_owned(),
            false if *number > 0.0 => ".inf".to_owned(),
            false => "-.inf".to_owned(),
        },
        (_, json) => json.to_string(),
    }
}

/// The text with something else for every encrypted value, and for the quotes around it.
fn replaced(text: &str, found: &[Found], put: &dyn Fn(&Found) -> String) -> String {
    let by_text: BTreeMap<&str, &Found> = found
        .iter()
        .map(|found| (found.encrypted.as_str(), found))
        .collect();
    let (mut written, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("ENC[AES256_GCM,") {
        let (before, from) = rest.split_at(start);
        let end = from.find(']').map_or(from.len(), |end| end + 1);
        let (value, after) = from.split_at(end);
        match by_text.get(value) {
            None => {
                written.push_str(before);
                written.push_str(value);
                rest = after;
            }
            Some(found) => {
                let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
                let quote = quote.filter(|quote| after.starts_with(*quote));
                let before = quote
                    .and_then(|quote| before.strip_suffix(quote))
                    .unwrap_or(before);
                written.push_str(before);
                written.push_str(&put(found));
                rest = quote.and_then(|quote| after.strip_prefix(quote)).unwrap_or(after);
            }
        }
    }
    written.push_str(rest);
    written
}

/// The text of YAML without its top-level `sops`, whose lines stay as empty ones.
fn without_metadata(text: &str) -> String {
    let mut within = false;
    let mut written = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let is_inner = line.starts_with([' ', '\t', '\r', '\n', '-']) && !line.starts_with("---");
        within = is_key(line.trim_end_matches(['\n', '\r']), "sops") || (within && is_inner);
        written.push_str(if within { "\n" } else { line });
    }
    written
}

/// All documents; none if it cannot be read.
fn documents(text: &str) -> Option<Vec<Node>> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text).take(DOCUMENTS + 1) {
        documents.push(Node::deserialize(document).ok()?);
    }
    (documents.len() <= DOCUMENTS).then_some(documents)
}

/// The documents, each written anew: as JSON, which is YAML too.
fn anew(walked: &Walked, put: &dyn Fn(&Found) -> String) -> String {
    let mut text = String::new();
    for (index, document) in walked.opaque.iter().enumerate() {
        if index > 0 {
            text.push_str("\n---\n");
        }
        text.push_str(&serde_json::to_string_pretty(document).unwrap_or_default());
    }
    for found in &walked.found {
        text = text.replace(&quoted_placeholder(found), &put(found));
    }
    text.push('\n');
    text
}
