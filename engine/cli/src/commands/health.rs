//! `sluice health`: what the health plugins say about objects: of a file, without a cluster, a runtime or any waiting; of a cluster, one by
//! one; or of an Application, as a tree.

mod asked;
mod diff;
mod judged;
mod live;
mod tree;
mod why;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use sluice_model::application::PolicyRef;
use sluice_model::related::Among;
use sluice_model::secret::{Redactor, has_secrets, mask};
use sluice_model::{ExitKind, Object};
use sluice_operations::Part;
use sluice_plugin_host::{Answer, Examined, HealthQuestion, PluginHost, PluginProblem};

use self::asked::{Judges, What};
use self::judged::Judged;
use crate::documents;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format, Output};

pub(crate) const HELP: &str = "\
Examples:
  kubectl get deployments -A -o yaml | sluice health -f -
  sluice health -f pod.yaml -o json
  sluice health -f thing.yaml --plugin-dir ./my-plugins
  sluice health -f rollout.yaml --lua-scripts ./resource_customizations
  sluice health -f live.yaml --plugin health-kubernetes --plugin health-cel=rules.yaml
  sluice health deployment/web pod/web-5d9c-x7k2p -n shop
  sluice health deploy/web --why               which plugin, which rule, what it looked at
  sluice health guestbook                      an Application, down to its Pods
  sluice health guestbook -w                   again whenever something changes
  sluice health guestbook -o json | jq -r '.culprit[-1].name'
  sluice health diff guestbook --against health-kstatus

KIND is what kubectl takes: deployment, deployments.apps, deploy. APP is an Application of the
namespace; one that is called `diff` is application/diff.

Objects of a file are judged as they are written, status included, and a check sees the others
of the file beside them. Objects of a cluster are judged by the standard plugins and those of
--plugin-dir, unless --plugin or --application says otherwise. With -o json, every object is one
line, in the order of the input: apiVersion, kind, namespace, name, status, message, plugin.
`status` is one of Healthy, Progressing, Degraded, Suspended, Missing, Unknown; `plugin` is null
if no plugin had an opinion.

The objects of an Application are judged by its own policies, and so is what they own: the
ReplicaSets of a Deployment and their Pods, Jobs, EndpointSlices, claims, and what an operator
makes. The Application is as healthy as the worst of its own objects. Hooks do not count, nor does
what no plugin has an opinion of, nor what an object owns: that tells why. With -o json, an
Application is one line: apiVersion, kind, namespace, name, status, message, culprit (the way
from the worst object down to what it is for), objects (each as above, with counts and
children), unseen (kinds that could not be looked at, each with its namespace).

-w prints again whenever something changed: on a terminal in place of what was there, elsewhere
below it; with -o json only the lines that changed. `sluice wait` waits until all is well.

--why adds by which of its claims the plugin was asked (claim): a kind, as
Certificate.cert-manager.io, or a pattern; of health-catalogue that is the name of the rule; by
which rule it judged, if it says so (rule); which fields of the object the plugins read (read),
as pointers of RFC 6901, in which [type=Ready] picks from a list and the empty one is the whole
object; and which objects they asked to see beside it (related): kind, one of ownedBy, named,
labels and about, and whether it was known.

--lua-scripts takes health.lua files as they are written for Argo CD, in its layout:
GROUP/KIND/health.lua (KIND/health.lua for the core group), `_` for any part of a name; or a
ConfigMap with its keys (resource.customizations.health.GROUP_KIND), mounted as files or as a
manifest. A script comes before every other rule for its kind. An error of a script is Unknown, with
script and line.

--plugin asks the plugins that it names and no others, as `spec.policies.health` of an Application
does: the most specific rule first, of equal ones that of the plugin named later. FILE has what
stands below `settings` there, as YAML or JSON.

