//! What is measured: an engine with one way of rendering.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use kube::api::DynamicObject;
use serde_json::Value;
use sluice_sandbox::{ControlPlane, Folder};

use crate::usage::Running;

/// Where all objects are.
pub(crate) const NAMESPACE: &str = "fleet";

/// What the Applications are rendered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renderer {
    Helm,
    Kustomize,
}

impl Renderer {
    pub(crate) fn named(name: &str) -> Result<Self> {
        match name {
            "helm" => Ok(Self::Helm),
            "kustomize" => Ok(Self::Kustomize),
            other => bail!("{other} is no renderer of this benchmark"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kustomize => "kustomize",
        }
    }
}

/// An annotation that has an engine look at the repository now.
pub(crate) struct Nudge {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) annotation: (&'static str, &'static str),
}

/// An engine as it is measured.
pub(crate) trait Contender {
    /// Names it in what is printed: an object, to which the figures are added.
    fn label(&self) -> Value;

    /// The custom resources that it defines.
    fn definitions(&self) -> Result<String>;

    /// Starts its processes.
    fn start(&self, plane: &ControlPlane, folder: &Folder) -> Result<Vec<Running>>;

    /// What all Applications share, and has to be Ready before there is one.
    fn shared(&self, url: &str) -> Vec<Value>;

    /// What is called an Application here: `app-INDEX`.
    fn application(&self, url: &str, index: usize) -> Value;

    /// Whether an Application says that everything of this commit is applied and healthy.
    fn is_ready(&self, application: &DynamicObject, commit: &str) -> bool;

    /// How it is told of a commit.
    fn nudge(&self) -> Nudge;
}

/// A program with nothing of the user's environment, but this cluster.
pub(crate) fn program(path: &Path, plane: &ControlPlane, folder: &Folder) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .env("KUBECONFIG", plane.kubeconfig());
    command
}
