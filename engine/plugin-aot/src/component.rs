//! From a file's bytes to a component: core modules are wrapped, components stay as they are.

use std::borrow::Cow;

/// What a file's first eight bytes say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A core module: needs wrapping.
    CoreModule,
    /// A component.
    Component,
    /// Not WebAssembly in a version that we know.
    NotWasm,
}

/// A core module that could not be wrapped.
#[derive(Debug, thiserror::Error)]
#[error("the module cannot be made a component: {reason}")]
pub struct ComponentiseError {
    /// What is wrong with it, in the words of `wit-component`.
    pub reason: String,
}

/// Looks at the magic number and the version.
pub fn form(wasm: &[u8]) -> Form {
    match wasm.get(..8) {
        Some(b"\0asm\x01\0\0\0") => Form::CoreModule,
        Some(b"\0asm\x0d\0\x01\0") => Form::Component,
        Some(_) | None => Form::NotWasm,
    }
}

/// Makes a component of a core module that was built with `wit-bindgen`; 1–2 ms. A component comes back as it is.
pub fn componentise(wasm: &[u8]) -> Result<Cow<'_, [u8]>, ComponentiseError> {
    if form(wasm) != Form::CoreModule {
        return Ok(Cow::Borrowed(wasm));
    }
    // Validation is left to the compiler, which does it in any case.
    let encoded = wit_component::ComponentEncoder::default()
        .validate(false)
        .module(wasm)
        .and_then(|encoder| encoder.encode());
    encoded.map(Cow::Owned).map_err(|error| ComponentiseError {
        reason: format!("{error:#}"),
    })
}
