//! Histories that gpg has signed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sluice_sandbox::{GnuPg, output};

/// A repository whose every commit is signed by one key.
pub(crate) struct Signed {
    pub(crate) repository: PathBuf,
    /// The public key, armoured.
    pub(crate) keys: PathBuf,
    /// A gpg home that knows it.
    pub(crate) home: PathBuf,
}

impl Signed {
    /// The history in that folder, made where it is not there yet.
    pub(crate) fn make(folder: &Path, algorithm: &str, commits: usize) -> Result<Self> {
        let signed = Self {
            repository: folder.join("repository"),
            keys: folder.join("key.asc"),
            home: folder.join("home"),
        };
        // Written last: without it, making it was interrupted.
        let stamp = folder.join(format!("complete-{commits}"));
        if stamp.exists() {
            return Ok(signed);
        }
        if folder.exists() {
            fs_err::remove_dir_all(folder)?;
        }
        fs_err::create_dir_all(&signed.repository)?;
        let home = GnuPg::new()?;
        let key = home.generate_with("Ada <ada@example.org>", algorithm, "never")?;
        fs_err::write(&signed.keys, home.export(&key)?)?;
        signed.know()?;
        signed.commit(&home, &key.fingerprint, commits)?;
        fs_err::write(&stamp, "")?;
        Ok(signed)
    }

    /// A home of its own for those who verify: without private keys, and with nobody else's agent.
    fn know(&self) -> Result<()> {
        fs_err::create_dir_all(&self.home)?;
        fs_err::set_permissions(&self.home, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        let mut command = Command::new("gpg");
        command
            .env("GNUPGHOME", &self.home)
            .args(["--batch", "--quiet", "--import"]);
        output(command.arg(&self.keys))?;
        Ok(())
    }

    fn commit(&self, home: &GnuPg, key: &str, commits: usize) -> Result<()> {
        let git = |arguments: &[&str]| {
            let mut command = git();
            command
                .env("GNUPGHOME", home.path())
                .arg("-C")
                .arg(&self.repository);
            command.arg("-c").arg(format!("user.signingKey={key}"));
            output(command.args(arguments)).map(|said| said.trim().to_owned())
        };
        git(&["init", "--quiet", "--initial-branch=main"])?;
        let mut parent: Option<String> = None;
        for number in 0..commits {
            let file = self.repository.join("app").join(format!("{}.yaml", number % 50));
            fs_err::create_dir_all(file.parent().context("a folder")?)?;
            fs_err::write(&file, format!("number: {number}\n"))?;
            git(&["add", "--all"])?;
            let tree = git(&["write-tree"])?;
            let message = format!("change number {number}");
            let mut arguments = vec!["commit-tree", "-S", "-m", &message];
            if let Some(parent) = &parent {
                arguments.extend(["-p", parent]);
            }
            arguments.push(&tree);
            parent = Some(git(&arguments)?);
        }
        let head = parent.context("there are commits")?;
        git(&["update-ref", "refs/heads/main", &head])?;
        // As a clone has it.
        git(&["gc", "--quiet"])?;
        Ok(())
    }
}

/// `git` without anybody's configuration.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("LC_ALL", "C.UTF-8");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Ada")
            .env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    command
}
