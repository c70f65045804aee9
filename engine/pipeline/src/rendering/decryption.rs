//! Encrypted files of a verified commit, opened before anything is rendered.
//!
//! A renderer is handed a copy in which a placeholder stands for every value, so that neither its answer, nor what is kept of it, nor its
//! errors can have one; [`super::revealing`] puts the values into the objects. Only Helm gets the values themselves, because a template may
//! compute on them: what comes of them is found by the values, and hidden.
//!
//! A file that cannot be opened stays as it is, and is an error as soon as something was rendered of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_model::tree::Tree;
use sluice_model::trust::Verified;
use sluice_render::{RenderErrors, Rendered};
use sluice_sops::{Decrypted, Format, Keys, Placeholder, SopsError, Value, decrypt};

use crate::error::PipelineError;

/// The encrypted files of one rendering.
#[derive(Default)]
pub(super) struct Vault {
    keys: Option<Arc<Keys>>,
    /// Whether the renderer gets the values themselves.
    clear: bool,
    opened: BTreeMap<String, Arc<[u8]>>,
    failed: BTreeMap<String, SopsError>,
    values: BTreeMap<String, Value>,
}

impl Vault {
    /// Without keys nothing is opened.
    pub(super) fn new(keys: Option<Arc<Keys>>, clear: bool) -> Self {
        Self {
            keys,
            clear,
            ..Self::default()
        }
    }

    /// The same files, those that are encrypted opened.
    pub(super) fn open(&mut self, tree: Verified<Tree>) -> Verified<Tree> {
        let Some(keys) = self.keys.clone() else {
            return tree;
        };
        let files = &tree.get().files;
        let encrypted: Vec<(String, Arc<[u8]>, Format)> = files
            .iter()
            .filter_map(|(path, bytes)| Some((path.clone(), Arc::clone(bytes), Format::of(path, bytes)?)))
            .collect();
        if encrypted.is_empty() {
            return tree;
        }
        let mut opened = tree.get().clone();
        for (path, bytes, format) in encrypted {
            if !self.opened.contains_key(&path) && !self.failed.contains_key(&path) {
                match decrypt(format, &bytes, &keys) {
                    Ok(decrypted) => self.keep(&path, decrypted),
                    Err(error) => drop(self.failed.insert(path.clone(), error)),
                }
            }
            if let Some(content) = self.opened.get(&path) {
                opened.files.insert(path, Arc::clone(content));
            }
        }
        // It is of the same commit.
        tree.with(opened).unwrap_or(tree)
    }

    fn keep(&mut self, path: &str, decrypted: Decrypted) {
        let content = if self.clear {
            decrypted.clear
        } else {
            decrypted.opaque
        };
        self.opened.insert(path.to_owned(), content.into());
        let values = decrypted.values.into_iter();
        self.values
            .extend(values.map(|(placeholder, value)| (placeholder.as_str().to_owned(), value)));
    }

    /// The value that a placeholder stands for.
    pub(super) fn value(&self, placeholder: &str) -> Option<&Value> {
        self.values.get(placeholder)
    }

    /// True if something may have to be put in.
    pub(super) fn has_placeholders(&self) -> bool {
        !self.clear && !self.values.is_empty()
    }

    /// The values that the renderer was handed, as texts.
    pub(super) fn handed(&self) -> Vec<String> {
        let values = self.values.values().filter(|_| self.clear);
        values
            .filter(|value| !matches!(value, Value::Bool(_)))
            .filter_map(|value| String::from_utf8(value.bytes()).ok())
            .collect()
    }

    /// True if the renderer was handed values.
    pub(super) fn is_clear(&self) -> bool {
        self.clear && !self.values.is_empty()
    }

    /// The error, if anything was rendered of a file that could not be opened.
    pub(super) fn check(&self, rendered: &Result<Rendered, RenderErrors>) -> Result<(), PipelineError> {
        let is_used = |path: &str| match rendered {
            Ok(rendered) => {
                let is_read = |read: &String| match read.strip_suffix('/') {
                    Some(folder) => sluice_model::tree::below(path, folder).is_some(),
                    None => read.is_empty() || read == path,
                };
                rendered
                    .manifests
                    .iter()
                    .any(|manifest| manifest.origin.file == path)
                    || rendered.read.iter().any(is_read)
            }
            // Which files it got to is not known.
            Err(errors) => errors
                .iter()
                .any(|error| error.place.file == path || error.to_string().contains(path)),
        };
        let used = self.failed.iter().filter(|(path, _)| is_used(path));
        let used: Vec<(String, SopsError)> =
            used.map(|(path, error)| (path.clone(), error.clone())).collect();
        match used.is_empty() {
            true => Ok(()),
            false => Err(PipelineError::Decryption(used)),
        }
    }
}

/// The next placeholder in some bytes: where it begins, and itself.
pub(super) fn next_placeholder(bytes: &[u8]) -> Option<(usize, &str)> {
    let begin = Placeholder::BEGIN.as_bytes();
    let at = bytes.windows(begin.len()).position(|window| window == begin)?;
    let word = bytes.get(at..at + Placeholder::LENGTH)?;
    Some((at, std::str::from_utf8(word).ok()?))
}
