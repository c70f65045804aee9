//! Child processes: ones that run beside this one and end with it, and ones whose output is wanted.

use std::{
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::janitor;

/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(15);

/// A child that runs beside this process, writes to a log file, and is ended on `Drop`.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts it, in a process group of its own so that Ctrl-C reaches this process alone. Its input is empty unless
    /// set; its output and errors go to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)?
            .into_parts()
            .0;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        janitor::watch_process(child.id());
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
            ended: None,
        })
    }

    /// Returns its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of its log if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        match self.ended {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, last_lines(&self.log, 20)),
        }
    }

    /// Returns everything it has written so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs_err::read(&self.log)?).into_owned())
    }

    /// Sends it a signal, e.g. `TERM`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        // A signal cannot be sent without `unsafe` or one more dependency; the shell's own `kill` is everywhere.
        let status = Command::new("/bin/sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.id().to_string()])
            .stderr(Stdio::null())
            .status()?;
        anyhow::ensure!(status.success(), "{} cannot be signalled", self.name);
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, at_most: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended {
                return Ok(status);
            }
            self.ended = self.child.try_wait()?;
            if start.elapsed() > at_most {
                bail!("{} still runs after {at_most:?}", self.name);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end and waits; kills it when it does not.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if self.check().is_ok() {
            self.signal("TERM").ok();
        }
        match self.wait(GRACE) {
            Ok(status) => {
                janitor::forget_process(self.id());
                Ok(status)
            }
            Err(_) => self.kill(),
        }
    }

    /// Kills it, so that it has no time for a last word.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.ended = Some(status);
        janitor::forget_process(self.id());
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to be told.
        self.stop().ok();
    }
}

/// Returns cargo, the one that runs this program, as if it was called from a shell. The variables that it sets for what it
/// runs would make build scripts (ring's) believe that everything has changed.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let set_by_cargo = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if set_by_cargo
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end and returns what it printed; fails with its errors if it does not succeed.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    finished(command, &done)
}

/// As [`output`], with something to read.
pub(crate) fn output_with_input(command: &mut Command, input: &[u8]) -> Result<String> {
    // A file for the input, so that neither side can wait for the other.
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.seek(SeekFrom::Start(0))?;
    let done = command
        .stdin(file)
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    finished(command, &done)
}

fn finished(command: &Command, done: &std::process::Output) -> Result<String> {
    if !done.status.success() {
        bail!(
            "{command:?} failed ({}):\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Returns the end of a log, or why there is none.
pub(crate) fn last_lines(path: &Path, count: usize) -> String {
    let mut text = String::new();
    match fs_err::File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {
            let lines: Vec<&str> = text.lines().collect();
            lines
                .iter()
                .skip(lines.len().saturating_sub(count))
                .copied()
                .collect::<Vec<_>>()
                .join("\n")
        }
        Err(error) => error.to_string(),
    }
}
