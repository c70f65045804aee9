//! `git daemon`: the `git://` protocol, without any security.

use std::path::Path;

use anyhow::Result;

use crate::{Folder, Process, free_port, repository, wait::wait_for_port};

/// A running `git daemon` that serves every repository below a folder.
#[derive(Debug)]
pub struct GitDaemon {
    // Kept because it ends the process; before the folder, because fields are dropped in order.
    _process: Process,
    _logs: Folder,
    port: u16,
}

impl GitDaemon {
    /// Serves the bare repositories below `root`.
    pub fn start(root: &Path) -> Result<Self> {
        let logs = Folder::new("daemon")?;
        let port = free_port()?;
        let mut command = repository::git();
        command
            .args(["daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", root.display()))
            .arg(root);
        let mut process = Process::start("git daemon", &mut command, &logs.path().join("log"))?;
        wait_for_port("git daemon", port, || process.check())?;
        Ok(Self {
            _process: process,
            _logs: logs,
            port,
        })
    }

    /// Returns the URL of a repository below the folder.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("git://127.0.0.1:{}/{path}", self.port)
    }
}
