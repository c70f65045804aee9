//! What was compiled of strangers' plugins, kept on disk: Python's interpreter takes 11 s to compile, and some milliseconds to read.
//!
//! What is read here is run as native code, so it must be what this program wrote:
//!
//! - the folder, the key and each file belong to the user that runs the program, and nobody else may read or write them; a folder
//!   that is otherwise is not used;
//! - each file begins with a BLAKE3 MAC over its name and all that follows, by a key that lies in the folder. A file that was damaged,
//!   copied from another folder or moved to another name is removed, and its plugin is compiled again;
//! - the name has the plugin's digest, and what the compiler was: class, wasmtime's version, settings, processor.
//!
//! ```text
//! compiled/key                                  32 random bytes
//! compiled/CLASS-COMPATIBILITY-SHA256.image     the MAC (32 bytes), then an image
//! ```
//!
//! Whoever may write as this user could do anything that the plugin could, so the key protects against accidents and against files that
//! came from elsewhere, and the folder's owner and mode against other users.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::RuntimeClass;
use crate::image::{compatibility, load_compiled};

/// So much is kept, some thirty plugins of Python; what was used longest ago goes first.
const BYTES: u64 = 1 << 30;
const KEY: usize = blake3::KEY_LEN;
const MAC: usize = blake3::OUT_LEN;

/// A folder of compiled plugins that this user alone may read and write.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; KEY],
    limit: u64,
}

impl Cache {
    /// Opens the folder, which is made if it is not there yet.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        own(folder, &fs_err::symlink_metadata(folder)?)?;
        let key = key(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
            limit: BYTES,
        })
    }

    /// What was compiled of a plugin for this engine; none if it was not, or if what is there cannot be trusted.
    pub(crate) fn load(&self, class: RuntimeClass, engine: &Engine, wasm: &[u8]) -> Option<Component> {
        let name = name(class, engine, wasm);
        let path = self.folder.join(&name);
        let (mut file, bytes) = read_own(&path).ok()?;
        let loaded = bytes.split_at_checked(MAC).and_then(|(mac, image)| {
            let expected = self.mac(&name, image);
            // Compared in constant time.
            let found = blake3::Hash::from_bytes(mac.try_into().ok()?);
            (found == expected).then(|| load_compiled(engine, engine, image).ok())?
        });
        match &loaded {
            // What was used last goes last. That it cannot be said harms nothing.
            Some(_) => drop(file.file_mut().set_modified(SystemTime::now())),
            None => drop(fs_err::remove_file(&path)),
        }
        loaded
    }

    /// Keeps what was compiled of a plugin.
    pub(crate) fn keep(
        &self,
        class: RuntimeClass,
        engine: &Engine,
        wasm: &[u8],
        image: &[u8],
    ) -> io::Result<()> {
        let name = name(class, engine, wasm);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(self.mac(&name, image).as_bytes())?;
        file.write_all(image)?;
        file.persist(self.folder.join(name))?;
        self.make_room()
    }

    fn mac(&self, name: &str, image: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // A name has no line end, so where it ends is certain.
        hasher.update(name.as_bytes()).update(b"\n").update_rayon(image);
        hasher.finalize()
    }

    /// Removes what was used longest ago, until the rest is within the limit.
    fn make_room(&self) -> io::Result<()> {
        let mut images = Vec::new();
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "image") {
                let known = fs_err::symlink_metadata(&path)?;
                images.push((known.modified()?, known.len(), path));
            }
        }
        images.sort();
        let mut bytes: u64 = images.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in images {
            if bytes <= self.limit {
                break;
            }
            bytes -= size;
            fs_err::remove_file(path)?;
        }
        Ok(())
    }
}

fn name(class: RuntimeClass, engine: &Engine, wasm: &[u8]) -> String {
    let (class, compatibility) = (class.name(), compatibility(engine));
    format!("{class}-{compatibility:016x}-{:x}.image", Sha256::digest(wasm))
}

/// The key of a folder, which is made if it has none.
fn key(folder: &Path) -> io::Result<[u8; KEY]> {
    let path = folder.join("key");
    if let Err(error) = make_key(folder, &path)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    let (_, bytes) = read_own(&path)?;
    let wrong = |_| io::Error::other(format!("{} is no key: remove it", path.display()));
    <[u8; KEY]>::try_from(bytes).map_err(wrong)
}

/// Writes a new key, unless there is one.
fn make_key(folder: &Path, path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&key)?;
    // Of two that start at the same time one wins, and both read it.
    file.persist_noclobber(path)?;
    Ok(())
}

/// Reads a file that belongs to this user alone; a link is none.
fn read_own(path: &Path) -> io::Result<(fs_err::File, Vec<u8>)> {
    let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut file = fs_err::OpenOptions::new()
        .read(true)
        .custom_flags(no_link.bits().cast_signed())
        .open(path)?;
    let known = file.metadata()?;
    own(path, &known)?;
    if !known.is_file() {
        return Err(io::Error::other(format!("{} is no file", path.display())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

/// An error unless something belongs to this user, and nobody else may read or write it.
fn own(path: &Path, known: &std::fs::Metadata) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    let refused = |what: &str| Err(io::Error::other(format!("{} {what}", path.display())));
    match () {
        () if known.is_symlink() => refused("is a link"),
        () if known.uid() != user => refused(&format!("belongs to user {}, not to {user}", known.uid())),
        () if known.mode() & 0o077 != 0 => {
            refused("may be read or written by other users: it needs mode 0700")
        }
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests;
