//! Reads the files of one folder of one commit into memory.
//!
//! A tree object is a claim by anybody who could push. Names are checked before anything is done with them, sizes before
//! anything is inflated, and the number of folders as well as of files is bounded: thirty folders that each hold the
//! next one twice are a billion paths in four kilobytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice as _};
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};
use sluice_model::tree::{Link, Revision, Tree};

use crate::error::SourceError;
use crate::repository::{Reader, Repository};

/// No project nests folders deeper; Git's own limit is 2048.
pub(crate) const DEPTH: usize = 128;
/// One folder of a hundred thousand entries.
pub(crate) const TREE_OBJECT_BYTES: u64 = 16 << 20;

/// The longest path that a system takes.
const LINK_BYTES: u64 = 4096;
/// Links to links that are followed to find out what they are.
const LINKS: usize = 8;

/// How much of a folder is read into memory.
#[derive(Debug, Clone, Copy)]
pub struct TreeLimits {
    /// Files, folders, symbolic links and submodules.
    pub entries: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

impl Default for TreeLimits {
    fn default() -> Self {
        // Ten times what the largest published GitOps monorepos keep in one application's folder.
        Self {
            entries: 50_000,
            bytes: 256 << 20,
        }
    }
}

impl Repository {
    /// All files below `path` of a revision's tree. An empty path or `.` is the root.
    ///
    /// # Errors
    /// [`SourceError::UnknownPath`], [`SourceError::NotAFolder`], [`SourceError::HostileName`],
    /// [`SourceError::TooLarge`], [`SourceError::Object`]
    pub fn tree(&self, revision: &Revision, path: &str, limits: &TreeLimits) -> Result<Tree, SourceError> {
        self.read(|reader| {
            let unknown = || SourceError::UnknownPath {
                path: path.to_owned(),
                commit: revision.commit.clone(),
            };
            let mut folder = String::new();
            let mut current = reader.id(&revision.tree)?;
            for component in path
                .split('/')
                .filter(|component| !component.is_empty() && *component != ".")
            {
                let bytes = reader.read(current, Kind::Tree, TREE_OBJECT_BYTES)?;
                let entries = entries(reader, current, &bytes)?;
                let entry = entries
                    .iter()
                    .find(|entry| entry.name == component)
                    .ok_or_else(unknown)?;
                let not_a_folder = |what| SourceError::NotAFolder {
                    path: path.to_owned(),
                    commit: revision.commit.clone(),
                    what,
                };
                current = match entry.kind {
                    EntryKind::Tree => entry.id,
                    EntryKind::Blob | EntryKind::BlobExecutable => return Err(not_a_folder("a file")),
                    EntryKind::Link => return Err(not_a_folder("a symbolic link")),
                    EntryKind::Commit => return Err(not_a_folder("a submodule")),
                };
                folder = join(&folder, component);
            }
            let mut walk = Walk::of(reader, revision, limits)?;
            walk.folder(current, &folder, 0)?;
            Ok(walk.tree(revision, folder))
        })
    }

    /// What is at `path` of a revision's tree: a file, or all files below a folder. Symbolic links in the way are followed within the
    /// revision; the tree's own path says where they led. None if there is nothing.
    ///
    /// # Errors
    /// [`SourceError::HostileName`], [`SourceError::TooLarge`], [`SourceError::Object`]
    pub fn at(
        &self,
        revision: &Revision,
        path: &str,
        limits: &TreeLimits,
    ) -> Result<Option<Tree>, SourceError> {
        self.read(|reader| {
            let mut walk = Walk::of(reader, revision, limits)?;
            let Some((found, kind, id)) = walk.find(path, LINKS)? else {
                return Ok(None);
            };
            match kind {
                EntryKind::Tree => walk.folder(id, &found, 0)?,
                EntryKind::Blob | EntryKind::BlobExecutable => walk.file(id, found.clone())?,
                EntryKind::Link | EntryKind::Commit => return Ok(None),
            }
            Ok(Some(walk.tree(revision, found)))
        })
    }
}

struct Walk<'a> {
    reader: &'a Reader,
    commit: &'a str,
    limits: &'a TreeLimits,
    entries: usize,
    bytes: u64,
    files: BTreeMap<String, Arc<[u8]>>,
    skipped: Vec<String>,
    submodules: Vec<String>,
    links: BTreeMap<String, Link>,
    /// Where links lead to is looked up from here.
    root: ObjectId,
    /// The same content in two places is read and kept once.
    seen: BTreeMap<ObjectId, Arc<[u8]>>,
}

