//! Reading a repository: names and raw commits and tags. Trees and histories have files of their own.
//!
//! Every object is read as bytes and hashed again, so that neither a damaged disk nor a forged index can pass one
//! object for another.

use std::fmt;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::objs::{Find as _, Kind};
use sluice_model::tree::Revision;
use sluice_model::trust::{CommitLinks, SignedKind, SignedObject};

use crate::error::SourceError;
use crate::{ancestor, mirror};

/// Commits and tags are text that people write. Git itself has no limit; the largest in the Linux kernel has 60 KB.
pub(crate) const SIGNED_OBJECT_BYTES: u64 = 8 << 20;
/// Git's own default is 7; four is what it accepts at all.
const SHORTEST_ABBREVIATION: usize = 4;
/// Tags of tags of tags: more than anyone has made on purpose.
const TAG_DEPTH: usize = 8;

/// A repository to read from: a mirror, or any local one. Clones share what is open.
#[derive(Clone)]
pub struct Repository {
    name: String,
    is_local: bool,
    inner: gix::ThreadSafeRepository,
}

impl fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Repository")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Repository {
    /// Opens a repository on this machine to read it: bare or with a work tree, loose or packed. Nothing of its
    /// configuration but the object format is followed.
    ///
    /// # Errors
    /// [`SourceError::NotARepository`]
    pub fn open_local(directory: &Path) -> Result<Self, SourceError> {
        gix::open::Options::isolated()
            .config_overrides(mirror::SETTINGS)
            .open(directory)
            .map(|inner| Self {
                name: directory.display().to_string(),
                is_local: true,
                inner,
            })
            .map_err(|error| not_a_repository(directory, &error))
    }

    pub(crate) fn open_mirror(path: &Path, url: &str) -> Result<Self, SourceError> {
        mirror::open(path)
            .map(|repository| Self {
                name: url.to_owned(),
                is_local: false,
                inner: repository.into_sync(),
            })
            .map_err(|error| not_a_repository(path, &error))
    }

    /// What `name` means: a branch, a tag, a commit (full or abbreviated), `HEAD`, or a full reference name; in a local
    /// repository also what `git rev-parse` understands, e.g. `main~3`. A name that is both a branch and a tag and means
    /// two commits is refused.
    ///
    /// # Errors
    /// [`SourceError::UnknownRevision`], [`SourceError::AmbiguousRevision`], [`SourceError::NotACommit`],
    /// [`SourceError::Object`]
    pub fn resolve(&self, name: &str) -> Result<Revision, SourceError> {
        self.read(|reader| {
            let id = self.find(reader, name)?;
            let (tag, commit) = reader.peel(name, id)?;
            let bytes = reader.read(commit, Kind::Commit, SIGNED_OBJECT_BYTES)?;
            let links = reader.links(commit, &bytes)?;
            Ok(Revision {
                requested: name.to_owned(),
                commit: commit.to_string(),
                tree: links.tree,
                tag: tag.map(|tag| tag.to_string()),
            })
        })
    }

    /// The commit or annotated tag that `name` means, as it is: a tag's name gives the tag. Not judged in any way.
    ///
    /// # Errors
    /// [`SourceError::UnknownRevision`], [`SourceError::AmbiguousRevision`], [`SourceError::NotACommit`],
    /// [`SourceError::Object`]
    pub fn object(&self, name: &str) -> Result<SignedObject, SourceError> {
        self.read(|reader| reader.signed(name, self.find(reader, name)?))
    }

    /// The branch that `name` means, without `refs/heads/`: a branch's own name, or what `HEAD` points at. None where it
    /// is a tag, a commit, or nothing.
    ///
    /// # Errors
    /// [`SourceError::Object`]
    pub fn branch(&self, name: &str) -> Result<Option<String>, SourceError> {
        self.read(|reader| {
            if name == "HEAD" {
                let head = reader.repository.head_name();
                let head = head.map_err(|error| SourceError::Object {
                    id: name.to_owned(),
                    source: mirror::one_line(&error).into(),
                })?;
                return Ok(head.map(|head| head.shorten().to_str_lossy().into_owned()));
            }
            let short = name.strip_prefix("refs/heads/").unwrap_or(name);
            let found = reader.reference(&format!("refs/heads/{short}"))?;
            Ok(found.map(|_| short.to_owned()))
        })
    }

    /// The URL or folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads objects. A mirror in which one is missing or damaged is fetched anew by the next fetch.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let reader = Reader {
            repository: self.inner.to_thread_local(),
        };
        work(&reader).inspect_err(|error| {
            if !self.is_local && matches!(error, SourceError::Object { .. }) {
                mirror::distrust(reader.repository.git_dir());
            }
        })
    }

    fn find(&self, reader: &Reader, name: &str) -> Result<ObjectId, SourceError> {
        let unknown = || SourceError::UnknownRevision {
            name: name.to_owned(),
        };
        let repository = &reader.repository;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(unknown());
        }
        let is_hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && name.len() == repository.object_hash().len_in_hex() {
            let id = ObjectId::from_hex(name.to_ascii_lowercase().as_bytes()).map_err(|_| unknown())?;
            return if reader.kind(id)?.is_some() {
                Ok(id)
            } else {
                Err(unknown())
            };
        }
        if name == "HEAD" || name.starts_with("refs/") {
            return reader.reference(name)?.ok_or_else(unknown);
        }
        let mut found: Vec<(String, ObjectId)> = Vec::new();
        let remote_branches = self.is_local.then_some("refs/remotes/");
        for prefix in ["refs/heads/", "refs/tags/"].into_iter().chain(remote_branches) {
            let full = format!("{prefix}{name}");
            if let Some(id) = reader.reference(&full)? {
                found.push((full, id));
            }
        }
        if let [(_, first), rest @ ..] = found.as_slice() {
            if rest.iter().all(|(_, id)| id == first) {
                return Ok(*first);
            }
            let candidates = found
                .iter()
                .map(|(full, _)| full.as_str())
                .collect::<Vec<_>>()
                .join(" or ");
            return Err(SourceError::AmbiguousRevision {
                name: name.to_owned(),
                candidates,
            });
        }
        if is_hex && name.len() >= SHORTEST_ABBREVIATION {
            return reader.abbreviated(name)?.ok_or_else(unknown);
        }
        if self.is_local && name.contains(['~', '^', '@', ':']) {
            if let Some(found) = ancestor::find(reader, name, |start| self.find(reader, start)) {
                return found;
            }
            return repository
                .rev_parse_single(name)
                .map(gix::Id::detach)
                .map_err(|_| unknown());
        }
        Err(unknown())
    }
}

