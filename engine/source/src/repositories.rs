//! One bare mirror for each repository URL.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::access::Access;
use crate::address::Address;
use crate::error::SourceError;
use crate::mirror::Mirror;
use crate::repository::Repository;

/// A folder of bare mirrors, one for each repository URL.
#[derive(Debug, Clone)]
pub struct Repositories {
    cache: PathBuf,
}

/// Whether a name can be that of a branch, a tag or another reference, or a commit's id. That there is such a one is not said.
pub fn can_be_revision(name: &str) -> bool {
    gix::validate::reference::name_partial(name.into()).is_ok()
}

/// Whether a name may lead to what neither branches nor tags lead to, so that it is worth asking the remote for it.
pub fn is_elsewhere(name: &str) -> bool {
    let is_reference = name.starts_with("refs/")
        && !name.starts_with("refs/heads/")
        && !name.starts_with("refs/tags/")
        && gix::validate::reference::name(name.into()).is_ok();
    let is_id =
        [40, 64].contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_reference || is_id
}

/// A mirror that was just brought up to date.
#[derive(Debug)]
pub struct Fetched {
    repository: Repository,
    /// Whether anything was new: a branch or tag that was added, moved or removed, or another `HEAD`.
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
        let cache = cache.into();
        fs::create_dir_all(&cache).map_err(|error| SourceError::Cache {
            path: cache.clone(),
            source: error.into(),
        })?;
        Ok(Self { cache })
    }

    /// Brings the mirror of `url` up to date: all branches and tags with their whole history. What the remote no longer
    /// has is removed. Where nothing is new this is one question to the remote. Only one fetch of a URL runs at a time,
    /// across processes; the others wait.
    ///
    /// # Errors
    /// Every variant of [`SourceError`] that speaks of fetching. The mirror is then as it was before.
    pub fn fetch(&self, url: &str, access: &Access) -> Result<Fetched, SourceError> {
        self.update(url, access, None)
    }

    /// As [`Repositories::fetch`], with what neither branches nor tags lead to: a reference by its full name, such as
    /// `refs/pull/7/head`, or a commit by its whole id, where the remote lets it be had. A reference is kept up to date by
    /// every later fetch.
    ///
    /// # Errors
    /// As [`Repositories::fetch`], and [`SourceError::UnknownRevision`] where the remote has no such commit to give.
    pub fn fetch_also(&self, url: &str, access: &Access, name: &str) -> Result<Fetched, SourceError> {
        let fetched = self.update(url, access, Some(name));
        fetched.map_err(|error| match &error {
            SourceError::Fetch { source, .. } if source.to_string().contains("not our ref") => {
                SourceError::UnknownRevision {
                    name: name.to_owned(),
                }
            }
            _ => error,
        })
    }

    fn update(&self, url: &str, access: &Access, also: Option<&str>) -> Result<Fetched, SourceError> {
        let address = Address::parse(url)?;
        let mirror = Mirror::new(&self.cache, &address)?;
        let changed = mirror.update(access, also)?;
        Ok(Fetched {
            repository: Repository::open_mirror(&mirror.path(), url)?,
            changed,
        })
    }

    /// The mirror as it was left by the last fetch, without asking the remote. None where there was none yet. Only for
    /// those whose credentials were good for a fetch: the mirror itself asks for none.
    ///
    /// # Errors
    /// [`SourceError::Url`], [`SourceError::NotARepository`]
    pub fn cached(&self, url: &str) -> Result<Option<Repository>, SourceError> {
        let address = Address::parse(url)?;
        let path = Mirror::new(&self.cache, &address)?.path();
        if !path.exists() {
            return Ok(None);
        }
        Repository::open_mirror(&path, url).map(Some)
    }

    /// Removes the mirror of `url`; the next fetch starts from nothing.
    ///
    /// # Errors
    /// [`SourceError::Url`], [`SourceError::Cache`], [`SourceError::Timeout`] while a fetch of it is running.
    pub fn forget(&self, url: &str) -> Result<(), SourceError> {
        let address = Address::parse(url)?;
        Mirror::new(&self.cache, &address)?.remove(&Access::default())
    }

    /// The folder that holds the mirrors.
    pub fn path(&self) -> &Path {
        &self.cache
    }
}
