//! Where needs are answered from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::wit::{File, Need, Supply};

/// Files by their paths from the root, and what lies elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    files: BTreeMap<String, Vec<u8>>,
    elsewhere: BTreeMap<String, Vec<File>>,
}

impl Repository {
    /// Makes a repository of names and contents.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut repository = Self::default();
        for (name, content) in files {
            repository.add(name, content.as_bytes());
        }
        repository
    }

    /// Reads a folder. Links are followed.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::read_if(folder, |_| true)
    }

    /// Reads those files of a folder that are wanted.
    pub fn read_if(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Result<Self> {
        let mut repository = Self::default();
        repository.read_into(folder, "", &is_wanted)?;
        Ok(repository)
    }

    fn read_into(&mut self, folder: &Path, prefix: &str, is_wanted: &impl Fn(&Path) -> bool) -> Result<()> {
        for entry in fs_err::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                self.read_into(&path, &format!("{prefix}{name}/"), is_wanted)?;
            } else if path.is_file() && is_wanted(&path) {
                self.files.insert(format!("{prefix}{name}"), fs_err::read(&path)?);
            }
        }
        Ok(())
    }

    /// Puts a file into it.
    pub fn add(&mut self, name: &str, content: &[u8]) {
        self.files.insert(name.to_owned(), content.to_vec());
    }

    /// Says what a need that is no path is answered with: files from the root of where they come from.
    pub fn add_elsewhere(&mut self, text: &str, files: &[(&str, &[u8])]) {
        let files = files
            .iter()
            .map(|(path, content)| File {
                path: (*path).to_owned(),
                content: content.to_vec(),
            })
            .collect();
        self.elsewhere.insert(text.to_owned(), files);
    }

    /// The file of this path and the files below it.
    #[must_use]
    pub fn below(&self, path: &str) -> Vec<File> {
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        self.files
            .iter()
            .filter(|(name, _)| *name == path || name.starts_with(&prefix))
            .map(|(name, content)| File {
                path: name.clone(),
                content: content.clone(),
            })
            .collect()
    }

    /// Answers a need.
    #[must_use]
    pub fn supply(&self, need: Need) -> Supply {
        match &need {
            Need::Path(path) => {
                let (path, files) = (path.clone(), self.below(path));
                Supply { need, path, files }
            }
            Need::Remote(text) | Need::Chart(text) | Need::Inflation(text) => {
                let number = self.elsewhere.keys().take_while(|known| *known != text).count();
                let place = format!(".supplied/{number}");
                let files: Vec<File> = self.elsewhere.get(text).into_iter().flatten().cloned().collect();
                let files: Vec<File> = files
                    .into_iter()
                    .map(|file| File {
                        path: format!("{place}/{}", file.path),
                        content: file.content,
                    })
                    .collect();
                let path = match files.as_slice() {
                    [only] if !matches!(need, Need::Remote(_)) => only.path.clone(),
                    _ => place,
                };
                Supply { need, path, files }
            }
        }
    }
}
