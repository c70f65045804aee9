//! Git's protocol through the pipes of a program: `ssh` for `ssh://`, `git upload-pack` for `file://`.
//!
//! The program's environment is stripped of what would let it read another repository or configuration than the one
//! named, its standard error is kept to tell people why it failed, and it is killed with the fetch.

use std::io::{self, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gix::bstr::BString;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;

use super::ssh::{self, Ssh};
use super::{Cause, Trouble};
use crate::access::Access;
use crate::address::{Address, Route};
use crate::error::SourceError;
use crate::watch::{Watch, Watched};

/// Enough for what `ssh` has to say, banners included; the rest is read and thrown away.
const STDERR: u64 = 64 << 10;

/// Environment that would lead `git` to another repository or configuration.
const GIT_ENVIRONMENT: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
];

/// A running program that speaks Git's protocol.
pub(crate) struct Program {
    /// What gix speaks through.
    pub(crate) connection: Connection<Output, Input>,
    /// Why it failed, once it has ended.
    pub(crate) diagnosis: Diagnosis,
}

/// Ends the program and says what it complained of. To be asked after a failure, and dropped after a success.
pub(crate) struct Diagnosis {
    stderr: Receiver<String>,
    ssh: Option<Ssh>,
    trouble: Trouble,
    _child: Watched,
}

impl Program {
    pub(crate) fn start(
        address: &Address,
        access: &Access,
        watch: &Watch,
        trouble: Trouble,
    ) -> Result<Self, SourceError> {
        let (mut command, ssh, path) = match &address.route {
            Route::Ssh(destination) => {
                let (command, ssh) = ssh::command(address, destination, access)?;
                (command, Some(ssh), destination.path.clone())
            }
            Route::File { path } => {
                let mut command = Command::new("git");
                command.arg("upload-pack").arg("--").arg(path);
                (command, None, BString::from(path.as_os_str().as_encoded_bytes()))
            }
            Route::Http => unreachable!("HTTP has a client of its own"),
        };
        for name in GIT_ENVIRONMENT {
            command.env_remove(name);
        }
        command.env("GIT_PROTOCOL", "version=2").env("LC_ALL", "C");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let unreachable = |source: io::Error| SourceError::Unreachable {
            url: address.to_string(),
            source: format!("cannot run `{program}`: {source}").into(),
        };
        let mut child = command.spawn().map_err(unreachable)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let watched = watch.over(child);
        let (Some(stdin), Some(stdout), Some(mut stderr)) = pipes else {
            return Err(unreachable(io::ErrorKind::BrokenPipe.into()));
        };
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // What it said until a failure is all there is to show.
            drop(stderr.by_ref().take(STDERR).read_to_end(&mut text));
            drop(sender.send(String::from_utf8_lossy(&text).into_owned()));
            drop(io::copy(&mut stderr, &mut io::sink()));
        });
        let connection = Connection::new(
            Output {
                stdout,
                watch: watch.clone(),
            },
            Input { stdin: Some(stdin) },
            Protocol::V2,
            path,
            None::<(&str, _)>,
            ConnectMode::Process,
            false,
        )
        .custom_url(Some(address.url.to_bstring()));
        Ok(Self {
            connection,
            diagnosis: Diagnosis {
                stderr: receiver,
                ssh,
                trouble,
                _child: watched,
            },
        })
    }
}

impl Diagnosis {
    /// Notes what the program complained of, if it did.
    pub(crate) fn note(self) {
        // The program has closed its output or is about to; what it has said until then is in the pipe.
        let text = self
            .stderr
            .recv_timeout(Duration::from_secs(2))
            .unwrap_or_default();
        let cause = match &self.ssh {
            Some(ssh) => ssh.trouble(&text),
            None => upload_pack_trouble(&text),
        };
        if let Some(cause) = cause {
            self.trouble.note(cause);
        }
    }
}

pub(super) fn upload_pack_trouble(stderr: &str) -> Option<Cause> {
    let text = last_lines(stderr);
    let lower = stderr.to_lowercase();
    let unknown = [
        "does not appear to be a git repository",
        "not found",
        "does not exist",
        "not a git repository",
    ];
    if unknown.iter().any(|word| lower.contains(word)) {
        return Some(Cause::UnknownRepository(text));
    }
    if lower.contains("access denied") || lower.contains("dubious ownership") {
        return Some(Cause::Authentication(text));
    }
    (!text.is_empty()).then_some(Cause::Other(text))
}

/// The last of what a program said, on one line, without what a terminal would act on.
pub(super) fn last_lines(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("@@") && !ssh::is_talk(line))
        .collect();
    let from = lines.len().saturating_sub(8);
    lines
        .iter()
        .skip(from)
        .copied()
        .collect::<Vec<_>>()
        .join("; ")
        .replace(char::is_control, " ")
}

/// What the program says.
pub(crate) struct Output {
    stdout: ChildStdout,
    watch: Watch,
}

impl Read for Output {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.watch.check()?;
        let count = self.stdout.read(target)?;
        self.watch.received(count)?;
        Ok(count)
    }
}

/// What the program is told.
pub(crate) struct Input {
    stdin: Option<ChildStdin>,
}

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stdin
            .as_mut()
            .map_or(Err(io::ErrorKind::BrokenPipe.into()), |stdin| stdin.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdin.as_mut().map_or(Ok(()), Write::flush)
    }
}
