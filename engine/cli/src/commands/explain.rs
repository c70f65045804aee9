//! `sluice explain`: what the policies decide about manifests, and which of them decided it; and what an Application's variables are.

mod variables;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sluice_model::decision::{PruneDecision, PruneVerdict, SyncDecision};
use sluice_model::manifest::Manifest;
use sluice_model::plan::ApplicationKey;
use sluice_operations::{self as operations, Asker, ExplainedObject};

use crate::documents;
use crate::engine::Git;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, BAD, Cell, FAINT, Format, GOOD, Output, STRONG, Table, WAITING, plain, styled};

pub(crate) const HELP: &str = "\
Examples:
  sluice explain -f manifests/                 every .yaml, .yml and .json in it
  sluice explain -f hooks.yaml -o json | jq '{name, phases, wave, decidedBy}'
  sluice explain -f web.yaml --application application.yaml
  sluice explain shop                          the variables of an Application
  sluice explain --application application.yaml --offline

Without -f it lists what the expressions in the settings of an Application stand for (`<+env.name>`),
where each value is from, and which settings it was put into. With -o json, every variable is
one line: name, value, from, usedIn.

With -o json, every manifest is one line, in the order of the input: apiVersion, kind,
namespace, name, hook, hookTypes, skip, ignored, phases, wave, deletePolicies, strategy, force,
validate, …, hold, decidedBy (field → plugin; what is not in it is at its default), overruled
(what earlier plugins said of a field and a later one decided otherwise), prune: what the prune
policies would say if Git no longer had the object, and deletion: what they would say if the
Application itself was deleted (`Delete=` of Argo CD's sync options, and what else protects it).

If one object has annotations of Argo CD, Flux and Sluice, sync-argocd is asked first,
then sync-flux, then sync-standard, then those of --plugin-dir by name; the later word counts,
field by field. Of prune policies the most cautious word counts: keep, hold, delete. The
policies of an Application (spec.policies) are asked in the order in which it names them.

Exit codes: 0; 3 if the input is wrong; 4 if the revision is not trusted; 6 if the repository
fails; 7 if the cluster fails; 8 if a plugin failed (its cautious default is shown).";

/// The options of `sluice explain`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Manifests, YAML or JSON, one or many, or a folder of such files (not of folders below it); `-` for stdin
    #[arg(long, short, value_name = "FILE|DIR", required_unless_present_any = ["name", "application"])]
    filename: Option<PathBuf>,
    /// The Application whose variables are listed
    #[arg(value_name = "APP", conflicts_with_all = ["filename", "application"])]
    name: Option<String>,
    /// With -f: ask the policies, with the sync options, of the Application in this file; without: list its variables
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// Ask no cluster for variables
    #[arg(long, requires = "application", conflicts_with = "filename")]
    offline: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    git: Git,
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
    sync: &'a SyncDecision,
    /// Git no longer has it.
    prune: &'a PruneDecision,
    /// The Application is deleted.
    deletion: &'a PruneDecision,
}

/// Asks about every manifest, or lists variables.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let Some(filename) = &arguments.filename else {
        return variables::run(arguments, global, out);
    };
    let application = arguments
        .application
        .as_deref()
        .map(documents::application)
        .transpose()?;
    let (policies, options) = match application {
        Some(application) => (
            application.spec.policies,
            application.spec.sync_policy.sync_options,
        ),
        None => Default::default(),
    };
    let manifests = documents::manifests(filename)?;
    let asker = Asker {
        policies,
        options,
        application: ApplicationKey {
            namespace: global.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            name: "explain".to_owned(),
        },
    };
    let explained = operations::explain(&global.plugins(), &manifests, &asker, Timestamp::now());
    let rows = manifests.iter().zip(&explained.objects);
    match arguments.output.format {
        Format::Text => {
            for (manifest, decided) in rows {
                text(out, manifest, decided)?;
            }
        }
        format @ (Format::Json | Format::Yaml) => {
            let rows: Vec<Row<'_>> = rows.map(|(manifest, decided)| row(manifest, decided)).collect();
            output::each(out, format, &rows)?;
        }
    }
    match explained.problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::plugins(explained.problems)),
    }
}

