//! What one test works in: a namespace, a repository of its own, and an Application called `app`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use sluice_sandbox::{Commit, GitServer, Repository, Signature, wait_for};

use crate::Engine;

/// Longer than anything takes on an idle machine; a busy one may need half of it.
const PATIENCE: Duration = Duration::from_secs(90);

/// A namespace, a repository, an Application.
#[derive(Debug)]
pub struct World<'a> {
    /// The cluster and the controller.
    pub engine: &'a Engine,
    /// The namespace of the Application and of its objects.
    pub namespace: String,
    /// Where the repository is served.
    pub server: GitServer,
    /// The working copy; manifests are in the folder `manifests`.
    pub repository: Repository,
}

impl World<'static> {
    /// Creates one in the cluster that tests share.
    pub fn shared(name: &str) -> Result<Self> {
        World::new(Engine::shared(), name)
    }
}

impl<'a> World<'a> {
    /// Creates the namespace and an empty repository.
    pub fn new(engine: &'a Engine, name: &str) -> Result<Self> {
        engine.plane.kubectl(&format!("create namespace {name}"))?;
        let (server, repository) = (GitServer::start()?, Repository::new()?);
        server.create("app")?;
        Ok(Self {
            engine,
            namespace: name.to_owned(),
            server,
            repository,
        })
    }

    /// Writes a manifest.
    pub fn write(&self, name: &str, content: &str) -> Result<()> {
        self.repository
            .write(&format!("manifests/{name}"), content)
            .map(drop)
    }

    /// Commits everything, unsigned, and pushes.
    pub fn commit(&self, message: &str) -> Result<Commit> {
        self.commit_with(message, Signature::None)
    }

    /// Commits everything and pushes.
    pub fn commit_with(&self, message: &str, signature: Signature<'_>) -> Result<Commit> {
        let commit = self.repository.commit(message, signature)?;
        self.server.push(&self.repository, "app")?;
        Ok(commit)
    }

    /// Returns an Application that syncs, prunes and heals by itself, to change before it is created.
    #[must_use]
    pub fn application(&self) -> Value {
        json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "app", "namespace": self.namespace},
            "spec": {
                "source": {"repoURL": self.server.url("app"), "targetRevision": "main", "path": "manifests"},
                "destination": {"namespace": self.namespace},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
            },
        })
    }

    /// Creates an object, or changes it to what is given.
    pub fn apply(&self, object: &Value) -> Result<()> {
        self.engine.plane.apply(&object.to_string()).map(drop)
    }

    /// Commits one ConfigMap, creates the Application and waits until it is Synced and Healthy.
    pub fn running(&self) -> Result<Commit> {
        self.write("running.yaml", &config_map("running", "1"))?;
        let commit = self.commit("something that runs")?;
        self.apply(&self.application())?;
        self.wait_synced(&commit)?;
        Ok(commit)
    }

    /// Has the controller look at Git and the cluster now, and waits until it has.
    pub fn refresh(&self) -> Result<()> {
        let arguments = [
            "refresh",
            "app",
            "--wait",
            "--timeout",
            "60s",
            "--namespace",
            &self.namespace,
        ];
        self.engine.sluice(&arguments).map(drop)
    }

    /// Runs a command of `sluice` in the namespace, however it ends: its exit code, what it prints, and what it says.
    ///
    /// # Panics
    /// When the program cannot be run at all.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self
            .engine
            .try_sluice(&[arguments, &["-n", &self.namespace]].concat())
            .expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Runs a command that has to succeed, and returns what it prints.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let (code, shown, said) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {shown}{said}");
        shown
    }

    /// Runs kubectl in the namespace, with exactly these arguments, and returns what it prints.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.engine
            .plane
            .kubectl_with(&[&["-n", &self.namespace], arguments].concat())
    }

    /// Returns the Application.
    pub fn get(&self) -> Result<Value> {
        self.engine
            .plane
            .get(&format!("-n {} applications.sluice.dev/app", self.namespace))
    }

    /// Waits until the Application's status is as wanted: `judge` says what is missing.
    pub fn wait_status(&self, judge: impl Fn(&Value) -> Result<()>) -> Result<Value> {
        wait_for(&format!("the status of {}", self.namespace), PATIENCE, || {
            self.engine.check()?;
            let status = self.get()?["status"].take();
            match judge(&status) {
                Ok(()) => Ok(status),
                Err(missing) => Err(missing.context(format!("{status:#}"))),
            }
        })
    }

    /// Waits until the Application is Synced at this commit, and Healthy.
    pub fn wait_synced(&self, commit: &str) -> Result<Value> {
        self.wait_status(|status| {
            ensure!(text(status, "/sync/revision") == commit, "not at {commit}");
            ensure!(text(status, "/sync/status") == "Synced", "not Synced");
            ensure!(text(status, "/health/status") == "Healthy", "not Healthy");
            Ok(())
        })
    }

    /// Waits until a condition is False with a code as its reason, and returns the condition.
    pub fn wait_refused(&self, kind: &str) -> Result<Value> {
        let status = self.wait_status(|status| {
            let condition = condition(status, kind)?;
            ensure!(condition["status"] == "False", "{kind} is not False");
            short_reason(condition).map(drop)
        })?;
        Ok(condition(&status, kind)?.clone())
    }

    /// Returns an object of the namespace, e.g. `configmap/running`.
    pub fn object(&self, what: &str) -> Result<Value> {
        self.engine.plane.get(&format!("-n {} {what}", self.namespace))
    }

    /// Returns what changes whenever anybody writes to an object, or makes it anew.
    pub fn version(&self, what: &str) -> Result<(String, String)> {
        let object = self.object(what)?;
        let of = |place: &str| text(&object, place).to_owned();
        Ok((of("/metadata/uid"), of("/metadata/resourceVersion")))
    }
}

/// Returns a ConfigMap as a manifest.
#[must_use]
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n")
}

/// Returns the definition of a namespaced kind as a manifest, in `v1` alone. `properties` are those of its schema, as YAML on one
/// line; its plural is the kind with an `s`.
#[must_use]
pub fn definition(group: &str, kind: &str, properties: &str) -> String {
    let plural = format!("{}s", kind.to_lowercase());
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\nspec:\n  group: {group}\n  \
         scope: Namespaced\n  names: {{kind: {kind}, plural: {plural}}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    \
         schema:\n      openAPIV3Schema: {{type: object, properties: {properties}}}\n"
    )
}

/// Returns the text at a place of a JSON value; empty where there is none.
#[must_use]
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the newest entry of a kind in the history of a status.
pub fn entry<'v>(status: &'v Value, kind: &str) -> Result<&'v Value> {
    let history = status["history"].as_array().context("no history yet")?;
    history
        .iter()
        .find(|entry| entry["kind"] == kind)
        .with_context(|| format!("no {kind} in the history"))
}

/// Returns a condition of a status.
pub fn condition<'v>(status: &'v Value, kind: &str) -> Result<&'v Value> {
    let conditions = status["conditions"].as_array().context("no conditions yet")?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
        .with_context(|| format!("no condition {kind} yet"))
}

/// Returns the code that a condition's reason starts with, such as `S03`.
pub fn short_reason(condition: &Value) -> Result<&str> {
    let reason = text(condition, "/reason");
    match reason.as_bytes() {
        [b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9', ..] => Ok(reason.get(..3).unwrap_or_default()),
        _ => bail!("the reason {reason:?} has no code"),
    }
}
