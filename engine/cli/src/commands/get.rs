//! `sluice get`: Applications in a table, with the columns that `kubectl get applications.sluice.dev` has.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt as _;
use sluice_model::application::{Application, SyncStatus};
use sluice_model::health::HealthStatus;
use sluice_model::revisions::shown;

use crate::connection::{Connection, block_on};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, BAD, Cell, FAINT, Format, GOOD, Output, Table, WAITING};

pub(crate) const HELP: &str = "\
Examples:
  sluice get                     those of the context's namespace
  sluice get -A                  all of them
  sluice get guestbook -o yaml   one, as the cluster has it

With -o json, every Application is one line.

Exit codes: 0; 3 if there is no Application of that name; 7 if the cluster fails.";

/// The options of `sluice get`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of one Application; all of the namespace by default
    #[arg(value_name = "APP", conflicts_with = "all_namespaces")]
    application: Option<String>,
    /// Those of every namespace
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    #[command(flatten)]
    output: Output,
}

/// Prints Applications.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let applications = block_on(async {
        let connection = Connection::open(global).await?;
        let operations = connection.operations();
        let namespace = (!arguments.all_namespaces).then_some(connection.namespace.as_str());
        let mut applications = match &arguments.application {
            Some(name) => vec![operations.get(&connection.key(name)).await?],
            None => operations.list(namespace).await?,
        };
        for application in &mut applications {
            application.metadata.managed_fields = None;
        }
        Ok(applications)
    })?;
    match arguments.output.format {
        Format::Text => table(&applications, arguments.all_namespaces, Timestamp::now()).write(out, ""),
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &applications),
    }
}

fn table(applications: &[Application], with_namespace: bool, now: Timestamp) -> Table {
    let mut table = Table::new();
    let headings = ["NAMESPACE", "NAME", "SYNC", "HEALTH", "SINCE", "REVISION", "AGE"];
    let hidden = usize::from(!with_namespace);
    table.head(headings.get(hidden..).unwrap_or_default());
    for application in applications {
        let status = application.status.clone().unwrap_or_default();
        let created = application.creation_timestamp().map(|time| time.0);
        let mut row = Vec::new();
        if with_namespace {
            row.push(application.namespace().unwrap_or_default().into());
        }
        row.push(application.name_any().into());
        row.push(match application.spec.pause.is_some() {
            true => Cell::new(format!("{:?} (paused)", status.sync.status), WAITING),
            false => sync_cell(status.sync.status),
        });
        row.push(health_cell(status.health.status));
        let since = status.health.since.as_deref();
        row.push(Cell::new(lasting(since, now).unwrap_or_default(), FAINT));
        let pinned = match application.spec.pin.is_some() {
            true => " (pinned)",
            false => "",
        };
        let revision = shown(&status.sync.revision, status.sync.version.as_deref());
        row.push(format!("{revision}{pinned}").into());
        row.push(Cell::new(
            created.map(|created| age(created, now)).unwrap_or_default(),
            FAINT,
        ));
        table.row(row);
    }
    table
}

/// The answer to "is it as Git wants it", in its colour.
pub(crate) fn sync_cell(status: SyncStatus) -> Cell {
    let style = match status {
        SyncStatus::Synced => GOOD,
        SyncStatus::OutOfSync => WAITING,
        SyncStatus::Unknown => BAD,
    };
    Cell::new(format!("{status:?}"), style)
}

/// The answer to "does it work", in its colour.
pub(crate) fn health_cell(status: HealthStatus) -> Cell {
    let style = match status {
        HealthStatus::Healthy => GOOD,
        HealthStatus::Suspended | HealthStatus::Progressing => WAITING,
        HealthStatus::Missing | HealthStatus::Degraded | HealthStatus::Unknown => BAD,
    };
    Cell::new(format!("{status:?}"), style)
}

/// For how long something has been so since an RFC 3339 time; none if that is not known.
pub(crate) fn lasting(since: Option<&str>, now: Timestamp) -> Option<String> {
    Some(age(since?.parse().ok()?, now))
}

/// How long ago, as `kubectl` writes it: `45s`, `12m`, `5h`, `3d`.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    match now.duration_since(then).as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::status::tests::guestbook;

    fn text(all: bool) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        table(&[guestbook()], all, now).write(&mut out, "").unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn columns_are_those_of_the_printer() {
        insta::assert_snapshot!(text(false), @r"
        NAME       SYNC       HEALTH    SINCE  REVISION      AGE
        guestbook  OutOfSync  Degraded  12m    3f2a91c05b77  4h
        ");
        insta::assert_snapshot!(text(true), @r"
        NAMESPACE  NAME       SYNC       HEALTH    SINCE  REVISION      AGE
        shop       guestbook  OutOfSync  Degraded  12m    3f2a91c05b77  4h
        ");
    }

    #[test]
    fn what_is_paused_or_pinned_shows() {
        let mut application = guestbook();
        application.spec.pause = Some(sluice_model::application::Pause::default());
        application.spec.pin = Some(sluice_model::application::Pin {
            revision: "3f2a91c05b77".to_owned(),
            reason: String::new(),
            by: String::new(),
        });
        let mut out = anstream::StripStream::new(Vec::new());
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        table(&[application], false, now).write(&mut out, "").unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        assert!(
            text.contains("OutOfSync (paused)") && text.contains("3f2a91c05b77 (pinned)"),
            "{text}"
        );
    }

    #[test]
    fn a_chart_has_its_version() {
        let mut application = guestbook();
        let status = application.status.as_mut().unwrap();
        status.sync.version = Some("1.1.0".to_owned());
        let mut out = anstream::StripStream::new(Vec::new());
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        table(&[application], false, now).write(&mut out, "").unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        assert!(text.contains("  1.1.0 (3f2a91c05b77)  "), "{text}");
    }

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        let ago = |seconds: i64| age(Timestamp::from_second(now.as_second() - seconds).unwrap(), now);
        assert_eq!(
            [ago(0), ago(119), ago(120), ago(7_200), ago(172_800), ago(-5)],
            ["0s", "119s", "2m", "2h", "2d", "0s"]
        );
    }
}
