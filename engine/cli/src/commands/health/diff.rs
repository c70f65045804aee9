//! `sluice health diff`: whose health differs if other plugins judge.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sluice_model::ObjectRef;
use sluice_model::application::Policies;
use sluice_model::health::HealthVerdict;
use sluice_operations::{Checkup, Family, Part};
use sluice_pipeline::Job;
use sluice_plugin_host::{Examined, PluginProblem};

use super::asked::{Judges, What, by_name};
use super::{add_rejected, end, examine, live, objects};
use crate::commands::get::health_cell;
use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Cell, FAINT, Format, Output, Table, styled};

pub(crate) const HELP: &str = "\
Examples:
  sluice health diff guestbook --against health-kstatus
  sluice health diff --all -n shop --against health-kstatus      every Application of a namespace
  sluice health diff -A --against health-kubernetes --against health-cel=rules.yaml
  sluice health diff deployment/web --against health-kstatus
  kubectl get pods -A -o yaml | sluice health diff -f - --against health-kstatus
  sluice health diff -f live.yaml --plugin health-kstatus --against health-kubernetes

What is judged now by the policies that hold (those of each Application for its objects and what
they own, else the standard ones; --plugin and --application say otherwise) is judged again by the
plugins of --against and no others. An object is printed if its status is another one then.

With -o json, every object that differs is one line: application (NAMESPACE/NAME; null for an
object that was named, or of a file), apiVersion, kind, namespace, name, and now and then, each
with status, message and plugin.

Exit codes: 0 if none differs; 1 if one does; 3 if the input is wrong or there is no such kind or
Application; 7 if the cluster fails; 8 if a plugin failed (its objects are Unknown).";

/// The options of `sluice health diff`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Judge again by this plugin, with the settings in FILE; may be given several times
    #[arg(long, required = true, value_name = "PLUGIN[=FILE]")]
    against: Vec<String>,
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    judges: Judges,
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
    /// Every Application of the namespace
    #[arg(long)]
    all: bool,
    /// Every Application of every namespace
    #[arg(long, short = 'A')]
    all_namespaces: bool,
}

/// An object, judged twice; with `-o json` a line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Twice {
    application: Option<String>,
    api_version: String,
    #[serde(flatten)]
    object: Named,
    now: HealthVerdict,
    then: HealthVerdict,
}

#[derive(Debug, Serialize)]
struct Named {
    kind: String,
    namespace: Option<String>,
    name: String,
    #[serde(skip)]
    words: String,
}

/// What both have said.
#[derive(Debug, Default)]
struct Comparison {
    all: Vec<Twice>,
    problems: Vec<PluginProblem>,
}

/// Judges twice.
pub(super) fn run(arguments: &Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let policies = arguments.judges.policies()?;
    let against = by_name(&arguments.against)?;
    let comparison = match &arguments.subject.filename {
        Some(filename) => file(filename, &policies.unwrap_or_default(), &against, global)?,
        None => block_on(cluster(arguments, policies.as_ref(), &against, global))?,
    };
    let (differ, same): (Vec<Twice>, Vec<Twice>) = comparison.all.into_iter().partition(Twice::differs);
    match arguments.output.format {
        Format::Text => text(out, &differ, same.len())?,
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &differ)?,
    }
    end(comparison.problems, differ.is_empty())
}

/// The objects of a file.
fn file(filename: &Path, now: &Policies, then: &Policies, global: &Global) -> Result<Comparison, Failure> {
    let objects = objects(filename)?;
    let plugins = global.plugins();
    let mut comparison = Comparison::default();
    let [now, then] = [now, then].map(|policies| examine(&plugins, &policies.health, &objects, false));
    comparison.add(
        None,
        objects.iter().map(sluice_model::Object::reference),
        (now.value, then.value),
    );
    comparison.add_problems(now.problems);
    comparison.add_problems(then.problems);
    Ok(comparison)
}

