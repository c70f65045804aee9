//! `sluice render`: the manifests as Git says them, after verification and before any comparison.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use sluice_model::application::{Helm, HelmParameter, Source};
use sluice_model::manifest::Manifest;
use sluice_model::rendering::{Document, Part};
use sluice_model::secret::{has_secrets, mask};
use sluice_pipeline::DecryptionKeys;
use sluice_pipeline::RenderedSource;
use sluice_render::{Rendered, SourceKind};

use crate::connection::block_on;
use crate::documents;
use crate::engine::{Engine, Git, Which};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format, plain};

pub(crate) const HELP: &str = "\
Examples:
  sluice render guestbook
  sluice render -f application.yaml --offline > manifests.yaml
  sluice render -f application.yaml --offline --set image.tag=v2 --kube-version 1.36.0
  sluice render -f application.yaml --offline --show-source
  sluice render guestbook --revision 3f2a91c -o json | jq .kind
  sluice render -f application.yaml --offline --decryption-key team.agekey
  sluice render -f application.yaml --offline --plugin-dir ./renderers

Nothing is rendered that verification refuses. Values of Secrets, and what was put elsewhere
of them, are masked unless --show-secrets is given. With --offline a chart or a
kustomization comes out as `helm template` and `kustomize build` print it, and what another
renderer makes as it gives it. A renderer of --plugin-dir is compiled first, each time.

Exit codes: 0; 3 if a manifest is wrong (all that is wrong is told); 4 if the revision is not
trusted; 6 if the repository fails; 7 if the cluster fails; 8 if a renderer of --plugin-dir fails.";

/// The options of `sluice render`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Branch, tag or commit instead of the target revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Ask no cluster: namespaces stay as they are written and kinds are not checked
    #[arg(long)]
    offline: bool,
    /// A value for the chart, over all that the Application gives
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    set: Vec<HelmParameter>,
    /// The Kubernetes version that charts are told; Helm's own default otherwise
    #[arg(long, value_name = "VERSION", requires = "offline")]
    kube_version: Option<String>,
    /// Say above each object of a kustomization or another renderer which file it comes from, as Helm does
    #[arg(long, requires = "offline")]
    show_source: bool,
    /// Print the values of Secrets, and what was decrypted
    #[arg(long)]
    show_secrets: bool,
    /// A secret key that opens encrypted files, in place of those that the Application names: lines of age, or an OpenPGP
    /// key without a passphrase
    #[arg(long, value_name = "FILE")]
    decryption_key: Vec<PathBuf>,
    /// How manifests are printed; json is one line each
    #[arg(long = "output", short = 'o', value_parser = ["yaml", "json"], default_value = "yaml")]
    format: String,
    #[command(flatten)]
    git: Git,
}

/// Reads `image.tag=v2`.
fn parameter(text: &str) -> Result<HelmParameter, String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok(HelmParameter {
        name: name.to_owned(),
        value: value.to_owned(),
        force_string: false,
    })
}

/// Prints manifests.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let printed = block_on(printed(&arguments, global))?;
    let value = |manifest: &Manifest| match arguments.show_secrets {
        true => manifest.object.value().clone(),
        false => mask(&manifest.object).into_value(),
    };
    let sources = match printed {
        Printed::Settled(manifests) => return written(&arguments, &manifests, value, out),
        Printed::Rendered(sources) => sources,
    };
    for (index, RenderedSource { rendered, .. }) in sources.iter().enumerate() {
        if arguments.format != "yaml" || rendered.kind == SourceKind::Directory {
            written(&arguments, &rendered.manifests, value, out)?;
            continue;
        }
        // Nothing is printed before the first document.
        if index > 0 && rendered.kind != SourceKind::Helm {
            writeln!(out, "---")?;
        }
        documents(&arguments, rendered, value, out)?;
    }
    Ok(())
}

/// Prints manifests as they were read.
fn written(
    arguments: &Arguments,
    manifests: &[Manifest],
    value: impl Fn(&Manifest) -> Value,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if arguments.format == "json" {
        let values: Vec<Value> = manifests.iter().map(value).collect();
        return output::each(out, Format::Json, &values);
    }
    for manifest in manifests {
        let text = crate::yaml::text(&value(manifest));
        write!(
            out,
            "---\n# {}\n{text}",
            plain(&manifest.origin.to_string()).replace('\n', " ")
        )?;
    }
    Ok(())
}

