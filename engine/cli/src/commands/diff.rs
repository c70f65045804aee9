//! `sluice diff`: the cluster against Git, as unified YAML.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;
use sluice_compare::diff::{LineKind, unified};
use sluice_controller::pipeline::{Compared, Prepared};
use sluice_model::ExitKind;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::object::ObjectRef;
use sluice_model::plan::{Action, Plan};

use crate::args::Global;
use crate::connection::block_on;
use crate::engine::{Engine, Git, Which};
use crate::failure::Failure;
use crate::output::{self, BAD, FAINT, Format, Output, STRONG, plain, styled};

pub(crate) const HELP: &str = "\
Examples:
  sluice diff guestbook
  sluice diff guestbook --revision feature-branch
  sluice diff guestbook -o json | jq -r '.object.name, .changes[].pointer'

`-` is what the cluster has, `+` what Git says. Only fields that Git says something about, or
that Sluice applied before, are compared. Values of Secrets are masked; whether they differ is
shown.

Exit codes: 0 if nothing differs; 1 if something does; 3 if a manifest is wrong; 4 if the
revision is not trusted; 6 if the repository fails; 7 if the cluster fails; 8 if a plugin
failed.";

/// The options of `sluice diff`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Branch, tag or commit instead of the target revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Unchanged lines around each change
    #[arg(long, short = 'U', value_name = "NUMBER", default_value_t = 3)]
    lines: usize,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    git: Git,
}

/// One object that differs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    object: ObjectRef,
    difference: &'static str,
    changes: &'a [FieldChange],
}

/// Prints what differs.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let prepared = block_on(async {
        let mut engine = Engine::open(&arguments.which, &arguments.git, global).await?;
        engine.prepare(arguments.revision.as_deref()).await
    })?;
    let different: Vec<&Compared> = prepared
        .objects
        .iter()
        .filter(|object| object.is_lasting() && !object.difference.is_same())
        .collect();
    let gone: Vec<(&ObjectRef, String)> = gone(&prepared.plan);
    match arguments.output.format {
        Format::Text => text(out, &different, &gone, arguments.lines)?,
        format @ (Format::Json | Format::Yaml) => {
            let rows = different.iter().map(|object| row(object));
            let gone = gone.iter().map(|(object, _)| Row {
                object: ObjectRef::clone(object),
                difference: "removed",
                changes: &[],
            });
            output::each(out, format, &rows.chain(gone).collect::<Vec<_>>())?;
        }
    }
    end(&prepared, different.is_empty() && gone.is_empty())
}

fn end(prepared: &Prepared, is_same: bool) -> Result<(), Failure> {
    match (prepared.problems.is_empty(), is_same) {
        (false, _) => Err(Failure::plugins(prepared.problems.clone())),
        (true, false) => Err(Failure::Answered(ExitKind::Negative)),
        (true, true) => Ok(()),
    }
}

fn text(
    out: &mut impl Write,
    different: &[&Compared],
    gone: &[(&ObjectRef, String)],
    context: usize,
) -> Result<(), Failure> {
    for object in different {
        let title = plain(&object.reference().to_string());
        writeln!(
            out,
            "{}  {}",
            styled(STRONG, title),
            styled(FAINT, plain(&object.origin.to_string()))
        )?;
        for line in unified(
            &object.desired,
            object.live.as_ref(),
            &object.decision.ignore_fields,
            context,
        ) {
            let style = match line.kind {
                LineKind::Header => STRONG,
                LineKind::Hunk => AnsiColor::Cyan.on_default(),
                LineKind::Same => Style::new(),
                LineKind::Removed => AnsiColor::Red.on_default(),
                LineKind::Added => AnsiColor::Green.on_default(),
            };
            writeln!(out, "{}", styled(style, plain(&line.to_string())))?;
        }
    }
    for (object, fate) in gone {
        writeln!(
            out,
            "{}  {}",
            styled(BAD, plain(&format!("- {object}"))),
            plain(fate)
        )?;
    }
    Ok(())
}

fn row(object: &Compared) -> Row<'_> {
    let (difference, changes): (_, &[FieldChange]) = match &object.difference {
        Difference::Same => ("same", &[]),
        Difference::Missing => ("missing", &[]),
        Difference::Unowned(changes) => ("unowned", changes),
        Difference::Changed(changes) => ("changed", changes),
    };
    Row {
        object: object.reference(),
        difference,
        changes,
    }
}

/// What the cluster has and Git no longer does, and what becomes of it. What a policy keeps is no difference.
fn gone(plan: &Plan) -> Vec<(&ObjectRef, String)> {
    let deleted = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Delete { .. }));
    let deleted = deleted.map(|step| (&step.object, "is not in Git: would be deleted".to_owned()));
    let held = plan
        .held
        .iter()
        .map(|held| (&held.step.object, format!("is not in Git: held, {}", held.reason)));
    deleted.chain(held).collect()
}
