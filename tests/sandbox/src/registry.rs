//! A registry on loopback: `tests/registry`, the CNCF's distribution, with everything in memory.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::process::output;
use crate::{Folder, Process, free_port, registry_binary, wait_for};

/// A user of a [`Registry`], `robot` with the password `secret`, as the file of `htpasswd -B` has it.
const USERS: &str = "robot:$2a$05$lzOj4uhQW3p2EygyaclAieFTr9WmSeip.3O2tsotvPMmjOb4DU5Bi\n";

/// A registry that ends with this.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    process: Process,
    _folder: Folder,
}

impl Registry {
    /// Starts one that anybody may read and write.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// Starts one whose only user is `robot`, with the password `secret`.
    pub fn start_protected() -> Result<Self> {
        Self::start_with("auth:\n  htpasswd: {realm: test, path: users}\n")
    }

    fn start_with(more: &str) -> Result<Self> {
        let binary = registry_binary(|build| output(build).map(drop))?;
        let folder = Folder::new("registry")?;
        let port = free_port()?;
        let configuration = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{inmemory: {{}}}}\nhttp: {{addr: '127.0.0.1:{port}', secret: test}}\n{more}"
        );
        let file = folder.write("config.yaml", configuration)?;
        folder.write("users", USERS)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg(&file).current_dir(folder.path());
        let log = folder.path().join("log");
        let mut process = Process::start("registry", &mut command, &log)?;
        wait_for("the registry", Duration::from_secs(30), || {
            process.check()?;
            std::net::TcpStream::connect(("127.0.0.1", port)).context("it does not listen yet")?;
            Ok(())
        })?;
        if process.check().is_err() {
            bail!("the registry ended: {}", process.log()?);
        }
        Ok(Self {
            port,
            process,
            _folder: folder,
        })
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns what it had to say.
    pub fn log(&self) -> Result<String> {
        self.process.log()
    }
}
