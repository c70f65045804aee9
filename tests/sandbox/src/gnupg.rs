//! A gpg home: real keys, made for the occasion, without a passphrase.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{
    Folder,
    process::{output, output_with_input},
};

/// A key pair in a [`GnuPg`] home.
#[derive(Debug, Clone)]
pub struct Key {
    /// The primary key's fingerprint, in full and in capitals.
    pub fingerprint: String,
    /// `Name <address>`.
    pub user_id: String,
}

/// A gpg home of its own, with its own agent.
#[derive(Debug)]
pub struct GnuPg {
    folder: Folder,
}

impl GnuPg {
    /// Creates an empty one.
    pub fn new() -> Result<Self> {
        let folder = Folder::new("gpg")?;
        folder.write(
            "gpg.conf",
            "batch\nno-tty\nno-auto-key-retrieve\npinentry-mode loopback\n",
        )?;
        folder.write("gpg-agent.conf", "allow-loopback-pinentry\ndisable-scdaemon\n")?;
        Ok(Self { folder })
    }

    /// Returns the folder, for `GNUPGHOME`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an Ed25519 key that signs and never expires.
    pub fn generate(&self, user_id: &str) -> Result<Key> {
        self.generate_with(user_id, "ed25519", "never")
    }

    /// Makes a key that signs: `algorithm` and `expires` as `gpg --quick-generate-key` takes them.
    pub fn generate_with(&self, user_id: &str, algorithm: &str, expires: &str) -> Result<Key> {
        let arguments = [
            "--passphrase",
            "",
            "--quick-generate-key",
            user_id,
            algorithm,
            "sign",
            expires,
        ];
        let said = output(self.gpg().args(["--status-fd", "1"]).args(arguments))?;
        let fingerprint = said
            .lines()
            .find_map(|line| {
                line.strip_prefix("[GNUPG:] KEY_CREATED ")?
                    .split_whitespace()
                    .nth(1)
            })
            .context("gpg names no new key")?;
        Ok(Key {
            fingerprint: fingerprint.to_owned(),
            user_id: user_id.to_owned(),
        })
    }

    /// Revokes a key, with the certificate that gpg made together with it.
    pub fn revoke(&self, key: &Key) -> Result<()> {
        let certificate = self
            .path()
            .join(format!("openpgp-revocs.d/{}.rev", key.fingerprint));
        // gpg puts a colon before the armour, so that nobody imports it by accident.
        let armour = fs_err::read_to_string(certificate)?.replace(":-----BEGIN", "-----BEGIN");
        output_with_input(self.gpg().arg("--import"), armour.as_bytes())?;
        Ok(())
    }

    /// Returns a public key, armoured.
    pub fn export(&self, key: &Key) -> Result<String> {
        output(self.gpg().args(["--armor", "--export", &key.fingerprint]))
    }

    /// Takes in keys that were made elsewhere.
    pub fn import(&self, armour: &str) -> Result<()> {
        output_with_input(self.gpg().arg("--import"), armour.as_bytes())?;
        Ok(())
    }

    /// Returns gpg in this home, ready to be given arguments.
    #[must_use]
    pub fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.path()).env("LC_ALL", "C.UTF-8");
        command
    }
}

impl Drop for GnuPg {
    fn drop(&mut self) {
        // The agent would end by itself once its folder is gone, some time later.
        Command::new("gpgconf")
            .env("GNUPGHOME", self.path())
            .args(["--kill", "all"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}
