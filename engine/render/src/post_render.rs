//! What a chart gave, changed by Kustomize before it is read: Flux's `postRenderers`. The folder `crds` stays as it is, as with Helm.
//!
//! Each document becomes a file of a folder that only the renderer sees, named by its number and by the template it came from. By these
//! names what comes back is known again: which template it was, and whether it is a hook.

use serde::Serialize;
use sluice_model::application::{HelmPostRenderer, KustomizeImage, KustomizePatch};
use sluice_model::rendering::{Document, File, Input, Part, Rendering};

use crate::error::RenderErrors;
use crate::kind::KUSTOMIZE;
use crate::tools::{Tools, answered};

/// The folder of the documents. Nothing of the repository can have this name, because links and files are handed over with their own.
const FOLDER: &str = ".post-render";

/// Where each object comes from is what tells which document it was.
const SETTINGS: &str = r#"{"origins":true}"#;

#[derive(Serialize)]
struct Kustomization<'a> {
    resources: Vec<String>,
    patches: &'a [KustomizePatch],
    images: &'a [KustomizeImage],
}

/// Returns what the post-renderers make of a rendered chart.
///
/// # Errors
/// What Kustomize says of patches, images, or of what the chart gave.
pub(crate) fn post_rendered(
    renderers: &[HelmPostRenderer],
    mut rendering: Rendering,
    tools: &mut dyn Tools,
) -> Result<Rendering, RenderErrors> {
    for renderer in renderers {
        let (crds, documents): (Vec<Document>, Vec<Document>) = rendering
            .documents
            .into_iter()
            .partition(|document| document.part == Part::Crd);
        let template = |file: &str| original(file, &documents).map(|document| document.source.clone());
        let after = answered(KUSTOMIZE, input(renderer, &documents), tools);
        let mut after = after.map_err(|errors| errors.at_files(template))?;
        for document in &mut after.documents {
            let before = original(&document.source, &documents);
            document.part = before.map_or(Part::Manifest, |before| before.part);
            document.source = before.map(|before| before.source.clone()).unwrap_or_default();
        }
        rendering.documents = crds.into_iter().chain(after.documents).collect();
        rendering.warnings.append(&mut after.warnings);
    }
    Ok(rendering)
}

fn input(renderer: &HelmPostRenderer, documents: &[Document]) -> Input {
    let named: Vec<String> = documents
        .iter()
        .enumerate()
        .map(|(number, document)| format!("{number}/{}", file_name(&document.source)))
        .collect();
    let kustomization = Kustomization {
        resources: named.clone(),
        patches: &renderer.kustomize.patches,
        images: &renderer.kustomize.images,
    };
    // Numbers, texts and lists of them: that always is JSON, and JSON is YAML.
    let kustomization = serde_json::to_vec(&kustomization).unwrap_or_default();
    let file = |name: &str, content: &[u8]| File {
        path: format!("{FOLDER}/{name}"),
        content: content.into(),
    };
    let texts = named.iter().zip(documents);
    Input {
        path: FOLDER.to_owned(),
        files: std::iter::once(file("kustomization.yaml", &kustomization))
            .chain(texts.map(|(name, document)| file(name, document.text.as_bytes())))
            .collect(),
        settings: SETTINGS.to_owned(),
        ..Input::default()
    }
}

/// A template's path without what no file name has.
fn file_name(source: &str) -> String {
    let parts = source
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."))
        .map(|part| part.replace(|character: char| !is_plain(character), "_"));
    match parts.collect::<Vec<_>>().join("/") {
        name if name.is_empty() => "document.yaml".to_owned(),
        name => name,
    }
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
}

/// The document that an object comes from.
fn original<'a>(origin: &str, documents: &'a [Document]) -> Option<&'a Document> {
    let below = origin.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let (number, _) = below.split_once('/')?;
    documents.get(number.parse::<usize>().ok()?)
}
