//! Ours: an Application each, one process.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use sluice_sandbox::{ControlPlane, Folder, output};

use crate::contender::{Contender, NAMESPACE, Nudge, Renderer, program};
use crate::repository::values;
use crate::usage::Running;

const API_VERSION: &str = "sluice.dev/v1alpha1";

pub(crate) struct Sluice {
    program: PathBuf,
    renderer: Renderer,
}

impl Sluice {
    pub(crate) fn new(program: PathBuf, renderer: Renderer) -> Self {
        Self { program, renderer }
    }
}

impl Contender for Sluice {
    fn label(&self) -> Value {
        json!({"engine": "sluice", "renderer": self.renderer.name()})
    }

    fn definitions(&self) -> Result<String> {
        output(Command::new(&self.program).arg("crds"))
    }

    fn start(&self, plane: &ControlPlane, folder: &Folder) -> Result<Vec<Running>> {
        let mut command = program(&self.program, plane, folder);
        command.args(["controller", "-v"]);
        Ok(vec![Running::start("sluice", &mut command, folder)?])
    }

    fn shared(&self, _: &str) -> Vec<Value> {
        Vec::new()
    }

    fn application(&self, url: &str, index: usize) -> Value {
        let mut source = json!({"repoURL": url, "targetRevision": "main"});
        match self.renderer {
            Renderer::Helm => {
                source["path"] = "chart".into();
                source["helm"] = json!({"valuesObject": values(index)});
            }
            Renderer::Kustomize => source["path"] = format!("overlays/{index}").into(),
        }
        json!({
            "apiVersion": API_VERSION,
            "kind": "Application",
            "metadata": {"name": format!("app-{index}"), "namespace": NAMESPACE},
            "spec": {
                "source": source,
                "destination": {"namespace": NAMESPACE},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
            },
        })
    }

    fn is_ready(&self, application: &DynamicObject, commit: &str) -> bool {
        let status = &application.data["status"];
        status["sync"]["status"] == "Synced"
            && status["sync"]["revision"] == commit
            && status["health"]["status"] == "Healthy"
    }

    /// One Application is enough: all that follow the repository are woken.
    fn nudge(&self) -> Nudge {
        Nudge {
            api_version: API_VERSION,
            kind: "Application",
            name: "app-0",
            annotation: ("sluice.dev/refresh", "normal"),
        }
    }
}
