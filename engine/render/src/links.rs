//! Symbolic links in a chart or a kustomization: what they lead to is handed over under their own names, as a checkout would have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_model::rendering::File;
use sluice_model::tree::{Tree, below, joined};
use sluice_model::trust::Verified;

use crate::error::{Problem, RenderError, RenderErrors};
use crate::tools::Tools;

/// So many files are handed over for one folder, at most: as many as are read of a repository's folder.
const FILES: usize = 50_000;
/// So many bytes, at most.
const BYTES: usize = 256 << 20;

/// Returns the files of a tree under the name `path`, with what its links lead to, wherever in the repository that is. A link that leads
/// nowhere, or out of the repository, stands for no file.
pub(crate) fn followed(tree: &Tree, path: &str, tools: &mut dyn Tools) -> Result<Vec<File>, RenderErrors> {
    let mut walk = Walk {
        tools,
        files: BTreeMap::new(),
        bytes: 0,
        known: BTreeMap::new(),
    };
    walk.take(tree, &tree.path, path, &mut vec![])?;
    let file = |(path, content)| File { path, content };
    Ok(walk.files.into_iter().map(file).collect())
}

struct Walk<'t> {
    tools: &'t mut dyn Tools,
    files: BTreeMap<String, Arc<[u8]>>,
    bytes: usize,
    /// What was read of the repository, by path.
    known: BTreeMap<String, Option<Arc<Verified<Tree>>>>,
}

impl Walk<'_> {
    /// Takes what is at `from` of a tree under the name `into`. `through` are the links that led there.
    fn take(
        &mut self,
        tree: &Tree,
        from: &str,
        into: &str,
        through: &mut Vec<(String, String)>,
    ) -> Result<(), RenderErrors> {
        let renamed = |path: &str| Some(joined(into, below(path, from)?));
        for (path, content) in &tree.files {
            let Some(path) = renamed(path) else { continue };
            self.bytes += content.len();
            if self.bytes > BYTES || self.files.len() >= FILES {
                return Err(RenderError::at(&path, 0, 0, Problem::TooMuch { limit: BYTES }).into());
            }
            self.files.insert(path, Arc::clone(content));
        }
        for (path, link) in &tree.links {
            let Some(name) = renamed(path) else { continue };
            let is_around = |place: &str| below(place, &link.to).is_some();
            if is_around(path)
                || is_around(&name)
                || through.iter().any(|(at, to)| is_around(at) || is_around(to))
            {
                return Err(RenderError::at(&name, 0, 0, Problem::LinkToItself).into());
            }
            let target = self.read(&link.to, &name)?;
            let Some(target) = target else { continue };
            through.push((path.clone(), link.to.clone()));
            let target = target.get();
            self.take(target, &target.path, &name, through)?;
            through.pop();
        }
        Ok(())
    }

    fn read(&mut self, path: &str, link: &str) -> Result<Option<Arc<Verified<Tree>>>, RenderErrors> {
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let read = self.tools.files(path);
        let read = read.map_err(|problem| RenderError::at(link, 0, 0, problem))?;
        let read = read.map(Arc::new);
        self.known.insert(path.to_owned(), read.clone());
        Ok(read)
    }
}
