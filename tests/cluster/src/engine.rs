//! A control plane with a `sluice controller` at work in it.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sluice_sandbox::{ControlPlane, Folder, Process, cargo, output};

use crate::condition;

/// Where the controller that tests share finds what Applications share.
pub const SHARED_NAMESPACE: &str = "sluice-shared";

/// Longer than a server takes to serve a kind.
const DEFINED_WITHIN: Duration = Duration::from_secs(60);

/// A control plane, the program, and the controller where one was started.
#[derive(Debug)]
pub struct Engine {
    // From the top down, as fields are dropped: first who works, then what is worked on.
    controller: Mutex<Option<Process>>,
    /// The cluster.
    pub plane: ControlPlane,
    folder: Folder,
    program: PathBuf,
}

impl Engine {
    /// Returns the one that tests share. It is ended with the test program.
    ///
    /// # Panics
    /// When it cannot be started: no test could go on.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Engine> = OnceLock::new();
        SHARED.get_or_init(|| {
            let engine = Self::without_controller().expect("the control plane starts");
            let namespace = format!("create namespace {SHARED_NAMESPACE}");
            engine.plane.kubectl(&namespace).expect("a namespace");
            engine
                .start_controller(&["--shared-namespace", SHARED_NAMESPACE])
                .expect("the controller starts");
            engine
        })
    }

    /// Returns the one without a controller that tests share, each in namespaces and behind a proxy of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn idle() -> &'static Self {
        static IDLE: OnceLock<Engine> = OnceLock::new();
        IDLE.get_or_init(|| Self::without_controller().expect("the control plane starts"))
    }

    /// Starts a control plane that knows Applications, and no controller.
    pub fn without_controller() -> Result<Self> {
        let program = program()?;
        let plane = ControlPlane::start()?;
        let folder = Folder::new("engine")?;
        fs_err::create_dir_all(folder.path().join("plugins"))?;
        let engine = Self {
            controller: Mutex::default(),
            plane,
            folder,
            program,
        };
        engine.define("applications.sluice.dev", &engine.sluice(&["crds"])?)?;
        Ok(engine)
    }

    /// Has the server take a definition of this name, and waits until it serves the kind.
    pub fn define(&self, name: &str, definition: &str) -> Result<()> {
        self.plane.apply(definition)?;
        // `kubectl wait` fails where the server has written no condition yet.
        self.plane
            .wait_for(&format!("crd/{name}"), DEFINED_WITHIN, |definition| {
                let established = condition(&definition["status"], "Established")?;
                ensure!(established["status"] == "True", "{established}");
                Ok(())
            })
            .map(drop)
    }

    /// Starts the controller, with more arguments.
    pub fn start_controller(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.command();
        command.args(["controller", "-v"]).args(arguments);
        let process = Process::start("sluice controller", &mut command, &self.log())?;
        *self.controller.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        Ok(())
    }

    /// Stops the controller, as a cluster would: by SIGTERM.
    pub fn stop_controller(&self) -> Result<()> {
        let status = self.take_controller()?.stop()?;
        ensure!(status.success(), "the controller ended with {status}");
        Ok(())
    }

    /// Kills the controller in the middle of whatever it does.
    pub fn kill_controller(&self) -> Result<()> {
        self.take_controller()?.kill().map(drop)
    }

    fn take_controller(&self) -> Result<Process> {
        let mut controller = self.controller.lock().unwrap_or_else(PoisonError::into_inner);
        controller.take().context("no controller runs")
    }

    /// Returns the controller's process id; none where none was started.
    #[must_use]
    pub fn controller_id(&self) -> Option<u32> {
        let controller = self.controller.lock().unwrap_or_else(PoisonError::into_inner);
        controller.as_ref().map(Process::id)
    }

    /// Fails if the controller has ended by itself.
    pub fn check(&self) -> Result<()> {
        let mut controller = self.controller.lock().unwrap_or_else(PoisonError::into_inner);
        controller.as_mut().map_or(Ok(()), Process::check)
    }

    /// Returns the folder that the controller takes plugins from.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Returns what the controller has said so far.
    #[must_use]
    pub fn controller_log(&self) -> String {
        fs_err::read_to_string(self.log()).unwrap_or_default()
    }

    /// Returns the program with this cluster and nothing of the user's configuration.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("SLUICE_PLUGIN_DIR", self.plugins())
            .env("NO_COLOR", "1")
            .current_dir(self.folder.path());
        command
    }

    /// Runs a command of `sluice` and returns what it prints.
    pub fn sluice(&self, arguments: &[&str]) -> Result<String> {
        output(self.command().args(arguments))
    }

    /// Runs a command of `sluice`, however it ends.
    pub fn try_sluice(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command().args(arguments).stdin(Stdio::null()).output()?)
    }

    /// Writes a file to the folder that `sluice` runs in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        self.folder.write(name, content)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("controller.log")
    }
}

/// Returns the engine's program, built from the source as it is: a test program cannot depend on another crate's binary.
/// `SLUICE_PROGRAM` names another one, such as a released one.
fn program() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("SLUICE_PROGRAM") {
        return Ok(given.into());
    }
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let build = || -> Result<PathBuf> {
            // With the whole workspace's features, as `cargo xtask` builds it: nothing is built twice.
            let arguments = ["build", "--quiet", "--release", "--workspace", "--bin", "sluice"];
            output(cargo().args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")))?;
            // This program is target/release/deps/cluster-…, or a benchmark beside `sluice` itself.
            let release = std::env::current_exe()?;
            Ok(release
                .ancestors()
                .find(|folder| folder.ends_with("release"))
                .context("a program of the tests is below target/release")?
                .join("sluice"))
        };
        build().map_err(|error| format!("{error:#}"))
    });
    built.clone().map_err(anyhow::Error::msg)
}