fn not_a_repository(path: &Path, error: &gix::Error) -> SourceError {
    SourceError::NotARepository {
        path: path.to_owned(),
        source: mirror::one_line(error).into(),
    }
}

/// Reads objects on one thread.
pub(crate) struct Reader {
    pub(crate) repository: gix::Repository,
}

impl Reader {
    /// Keeps what is made from now on in memory, and only there.
    pub(crate) fn in_memory(&self) -> Self {
        Self {
            repository: self.repository.clone().with_object_memory(),
        }
    }

    pub(crate) fn digits(&self) -> usize {
        self.repository.object_hash().len_in_hex()
    }

    pub(crate) fn is_shallow(&self) -> Result<bool, SourceError> {
        self.repository
            .is_shallow()
            .map_err(|error| SourceError::NotARepository {
                path: self.repository.git_dir().to_owned(),
                source: mirror::one_line(&error).into(),
            })
    }

    pub(crate) fn kind(&self, id: ObjectId) -> Result<Option<Kind>, SourceError> {
        Ok(self.header(id)?.map(|(kind, _)| kind))
    }

    fn header(&self, id: ObjectId) -> Result<Option<(Kind, u64)>, SourceError> {
        let header = self
            .repository
            .try_find_header(id)
            .map_err(|error| object_error(id, &error))?;
        Ok(header.map(|header| (header.kind(), header.size())))
    }

    /// The bytes of an object, which is of the kind, no larger than the limit, and hashes to its id.
    pub(crate) fn read(&self, id: ObjectId, kind: Kind, limit: u64) -> Result<Vec<u8>, SourceError> {
        let damaged = |reason: String| SourceError::Object {
            id: id.to_string(),
            source: reason.into(),
        };
        let (found, size) = self
            .header(id)?
            .ok_or_else(|| damaged("it is missing".to_owned()))?;
        if found != kind {
            return Err(damaged(format!("it is a {found} where a {kind} belongs")));
        }
        if size > limit {
            return Err(SourceError::TooLarge {
                what: format!("{kind} {id}"),
                limit: format!("{limit} bytes"),
            });
        }
        let mut buffer = Vec::new();
        let data = self
            .repository
            .objects
            .try_find(&id, &mut buffer)
            .map_err(|error| object_error(id, &error))?
            .ok_or_else(|| damaged("it is missing".to_owned()))?;
        data.verify_checksum(&id)
            .map_err(|error| object_error(id, &error))?;
        if data.kind != kind {
            return Err(damaged(format!("it is a {} where a {kind} belongs", data.kind)));
        }
        Ok(buffer)
    }

    pub(crate) fn commit(&self, id: ObjectId) -> Result<SignedObject, SourceError> {
        let bytes = self.read(id, Kind::Commit, SIGNED_OBJECT_BYTES)?;
        Ok(SignedObject {
            id: id.to_string(),
            kind: SignedKind::Commit,
            bytes,
        })
    }

