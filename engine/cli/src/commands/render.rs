//! `sluice render`: the manifests as Git says them, after verification and before any comparison.

use std::io::Write;

use clap::Args;
use serde_json::Value;
use sluice_model::manifest::Manifest;
use sluice_model::secret::mask;

use crate::connection::block_on;
use crate::engine::{Engine, Git, Which};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format, plain};

pub(crate) const HELP: &str = "\
Examples:
  sluice render guestbook
  sluice render -f application.yaml --offline > manifests.yaml
  sluice render guestbook --revision 3f2a91c -o json | jq .kind

Nothing is rendered that verification refuses. Values of Secrets are masked unless
--show-secrets is given.

Exit codes: 0; 3 if a manifest is wrong (all that is wrong is told); 4 if the revision is not
trusted; 6 if the repository fails; 7 if the cluster fails.";

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
    /// Print the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    /// How manifests are printed; json is one line each
    #[arg(long = "output", short = 'o', value_parser = ["yaml", "json"], default_value = "yaml")]
    format: String,
    #[command(flatten)]
    git: Git,
}

/// Prints manifests.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let manifests = block_on(manifests(&arguments, global))?;
    let value = |manifest: &Manifest| match arguments.show_secrets {
        true => manifest.object.value().clone(),
        false => mask(&manifest.object).into_value(),
    };
    if arguments.format == "json" {
        return output::each(
            out,
            Format::Json,
            &manifests.iter().map(value).collect::<Vec<Value>>(),
        );
    }
    for manifest in &manifests {
        let text = crate::yaml::text(&value(manifest));
        write!(
            out,
            "---\n# {}\n{text}",
            plain(&manifest.origin.to_string()).replace('\n', " ")
        )?;
    }
    Ok(())
}

async fn manifests(arguments: &Arguments, global: &Global) -> Result<Vec<Manifest>, Failure> {
    let revision = arguments.revision.as_deref();
    if !arguments.offline {
        let engine = Engine::open(&arguments.which, &arguments.git, global).await?;
        return engine.manifests(revision).await;
    }
    let engine = Engine::without_cluster(&arguments.which, &arguments.git, global)?;
    let preview = &engine.preview;
    let trusted = preview.pipeline.trusted(&preview.job, revision).await;
    let trusted = trusted.map_err(Failure::pipeline)?;
    sluice_render::render(&trusted.tree, &preview.job.spec.source).map_err(Failure::each)
}
