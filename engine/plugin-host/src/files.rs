//! Plugins of a folder: which files there are, and what each was when it was looked at last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells that a file was not touched since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

/// The plugins of a folder by name. Hidden files, and whatever is not called `name.wasm`, are none.
pub(crate) fn list(folder: &Path) -> std::io::Result<BTreeMap<String, Seen>> {
    let mut files = BTreeMap::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".wasm"))
        else {
            continue;
        };
        if name.is_empty() || name.starts_with('.') {
            continue;
        }
        // Follows links: a mounted ConfigMap is made of them. A file that went meanwhile is seen next time.
        let Ok(metadata) = fs_err::metadata(&path) else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        let seen = Seen {
            path: path.clone(),
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
        };
        files.insert(name.to_owned(), seen);
    }
    Ok(files)
}
