//! Every module says at its top what it is for, and is short enough to be read.

use std::path::Path;

use anyhow::Result;

/// A file beyond this is two topics.
const LONGEST: usize = 600;

/// Returns the modules without a header; prints a warning for those that are too long.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for folder in ["engine", "plugins", "tests", "examples"] {
        for file in super::files(&root.join(folder), ".rs")? {
            let text = fs_err::read_to_string(&file)?;
            let place = file.strip_prefix(root).unwrap_or(&file).display();
            if !has_header(&text) {
                findings.push(format!("{place}: starts without `//!`"));
            }
            let lines = text.lines().count();
            if lines > LONGEST {
                println!("warning: {place} has {lines} lines; split it by topic");
            }
        }
    }
    Ok(findings)
}

fn has_header(text: &str) -> bool {
    text.lines()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.starts_with("//! "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_first() {
        assert!(has_header("//! Reads.\nuse a;"));
        assert!(has_header("\n//! Reads.\n"));
        assert!(!has_header("use a;\n//! Reads."));
        assert!(!has_header("//!\n"));
        assert!(!has_header(""));
    }
}
