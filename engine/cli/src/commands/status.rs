//! `sluice status`: everything that the engine knows of one Application, in the order a person asks for it.

use std::io::Write;

use clap::Args;
use kube::ResourceExt as _;
use sluice_model::application::{Application, ApplicationStatus, HealthState, ObjectState, rfc3339};
use sluice_model::revisions::shown;

use crate::commands::get::{health_cell, sync_cell};
use crate::connection;
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{
    self, BAD, Cell, FAINT, Format, GOOD, Output, STRONG, Table, WAITING, plain, short, styled,
};

pub(crate) const HELP: &str = "\
Examples:
  sluice status guestbook -n shop
  sluice status guestbook -o json | jq -r .pendingApproval.planDigest

Exit codes: 0 whatever the status is (see `sluice wait`); 3 if there is no such Application; 7
if the cluster fails.";

/// The options of `sluice status`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    #[command(flatten)]
    output: Output,
}

/// Prints the status.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let application = connection::application(&arguments.application, global)?;
    match arguments.output.format {
        Format::Text => text(out, &application),
        format @ (Format::Json | Format::Yaml) => {
            output::one(out, format, &application.status.unwrap_or_default())
        }
    }
}

/// Writes the status for people.
pub(crate) fn text(out: &mut impl Write, application: &Application) -> Result<(), Failure> {
    let namespace = application.namespace().unwrap_or_default();
    writeln!(
        out,
        "{}",
        styled(
            STRONG,
            plain(&format!("Application {namespace}/{}", application.name_any()))
        )
    )?;
    let mut facts = Table::new();
    for (name, source) in application.spec.named_sources() {
        let name = match name.is_empty() {
            true => String::new(),
            false => format!("{name}: "),
        };
        let folder = match (source.is_rendered(), source.path.as_str()) {
            (false, _) => format!("for ${}", source.reference),
            (true, "") => "folder /".to_owned(),
            (true, path) => format!("folder {path}"),
        };
        let (url, revision) = (
            output::without_password(&source.repo_url),
            &source.target_revision,
        );
        let what = match &source.chart {
            Some(chart) => format!("{name}chart {chart} {revision} of {url}"),
            None => format!("{name}{url} {revision}, {folder}"),
        };
        facts.row(vec!["source".into(), what.into()]);
    }
    if let Some(pin) = &application.spec.pin {
        let by = match pin.by.is_empty() {
            true => String::new(),
            false => format!("by {}", pin.by),
        };
        facts.row(vec![
            "pinned".into(),
            Cell::new(short(&pin.revision), WAITING),
            format!("{by} {}", pin.reason).trim().into(),
        ]);
    }
    if let Some(pause) = &application.spec.pause {
        facts.row(vec![
            "paused".into(),
            Cell::new("nothing is written", WAITING),
            format!("{} {}", pause.by, pause.reason).trim().into(),
        ]);
    }
    let Some(status) = &application.status else {
        facts.row(vec![
            "status".into(),
            Cell::new("no controller has looked at it yet", WAITING),
        ]);
        return facts.write(out, "  ");
    };
    summarise(&mut facts, status);
    facts.write(out, "  ")?;
    conditions(out, status)?;
    pending(out, application, status)?;
    if !status.attention.is_empty() {
        writeln!(out, "\n{}", styled(STRONG, "Needs attention"))?;
        objects(&status.attention).write(out, "  ")?;
    }
    Ok(())
}

/// Since when, and why.
fn health_text(health: &HealthState) -> String {
    match (&health.since, health.message.as_str()) {
        (None, message) => message.to_owned(),
        (Some(since), "") => format!("since {since}"),
        (Some(since), message) => format!("since {since}: {message}"),
    }
}

fn summarise(facts: &mut Table, status: &ApplicationStatus) {
    let sync = &status.sync;
    let target = sync
        .target
        .as_deref()
        .map(|target| {
            format!(
                ", compared with {}",
                shown(target, sync.target_version.as_deref())
            )
        })
        .unwrap_or_default();
    let at = if sync.revision.is_empty() {
        "never synced".to_owned()
    } else {
        format!("at {}", shown(&sync.revision, sync.version.as_deref()))
    };
    facts.row(vec![
        "sync".into(),
        sync_cell(sync.status),
        format!("{at}{target}").into(),
    ]);
    facts.row(vec![
        "health".into(),
        health_cell(status.health.status),
        health_text(&status.health).into(),
    ]);
    for (source, trust) in status.verifications() {
        let of = match source.is_empty() {
            true => String::new(),
            false => format!("{source}: "),
        };
        let trusted = trust
            .trusted_revision
            .as_deref()
            .map_or("nothing yet".to_owned(), |revision| {
                shown(revision, trust.trusted_version.as_deref())
            });
        let trusted = format!("{of}{trusted}");
        let signer = trust
            .signer
            .as_deref()
            .map(|signer| format!("signed by {signer}"))
            .unwrap_or_default();
        facts.row(vec!["trusted".into(), Cell::new(trusted, GOOD), signer.into()]);
        if let Some(refused) = &trust.refused_revision {
            facts.row(vec![
                "refused".into(),
                Cell::new(format!("{of}{}", short(refused)), BAD),
            ]);
        }
    }
    if let Some(operation) = &status.operation {
        let until = operation.ended_at().map_or_else(
            || format!("since {}", rfc3339(operation.started_at)),
            |finished| format!("finished {}", rfc3339(finished)),
        );
        let who = format!(
            "{:?} {} to {}, by {}, {until}",
            operation.kind,
            operation.initiator.id(),
            short(&operation.revision),
            operation.initiator.name(operation.kind)
        );
        facts.row(vec![
            "operation".into(),
            phase_cell(operation.phase()),
            who.into(),
        ]);
        let message = operation.message();
        if !message.is_empty() {
            facts.row(vec!["".into(), "".into(), message.into()]);
        }
    }
    facts.row(vec!["objects".into(), status.objects.to_string().into()]);
}

