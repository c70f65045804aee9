//! Embeds the standard plugins that `cargo xtask plugins` built.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// In the order in which they are asked: of sync policies, later ones override earlier ones. Each with whether it is asked if an
/// Application names no policies; the others are asked by name alone.
const STANDARD: &[(&str, &str, Asked)] = &[
    // Before the next: of two that name a kind the later one is asked first.
    ("health-catalogue", "Health", Asked::ByDefault),
    ("health-kubernetes", "Health", Asked::ByDefault),
    ("health-cel", "Health", Asked::ByName),
    ("health-kstatus", "Health", Asked::ByName),
    // The host asks it by default if there is a folder of scripts.
    ("health-lua", "Health", Asked::ByName),
    ("prune-argocd", "Prune", Asked::ByDefault),
    ("prune-flux", "Prune", Asked::ByDefault),
    ("prune-standard", "Prune", Asked::ByDefault),
    ("prune-blast-radius", "Prune", Asked::ByDefault),
    ("sync-argocd", "Sync", Asked::ByDefault),
    ("sync-flux", "Sync", Asked::ByDefault),
    ("sync-standard", "Sync", Asked::ByDefault),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    ByDefault,
    ByName,
}

/// They lie beside the binary.
const RENDERERS: &[(&str, &str)] = &[
    ("helm", "charts, by Helm's own library"),
    ("jsonnet", "Jsonnet programs among plain manifests"),
    ("kustomize", "kustomizations, by Kustomize's own library"),
];

#[expect(
    clippy::disallowed_methods,
    reason = "a build script has few dependencies, and the file is its own"
)]
fn main() {
    // `target/plugins` of the workspace, wherever cargo's own target folder is: plugins are input to the build, not output.
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let folder = manifest.join("../../target/plugins");
    let folder = folder.canonicalize().unwrap_or(folder);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", folder.display());

    let mut table = String::from("const ALL: &[Embedded] = &[\n");
    for (name, kind, asked) in STANDARD {
        let (wasm, image) = (
            folder.join(format!("{name}.wasm")),
            folder.join(format!("{name}.cwasm")),
        );
        let digest = hex::encode(Sha256::digest(read(&wasm)));
        read(&image);
        let by_name_only = *asked == Asked::ByName;
        writeln!(
            table,
            "    Embedded {{ name: {name:?}, kind: PluginKind::{kind}, by_name_only: {by_name_only}, digest: \"sha256:{digest}\", \
             wasm: include_bytes!({wasm:?}), image: include_bytes!({image:?}) }},"
        )
        .expect("writing to a string");
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("standard.rs"), table).expect("the build's own folder is writable");
    std::fs::write(out.join("renderers.rs"), renderers(&folder)).expect("the build's own folder is writable");
}

/// The digests of the renderers: the files are too large to be part of the binary.
fn renderers(folder: &Path) -> String {
    let mut table = String::from("const RENDERERS: &[Known] = &[\n");
    for (name, summary) in RENDERERS {
        let place = folder.join("renderers");
        let digest = hex::encode(Sha256::digest(read(&place.join(format!("{name}.wasm")))));
        let compiled = *blake3::hash(&read(&place.join(format!("{name}.cwasm")))).as_bytes();
        writeln!(
            table,
            "    Known {{ name: {name:?}, summary: {summary:?}, digest: \"sha256:{digest}\", compiled: {compiled:?} }},"
        )
        .expect("writing to a string");
    }
    table.push_str("];\n");
    table
}

#[expect(
    clippy::disallowed_methods,
    reason = "the message names the file and what to do"
)]
fn read(path: &Path) -> Vec<u8> {
    println!("cargo::rerun-if-changed={}", path.display());
    std::fs::read(path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}\nthe standard plugins are missing: run `cargo xtask plugins` first",
            path.display()
        )
    })
}