impl<'a> Walk<'a> {
    fn of(reader: &'a Reader, revision: &'a Revision, limits: &'a TreeLimits) -> Result<Self, SourceError> {
        Ok(Self {
            reader,
            commit: &revision.commit,
            limits,
            entries: 0,
            bytes: 0,
            files: BTreeMap::new(),
            skipped: Vec::new(),
            submodules: Vec::new(),
            links: BTreeMap::new(),
            root: reader.id(&revision.tree)?,
            seen: BTreeMap::new(),
        })
    }

    fn tree(self, revision: &Revision, path: String) -> Tree {
        Tree {
            revision: revision.clone(),
            path,
            files: self.files,
            skipped: self.skipped,
            submodules: self.submodules,
            links: self.links,
        }
    }

    /// The entry that a path leads to, and its own path; `left` links are followed.
    fn find(&self, path: &str, left: usize) -> Result<Option<(String, EntryKind, ObjectId)>, SourceError> {
        let components: Vec<&str> = path
            .split('/')
            .filter(|component| !component.is_empty() && *component != ".")
            .collect();
        let mut at = (String::new(), EntryKind::Tree, self.root);
        for (place, component) in components.iter().enumerate() {
            if at.1 != EntryKind::Tree {
                return Ok(None);
            }
            let bytes = self.reader.read(at.2, Kind::Tree, TREE_OBJECT_BYTES)?;
            let found = entries(self.reader, at.2, &bytes)?;
            let Some(entry) = found.into_iter().find(|entry| entry.name == *component) else {
                return Ok(None);
            };
            if entry.kind == EntryKind::Link {
                let target = match left {
                    0 => None,
                    left => self.target(entry.id, &at.0, left - 1)?,
                };
                let rest = components.get(place + 1..).unwrap_or_default();
                let Some(link) = target else { return Ok(None) };
                let on = rest
                    .iter()
                    .fold(link.to, |path, component| join(&path, component));
                return self.find(&on, left - 1);
            }
            at = (join(&at.0, component), entry.kind, entry.id);
        }
        Ok(Some(at))
    }

    fn folder(&mut self, id: ObjectId, path: &str, depth: usize) -> Result<(), SourceError> {
        if depth > DEPTH {
            return Err(self.too_large(path, format!("{DEPTH} folders in each other")));
        }
        let bytes = self.reader.read(id, Kind::Tree, TREE_OBJECT_BYTES)?;
        let mut before: Option<String> = None;
        for entry in entries(self.reader, id, &bytes)? {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(self.too_large(path, format!("{} files and folders", self.limits.entries)));
            }
            let name = match entry.name.to_str() {
                Ok(name) if is_harmless(entry.name) && before.as_deref() != Some(name) => name,
                _ => {
                    return Err(SourceError::HostileName {
                        commit: self.commit.to_owned(),
                        folder: path.to_owned(),
                        name: entry.name.to_str_lossy().escape_debug().to_string(),
                    });
                }
            };
            before = Some(name.to_owned());
            let full = join(path, name);
            match entry.kind {
                EntryKind::Tree => self.folder(entry.id, &full, depth + 1)?,
                EntryKind::Blob | EntryKind::BlobExecutable => self.file(entry.id, full)?,
                EntryKind::Link => {
                    if let Some(link) = self.target(entry.id, path, LINKS)? {
                        self.links.insert(full.clone(), link);
                    }
                    self.skipped.push(full);
                }
                EntryKind::Commit => {
                    self.submodules.push(full.clone());
                    self.skipped.push(full);
                }
            }
        }
        Ok(())
    }

    /// The file or folder of this commit that a symbolic link leads to; `folder` is where it stands. Links within the way that it
    /// names are followed at its end only.
    fn target(&self, link: ObjectId, folder: &str, left: usize) -> Result<Option<Link>, SourceError> {
        let target = match self.reader.read(link, Kind::Blob, LINK_BYTES) {
            Ok(target) => target,
            Err(SourceError::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(target) = target.to_str().ok().and_then(|target| below(folder, target)) else {
            return Ok(None);
        };
        let (mut current, mut path) = (self.root, String::new());
        let mut is_folder = true;
        for (place, component) in target.iter().enumerate() {
            let is_last = place + 1 == target.len();
            let bytes = self.reader.read(current, Kind::Tree, TREE_OBJECT_BYTES)?;
            let found = entries(self.reader, current, &bytes)?;
            let Some(entry) = found.into_iter().find(|entry| entry.name == *component) else {
                return Ok(None);
            };
            match entry.kind {
                EntryKind::Tree => current = entry.id,
                EntryKind::Blob | EntryKind::BlobExecutable if is_last => is_folder = false,
                EntryKind::Link if is_last && left > 0 => return self.target(entry.id, &path, left - 1),
                EntryKind::Link | EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Commit => {
                    return Ok(None);
                }
            }
            path = join(&path, component);
        }
        Ok(Some(Link { to: path, is_folder }))
    }

    fn file(&mut self, id: ObjectId, path: String) -> Result<(), SourceError> {
        let left = self.limits.bytes - self.bytes;
        let content = match self.seen.get(&id) {
            Some(content) if content.len() as u64 <= left => Arc::clone(content),
            Some(_) => return Err(self.too_large(&path, format!("{} bytes", self.limits.bytes))),
            None => {
                let read = self.reader.read(id, Kind::Blob, left);
                let read = read.map_err(|error| match error {
                    SourceError::TooLarge { .. } => {
                        self.too_large(&path, format!("{} bytes", self.limits.bytes))
                    }
                    other => other,
                });
                let content: Arc<[u8]> = read?.into();
                self.seen.insert(id, Arc::clone(&content));
                content
            }
        };
        self.bytes += content.len() as u64;
        self.files.insert(path, content);
        Ok(())
    }

    fn too_large(&self, path: &str, limit: String) -> SourceError {
        let what = if path.is_empty() {
            "the repository's root".to_owned()
        } else {
            format!("`{path}`")
        };
        SourceError::TooLarge { what, limit }
    }
}

/// The components of what a link in a folder names; none where that is outside of the repository.
fn below<'a>(folder: &'a str, target: &'a str) -> Option<Vec<&'a str>> {
    if target.starts_with('/') {
        return None;
    }
    let mut components: Vec<&str> = folder
        .split('/')
        .filter(|component| !component.is_empty())
        .collect();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop()?;
            }
            name => components.push(name),
        }
    }
    Some(components)
}

