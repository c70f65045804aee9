//! Which files of a tree are manifests.

use sluice_model::application::Directory;
use sluice_model::tree::Tree;

use crate::error::RenderErrors;

/// The manifests of the tree by path, in the order of their paths.
pub(crate) fn files<'a>(
    tree: &'a Tree,
    _directory: &Directory,
) -> Result<Vec<(&'a str, &'a [u8])>, RenderErrors> {
    Ok(tree
        .files
        .iter()
        .map(|(path, bytes)| (path.as_str(), &**bytes))
        .collect())
}
