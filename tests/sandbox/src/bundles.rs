//! Manifests that others publish: `tests/bundles` names the Go modules they come in, and `go.sum` says what has to be in them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;

use crate::process::output;

/// One of the values that `go mod download -json` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Module {
    path: String,
    dir: PathBuf,
}

/// Returns the folder in the user's module cache that a module of `tests/bundles` is in. Asks nobody for what is not there.
pub fn bundle(module: &str) -> Result<PathBuf> {
    static FOUND: OnceLock<Result<BTreeMap<String, PathBuf>, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| cached().map_err(|error| format!("{error:#}")));
    let folders = found.as_ref().map_err(|error| {
        anyhow!(
            "the bundles of tests/bundles are not here, `cargo xtask test prerequisites` gets them: {error}"
        )
    })?;
    let folder = folders.get(module);
    folder
        .cloned()
        .with_context(|| format!("tests/bundles/go.mod names no {module}"))
}

/// Sees to it that all bundles are in the user's module cache. Where they are not, `run` runs the download, from where the user's
/// `GOPROXY` says.
pub fn download_bundles(run: impl FnOnce(&mut Command) -> Result<()>) -> Result<()> {
    if cached().is_ok() {
        return Ok(());
    }
    run(&mut download())
        .context("the modules of tests/bundles/go.mod cannot be had from the Go module proxy (`go env GOPROXY`), or are not what tests/bundles/go.sum says")
}

fn cached() -> Result<BTreeMap<String, PathBuf>> {
    let mut command = download();
    let printed = output(command.arg("-json").env("GOPROXY", "off"))?;
    serde_json::Deserializer::from_str(&printed)
        .into_iter::<Module>()
        .map(|module| module.map(|Module { path, dir }| (path, dir)))
        .collect::<Result<_, _>>()
        .context("`go mod download -json` does not print what it did")
}

fn download() -> Command {
    let mut command = Command::new("go");
    command
        .args(["mod", "download"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("bundles"))
        // As for the control plane.
        .env("GOTOOLCHAIN", "auto");
    command
}
