//! Builds the standard renderers: components without imports, made of Go modules and of Rust crates; and those of the examples, in C.
//!
//! What comes out is `target/plugins/renderers/NAME.wasm`, with `NAME.cwasm` beside it, compiled ahead of time: in the workspace's folder
//! for the build, which pins their digests, and in Cargo's own target folder for the program, which looks beside itself. Each takes a
//! minute or two to make, so they are kept in the user's cache folder under the digest of all that goes into them. Those of the examples are made in a
//! moment, and are `target/plugins/examples/renderers/NAME.wasm` alone, as a user would have them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use sluice_sandbox::cache_folder;

use crate::command::{answer, cargo, exists, root, run};
use crate::plugins::{Toolchain, cargo_target, guests};

/// Go modules of `renderers/` that are renderers.
const GO: &[&str] = &["helm", "kustomize"];
/// Workspaces of `renderers/` with one Rust crate of the same name that is a renderer.
const RUST: &[&str] = &["jsonnet"];
/// Interpreters recurse. The rest is for what could draw random numbers and does not (`renderers/jsonnet`).
const RUST_FLAGS: &str = "-Clink-arg=-zstack-size=524288 --cfg getrandom_backend=\"custom\"";
/// What all Go modules use.
const SHARED: &str = "guest";
/// The interface.
const INTERFACE: &str = "wit/render/0.1.0";
/// Folders of `examples/` that are a renderer in C.
const EXAMPLES: &[&str] = &["renderer-dotenv"];
/// Nothing but the program itself: no library, no entry, no operating system. A stack that runs over ends the instance.
const C_FLAGS: &[&str] = &[
    "--target=wasm32",
    "-std=c17",
    "-Os",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-mbulk-memory",
    "-ffreestanding",
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--stack-first",
];
/// Compilers of C for WebAssembly with their linkers, the first that is there counts.
const C_COMPILERS: &[(&str, &str)] = &[("clang-19", "wasm-ld-19"), ("clang", "wasm-ld")];
/// How the builds of one renderer are called in its cache folder, and how many are kept: this one and those of other branches.
const KEPT: usize = 4;

/// Builds the renderers where something changed.
pub(crate) fn build(toolchain: &Toolchain) -> Result<()> {
    let folders = [root().join("target"), cargo_target()].map(|target| target.join("plugins/renderers"));
    for folder in &folders {
        fs_err::create_dir_all(folder)?;
    }
    let tool = tool()?;
    for name in GO {
        let built = cached(name, &fingerprint(name, &tool)?, |out| build_go(name, &tool, out))?;
        place(&built, &folders)?;
    }
    let modules = cargo_target().join("renderers");
    fs_err::create_dir_all(&modules)?;
    for name in RUST {
        guests(
            toolchain,
            &Path::new("renderers").join(name),
            &modules,
            RUST_FLAGS,
        )?;
        let module = modules.join(name).with_extension("wasm");
        let parts = [module.clone(), tool.clone()];
        let built = cached(name, &digest(&parts)?, |out| wrap(&tool, &module, out))?;
        place(&built, &folders)?;
    }
    let folder = root().join("target/plugins/examples/renderers");
    fs_err::create_dir_all(&folder)?;
    for example in EXAMPLES {
        build_c(example, &tool, &modules)?;
        place_file(&modules.join(example).with_extension("wasm"), &folder)?;
    }
    Ok(())
}

/// The compiler of C that is here, if it finds a linker for WebAssembly.
pub(crate) fn c_compiler() -> Option<&'static str> {
    let mut compilers = C_COMPILERS.iter();
    let found = compilers.find(|(clang, linker)| exists(clang) && exists(linker));
    found.map(|(clang, _)| *clang)
}

/// Compiles a renderer that is one file in C.
fn build_c(example: &str, tool: &Path, modules: &Path) -> Result<()> {
    let clang = c_compiler().context(
        "nothing here compiles C to WebAssembly: install clang with wasm-ld, such as Debian's clang-19 and lld-19",
    )?;
    let module = modules.join(example).with_extension("module");
    run(Command::new(clang)
        .args(C_FLAGS)
        .arg("-o")
        .arg(&module)
        .arg(root().join("examples").join(example).join("renderer.c")))
    .with_context(|| format!("the renderer of examples/{example} does not compile"))?;
    wrap(tool, &module, &modules.join(example))
}

