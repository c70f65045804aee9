//! Archives on disk, each under its digest. What is read is hashed again, so the disk is believed nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use fs_err as fs;

use crate::archive::{ARCHIVE_BYTES, Archive, Kind, PROVENANCE_BYTES};
use crate::error::ChartError;
use crate::registry::is_sha256;

/// So many bytes are kept; what was used last stays.
const KEPT_BYTES: u64 = 1 << 30;

/// A folder of archives.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The archive of a digest. None if it is not here, or is not what it was.
    pub(crate) fn find(&self, digest: &str) -> Option<Archive> {
        if !is_sha256(digest) {
            return None;
        }
        [Kind::Chart, Kind::Files].into_iter().find_map(|kind| {
            let path = self.path(digest, kind);
            let bytes = read(&path, ARCHIVE_BYTES)?;
            let provenance = read(&self.provenance(digest), PROVENANCE_BYTES);
            let archive = Archive::new(kind, bytes, provenance);
            if archive.digest() != digest {
                tracing::warn!(path = %path.display(), "an archive in the cache is damaged, and is fetched again");
                drop(fs::remove_file(&path));
                return None;
            }
            // What was used last is kept longest. Where the time cannot be written, that is not known.
            let touched = fs::OpenOptions::new().append(true).open(&path);
            drop(touched.and_then(|file| file.file().set_modified(SystemTime::now())));
            Some(archive)
        })
    }

    pub(crate) fn keep(&self, archive: &Archive) -> Result<(), ChartError> {
        // An archive without its provenance file would be taken for one that has none.
        if let Some(provenance) = archive.provenance() {
            self.write(&self.provenance(archive.digest()), provenance)?;
        }
        self.write(&self.path(archive.digest(), archive.kind()), archive.bytes())?;
        self.shrink(KEPT_BYTES);
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), ChartError> {
        let unusable = |source: std::io::Error| ChartError::Cache {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(&self.folder).map_err(unusable)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(unusable)?;
        file.write_all(bytes).map_err(unusable)?;
        file.persist(path).map_err(|error| unusable(error.error))?;
        Ok(())
    }

    /// Removes what was not used for longest, until no more than `allowed` is left. What cannot be removed stays.
    fn shrink(&self, allowed: u64) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= allowed {
                return;
            }
            if fs::remove_file(path).is_ok() {
                total -= size;
            }
        }
    }

    fn path(&self, digest: &str, kind: Kind) -> PathBuf {
        let ending = match kind {
            Kind::Chart => "chart",
            Kind::Files => "files",
        };
        self.folder.join(format!("{digest}.{ending}"))
    }

    fn provenance(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.prov"))
    }
}

fn read(path: &Path, limit: u64) -> Option<Arc<[u8]>> {
    let size = fs::metadata(path).ok()?.len();
    (size <= limit)
        .then(|| fs::read(path).ok().map(Arc::from))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_unless_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("charts"));
        let archive = Archive::new(
            Kind::Chart,
            Arc::from(&b"bytes"[..]),
            Some(Arc::from(&b"signed"[..])),
        );
        store.keep(&archive).unwrap();
        let found = store.find(archive.digest()).unwrap();
        assert_eq!(found.bytes(), archive.bytes());
        assert_eq!(found.provenance(), archive.provenance());
        assert!(store.find("../../etc/passwd").is_none());

        fs::write(store.path(archive.digest(), Kind::Chart), b"other").unwrap();
        assert!(store.find(archive.digest()).is_none());
        assert!(!store.path(archive.digest(), Kind::Chart).exists());
    }

    #[test]
    fn it_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        for number in 0..4u8 {
            store
                .keep(&Archive::new(Kind::Files, Arc::from(vec![number; 100]), None))
                .unwrap();
        }
        store.shrink(250);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
