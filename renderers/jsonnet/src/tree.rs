//! The files of an input. They remember what was looked for, and what has to be asked of the host because it may be there without having
//! been handed over.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// Files by their paths from the repository's root.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    covered: Vec<String>,
    looked: RefCell<BTreeSet<String>>,
    needs: RefCell<BTreeSet<String>>,
}

impl Tree {
    /// Adds files, and the folder or file that they are all of.
    pub fn add(&mut self, place: &str, files: impl IntoIterator<Item = (String, Vec<u8>)>) {
        self.covered.push(place.to_owned());
        self.files.extend(files);
    }

    /// Returns a file. That there is none, or that it was not handed over yet, is none.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        self.looked.borrow_mut().insert(path.to_owned());
        let found = self.files.get(path);
        if found.is_none() && !self.covered.iter().any(|place| is_within(path, place)) {
            self.needs.borrow_mut().insert(path.to_owned());
        }
        found.map(Vec::as_slice)
    }

    /// The Jsonnet files directly in a folder, which then counts as looked for as a whole.
    pub fn programs(&self, folder: &str) -> Vec<String> {
        self.looked.borrow_mut().insert(format!("{folder}/"));
        let is_program = |path: &&String| {
            let inside = if folder.is_empty() {
                Some(path.as_str())
            } else {
                path.strip_prefix(&format!("{folder}/"))
            };
            inside.is_some_and(|inside| !inside.contains('/') && inside.ends_with(".jsonnet"))
        };
        self.files.keys().filter(is_program).cloned().collect()
    }

    /// Whether a file of this very path is there.
    pub fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// What has to be handed over first.
    pub fn needs(&self) -> Vec<String> {
        self.needs.borrow().iter().cloned().collect()
    }

    /// What was looked for, sorted.
    pub fn looked(&self) -> Vec<String> {
        self.looked.borrow().iter().cloned().collect()
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the path that a name means in a folder; one with a leading `/` is from the root. What leaves the root is none.
pub fn resolve(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let from = if name.starts_with('/') { "" } else { folder };
    for part in from.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_root_is_nowhere() {
        assert_eq!(resolve("a/b", "../c").as_deref(), Some("a/c"));
        assert_eq!(resolve("a", "/c/./d").as_deref(), Some("c/d"));
        assert_eq!(resolve("a", "../../c"), None);
    }

    #[test]
    fn what_was_not_handed_over_is_asked_for_and_what_is_not_there_is_not() {
        let mut tree = Tree::default();
        tree.add("a", [("a/x.jsonnet".to_owned(), b"{}".to_vec())]);
        assert!(tree.read("a/x.jsonnet").is_some());
        assert!(tree.read("a/y").is_none() && tree.needs().is_empty());
        assert!(tree.read("ab").is_none());
        assert_eq!(tree.needs(), ["ab"]);
        assert_eq!(tree.looked(), ["a/x.jsonnet", "a/y", "ab"]);
    }
}