/// How an operation ended, in its colour.
pub(crate) fn phase_cell(phase: sluice_model::application::OperationPhase) -> Cell {
    use sluice_model::application::OperationPhase::{Failed, Running, Succeeded, Superseded, Terminated};
    let style = match phase {
        Running | Terminated | Superseded => WAITING,
        Succeeded => GOOD,
        Failed => BAD,
    };
    Cell::new(format!("{phase:?}"), style)
}

fn conditions(out: &mut impl Write, status: &ApplicationStatus) -> Result<(), Failure> {
    if status.conditions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", styled(STRONG, "Conditions"))?;
    let mut table = Table::new();
    for condition in &status.conditions {
        let style = match condition.status.as_str() {
            "True" => GOOD,
            "False" => BAD,
            _ => WAITING,
        };
        table.row(vec![
            (&condition.r#type).into(),
            Cell::new(&condition.status, style),
            (&condition.reason).into(),
            (&condition.message).into(),
        ]);
    }
    table.write(out, "  ")
}

/// What a person is asked to approve, and the command that does it.
pub(crate) fn pending(
    out: &mut impl Write,
    application: &Application,
    status: &ApplicationStatus,
) -> Result<(), Failure> {
    let trust = status.verifications();
    for commit in trust.filter_map(|(_, trust)| trust.pending_acceptance.as_deref()) {
        writeln!(
            out,
            "\n{}\n  approve with: sluice approve {} -n {} --history {commit}",
            styled(
                WAITING.bold(),
                "Waiting for approval: a history that was rewritten"
            ),
            application.name_any(),
            application.namespace().unwrap_or_default(),
        )?;
    }
    let Some(pending) = &status.pending_approval else {
        return Ok(());
    };
    let deletions = if pending.count == 1 {
        "1 deletion".to_owned()
    } else {
        format!("{} deletions", pending.count)
    };
    writeln!(
        out,
        "\n{}",
        styled(WAITING.bold(), format_args!("Waiting for approval: {deletions}"))
    )?;
    objects(&pending.deletions).write(out, "  ")?;
    let more = (pending.count as usize).saturating_sub(pending.deletions.len());
    if more > 0 {
        writeln!(
            out,
            "  {}",
            styled(FAINT, format_args!("and {more} more; `sluice plan` lists all"))
        )?;
    }
    writeln!(
        out,
        "  approve with: sluice approve {} -n {} --plan {}",
        application.name_any(),
        application.namespace().unwrap_or_default(),
        plain(&pending.plan_digest)
    )?;
    Ok(())
}

fn objects(states: &[ObjectState]) -> Table {
    let mut table = Table::new();
    for state in states {
        let place = state
            .namespace
            .as_ref()
            .map_or_else(|| state.name.clone(), |ns| format!("{ns}/{}", state.name));
        let style = if state.state == "Failed" || state.state == "Degraded" {
            BAD
        } else {
            WAITING
        };
        table.row(vec![
            (&state.kind).into(),
            place.into(),
            Cell::new(&state.state, style),
            (&state.message).into(),
        ]);
    }
    table
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An Application that has seen much.
    pub(crate) fn guestbook() -> Application {
        let text = fs_err::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/cli/fixtures/status.yaml"
        ))
        .unwrap();
        serde_yaml::from_str(&text).unwrap()
    }

    fn told(application: &Application) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        text(&mut out, application).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn a_status_reads_from_the_top() {
        insta::assert_snapshot!(told(&guestbook()));
    }

    #[test]
    fn charts_have_their_versions() {
        let mut application = guestbook();
        if let Some(source) = &mut application.spec.source {
            source.chart = Some("shop".to_owned());
            source.target_revision = "^1".to_owned();
        }
        let status = application.status.as_mut().unwrap();
        status.sync.version = Some("1.0.0".to_owned());
        status.sync.target_version = Some("1.1.0".to_owned());
        status.verification.as_mut().unwrap().trusted_version = Some("1.1.0".to_owned());
        let text = told(&application);
        for line in [
            "chart shop ^1 of https://git.example.com/shop.git",
            "at 1.0.0 (3f2a91c05b77), compared with 1.1.0 (88aa91c05b77)",
            "1.1.0 (88aa91c05b77)  signed by",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn without_a_controller_there_is_no_status() {
        let application = Application {
            status: None,
            ..guestbook()
        };
        insta::assert_snapshot!(told(&application), @r"
        Application shop/guestbook
          source  https://git.example.com/shop.git main, folder guestbook
          status  no controller has looked at it yet
        ");
    }
}
