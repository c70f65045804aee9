//! An archive of a chart or of manifests: known by its digest, unpacked in memory, with bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sluice_model::tree::{Link, Revision, Tree, below};
use tar::EntryType;

use crate::error::ChartError;
use crate::version::Version;

/// Larger archives are not fetched.
pub const ARCHIVE_BYTES: u64 = 50 << 20;
/// Larger provenance files are not fetched: they have a `Chart.yaml` and a signature.
pub const PROVENANCE_BYTES: u64 = 1 << 20;
/// So much an archive may hold, unpacked; Helm has the same bound.
const UNPACKED_BYTES: u64 = 100 << 20;
/// So large one file may be.
const FILE_BYTES: u64 = 10 << 20;
/// So many entries, at most.
const ENTRIES: usize = 20_000;
/// So much more than packed an archive may hold: text packs to a tenth.
const RATIO: u64 = 200;
/// Below it the ratio says nothing.
const RATIO_FROM: u64 = 4 << 20;
/// So long a path may be, and so deep.
const PATH_BYTES: usize = 1_024;
const DEPTH: usize = 64;
/// How a `Chart.yaml` is read to its end, at most.
const CHART_FILE: &str = "Chart.yaml";

/// What an archive is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A chart, in a folder of its name.
    Chart,
    /// Manifests, or a kustomization.
    Files,
}

/// An archive, byte for byte, with what was fetched beside it. It cannot be changed.
#[derive(Clone)]
pub struct Archive {
    digest: String,
    bytes: Arc<[u8]>,
    kind: Kind,
    provenance: Option<Arc<[u8]>>,
}

/// An archive's files, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// By path, from the archive's root.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// Symbolic links within it, by path, as they are written.
    links: BTreeMap<String, String>,
}

/// What a chart says it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl fmt::Debug for Archive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Archive")
            .field("digest", &self.digest)
            .field("bytes", &self.bytes.len())
            .field("kind", &self.kind)
            .field("has_provenance", &self.provenance.is_some())
            .finish()
    }
}

impl Archive {
    /// Takes the bytes of an archive, and its provenance file if there is one.
    #[must_use]
    pub fn new(kind: Kind, bytes: Arc<[u8]>, provenance: Option<Arc<[u8]>>) -> Self {
        Self {
            digest: digest_of(&bytes),
            bytes,
            kind,
            provenance,
        }
    }

    /// Returns the SHA-256 of its bytes, 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Returns what it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns its provenance file, as it came.
    #[must_use]
    pub fn provenance(&self) -> Option<&Arc<[u8]>> {
        self.provenance.as_ref()
    }

    /// Unpacks it. `name` is what messages call it.
    ///
    /// # Errors
    /// [`ChartError::Archive`], [`ChartError::Hostile`], [`ChartError::TooLarge`].
    pub fn unpack(&self, name: &str) -> Result<Unpacked, ChartError> {
        unpack(name, &self.bytes)
    }
}

