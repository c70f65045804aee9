//! `sluice wait`: until an Application is as one wants it.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sluice_model::application::Application;
use sluice_operations::{Condition, Follow};

use crate::connection::{Connection, block_on, telling};
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
enum Wanted {
    /// The cluster is as Git wants it
    Synced,
    /// Every object does its work, or is paused on purpose
    Healthy,
    /// No operation is going on
    Idle,
    /// It is gone
    Deleted,
}

impl From<Wanted> for Condition {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Synced => Self::Synced,
            Wanted::Healthy => Self::Healthy,
            Wanted::Idle => Self::Idle,
            Wanted::Deleted => Self::Deleted,
        }
    }
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// How long to wait at most, e.g. 90s, 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

impl Patience {
    /// Follows an Application for so long, telling `seen` of its states.
    pub(crate) fn follow<'a>(&self, seen: &'a mut (dyn FnMut(Option<&Application>) + Send)) -> Follow<'a> {
        Follow {
            timeout: self.timeout,
            seen,
        }
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
    let wanted = arguments.wanted.into_iter().map(Condition::from);
    let wanted: BTreeSet<Condition> = wanted.collect();
    let name = &arguments.application;
    let key = block_on(async {
        let connection = Connection::open(global).await?;
        let key = connection.key(name);
        let mut seen = telling(name);
        let follow = arguments.patience.follow(&mut seen);
        connection.operations().wait(&key, &wanted, follow).await?;
        Ok(key)
    })?;
    let words: Vec<&str> = wanted.iter().map(|wanted| wanted.word()).collect();
    writeln!(out, "Application {key} is {}", words.join(" and "))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_with_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert!(duration("90").is_err() && duration("-5s").is_err() && duration("soon").is_err());
    }
}