/// What a tree holds under a name.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a BStr,
    pub(crate) kind: EntryKind,
    pub(crate) id: ObjectId,
}

/// Everything in a tree, in its order.
pub(crate) fn entries<'a>(
    reader: &Reader,
    id: ObjectId,
    bytes: &'a [u8],
) -> Result<Vec<Entry<'a>>, SourceError> {
    TreeRefIter::from_bytes(bytes, reader.repository.object_hash())
        .map(|entry| {
            let entry = entry.map_err(|error| SourceError::Object {
                id: id.to_string(),
                source: format!("the tree is malformed: {error}").into(),
            })?;
            Ok(Entry {
                name: entry.filename,
                kind: entry.mode.kind(),
                id: entry.oid.to_owned(),
            })
        })
        .collect()
}

/// A path below a folder; an empty one is the root.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Whether a file may have this name on any system, in any tool that may once read it from a path.
fn is_harmless(name: &BStr) -> bool {
    let options = gix::validate::path::component::Options {
        // Device names such as `aux.yaml` are a nuisance on Windows and nothing more.
        protect_windows: false,
        protect_hfs: true,
        protect_ntfs: true,
    };
    gix::validate::path::component(name, None, options).is_ok()
        && !name.contains(&b'\\')
        && !name.contains(&b'/')
        && name
            .to_str()
            .is_ok_and(|name| !name.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_refused() {
        for name in [
            ".",
            "..",
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            ".git ",
            ".git.",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "a\\b",
            "a/b",
            "a\nb",
            "a\u{7f}",
            "",
        ] {
            assert!(!is_harmless(name.into()), "{name:?}");
        }
        assert!(!is_harmless(b"\xff".as_bstr()));
    }

    #[test]
    fn where_links_lead() {
        for (folder, target, expected) in [
            ("dev", "../common/dash", Some(vec!["common", "dash"])),
            ("", "common//./dash/", Some(vec!["common", "dash"])),
            ("a/b", "..", Some(vec!["a"])),
            ("a", "../..", None),
            ("a", "/etc", None),
        ] {
            assert_eq!(below(folder, target), expected, "{folder} {target}");
        }
    }

    #[test]
    fn names_that_people_use() {
        for name in [
            "a.yaml",
            ".gitignore",
            ".github",
            "aux.yaml",
            "ünï.yaml",
            "a b",
            "-x",
            "...",
            "..a",
            "a:b.yaml",
        ] {
            assert!(is_harmless(name.into()), "{name:?}");
        }
    }
}
