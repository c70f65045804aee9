//! Trees to manifests: by what a folder is rendered, which files count, how they are decoded, and what every object must have before
//! it goes on.
//!
//! [`render`] takes a [`Verified`] tree, so nothing is read before the verify stage has answered. A chart or a kustomization is handed to
//! a renderer ([`Tools`]), a program in a sandbox; what it answers is decoded like any file.
//! [`decode`] is the same decoding for text that comes from elsewhere (`sluice health -f`). [`settle`] then fills in
//! namespaces and refuses what the cluster cannot take; it asks a [`Scopes`] which kinds there are, and does no I/O itself.
//!
//! Text is decoded exactly as `kubectl` decodes it: YAML 1.1 scalars as `sigs.k8s.io/yaml` resolves them, then JSON.
//! Three things are stricter, because a manifest under version control should not mean two things: a key given twice, a
//! tag that is not defined, and a document that is no Kubernetes object are errors.
//!
//! Every problem of every file is reported at once, each with its code and its place ([`RenderErrors`]).
//!
//! Where to start reading: [`render`], then `decode`, then `scalar` for the rules of single values.
#![forbid(unsafe_code)]

mod bases;
mod chart;
mod decode;
mod document;
mod error;
mod json;
mod kind;
mod links;
mod metadata;
mod parse;
mod place;
mod post_render;
mod scalar;
mod select;
mod set;
mod settle;
mod stream;
mod substitute;
mod tools;
mod yaml;

use serde::Serialize;
use sluice_model::application::{Jsonnet, Kustomize, PluginParameter, PluginVariable, Source, SourcePlugin};
use sluice_model::manifest::Manifest;
use sluice_model::rendering::{Complaint, Document, Renderer, Rendering};
use sluice_model::tree::Tree;
use sluice_model::trust::Verified;

pub use chart::{Chart, Dependency};
pub use decode::{Limits, decode, decode_within, read_values};
pub use error::{Place, Problem, RenderError, RenderErrors, codes};
pub use kind::SourceKind;
pub use place::key as place_of_key;
pub use set::{SetError, set};
pub use settle::{Scope, Scopes, settle, settle_with};
pub use substitute::{
    SUBSTITUTE, SubstituteError, Substituted, TemplateError, Variables, expand, substitute,
};
pub use tools::{FetchedChart, NoTools, Tools, WantedChart};

use post_render::post_rendered;

/// What a folder came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// By what it was rendered.
    pub kind: SourceKind,
    /// Every object, in the order in which it is written or printed.
    pub manifests: Vec<Manifest>,
    /// What the renderer printed; nothing for plain manifests.
    pub documents: Vec<Document>,
    /// What a chart has to say to its user.
    pub notes: Option<String>,
    /// The paths that a renderer read or looked for; nothing for plain manifests.
    pub read: Vec<String>,
    /// The functions called that are no function of files and settings, such as `randAlphaNum`.
    pub random: Vec<String>,
    /// What went well, and yet should be known.
    pub warnings: Vec<Complaint>,
    /// What the chart says of itself; none for what is no chart.
    pub chart: Option<Chart>,
    /// The charts that a chart depends on, or that a kustomization had fetched.
    pub dependencies: Vec<Dependency>,
}

/// Renders the folder of a verified tree as `source` says, or as the folder's own files do ([`SourceKind::of`]).
///
/// No manifest at all is an answer, not an error: the plan must never take it as a reason to delete anything.
///
/// # Errors
/// Everything that is wrong, in all files, not only the first thing.
pub fn render(
    tree: &Verified<Tree>,
    source: &Source,
    tools: &mut dyn Tools,
) -> Result<Rendered, RenderErrors> {
    let tree = tree.get();
    let kind = SourceKind::of(tree, source)?;
    let rendering = match kind {
        SourceKind::Directory => return folder(tree, source, tools),
        SourceKind::Helm => {
            let mut helm = source.helm.clone();
            let after = helm.as_mut().map(|helm| std::mem::take(&mut helm.post_renderers));
            let settings = helm.as_ref().map(json).transpose()?.unwrap_or_default();
            let rendering = tools::rendering(kind::HELM, tree, settings, tools)?;
            post_rendered(&after.unwrap_or_default(), rendering, tools)?
        }
        SourceKind::Kustomize => {
            let settings = Building {
                settings: source.kustomize.as_ref(),
                origins: tools.wants_origins(),
            };
            tools::rendering(kind::KUSTOMIZE, tree, json(&settings)?, tools)?
        }
        SourceKind::Plugin => {
            let plugin = source.plugin.as_ref();
            let settings = plugin
                .map(Told::of)
                .as_ref()
                .map(json)
                .transpose()?
                .unwrap_or_default();
            let name = plugin.map_or("", |plugin| &plugin.name);
            tools::rendering(Renderer::Added(name), tree, settings, tools)?
        }
    };
    rendered(kind, Vec::new(), tree, rendering, tools)
}

/// What the renderer of kustomizations is told: Argo CD's settings, and whether it has to say where objects come from.
#[derive(Serialize)]
struct Building<'a> {
    #[serde(flatten)]
    settings: Option<&'a Kustomize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    origins: bool,
}

/// What a renderer of the plugin directory is told: what the source says, but for its name.
#[derive(Serialize)]
struct Told<'a> {
    env: &'a [PluginVariable],
    parameters: &'a [PluginParameter],
    settings: &'a serde_json::Map<String, serde_json::Value>,
}

impl<'a> Told<'a> {
    fn of(plugin: &'a SourcePlugin) -> Self {
        Self {
            env: &plugin.env,
            parameters: &plugin.parameters,
            settings: &plugin.settings,
        }
    }
}

