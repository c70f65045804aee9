//! A whole Kubernetes of one's own: the program of `tests/controlplane`, started and stopped.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{Folder, control_plane_binary, process, wait_for};

/// More than the program allows itself, so that its own, better words are seen.
const START: Duration = Duration::from_secs(150);

/// A running control plane. Stopped and removed on `Drop`, and by itself when this process ends.
#[derive(Debug)]
pub struct ControlPlane {
    child: Child,
    commands: Mutex<Commands>,
    ready: Ready,
    // Last, because fields are dropped in order: the folder goes after the processes that write to it.
    folder: Folder,
}

/// The line that the program prints once it can be used.
#[derive(Debug, Deserialize)]
struct Ready {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    server: String,
    logs: PathBuf,
    seconds: f64,
}

#[derive(Debug)]
struct Commands {
    input: Option<ChildStdin>,
    answers: Receiver<String>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<String>,
}

impl ControlPlane {
    /// Starts one, building the program first where that was not done before (minutes, said on standard error).
    #[expect(
        clippy::print_stderr,
        reason = "minutes of silence look like a test that hangs"
    )]
    pub fn start() -> Result<Self> {
        let binary = control_plane_binary(|build| {
            eprintln!("building the control plane; 4 to 9 minutes, this once");
            process::output(build).map(drop)
        })?;
        Self::start_program(&binary)
    }

    /// Starts the given build of the program.
    pub fn start_program(binary: &Path) -> Result<Self> {
        let folder = Folder::new("plane")?;
        let errors = fs_err::File::create(folder.path().join("errors"))?.into_parts().0;
        let mut child = Command::new(binary)
            .arg("up")
            .arg("--data")
            .arg(folder.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            // Ctrl-C is this process's to handle. The program ends when its input does.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the program has an output")?;
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let line = match answers.recv_timeout(START) {
            Ok(line) => line,
            Err(reason) => {
                drop(input);
                if reason == RecvTimeoutError::Timeout {
                    child.kill().ok();
                }
                child.wait()?;
                bail!(
                    "the control plane did not start:\n{}",
                    process::last_lines(&folder.path().join("errors"), 40)
                );
            }
        };
        let ready = serde_json::from_str(&line).with_context(|| format!("unexpected answer: {line}"))?;
        Ok(Self {
            child,
            commands: Mutex::new(Commands { input, answers }),
            ready,
            folder,
        })
    }

    /// Returns the control plane that the tests of one program share; the first to ask starts it.
    ///
    /// # Panics
    /// When it cannot be started: no test could go on.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().expect("the control plane starts"))
    }

    /// Fails with the reason if the control plane has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!(
                    "the control plane ended ({status}):\n{}",
                    process::last_lines(&self.errors(), 40)
                )
            }
        }
    }

    /// Returns the path of the administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.ready.kubeconfig
    }

    /// Returns the API server's address.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.ready.server
    }

    /// Returns how long it took from nothing to a node that takes pods.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        Duration::from_secs_f64(self.ready.seconds)
    }

    /// Returns the path of a kubectl of the same version.
    #[must_use]
    pub fn kubectl_path(&self) -> &Path {
        &self.ready.kubectl
    }

    /// Returns kubectl, ready to be given arguments. It sees nothing of the user's configuration.
    #[must_use]
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(&self.ready.kubectl);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", &self.ready.kubeconfig);
        command
    }

    /// Runs kubectl with arguments separated by spaces and returns what it prints.
    pub fn kubectl(&self, arguments: &str) -> Result<String> {
        process::output(self.kubectl_command().args(arguments.split_whitespace()))
    }

    /// Runs kubectl with exactly these arguments and returns what it prints.
    pub fn kubectl_with(&self, arguments: &[&str]) -> Result<String> {
        process::output(self.kubectl_command().args(arguments))
    }

    /// Applies manifests, server-side, as the field manager `kubectl`.
    pub fn apply(&self, manifests: &str) -> Result<String> {
        let mut command = self.kubectl_command();
        command.args(["apply", "--server-side", "--field-manager=kubectl", "-f", "-"]);
        process::output_with_input(&mut command, manifests.as_bytes())
    }

    /// Returns an object (or a list) as the API server has it: `get("-n web deployment/site")`.
    pub fn get(&self, what: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.kubectl(&format!("get {what} -o json"))?,
        )?)
    }

    /// Waits until an object exists and `condition` holds for it, and returns it. `condition` says what is missing.
    pub fn wait_for(
        &self,
        what: &str,
        at_most: Duration,
        mut condition: impl FnMut(&Value) -> Result<()>,
    ) -> Result<Value> {
        wait_for(what, at_most, || {
            let object = self.get(what)?;
            match condition(&object) {
                Ok(()) => Ok(object),
                Err(missing) => Err(missing.context(format!("status: {}", object["status"]))),
            }
        })
    }

    /// Waits until an object no longer exists.
    pub fn wait_gone(&self, what: &str, at_most: Duration) -> Result<()> {
        wait_for(what, at_most, || {
            let found = self.kubectl(&format!("get {what} --ignore-not-found -o name"))?;
            if found.trim().is_empty() {
                Ok(())
            } else {
                Err(anyhow!("{} is still there", found.trim()))
            }
        })
    }

    /// Kills one of its programs, e.g. `kube-apiserver`, as an outage.
    pub fn stop_program(&self, name: &str) -> Result<()> {
        self.command(&format!("stop {name}"))
    }

    /// Starts a program that was killed, on the same port and with the same data, and waits until the server answers.
    pub fn restart_program(&self, name: &str) -> Result<()> {
        self.command(&format!("start {name}"))
    }

    /// Returns the end of the log of one of its programs.
    #[must_use]
    pub fn log(&self, program: &str) -> String {
        process::last_lines(&self.ready.logs.join(format!("{program}.log")), 60)
    }

    fn errors(&self) -> PathBuf {
        self.folder.path().join("errors")
    }

    fn command(&self, line: &str) -> Result<()> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let input = commands.input.as_mut().context("the control plane was stopped")?;
        writeln!(input, "{line}")?;
        let answer = commands
            .answers
            .recv_timeout(START)
            .with_context(|| format!("no answer to {line:?}"))?;
        match serde_json::from_str::<Answer>(&answer)?.error {
            None => Ok(()),
            Some(error) => bail!("{line}: {error}"),
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.commands
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .input = None;
        // It kills its programs and removes their data. Should it hang, the kernel kills them with it.
        let ended = wait_for("the control plane's end", Duration::from_secs(15), || {
            self.child.try_wait()?.context("it still runs")
        });
        if ended.is_err() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
