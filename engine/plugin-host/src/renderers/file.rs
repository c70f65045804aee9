//! What a file of the plugin directory says of itself before anything is made of it: whether it is a renderer, and one that reaches out.

use sluice_plugin_aot::{Form, form};
use wasmparser::{Parser, Payload};

use super::instance::LIMITS;
use crate::codes::PluginError;
use crate::state::one_line;

/// How the names begin of what a renderer exports: of a component the interface, of a core module its functions.
const PACKAGE: &str = "sluice:render/";
/// The interface, as far as renderers and engine must have it in common.
const INTERFACE: &str = "sluice:render/renderer@0.1.";

/// True for what exports an interface of renderers, in whatever version: it is judged as a renderer then.
pub(crate) fn is_renderer(wasm: &[u8]) -> bool {
    names(wasm).is_ok_and(|names| names.exports.iter().any(|name| name.starts_with(PACKAGE)))
}

/// Every check on a renderer's file that needs no compiler.
pub(super) fn check(wasm: &[u8]) -> Result<(), PluginError> {
    if wasm.len() > LIMITS.file_bytes {
        let most = LIMITS.file_bytes >> 20;
        let reason = format!("the file has more than the {most} MiB that a renderer may have");
        return Err(PluginError::Compile { reason });
    }
    let names = names(wasm).map_err(|error| PluginError::Compile {
        reason: error.to_string(),
    })?;
    if let Some(import) = names.imports.first() {
        return Err(PluginError::ImportDenied {
            import: one_line(import),
        });
    }
    match names.exports.iter().any(|name| name.starts_with(INTERFACE)) {
        true => Ok(()),
        false => Err(PluginError::WorldMismatch {
            reason: format!(
                "it exports {}; wanted is `sluice:render/renderer@0.1.0`",
                one_line(&names.exports.join(", "))
            ),
        }),
    }
}

/// What a file exports and imports, by name.
#[derive(Default)]
struct Names {
    exports: Vec<String>,
    imports: Vec<String>,
}

/// Reads the names of the outermost module or component; what it is made of may import what it likes from the rest of it.
fn names(wasm: &[u8]) -> wasmparser::Result<Names> {
    let mut names = Names::default();
    let is_module = form(wasm) == Form::CoreModule;
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Payload::ComponentExportSection(section) => {
                for export in section {
                    names.exports.push(export?.name.name.to_owned());
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    names.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ExportSection(section) if is_module => {
                for export in section {
                    names.exports.push(export?.name.to_owned());
                }
            }
            Payload::ImportSection(section) if is_module => {
                for import in section.into_imports() {
                    let import = import?;
                    // `[export]sluice:render/…` are intrinsics that a generator declares and nothing calls.
                    if !import.module.starts_with("[export]") {
                        names.imports.push(format!("{}#{}", import.module, import.name));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::Coded as _;

    #[test]
    fn a_file_says_whether_it_is_a_renderer() {
        const RENDERER: &str = r#"(instance) (export "sluice:render/renderer@0.1.0" (instance 0))"#;
        let cases = [
            (format!("(component {RENDERER})"), true, None),
            (
                RENDERER.replace("@0.1.0", "@0.2.0").replacen("(instance)", "(component (instance)", 1) + ")",
                true,
                Some("P06"),
            ),
            (
                format!(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance)) {})"#, RENDERER.replace("(instance 0)", "(instance 1)")),
                true,
                Some("P05"),
            ),
            // What is inside is nobody else's business.
            (
                format!(r#"(component (core module (import "a" "b" (func))) {RENDERER})"#),
                true,
                None,
            ),
            (
                r#"(module (func (export "sluice:render/renderer@0.1.0#render")))"#.to_owned(),
                true,
                None,
            ),
            (
                r#"(module (import "env" "abort" (func)) (func (export "sluice:render/renderer@0.1.0#render")))"#.to_owned(),
                true,
                Some("P05"),
            ),
            (
                r#"(component (instance) (export "sluice:policy/health@0.2.0" (instance 0)))"#.to_owned(),
                false,
                Some("P06"),
            ),
            (r#"(module (func (export "render")))"#.to_owned(), false, Some("P06")),
        ];
        for (text, expected, refused) in cases {
            let wasm = wat::parse_str(&text).expect(&text);
            assert_eq!(is_renderer(&wasm), expected, "{text}");
            let code = check(&wasm).err().map(|error| error.code().id);
            assert_eq!(code, refused, "{text}");
        }
        assert!(!is_renderer(b"no Wasm") && !is_renderer(b""));
    }
}
