//! `render-aot MODULE INTERFACE OUT`: makes the component `OUT.wasm` of a core module and compiles it to `OUT.cwasm`.
//!
//! Run by `cargo xtask plugins`. A MODULE that is a component already is taken as it is; one that wants no operating system is wrapped
//! without a snapshot.

use std::{error::Error, path::Path, process::ExitCode};

use sluice_plugin_aot::{
    Allocation, Form, RuntimeClass, componentise, engine, form, load_file, precompile_file,
};
use sluice_render_aot::{WASI, check_imports, component, plain_component};

#[expect(clippy::print_stderr, reason = "a build tool: this is how it talks")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, interface, out] = arguments.as_slice() else {
        eprintln!("usage: render-aot MODULE INTERFACE OUT");
        return ExitCode::from(2);
    };
    match build(Path::new(module), Path::new(interface), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("render-aot: {module}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(module: &Path, interface: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let engine =
        engine(RuntimeClass::Renderer, Allocation::OnDemand).map_err(|error| format!("{error:?}"))?;
    let module = fs_err::read(module)?;
    let component = if is_bindgen(&module) {
        componentise(&module)?.into_owned()
    } else if imports_wasi(&module) {
        component(&engine, &module, interface)?
    } else {
        plain_component(&module, interface)?
    };
    let image = precompile_file(&engine, &component).map_err(|error| format!("{error:?}"))?;
    let compiled = out.with_extension("cwasm");
    fs_err::write(&compiled, &image)?;
    let digest: &'static [u8; 32] = Box::leak(Box::new(*blake3::hash(&image).as_bytes()));
    check_imports(&engine, &load_file(&engine, &compiled, digest)?)?;
    fs_err::write(out.with_extension("wasm"), component)?;
    Ok(())
}

/// Whether a module wants an operating system, as Go's do.
fn imports_wasi(module: &[u8]) -> bool {
    let mut payloads = wasmparser::Parser::new(0)
        .parse_all(module)
        .filter_map(Result::ok);
    payloads.any(|payload| match payload {
        wasmparser::Payload::ImportSection(section) => section
            .into_imports()
            .filter_map(Result::ok)
            .any(|import| import.module == WASI),
        _ => false,
    })
}

/// Whether a module says its world itself, as wit-bindgen's do, or is a component.
fn is_bindgen(module: &[u8]) -> bool {
    form(module) == Form::Component
        || wasmparser::Parser::new(0)
            .parse_all(module)
            .filter_map(Result::ok)
            .any(|payload| matches!(payload, wasmparser::Payload::CustomSection(custom) if custom.name().starts_with("component-type")))
}
