//! A bare mirror on disk, and how it is brought up to date.
//!
//! What makes it safe:
//! - One fetch at a time: an exclusive lock on a file beside the mirror, released by the kernel with its holder.
//! - A mirror is made under another name and appears whole.
//! - gix writes a pack under a temporary name, indexes it with every object's hash computed, and renames it. Packs are
//!   added, and put together only after the one that has all of them is there, so that a reader meanwhile reads on.
//! - What a reader finds missing or damaged has the next fetch start from nothing.
//! - References are one file, `packed-refs`, which is replaced as a whole after the pack is there. A fetch that ends in
//!   between leaves the old references and some objects that nothing points at; the next one goes on from there.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use gix::hash::Kind;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::http::Transport as HttpTransport;

use crate::access::Access;
use crate::address::{Address, Route};
use crate::consolidate;
use crate::conversation::{Bounds, Conversation, converse};
use crate::error::SourceError;
use crate::offer::Offer;
use crate::transport::http::HttpClient;
use crate::transport::process::Program;
use crate::transport::{Cause, Stranger, Trouble};
use crate::watch::{Ended, LIST_BYTES, Watch};

/// Settings that hold for every repository that is opened here.
pub(crate) const SETTINGS: [&str; 3] = [
    // A replacement object would be read under the id of another.
    "core.useReplaceRefs=false",
    // The graph file is a claim about parents without a proof.
    "core.commitGraph=false",
    // What is read is refused by its own limits; this is for what is built on the way.
    "gitoxide.objects.allocLimit=536870912",
];

/// A file in a mirror that says that a reader found it damaged.
const DAMAGED: &str = "damaged";
/// A mirror that is younger is not the cause of what is missing in it; the repository is.
const OLD_ENOUGH: Duration = Duration::from_secs(3600);

/// Has the next fetch start from nothing, because something in this mirror is missing or damaged. Where it did so a
/// moment ago, nothing is done: the repository itself is damaged then, and would be fetched again and again.
pub(crate) fn distrust(path: &Path) {
    // Written once, when the mirror is made.
    let made = fs::metadata(path.join("config")).and_then(|file| file.modified());
    let is_old = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > OLD_ENOUGH));
    if is_old && let Err(error) = fs::write(path.join(DAMAGED), "") {
        tracing::warn!(%error, "a damaged mirror cannot be marked");
    }
}

/// Each costs one more conversation. Git's own servers let none in; who has more of them has a broken repository.
const MOST_NOT_GIVEN: usize = 16;

/// Longer texts have nothing more to say.
const LONGEST_ERROR: usize = 2_000;

/// The mirror of one repository.
pub(crate) struct Mirror<'a> {
    cache: &'a Path,
    name: String,
    address: &'a Address,
}

impl<'a> Mirror<'a> {
    pub(crate) fn new(cache: &'a Path, address: &'a Address) -> Result<Self, SourceError> {
        Ok(Self {
            cache,
            name: address.mirror_name()?,
            address,
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.cache.join(format!("{}.git", self.name))
    }

    /// Takes the lock, brings the mirror up to date, and says whether anything was new.
    /// `also` is the full name of a reference, or the id of a commit, that is wanted beside branches and tags.
    pub(crate) fn update(&self, access: &Access, also: Option<&str>) -> Result<bool, SourceError> {
        let (watch, _guard) = Watch::start(access);
        let _lock = self.lock(&watch, access)?;
        match self.update_as(Kind::Sha1, access, &watch, also)? {
            Updated::Done { changed } => Ok(changed),
            Updated::OtherFormat(kind) => match self.update_as(kind, access, &watch, also)? {
                Updated::Done { changed } => Ok(changed),
                Updated::OtherFormat(_) => {
                    Err(self.fetch_error("the object format changes at every question".into()))
                }
            },
        }
    }

    /// Removes the mirror.
    pub(crate) fn remove(&self, access: &Access) -> Result<(), SourceError> {
        let (watch, _guard) = Watch::start(access);
        let _lock = self.lock(&watch, access)?;
        match fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.cache_error(error)),
            _ => Ok(()),
        }
    }

