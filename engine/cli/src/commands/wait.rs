//! `sluice wait`: until an Application is as one wants it.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sluice_health::Role;
use sluice_model::application::{Application, SyncStatus};

use crate::connection::{Connection, block_on, gone, is_settled};
use crate::failure::Failure;
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice wait guestbook                          until synced and healthy
  sluice wait guestbook --for synced --timeout 30s
  sluice wait guestbook --for deleted

What is open (a refresh, a requested sync, a spec that the controller has not seen) is waited
for first, so that the answer is never about the past. If the time runs out, the error says
on which object it waits, since when, and which plugin says so.

As `argocd app wait` and `flux reconcile` do.

Exit codes: 0; 3 if there is no such Application; 7 if the cluster fails; 9 if the time is over.";

/// The options of `sluice wait`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// What to wait for; all of them
    #[arg(long = "for", value_enum, value_delimiter = ',', default_values_t = [Wanted::Synced, Wanted::Healthy])]
    wanted: Vec<Wanted>,
    #[command(flatten)]
    patience: Patience,
}

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Wanted {
    /// The cluster is as Git wants it
    Synced,
    /// Every object does its work, or is paused on purpose
    Healthy,
    /// No operation is going on
    Idle,
    /// It is gone
    Deleted,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// How long to wait at most, e.g. 90s, 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

impl Patience {
    /// How long.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// `90s`, `5m`, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write it as 90s, 5m or 1h30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "it must not be negative".to_owned())
}

/// Waits until everything that the arguments ask for holds.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let wanted: BTreeSet<Wanted> = arguments.wanted.into_iter().collect();
    let words: Vec<String> = wanted
        .iter()
        .map(|wanted| format!("{wanted:?}").to_lowercase())
        .collect();
    let words = words.join(" and ");
    let name = &arguments.application;
    let title = block_on(async {
        let connection = Connection::open(global).await?;
        let title = connection.title(name);
        if !wanted.contains(&Wanted::Deleted) {
            // Says at once what is wrong with the name or the cluster, rather than after all the time.
            connection.application(name).await?;
        }
        let done =
            connection.follow(
                name,
                &words,
                arguments.patience.timeout(),
                |application| match application {
                    None if wanted.contains(&Wanted::Deleted) => Ok(Some(())),
                    None => Err(gone(&title)),
                    Some(application) => Ok(wanted
                        .iter()
                        .all(|wanted| holds(*wanted, application))
                        .then_some(())),
                },
            );
        done.await?;
        Ok(title)
    })?;
    writeln!(out, "{title} is {words}")?;
    Ok(())
}

/// True where `wanted` holds for good: nothing is open that might change it.
pub(crate) fn holds(wanted: Wanted, application: &Application) -> bool {
    let Some(status) = &application.status else {
        return false;
    };
    is_settled(application)
        && match wanted {
            Wanted::Synced => status.sync.status == SyncStatus::Synced,
            Wanted::Healthy => sluice_health::is_over(Role::Part, status.health.status),
            Wanted::Idle => status
                .operation
                .as_ref()
                .is_none_or(|operation| !operation.is_running()),
            Wanted::Deleted => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::status::tests::guestbook;
    use sluice_model::application::REFRESH_ANNOTATION;

    #[test]
    fn durations_are_written_with_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert!(duration("90").is_err() && duration("-5s").is_err() && duration("soon").is_err());
    }

    #[test]
    fn what_is_open_is_no_answer() {
        let mut application = guestbook();
        application.status.as_mut().unwrap().sync.status = SyncStatus::Synced;
        assert!(holds(Wanted::Synced, &application) && !holds(Wanted::Healthy, &application));
        application.metadata.annotations =
            Some([(REFRESH_ANNOTATION.to_owned(), "normal".to_owned())].into());
        assert!(!holds(Wanted::Synced, &application));
        application.metadata.annotations = None;
        application.metadata.generation = Some(8);
        assert!(!holds(Wanted::Synced, &application));
    }
}
