//! The files of the plugin directory: which there are, what each was when it was looked at last, and how one is read.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sluice_plugin_aot::RuntimeClass;

use crate::codes::PluginError;

/// What tells that a file was not touched since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: PathBuf,
    /// None where nothing is known of it, such as at the end of a link that leads nowhere.
    state: Option<FileState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl From<Metadata> for FileState {
    fn from(metadata: Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: {
                use std::os::unix::fs::MetadataExt as _;
                (
                    metadata.dev(),
                    metadata.ino(),
                    metadata.ctime(),
                    metadata.ctime_nsec(),
                )
            },
        }
    }
}

impl Seen {
    /// A file as it is now. Links are followed: a mounted ConfigMap is made of them.
    pub(crate) fn of(path: PathBuf) -> Self {
        let state = fs_err::metadata(&path).ok().map(FileState::from);
        Self { path, state }
    }
}

/// Everything in a folder that is called `NAME.wasm`, by name. Hidden files are passed over: they are on their way to another name.
pub(super) fn list(folder: &Path) -> std::io::Result<BTreeMap<String, Seen>> {
    let mut files = BTreeMap::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(name) = file_name.strip_suffix(".wasm") else {
            continue;
        };
        if name.is_empty() || name.starts_with('.') {
            continue;
        }
        files.insert(name.to_owned(), Seen::of(path));
    }
    Ok(files)
}

/// True for a name that can be written into `spec.policies`, where `@` and what is beyond ASCII mean something else or nothing.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.bytes().all(is_plain)
}

/// Reads a plugin of any kind, and not more of it than is taken. It must be a file: a pipe could be fed for ever, or never.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, PluginError> {
    read_some(path, RuntimeClass::Renderer.limits().file_bytes)
}

/// Reads a file; one byte more than `most_bytes` if it has more.
pub(crate) fn read_some(path: &Path, most_bytes: usize) -> Result<Vec<u8>, PluginError> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true);
    // Opening a pipe would wait for who writes to it; what was opened is looked at, so that it cannot be exchanged meanwhile.
    #[cfg(unix)]
    fs_err::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(PluginError::Read)?;
    if !file.metadata().map_err(PluginError::Read)?.is_file() {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(PluginError::Read(error));
    }
    let mut bytes = Vec::new();
    file.take(most_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(PluginError::Read)?;
    Ok(bytes)
}
