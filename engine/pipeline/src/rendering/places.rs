//! Where the files of a rendering are: in the source that is rendered, or in another one of the same Application that it names.
//!
//! A source sees another one below a name of its own: `$NAME/` is the source whose `ref` is `NAME`, for values files, and
//! `.supplied/NAME/` the source called `NAME`, for bases of kustomizations. Either way it is the revision of that source that was let
//! through, from the root of its repository. Links of a repository never lead into another one.

use sluice_model::tree::{Link, Tree, below, joined};
use sluice_model::trust::Verified;

use super::remote::Address;
use crate::error::PipelineError;
use crate::{Origin, Trusted, TrustedSource};

/// Below it are the sources that are named by their addresses.
const SUPPLIED: &str = ".supplied";

/// The sources of one Application, as one of them sees them.
pub(super) struct Places {
    own: TrustedSource,
    others: Vec<TrustedSource>,
}

impl Places {
    /// Those that are known while `own` is rendered.
    pub(super) fn of(own: &TrustedSource, all: &Trusted) -> Self {
        let is_other = |other: &&TrustedSource| other.source.name != own.source.name;
        Self {
            own: own.clone(),
            others: all.sources.iter().filter(is_other).cloned().collect(),
        }
    }

    /// The source that is rendered.
    pub(super) fn own(&self) -> &TrustedSource {
        &self.own
    }

    /// The files of the source that is rendered, as they were let through.
    pub(super) fn folder(&self) -> Verified<Tree> {
        let tree = self.own.tree.get().clone();
        let inside = self.inside(tree);
        self.own
            .tree
            .with(inside)
            .unwrap_or_else(|| (*self.own.tree).clone())
    }

    /// A file, or all below a folder, under the name that the source that is rendered has for it. None if there is nothing.
    pub(super) fn read(&self, path: &str) -> Result<Option<Verified<Tree>>, PipelineError> {
        let Some((source, place, inner)) = self.elsewhere(path) else {
            let found = self.own.at(path)?;
            return Ok(found.and_then(|tree| self.own.tree.with(self.inside(tree))));
        };
        let found = source.at(inner)?;
        Ok(found.and_then(|tree| source.tree.with(moved(tree, place))))
    }

    /// The path by which the source that is rendered knows what an address names.
    ///
    /// # Errors
    /// Why there is no such path: the address is of no source, or asks for another revision of it.
    pub(super) fn path_of(&self, address: &Address) -> Result<String, String> {
        let mut elsewhere = Vec::new();
        let mut sources: Vec<_> = std::iter::once(&self.own).chain(&self.others).collect();
        // Of two repositories, one of which lies below the other, the address is of the longer one.
        sources.sort_by_key(|source| std::cmp::Reverse(source.source.spec.repo_url.len()));
        for source in sources {
            let Origin::Git(git) = &source.origin else {
                continue;
            };
            let wanted = source.source.wanted();
            let commit = source.origin.id();
            let is_at = |revision: &str| {
                let resolved = || git.repository.resolve(revision);
                revision == wanted || resolved().is_ok_and(|resolved| resolved.commit == commit)
            };
            match address.within(&source.source.spec.repo_url, &is_at) {
                None => {}
                Some(Err(asked)) => elsewhere.push(format!(
                    "`{}` is at `{wanted}`, and not at `{asked}`",
                    source.source.name
                )),
                Some(Ok(path)) if source.source.name == self.own.source.name => return Ok(path),
                Some(Ok(path)) => {
                    let place = format!("{SUPPLIED}/{}", source.source.name);
                    return Ok(joined(&place, &path));
                }
            }
        }
        Err(match elsewhere.is_empty() {
            true => "none of the Application's sources is of that repository: add it to `spec.sources` with a `name` and a `ref`, \
                     and it is fetched and verified as the others are"
                .to_owned(),
            false => format!(
                "the source {}: add one to `spec.sources` with that `targetRevision`, or change either",
                elsewhere.join("; ")
            ),
        })
    }

    /// The source that a path is of if that is another one: with its place, and the path in its repository.
    fn elsewhere<'p>(&self, path: &'p str) -> Option<(&TrustedSource, &'p str, &'p str)> {
        let first = |path: &'p str| path.split('/').next().filter(|name| !name.is_empty());
        let (end, source) = match path.strip_prefix('$') {
            Some(named) => {
                let name = first(named)?;
                let source = self.find(|source| source.source.spec.reference == name)?;
                (1 + name.len(), source)
            }
            None => {
                let name = first(below(path, SUPPLIED)?)?;
                let source = self.find(|source| source.source.name == name)?;
                (SUPPLIED.len() + 1 + name.len(), source)
            }
        };
        let place = path.get(..end)?;
        Some((source, place, below(path, place)?))
    }

    fn find(&self, is_meant: impl Fn(&TrustedSource) -> bool) -> Option<&TrustedSource> {
        let mut all = self.others.iter().chain(std::iter::once(&self.own));
        all.find(|source| is_meant(source))
    }

    /// Files of the source that is rendered, without the links that would lead into another one.
    fn inside(&self, mut tree: Tree) -> Tree {
        tree.links.retain(|_, link| self.elsewhere(&link.to).is_none());
        tree
    }
}

/// True for a path that may be of another source than the one that is rendered.
pub(super) fn may_be_elsewhere(path: &str) -> bool {
    path.starts_with('$') || below(path, SUPPLIED).is_some()
}

/// The same files below another place.
fn moved(tree: Tree, place: &str) -> Tree {
    let at = |path: &str| joined(place, path);
    Tree {
        path: at(&tree.path),
        files: tree
            .files
            .into_iter()
            .map(|(path, content)| (at(&path), content))
            .collect(),
        skipped: tree.skipped.iter().map(|path| at(path)).collect(),
        submodules: tree.submodules.iter().map(|path| at(path)).collect(),
        links: tree
            .links
            .into_iter()
            .map(|(path, link)| {
                let to = at(&link.to);
                (at(&path), Link { to, ..link })
            })
            .collect(),
        revision: tree.revision,
    }
}