/// The SHA-256 of bytes, 64 hexadecimal digits.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Unpacks a tar, packed by gzip or not.
///
/// # Errors
/// [`ChartError::Archive`], [`ChartError::Hostile`], [`ChartError::TooLarge`].
pub fn unpack(name: &str, bytes: &[u8]) -> Result<Unpacked, ChartError> {
    let broken = |reason: String| ChartError::Archive {
        name: name.to_owned(),
        reason,
    };
    let too_large = |what: &str, limit: String| ChartError::TooLarge {
        what: format!("{what} of the archive {name}"),
        limit,
    };
    let tar = inflated(name, bytes)?;
    let mut unpacked = Unpacked {
        files: BTreeMap::new(),
        links: BTreeMap::new(),
    };
    let mut archive = tar::Archive::new(tar.as_slice());
    let entries = archive.entries().map_err(|error| broken(error.to_string()))?;
    for (number, entry) in entries.enumerate() {
        if number >= ENTRIES {
            return Err(too_large("the list", format!("{ENTRIES} entries")));
        }
        let mut entry = entry.map_err(|error| broken(error.to_string()))?;
        let written = entry.path_bytes().into_owned();
        let hostile = |reason: &'static str| ChartError::Hostile {
            name: name.to_owned(),
            entry: format!(
                "{:?}",
                String::from_utf8_lossy(&written)
                    .chars()
                    .take(200)
                    .collect::<String>()
            ),
            reason,
        };
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            continue;
        }
        let path = clean(&written).map_err(hostile)?;
        match kind {
            EntryType::Directory => {}
            EntryType::Regular | EntryType::Continuous => {
                if path.is_empty() {
                    return Err(hostile("a file has no name"));
                }
                if entry.size() > FILE_BYTES {
                    return Err(too_large(
                        &format!("the file {path:?}"),
                        format!("{FILE_BYTES} bytes"),
                    ));
                }
                let mut content = Vec::new();
                entry
                    .read_to_end(&mut content)
                    .map_err(|error| broken(error.to_string()))?;
                let known = unpacked.files.insert(path.clone(), content.into());
                if known.is_some() || unpacked.links.contains_key(&path) {
                    return Err(hostile(
                        "it is there twice, and readers differ in which one counts",
                    ));
                }
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().map(|target| target.into_owned());
                let target = target.ok_or_else(|| hostile("a link leads nowhere"))?;
                let to = resolved(&path, &target).map_err(hostile)?;
                if unpacked.files.contains_key(&path) || unpacked.links.insert(path, to).is_some() {
                    return Err(hostile(
                        "it is there twice, and readers differ in which one counts",
                    ));
                }
            }
            EntryType::Link => return Err(hostile("it is a hard link")),
            _ => return Err(hostile("it is neither a file nor a folder")),
        }
    }
    if unpacked.files.is_empty() {
        return Err(broken("it holds no file".to_owned()));
    }
    let is_within_a_file = unpacked.files.keys().chain(unpacked.links.keys()).find(|path| {
        parents(path).any(|folder| unpacked.files.contains_key(folder) || unpacked.links.contains_key(folder))
    });
    if let Some(path) = is_within_a_file {
        return Err(ChartError::Hostile {
            name: name.to_owned(),
            entry: format!("{path:?}"),
            reason: "it lies within a file or behind a link",
        });
    }
    Ok(unpacked)
}

/// The tar in an archive, never more of it than is allowed.
fn inflated(name: &str, bytes: &[u8]) -> Result<Vec<u8>, ChartError> {
    let packed = bytes.len() as u64;
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
    let allowed = match is_packed {
        true => UNPACKED_BYTES.min(packed.saturating_mul(RATIO).max(RATIO_FROM)),
        false => UNPACKED_BYTES,
    };
    let mut tar = Vec::new();
    let read = match is_packed {
        true => MultiGzDecoder::new(bytes).take(allowed + 1).read_to_end(&mut tar),
        false => bytes.take(allowed + 1).read_to_end(&mut tar),
    };
    read.map_err(|error| ChartError::Archive {
        name: name.to_owned(),
        reason: format!("it is no gzip, or it is cut off: {error}"),
    })?;
    if tar.len() as u64 > allowed {
        return Err(ChartError::TooLarge {
            what: format!("what is in the archive {name}"),
            limit: match allowed {
                UNPACKED_BYTES => format!("{UNPACKED_BYTES} bytes"),
                _ => format!("{RATIO} times its {packed} bytes"),
            },
        });
    }
    Ok(tar)
}

