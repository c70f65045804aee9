//! Makes a component without imports of a renderer that Go has compiled for WASI.
//!
//! ```text
//! core module ─▶ snapshot ─▶ segments ─▶ shim + WIT ─▶ component ─▶ native code
//! ```
//!
//! - [`snapshot`]: Go's runtime and the libraries' tables are made once, here, and not in each rendering: the module runs up to the point
//!   where it has rendered something small, and its memory as it is then becomes the memory that it starts with;
//! - [`segments`]: that memory comes in 100,000 pieces, more than a component may have, and becomes some thousand;
//! - [`shim`]: what the module wants of an operating system is answered inside the component: there is no file and no network, its
//!   clock and its randomness follow from what the host hands over with each input;
//! - wrapping, with the interface of `wit/render`, and the check that nothing is imported.
//!
//! Start at [`component`].

pub mod segments;
pub mod shim;
pub mod snapshot;

use std::path::Path;

use wasmtime::{Engine, component::Component};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// The module that Go imports an operating system from.
pub const WASI: &str = "wasi_snapshot_preview1";
/// The function that runs what is to be frozen.
pub const WARM: &str = "warm";
/// The world of renderers.
const WORLD: &str = "render-files";

/// Why a module does not become a component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The snapshot was not made.
    #[error("the module cannot be run up to its snapshot: {0}")]
    Snapshot(String),
    /// The snapshot is not as it should be.
    #[error("the snapshot cannot be read: {0}")]
    Segments(String),
    /// The interface is not there or not readable.
    #[error("the interface cannot be read: {0}")]
    Interface(String),
    /// The component was not made.
    #[error("the module cannot be wrapped: {0}")]
    Wrap(String),
    /// The component would reach out.
    #[error("the component imports {0}, and a renderer imports nothing")]
    Imports(String),
}

/// Makes a component of a core module that Go has compiled with `-buildmode=c-shared` for `wasip1`. `interface` is a folder of WIT
/// files with the world of renderers.
pub fn component(engine: &Engine, module: &[u8], interface: &Path) -> Result<Vec<u8>, BuildError> {
    let frozen = snapshot::take(engine, module)?;
    let merged = segments::merge(&frozen)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&of_world(&merged, interface)?)
        .and_then(|encoder| encoder.adapter(WASI, &shim::module()))
        .and_then(|encoder| encoder.encode())
        .map_err(|error| BuildError::Wrap(format!("{error:#}")))
}

/// Makes a component of a core module that needs no operating system, and that has the functions of the interface by their names: what any
/// compiler for WebAssembly can make.
pub fn plain_component(module: &[u8], interface: &Path) -> Result<Vec<u8>, BuildError> {
    ComponentEncoder::default()
        .validate(true)
        .module(&of_world(module, interface)?)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| BuildError::Wrap(format!("{error:#}")))
}

/// The module with a section that says which world it is of.
fn of_world(module: &[u8], interface: &Path) -> Result<Vec<u8>, BuildError> {
    let mut resolve = wit_parser::Resolve::default();
    let unreadable = |error: &dyn std::fmt::Display| BuildError::Interface(format!("{error:#}"));
    let (package, _) = resolve.push_path(interface).map_err(|error| unreadable(&error))?;
    let world = resolve
        .select_world(&[package], Some(WORLD))
        .map_err(|error| unreadable(&error))?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .map_err(|error| BuildError::Wrap(format!("{error:#}")))?;
    Ok(module)
}

/// Refuses a component that imports anything.
pub fn check_imports(engine: &Engine, component: &Component) -> Result<(), BuildError> {
    let imports: Vec<String> = component
        .component_type()
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect();
    if imports.is_empty() {
        Ok(())
    } else {
        Err(BuildError::Imports(imports.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_reaches_out_is_refused() {
        let engine = Engine::default();
        let check = |text: &str| {
            let component = wat::parse_str(text).unwrap();
            check_imports(&engine, &Component::new(&engine, component).unwrap())
        };
        assert!(check("(component)").is_ok());
        let refused = check(r#"(component (import "wasi:random/random@0.2.0" (instance)))"#);
        assert!(matches!(refused, Err(BuildError::Imports(name)) if name.contains("wasi:random")));
    }
}