/// Settings as a renderer takes them.
fn json(settings: &impl Serialize) -> Result<String, RenderErrors> {
    serde_json::to_string(settings).map_err(|error| {
        let reason = error.to_string();
        RenderError::at("", 0, 0, Problem::SourceSettings { reason }).into()
    })
}

/// What a renderer answered, after what was read as it is.
fn rendered(
    kind: SourceKind,
    mut manifests: Vec<Manifest>,
    tree: &Tree,
    rendering: Rendering,
    tools: &mut dyn Tools,
) -> Result<Rendered, RenderErrors> {
    let mut warnings = rendering.warnings;
    if let Some((known, more)) = tools.decoded() {
        manifests.extend(known);
        warnings.extend(more);
    } else {
        let mut more = Vec::new();
        let found = decoded(tree, &rendering.documents, &mut more)?;
        tools.keep_decoded(&found, &more);
        manifests.extend(found);
        warnings.extend(more);
    }
    let (chart, dependencies) = match kind {
        SourceKind::Helm => (Chart::of(tree), Dependency::of_chart(tree, &rendering.charts)),
        SourceKind::Kustomize | SourceKind::Directory | SourceKind::Plugin => {
            (None, rendering.charts.iter().map(Dependency::from).collect())
        }
    };
    Ok(Rendered {
        kind,
        manifests,
        documents: rendering.documents,
        notes: rendering.notes,
        read: rendering.read,
        random: rendering.random,
        warnings,
        chart,
        dependencies,
    })
}

/// A folder of plain manifests, and of Jsonnet programs, which are evaluated.
fn folder(tree: &Tree, source: &Source, tools: &mut dyn Tools) -> Result<Rendered, RenderErrors> {
    let (manifests, programs) = plain(tree, source)?;
    if programs.is_empty() {
        return Ok(Rendered {
            kind: SourceKind::Directory,
            manifests,
            documents: Vec::new(),
            notes: None,
            read: Vec::new(),
            random: Vec::new(),
            warnings: Vec::new(),
            chart: None,
            dependencies: Vec::new(),
        });
    }
    let settings = Programs {
        settings: &source.directory.jsonnet,
        files: programs,
    };
    let rendering = tools::rendering(Renderer::Standard("jsonnet"), tree, json(&settings)?, tools)?;
    rendered(SourceKind::Directory, manifests, tree, rendering, tools)
}

/// What the renderer of Jsonnet is told: Argo CD's settings, and which files of the folder are meant.
#[derive(Serialize)]
struct Programs<'a> {
    #[serde(flatten)]
    settings: &'a Jsonnet,
    files: Vec<&'a str>,
}

/// The manifests of rendered documents. The place of each is the file that it came from, and the line in what was rendered of it.
fn decoded(
    tree: &Tree,
    documents: &[Document],
    warnings: &mut Vec<Complaint>,
) -> Result<Vec<Manifest>, RenderErrors> {
    let mut errors = RenderErrors::default();
    let mut manifests = Vec::new();
    for document in documents {
        let file = match document.source.as_str() {
            "" => tree.path.as_str(),
            file => file,
        };
        let text = document.text.as_bytes();
        let mut strict = RenderErrors::default();
        let mut found = Vec::new();
        take(file, text, &Limits::default(), &mut found, &mut strict);
        let is_repeated = |error: &RenderError| matches!(error.problem, Problem::DuplicateKey { .. });
        if !strict.is_empty() && strict.iter().all(is_repeated) {
            warnings.extend(strict.iter().map(repeated));
            let limits = Limits {
                last_of_equal_keys: true,
                ..Limits::default()
            };
            (strict, found) = (RenderErrors::default(), Vec::new());
            take(file, text, &limits, &mut found, &mut strict);
        }
        errors.extend(strict);
        manifests.extend(found);
    }
    errors.into_result(manifests)
}

/// What would be an error in a file of one's own.
fn repeated(error: &RenderError) -> Complaint {
    Complaint {
        code: "duplicate-key".to_owned(),
        message: format!("{}, and the last one counts", error.problem),
        file: Some(error.place.file.clone()),
        line: Some(error.place.line),
        ..Complaint::default()
    }
}

/// Reads plain manifests: the files that `source` selects, in the order of their paths, and within a file in the order of their
/// documents. Returns too which of the files are programs, by their paths below the folder.
fn plain<'a>(tree: &'a Tree, source: &Source) -> Result<(Vec<Manifest>, Vec<&'a str>), RenderErrors> {
    let mut errors = RenderErrors::default();
    let (mut manifests, mut programs) = (Vec::new(), Vec::new());
    match select::files(tree, &source.directory) {
        Ok(files) => {
            let mut budget = Limits::default().total_bytes;
            for (path, bytes) in files {
                if path.ends_with(select::PROGRAM) {
                    programs.extend(select::below(path, &tree.path));
                    continue;
                }
                match budget.checked_sub(bytes.len()) {
                    Some(rest) => budget = rest,
                    None => {
                        let limit = Limits::default().total_bytes;
                        errors.push(RenderError::at(path, 1, 1, Problem::TooMuch { limit }));
                        break;
                    }
                }
                take(path, bytes, &Limits::default(), &mut manifests, &mut errors);
            }
        }
        Err(wrong) => errors.extend(wrong),
    }
    errors.into_result((manifests, programs))
}

/// Decodes one text.
fn take(file: &str, bytes: &[u8], limits: &Limits, manifests: &mut Vec<Manifest>, errors: &mut RenderErrors) {
    match decode_within(file, bytes, limits) {
        Ok(found) => {
            let wrong = found.iter().flat_map(|manifest| metadata::check(manifest, bytes));
            wrong.for_each(|error| errors.push(error));
            manifests.extend(found);
        }
        Err(wrong) => errors.extend(wrong),
    }
}
