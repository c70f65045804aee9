//! `sshd` on loopback, for the one user who runs it, with keys made for the occasion.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    Folder, Process, free_port,
    process::{last_lines, output},
    wait::wait_for_port,
};

/// A running `sshd`.
#[derive(Debug)]
pub struct SshServer {
    // Before the folder, because fields are dropped in order.
    _process: Process,
    folder: Folder,
    port: u16,
    user: String,
}

impl SshServer {
    /// Starts one that takes one key, its own.
    pub fn start() -> Result<Self> {
        let folder = Folder::new("ssh")?;
        for key in ["host-key", "user-key"] {
            let path = folder.path().join(key);
            output(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
                    .arg(path),
            )?;
        }
        let allowed = fs_err::read_to_string(folder.path().join("user-key.pub"))?;
        let allowed = folder.write("authorized_keys", allowed)?;
        let port = free_port()?;
        let configuration = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n",
            folder.path().join("host-key").display(),
            allowed.display(),
        );
        let configuration = folder.write("sshd_config", configuration)?;
        // Where its privileges are dropped to. Only root needs it, and only root can make it.
        fs_err::create_dir_all("/run/sshd").ok();
        // By its full path, because it starts itself again for every connection.
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(configuration);
        let log = folder.path().join("log");
        let mut process =
            Process::start("sshd", &mut command, &log).context("install the package openssh-server")?;
        wait_for_port("sshd", port, || process.check()).with_context(|| last_lines(&log, 10))?;
        let user = output(Command::new("id").arg("-un"))?.trim().to_owned();
        Ok(Self {
            _process: process,
            folder,
            port,
            user,
        })
    }

    /// Returns the URL of a repository, by its path on this machine.
    #[must_use]
    pub fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display())
    }

    /// Returns the file with the private key that is let in.
    #[must_use]
    pub fn private_key(&self) -> PathBuf {
        self.folder.path().join("user-key")
    }

    /// Returns the server's line for a known-hosts file.
    pub fn known_host(&self) -> Result<String> {
        let key = fs_err::read_to_string(self.folder.path().join("host-key.pub"))?;
        let mut words = key.split_whitespace();
        let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(format!("[127.0.0.1]:{} {kind} {key}\n", self.port))
    }

    /// Returns the fingerprint of the server's key, as `ssh` shows it.
    pub fn fingerprint(&self) -> Result<String> {
        let key = self.folder.path().join("host-key.pub");
        let said = output(Command::new("ssh-keygen").arg("-lf").arg(key))?;
        let fingerprint = said.split_whitespace().nth(1);
        Ok(fingerprint.context("ssh-keygen shows no fingerprint")?.to_owned())
    }
}
