//! Finds out which version is meant now, and gets its archive.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::tree::{Revision, Tree};
use sluice_source::Access;
use sluice_source::web::Validators;

use crate::archive::{ARCHIVE_BYTES, Archive, Kind, Metadata, PROVENANCE_BYTES, Unpacked};
use crate::constraint::Constraint;
use crate::error::ChartError;
use crate::index::{Index, Listed, newest_of};
use crate::place::Place;
use crate::registry::is_sha256;
use crate::repository::{FetchedIndex, Registry, Repository, check_digest};
use crate::store::Store;
use crate::version::{Version, newest};

/// So many indexes are held in memory.
const INDEXES: usize = 32;
/// What stands for the newest release; the first is what a source has that says nothing.
const NEWEST: [&str; 2] = ["HEAD", "*"];

/// Charts and artifacts, with a cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Charts {
    store: Store,
    indexes: Arc<Mutex<BTreeMap<(String, String), Known>>>,
}

/// An index as it was last.
#[derive(Debug, Clone)]
struct Known {
    index: Arc<Index>,
    validators: Validators,
    /// Digests of archives of which the index says none, by the place that they were fetched from.
    seen: BTreeMap<String, String>,
}

/// A version of a chart, or an artifact, unpacked.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What was asked for, and the archive's digest as commit and tree.
    pub revision: Revision,
    /// The chart's version; of an artifact, the tag or digest that led to it.
    pub version: String,
    /// What the chart says of itself; none for an artifact.
    pub metadata: Option<Metadata>,
    /// The archive's bytes, with its provenance.
    pub archive: Archive,
    /// The folder of the chart within the archive; empty for an artifact.
    pub folder: String,
    unpacked: Arc<Unpacked>,
}

