//! Everything that the demo needs, started; and short ways to use it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use sluice_sandbox::{
    Commit, ControlPlane, Folder, GitServer, GnuPg, Key, Process, Repository, Signature, output,
};

use super::narrator::wait;
use crate::{command::root, sandbox};

/// The namespace of the Application, and its name; as in `examples/guestbook/application.yaml`.
pub(crate) const NAMESPACE: &str = "sluice";
pub(crate) const APPLICATION: &str = "guestbook";
/// Where its objects go.
pub(crate) const DESTINATION: &str = "guestbook";

/// The demo's world. It is dropped from the top down: first who works, then what is worked on.
pub(crate) struct Stage {
    controller: Option<Process>,
    pub(crate) plane: ControlPlane,
    server: GitServer,
    pub(crate) repository: Repository,
    gpg: GnuPg,
    pub(crate) key: Key,
    folder: Folder,
    sluice: PathBuf,
}

impl Stage {
    /// Starts all but the controller.
    pub(crate) fn set(plane: &Path) -> Result<Self> {
        // The engine was built into the folder that this program was built into.
        let sluice = std::env::current_exe()?.with_file_name("sluice");
        ensure!(sluice.exists(), "{} was not built", sluice.display());
        let gpg = GnuPg::new()?;
        let key = gpg.generate("Ada <ada@example.org>")?;
        let repository = Repository::new()?;
        let server = GitServer::start()?;
        let folder = Folder::new("demo")?;
        fs_err::create_dir_all(folder.path().join("plugins"))?;
        let plane = ControlPlane::start_program(plane)?;
        println!(
            "API server {} was ready in {:.1} s",
            plane.server(),
            plane.started_in().as_secs_f64()
        );
        Ok(Self {
            controller: None,
            plane,
            server,
            repository,
            gpg,
            key,
            folder,
            sluice,
        })
    }

    /// Commits everything in the working copy with the key, and pushes.
    pub(crate) fn commit_signed(&self, message: &str) -> Result<Commit> {
        let commit = self
            .repository
            .commit(message, Signature::OpenPgp(&self.gpg, &self.key))?;
        self.push()?;
        Ok(commit)
    }

    /// Commits everything in the working copy without a signature, and pushes.
    pub(crate) fn commit_unsigned(&self, message: &str) -> Result<Commit> {
        let commit = self.repository.commit(message, Signature::None)?;
        self.push()?;
        Ok(commit)
    }

    /// Pushes the working copy and returns the repository's URL.
    pub(crate) fn push(&self) -> Result<String> {
        self.server.push(&self.repository, APPLICATION)
    }

    /// Returns what gpg itself says of a commit's signature; fails where it is not good.
    pub(crate) fn ask_gpg(&self, commit: &str) -> Result<String> {
        let mut command = self.repository.git_command();
        command
            .env("GNUPGHOME", self.gpg.path())
            .args(["log", "-1", "--format=%G?, by %GS", commit]);
        let said = output(&mut command)?.trim().to_owned();
        match said.strip_prefix("G, ") {
            Some(signer) => Ok(format!("good, {signer}")),
            None => bail!("git and gpg say {said:?}"),
        }
    }

    /// Returns the public key, armoured.
    pub(crate) fn public_key(&self) -> Result<String> {
        self.gpg.export(&self.key)
    }

    /// Returns the folder that the controller takes plugins from.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Starts `sluice controller`.
    pub(crate) fn start_controller(&mut self) -> Result<()> {
        let mut command = self.command();
        // Where the key is that charts' passwords come from.
        command.args(["controller", "-v", "--shared-namespace", "default"]);
        self.controller = Some(Process::start(
            "sluice controller",
            &mut command,
            &self.controller_log(),
        )?);
        Ok(())
    }

    /// Returns the process id of the controller.
    pub(crate) fn controller_id(&self) -> Result<u32> {
        self.controller
            .as_ref()
            .map(Process::id)
            .context("no controller runs")
    }

    /// Returns the engine's program, with this cluster and nothing of the user's configuration.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.sluice);
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

    /// Runs a command of `sluice` in the Application's namespace and returns what it prints.
    pub(crate) fn sluice(&self, arguments: &[&str]) -> Result<String> {
        output(self.command().args(arguments).args(["--namespace", NAMESPACE]))
    }

