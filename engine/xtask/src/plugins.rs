//! Builds the guests: the standard plugins, which the engine embeds, those of the examples, and the renderers.
//!
//! What comes out is `target/plugins/NAME.wasm` with `NAME.cwasm` beside it, compiled ahead of time, and
//! `target/plugins/examples/NAME.wasm`. They are input to the engine's own build, so they are in this place whatever cargo's
//! target folder is, and they are written only where they changed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::command::{answer, cargo, exists, root, run};
use crate::renderers;

const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler with its own standard library, built from source because no package has it compiled.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKERS: [&str; 2] = ["/usr/bin/wasm-ld-19", "/usr/bin/wasm-ld"];

/// The stack of a mebibyte that `health-lua` needs for scripts that call themselves; the others recurse little, and if one does recurse
/// too far it is stopped all the same.
const POLICY_FLAGS: &str = "-Clink-arg=-zstack-size=1048576";

/// Builds all guests, where something changed, and compiles the standard ones ahead of time.
pub(crate) fn build() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let folder = root().join("target/plugins");
    let examples = folder.join("examples");
    fs_err::create_dir_all(&examples)?;
    guests(&toolchain, Path::new("plugins"), &folder, POLICY_FLAGS)?;
    for example in example_folders()? {
        guests(&toolchain, &example, &examples, POLICY_FLAGS)?;
    }
    precompile(&folder)?;
    renderers::build(&toolchain)
}

/// Which compiler makes WebAssembly on this machine.
pub(crate) enum Toolchain {
    /// The usual one: rustup's target is installed.
    Rustup,
    /// Debian's, with this linker.
    Debian(&'static str),
}

impl Toolchain {
    fn find() -> Result<Self> {
        let libraries = answer(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
        if libraries.is_some_and(|folder| Path::new(folder.trim()).exists()) {
            return Ok(Self::Rustup);
        }
        let linker = DEBIAN_LINKERS.into_iter().find(|linker| exists(linker));
        match linker {
            Some(linker) if exists(DEBIAN_CARGO) && exists(DEBIAN_RUSTC) => Ok(Self::Debian(linker)),
            Some(_) | None => bail!(
                "nothing here compiles Rust to WebAssembly: run `rustup target add {TARGET}`, \
                 or install Debian's rustc-web, cargo-web, rust-web-src and lld-19"
            ),
        }
    }

    /// `cargo build` for guests with this compiler.
    fn cargo_build(&self, flags: &str) -> Command {
        let mut command = match self {
            Self::Rustup => {
                let mut command = cargo();
                command.args(["build", "--release", "--locked", "--quiet", "--target", TARGET]);
                command
            }
            Self::Debian(linker) => {
                let mut command = Command::new(DEBIAN_CARGO);
                command
                    .args(["build", "--release", "--locked", "--quiet", "--target", TARGET])
                    .arg("-Zbuild-std=std,panic_abort")
                    .env("RUSTC", DEBIAN_RUSTC)
                    // Building the standard library is not yet stable, and there is no other way here.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    // Set by the cargo that runs this, for its own toolchain.
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO")
                    .env_remove("RUSTDOC");
                command
            }
        };
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        command
    }
}

/// Builds every `cdylib` of a workspace and puts it into a folder under the name of its package.
pub(crate) fn guests(toolchain: &Toolchain, workspace: &Path, folder: &Path, flags: &str) -> Result<()> {
    let manifest = root().join(workspace).join("Cargo.toml");
    // Every compiler gets a place of its own: their libraries do not mix.
    let target = cargo_target().join(match toolchain {
        Toolchain::Rustup => "guests",
        Toolchain::Debian(_) => "guests-debian",
    });
    run(toolchain
        .cargo_build(flags)
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target))
    .with_context(|| format!("the guests of {} do not build", workspace.display()))?;
    for package in packages(&manifest)? {
        let built = target
            .join(TARGET)
            .join("release")
            .join(format!("{}.wasm", package.replace('-', "_")));
        let wasm = fs_err::read(&built)?;
        let place = folder.join(format!("{package}.wasm"));
        // Written only where it differs, so that what embeds it is not built again for nothing.
        if fs_err::read(&place).ok().as_deref() != Some(wasm.as_slice()) {
            fs_err::write(&place, wasm)?;
        }
    }
    Ok(())
}

/// The packages of a workspace that are plugins.
fn packages(manifest: &Path) -> Result<Vec<String>> {
    let mut command = cargo();
    command
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
            "--manifest-path",
        ])
        .arg(manifest);
    let metadata =
        answer(&mut command).with_context(|| format!("cargo cannot read {}", manifest.display()))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let is_plugin = |package: &&serde_json::Value| {
        let targets = package["targets"].as_array().into_iter().flatten();
        targets
            .flat_map(|target| target["crate_types"].as_array().into_iter().flatten())
            .any(|kind| kind == "cdylib")
    };
    let packages = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(is_plugin);
    Ok(packages
        .filter_map(|package| package["name"].as_str())
        .map(str::to_owned)
        .collect())
}

/// Examples that are plugins: folders with a `Cargo.toml`.
fn example_folders() -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs_err::read_dir(root().join("examples"))? {
        let path = entry?.path();
        if path.join("Cargo.toml").exists() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Compiles the standard plugins with the engine's own settings.
fn precompile(folder: &Path) -> Result<()> {
    // With the workspace's features, so that what is built for it here serves the engine as well.
    run(cargo().args([
        "build",
        "--release",
        "--quiet",
        "--workspace",
        "--bin",
        "precompile",
    ]))?;
    run(Command::new(cargo_target().join("release/precompile")).arg(folder))
}

/// Where cargo puts what it builds.
pub(crate) fn cargo_target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}