impl Charts {
    /// Uses a folder as cache, which is made when something is kept in it.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            store: Store::new(folder.into()),
            indexes: Arc::default(),
        }
    }

    /// Returns what a version, a range, a tag or an archive's digest means now. `identity` is equal for equal credentials; `wants_provenance`
    /// has a chart's provenance file looked for too.
    ///
    /// # Errors
    /// [`ChartError`].
    pub fn fetch(
        &self,
        place: &Place,
        wanted: &str,
        access: &Access,
        identity: &str,
        wants_provenance: bool,
    ) -> Result<Fetched, ChartError> {
        let asked = if NEWEST.contains(&wanted) { "" } else { wanted };
        let (archive, version) = match place {
            Place::Repository { url, chart } => {
                self.of_repository(url, chart, asked, access, identity, wants_provenance)?
            }
            Place::Registry { base, name } => {
                let registry = Registry::open(base, name, place.to_string(), access)?;
                self.of_registry(registry, place, asked, wants_provenance)?
            }
        };
        let fetched = Fetched::of(place, wanted, archive, version)?;
        self.store.keep(&fetched.archive)?;
        Ok(fetched)
    }

    fn of_repository(
        &self,
        url: &str,
        chart: &str,
        wanted: &str,
        access: &Access,
        identity: &str,
        wants_provenance: bool,
    ) -> Result<(Archive, Option<String>), ChartError> {
        let kept = self
            .store
            .find(wanted)
            .filter(|archive| archive.kind() == Kind::Chart);
        if let Some(archive) = kept.filter(|archive| !wants_provenance || archive.provenance().is_some()) {
            return Ok((archive, None));
        }
        let repository = Repository::open(url, access)?;
        let key = (url.to_owned(), identity.to_owned());
        let mut known = self.index(&repository, url, &key)?;
        let listed = match known.index.with_digest(chart, wanted) {
            Some(listed) => listed.clone(),
            None => {
                let constraint = range(wanted)?;
                known.index.find(url, chart, wanted, &constraint)?.clone()
            }
        };
        let Listed { version, digest, .. } = &listed;
        let from = listed.place(url)?;
        let what = format!("the archive {from}");
        let digest = digest.clone().or_else(|| known.seen.get(&from).cloned());
        let kept = digest.as_deref().and_then(|digest| self.store.find(digest));
        let kept = kept.filter(|archive| !wants_provenance || archive.provenance().is_some());
        if let Some(archive) = kept.filter(|archive| archive.kind() == Kind::Chart) {
            return Ok((archive, Some(version.clone())));
        }
        let bytes: Arc<[u8]> = repository.archive(&from)?.into();
        let provenance = match wants_provenance {
            true => repository.provenance(&from)?.map(Arc::from),
            false => None,
        };
        let archive = Archive::new(Kind::Chart, bytes, provenance);
        if let Some(wanted) = &listed.digest {
            check_digest(&what, archive.digest(), wanted)?;
        } else {
            known.seen.insert(from, archive.digest().to_owned());
            self.indexes().insert(key, known);
        }
        Ok((archive, Some(version.clone())))
    }

    /// The index as it is now.
    fn index(&self, repository: &Repository, url: &str, key: &(String, String)) -> Result<Known, ChartError> {
        let before = self.indexes().get(key).cloned();
        let validators = before
            .as_ref()
            .map(|known| &known.validators)
            .filter(|validators| **validators != Validators::default());
        match (repository.index(validators)?, before) {
            (FetchedIndex::Unchanged, Some(known)) => Ok(known),
            (FetchedIndex::Unchanged, None) => Err(ChartError::Index {
                url: url.to_owned(),
                reason: "the server says that it is unchanged, and it was never had".to_owned(),
            }),
            (FetchedIndex::New(bytes, validators), _) => {
                let known = Known {
                    index: Arc::new(Index::read(url, &bytes)?),
                    validators,
                    seen: BTreeMap::new(),
                };
                let mut indexes = self.indexes();
                if indexes.len() >= INDEXES {
                    // Which one goes matters little: it is read again when it is asked for.
                    indexes.pop_first();
                }
                indexes.insert(key.clone(), known.clone());
                Ok(known)
            }
        }
    }

    fn indexes(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Known>> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_registry(
        &self,
        mut registry: Registry,
        place: &Place,
        wanted: &str,
        wants_provenance: bool,
    ) -> Result<(Archive, Option<String>), ChartError> {
        if is_sha256(wanted) {
            if let Some(archive) = self.store.find(wanted) {
                return Ok((archive, None));
            }
            let unknown = || unknown(place, wanted, &[]);
            let bytes: Arc<[u8]> = registry.blob(wanted, ARCHIVE_BYTES)?.ok_or_else(unknown)?.into();
            let is_chart = crate::archive::unpack(wanted, &bytes)?.chart(wanted).is_ok();
            let kind = if is_chart { Kind::Chart } else { Kind::Files };
            return Ok((Archive::new(kind, bytes, None), None));
        }
        let (tag, tags) = self.tag(&mut registry, wanted)?;
        let Some(tag) = tag else {
            return Err(unknown(place, wanted, &tags));
        };
        let content = registry.content(&tag)?;
        let content = content.ok_or_else(|| unknown(place, wanted, &tags))?;
        let version = tag.replace('_', "+");
        let is_there = |archive: &Archive| {
            let lacks = wants_provenance && content.provenance.is_some() && archive.provenance().is_none();
            archive.kind() == content.kind && !lacks
        };
        if let Some(archive) = self.store.find(&content.archive).filter(is_there) {
            return Ok((archive, Some(version)));
        }
        let broken = || ChartError::Registry {
            url: place.to_string(),
            reason: "its manifest names a layer that it does not have".to_owned(),
        };
        let bytes = registry
            .blob(&content.archive, ARCHIVE_BYTES)?
            .ok_or_else(broken)?;
        let provenance = match content.provenance.filter(|_| wants_provenance) {
            Some(digest) => Some(
                registry
                    .blob(&digest, PROVENANCE_BYTES)?
                    .ok_or_else(broken)?
                    .into(),
            ),
            None => None,
        };
        Ok((
            Archive::new(content.kind, bytes.into(), provenance),
            Some(version),
        ))
    }

    /// The tag, or the manifest's digest, that is meant; and the tags, if they were asked for.
    fn tag(
        &self,
        registry: &mut Registry,
        wanted: &str,
    ) -> Result<(Option<String>, Vec<String>), ChartError> {
        if is_manifest(wanted) {
            return Ok((Some(wanted.to_owned()), Vec::new()));
        }
        match Constraint::read(wanted) {
            Ok(range) if !range.is_exact() => {
                let tags = registry.tags()?;
                let versions: Vec<String> = tags.iter().map(|tag| tag.replace('_', "+")).collect();
                let found = newest(wanted, &range, versions.iter().map(String::as_str));
                let found = found.and_then(|index| tags.get(index)).cloned();
                // What is pushed without versions is `latest`.
                let latest = || {
                    (wanted.is_empty() && tags.iter().any(|tag| tag == "latest")).then(|| "latest".to_owned())
                };
                Ok((found.or_else(latest), versions))
            }
            _ if is_tag(&wanted.replace('+', "_")) => Ok((Some(wanted.replace('+', "_")), Vec::new())),
            Ok(_) => Ok((None, Vec::new())),
            Err(reason) => Err(ChartError::Range {
                text: wanted.to_owned(),
                reason,
            }),
        }
    }
}

