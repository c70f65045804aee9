//! Objects of a cluster, and Applications: judged once, or again whenever something changed.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::application::Policies;
use sluice_model::health::HealthStatus;
use sluice_model::plan::ApplicationKey;
use sluice_model::related::Need;
use sluice_operations::{Checkup, Family, Part};
use sluice_pipeline::Pipeline;
use sluice_pipeline::mirrors::Mirrors;
use sluice_plugin_host::PluginProblem;
use sluice_source::Repositories;

use super::asked::What;
use super::judged::{self, Judged, Row};
use super::tree::{Document, Tree};
use super::{Arguments, add_rejected, end};
use crate::connection::{Connection, block_on};
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, Format};

/// Empties a terminal. Elsewhere it is left out of what is written, as colours are.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Judges what is named.
pub(super) fn run(arguments: &Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let policies = arguments.judges.policies()?;
    block_on(async {
        let connection = Connection::open(global).await?;
        let mut checkup = checkup(&connection, global)?;
        let mut shown: Option<Vec<String>> = None;
        loop {
            let look = Box::pin(look(&checkup, &connection, arguments, policies.as_ref())).await?;
            let states = look.states()?;
            if shown.as_ref() != Some(&states) {
                look.print(arguments, shown.as_deref().unwrap_or_default(), &states, out)?;
                out.flush()?;
                shown = Some(states);
            }
            if !arguments.watch {
                let is_healthy = look.is_healthy();
                return end(look.problems, is_healthy);
            }
            checkup.changed(look.needs).await;
        }
    })
}

/// What looks at the cluster.
pub(super) fn checkup(connection: &Connection, global: &Global) -> Result<Checkup, Failure> {
    // Nothing is fetched.
    let repositories = Repositories::open(std::env::temp_dir()).map_err(Failure::of)?;
    let pipeline = Pipeline::new(
        Mirrors::new(repositories),
        global.plugins(),
        connection.home.clone(),
        connection.target(),
    );
    Ok(Checkup::new(connection.operations(), pipeline))
}

/// The objects and the Applications among what is named.
pub(super) async fn found(
    checkup: &Checkup,
    connection: &Connection,
    what: &[What],
) -> Result<(Vec<Part>, Vec<Family>), Failure> {
    let (mut parts, mut families) = (Vec::new(), Vec::new());
    for what in what {
        match what {
            What::Object { kind, name } => {
                parts.push(checkup.object(kind, &connection.namespace, name).await?);
            }
            What::Application(name) => families.push(family(checkup, &connection.key(name)).await?),
        }
    }
    Ok((parts, families))
}

/// An Application's objects.
pub(super) async fn family(checkup: &Checkup, key: &ApplicationKey) -> Result<Family, Failure> {
    Ok(Box::pin(checkup.application(key)).await?)
}

/// A line of `-o json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Object(Row<'a>),
    Application(Document<'a>),
}

/// What was seen at one moment.
struct Look {
    objects: Vec<Judged>,
    trees: Vec<Tree>,
    problems: Vec<PluginProblem>,
    /// What all of it rests on.
    needs: BTreeSet<Need>,
}

async fn look(
    checkup: &Checkup,
    connection: &Connection,
    arguments: &Arguments,
    policies: Option<&Policies>,
) -> Result<Look, Failure> {
    let (parts, families) = found(checkup, connection, &arguments.subject.what).await?;
    let mut look = Look {
        objects: Vec::new(),
        trees: Vec::new(),
        problems: Vec::new(),
        needs: BTreeSet::new(),
    };
    let standard = Policies::default();
    look.objects = look
        .judge(checkup, &parts, policies.unwrap_or(&standard), arguments.why)
        .await?;
    for mut family in families {
        look.problems.append(&mut family.problems);
        look.needs.append(&mut family.needs);
        let policies = policies.unwrap_or(&family.policies);
        let judged = look
            .judge(checkup, &family.parts, policies, arguments.why)
            .await?;
        look.trees.push(Tree::new(family, judged));
    }
    add_rejected(&mut look.problems, &checkup.pipeline.plugins);
    Ok(look)
}

impl Look {
    /// Takes in what is said of objects.
    async fn judge(
        &mut self,
        checkup: &Checkup,
        parts: &[Part],
        policies: &Policies,
        why: bool,
    ) -> Result<Vec<Judged>, Failure> {
        let answer = checkup.examine(policies, parts, why).await?;
        PluginProblem::add_new(&mut self.problems, answer.problems);
        let both = parts.iter().zip(&answer.value);
        self.needs
            .extend(both.flat_map(|(part, examined)| Checkup::needs(part, examined)));
        Ok(match why {
            true => Judged::with_reasons(parts, answer.value, &checkup.pipeline.plugins, &policies.health),
            false => Judged::all(parts, answer.value),
        })
    }

    fn is_healthy(&self) -> bool {
        let mut trees = self.trees.iter();
        self.objects.iter().all(Judged::is_healthy)
            && trees.all(|tree| tree.health.status == HealthStatus::Healthy)
    }

    /// The lines of `-o json`.
    fn lines(&self) -> Vec<Line<'_>> {
        let objects = self.objects.iter().map(|judged| Line::Object(judged.row()));
        let trees = self.trees.iter().map(|tree| Line::Application(tree.document()));
        objects.chain(trees).collect()
    }

    /// What is compared to see whether something changed.
    fn states(&self) -> Result<Vec<String>, Failure> {
        let states: Result<Vec<String>, _> = self.lines().iter().map(serde_json::to_string).collect();
        Ok(states.map_err(CliError::Encode)?)
    }

    /// Prints it; with `-o json` what is not as it was before.
    fn print(
        &self,
        arguments: &Arguments,
        before: &[String],
        now: &[String],
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        if let format @ (Format::Json | Format::Yaml) = arguments.output.format {
            let lines = self.lines().into_iter().zip(now).enumerate();
            let changed = lines.filter(|(index, (_, now))| before.get(*index) != Some(now));
            let changed: Vec<Line<'_>> = changed.map(|(_, (line, _))| line).collect();
            return output::each(out, format, &changed);
        }
        if !before.is_empty() {
            writeln!(out)?;
        }
        if arguments.watch {
            write!(out, "{CLEAR}")?;
        }
        judged::table(&self.objects).write(out, "")?;
        for (index, tree) in self.trees.iter().enumerate() {
            if index > 0 || !self.objects.is_empty() {
                writeln!(out)?;
            }
            tree.text(out, Timestamp::now())?;
        }
        Ok(())
    }
}