Exit codes: 0 if all are Healthy; 1 if one is not, whatever else it is; 3 if the input is wrong or
there is no such kind or Application; 7 if the cluster fails; 8 if a plugin failed (its objects
are Unknown).";

/// The options of `sluice health`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    comparison: Option<Comparison>,
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    judges: Judges,
    /// Tell which plugin judged an object, by which rule, and what it looked at
    #[arg(long)]
    why: bool,
    /// Print again whenever something changed, until Ctrl-C
    #[arg(long, short, conflicts_with = "filename")]
    watch: bool,
    #[command(flatten)]
    output: Output,
}

/// What is judged.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// An Application, or objects of the cluster
    #[arg(value_name = "APP|KIND/NAME")]
    what: Vec<What>,
    /// Objects, YAML or JSON, one or many, or a folder of such files (not of folders below it); `-` for stdin
    #[arg(long, short, value_name = "FILE|DIR")]
    filename: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Comparison {
    /// Show whose health differs if other plugins judge
    #[command(after_help = diff::HELP)]
    Diff(diff::Arguments),
}

/// Prints the health of what was asked for, or how two models differ about it.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(Comparison::Diff(arguments)) = arguments.comparison {
        return diff::run(&arguments, global, out);
    }
    match &arguments.subject.filename {
        Some(filename) => file(filename, &arguments, global, out),
        None => live::run(&arguments, global, out),
    }
}

/// Judges every object of a file.
fn file(
    filename: &Path,
    arguments: &Arguments,
    global: &Global,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let policies = arguments.judges.policies()?.unwrap_or_default();
    let objects = objects(filename)?;
    let plugins = global.plugins();
    let answer = examine(&plugins, &policies.health, &objects, arguments.why);
    let parts: Vec<Part> = objects.into_iter().map(|object| Part::of(object, true)).collect();
    let judged = match arguments.why {
        true => Judged::with_reasons(&parts, answer.value, &plugins, &policies.health),
        false => Judged::all(&parts, answer.value),
    };
    match arguments.output.format {
        Format::Text => judged::table(&judged).write(out, "")?,
        format @ (Format::Json | Format::Yaml) => {
            output::each(out, format, &judged.iter().map(Judged::row).collect::<Vec<_>>())?;
        }
    }
    end(answer.problems, judged.iter().all(Judged::is_healthy))
}

/// The objects of a file.
fn objects(filename: &Path) -> Result<Vec<Object>, Failure> {
    let manifests = documents::manifests(filename)?.into_iter();
    Ok(manifests.map(|manifest| manifest.object).collect())
}

/// What plugins say of the objects of a file, each of which they may see beside the others.
fn examine(
    plugins: &PluginHost,
    policies: &[PolicyRef],
    objects: &[Object],
    is_traced: bool,
) -> Answer<Vec<Examined>> {
    let masked: Vec<Object> = objects.iter().map(mask).collect();
    let mut answer = plugins.examine(&HealthQuestion {
        policies,
        objects: &masked,
        now: Timestamp::now(),
        related: Arc::new(Among(masked.clone())),
        is_traced,
    });
    let redactor = Redactor::of(objects.iter().filter(|object| has_secrets(object)));
    for examined in &mut answer.value {
        redactor.redact(&mut examined.verdict.message);
    }
    add_rejected(&mut answer.problems, plugins);
    answer
}

/// Adds the scripts that cannot be used.
fn add_rejected(problems: &mut Vec<PluginProblem>, plugins: &PluginHost) {
    let rejected = plugins.rejected_scripts().into_iter();
    PluginProblem::add_new(problems, rejected.map(|rejected| rejected.problem));
}

/// How the command ends.
fn end(problems: Vec<PluginProblem>, is_yes: bool) -> Result<(), Failure> {
    match (problems.is_empty(), is_yes) {
        (false, _) => Err(Failure::plugins(problems)),
        (true, false) => Err(Failure::Answered(ExitKind::Negative)),
        (true, true) => Ok(()),
    }
}
