//! `sluice plan`: what a sync would do, decided and not done.

use std::io::Write;

use clap::Args;
use serde_json::Value;
use sluice_model::ObjectRef;
use sluice_model::decision::Strategy;
use sluice_model::difference::FieldChange;
use sluice_model::plan::{Action, Plan, Step};

use crate::connection::block_on;
use crate::engine::{Engine, Git, Which};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{
    self, BAD, Cell, FAINT, Format, GOOD, Output, STRONG, Table, WAITING, plain, short, styled,
};

pub(crate) const HELP: &str = "\
Examples:
  sluice plan guestbook
  sluice plan -f application.yaml              before the Application is in the cluster
  sluice plan guestbook -o json > plan.json && sluice apply plan.json

The plan is everything that a sync with pruning would do. With -o json it is printed as it is
digested: its SHA-256 (without the line's end) is what `sluice approve` takes. It holds no value
of a Secret. Each plan is of one moment: while objects change, the controller's may have another
digest, and the one that waits for approval is in `sluice status`.

Exit codes: 0 whatever the plan says; 3 if a manifest or the Application is wrong; 4 if the
revision is not trusted; 6 if the repository fails; 7 if the cluster fails; 8 if a plugin failed
(its cautious default is in the plan).";

/// The options of `sluice plan`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Branch, tag or commit instead of the target revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    git: Git,
}

/// Prints the plan.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let prepared = block_on(async {
        let engine = Engine::open(&arguments.which, &arguments.git, global).await?;
        engine.prepare(arguments.revision.as_deref()).await
    })?;
    match arguments.output.format {
        Format::Text => text(out, &prepared.plan)?,
        Format::Json => writeln!(out, "{}", prepared.plan.to_json())?,
        Format::Yaml => output::one(out, Format::Yaml, &prepared.plan)?,
    }
    match prepared.problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::plugins(prepared.problems.clone())),
    }
}

/// Writes a plan for people.
pub(crate) fn text(out: &mut impl Write, plan: &Plan) -> Result<(), Failure> {
    let revision = if plan.revision.is_empty() {
        "deletion".to_owned()
    } else {
        short(&plan.revision)
    };
    writeln!(
        out,
        "{}",
        styled(
            STRONG,
            format_args!("Plan for {} at {revision}", plain(&plan.application.to_string()))
        )
    )?;
    if !plan.blocked.is_empty() {
        writeln!(
            out,
            "\n{}",
            styled(BAD.bold(), "Blocked: nothing is done until this is settled")
        )?;
        let mut table = Table::new();
        for block in &plan.blocked {
            let object = block.object.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row(vec![
                object.into(),
                (&block.reason).into(),
                by(block.decided_by.as_deref()),
            ]);
        }
        table.write(out, "  ")?;
    }
    let mut rest = plan.steps.as_slice();
    while let Some(first) = rest.first() {
        let in_wave = |step: &&Step| (step.phase, step.wave) == (first.phase, first.wave);
        let length = rest.iter().take_while(in_wave).count();
        let (wave, later) = rest.split_at(length);
        writeln!(
            out,
            "\n{}",
            styled(STRONG, format_args!("{:?}, wave {}", first.phase, first.wave))
        )?;
        let mut table = Table::new();
        for step in wave {
            table.row(row(step));
        }
        table.write(out, "  ")?;
        rest = later;
    }
    if !plan.held.is_empty() {
        writeln!(
            out,
            "\n{}",
            styled(WAITING.bold(), "Held: waits for the approval of this plan")
        )?;
        let mut table = Table::new();
        for held in &plan.held {
            let mut row = row(&held.step);
            row.extend([(&held.reason).into(), by(held.decided_by.as_deref())]);
            table.row(row);
        }
        table.write(out, "  ")?;
    }
    if !plan.kept.is_empty() {
        writeln!(out, "\n{}", styled(STRONG, "Kept although Git no longer has it"))?;
        let mut table = Table::new();
        for kept in &plan.kept {
            table.row(vec![
                kept.object.to_string().into(),
                (&kept.reason).into(),
                by(kept.decided_by.as_deref()),
            ]);
        }
        table.write(out, "  ")?;
    }
    if plan.is_empty() {
        writeln!(out, "\n{}", styled(GOOD, "Nothing to do."))?;
    }
    writeln!(out, "\n{} unchanged", plan.unchanged)?;
    writeln!(out, "digest {}", plan.digest())?;
    if !plan.held.is_empty() {
        let key = &plan.application;
        writeln!(
            out,
            "approve with: sluice approve {} -n {} --plan {}",
            key.name,
            key.namespace,
            plan.digest()
        )?;
        let moving = "if an object changes meanwhile, the controller has another digest: `sluice status` shows the one that waits";
        writeln!(out, "{}", styled(FAINT, moving))?;
    }
    Ok(())
}

