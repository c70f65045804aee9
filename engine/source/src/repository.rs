//! Reading a repository: names, trees, raw commits and tags.

use std::path::Path;

use sluice_model::tree::{Revision, Tree};
use sluice_model::trust::{History, SignedObject};

use crate::error::SourceError;

/// A repository to read from: a mirror, or any local one.
#[derive(Debug, Clone)]
pub struct Repository {}

/// How much of a folder is read into memory.
#[derive(Debug, Clone, Copy)]
pub struct TreeLimits {
    /// Files, symbolic links and submodules.
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
    /// Opens a repository on this machine to read it: bare or with a work tree, loose or packed. Nothing of its
    /// configuration but the object format is followed.
    ///
    /// # Errors
    /// [`SourceError::NotARepository`]
    pub fn open_local(directory: &Path) -> Result<Self, SourceError> {
        Err(SourceError::NotARepository {
            path: directory.to_owned(),
            source: None,
        })
    }

    /// What `name` means: a branch, a tag, a commit (full or at least seven digits), `HEAD`, or a full reference name.
    /// A name that is both a branch and a tag is refused.
    ///
    /// # Errors
    /// [`SourceError::UnknownRevision`], [`SourceError::AmbiguousRevision`], [`SourceError::Object`]
    pub fn resolve(&self, name: &str) -> Result<Revision, SourceError> {
        Err(SourceError::UnknownRevision {
            name: name.to_owned(),
        })
    }

    /// All files below `path` of a revision's tree.
    ///
    /// # Errors
    /// [`SourceError::UnknownPath`], [`SourceError::NotAFolder`], [`SourceError::HostileName`],
    /// [`SourceError::TooLarge`], [`SourceError::Object`]
    pub fn tree(&self, revision: &Revision, path: &str, _limits: &TreeLimits) -> Result<Tree, SourceError> {
        Err(SourceError::UnknownPath {
            path: path.to_owned(),
            commit: revision.commit.clone(),
        })
    }

    /// The commit or annotated tag that `name` means, as it is: a tag's name gives the tag. Not judged in any way.
    ///
    /// # Errors
    /// [`SourceError::UnknownRevision`], [`SourceError::AmbiguousRevision`], [`SourceError::Object`]
    pub fn object(&self, name: &str) -> Result<SignedObject, SourceError> {
        Err(SourceError::UnknownRevision {
            name: name.to_owned(),
        })
    }

    /// Every commit reachable from `revision` and not from `last_trusted`. At most `limit` commits.
    ///
    /// # Errors
    /// [`SourceError::Shallow`], [`SourceError::HistoryTooLong`], [`SourceError::Object`]. A last trusted commit that is
    /// no longer there is no error: [`History::last_trusted_is_ancestor`] is false then.
    pub fn history(
        &self,
        revision: &Revision,
        _last_trusted: Option<&str>,
        _limit: usize,
    ) -> Result<History, SourceError> {
        Err(SourceError::UnknownRevision {
            name: revision.commit.clone(),
        })
    }
}