/// The program that makes components, built first.
fn tool() -> Result<PathBuf> {
    // With the workspace's features, so that what is built for it here serves the engine as well.
    run(cargo().args([
        "build",
        "--release",
        "--quiet",
        "--workspace",
        "--bin",
        "render-aot",
    ]))?;
    Ok(cargo_target().join("release/render-aot"))
}

fn build_go(name: &str, tool: &Path, out: &Path) -> Result<()> {
    let source = root().join("renderers").join(name);
    let module = out.with_extension("module");
    run(Command::new("go")
        .args([
            "build",
            "-trimpath",
            "-mod=readonly",
            "-buildmode=c-shared",
            "-ldflags=-s -w",
            "-o",
        ])
        .arg(&module)
        .arg(".")
        .current_dir(&source)
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .env("CGO_ENABLED", "0")
        // Where go is older than the module asks for, it may get itself a newer one: that is a Go module like the others.
        .env("GOTOOLCHAIN", "auto"))
    .with_context(|| {
        format!("the renderer {name} cannot be built; it needs Go 1.26 and the Go modules it names")
    })?;
    wrap(tool, &module, out)?;
    fs_err::remove_file(&module)?;
    Ok(())
}

/// Makes the component of a core module, and its native code.
fn wrap(tool: &Path, module: &Path, out: &Path) -> Result<()> {
    run(Command::new(tool)
        .arg(module)
        .arg(root().join(INTERFACE))
        .arg(out))
}

/// Returns the path of a build in the cache, without its extensions; builds it first if it is not there.
fn cached(name: &str, fingerprint: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let builds = cache_folder()?.join("renderers").join(name);
    fs_err::create_dir_all(&builds)?;
    // Two that start at the same time build it once.
    let lock = fs_err::File::create(builds.join("lock"))?.into_parts().0;
    lock.lock().context("cannot lock the cache")?;
    let folder = builds.join(fingerprint);
    let built = folder.join(name);
    // Written last: without it a build was interrupted.
    let stamp = folder.join("complete");
    if !stamp.exists() {
        fs_err::create_dir_all(&folder)?;
        println!("building the renderer {name} takes a minute or two, this once");
        build(&built)?;
    }
    fs_err::write(&stamp, "")?;
    remove_unused(&builds);
    Ok(built)
}

/// Names a build after everything that goes into it.
fn fingerprint(name: &str, tool: &Path) -> Result<String> {
    let mut files = Vec::new();
    for folder in [name, SHARED] {
        collect(&root().join("renderers").join(folder), &mut files)?;
    }
    collect(&root().join(INTERFACE), &mut files)?;
    files.sort();
    // It has the compiler in it.
    files.push(tool.to_owned());
    let go = answer(
        Command::new("go")
            .args(["env", "GOVERSION"])
            .current_dir(root().join("renderers").join(name)),
    );
    Ok(format!("{}-{}", go.unwrap_or_default().trim(), digest(&files)?))
}

/// The digest of the names and contents of files.
fn digest(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root()).unwrap_or(file);
        for part in [name.as_os_str().as_encoded_bytes(), &fs_err::read(file)?] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
    }
    let mut digest = hex::encode(hash.finalize());
    digest.truncate(16);
    Ok(digest)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Removes all builds but the ones that were used last.
fn remove_unused(builds: &Path) {
    let Ok(entries) = fs_err::read_dir(builds) else {
        return;
    };
    let mut folders: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let used = fs_err::metadata(path.join("complete")).and_then(|stamp| stamp.modified());
            (used.ok(), path)
        })
        .collect();
    folders.sort();
    folders.reverse();
    for (_, folder) in folders.into_iter().skip(KEPT) {
        // That it cannot be removed harms nothing.
        fs_err::remove_dir_all(&folder).ok();
    }
}

/// Puts a build where the engine looks for it. Written only where it differs, so that what depends on it is not built again for nothing.
fn place(built: &Path, folders: &[PathBuf]) -> Result<()> {
    for folder in folders {
        for extension in ["wasm", "cwasm"] {
            place_file(&built.with_extension(extension), folder)?;
        }
    }
    Ok(())
}

fn place_file(source: &Path, folder: &Path) -> Result<()> {
    let target = folder.join(source.file_name().unwrap_or_default());
    if !source.exists() {
        bail!("no {} was built", source.display());
    }
    let content = fs_err::read(source)?;
    if fs_err::read(&target).ok().as_deref() != Some(content.as_slice()) {
        // Renamed, because the old one may be mapped.
        let fresh = target.with_extension("new");
        fs_err::write(&fresh, content)?;
        fs_err::rename(&fresh, &target)?;
    }
    Ok(())
}
