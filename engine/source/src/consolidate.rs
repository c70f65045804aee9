//! Puts the packs of a mirror together when they become many.
//!
//! Every fetch that brings something adds a pack, and every look-up asks all of them. Entries of a pack refer to others of
//! the same pack by distance or by id, so packs can be written one after the other into a new one as they are; it is then
//! looked through and indexed as if it had been fetched. Nothing is left out, also not what no branch leads to any more: it
//! may be the last revision that was trusted.

use std::io::{self, BufReader, Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use fs_err as fs;
use gix::odb::pack::data::Version;
use gix::odb::pack::data::header;

use crate::conversation::{Bounds, store};

/// A look-up asks so many packs at most; Git itself begins to clean up at fifty.
const PACKS: usize = 32;

/// Makes one pack of all, where there are many.
pub(crate) fn packs(repository: &gix::Repository, bounds: &Bounds<'_>) -> Result<(), gix::Error> {
    let folder = repository.objects.store_ref().path().join("pack");
    let entries = fs::read_dir(&folder).map_err(gix::Error::from_error)?;
    let mut packs: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .collect();
    if packs.len() <= PACKS {
        return Ok(());
    }
    packs.sort();
    let joined = join(&packs, repository.object_hash(), &folder).map_err(gix::Error::from_error)?;
    let mut reader = BufReader::with_capacity(64 << 10, joined);
    store(repository, &mut reader, bounds.watch.interrupt(), bounds)?;
    for pack in packs {
        // The index first: without it the rest is a left-over that the next fetch sweeps away.
        for file in [pack.with_extension("idx"), pack] {
            fs::remove_file(file).map_err(gix::Error::from_error)?;
        }
    }
    Ok(())
}

/// One pack with the entries of all, in a file without a name.
fn join(packs: &[PathBuf], format: gix::hash::Kind, folder: &std::path::Path) -> io::Result<std::fs::File> {
    let mut objects = 0_u32;
    for pack in packs {
        let mut head = [0; header::SIZE];
        fs::File::open(pack)?.read_exact(&mut head)?;
        let (_, count) = header::decode(&head).map_err(io::Error::other)?;
        objects = objects
            .checked_add(count)
            .ok_or_else(|| io::Error::other("too many objects for one pack"))?;
    }
    let mut hasher = gix::hash::hasher(format);
    let mut joined = tempfile::tempfile_in(folder)?;
    let mut write = |bytes: &[u8]| {
        hasher.update(bytes);
        joined.write_all(bytes)
    };
    write(&header::encode(Version::V2, objects))?;
    let (head, tail) = (header::SIZE as u64, format.len_in_bytes() as u64);
    let mut buffer = vec![0; 64 << 10];
    for pack in packs {
        let mut file = fs::File::open(pack)?;
        let entries = file.metadata()?.len().saturating_sub(head + tail);
        file.seek(io::SeekFrom::Start(head))?;
        let mut entries = file.take(entries);
        loop {
            let count = entries.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            write(buffer.get(..count).unwrap_or_default())?;
        }
    }
    let trailer = hasher.try_finalize().map_err(io::Error::other)?;
    joined.write_all(trailer.as_slice())?;
    joined.rewind()?;
    Ok(joined)
}
