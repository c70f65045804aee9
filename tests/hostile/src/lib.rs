//! Plugins that mean harm, in WebAssembly text (`guests/`), one for each way to fail.
//!
//! A guest is a core module. Its `;; prelude` line is replaced by the parts that every plugin needs and that do no harm: memory,
//! an allocator, `describe` and `configure` (`;; renderer prelude` by those of a renderer); a guest that abuses one of them leaves the prelude out. [`build`] then says
//! which world it is of.
#![forbid(unsafe_code)]

use std::path::Path;

use wit_component::StringEncoding;
use wit_parser::Resolve;

/// The harmless parts.
const PRELUDE: &str = include_str!("../guests/prelude.wat");

/// The harmless parts of a renderer.
const RENDERER_PRELUDE: &str = include_str!("../guests/renderer-prelude.wat");

/// Makes the plugin of a guest, for a world such as `health-check`. Panics where the guest is not what its author meant: this is
/// for tests.
pub fn build(text: &str, world: &str) -> Vec<u8> {
    of_world(text, "policy/0.2.0", world)
}

/// Makes the renderer of a guest.
pub fn renderer(text: &str) -> Vec<u8> {
    of_world(text, "render/0.1.0", "render-files")
}

fn of_world(text: &str, package: &str, world: &str) -> Vec<u8> {
    let mut wasm = module(text);
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../wit")
        .join(package);
    let (package, _) = resolve.push_path(folder).expect("the WIT package is valid");
    let world = resolve
        .select_world(&[package], Some(world))
        .expect("the world exists");
    wit_component::embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8, false)
        .expect("a module takes a custom section");
    wasm
}

/// The module alone, without a word of which world it is of.
pub fn module(text: &str) -> Vec<u8> {
    let text = text
        .replace(";; prelude", PRELUDE)
        .replace(";; renderer prelude", RENDERER_PRELUDE);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