    pub(crate) fn signed(&self, name: &str, id: ObjectId) -> Result<SignedObject, SourceError> {
        let (kind, signed) = match self.kind(id)? {
            Some(Kind::Commit) => (Kind::Commit, SignedKind::Commit),
            Some(Kind::Tag) => (Kind::Tag, SignedKind::Tag),
            Some(other) => {
                return Err(SourceError::NotACommit {
                    name: name.to_owned(),
                    what: other.to_string(),
                });
            }
            None => return Err(missing(id)),
        };
        Ok(SignedObject {
            id: id.to_string(),
            kind: signed,
            bytes: self.read(id, kind, SIGNED_OBJECT_BYTES)?,
        })
    }

    /// What Git follows. Whether the commit is well made is for verify to say.
    pub(crate) fn links(&self, id: ObjectId, bytes: &[u8]) -> Result<CommitLinks, SourceError> {
        CommitLinks::as_git(bytes, self.digits()).ok_or_else(|| SourceError::Malformed {
            id: id.to_string(),
            reason: "its first lines are no `tree` and `parent`",
        })
    }

    pub(crate) fn id(&self, hex: &str) -> Result<ObjectId, SourceError> {
        let bad = || SourceError::Object {
            id: hex.to_owned(),
            source: "it is no object id of this repository".into(),
        };
        if hex.len() != self.digits() {
            return Err(bad());
        }
        ObjectId::from_hex(hex.as_bytes()).map_err(|_| bad())
    }

    /// Follows annotated tags to a commit. The outermost tag, where there was one, and the commit.
    pub(crate) fn peel(&self, name: &str, id: ObjectId) -> Result<(Option<ObjectId>, ObjectId), SourceError> {
        let mut current = id;
        for _ in 0..=TAG_DEPTH {
            match self.kind(current)? {
                Some(Kind::Commit) => return Ok(((current != id).then_some(id), current)),
                Some(Kind::Tag) => {
                    let bytes = self.read(current, Kind::Tag, SIGNED_OBJECT_BYTES)?;
                    let target = bytes
                        .lines()
                        .next()
                        .and_then(|line| line.strip_prefix(b"object "));
                    let target = target.and_then(|hex| hex.to_str().ok());
                    let target = target.and_then(|hex| self.id(hex).ok());
                    current = target.ok_or_else(|| SourceError::Malformed {
                        id: current.to_string(),
                        reason: "its first line names no object",
                    })?;
                }
                Some(other) => {
                    return Err(SourceError::NotACommit {
                        name: name.to_owned(),
                        what: other.to_string(),
                    });
                }
                None => return Err(missing(current)),
            }
        }
        Err(SourceError::NotACommit {
            name: name.to_owned(),
            what: "tag of tags without end".to_owned(),
        })
    }

    fn reference(&self, name: &str) -> Result<Option<ObjectId>, SourceError> {
        if gix::validate::reference::name(name.into()).is_err() && name != "HEAD" {
            return Ok(None);
        }
        let broken = |error: gix::Error| SourceError::Object {
            id: name.to_owned(),
            source: mirror::one_line(&error).into(),
        };
        let Some(mut reference) = self.repository.try_find_reference(name).map_err(broken)? else {
            return Ok(None);
        };
        // `try_find_reference` looks in more places than the one that was asked for.
        if reference.name().as_bstr() != name {
            return Ok(None);
        }
        match reference.follow() {
            None => Ok(reference.target().try_id().map(ToOwned::to_owned)),
            Some(_) => {
                // A symbolic one, e.g. HEAD; an unborn branch has no target yet.
                let mut hops = 0;
                while let Some(next) = reference.follow() {
                    hops += 1;
                    match next {
                        Ok(next) if hops < 8 => reference = next,
                        Ok(_) | Err(_) => return Ok(None),
                    }
                }
                Ok(reference.target().try_id().map(ToOwned::to_owned))
            }
        }
    }

    fn abbreviated(&self, name: &str) -> Result<Option<ObjectId>, SourceError> {
        let Ok(prefix) = gix::hash::Prefix::from_hex(&name.to_ascii_lowercase()) else {
            return Ok(None);
        };
        let mut candidates = std::collections::HashSet::new();
        self.repository
            .objects
            .lookup_prefix(prefix, Some(&mut candidates))
            .map_err(|error| SourceError::Object {
                id: name.to_owned(),
                source: mirror::one_line(&error).into(),
            })?;
        let mut commits: Vec<ObjectId> = Vec::new();
        for id in candidates.into_iter().collect::<Vec<_>>() {
            if matches!(self.kind(id)?, Some(Kind::Commit | Kind::Tag)) {
                commits.push(id);
            }
        }
        commits.sort();
        match commits.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            many => Err(SourceError::AmbiguousRevision {
                name: name.to_owned(),
                candidates: many
                    .iter()
                    .take(4)
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" or "),
            }),
        }
    }
}

/// What a name leads to and is not there.
fn missing(id: ObjectId) -> SourceError {
    SourceError::Object {
        id: id.to_string(),
        source: "it is missing".into(),
    }
}

pub(crate) fn object_error(id: ObjectId, error: &gix::Error) -> SourceError {
    SourceError::Object {
        id: id.to_string(),
        source: mirror::one_line(error).into(),
    }
}
