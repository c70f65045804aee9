//! A working copy to write, commit and push from, with the real `git`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{Folder, GnuPg, Key, process::output};

/// Keeps the user's and the machine's Git configuration out. Identities and dates come with each command.
pub(crate) const ISOLATED: [(&str, &str); 4] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C.UTF-8"),
];

/// Returns `git` without anybody's configuration.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    command.envs(ISOLATED);
    for variable in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GNUPGHOME",
        "SSH_AUTH_SOCK",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Who vouches for a commit.
#[derive(Debug, Clone, Copy)]
pub enum Signature<'a> {
    /// The commit is not signed.
    None,
    /// A key of a gpg home.
    OpenPgp(&'a GnuPg, &'a Key),
    /// A private SSH key, by its file.
    Ssh(&'a Path),
}

/// A commit's object id.
pub type Commit = String;

/// A working copy on the branch `main`.
#[derive(Debug)]
pub struct Repository {
    folder: Folder,
}

impl Repository {
    /// Creates an empty one.
    pub fn new() -> Result<Self> {
        let folder = Folder::new("repository")?;
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch=main"])?;
        Ok(repository)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with the folders on the way.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        self.folder.write(name, content)
    }

    /// Removes a file or a folder.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path().join(name);
        if path.is_dir() {
            fs_err::remove_dir_all(path)?
        } else {
            fs_err::remove_file(path)?
        }
        Ok(())
    }

    /// Copies a folder from elsewhere, with everything in it, to a place in the working copy.
    pub fn copy_from(&self, source: &Path, to: &str) -> Result<()> {
        copy(source, &self.path().join(to))
    }

    /// Commits everything as it is, changed or not, and returns the commit.
    pub fn commit(&self, message: &str, signature: Signature<'_>) -> Result<Commit> {
        self.git(&["add", "--all"])?;
        let mut command = self.git_command();
        sign(&mut command, signature);
        command.args(["commit", "--quiet", "--allow-empty", "--message", message]);
        command.arg(if matches!(signature, Signature::None) {
            "--no-gpg-sign"
        } else {
            "--gpg-sign"
        });
        output(&mut command)?;
        self.head()
    }

    /// Makes an annotated tag at the newest commit and returns the tag object's id.
    pub fn tag(&self, name: &str, signature: Signature<'_>) -> Result<String> {
        let mut command = self.git_command();
        sign(&mut command, signature);
        command.args(["tag", "--message", name]);
        command
            .arg(if matches!(signature, Signature::None) {
                "--annotate"
            } else {
                "--sign"
            })
            .arg(name);
        output(&mut command)?;
        Ok(self
            .git(&["rev-parse", &format!("refs/tags/{name}")])?
            .trim()
            .to_owned())
    }

    /// Returns the newest commit.
    pub fn head(&self) -> Result<Commit> {
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// Pushes all branches and tags, over whatever was there.
    pub fn push(&self, to: &str) -> Result<()> {
        self.git(&[
            "push",
            "--quiet",
            "--force",
            to,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        ])?;
        Ok(())
    }

    /// Runs git in the working copy and returns what it prints.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        output(self.git_command().args(arguments))
    }

    /// Returns git in the working copy, ready to be given arguments.
    #[must_use]
    pub fn git_command(&self) -> Command {
        let mut command = git();
        command.current_dir(self.path());
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Ada")
                .env(format!("GIT_{role}_EMAIL"), "ada@example.org");
        }
        command
    }
}

fn sign(command: &mut Command, signature: Signature<'_>) {
    match signature {
        Signature::None => {}
        Signature::OpenPgp(home, key) => {
            command.env("GNUPGHOME", home.path());
            command
                .arg("-c")
                .arg(format!("user.signingKey={}", key.fingerprint));
        }
        Signature::Ssh(file) => {
            command
                .args(["-c", "gpg.format=ssh", "-c"])
                .arg(format!("user.signingKey={}", file.display()));
        }
    }
}

fn copy(source: &Path, to: &Path) -> Result<()> {
    if source.is_dir() {
        fs_err::create_dir_all(to)?;
        for entry in fs_err::read_dir(source)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else {
        fs_err::copy(source, to)?;
    }
    Ok(())
}
