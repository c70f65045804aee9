//! A temporary folder that is gone when this process is, even when it is killed.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::janitor;

/// A temporary folder, readable by this user alone.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// Creates it; `what` is a part of its name, for whoever finds it.
    pub fn new(what: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("sluice-{what}-"))
            // gpg and sshd insist.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(root())
            .context("cannot create a temporary folder")?;
        janitor::watch_folder(folder.path());
        Ok(Self(folder))
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file in it, with the folders on the way.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(&path, content)?;
        Ok(path)
    }
}

/// Sockets live in these folders (gpg-agent), and the path of a socket has room for 107 bytes.
fn root() -> PathBuf {
    const LONGEST: usize = 60;
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() <= LONGEST {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}
