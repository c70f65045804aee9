//! Checks the rules in `rules/` and turns them into constants of the plugin; the language is described in `src/lib.rs`.
//!
//! A mistake in a rule stops the build with its file, its rule and what is wrong.
#![allow(
    clippy::disallowed_methods,
    reason = "a build script that fails names what is wrong"
)]

mod pointers;
mod rules;
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_yaml::Value as Yaml;

use rules::Compiled;

fn main() {
    println!("cargo::rerun-if-changed=rules");
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let folder = manifest.join("rules");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of rules is there")
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".yaml") && !name.ends_with(".cases.yaml")
        })
        .collect();
    files.sort();
    let mut rules = Vec::new();
    for file in files {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&file).expect("a file of rules is readable");
        match serde_yaml::from_str::<Vec<Yaml>>(&text) {
            Ok(list) => rules.extend(list.iter().map(|rule| match rules::compile(rule) {
                Ok(rule) => rule,
                Err(problem) => panic!("rules/{name}: {problem}"),
            })),
            Err(problem) => panic!("rules/{name}: {problem}"),
        }
    }
    std::fs::write(out.join("rules.rs"), text(&rules)).expect("the build's own folder is writable");
}

/// The rules and the claims as Rust.
fn text(rules: &[Compiled]) -> String {
    let mut claims = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        for kind in &rule.kinds {
            if claims.insert(kind.clone(), index).is_some() {
                panic!("two rules are for {}/{}", kind.0, kind.1);
            }
        }
    }
    let claims: String = claims
        .iter()
        .map(|((group, kind), index)| format!("    ({group:?}, {kind:?}, {index}),\n"))
        .collect();
    let rules: String = rules.iter().map(|rule| format!("    {},\n", rule.text)).collect();
    format!(
        "/// All rules.\npub static RULES: &[Rule] = &[\n{rules}];\n\n\
         /// What the plugin is asked about: group, kind, and the place of the rule in [`RULES`].\n\
         pub static CLAIMS: &[(&str, &str, u16)] = &[\n{claims}];\n"
    )
}
