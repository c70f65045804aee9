//! By what a folder is rendered: as Argo CD finds it, or as the source says.

use std::fmt;

use serde::Serialize;
use sluice_model::application::{Directory, Source};
use sluice_model::rendering::Renderer;
use sluice_model::tree::{Tree, joined};

use crate::error::{Problem, RenderError, RenderErrors};
use crate::select;

/// The renderer of charts.
pub(crate) const HELM: Renderer<'static> = Renderer::Standard("helm");
/// The renderer of kustomizations.
pub(crate) const KUSTOMIZE: Renderer<'static> = Renderer::Standard("kustomize");

/// By what a folder is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum SourceKind {
    /// Plain manifests: read, not rendered.
    Directory,
    /// A chart.
    Helm,
    /// A kustomization.
    Kustomize,
    /// What a renderer of the plugin directory takes.
    Plugin,
}

impl SourceKind {
    /// Finds out by what a folder is rendered.
    ///
    /// What the source says counts first: `helm`, `kustomize` or `plugin`. Otherwise the folder's own files do: a kustomization, a `Chart.yaml`, or
    /// neither. Both at once are a kustomization, as with Argo CD.
    ///
    /// # Errors
    /// If the source says two things, or something that the folder does not hold.
    pub fn of(tree: &Tree, source: &Source) -> Result<Self, RenderErrors> {
        let found = found(tree);
        let settings = |field: &str, reason: String| {
            let reason = format!("`spec.source.{field}` is given, but {reason}");
            let problem = Problem::SourceSettings { reason };
            Err(RenderError::at(&tree.path, 0, 0, problem).into())
        };
        if source.plugin.is_some() {
            let others = [
                ("helm", source.helm.is_some()),
                ("kustomize", source.kustomize.is_some()),
                ("directory", source.directory != Directory::default()),
            ];
            return match others.iter().find(|(_, is_given)| *is_given) {
                Some((other, _)) => settings(
                    "plugin",
                    format!("so is `{other}`: one of the two renders the folder"),
                ),
                None => Ok(Self::Plugin),
            };
        }
        match (&source.helm, &source.kustomize) {
            (Some(_), Some(_)) => settings(
                "helm",
                "so is `kustomize`: one of the two renders the folder".to_owned(),
            ),
            (Some(_), None) if found.chart => Ok(Self::Helm),
            (Some(_), None) => settings("helm", format!("{} has no `Chart.yaml`", named(tree))),
            (None, Some(_)) if found.kustomization => Ok(Self::Kustomize),
            (None, Some(_)) => settings(
                "kustomize",
                format!("{} has no `kustomization.yaml`", named(tree)),
            ),
            (None, None) => Ok(match found {
                // Who says how the files of the folder are chosen means plain manifests.
                _ if source.directory != Directory::default() => Self::Directory,
                Found {
                    kustomization: true, ..
                } => Self::Kustomize,
                Found { chart: true, .. } => Self::Helm,
                Found { .. } => Self::Directory,
            }),
        }
    }

    /// The renderer; none for plain manifests.
    pub fn renderer(self, source: &Source) -> Option<Renderer<'_>> {
        match self {
            Self::Directory => None,
            Self::Helm => Some(HELM),
            Self::Kustomize => Some(KUSTOMIZE),
            Self::Plugin => source.plugin.as_ref().map(|plugin| Renderer::Added(&plugin.name)),
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "Directory",
            Self::Helm => "Helm",
            Self::Kustomize => "Kustomize",
            Self::Plugin => "Plugin",
        })
    }
}

struct Found {
    chart: bool,
    kustomization: bool,
}

fn found(tree: &Tree) -> Found {
    let has = |name: &&str| {
        let path = joined(&tree.path, name);
        tree.files.contains_key(&path) || tree.skipped.contains(&path)
    };
    Found {
        chart: has(&select::CHART),
        kustomization: select::KUSTOMIZATIONS.iter().any(has),
    }
}

fn named(tree: &Tree) -> String {
    match tree.path.as_str() {
        "" => "the repository's root".to_owned(),
        path => format!("the folder `{path}`"),
    }
}
