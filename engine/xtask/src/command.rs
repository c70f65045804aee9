//! Commands in the foreground, which end when this program is told to.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
pub(crate) use sluice_sandbox::cargo;
use sluice_sandbox::janitor;

use crate::stop;

/// How often a waiting command looks whether it should stop.
const TICK: Duration = Duration::from_millis(50);
/// How long a command may take to end when it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Returns the folder of the workspace.
pub(crate) fn root() -> PathBuf {
    // Cargo says where it found engine/xtask. Asked now and not when this was compiled: several clones may share one target folder.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR");
    manifest
        .as_deref()
        .map_or(Path::new(env!("CARGO_MANIFEST_DIR")), Path::new)
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Runs a command in the root folder, its output going to the terminal; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_within(command, Duration::MAX)
}

/// As [`run`], for at most this long.
pub(crate) fn run_within(command: &mut Command, at_most: Duration) -> Result<()> {
    let mut child = start(command)?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let told = stop::check();
        if told.is_err() || started.elapsed() > at_most {
            end(&mut child);
            told?;
            bail!("{} took longer than {at_most:?}", describe(command));
        }
        thread::sleep(TICK);
    };
    finish(command, &child, status)
}

/// As [`run`], and hands on every line of standard output as well, without its end.
pub(crate) fn run_reading(command: &mut Command, mut read: impl FnMut(&str)) -> Result<()> {
    let mut child = start(command.stdout(Stdio::piped()))?;
    let output = child.stdout.take().context("the output is piped")?;
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                println!("{line}");
                read(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if let Err(stopped) = stop::check() {
                    end(&mut child);
                    return Err(stopped);
                }
            }
        }
    }
    let status = child.wait()?;
    finish(command, &child, status)
}

/// Whether a program can be found.
pub(crate) fn exists(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Returns what a command prints, where it succeeds.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

fn start(command: &mut Command) -> Result<Child> {
    stop::check()?;
    if command.get_current_dir().is_none() {
        command.current_dir(root());
    }
    let child = command
        .stdin(Stdio::null())
        // Its descendants are ended with it, which a signal to the command alone would not do.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {}", describe(command)))?;
    janitor::watch_group(child.id());
    Ok(child)
}

fn finish(command: &Command, child: &Child, status: ExitStatus) -> Result<()> {
    janitor::forget_group(child.id());
    // What was ended by a signal that this program got as well has not failed.
    stop::check()?;
    if status.success() {
        Ok(())
    } else {
        bail!("{} failed ({status})", describe(command))
    }
}

/// Ends a command and all its descendants.
fn end(child: &mut Child) {
    let group = format!("-{}", child.id());
    for signal in ["TERM", "KILL"] {
        Command::new("/bin/sh")
            .args(["-c", "kill -s \"$0\" -- \"$1\" 2>/dev/null", signal, &group])
            .status()
            .ok();
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
            thread::sleep(TICK);
        }
    }
    child.wait().ok();
    janitor::forget_group(child.id());
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    let words: Vec<_> = std::iter::once(program).chain(arguments).collect();
    format!("`{}`", words.join(" "))
}
