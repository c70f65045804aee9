//! Flux's: source-controller, and helm-controller or kustomize-controller, built from their modules in `peers/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use kube::api::DynamicObject;
use serde_json::{Value, json};
use sluice_sandbox::{ControlPlane, Folder, flux_controller, flux_controller_source, free_port, output};

use crate::contender::{Contender, NAMESPACE, Nudge, Renderer, program};
use crate::repository::values;
use crate::usage::Running;

const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
const SOURCE_CONTROLLER: &str = "source-controller";
const KUSTOMIZE_CONTROLLER: &str = "kustomize-controller";
const HELM_CONTROLLER: &str = "helm-controller";
/// What the GitRepository and the HelmChart are called.
const NAME: &str = "fleet";
/// Beyond every measurement: nothing is found by waiting for it.
const INTERVAL: &str = "1h";

/// How much the controllers do at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Workers {
    /// What they do by themselves: 2 sources, 4 Kustomizations or HelmReleases.
    Default,
    /// 10 and 20.
    Many,
}

pub(crate) struct Flux {
    renderer: Renderer,
    workers: Workers,
    source_controller: PathBuf,
    controller: PathBuf,
}

impl Flux {
    /// Builds the controllers if that was not done before.
    #[expect(
        clippy::print_stderr,
        reason = "minutes of silence look like a program that hangs"
    )]
    pub(crate) fn build(renderer: Renderer, workers: Workers) -> Result<Self> {
        let built = |name| {
            flux_controller(name, |build| {
                eprintln!("building Flux's {name}; minutes, this once");
                output(build).map(drop)
            })
        };
        Ok(Self {
            renderer,
            workers,
            source_controller: built(KUSTOMIZE_CONTROLLER)?.with_file_name(SOURCE_CONTROLLER),
            controller: built(controller(renderer))?,
        })
    }
}

impl Contender for Flux {
    fn label(&self) -> Value {
        let workers = match self.workers {
            Workers::Default => "default",
            Workers::Many => "20",
        };
        json!({"engine": "flux", "renderer": self.renderer.name(), "concurrent": workers})
    }

    fn definitions(&self) -> Result<String> {
        let name = controller(self.renderer);
        Ok(definitions(KUSTOMIZE_CONTROLLER, SOURCE_CONTROLLER)? + &definitions(name, name)?)
    }

    fn start(&self, plane: &ControlPlane, folder: &Folder) -> Result<Vec<Running>> {
        let command = |path: &Path, workers: &str| -> Result<Command> {
            let mut command = program(path, plane, folder);
            command.env("RUNTIME_NAMESPACE", NAMESPACE).args([
                "--events-addr=",
                "--metrics-addr=0",
                &format!("--health-addr=127.0.0.1:{}", free_port()?),
            ]);
            if matches!(self.workers, Workers::Many) {
                command.arg(format!("--concurrent={workers}"));
            }
            Ok(command)
        };
        let storage = folder.path().join("storage");
        fs_err::create_dir_all(&storage)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut source = command(&self.source_controller, "10")?;
        source
            .arg(format!("--storage-path={}", storage.display()))
            .arg(format!("--storage-addr={address}"))
            .arg(format!("--storage-adv-addr={address}"));
        let mut controls = command(&self.controller, "20")?;
        Ok(vec![
            Running::start(SOURCE_CONTROLLER, &mut source, folder)?,
            Running::start(controller(self.renderer), &mut controls, folder)?,
        ])
    }

    fn shared(&self, url: &str) -> Vec<Value> {
        let mut shared = vec![json!({
            "apiVersion": SOURCE,
            "kind": "GitRepository",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {"interval": INTERVAL, "url": url, "ref": {"branch": "main"}},
        })];
        if self.renderer == Renderer::Helm {
            shared.push(json!({
                "apiVersion": SOURCE,
                "kind": "HelmChart",
                "metadata": {"name": NAME, "namespace": NAMESPACE},
                "spec": {
                    "interval": INTERVAL,
                    "chart": "./chart",
                    "reconcileStrategy": "Revision",
                    "sourceRef": {"kind": "GitRepository", "name": NAME},
                },
            }));
        }
        shared
    }

    fn application(&self, _: &str, index: usize) -> Value {
        let metadata = json!({"name": format!("app-{index}"), "namespace": NAMESPACE});
        match self.renderer {
            // One chart is packaged for all, where `spec.chart` would make one a release.
            Renderer::Helm => json!({
                "apiVersion": "helm.toolkit.fluxcd.io/v2",
                "kind": "HelmRelease",
                "metadata": metadata,
                "spec": {
                    "interval": INTERVAL,
                    "chartRef": {"kind": "HelmChart", "name": NAME},
                    "values": values(index),
                },
            }),
            Renderer::Kustomize => json!({
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": metadata,
                "spec": {
                    "interval": INTERVAL,
                    "path": format!("./overlays/{index}"),
                    "prune": true,
                    "wait": true,
                    "targetNamespace": NAMESPACE,
                    "sourceRef": {"kind": "GitRepository", "name": NAME},
                },
            }),
        }
    }

    fn is_ready(&self, application: &DynamicObject, commit: &str) -> bool {
        let status = &application.data["status"];
        let applied = match self.renderer {
            // A chart's version ends with the first digits of the commit.
            Renderer::Helm => status["history"][0]["chartVersion"]
                .as_str()
                .and_then(|version| version.split_once('+'))
                .is_some_and(|(_, revision)| commit.starts_with(revision)),
            Renderer::Kustomize => status["lastAppliedRevision"]
                .as_str()
                .is_some_and(|revision| revision.ends_with(commit)),
        };
        applied && is_ready(application)
    }

    fn nudge(&self) -> Nudge {
        Nudge {
            api_version: SOURCE,
            kind: "GitRepository",
            name: NAME,
            annotation: ("reconcile.fluxcd.io/requestedAt", "after the push"),
        }
    }
}

/// Whether an object is Ready as it is written now.
pub(crate) fn is_ready(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition["observedGeneration"].as_i64() == object.metadata.generation
    })
}

fn controller(renderer: Renderer) -> &'static str {
    match renderer {
        Renderer::Helm => HELM_CONTROLLER,
        Renderer::Kustomize => KUSTOMIZE_CONTROLLER,
    }
}

/// The definitions that lie in a controller's module, of the version that the build of that name takes.
fn definitions(build: &str, controller: &str) -> Result<String> {
    let mut download = Command::new("go");
    download
        .args(["mod", "download", "-json"])
        .arg(format!("github.com/fluxcd/{controller}"))
        .current_dir(flux_controller_source(build));
    let module: Value = serde_json::from_str(&output(&mut download)?)?;
    let folder = module["Dir"].as_str().context("the module has no folder")?;
    let mut all = String::new();
    for file in fs_err::read_dir(Path::new(folder).join("config/crd/bases"))? {
        all.push_str("---\n");
        all.push_str(&fs_err::read_to_string(file?.path())?);
    }
    Ok(all)
}