    /// Runs a command of `sluice` that must end with this exit code, and returns all that it says.
    pub(crate) fn sluice_ends(&self, code: i32, arguments: &[&str]) -> Result<String> {
        let done = self
            .command()
            .args(arguments)
            .args(["--namespace", NAMESPACE])
            .output()?;
        let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&done.stderr));
        let words = arguments.join(" ");
        ensure!(
            done.status.code() == Some(code),
            "`sluice {words}` ended with {}, not {code}:\n{said}",
            done.status
        );
        Ok(said)
    }

    /// Has the controller look at Git and the cluster now, and waits until it has.
    pub(crate) fn refresh(&self) -> Result<()> {
        self.sluice(&["refresh", APPLICATION, "--wait", "--timeout", "60s"])
            .map(drop)
    }

    /// Returns the Application.
    pub(crate) fn application(&self) -> Result<Value> {
        self.plane
            .get(&format!("-n {NAMESPACE} applications.sluice.dev/{APPLICATION}"))
    }

    /// Waits until the Application's status is as wanted: `judge` says what is missing.
    pub(crate) fn wait_status(&mut self, judge: impl Fn(&Value) -> Result<()>) -> Result<Value> {
        wait(|| {
            if let Some(controller) = &mut self.controller {
                controller.check()?;
            }
            let status = self
                .plane
                .get(&format!("-n {NAMESPACE} applications.sluice.dev/{APPLICATION}"))?["status"]
                .take();
            match judge(&status) {
                Ok(()) => Ok(status),
                Err(missing) => Err(missing.context(summary(&status))),
            }
        })
    }

    /// Says what there is to find out why a step was not seen.
    pub(crate) fn explain_failure(&self) {
        if let Ok(text) = self.sluice(&["status", APPLICATION]) {
            super::narrator::quote(&format!("sluice status {APPLICATION} -n {NAMESPACE}"), &text);
        }
        let log = fs_err::read_to_string(self.controller_log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
        println!("\nThe end of the controller's log:\n{}", end.join("\n"));
    }

    /// Leaves it running until Ctrl-C, and says what there is to try.
    pub(crate) fn keep(&mut self) -> Result<()> {
        let bare = self.server.path(APPLICATION);
        self.repository.git(&["config", "user.name", "Ada"])?;
        self.repository
            .git(&["config", "user.email", "ada@example.org"])?;
        self.repository
            .git(&["config", "user.signingKey", &self.key.fingerprint])?;
        self.repository
            .git(&["remote", "add", "origin", &bare.display().to_string()])
            .ok();
        let bin = self
            .plane
            .kubectl_path()
            .parent()
            .unwrap_or(Path::new("/"))
            .to_owned();
        let engine = self.sluice.parent().unwrap_or(Path::new("/")).to_owned();
        println!("\nIt keeps running until Ctrl-C. In another terminal:\n");
        println!("  export KUBECONFIG={}", self.plane.kubeconfig().display());
        println!("  export GNUPGHOME={}", self.gpg.path().display());
        println!("  export PATH={}:{}:$PATH", engine.display(), bin.display());
        println!("  cd {}", self.repository.path().display());
        println!("\n  sluice -n {NAMESPACE} status {APPLICATION}");
        println!("  sed -i 's/replicas: 3/replicas: 5/' manifests/frontend.yaml");
        println!("  git commit -S -am 'more frontends' && git push origin main");
        println!(
            "  sluice -n {NAMESPACE} refresh {APPLICATION} && kubectl -n {DESTINATION} get pods --watch"
        );
        println!("  kubectl -n {DESTINATION} delete service frontend    # comes back");
        println!(
            "  less +F {}    # what the controller says",
            self.controller_log().display()
        );
        println!(
            "  ls {}    # plugins dropped here are taken up",
            self.plugins().display()
        );
        sandbox::keep(&mut self.plane)
    }

    fn controller_log(&self) -> PathBuf {
        self.folder.path().join("controller.log")
    }
}

/// Returns a folder of the examples.
pub(crate) fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// Returns the text at a place of a JSON value; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Fails unless the text at a place is as wanted.
pub(crate) fn expect(value: &Value, pointer: &str, wanted: &str) -> Result<()> {
    let found = text(value, pointer);
    if found != wanted {
        bail!("{pointer} is {found:?}, not {wanted:?}");
    }
    Ok(())
}

/// Returns a condition of a status.
pub(crate) fn condition<'a>(status: &'a Value, kind: &str) -> Result<&'a Value> {
    let conditions = status["conditions"].as_array().context("no conditions yet")?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
        .with_context(|| format!("no condition {kind} yet"))
}

/// A message without its hint.
pub(crate) fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// A commit's or digest's first digits.
pub(crate) fn short(id: &str) -> &str {
    let length = if id.starts_with("sha256:") { 19 } else { 12 };
    id.get(..length).unwrap_or(id)
}

/// Names what a status says, in a line.
fn summary(status: &Value) -> String {
    let mut line = format!(
        "sync {} at {}, health {}",
        text(status, "/sync/status"),
        short(text(status, "/sync/revision")),
        text(status, "/health/status"),
    );
    for condition in status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|it| it["status"] != "True")
    {
        line.push_str(&format!(
            "; {} {}: {}",
            text(condition, "/type"),
            text(condition, "/reason"),
            text(condition, "/message")
        ));
    }
    line
}
