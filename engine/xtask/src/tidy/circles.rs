//! Which files of a crate import each other. Two that belong together may; a circle of many cannot be read from anywhere.
//!
//! What a file imports is taken from its text: paths that begin with `crate`, `super` or `self` and lead to another file. Tests
//! and comments do not count, nor does what the crate's root says again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

/// So many files may import each other in a circle.
const LARGEST: usize = 5;

/// A module, by its path below the crate: `["task", "assess"]`; empty for the root.
type Module = Vec<String>;

/// Returns the circles that are too large.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in fs_err::read_dir(root.join("engine"))? {
        let folder = entry?.path();
        let source = folder.join("src");
        let mut texts = BTreeMap::new();
        for file in super::files(&source, ".rs")? {
            let text = fs_err::read_to_string(&file)?;
            texts.insert(module(file.strip_prefix(&source)?), text);
        }
        let place = folder.strip_prefix(root).unwrap_or(&folder).display();
        findings.extend(large(&texts).into_iter().map(|circle| {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            format!(
                "{place}: {} files import each other in a circle: {}",
                names.len(),
                names.join(", ")
            )
        }));
    }
    findings.sort();
    Ok(findings)
}

fn module(file: &Path) -> Module {
    let mut module: Module = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module
        .last()
        .is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str()))
    {
        module.pop();
    }
    module
}

/// Returns the circles of more than [`LARGEST`] modules.
fn large(texts: &BTreeMap<Module, String>) -> Vec<BTreeSet<Module>> {
    let known: BTreeSet<&Module> = texts.keys().collect();
    let imports: BTreeMap<&Module, BTreeSet<Module>> = texts
        .iter()
        .map(|(module, text)| (module, imports(module, text, &known)))
        .collect();
    // What a module leads to, itself included if it is in a circle.
    let reaches = |from: &Module| {
        let mut reached: BTreeSet<Module> = BTreeSet::new();
        let mut open = vec![from.clone()];
        while let Some(next) = open.pop() {
            for import in imports.get(&next).into_iter().flatten() {
                if reached.insert(import.clone()) {
                    open.push(import.clone());
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        texts.keys().map(|module| (module, reaches(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        let back = |other: &&Module| {
            reached
                .get(*other)
                .is_some_and(|reached| reached.contains(*module))
        };
        let circle: BTreeSet<Module> = others.iter().filter(back).cloned().collect();
        if circle.len() > LARGEST {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// Returns the modules that a module names.
fn imports(module: &Module, text: &str, known: &BTreeSet<&Module>) -> BTreeSet<Module> {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = product
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = BTreeSet::new();
    for keyword in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(keyword) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut base = match keyword {
                "crate::" => Module::new(),
                "self::" => module.clone(),
                _ => parent(module),
            };
            let mut rest = &code[at + keyword.len()..];
            while let Some(above) = rest.strip_prefix("super::") {
                base = parent(&base);
                rest = above;
            }
            let mut path = base;
            expand(rest, &mut path, &mut |path| {
                let mut place = path.to_vec();
                while !place.is_empty() && !known.contains(&place) {
                    place.pop();
                }
                if !place.is_empty() && place != *module {
                    found.insert(place);
                }
            });
        }
    }
    found
}

fn parent(module: &[String]) -> Module {
    module
        .split_last()
        .map(|(_, above)| above.to_vec())
        .unwrap_or_default()
}

/// Calls `each` with every path that an import names: `a::{b, c::d}` names two. Returns what comes after it.
fn expand<'t>(text: &'t str, path: &mut Module, each: &mut impl FnMut(&[String])) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let depth = path.len();
            let after = expand(rest, path, each);
            path.truncate(depth);
            let after = after.trim_start();
            let after = after.strip_prefix("as ").map_or(after, |alias| {
                alias
                    .trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
                    .trim_start()
            });
            let after = after.strip_prefix(',').unwrap_or(after);
            if after.len() == rest.len() {
                return after;
            }
            rest = after;
        }
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return rest;
    }
    path.push(name.to_owned());
    match rest.strip_prefix("::") {
        Some(rest) => expand(rest, path, each),
        None => {
            each(path);
            rest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(files: &[(&str, &str)]) -> BTreeMap<Module, String> {
        files
            .iter()
            .map(|(file, text)| (module(Path::new(file)), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_circle_of_six_is_found_and_one_of_five_is_not() {
        let ring = |number: usize| -> Vec<(String, String)> {
            (0..number)
                .map(|file| {
                    (
                        format!("f{file}.rs"),
                        format!("use crate::f{}::thing;", (file + 1) % number),
                    )
                })
                .collect()
        };
        for (number, found) in [(2, 0), (5, 0), (6, 1), (9, 1)] {
            let files = ring(number);
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(file, text)| (file.as_str(), text.as_str()))
                .collect();
            assert_eq!(large(&texts(&files)).len(), found, "{number}");
        }
    }

    #[test]
    fn what_a_file_imports_is_read_from_its_text() {
        let files = texts(&[
            ("lib.rs", ""),
            (
                "a.rs",
                "use crate::b::{c::{Thing, other}, d as e};\n// use crate::x;\nfn f() { super::y::go(); }",
            ),
            ("b.rs", "use self::c::Thing; use super::a;"),
            (
                "b/c.rs",
                "use super::super::y;\n#[cfg(test)]\nmod tests {\n    use crate::x;\n}",
            ),
            ("x.rs", ""),
            ("y.rs", "use my_crate::x; use crate::Root;"),
        ]);
        let known: BTreeSet<&Module> = files.keys().collect();
        let of = |name: &str| {
            let module = module(Path::new(name));
            let found = imports(&module, &files[&module], &known);
            found.iter().map(|module| module.join("::")).collect::<Vec<_>>()
        };
        assert_eq!(of("a.rs"), ["b", "b::c", "y"]);
        assert_eq!(of("b.rs"), ["a", "b::c"]);
        assert_eq!(of("b/c.rs"), ["y"]);
        assert_eq!(of("y.rs"), [""; 0]);
    }
}
