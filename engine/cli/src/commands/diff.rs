//! `sluice diff`: the cluster against Git, as YAML: unified, or in two columns.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;
use sluice_compare::diff::{Line, LineKind, Pair, Row as Columns};
use sluice_model::ExitKind;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::object::{Object, ObjectRef};
use sluice_model::plan::{Action, Plan};
use sluice_pipeline::RenderedSource;
use sluice_pipeline::{Compared, Prepared};

use crate::connection::block_on;
use crate::engine::{Engine, Git, Which};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, BAD, FAINT, Format, Output, STRONG, plain, styled};

pub(crate) const HELP: &str = "\
Examples:
  sluice diff guestbook
  sluice diff guestbook --revision feature-branch
  sluice diff guestbook --side-by-side
  sluice diff guestbook --against v1.2.0
  sluice diff guestbook -o json | jq -r '.object.name, .changes[].pointer'

`-` is what the cluster has, `+` what Git says. Only fields that Git says something about, or
that Sluice applied before, are compared. Values of Secrets are masked; whether they differ is
shown. With --against, what two revisions render is compared, and no cluster is asked for objects:
`-` is that revision.

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
    /// Compare what two revisions render, instead of the cluster with one: the other branch, tag or commit
    #[arg(long, value_name = "REVISION", conflicts_with = "side_by_side")]
    against: Option<String>,
    /// Live and desired next to each other, as wide as the terminal
    #[arg(long, short = 'y')]
    side_by_side: bool,
    /// Columns of `--side-by-side`; those of the terminal by default
    #[arg(long, value_name = "COLUMNS", requires = "side_by_side", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
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
    if let Some(old) = &arguments.against {
        return revisions(&arguments, old, global, out);
    }
    let prepared = block_on(async {
        let engine = Engine::open(&arguments.which, &arguments.git, global).await?;
        engine.prepare(arguments.revision.as_deref()).await
    })?;
    let different: Vec<&Compared> = prepared
        .objects
        .iter()
        .filter(|object| object.is_lasting() && !object.difference.is_same())
        .collect();
    let gone: Vec<(&ObjectRef, String)> = gone(&prepared.plan);
    match arguments.output.format {
        Format::Text => text(out, &different, &gone, &arguments)?,
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

/// Prints how what two revisions render differs.
fn revisions(arguments: &Arguments, old: &str, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let (old, new) = block_on(async {
        let engine = match arguments.which.is_file() {
            true => Engine::without_cluster(&arguments.which, &arguments.git, global)?,
            false => Engine::open(&arguments.which, &arguments.git, global).await?,
        };
        let old = engine.rendered(Some(old)).await?;
        Ok::<_, Failure>((old, engine.rendered(arguments.revision.as_deref()).await?))
    })?;
    let by_key = |sources: Vec<RenderedSource>| {
        let manifests = sources.into_iter().flat_map(|source| source.rendered.manifests);
        manifests
            .map(|manifest| manifest.object)
            .map(|object| (object.key(), object))
            .collect::<BTreeMap<_, _>>()
    };
    let (old, new) = (by_key(old), by_key(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let changed: Vec<_> = keys
        .into_iter()
        .map(|key| (old.get(key), new.get(key)))
        .filter(|(old, new)| old != new)
        .collect();
    match arguments.output.format {
        Format::Text => {
            for (old, new) in &changed {
                lines(out, sluice_compare::diff::revisions(*old, *new, arguments.lines))?;
            }
        }
        format @ (Format::Json | Format::Yaml) => {
            let row = |(old, new): &(Option<&Object>, Option<&Object>)| {
                Some(Row {
                    object: new.or(*old)?.reference(),
                    difference: match (old, new) {
                        (None, _) => "added",
                        (_, None) => "removed",
                        (Some(_), Some(_)) => "changed",
                    },
                    changes: &[],
                })
            };
            output::each(out, format, &changed.iter().filter_map(row).collect::<Vec<_>>())?;
        }
    }
    match changed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Answered(ExitKind::Negative)),
    }
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
    arguments: &Arguments,
) -> Result<(), Failure> {
    for object in different {
        let title = plain(&object.reference().to_string());
        writeln!(
            out,
            "{}  {}",
            styled(STRONG, title),
            styled(FAINT, plain(&object.origin.to_string()))
        )?;
        let pair = Pair {
            desired: &object.desired,
            live: object.live.as_ref(),
            ignore: &object.ignored,
            predecessors: &object.predecessors,
            changes: Some(changes(object)),
        };
        match arguments.side_by_side {
            true => columns(out, pair.side_by_side(arguments.lines), width(arguments))?,
            false => unified(out, pair, arguments.lines)?,
        }
        for change in changes(object).iter().filter(|change| change.stays) {
            let text = format!(
                "  {} stays: the API server keeps what Git dropped, and only a new object loses it",
                change.pointer
            );
            writeln!(out, "{}", styled(FAINT, plain(&text)))?;
        }
        for change in changes(object).iter().filter(|change| change.holder.is_some()) {
            let holder = change
                .holder
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let text = format!("  {} is on record as written by {holder}", change.pointer);
            writeln!(out, "{}", styled(FAINT, plain(&text)))?;
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

const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const HUNK: Style = AnsiColor::Cyan.on_default();

fn unified(out: &mut impl Write, pair: Pair<'_>, context: usize) -> Result<(), Failure> {
    lines(out, pair.unified(context))
}

fn lines(out: &mut impl Write, lines: Vec<Line>) -> Result<(), Failure> {
    for line in lines {
        let style = match line.kind {
            LineKind::Header => STRONG,
            LineKind::Hunk => HUNK,
            LineKind::Same => Style::new(),
            LineKind::Removed => REMOVED,
            LineKind::Added => ADDED,
        };
        writeln!(out, "{}", styled(style, plain(&line.to_string())))?;
    }
    Ok(())
}

/// The width if the output is no terminal.
const WIDTH: u16 = 120;

fn width(arguments: &Arguments) -> usize {
    let terminal = || terminal_size::terminal_size().map(|(width, _)| width.0);
    usize::from(arguments.width.or_else(terminal).unwrap_or(WIDTH).max(40))
}

fn columns(out: &mut impl Write, rows: Vec<Columns>, width: usize) -> Result<(), Failure> {
    // ` │ ` or the sign of a difference is between the two.
    let half = (width - 3) / 2;
    for row in rows {
        match row {
            Columns::Title(live, desired) => {
                side_by_side(out, (&live, STRONG), (&desired, STRONG), ' ', half)?;
            }
            Columns::Gap(hunk) => writeln!(out, "{}", styled(HUNK, plain(&hunk)))?,
            Columns::Lines {
                live,
                desired,
                differs,
            } => {
                let sign = match (&live, &desired) {
                    _ if !differs => '│',
                    (Some(_), Some(_)) => '≠',
                    (Some(_), None) => '<',
                    (None, _) => '>',
                };
                let (left, right) = match differs {
                    true => (REMOVED, ADDED),
                    false => (Style::new(), Style::new()),
                };
                let text = |line: &Option<String>| line.clone().unwrap_or_default();
                side_by_side(out, (&text(&live), left), (&text(&desired), right), sign, half)?;
            }
        }
    }
    Ok(())
}

/// Two texts next to each other. What does not fit goes on in the next line: nothing that differs is cut off.
fn side_by_side(
    out: &mut impl Write,
    (live, left): (&str, Style),
    (desired, right): (&str, Style),
    sign: char,
    half: usize,
) -> Result<(), Failure> {
    let pieces = |text: &str| -> Vec<String> {
        let shown: Vec<char> = plain(text).to_string().chars().collect();
        shown.chunks(half).map(|piece| piece.iter().collect()).collect()
    };
    let (live, desired) = (pieces(live), pieces(desired));
    for index in 0..live.len().max(desired.len()).max(1) {
        let piece = |pieces: &[String]| pieces.get(index).cloned().unwrap_or_default();
        writeln!(
            out,
            "{} {sign} {}",
            styled(left, format_args!("{:half$}", piece(&live))),
            styled(right, piece(&desired))
        )?;
    }
    Ok(())
}

fn changes(object: &Compared) -> &[FieldChange] {
    match &object.difference {
        Difference::Same | Difference::Missing => &[],
        Difference::Unowned(changes) | Difference::Changed(changes) => changes,
    }
}

fn row(object: &Compared) -> Row<'_> {
    Row {
        object: object.reference(),
        difference: match &object.difference {
            Difference::Same => "same",
            Difference::Missing => "missing",
            Difference::Unowned(_) => "unowned",
            Difference::Changed(_) => "changed",
        },
        changes: changes(object),
    }
}

/// What the cluster has and Git no longer does, and what becomes of it. What a policy keeps is no difference; what the engine keeps
/// is one, as in the status.
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
    let unwillingly = plan.kept.iter().filter(|kept| kept.decided_by.is_none());
    let kept = unwillingly.map(|kept| (&kept.object, format!("is not in Git: stays, {}", kept.reason)));
    deleted.chain(held).chain(kept).collect()
}
