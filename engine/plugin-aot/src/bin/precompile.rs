//! `precompile FOLDER`: makes `name.cwasm` beside each `name.wasm` of a folder where it is missing or older.
//!
//! Run by `cargo xtask plugins` after the guests were built; the engine's build embeds both files.

use std::path::Path;
use std::process::ExitCode;

use sluice_plugin_aot::{Allocation, RuntimeClass, componentise, engine, precompile};

#[expect(clippy::print_stderr, reason = "a build tool: this is how it talks")]
fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: precompile FOLDER");
        return ExitCode::from(2);
    };
    match all(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("precompile: {error}");
            ExitCode::FAILURE
        }
    }
}

fn all(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let engine = engine(RuntimeClass::Policy, Allocation::OnDemand).map_err(|error| format!("{error:?}"))?;
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let wasm = fs_err::read(&path)?;
        let image = precompile(
            &engine,
            &componentise(&wasm).map_err(|error| format!("{}: {error}", path.display()))?,
        )
        .map_err(|error| format!("{}: {error:?}", path.display()))?;
        let target = path.with_extension("cwasm");
        // Written only where it differs, so that what embeds it is not built again for nothing.
        if fs_err::read(&target).ok().as_deref() != Some(image.as_slice()) {
            fs_err::write(&target, image)?;
        }
    }
    Ok(())
}
