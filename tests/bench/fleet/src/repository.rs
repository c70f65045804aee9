//! The repository that all are given: `repository/`, with an overlay of the base for each Application.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use sluice_sandbox::{Commit, Repository, Signature};

/// What an Application has of its own.
pub(crate) fn values(index: usize) -> Value {
    json!({"message": message(index), "port": port(index)})
}

/// Creates it, with everything at revision 1.
pub(crate) fn create(applications: usize) -> Result<(Repository, Commit)> {
    let repository = Repository::new()?;
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("repository");
    repository.copy_from(&files, ".")?;
    for index in 0..applications {
        let overlay = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../../base"],
            "nameSuffix": format!("-{index}"),
            "labels": [{"pairs": {"app": format!("app-{index}")}, "includeSelectors": true}],
            "patches": [
                patch("ConfigMap", "/data/message", &message(index).into()),
                patch("Service", "/spec/ports/0/port", &port(index).into()),
            ],
        });
        repository.write(
            &format!("overlays/{index}/kustomization.yaml"),
            overlay.to_string(),
        )?;
    }
    let commit = repository.commit("all of them", Signature::None)?;
    Ok((repository, commit))
}

/// Commits revision 2: a label of every object, changed in one line of the chart and one of the base.
pub(crate) fn change(repository: &Repository) -> Result<Commit> {
    for file in ["chart/values.yaml", "base/kustomization.yaml"] {
        let text = fs_err::read_to_string(repository.path().join(file))?;
        repository.write(file, text.replace("revision: \"1\"", "revision: \"2\""))?;
    }
    repository.commit("another revision", Signature::None)
}

fn message(index: usize) -> String {
    format!("this is app {index}")
}

fn port(index: usize) -> usize {
    8000 + index
}

fn patch(kind: &str, path: &str, value: &Value) -> Value {
    let operations = json!([{"op": "replace", "path": path, "value": value}]);
    json!({"target": {"kind": kind}, "patch": operations.to_string()})
}
