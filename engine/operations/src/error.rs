//! Why a person cannot have what was asked for.

use std::fmt;

use sluice_apply::ApplyError;
use sluice_cluster::ClusterError;
use sluice_model::plan::ApplicationKey;
use sluice_model::{Application, Coded, ErrorCode};
use sluice_pipeline::PipelineError;
use sluice_plugin_host::PluginProblem;

use crate::codes;

/// An operation that was refused, or failed.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The cluster of the Applications.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A stage.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Plugins that did not answer; never none.
    #[error("{}", plugins_text(.0))]
    Plugins(Vec<PluginProblem>),
    /// There is no such Application.
    #[error("there is no Application `{}` in namespace `{}`", .application.name, .application.namespace)]
    NoApplication {
        /// Which one was asked for.
        application: ApplicationKey,
    },
    /// The cluster has no kind that is called so.
    #[error("the cluster has no kind `{name}`")]
    NoKind {
        /// What was asked for.
        name: String,
    },
    /// The API server has no such kind.
    #[error("the cluster does not know the kind Application")]
    NotInstalled,
    /// What the API server holds is not what this Sluice calls an Application.
    #[error("Application `{name}` cannot be read")]
    Unreadable {
        /// Its name.
        name: String,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
    /// A request has no JSON form.
    #[error("cannot encode the request as JSON")]
    Encode(#[source] serde_json::Error),
    /// Nothing waits for an approval.
    #[error("nothing of Application {application} waits for approval")]
    NothingPending {
        /// Whose approval.
        application: ApplicationKey,
    },
    /// Another plan, or another history, waits for approval.
    #[error("Application {application} waits for the approval of {what} {pending}, not of {given}")]
    OtherPending {
        /// Whose approval.
        application: ApplicationKey,
        /// `plan` or `the history of`.
        what: &'static str,
        /// What was given.
        given: String,
        /// What the status says.
        pending: String,
    },
    /// There is no earlier revision in the history.
    #[error("the history of Application {application} has {what}")]
    NothingEarlier {
        /// Whose history.
        application: ApplicationKey,
        /// What was looked for, in words.
        what: String,
    },
    /// There is nothing that could be ended.
    #[error("Application {application} {what}")]
    NothingToEnd {
        /// Which one.
        application: ApplicationKey,
        /// What there is not.
        what: &'static str,
    },
    /// Nothing is written while an Application is paused.
    #[error("Application {application} is paused{}", because(.reason))]
    Paused {
        /// Which one.
        application: ApplicationKey,
        /// Why, if that was said.
        reason: String,
    },
    /// The sync that was followed failed.
    #[error("the sync of Application {application} failed")]
    Failed {
        /// Which one.
        application: ApplicationKey,
        /// What its status says.
        #[source]
        status: Standing,
    },
    /// The Application went away while it was followed.
    #[error("Application {application} was deleted meanwhile")]
    Gone {
        /// Which one.
        application: ApplicationKey,
    },
    /// The time that was given is over.
    #[error("Application {application} is not {wanted} after {after}")]
    Timeout {
        /// Which one was waited for.
        application: ApplicationKey,
        /// For what.
        wanted: String,
        /// How long.
        after: String,
        /// How it stands.
        #[source]
        now: Standing,
    },
}

/// How an Application stands, in a line for people: the cause of a failure, or what is told while it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing(pub(crate) String);

impl Standing {
    /// Returns how an Application stands; none is one that does not exist.
    pub fn of(application: Option<&Application>) -> Self {
        Self(application.map_or_else(|| "it does not exist".to_owned(), describe))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Standing {}

fn describe(application: &Application) -> String {
    let Some(status) = &application.status else {
        return "no controller has looked at it yet".to_owned();
    };
    let mut text = format!("{:?}, {:?}", status.sync.status, status.health.status);
    let mut add = |part: &str, message: &str| {
        if !message.is_empty() {
            text.push_str(&format!("; {part}{message}"));
        }
    };
    add("", &status.health.message);
    if let Some(operation) = &status.operation {
        let phase = format!("{:?}", operation.phase());
        let message = match operation.message() {
            message if message.is_empty() => phase,
            message => format!("{phase}: {message}"),
        };
        add("operation ", &message);
    }
    let conditions = status.conditions.iter();
    for condition in conditions.filter(|condition| condition.status == "False") {
        add(
            "",
            &format!("{} is False: {}", condition.r#type, condition.message),
        );
    }
    text
}

/// `: why`, if that was said.
fn because(reason: &str) -> String {
    match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    }
}

fn plugins_text(problems: &[PluginProblem]) -> String {
    let lines = problems.iter().map(PluginProblem::one_line);
    lines.collect::<Vec<_>>().join("\n")
}

impl Coded for OperationError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Cluster(error) => error.code(),
            Self::Pipeline(error) => error.code(),
            Self::Apply(error) => error.code(),
            Self::Plugins(problems) => problems
                .first()
                .map_or(&sluice_pipeline::codes::INTERNAL, |problem| problem.code),
            Self::NoApplication { .. } => &codes::NO_APPLICATION,
            Self::NoKind { .. } => &codes::NO_KIND,
            Self::NotInstalled => &codes::NOT_INSTALLED,
            Self::Unreadable { .. } => &codes::UNREADABLE_APPLICATION,
            Self::Encode(_) => &sluice_pipeline::codes::INTERNAL,
            Self::NothingPending { .. } => &codes::NOTHING_PENDING,
            Self::OtherPending { .. } => &codes::OTHER_PENDING,
            Self::NothingEarlier { .. } => &codes::NOTHING_EARLIER,
            Self::NothingToEnd { .. } => &codes::NOTHING_TO_END,
            Self::Paused { .. } => &codes::PAUSED,
            Self::Failed { .. } => &codes::OPERATION_FAILED,
            Self::Gone { .. } => &codes::GONE,
            Self::Timeout { .. } => &codes::TIMEOUT,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Cluster(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            Self::Plugins(_)
            | Self::NoApplication { .. }
            | Self::NoKind { .. }
            | Self::NotInstalled
            | Self::Unreadable { .. }
            | Self::Encode(_)
            | Self::NothingPending { .. }
            | Self::OtherPending { .. }
            | Self::NothingEarlier { .. }
            | Self::NothingToEnd { .. }
            | Self::Paused { .. }
            | Self::Failed { .. }
            | Self::Gone { .. }
            | Self::Timeout { .. } => self.code().hint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::error::Error as _;

    use super::*;
    use crate::fixture::{guestbook, key};

    /// One of every kind that is this crate's own, with what it says.
    fn own() -> Vec<(OperationError, &'static str)> {
        let application = key();
        let json = || serde_json::from_str::<u8>("x").unwrap_err();
        let text = str::to_owned;
        vec![
            (
                OperationError::NoApplication {
                    application: application.clone(),
                },
                "there is no Application `guestbook` in namespace `shop`",
            ),
            (
                OperationError::NoKind { name: text("frob") },
                "the cluster has no kind `frob`",
            ),
            (
                OperationError::NotInstalled,
                "the cluster does not know the kind Application",
            ),
            (
                OperationError::Unreadable {
                    name: text("web"),
                    source: json(),
                },
                "Application `web` cannot be read",
            ),
            (
                OperationError::NothingPending {
                    application: application.clone(),
                },
                "nothing of Application shop/guestbook waits for approval",
            ),
            (
                OperationError::OtherPending {
                    application: application.clone(),
                    what: "plan",
                    given: text("sha256:1"),
                    pending: text("sha256:2"),
                },
                "Application shop/guestbook waits for the approval of plan sha256:2, not of sha256:1",
            ),
            (
                OperationError::NothingEarlier {
                    application: application.clone(),
                    what: text("no entry 7 with a revision"),
                },
                "the history of Application shop/guestbook has no entry 7 with a revision",
            ),
            (
                OperationError::NothingToEnd {
                    application: application.clone(),
                    what: "is neither paused nor pinned",
                },
                "Application shop/guestbook is neither paused nor pinned",
            ),
            (
                OperationError::Paused {
                    application: application.clone(),
                    reason: text("a migration"),
                },
                "Application shop/guestbook is paused: a migration",
            ),
            (
                OperationError::Paused {
                    application: application.clone(),
                    reason: String::new(),
                },
                "Application shop/guestbook is paused",
            ),
            (
                OperationError::Failed {
                    application: application.clone(),
                    status: Standing(text("refused")),
                },
                "the sync of Application shop/guestbook failed",
            ),
            (
                OperationError::Gone {
                    application: application.clone(),
                },
                "Application shop/guestbook was deleted meanwhile",
            ),
            (
                OperationError::Timeout {
                    application,
                    wanted: text("synced and healthy"),
                    after: text("300s"),
                    now: Standing(text("OutOfSync")),
                },
                "Application shop/guestbook is not synced and healthy after 300s",
            ),
        ]
    }

    #[test]
    fn every_error_says_whose_it_is_and_every_code_is_raised() {
        let mut raised = BTreeSet::new();
        for (error, says) in own() {
            assert_eq!(error.to_string(), says);
            assert_eq!(error.hint(), error.code().hint);
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(
                cause.is_empty() || !says.contains(&cause),
                "{says} has its cause in it"
            );
            raised.insert(error.code().id);
        }
        let listed: BTreeSet<&str> = codes::ALL.iter().map(|code| code.id).collect();
        assert_eq!(raised, listed);
    }

    #[test]
    fn what_a_stage_says_stays_its_own() {
        let error = OperationError::from(PipelineError::Empty);
        assert_eq!(
            (error.code().id, error.hint()),
            ("K08", PipelineError::Empty.hint())
        );
    }

    #[test]
    fn a_standing_is_a_line() {
        assert_eq!(Standing::of(None).to_string(), "it does not exist");
        let fresh = Application {
            status: None,
            ..guestbook()
        };
        let fresh = Standing::of(Some(&fresh)).to_string();
        assert_eq!(fresh, "no controller has looked at it yet");
        let standing = Standing::of(Some(&guestbook())).to_string();
        assert!(standing.starts_with("OutOfSync, Degraded; "), "{standing}");
        assert!(standing.contains("; operation "), "{standing}");
        assert!(!standing.contains('\n'), "{standing}");
    }
}