/// What is named of a cluster, or all Applications.
async fn cluster(
    arguments: &Arguments,
    now: Option<&Policies>,
    then: &Policies,
    global: &Global,
) -> Result<Comparison, Failure> {
    let connection = Connection::open(global).await?;
    let checkup = live::checkup(&connection, global)?;
    let (parts, families) = match arguments.subject.what.as_slice() {
        [] => (Vec::new(), everything(&checkup, &connection, arguments).await?),
        what => live::found(&checkup, &connection, what).await?,
    };
    let mut comparison = Comparison::default();
    let standard = Policies::default();
    comparison
        .judge(&checkup, None, &parts, (now.unwrap_or(&standard), then))
        .await?;
    for family in families {
        comparison.add_problems(family.problems);
        let of = Some(family.key.to_string());
        comparison
            .judge(
                &checkup,
                of,
                &family.parts,
                (now.unwrap_or(&family.policies), then),
            )
            .await?;
    }
    add_rejected(&mut comparison.problems, &checkup.pipeline.plugins);
    Ok(comparison)
}

/// All Applications that are meant.
async fn everything(
    checkup: &Checkup,
    connection: &Connection,
    arguments: &Arguments,
) -> Result<Vec<Family>, Failure> {
    let namespace = (!arguments.subject.all_namespaces).then_some(connection.namespace.as_str());
    let applications = connection.operations().list(namespace).await?;
    let mut families = Vec::new();
    for application in &applications {
        let key = Job::key_of(application, &connection.namespace);
        families.push(live::family(checkup, &key).await?);
    }
    Ok(families)
}

impl Comparison {
    async fn judge(
        &mut self,
        checkup: &Checkup,
        application: Option<String>,
        parts: &[Part],
        (now, then): (&Policies, &Policies),
    ) -> Result<(), Failure> {
        let now = checkup.examine(now, parts, false).await?;
        let then = checkup.examine(then, parts, false).await?;
        let objects = parts.iter().map(|part| part.reference.clone());
        self.add(application.as_deref(), objects, (now.value, then.value));
        self.add_problems(now.problems);
        self.add_problems(then.problems);
        Ok(())
    }

    fn add(
        &mut self,
        application: Option<&str>,
        objects: impl Iterator<Item = ObjectRef>,
        (now, then): (Vec<Examined>, Vec<Examined>),
    ) {
        let all = objects.zip(now).zip(then);
        self.all.extend(all.map(|((object, now), then)| Twice {
            application: application.map(str::to_owned),
            api_version: object.api_version(),
            object: Named {
                words: object.to_string(),
                kind: object.kind,
                namespace: object.namespace,
                name: object.name,
            },
            now: now.verdict,
            then: then.verdict,
        }));
    }

    fn add_problems(&mut self, problems: Vec<PluginProblem>) {
        PluginProblem::add_new(&mut self.problems, problems);
    }
}

impl Twice {
    fn differs(&self) -> bool {
        self.now.status != self.then.status
    }
}

fn text(out: &mut impl Write, differ: &[Twice], same: usize) -> Result<(), Failure> {
    let mut table = Table::new();
    for twice in differ {
        table.row(vec![
            (&twice.object.words).into(),
            "now".into(),
            health_cell(twice.now.status),
            said(&twice.now),
        ]);
        table.row(vec![
            "".into(),
            "then".into(),
            health_cell(twice.then.status),
            said(&twice.then),
        ]);
    }
    table.write(out, "")?;
    let number = differ.len();
    let text = match number {
        1 => format!("1 object differs, {same} are the same"),
        number => format!("{number} objects differ, {same} are the same"),
    };
    writeln!(out, "{}", styled(FAINT, text))?;
    Ok(())
}

/// What a plugin said, and which one.
fn said(verdict: &HealthVerdict) -> Cell {
    let plugin = verdict.plugin.as_deref().unwrap_or("no opinion");
    match verdict.message.as_str() {
        "" => Cell::new(plugin, FAINT),
        message => format!("{plugin}: {message}").into(),
    }
}
