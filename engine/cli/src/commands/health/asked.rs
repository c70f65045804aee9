//! What can be typed: what is judged, and by whom.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use sluice_model::application::{Policies, PolicyRef};

use crate::documents;
use crate::failure::Failure;

/// What is judged in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// An Application, by its name.
    Application(String),
    /// An object.
    Object {
        /// What people call its kind.
        kind: String,
        /// Its name.
        name: String,
    },
}

impl FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as APP or as KIND/NAME, such as deployment/web".to_owned();
        let (kind, name) = match text.split_once('/') {
            None if text.is_empty() => return Err(wrong()),
            None => return Ok(Self::Application(text.to_owned())),
            Some((kind, name)) => (kind, name),
        };
        if kind.is_empty() || name.is_empty() || name.contains('/') {
            return Err(wrong());
        }
        let word = kind.to_lowercase();
        // The group of another tool has to be named: application.argoproj.io.
        let is_ours = ["application", "applications"]
            .iter()
            .any(|ours| word == *ours || word == format!("{ours}.sluice.dev"));
        Ok(match is_ours {
            true => Self::Application(name.to_owned()),
            false => Self::Object {
                kind: kind.to_owned(),
                name: name.to_owned(),
            },
        })
    }
}

/// Who judges.
#[derive(Debug, Args)]
pub(super) struct Judges {
    /// Judge by the policies of the Application in this file; an Application by its own, anything else by the standard plugins and
    /// --plugin-dir by default
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// Judge by this plugin, with the settings in FILE; may be given several times
    #[arg(long = "plugin", value_name = "NAME[=FILE]", conflicts_with = "application")]
    plugins: Vec<String>,
}

impl Judges {
    /// The policies that are asked for; none for those that hold anyway.
    pub(super) fn policies(&self) -> Result<Option<Policies>, Failure> {
        if let Some(file) = &self.application {
            return Ok(Some(documents::application(file)?.spec.policies));
        }
        match self.plugins.is_empty() {
            true => Ok(None),
            false => by_name(&self.plugins).map(Some),
        }
    }
}

/// The policies of plugins that are named, each as `NAME` or `NAME=FILE`.
pub(super) fn by_name(plugins: &[String]) -> Result<Policies, Failure> {
    let policy = |named: &String| {
        let (plugin, file) = match named.split_once('=') {
            Some((plugin, file)) => (plugin, Some(Path::new(file))),
            None => (named.as_str(), None),
        };
        Ok(PolicyRef {
            plugin: plugin.to_owned(),
            settings: file.map(documents::settings).transpose()?.unwrap_or_default(),
        })
    };
    let health = plugins.iter().map(policy).collect::<Result<_, Failure>>()?;
    Ok(Policies {
        health,
        ..Policies::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_or_an_object_is_meant() {
        let application = |name: &str| Ok(What::Application(name.to_owned()));
        let object = |kind: &str, name: &str| {
            Ok(What::Object {
                kind: kind.to_owned(),
                name: name.to_owned(),
            })
        };
        for (text, meant) in [
            ("guestbook", application("guestbook")),
            ("application/diff", application("diff")),
            ("Applications.sluice.dev/diff", application("diff")),
            (
                "application.argoproj.io/web",
                object("application.argoproj.io", "web"),
            ),
            ("deployments.apps/web", object("deployments.apps", "web")),
            ("deploy/web", object("deploy", "web")),
        ] {
            assert_eq!(text.parse::<What>(), meant, "{text}");
        }
        for text in ["", "/web", "deploy/", "a/b/c"] {
            assert!(text.parse::<What>().is_err(), "{text}");
        }
    }
}