    fn lock(&self, watch: &Watch, access: &Access) -> Result<File, SourceError> {
        let path = self.cache.join(format!("{}.lock", self.name));
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|error| self.cache_error(error))?
            .into_parts()
            .0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    watch.check().map_err(|ended| self.ended(ended, access))?;
                    std::thread::sleep(watch.tick());
                }
                Err(TryLockError::Error(error)) => return Err(self.cache_error(error)),
            }
        }
    }

    fn update_as(
        &self,
        kind: Kind,
        access: &Access,
        watch: &Watch,
        also: Option<&str>,
    ) -> Result<Updated, SourceError> {
        let repository = match self.open()? {
            Some(repository) => repository,
            None => self.create(kind)?,
        };
        self.sweep();
        let trouble = Trouble::default();
        let mut wanted = self.others();
        wanted.extend(also.map(str::to_owned));
        let mut bounds = Bounds {
            watch,
            trouble: &trouble,
            object_limit: access.limits.object,
            also: &wanted,
            without: Vec::new(),
        };
        let conversation = loop {
            match self.converse(&repository, access, &bounds) {
                Ok(conversation) => break conversation,
                // A branch or tag that the remote itself cannot read is no reason to do without the others.
                Err(error) => match not_given(&error) {
                    Some(id)
                        if also != Some(id.to_string().as_str())
                            && bounds.without.len() < MOST_NOT_GIVEN
                            && !bounds.without.contains(&id) =>
                    {
                        tracing::warn!(url = %self.address, %id, "the remote offers an object that it does not give");
                        bounds.without.push(id);
                    }
                    _ => return Err(error),
                },
            }
        };
        match conversation {
            Conversation::OtherFormat(kind) => {
                drop(repository);
                fs::remove_dir_all(self.path()).map_err(|error| self.cache_error(error))?;
                Ok(Updated::OtherFormat(kind))
            }
            Conversation::Fetched(offer) => {
                if self.path().join("shallow").exists() {
                    return Err(SourceError::Shallow {
                        name: self.address.to_string(),
                    });
                }
                let changed = self.write_references(&offer)?;
                if let Err(error) = consolidate::packs(&repository, &bounds) {
                    // It is slower with many packs, and not wrong.
                    let error = one_line(&error);
                    tracing::warn!(url = %self.address, error, "the mirror's packs could not be put together");
                }
                Ok(Updated::Done { changed })
            }
        }
    }

    fn converse(
        &self,
        repository: &gix::Repository,
        access: &Access,
        bounds: &Bounds<'_>,
    ) -> Result<Conversation, SourceError> {
        let (watch, trouble) = (bounds.watch, bounds.trouble);
        let outcome = match &self.address.route {
            Route::Http => {
                let client = HttpClient::new(&self.address.text, access, watch.clone(), trouble.clone())?;
                let transport =
                    HttpTransport::new_http(client, self.address.url.clone(), Protocol::V2, false);
                converse(repository, transport, bounds)
            }
            Route::Ssh(_) | Route::File { .. } => {
                let program = Program::start(self.address, access, watch, trouble.clone())?;
                let outcome = converse(repository, program.connection, bounds);
                if outcome.is_err() && watch.ended().is_none() {
                    program.diagnosis.note();
                }
                outcome
            }
        };
        outcome.map_err(|error| self.explain(error, watch, trouble, access))
    }

    /// The references beside branches and tags that were wanted once, and are there still: they are kept up to date too.
    fn others(&self) -> Vec<String> {
        let packed = fs::read_to_string(self.path().join("packed-refs")).unwrap_or_default();
        let names = packed.lines().filter(|line| !line.starts_with('#'));
        let names = names.filter_map(|line| Some(line.split_once(' ')?.1));
        let is_other = |name: &&str| !name.starts_with("refs/heads/") && !name.starts_with("refs/tags/");
        names.filter(is_other).map(str::to_owned).collect()
    }

    fn open(&self) -> Result<Option<gix::Repository>, SourceError> {
        let path = self.path();
        if !path.exists() {
            return Ok(None);
        }
        match open(&path) {
            Ok(repository) if !path.join("shallow").exists() && !path.join(DAMAGED).exists() => {
                Ok(Some(repository))
            }
            // Never made by us like that: another program or the disk changed it, or a reader found something missing. It
            // is made anew.
            Ok(_) | Err(_) => {
                tracing::warn!(url = %self.address, "the mirror is damaged and is fetched anew");
                fs::remove_dir_all(&path).map_err(|error| self.cache_error(error))?;
                Ok(None)
            }
        }
    }

    fn create(&self, kind: Kind) -> Result<gix::Repository, SourceError> {
        let build = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(self.cache)
            .map_err(|error| self.cache_error(error))?;
        let options = gix::create::Options {
            object_hash: Some(kind),
            ..Default::default()
        };
        gix::create::into(build.path(), gix::create::Kind::Bare, options)
            .map_err(|error| self.cache_error(std::io::Error::other(error)))?;
        fs::rename(build.keep(), self.path()).map_err(|error| self.cache_error(error))?;
        open(&self.path()).map_err(|error| self.cache_error(std::io::Error::other(error)))
    }

    /// Removes what a fetch that was killed has left: no other process writes while the lock is held.
    fn sweep(&self) {
        let packs = self.path().join("objects").join("pack");
        let entries = fs::read_dir(&packs).into_iter().flatten().flatten();
        for entry in entries {
            let path = entry.path();
            let extension = path
                .extension()
                .and_then(|extension| extension.to_str())
                .unwrap_or_default();
            let is_left = match extension {
                "idx" | "rev" => false,
                "pack" | "keep" => !path.with_extension("idx").exists(),
                _ => true,
            };
            if is_left && let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, "a left-over of an earlier fetch stays");
            }
        }
    }

    fn write_references(&self, offer: &Offer) -> Result<bool, SourceError> {
        let references = self.replace("packed-refs", &offer.packed_references())?;
        let head = self.replace("HEAD", offer.head())?;
        Ok(references || head)
    }

    /// Writes a file of the mirror as a whole, where its content is new.
    fn replace(&self, name: &str, content: &[u8]) -> Result<bool, SourceError> {
        let path = self.path().join(name);
        if fs::read(&path).is_ok_and(|existing| existing == content) {
            return Ok(false);
        }
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(self.path())?;
            std::io::Write::write_all(&mut file, content)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|error| self.cache_error(error))?;
        Ok(true)
    }

    fn explain(&self, error: gix::Error, watch: &Watch, trouble: &Trouble, access: &Access) -> SourceError {
        if let Some(ended) = watch.ended() {
            return self.ended(ended, access);
        }
        let url = self.address.to_string();
        match trouble.take() {
            Some(Cause::Unreachable(text)) => SourceError::Unreachable {
                url,
                source: text.into(),
            },
            Some(Cause::UnknownRepository(text)) => SourceError::UnknownRepository {
                url,
                source: text.into(),
            },
            Some(Cause::Authentication(text)) => SourceError::Authentication {
                url,
                given: access.has_credentials(),
                source: text.into(),
            },
            Some(Cause::HostKey(Stranger { seen, wanted, detail })) => SourceError::HostKey {
                url,
                seen,
                wanted,
                source: detail.into(),
            },
            Some(Cause::Certificate(Stranger { seen, wanted, detail })) => SourceError::Certificate {
                url,
                seen,
                wanted,
                source: detail.into(),
            },
            Some(Cause::TooLarge(what, limit)) => SourceError::TooLarge {
                what: format!("{what} in repository {url}"),
                limit,
            },
            Some(Cause::Disk(error)) => self.cache_error(error),
            Some(Cause::Other(text)) => SourceError::Fetch {
                url,
                source: text.into(),
            },
            None if format!("{error:#} {error:?}").contains("shallow remotes is prohibited") => {
                SourceError::Shallow { name: url }
            }
            None if error.is_corrupted() => {
                // It may be what is here already, and not what was sent.
                distrust(&self.path());
                SourceError::Fetch {
                    url,
                    source: one_line(&error).into(),
                }
            }
            None => SourceError::Fetch {
                url,
                source: one_line(&error).into(),
            },
        }
    }

    fn ended(&self, ended: Ended, access: &Access) -> SourceError {
        let url = self.address.to_string();
        match ended {
            Ended::Timeout => SourceError::Timeout {
                url,
                seconds: access.limits.timeout.as_secs(),
            },
            Ended::Cancelled => SourceError::Cancelled { url },
            Ended::TooMuch => SourceError::TooLarge {
                what: format!("repository {url}"),
                limit: format!("{} bytes received", access.limits.receive),
            },
            Ended::TooManyReferences => SourceError::TooLarge {
                what: format!("the list of branches and tags of repository {url}"),
                limit: format!("{LIST_BYTES} bytes"),
            },
        }
    }

    fn fetch_error(&self, source: Box<dyn std::error::Error + Send + Sync>) -> SourceError {
        SourceError::Fetch {
            url: self.address.to_string(),
            source,
        }
    }

    fn cache_error(&self, error: std::io::Error) -> SourceError {
        SourceError::Cache {
            path: self.cache.to_owned(),
            source: error.into(),
        }
    }
}

/// What the remote has just offered, and says is not to be had: what it points at is not there, or cannot be read even by Git.
fn not_given(error: &SourceError) -> Option<gix::ObjectId> {
    let SourceError::Fetch { source, .. } = error else {
        return None;
    };
    let text = source.to_string();
    let (_, rest) = text.split_once("not our ref ")?;
    let digits = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    gix::ObjectId::from_hex(rest.split_at(digits).0.as_bytes()).ok()
}

enum Updated {
    Done { changed: bool },
    OtherFormat(Kind),
}

/// Opens a repository without any configuration but its own object format.
pub(crate) fn open(path: &Path) -> Result<gix::Repository, gix::Error> {
    gix::open::Options::isolated()
        .config_overrides(SETTINGS)
        .open_path_as_is(true)
        .open(path)
        .map(|repository| repository.to_thread_local())
}

/// An error of gix and its causes, on one line.
pub(crate) fn one_line(error: &gix::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        parts.push(cause.to_string());
        source = cause.source();
    }
    parts.dedup();
    // A server may have written some of it.
    let text = parts.join(": ").replace(char::is_control, " ");
    text.chars().take(LONGEST_ERROR).collect()
}
