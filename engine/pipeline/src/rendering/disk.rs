//! Renderings on disk, so that after a restart nothing is rendered anew that has not changed.
//!
//! Charts make up passwords, and what is read here is applied without another look at Git. So each file is encrypted and authenticated
//! (AES-256-GCM) with a key that only the installation has: it follows from the Secret that the randomness of renderings comes from. Without
//! that Secret nothing is written or read. A file that was changed, or moved to another name, or written with another key is as good as
//! none, and is removed.
//!
//! ```text
//! renderings/QUESTION/ANSWER    nonce (12 bytes), then the encrypted JSON of a [`Kept`]
//! ```

use std::io;
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use fs_err as fs;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sluice_model::rendering::Rendering;

use super::cache::{ANSWERS, Digest, Question};

/// So many bytes of renderings are kept on disk: some thousands, and less than most repositories take.
const BYTES: u64 = 512 << 20;
/// A larger rendering is made anew: nothing that renders so much is quick to read either.
const FILE: u64 = 64 << 20;

const NONCE: usize = 12;

/// One rendering, and what it follows from.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// What was at each path that was read.
    pub(super) read: Vec<(String, Digest)>,
    /// If the rendering has chance in it: from which seed.
    pub(super) seed: Option<String>,
    pub(super) rendering: Rendering,
}

/// A folder of renderings, and what opens them. Cheap to make.
#[derive(Clone)]
pub(crate) struct Disk {
    folder: PathBuf,
    names: Hmac<Sha256>,
    cipher: Aes256Gcm,
    limit: u64,
}

impl Disk {
    /// The renderings of an installation below a folder that other things may be in too. `key` is a secret of the installation, of any
    /// length.
    pub(crate) fn of(cache: &Path, key: &[u8]) -> Option<Self> {
        let derived = |purpose: &[u8]| {
            let mut mac = mac(key)?;
            mac.update(purpose);
            Some(mac.finalize().into_bytes())
        };
        Some(Self {
            folder: cache.join("renderings"),
            names: mac(&derived(b"names of renderings")?)?,
            cipher: Aes256Gcm::new_from_slice(&derived(b"renderings on disk")?).ok()?,
            limit: BYTES,
        })
    }

    /// What is kept for a question, the newest first. Whatever goes wrong, there is nothing.
    pub(super) fn read(&self, question: &Question) -> Vec<Kept> {
        let folder = self.folder_of(question);
        let mut files = files(&folder);
        files.sort_by_key(|file| std::cmp::Reverse(file.written));
        let kept = files.iter().take(ANSWERS).filter_map(|file| {
            let kept = self.open(&file.path);
            if kept.is_none() {
                remove(&file.path);
            }
            kept
        });
        kept.collect()
    }

    /// Keeps a rendering. That it cannot be kept is no fault: it is made anew then.
    pub(super) fn write(&self, question: &Question, kept: &Kept) {
        if let Err(error) = self.try_write(question, kept) {
            tracing::debug!("a rendering is not kept on disk: {error}");
        }
    }

    fn try_write(&self, question: &Question, kept: &Kept) -> io::Result<()> {
        let plain = serde_json::to_vec(kept)?;
        let folder = self.folder_of(question);
        let path = folder.join(self.name(&[&plain]));
        if plain.len() as u64 > FILE || path.exists() {
            return Ok(());
        }
        private_folder(&folder)?;
        let nonce = rand_nonce()?;
        let sealed = self
            .cipher
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: &plain,
                    aad: place(&path).as_bytes(),
                },
            )
            .map_err(|_| io::Error::other("it cannot be encrypted"))?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        io::Write::write_all(&mut file, &nonce)?;
        io::Write::write_all(&mut file, &sealed)?;
        file.persist(&path)?;
        self.make_room(&folder);
        Ok(())
    }

    fn open(&self, path: &Path) -> Option<Kept> {
        if fs::metadata(path).ok()?.len() > FILE + 1024 {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let plain = self.cipher.decrypt(
            Nonce::from_slice(nonce),
            Payload {
                msg: sealed,
                aad: place(path).as_bytes(),
            },
        );
        serde_json::from_slice(&plain.ok()?).ok()
    }

    /// Removes what was written longest ago: of this question, and of all if they are too much.
    fn make_room(&self, folder: &Path) {
        let mut own = files(folder);
        own.sort_by_key(|file| std::cmp::Reverse(file.written));
        own.iter().skip(ANSWERS).for_each(|file| remove(&file.path));
        let mut all: Vec<File> = folders(&self.folder)
            .iter()
            .flat_map(|folder| files(folder))
            .collect();
        let mut bytes: u64 = all.iter().map(|file| file.bytes).sum();
        all.sort_by_key(|file| file.written);
        for file in all {
            if bytes <= self.limit {
                break;
            }
            bytes -= file.bytes;
            remove(&file.path);
        }
    }

    fn folder_of(&self, question: &Question) -> PathBuf {
        self.folder.join(self.name(&[question.as_bytes()]))
    }

    /// A name that says nothing to those who have no key.
    fn name(&self, parts: &[&[u8]]) -> String {
        let mut mac = self.names.clone();
        parts.iter().for_each(|part| mac.update(part));
        hex::encode(mac.finalize().into_bytes())
    }
}

/// A key of any length is one.
fn mac(key: &[u8]) -> Option<Hmac<Sha256>> {
    <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).ok()
}

/// The name of a file and of its folder: what is encrypted is only good there.
fn place(path: &Path) -> String {
    let names = path.iter().rev().take(2).map(|name| name.to_string_lossy());
    names.collect::<Vec<_>>().join("/")
}

struct File {
    path: PathBuf,
    bytes: u64,
    written: std::time::SystemTime,
}

fn files(folder: &Path) -> Vec<File> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let known = entry.metadata().ok()?;
        known.is_file().then_some(File {
            path: entry.path(),
            bytes: known.len(),
            written: known.modified().ok()?,
        })
    };
    entries.filter_map(file).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Removes a file, and its folder if that was the last one. Another process may have been quicker.
fn remove(path: &Path) {
    drop(fs::remove_file(path));
    if let Some(folder) = path.parent() {
        // A folder with files in it stays.
        drop(fs::remove_dir(folder));
    }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

fn rand_nonce() -> io::Result<[u8; NONCE]> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(nonce)
}

#[cfg(test)]
mod tests;
