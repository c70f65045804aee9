//! `cargo xtask tidy`: what the compiler does not check about the source.

mod circles;
mod codes;
mod docs;
mod edges;
mod frozen;
mod headers;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::root;

/// Runs all checks and prints every finding.
pub(crate) fn run() -> Result<()> {
    let root = root();
    let mut findings = Vec::new();
    findings.extend(headers::check(&root)?);
    findings.extend(codes::check(&root)?);
    findings.extend(edges::check(&root)?);
    findings.extend(frozen::check(&root)?);
    findings.extend(circles::check(&root)?);
    findings.extend(docs::check(&root)?);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        Ok(())
    } else {
        bail!("{} findings", findings.len())
    }
}

/// Returns all files below a folder that end like this, in order, built ones left out.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
