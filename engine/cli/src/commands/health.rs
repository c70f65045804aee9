//! `sluice health`: what the health plugins say about objects in a file. No cluster, no runtime, no waiting.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sluice_model::application::PolicyRef;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::{ExitKind, Object};
use sluice_plugin_host::HealthClaim;

use crate::commands::get::health_cell;
use crate::documents;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Cell, FAINT, Format, Output, Table};

pub(crate) const HELP: &str = "\
Examples:
  kubectl get deployments -A -o yaml | sluice health -f -
  sluice health -f pod.yaml -o json
  sluice health -f thing.yaml --plugin-dir ./my-plugins
  sluice health -f rollout.yaml --lua-scripts ./resource_customizations
  sluice health -f live.yaml --plugin health-kstatus
  sluice health -f live.yaml --plugin health-kubernetes --plugin health-cel=rules.yaml
  sluice health -f certificate.yaml --why

Objects are judged as they are written, status included. With -o json, every object is one line,
in the order of the input: apiVersion, kind, namespace, name, status, message, plugin. `status`
is one of Healthy, Progressing, Degraded, Suspended, Missing, Unknown; `plugin` is null if no
plugin had an opinion.

--why adds by which of its claims the plugin was asked (`claim` with -o json): a kind, as
Certificate.cert-manager.io, or a pattern. Of health-catalogue that is the name of the rule.

--lua-scripts takes health.lua files as they are written for Argo CD, in its layout:
GROUP/KIND/health.lua (KIND/health.lua for the core group), `_` for any part of a name; or a
ConfigMap with its keys (resource.customizations.health.GROUP_KIND), mounted as files or as a
manifest. A script comes before every other rule for its kind. An error of a script is Unknown, with script and line.

--plugin asks the plugins that it names and no others, as `spec.policies.health` of an Application
does: the most specific rule first, of equal ones that of the plugin named later. FILE has what
stands below `settings` there, as YAML or JSON.

Exit codes: 0 if all are Healthy; 1 if one is not; 3 if the input is wrong; 8 if a plugin failed
(its objects are Unknown).";

/// The options of `sluice health`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Objects, YAML or JSON, one or many, or a folder of such files (not of folders below it); `-` for stdin
    #[arg(long, short, value_name = "FILE|DIR")]
    filename: PathBuf,
    /// Judge by the policies of the Application in this file; the standard ones and --plugin-dir by default
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// Judge by this plugin, with the settings in FILE; may be given several times
    #[arg(long = "plugin", value_name = "NAME[=FILE]", conflicts_with = "application")]
    plugins: Vec<String>,
    /// Tell by which claim of its plugin an object was judged; of health-catalogue that is the rule
    #[arg(long)]
    why: bool,
    #[command(flatten)]
    output: Output,
}

impl Arguments {
    /// The policies to judge by; none for the default ones.
    fn policies(&self) -> Result<Vec<PolicyRef>, Failure> {
        if self.plugins.is_empty() {
            return Ok(documents::policies(self.application.as_deref())?.health);
        }
        let policy = |named: &String| {
            let (plugin, file) = match named.split_once('=') {
                Some((plugin, file)) => (plugin, Some(Path::new(file))),
                None => (named.as_str(), None),
            };
            Ok(PolicyRef {
                plugin: plugin.to_owned(),
                settings: file.map(documents::settings).transpose()?.unwrap_or_default(),
            })
        };
        self.plugins.iter().map(policy).collect()
    }
}

/// An object, what was said of it, and by which claim, if that is asked for.
struct Judged<'a> {
    object: &'a Object,
    verdict: &'a HealthVerdict,
    claim: Option<String>,
}

/// The contract of `-o json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    #[serde(flatten)]
    verdict: &'a HealthVerdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'a str>,
}

/// Judges every object.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let policies = arguments.policies()?;
    let objects: Vec<Object> = documents::manifests(&arguments.filename)?
        .into_iter()
        .map(|manifest| manifest.object)
        .collect();
    let plugins = global.plugins();
    let mut answer = plugins.health(&policies, &objects, Timestamp::now());
    for rejected in plugins.rejected_scripts() {
        if !answer.problems.contains(&rejected.problem) {
            answer.problems.push(rejected.problem);
        }
    }
    let claims = match arguments.why {
        true => plugins.health_claims(&policies, &objects),
        false => Vec::new(),
    };
    let judged: Vec<Judged<'_>> = objects
        .iter()
        .zip(&answer.value)
        .enumerate()
        .map(|(index, (object, verdict))| Judged {
            object,
            verdict,
            claim: claims.get(index).and_then(|claims| claim_of(verdict, claims)),
        })
        .collect();
    let is_healthy = answer
        .value
        .iter()
        .all(|verdict| verdict.status == HealthStatus::Healthy);
    match arguments.output.format {
        Format::Text => table(&judged).write(out, "")?,
        format @ (Format::Json | Format::Yaml) => {
            output::each(out, format, &judged.iter().map(row).collect::<Vec<_>>())?
        }
    }
    match (answer.problems.is_empty(), is_healthy) {
        (false, _) => Err(Failure::plugins(answer.problems)),
        (true, false) => Err(Failure::Answered(ExitKind::Negative)),
        (true, true) => Ok(()),
    }
}

/// The claim of the plugin that decided.
fn claim_of(verdict: &HealthVerdict, claims: &[HealthClaim]) -> Option<String> {
    let decided = claims
        .iter()
        .find(|claim| Some(&claim.plugin) == verdict.plugin.as_ref())?;
    Some(decided.claim.as_ref()?.to_string())
}

fn row<'a>(judged: &'a Judged<'_>) -> Row<'a> {
    let Judged {
        object,
        verdict,
        claim,
    } = judged;
    Row {
        api_version: object.api_version(),
        kind: object.kind(),
        namespace: object.namespace(),
        name: object.name(),
        verdict,
        claim: claim.as_deref(),
    }
}

fn table(judged: &[Judged<'_>]) -> Table {
    let mut table = Table::new();
    for Judged {
        object,
        verdict,
        claim,
    } in judged
    {
        let plugin = verdict.plugin.as_deref().unwrap_or("no opinion");
        let by = match claim {
            Some(claim) => format!("{plugin} ({claim})"),
            None => plugin.to_owned(),
        };
        table.row(vec![
            health_cell(verdict.status),
            object.reference().to_string().into(),
            Cell::new(&by, FAINT),
            (&verdict.message).into(),
        ]);
    }
    table
}