/// Prints what a renderer printed, as its own tool prints it; only Secrets are written anew, without their values.
fn documents(
    arguments: &Arguments,
    rendered: &Rendered,
    value: impl Fn(&Manifest) -> Value,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for document in &rendered.documents {
        let text = shown(arguments, document, &value)?;
        let source = plain(&document.source).replace('\n', " ");
        texts.push(match rendered.kind {
            SourceKind::Helm => format!("---\n# Source: {source}\n{text}\n"),
            SourceKind::Kustomize | SourceKind::Plugin if arguments.show_source => {
                format!("# Source: {source}\n{text}")
            }
            SourceKind::Kustomize | SourceKind::Plugin | SourceKind::Directory => text,
        });
    }
    if rendered.kind != SourceKind::Helm {
        write!(out, "{}", texts.join("---\n"))?;
        return Ok(());
    }
    // Helm trims what is no hook as a whole, and prints the hooks after it.
    let is_hook = |(document, _): &(&Document, &String)| matches!(document.part, Part::Hook | Part::Test);
    let (hooks, rest): (Vec<_>, Vec<_>) = rendered.documents.iter().zip(&texts).partition(is_hook);
    let all = |texts: Vec<(&Document, &String)>| {
        texts
            .into_iter()
            .map(|(_, text)| text.as_str())
            .collect::<String>()
    };
    write!(out, "{}\n{}", all(rest).trim(), all(hooks))?;
    Ok(())
}

fn shown(
    arguments: &Arguments,
    document: &Document,
    value: impl Fn(&Manifest) -> Value,
) -> Result<String, Failure> {
    if arguments.show_secrets {
        return Ok(document.text.clone());
    }
    let decoded = sluice_render::decode(&document.source, document.text.as_bytes()).map_err(Failure::each)?;
    if !decoded.iter().any(|manifest| has_secrets(&manifest.object)) {
        return Ok(document.text.clone());
    }
    let texts: Vec<String> = decoded
        .iter()
        .map(|manifest| crate::yaml::text(&value(manifest)))
        .collect();
    Ok(texts.join("---\n"))
}

/// What is printed.
enum Printed {
    /// As each source is rendered, without a cluster.
    Rendered(Vec<RenderedSource>),
    /// With namespaces and kinds as the cluster has them.
    Settled(Vec<Manifest>),
}

async fn printed(arguments: &Arguments, global: &Global) -> Result<Printed, Failure> {
    let revision = arguments.revision.as_deref();
    let mut engine = match arguments.offline {
        true => Engine::without_cluster(&arguments.which, &arguments.git, global)?,
        false => Engine::open(&arguments.which, &arguments.git, global).await?,
    };
    if !arguments.decryption_key.is_empty() {
        engine.preview.pipeline.keys = Some(Arc::new(keys(&arguments.decryption_key)?));
    }
    for source in &mut engine.preview.job.sources {
        set(&mut source.spec, arguments);
    }
    if !arguments.offline {
        return Ok(Printed::Settled(engine.manifests(revision).await?));
    }
    engine.preview.pipeline.origins = arguments.show_source;
    engine.kube_version.clone_from(&arguments.kube_version);
    Ok(Printed::Rendered(engine.rendered(revision).await?))
}

/// The keys in some files.
fn keys(files: &[PathBuf]) -> Result<DecryptionKeys, Failure> {
    let mut keys = DecryptionKeys::default();
    for file in files {
        let bytes = documents::read(file)?;
        keys.add(&file.display().to_string(), &bytes)
            .map_err(Failure::of)?;
    }
    Ok(keys)
}

/// What the options say of the source.
fn set(source: &mut Source, arguments: &Arguments) {
    if !arguments.set.is_empty() {
        let helm = source.helm.get_or_insert_with(Helm::default);
        helm.parameters.extend(arguments.set.iter().cloned());
    }
}
