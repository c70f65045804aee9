//! What others need for the same: Flux's and Argo CD's libraries, as their controllers use them, and `kubectl`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sluice_sandbox::{ControlPlane, output};

use crate::{config_map, report, requests};

/// Those that do some tens of objects a second are measured with no more than this.
const SLOW_AT_MOST: usize = 1000;
/// Argo CD's engine does some of a dozen objects a second.
const SLOWEST_AT_MOST: usize = 300;

/// The programs of `peers/`.
pub(crate) struct Peers {
    folder: tempfile::TempDir,
}

impl Peers {
    /// Builds them; minutes, the first time.
    pub(crate) fn build() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["flux", "argocd"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
            let mut go = Command::new("go");
            go.args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
                .arg(folder.path().join(name))
                .arg(".")
                // As the control plane is built, so that what both need is built once.
                .env("CGO_ENABLED", "0")
                .current_dir(source);
            output(&mut go).with_context(|| format!("cannot build peers/{name}"))?;
        }
        Ok(Self { folder })
    }

    pub(crate) fn measure(&self, plane: &ControlPlane, count: usize) -> Result<()> {
        self.library(plane, "flux", "Flux's ssa library", count)?;
        self.library(
            plane,
            "argocd",
            "Argo CD's gitops-engine",
            count.min(SLOWEST_AT_MOST),
        )?;
        kubectl(plane, count.min(SLOW_AT_MOST))
    }

    fn library(&self, plane: &ControlPlane, program: &str, name: &str, count: usize) -> Result<()> {
        let namespace = format!("{program}-{count}");
        if plane.kubectl(&format!("create namespace {namespace}")).is_err() {
            // Measured with as many already.
            return Ok(());
        }
        let before = requests(plane)?;
        let mut command = Command::new(self.folder.path().join(program));
        command.arg("--kubeconfig").arg(plane.kubeconfig()).args([
            "--namespace",
            &namespace,
            "--count",
            &count.to_string(),
        ]);
        let times: Value = serde_json::from_str(&output(&mut command)?)?;
        let sent = requests(plane)? - before;
        for round in ["first", "unchanged"] {
            let seconds = times[round].as_f64().context("no time")?;
            // The requests are those of both rounds.
            report(&format!("{name}, {round}"), count, seconds, sent, None);
        }
        Ok(())
    }
}

fn kubectl(plane: &ControlPlane, count: usize) -> Result<()> {
    let namespace = format!("kubectl-{count}");
    if plane.kubectl(&format!("create namespace {namespace}")).is_err() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let file: PathBuf = folder.path().join("all.json");
    let items: Vec<Value> = (0..count).map(|index| config_map(&namespace, index)).collect();
    fs_err::write(
        &file,
        serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string(),
    )?;
    let file = file.display().to_string();
    for round in ["first", "unchanged"] {
        let (before, start) = (requests(plane)?, Instant::now());
        plane.kubectl_with(&["apply", "--server-side", "-f", &file])?;
        let seconds = start.elapsed().as_secs_f64();
        let sent = requests(plane)? - before;
        report(
            &format!("kubectl apply --server-side, {round}"),
            count,
            seconds,
            sent,
            None,
        );
    }
    Ok(())
}