/// A path as it is written in an archive, without `.` and slashes at its ends; why it is dangerous otherwise.
fn clean(written: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(written).map_err(|_| "its name is not UTF-8")?;
    if text.len() > PATH_BYTES {
        return Err("its name is too long");
    }
    if text.starts_with('/') {
        return Err("its path is absolute");
    }
    if text.contains('\\') {
        return Err("its path has a backslash, which some take for a slash");
    }
    if text.chars().any(char::is_control) {
        return Err("its name has control characters");
    }
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err("its path leads out of the archive");
    }
    if parts.first().is_some_and(|first| first.ends_with(':')) {
        return Err("its path begins with a drive");
    }
    if parts.len() > DEPTH {
        return Err("it is too deep");
    }
    Ok(parts.join("/"))
}

/// Where a symbolic link leads to, from the archive's root.
fn resolved(link: &str, target: &[u8]) -> Result<String, &'static str> {
    let target = std::str::from_utf8(target).map_err(|_| "its target is not UTF-8")?;
    if target.starts_with('/') || target.contains('\\') || target.chars().any(char::is_control) {
        return Err("a link leads out of the archive");
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or("a link leads out of the archive")?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// The folders that a path is in.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .map(|(index, _)| path.get(..index).unwrap_or_default())
}

impl Unpacked {
    /// Returns the folder of the chart, which is the archive's only one, and what its `Chart.yaml` says.
    ///
    /// # Errors
    /// [`ChartError::Archive`] if it is no chart.
    pub fn chart(&self, name: &str) -> Result<(String, Metadata), ChartError> {
        let broken = |reason: String| ChartError::Archive {
            name: name.to_owned(),
            reason,
        };
        let mut folders = self
            .files
            .keys()
            .chain(self.links.keys())
            .map(|path| path.split_once('/').map(|(folder, _)| folder));
        let first = folders.next().flatten();
        let folder = first.filter(|first| folders.all(|folder| folder == Some(*first)));
        let folder =
            folder.ok_or_else(|| broken("a chart's archive holds one folder, of the chart".to_owned()))?;
        let text = self
            .files
            .get(&format!("{folder}/{CHART_FILE}"))
            .ok_or_else(|| broken(format!("there is no {CHART_FILE} in it")))?;
        if !self.links.is_empty() {
            return Err(broken(
                "a chart's archive holds no links: `helm package` follows them".to_owned(),
            ));
        }
        let metadata: Metadata = serde_yaml::from_slice(text)
            .map_err(|_| broken(format!("its {CHART_FILE} has no `name` and `version`")))?;
        if Version::read(&metadata.version).is_none() {
            return Err(broken(format!("the `version` of its {CHART_FILE} is none")));
        }
        Ok((folder.to_owned(), metadata))
    }

    /// Returns the files of a folder, of the revision that the archive is. None if there is no such folder.
    #[must_use]
    pub fn tree(&self, revision: &Revision, path: &str) -> Option<Tree> {
        let path = path.trim_matches('/');
        let files: BTreeMap<_, _> = self
            .files
            .iter()
            .filter(|(name, _)| below(name, path).is_some())
            .map(|(name, content)| (name.clone(), Arc::clone(content)))
            .collect();
        let skipped: Vec<String> = self
            .links
            .keys()
            .filter(|name| below(name, path).is_some())
            .cloned()
            .collect();
        let links = skipped.iter().filter_map(|name| {
            let to = self.links.get(name)?;
            let is_folder = || {
                let inside = |file: &String| below(file, to).is_some_and(|rest| !rest.is_empty());
                self.files.keys().any(inside)
            };
            match self.files.contains_key(to) {
                true => Some((
                    name.clone(),
                    Link {
                        to: to.clone(),
                        is_folder: false,
                    },
                )),
                false if is_folder() => Some((
                    name.clone(),
                    Link {
                        to: to.clone(),
                        is_folder: true,
                    },
                )),
                false => None,
            }
        });
        let tree = Tree {
            revision: revision.clone(),
            path: path.to_owned(),
            links: links.collect(),
            files,
            skipped,
            submodules: Vec::new(),
        };
        (!tree.files.is_empty() || !tree.links.is_empty()).then_some(tree)
    }
}

#[cfg(test)]
#[path = "archive/tests.rs"]
mod tests;
