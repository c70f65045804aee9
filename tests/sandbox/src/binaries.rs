//! Builds the Go programs of the tests once and keeps them in the user's cache folder, under names that follow from their source.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// Builds that nobody has used for this long are removed; each has 200 MB.
const KEEP: Duration = Duration::from_secs(14 * 24 * 3600);

/// Returns where things are kept that take long to make: `$XDG_CACHE_HOME/sluice`, usually `~/.cache/sluice`.
pub fn cache_folder() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    Ok(caches
        .context("neither XDG_CACHE_HOME nor HOME is set")?
        .join("sluice"))
}

/// Returns the folder of the Go module.
#[must_use]
pub fn control_plane_source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("controlplane")
}

/// Returns the control plane's program, building it first if this source was not built before. `run` runs the build,
/// which takes minutes.
pub fn control_plane_binary(run: impl FnOnce(&mut Command) -> Result<()>) -> Result<PathBuf> {
    let packages = [".", "sigs.k8s.io/kwok/cmd/kwok"];
    built("controlplane", &control_plane_source(), &packages, run)
}

/// Returns the program of `tests/yaml/decoder`, which decodes manifests as `kubectl` does, building it first if this source was
/// not built before.
pub fn yaml_decoder_binary(run: impl FnOnce(&mut Command) -> Result<()>) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("yaml")
        .join("decoder");
    built("decoder", &source, &["."], run)
}

/// Returns the program of `tests/registry`, building it first if this source was not built before.
pub fn registry_binary(run: impl FnOnce(&mut Command) -> Result<()>) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("registry");
    built("registry", &source, &["."], run)
}

/// Returns the command line of `helm` or `kustomize`, of the version that the renderer of that name has in it, that of `sops`, or
/// `envsubst`, which substitutes as Flux does; building it first if it was not built before.
pub fn renderer_program(name: &str, run: impl FnOnce(&mut Command) -> Result<()>) -> Result<PathBuf> {
    let package = match name {
        "helm" => "helm.sh/helm/v4/cmd/helm",
        "kustomize" => "sigs.k8s.io/kustomize/kustomize/v5",
        "sops" => "github.com/getsops/sops/v3/cmd/sops",
        "envsubst" => ".",
        other => bail!("there is no program of {other}"),
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("render")
        .join("programs")
        .join(name);
    built(name, &source, &[package], run)
}

/// Returns Flux's `helm-controller`, or its `kustomize-controller` with `source-controller` beside it, building them first if they were not
/// built before.
pub fn flux_controller(name: &str, run: impl FnOnce(&mut Command) -> Result<()>) -> Result<PathBuf> {
    let packages: &[&str] = match name {
        "helm-controller" => &["github.com/fluxcd/helm-controller"],
        "kustomize-controller" => &[
            "github.com/fluxcd/kustomize-controller",
            "github.com/fluxcd/source-controller",
        ],
        other => bail!("there is no controller of {other}"),
    };
    built(name, &flux_controller_source(name), packages, run)
}

/// Returns the folder of the Go module that names the controller.
#[must_use]
pub fn flux_controller_source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("bench")
        .join("fleet/peers")
        .join(name)
}

/// Builds packages of a Go module into a folder of the cache; returns the program of the module itself.
fn built(
    name: &str,
    source: &Path,
    packages: &[&str],
    run: impl FnOnce(&mut Command) -> Result<()>,
) -> Result<PathBuf> {
    let builds = cache_folder()?.join(name);
    let folder = builds.join(fingerprint(source)?);
    let binary = folder.join(name);
    fs_err::create_dir_all(&builds)?;

    // Two test programs that start at the same time build it once.
    let lock = fs_err::File::create(builds.join("lock"))?.into_parts().0;
    lock.lock().context("cannot lock the cache")?;
    // The stamp is written last: without it a build was interrupted.
    let stamp = folder.join("complete");
    if stamp.exists() {
        // So that it counts as used.
        fs_err::write(&stamp, "")?;
        return Ok(binary);
    }
    fs_err::create_dir_all(&folder)?;
    let mut command = Command::new("go");
    command
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .arg(format!("{}/", folder.display()))
        .args(packages)
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        // Where go is older than the module asks for, it may get itself a newer one: that is a Go module like the others.
        .env("GOTOOLCHAIN", "auto");
    run(&mut command).with_context(|| {
        format!("the {name} of the tests cannot be built; it needs Go 1.26 and the Go modules it names")
    })?;
    if !binary.exists() {
        bail!("go built no {}", binary.display());
    }
    fs_err::write(&stamp, "")?;
    remove_unused(&builds, &folder);
    Ok(binary)
}

/// Names a build after everything that goes into it.
fn fingerprint(source: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = fs_err::read_dir(source)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".go") || name == "go.mod" || name == "go.sum"
        })
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update(fs_err::read(&file)?);
    }
    let mut name = hex::encode(hash.finalize());
    name.truncate(16);
    Ok(name)
}

/// Removes builds of other sources. That it cannot is nobody's concern here.
fn remove_unused(builds: &Path, current: &Path) {
    let Ok(entries) = fs_err::read_dir(builds) else {
        return;
    };
    for folder in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && path != current)
    {
        let used = fs_err::metadata(folder.join("complete")).and_then(|stamp| stamp.modified());
        let age = used
            .ok()
            .and_then(|used| SystemTime::now().duration_since(used).ok());
        if age.is_none_or(|age| age > KEEP) {
            fs_err::remove_dir_all(&folder).ok();
        }
    }
}
