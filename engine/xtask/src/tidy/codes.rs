//! Every error code is named by a test: by its id, or by its constant in a test of its own crate.
//!
//! That the test then produces it is for the reader to judge; that there is none is found here.

use std::path::Path;

use anyhow::Result;

/// Returns the codes that no test names.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut everywhere = shared_tests(root)?;
    let mut crates = Vec::new();
    for entry in fs_err::read_dir(root.join("engine"))? {
        let folder = entry?.path();
        let mut code = String::new();
        let mut tests = String::new();
        for file in super::files(&folder.join("src"), ".rs")? {
            let text = fs_err::read_to_string(&file)?;
            let (product, test) = match text.split_once("#[cfg(test)]\nmod tests {") {
                Some((product, test)) => (product, test),
                None if file.ends_with("tests.rs") => ("", text.as_str()),
                None => (text.as_str(), ""),
            };
            code += product;
            tests += test;
        }
        for ending in [".rs", ".txt"] {
            for file in super::files(&folder.join("tests"), ending)? {
                tests += &fs_err::read_to_string(&file)?;
            }
        }
        everywhere += &tests;
        crates.push((folder, code, tests));
    }
    crates.sort();
    let untested = crates.iter().flat_map(|(folder, code, tests)| {
        let place = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        let everywhere = &everywhere;
        definitions(code)
            .filter(move |(id, name)| {
                !has_word(everywhere, id) && !has_word(tests, &format!("codes::{name}"))
            })
            .map(move |(id, name)| format!("{place}: no test names {id} ({name})"))
    });
    Ok(untested.collect())
}

/// What is tested from outside of the crates, snapshots and histories included.
fn shared_tests(root: &Path) -> Result<String> {
    let mut text = String::new();
    for ending in [".rs", ".snap", ".txt", ".yaml"] {
        for file in super::files(&root.join("tests"), ending)? {
            text += &fs_err::read_to_string(&file)?;
        }
    }
    Ok(text)
}

/// The codes that a crate defines: each id such as `"S01"` with the constant that precedes it.
fn definitions(code: &str) -> impl Iterator<Item = (&str, &str)> {
    code.match_indices('"').filter_map(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + 1..]);
        let id = after.get(..4)?.strip_suffix('"')?;
        let (stage, number) = id.split_at_checked(1)?;
        let is_code =
            stage.chars().all(|c| c.is_ascii_uppercase()) && number.chars().all(|c| c.is_ascii_digit());
        let name = before
            .rsplit(|c: char| !is_in_name(c))
            .find(|word| is_constant(word))?;
        is_code.then_some((id, name))
    })
}

fn is_constant(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_in_name) && !after.is_some_and(is_in_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_in_each_way_of_writing_them() {
        let code = r#"pub const NOT_TEXT: ErrorCode = code("R02", "a"); pub const KEYRING: ErrorCode = ErrorCode { id: "K01",
            URL = "S01", Input, "text"; "no""#;
        let found: Vec<_> = definitions(code).collect();
        assert_eq!(found, [("R02", "NOT_TEXT"), ("K01", "KEYRING"), ("S01", "URL")]);
    }

    #[test]
    fn a_code_without_a_test_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(file, text).unwrap();
        };
        write(
            "engine/a/src/codes.rs",
            "pub const ONE: ErrorCode = code(\"A01\");\npub const TWO: ErrorCode = code(\"A02\");",
        );
        assert_eq!(check(folder.path()).unwrap().len(), 2);
        write("engine/a/tests/one.rs", "assert_eq!(code, codes::ONE);");
        assert_eq!(
            check(folder.path()).unwrap(),
            ["engine/a: no test names A02 (TWO)"]
        );
        write("tests/cli/two.snap", "error[A022]");
        assert_eq!(check(folder.path()).unwrap().len(), 1);
        write("tests/cli/two.snap", "error[A02]");
        assert!(check(folder.path()).unwrap().is_empty());
    }
}