impl Fetched {
    fn of(place: &Place, wanted: &str, archive: Archive, listed: Option<String>) -> Result<Self, ChartError> {
        let name = match &listed {
            Some(version) => format!("{} {version}", place.name()),
            None => format!("{} {}", place.name(), archive.digest()),
        };
        let unpacked = archive.unpack(&name)?;
        let (folder, metadata) = match archive.kind() {
            Kind::Files => (String::new(), None),
            Kind::Chart => {
                let (folder, metadata) = unpacked.chart(&name)?;
                // A tag that is no version says nothing of the version.
                let announced = listed.as_deref().and_then(Version::read);
                let is_other = announced.is_some_and(|announced| !announced.is(&metadata.version));
                if is_other || metadata.name != place.name() {
                    return Err(ChartError::Another {
                        wanted: name,
                        seen: format!("{} {}", shown(&metadata.name), shown(&metadata.version)),
                    });
                }
                (folder, Some(metadata))
            }
        };
        let digest = archive.digest().to_owned();
        let version = metadata.as_ref().map(|metadata| metadata.version.clone());
        Ok(Self {
            revision: Revision {
                requested: wanted.to_owned(),
                commit: digest.clone(),
                tree: digest.clone(),
                tag: None,
            },
            version: version.or(listed).unwrap_or(digest),
            metadata,
            archive,
            folder,
            unpacked: Arc::new(unpacked),
        })
    }

    /// Reads a folder, or a file, of it: the path is from the archive's root. None if there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Tree> {
        self.unpacked.tree(&self.revision, path)
    }

    /// Reads the files of the source: the chart's folder, or a folder of an artifact.
    ///
    /// # Errors
    /// [`ChartError::UnknownPath`].
    pub fn tree(&self, path: &str) -> Result<Tree, ChartError> {
        let path = match path.trim_matches('/') {
            "" | "." => self.folder.as_str(),
            path => path,
        };
        self.at(path).ok_or_else(|| ChartError::UnknownPath {
            path: path.to_owned(),
            what: format!("the artifact {}", self.version),
        })
    }
}

/// Whether a text can be a version, a range, or an archive's digest; in a registry also a tag, or a manifest's digest.
///
/// # Errors
/// Why not.
pub fn readable(wanted: &str, is_of_registry: bool) -> Result<(), String> {
    let is_tag = is_of_registry && (is_tag(&wanted.replace('+', "_")) || is_manifest(wanted));
    match NEWEST.contains(&wanted) || is_sha256(wanted) || is_tag {
        true => Ok(()),
        false => Constraint::read(wanted).map(|_| ()),
    }
}

fn is_manifest(wanted: &str) -> bool {
    wanted.strip_prefix("sha256:").is_some_and(is_sha256)
}

fn range(wanted: &str) -> Result<Constraint, ChartError> {
    Constraint::read(wanted).map_err(|reason| ChartError::Range {
        text: wanted.to_owned(),
        reason,
    })
}

fn unknown(place: &Place, wanted: &str, there: &[String]) -> ChartError {
    ChartError::UnknownVersion {
        what: place.to_string(),
        wanted: wanted.to_owned(),
        there: newest_of(there.iter().map(String::as_str)),
    }
}

/// As the distribution specification has it.
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

/// Text from an archive, without what a terminal would act on, and not too long.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(100)
        .collect()
}
