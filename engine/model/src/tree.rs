//! A revision of a repository and the files of one folder of it, read from Git objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a name like `main` meant at the moment it was resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// What was asked for: a branch, a tag, a commit, `HEAD`.
    pub requested: String,
    /// The commit's full object id, lower-case hex.
    pub commit: String,
    /// The root tree of that commit, lower-case hex.
    pub tree: String,
    /// The annotated tag that led there, if one did: its full object id.
    pub tag: Option<String>,
}

/// The files below one path of one commit. Symbolic links and submodules are named, never followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The commit it was read from.
    pub revision: Revision,
    /// The folder, relative to the root, without slashes at its ends; empty for the root.
    pub path: String,
    /// Content by path relative to the repository's root.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// Symbolic links and submodules below `path`, which are not followed.
    pub skipped: Vec<String>,
    /// Those of them that are submodules: other repositories, of which nothing is read.
    pub submodules: Vec<String>,
    /// Those of them that are symbolic links to a file or a folder of the same commit, by path. Plain manifests do not follow them;
    /// charts and kustomizations do.
    pub links: BTreeMap<String, Link>,
}

/// Where a symbolic link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The file or folder, from the repository's root.
    pub to: String,
    /// True for a folder.
    pub is_folder: bool,
}

/// Returns what of a path is below a folder, both from the repository's root: empty for the folder itself, none for what lies elsewhere.
/// An empty folder is the root.
pub fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}

/// Returns the path that is `rest` below a folder, both as [`below`] has them: `joined(folder, below(path, folder))` is the path again.
pub fn joined(folder: &str, rest: &str) -> String {
    match (folder, rest) {
        ("", path) | (path, "") => path.to_owned(),
        (folder, rest) => format!("{folder}/{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_folder_is_joined_to_its_path_again() {
        for (folder, rest, path) in [
            ("", "", ""),
            ("", "a/b", "a/b"),
            ("a", "", "a"),
            ("a/b", "c/d", "a/b/c/d"),
        ] {
            assert_eq!(joined(folder, rest), path);
            assert_eq!(below(path, folder), Some(rest));
        }
    }
}
