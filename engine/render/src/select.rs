//! Which files of a tree are manifests.
//!
//! Patterns mean what they mean to Argo CD: they are matched against the path below the application's folder, and a star
//! matches `/` too.

use globset::{GlobBuilder, GlobMatcher};
use sluice_model::application::Directory;
use sluice_model::tree::{self, Tree};

use crate::SourceKind;
use crate::error::{Problem, RenderError, RenderErrors};

/// How the name of a Jsonnet program ends, which is evaluated.
pub(crate) const PROGRAM: &str = ".jsonnet";

/// What a file begins with whose content Git LFS keeps elsewhere.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The manifests and programs of the tree by path, in the order of their paths.
pub(crate) fn files<'a>(
    tree: &'a Tree,
    directory: &Directory,
) -> Result<Vec<(&'a str, &'a [u8])>, RenderErrors> {
    let selection = Selection::new(directory)?;
    let below = |path: &'a str| below(path, &tree.path);
    let mut errors = RenderErrors::default();
    if let Some((file, tool)) = tree
        .files
        .keys()
        .find_map(|path| Some((path, other_tool(below(path)?)?)))
    {
        return Err(RenderError::at(file, 0, 0, Problem::OtherTool { tool }).into());
    }
    for path in &tree.skipped {
        if below(path).is_some_and(|path| selection.takes(path)) {
            errors.push(RenderError::at(path, 0, 0, Problem::NotFollowed));
        }
    }
    let folders = tree.links.iter().filter(|(_, link)| link.is_folder);
    for (path, _) in folders {
        if below(path).is_some_and(|path| selection.takes_below(path)) {
            errors.push(RenderError::at(path, 0, 0, Problem::LinkedFolder));
        }
    }
    let selected = tree
        .files
        .iter()
        .filter(|(path, _)| below(path).is_some_and(|path| selection.takes(path)));
    let selected: Vec<_> = selected.map(|(path, bytes)| (path.as_str(), &**bytes)).collect();
    // A folder of another tool is left out as a whole, or not at all: without the file that says so it would be applied.
    for (path, _) in selection.recurse.then_some(&tree.files).into_iter().flatten() {
        let Some((folder, name)) = path.rsplit_once('/') else {
            continue;
        };
        let is_in = |(other, _): &(&str, &[u8])| {
            other
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if let Some(tool) = other_tool(name).filter(|_| below(path).is_some_and(|path| path.contains('/')))
            && selected.iter().any(is_in)
        {
            errors.push(RenderError::at(path, 0, 0, Problem::OtherTool { tool }));
        }
    }
    for (path, bytes) in &selected {
        if bytes.starts_with(LFS_POINTER) {
            errors.push(RenderError::at(path, 0, 0, Problem::Pointer));
        }
    }
    errors.into_result(selected)
}

/// What of a file's path is below the application's folder.
pub(crate) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    tree::below(path, folder.trim_matches('/')).filter(|rest| !rest.is_empty())
}

/// The file that makes a folder a chart.
pub(crate) const CHART: &str = "Chart.yaml";
/// The files of which any makes a folder a kustomization.
pub(crate) const KUSTOMIZATIONS: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A folder whose own files say that they are to be rendered by something else must not be applied as it is.
fn other_tool(path: &str) -> Option<SourceKind> {
    match path {
        CHART => Some(SourceKind::Helm),
        path if KUSTOMIZATIONS.contains(&path) => Some(SourceKind::Kustomize),
        _ => None,
    }
}

struct Selection {
    recurse: bool,
    include: Option<GlobMatcher>,
    exclude: Option<GlobMatcher>,
}

impl Selection {
    fn new(directory: &Directory) -> Result<Self, RenderErrors> {
        let mut errors = RenderErrors::default();
        let mut compile = |pattern: &str| match pattern {
            "" => None,
            pattern => glob(pattern)
                .map_err(|problem| errors.push(RenderError::at("", 0, 0, problem)))
                .ok(),
        };
        let (include, exclude) = (compile(&directory.include), compile(&directory.exclude));
        errors.into_result(Self {
            recurse: directory.recurse,
            include,
            exclude,
        })
    }

    fn takes(&self, path: &str) -> bool {
        let manifest = [".yaml", ".yml", ".json", PROGRAM]
            .iter()
            .any(|extension| path.ends_with(extension));
        manifest
            && (self.recurse || !path.contains('/'))
            && !self.exclude.as_ref().is_some_and(|glob| glob.is_match(path))
            && self.include.as_ref().is_none_or(|glob| glob.is_match(path))
    }
}

impl Selection {
    /// Whether any manifest may be taken below a folder that cannot be looked into.
    fn takes_below(&self, folder: &str) -> bool {
        let is_out = |path: &str| self.exclude.as_ref().is_some_and(|glob| glob.is_match(path));
        self.recurse && !is_out(folder) && !is_out(&format!("{folder}/"))
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher, Problem> {
    // One star already crosses `/`; two have a meaning of their own in this library, which Argo CD's do not.
    let mut single = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if character != '*' || !single.ends_with('*') || single.ends_with("\\*") {
            single.push(character);
        }
    }
    let glob = GlobBuilder::new(&single)
        .literal_separator(false)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map_err(|error| Problem::Pattern {
            pattern: pattern.to_owned(),
            reason: error.kind().to_string(),
        })?;
    Ok(glob.compile_matcher())
}