fn row(step: &Step) -> Vec<Cell> {
    let (word, style) = match (&step.action, &step.precondition) {
        (Action::Delete { begun: true, .. }, _) => ("await end", WAITING),
        (Action::Delete { .. }, _) => ("delete", BAD),
        (
            Action::Apply {
                delete_first: true, ..
            },
            Some(_),
        ) => ("recreate", WAITING),
        (Action::Apply { .. }, None) => ("create", GOOD),
        (
            Action::Apply {
                strategy, take_over, ..
            },
            Some(_),
        ) => match strategy {
            Strategy::Replace => ("replace", WAITING),
            // Where it needs a new object the plan says that above.
            Strategy::Recreate
            | Strategy::RecreateAlways
            | Strategy::ServerSideApply
            | Strategy::Merge
            | Strategy::CreateOnly
            | Strategy::LeaveAlone => match take_over.is_empty() {
                true => ("change", WAITING),
                false => ("adopt", WAITING),
            },
        },
    };
    let changes = match &step.action {
        Action::Apply { .. } if step.precondition.is_some() => summary(&step.changes),
        Action::Apply { .. } => String::new(),
        Action::Delete { .. } => String::new(),
    };
    let changes: Vec<String> = [changes, later(step)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let changes = changes.join("; ");
    let origin = step.origin.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![
        Cell::new(word, style),
        step.object.to_string().into(),
        changes.into(),
        Cell::new(origin, FAINT),
    ]
}

/// `rehearsed later: rests on Namespace shop`. Whether a quota stands in the way is known once the server is asked.
fn later(step: &Step) -> String {
    let comes_first = |on: &&ObjectRef| matches!(on.kind.as_str(), "Namespace" | "CustomResourceDefinition");
    let names = |on: Vec<&ObjectRef>| on.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (sure, possible): (Vec<_>, Vec<_>) = step.rests_on.iter().partition(comes_first);
    match (sure.is_empty(), possible.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("if it is refused, rehearsed later: rests on {}", names(possible)),
        (false, _) => format!("rehearsed later: rests on {}", names(sure)),
    }
}

/// The first changes of an object; `sluice diff` has all of them.
fn summary(changes: &[FieldChange]) -> String {
    const SHOWN: usize = 2;
    let mut parts: Vec<String> = changes.iter().take(SHOWN).map(change).collect();
    if changes.len() > SHOWN {
        parts.push(format!("and {} more", changes.len() - SHOWN));
    }
    parts.join(", ")
}

fn change(change: &FieldChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
    let (live, desired) = shortened(&text(&change.live), &text(&change.desired));
    let holder = change.holder.as_ref().map(|holder| format!(" (of {holder})"));
    let stays = if change.stays {
        " (the API server keeps it)"
    } else {
        ""
    };
    format!(
        "{} {live} → {desired}{}{stays}",
        change.pointer,
        holder.unwrap_or_default()
    )
}

/// So much of a value is shown in a line.
const LONGEST: usize = 60;
/// So much of what two values have in common, before they differ.
const IN_COMMON: usize = 12;

/// Two values in one line each: whole where they are short, and from where they begin to differ where they are not.
fn shortened(live: &str, desired: &str) -> (String, String) {
    let same = live
        .chars()
        .zip(desired.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let longest = live.chars().count().max(desired.chars().count());
    let start = match longest > LONGEST && same > 2 * IN_COMMON {
        true => same - IN_COMMON,
        false => 0,
    };
    let cut = |text: &str| {
        let left_out = if start > 0 { "…" } else { "" };
        let shown: String = text.chars().skip(start).take(LONGEST).collect();
        let more = if text.chars().count() > start + LONGEST {
            "…"
        } else {
            ""
        };
        format!("{left_out}{shown}{more}")
    };
    (cut(live), cut(desired))
}

fn by(plugin: Option<&str>) -> Cell {
    Cell::new(plugin.unwrap_or("the engine"), FAINT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(wave: i32, name: &str, action: Value, is_live: bool) -> Value {
        let mut step = json!({
            "phase": "Sync", "wave": wave, "action": action,
            "object": {"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": name},
        });
        if is_live {
            step["precondition"] = json!({"uid": "u"});
            step["changes"] = json!([
                {"pointer": "/data/a", "live": "1", "desired": "2"},
                {"pointer": "/data/b", "desired": {"c": 1}},
                {"pointer": "/data/c", "live": 1},
            ]);
        }
        step
    }

    fn shown(plan: Value) -> String {
        let plan: Plan = serde_json::from_value(plan).unwrap();
        let mut out = anstream::StripStream::new(Vec::new());
        text(&mut out, &plan).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    fn plan() -> Value {
        json!({
            "version": "sluice.dev/plan/v1alpha2", "application": {"namespace": "shop", "name": "guestbook"},
            "revision": "3f2a91c05b77d4f0c7de1a2b3c4d5e6f70819203", "destinationNamespace": "shop", "policies": [],
            "steps": [], "held": [], "kept": [], "blocked": [], "unchanged": 3,
        })
    }

    #[test]
    fn a_plan_reads_wave_by_wave() {
        let apply = json!({"do": "apply", "manifest": {}, "strategy": "server-side-apply", "force": false, "validate": true, "deleteFirst": false});
        let delete = json!({"do": "delete", "propagation": "foreground"});
        let mut whole = plan();
        whole["steps"] = json!([
            step(0, "new", apply.clone(), false),
            step(0, "changed", apply, true),
            step(5, "old", delete.clone(), false),
        ]);
        whole["held"] = json!([{"step": step(0, "data", delete, false), "reason": "it holds data", "decidedBy": "prune-standard"}]);
        whole["kept"] = json!([{"object": {"group": "", "version": "v1", "kind": "Namespace", "name": "old"}, "reason": "annotated", "decidedBy": null}]);
        insta::assert_snapshot!(shown(whole));
    }

    #[test]
    fn a_long_value_is_shown_from_where_it_differs() {
        assert_eq!(
            shortened("nothing", "{\"c\":1}"),
            ("nothing".to_owned(), "{\"c\":1}".to_owned())
        );
        let (a, b) = (
            format!("{}a{}", "x".repeat(50), "y".repeat(100)),
            format!("{}b", "x".repeat(50)),
        );
        let (live, desired) = shortened(&a, &b);
        assert_eq!(live, format!("…{}a{}…", "x".repeat(12), "y".repeat(47)));
        assert_eq!(desired, format!("…{}b", "x".repeat(12)));
        let (live, desired) = shortened("nothing", &"z".repeat(100));
        assert_eq!(
            (live.as_str(), desired),
            ("nothing", format!("{}…", "z".repeat(60)))
        );
    }

    #[test]
    fn nothing_to_do_is_said() {
        insta::assert_snapshot!(shown(plan()));
    }

    #[test]
    fn what_blocks_comes_first() {
        let mut blocked = plan();
        blocked["blocked"] = json!([{"reason": "Git has no manifest at all", "decidedBy": null}]);
        insta::assert_snapshot!(shown(blocked));
    }
}