fn row<'a>(manifest: &'a Manifest, decided: &'a ExplainedObject) -> Row<'a> {
    let object = &manifest.object;
    Row {
        api_version: object.api_version(),
        kind: object.kind(),
        namespace: object.namespace(),
        name: object.name(),
        sync: &decided.sync,
        prune: &decided.prune,
        deletion: &decided.deletion,
    }
}

/// What is not at its default, and who says so; the order and the end of every object always.
fn text(out: &mut impl Write, manifest: &Manifest, decided: &ExplainedObject) -> Result<(), Failure> {
    let sync = &decided.sync;
    let title = plain(&manifest.object.reference().to_string());
    writeln!(
        out,
        "{}  {}",
        styled(STRONG, title),
        styled(FAINT, plain(&manifest.origin.to_string()))
    )?;
    let mut table = Table::new();
    let mut say = |name: &str, field: &str, value: String| {
        let mut who = sync
            .decided_by
            .get(field)
            .map_or("default", String::as_str)
            .to_owned();
        for overruled in sync.overruled.iter().filter(|overruled| overruled.field == field) {
            let value = overruled
                .value
                .as_str()
                .map_or_else(|| overruled.value.to_string(), str::to_owned);
            who.push_str(&format!(", over {value} of {}", overruled.plugin));
        }
        table.row(vec![name.into(), value.into(), Cell::new(who, FAINT)]);
    };
    if let Some(reason) = &sync.hold {
        say("hold", "hold", reason.clone());
    }
    if sync.ignored {
        say("ignored", "ignored", "not part of the desired state".to_owned());
    }
    if sync.skip {
        say("skip", "skip", "never applied".to_owned());
    }
    if sync.hook {
        say("hook", "hook", sync.hook_types.join(", "));
        say("cleaned up", "deletePolicies", names(&sync.delete_policies));
    }
    say("phase", "phases", names(&sync.phases));
    say("wave", "wave", sync.wave.to_string());
    say("strategy", "strategy", word(&sync.strategy));
    for (name, field, is_set) in [
        ("force", "force", sync.force),
        ("prune last", "pruneLast", sync.prune_last),
        (
            "unknown kinds",
            "skipDryRunOnMissingKind",
            sync.options.skip_dry_run_on_missing_kind,
        ),
        ("not waited for", "noWait", sync.options.no_wait),
        ("health ignored", "ignoreHealth", sync.options.ignore_health),
    ] {
        if is_set {
            say(name, field, "yes".to_owned());
        }
    }
    if !sync.validate {
        say("validate", "validate", "no".to_owned());
    }
    if let Some(seconds) = sync.options.timeout {
        say("timeout", "timeout", format!("{seconds} s"));
    }
    if let Some(propagation) = &sync.options.propagation {
        say("dependents", "propagation", word(propagation));
    }
    if let Some(managers) = &sync.take_over {
        let managers = if managers.is_empty() {
            "nobody".to_owned()
        } else {
            managers.join(", ")
        };
        say("takes over from", "takeOver", managers);
    }
    if !sync.ignore_fields.is_empty() {
        say("ignored fields", "ignoreFields", sync.ignore_fields.join(", "));
    }
    if !sync.ignore_managers.is_empty() {
        say(
            "ignored managers",
            "ignoreManagers",
            sync.ignore_managers.join(", "),
        );
    }
    for (when, end) in [
        ("if removed", &decided.prune),
        ("if the Application goes", &decided.deletion),
    ] {
        let (verdict, style) = match &end.verdict {
            PruneVerdict::Delete => (format!("delete, dependents {}", word(&end.propagation)), GOOD),
            PruneVerdict::Hold { reason } => (format!("hold: {reason}"), WAITING),
            PruneVerdict::Keep { reason } => (format!("keep: {reason}"), BAD),
        };
        let who = end.decided_by.as_deref().unwrap_or("the engine");
        table.row(vec![
            when.into(),
            Cell::new(verdict, style),
            Cell::new(who, FAINT),
        ]);
    }
    table.write(out, "  ")
}

fn names<T: Serialize>(values: &[T]) -> String {
    let words: Vec<String> = values.iter().map(word).collect();
    if words.is_empty() {
        "never".to_owned()
    } else {
        words.join(", ")
    }
}

/// The name that a variant has in JSON.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}
