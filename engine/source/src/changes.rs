//! Which files a commit changes, for rules about who may.
//!
//! What a merge changes *by itself* is where it differs from what merging its parents gives; that is computed in memory,
//! and nothing is written. Where it cannot be computed (no common history, more than two parents), every file in which the
//! merge differs from any of its parents counts: more than it did, never less.
//!
//! Trees are compared entry by entry, whatever their order, and every one is hashed again: a tree that another reader
//! would read differently is refused and not skipped over.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::merge::blob::builtin_driver::text::Labels;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;
use sluice_model::trust::{Changes, ChangesError};

use crate::error::SourceError;
use crate::repository::{Reader, Repository};
use crate::tree::{DEPTH, TREE_OBJECT_BYTES, entries, join};

/// Files, and folders on the way to them: as many as the largest repositories hold.
const ENTRIES: usize = 1_000_000;

impl Changes for Repository {
    fn own(&self, commit: &str) -> Result<Vec<String>, ChangesError> {
        let files = self.read(|reader| {
            let reader = reader.in_memory();
            let (tree, parents) = reader.tree_and_parents(commit)?;
            let mut comparison = Comparison::new(&reader);
            match parents.as_slice() {
                [] => comparison.trees(None, Some(tree), "", 0)?,
                [parent] => comparison.commits(parent, tree)?,
                [ours, theirs] => match reader.merged(ours, theirs)? {
                    Some(merged) => comparison.trees(Some(merged), Some(tree), "", 0)?,
                    None => comparison.all(&parents, tree)?,
                },
                _ => comparison.all(&parents, tree)?,
            }
            Ok(comparison.files())
        });
        Ok(files?)
    }

    fn between(&self, old: Option<&str>, new: &str) -> Result<Vec<String>, ChangesError> {
        let files = self.read(|reader| {
            let (tree, _) = reader.tree_and_parents(new)?;
            let mut comparison = Comparison::new(reader);
            match old {
                Some(old) => comparison.commits(old, tree)?,
                None => comparison.trees(None, Some(tree), "", 0)?,
            }
            Ok(comparison.files())
        });
        Ok(files?)
    }
}

impl Reader {
    fn tree_and_parents(&self, commit: &str) -> Result<(ObjectId, Vec<String>), SourceError> {
        let id = self.id(commit)?;
        let links = self.links(id, &self.commit(id)?.bytes)?;
        Ok((self.id(&links.tree)?, links.parents))
    }

    /// The tree that merging two commits gives, with marks in it where they conflict. None where they cannot be merged:
    /// they have no common history, for one.
    fn merged(&self, ours: &str, theirs: &str) -> Result<Option<ObjectId>, SourceError> {
        let (ours, theirs) = (self.id(ours)?, self.id(theirs)?);
        let merge = || -> Result<ObjectId, gix::Error> {
            let options = self.repository.tree_merge_options()?;
            let labels = Labels::default();
            let mut outcome = self
                .repository
                .merge_commits(ours, theirs, labels, options.into())?;
            Ok(outcome.tree_merge.tree.write()?.detach())
        };
        Ok(merge().ok())
    }
}

/// What differs between trees.
struct Comparison<'a> {
    reader: &'a Reader,
    left: usize,
    files: BTreeSet<String>,
}

/// What a tree holds under a name.
type Entry = (EntryKind, ObjectId);

impl<'a> Comparison<'a> {
    fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            left: ENTRIES,
            files: BTreeSet::new(),
        }
    }

    fn files(self) -> Vec<String> {
        self.files.into_iter().collect()
    }

    fn all(&mut self, parents: &[String], tree: ObjectId) -> Result<(), SourceError> {
        parents.iter().try_for_each(|parent| self.commits(parent, tree))
    }

    fn commits(&mut self, old: &str, tree: ObjectId) -> Result<(), SourceError> {
        let (old, _) = self.reader.tree_and_parents(old)?;
        self.trees(Some(old), Some(tree), "", 0)
    }

    fn trees(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        folder: &str,
        depth: usize,
    ) -> Result<(), SourceError> {
        if old == new {
            return Ok(());
        }
        if depth > DEPTH {
            return Err(too_large(folder, format!("{DEPTH} folders in each other")));
        }
        let mut old = old
            .map(|id| self.read(id, folder))
            .transpose()?
            .unwrap_or_default();
        let new = new
            .map(|id| self.read(id, folder))
            .transpose()?
            .unwrap_or_default();
        for (name, entry) in new {
            let before = old.remove(&name);
            if before != Some(entry) {
                self.entry(before, Some(entry), &join(folder, &name), depth)?;
            }
        }
        for (name, entry) in old {
            self.entry(Some(entry), None, &join(folder, &name), depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        old: Option<Entry>,
        new: Option<Entry>,
        path: &str,
        depth: usize,
    ) -> Result<(), SourceError> {
        let folder =
            |entry: Option<Entry>| entry.and_then(|(kind, id)| (kind == EntryKind::Tree).then_some(id));
        let is_file = |entry: Option<Entry>| entry.is_some_and(|(kind, _)| kind != EntryKind::Tree);
        if is_file(old) || is_file(new) {
            self.files.insert(path.to_owned());
        }
        self.trees(folder(old), folder(new), path, depth + 1)
    }

    fn read(&mut self, id: ObjectId, folder: &str) -> Result<BTreeMap<String, Entry>, SourceError> {
        let bytes = self.reader.read(id, Kind::Tree, TREE_OBJECT_BYTES)?;
        let mut found = BTreeMap::new();
        for entry in entries(self.reader, id, &bytes)? {
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| too_large(folder, format!("{ENTRIES} files and folders")))?;
            let name = entry.name.to_str_lossy().into_owned();
            if found.insert(name, (entry.kind, entry.id)).is_some() {
                return Err(SourceError::Object {
                    id: id.to_string(),
                    source: "the tree has a name twice".into(),
                });
            }
        }
        Ok(found)
    }
}

fn too_large(folder: &str, limit: String) -> SourceError {
    let what = match folder {
        "" => "the repository's root".to_owned(),
        folder => format!("`{folder}`"),
    };
    SourceError::TooLarge { what, limit }
}
