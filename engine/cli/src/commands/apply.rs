//! `sluice apply`: executes a plan that was saved before, if it is still what would be planned.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use sluice_apply::ApplyError;
use sluice_model::ExitKind;
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::plan::{PLAN_VERSION, Plan};
use sluice_operations::Executed;

use crate::connection::{Connection, block_on};
use crate::documents;
use crate::engine::{Engine, Git};
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, BAD, Cell, FAINT, Format, GOOD, Output, Table, WAITING};

pub(crate) const HELP: &str = "\
Examples:
  sluice plan guestbook -o json > plan.json
  sluice apply plan.json
  sluice apply plan.json --dry-run             only ask the API server whether it would take it

The plan's revision is verified and rendered again, and planned again: only if that gives the
same plan, byte for byte, is anything written. So a plan that was changed, or that the cluster,
Git or a policy has outrun, is refused. Held deletions are done only if the Application carries
the approval of this plan (`sluice approve`).

Exit codes: 0; 3 if the file holds no plan; 4 if the revision is not trusted; 5 if something is
held; 6 if the repository fails; 7 if the cluster moved on, refuses or fails; 8 if a plugin
failed.";

/// The options of `sluice apply`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A plan, as `sluice plan -o json` printed it; `-` for stdin
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Write nothing: let the API server try everything
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    git: Git,
}

/// Executes the plan.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let plan = read(&arguments.plan)?;
    let Executed { finished, held } = block_on(execute(&arguments, &plan, global))?;
    let outcomes = [finished.outcomes, finished.sync_fail].concat();
    match arguments.output.format {
        Format::Text => table(&outcomes).write(out, "")?,
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &outcomes)?,
    }
    if let Some(failure) = finished.failure {
        return Err(Failure::of(failure));
    }
    match held {
        0 => Ok(()),
        _ => {
            if arguments.output.format == Format::Text {
                writeln!(
                    out,
                    "{held} held for approval: sluice approve {} -n {} --plan {}",
                    plan.application.name,
                    plan.application.namespace,
                    plan.digest()
                )?;
            }
            Err(Failure::Answered(ExitKind::Held))
        }
    }
}

fn read(path: &std::path::Path) -> Result<Plan, Failure> {
    let bytes = documents::read(path)?;
    let not_a_plan = |source| CliError::NotAPlan {
        path: path.to_owned(),
        source,
    };
    // The version first: a plan of another one may have other fields.
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(not_a_plan)?;
    if let Some(version) = value
        .get("version")
        .and_then(serde_json::Value::as_str)
        .filter(|version| *version != PLAN_VERSION)
    {
        return Err(Failure::of(ApplyError::PlanVersion {
            found: version.to_owned(),
            known: PLAN_VERSION,
        }));
    }
    Ok(serde_json::from_value(value).map_err(not_a_plan)?)
}

async fn execute(arguments: &Arguments, saved: &Plan, global: &Global) -> Result<Executed, Failure> {
    let connection = Connection {
        namespace: saved.application.namespace.clone(),
        ..Connection::open(global).await?
    };
    let application = connection.operations().get(&saved.application).await?;
    let engine = Engine::of(&connection, &application, &arguments.git, global)?;
    let mut tell = engine.telling();
    let done = engine
        .preview
        .execute(&application, saved, arguments.dry_run, &mut tell);
    Ok(done.await?)
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    for outcome in outcomes {
        let (word, style) = match outcome.result {
            StepResult::Created => ("created", GOOD),
            StepResult::Configured => ("configured", GOOD),
            StepResult::Unchanged => ("unchanged", FAINT),
            StepResult::Deleted => ("deleted", WAITING),
            StepResult::Failed => ("failed", BAD),
            StepResult::NotTried => ("not tried", WAITING),
        };
        table.row(vec![
            Cell::new(word, style),
            outcome.object.to_string().into(),
            (&outcome.message).into(),
        ]);
    }
    table
}
