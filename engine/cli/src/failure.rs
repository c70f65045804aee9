//! How a command ends when it does not end well: code, message, causes and a hint on stderr, and an exit status by kind.

pub mod codes;

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use sluice_model::{Coded, ErrorCode, ExitKind};
use sluice_operations::OperationError;
use sluice_pipeline::PipelineError;
use sluice_plugin_host::PluginProblem;

use crate::output::{BAD, STRONG, plain, styled};

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong; all of it, as far as it was found.
    Coded(Vec<Box<dyn Coded>>),
    /// Nothing went wrong, and what was printed says no.
    Answered(ExitKind),
    /// The reader of our output has gone: there is nothing to say, and no one to say it to.
    BrokenPipe,
}

impl Failure {
    /// One thing went wrong.
    pub(crate) fn of(error: impl Coded + 'static) -> Self {
        Self::Coded(vec![Box::new(error)])
    }

    /// The ids of what went wrong.
    #[cfg(test)]
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        match self {
            Self::Coded(errors) => errors.iter().map(|error| error.code().id).collect(),
            Self::Answered(_) | Self::BrokenPipe => Vec::new(),
        }
    }

    /// Everything that is wrong with manifests.
    pub(crate) fn each(errors: sluice_render::RenderErrors) -> Self {
        Self::Coded(
            errors
                .iter()
                .map(|error| Box::new(error.clone()) as Box<dyn Coded>)
                .collect(),
        )
    }

    /// A stage failed.
    pub(crate) fn pipeline(error: PipelineError) -> Self {
        Self::Coded(error.into_coded())
    }

    /// Plugins that did not answer.
    pub(crate) fn plugins(problems: Vec<PluginProblem>) -> Self {
        Self::Coded(
            problems
                .into_iter()
                .map(|problem| Box::new(PluginFailed(problem)) as Box<dyn Coded>)
                .collect(),
        )
    }

    /// Tells stderr, and says how to exit.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Coded(errors) => {
                let mut stderr = anstream::stderr().lock();
                for error in &errors {
                    // Where stderr is closed too, the exit status is all that is left.
                    let _nobody_reads = write_error(&mut stderr, error.as_ref());
                }
                errors
                    .first()
                    .map_or(ExitKind::Internal, |error| error.code().exit)
                    .into_exit_code()
            }
            Self::Answered(kind) => kind.into_exit_code(),
            Self::BrokenPipe => ExitCode::SUCCESS,
        }
    }
}

fn write_error(stderr: &mut impl io::Write, error: &dyn Coded) -> io::Result<()> {
    let code = error.code();
    writeln!(
        stderr,
        "{}: {}",
        styled(BAD.bold(), format_args!("error[{}]", code.id)),
        plain(&error.to_string())
    )?;
    let mut source = error.source();
    let mut said = error.to_string();
    while let Some(cause) = source {
        let message = cause.to_string();
        // Some libraries repeat their cause at the end of their own message.
        if !said.ends_with(&message) {
            writeln!(stderr, "  caused by: {}", plain(&message).replace('\n', "\n    "))?;
            said = message;
        }
        source = cause.source();
    }
    writeln!(stderr, "{}: {}", styled(STRONG, "hint"), plain(&error.hint()))
}

/// A plugin that did not answer: the cautious default stood in for its answer.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{}`: {}", .0.plugin, .0.message)]
struct PluginFailed(PluginProblem);

impl Coded for PluginFailed {
    fn code(&self) -> &'static ErrorCode {
        self.0.code
    }
}

trait IntoExitCode {
    fn into_exit_code(self) -> ExitCode;
}

impl IntoExitCode for ExitKind {
    fn into_exit_code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// Errors of stdout alone: everything that is read has an error of its own.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::of(CliError::Output(error)),
        }
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Pipeline(error) => Self::pipeline(error),
            OperationError::Plugins(problems) => Self::plugins(problems),
            other => Self::of(other),
        }
    }
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::of(error)
    }
}

/// What goes wrong in the command line itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A file that was named cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file, `-` for stdin.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A key or a part of a keyring cannot be used.
    #[error("{place}: {message}")]
    DamagedKey {
        /// Where it is.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// There is no such ConfigMap or Secret.
    #[error("there is no {what}")]
    NoKeyring {
        /// What is missing.
        what: String,
    },
    /// A keyring holds keys of another form than those that are to be added.
    #[error("{place} holds keys of another form")]
    OtherKeyring {
        /// Where it is.
        place: String,
    },
    /// Stdout cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// A value has no JSON form.
    #[error("cannot encode the output as JSON")]
    Encode(#[source] serde_json::Error),
    /// Nothing was in a file that should hold objects.
    #[error("{} holds no object", .path.display())]
    NoObject {
        /// The file, `-` for stdin.
        path: PathBuf,
    },
    /// An Application that is not written as its schema wants it.
    #[error("{path}: the Application cannot be used")]
    BadApplication {
        /// The file, `stdin` for `-`; with the line where that is known.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file that should hold an Application holds something else.
    #[error("{} holds no Application", .path.display())]
    NotAnApplication {
        /// The file, `-` for stdin.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file of a plugin's settings holds something else.
    #[error("{} holds no settings: {why}", .path.display())]
    BadSettings {
        /// The file, `-` for stdin.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A case of a plugin's tests cannot be used.
    #[error("{}: {why}", .path.display())]
    BadCase {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that should hold a plan holds something else.
    #[error("{} holds no plan", .path.display())]
    NotAPlan {
        /// The file, `-` for stdin.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Without a cluster there is no Application by name.
    #[error("without a cluster, the Application has to be in a file")]
    OfflineNeedsFile,
    /// No plugin of that name serves.
    #[error("there is no plugin `{name}`")]
    NoPlugin {
        /// Its name.
        name: String,
    },
    /// No runtime for what waits.
    #[error("cannot start the asynchronous runtime")]
    Runtime(#[source] io::Error),
}

impl Coded for CliError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Read { .. } => &codes::READ,
            Self::Write { .. } => &codes::WRITE,
            Self::DamagedKey { .. } => &codes::DAMAGED_KEY,
            Self::NoKeyring { .. } => &codes::NO_KEYRING,
            Self::OtherKeyring { .. } => &codes::OTHER_KEYRING,
            Self::Output(_) => &codes::OUTPUT,
            Self::Encode(_) => &codes::ENCODE,
            Self::NoObject { .. } => &codes::NO_OBJECT,
            Self::NotAnApplication { .. } | Self::BadApplication { .. } => &codes::NOT_AN_APPLICATION,
            Self::BadSettings { .. } => &codes::BAD_SETTINGS,
            Self::BadCase { .. } => &codes::BAD_CASE,
            Self::NotAPlan { .. } => &codes::NOT_A_PLAN,
            Self::OfflineNeedsFile => &codes::OFFLINE_NEEDS_FILE,
            Self::Runtime(_) => &codes::RUNTIME,
            Self::NoPlugin { .. } => &codes::NO_PLUGIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of every kind.
    fn every_error() -> Vec<CliError> {
        let path = PathBuf::from("a.yaml");
        let json = || serde_json::from_str::<u8>("x").unwrap_err();
        let text = str::to_owned;
        vec![
            CliError::Read {
                path: path.clone(),
                source: io::Error::other("no"),
            },
            CliError::Output(io::Error::other("full")),
            CliError::Encode(json()),
            CliError::NoObject { path: path.clone() },
            CliError::NotAnApplication {
                path: path.clone(),
                source: "it holds a Pod".into(),
            },
            CliError::DamagedKey {
                place: text("team.asc"),
                message: text("it holds no key"),
            },
            CliError::NoKeyring {
                what: text("ConfigMap shop/keys"),
            },
            CliError::OtherKeyring {
                place: text("team.asc"),
            },
            CliError::Write {
                path: path.clone(),
                source: io::Error::other("full"),
            },
            CliError::BadSettings {
                path: path.clone(),
                why: text("it is a list"),
            },
            CliError::BadCase {
                path: path.clone(),
                why: text("it is a list"),
            },
            CliError::NotAPlan { path, source: json() },
            CliError::OfflineNeedsFile,
            CliError::NoPlugin { name: text("x") },
            CliError::Runtime(io::Error::other("no threads")),
        ]
    }

    fn shown(error: &dyn Coded) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        write_error(&mut out, error).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn every_code_is_raised_and_every_error_is_listed() {
        let raised: std::collections::BTreeSet<&str> =
            every_error().iter().map(|error| error.code().id).collect();
        let listed: std::collections::BTreeSet<&str> = codes::ALL.iter().map(|code| code.id).collect();
        assert_eq!(raised, listed);
    }

    #[test]
    fn an_error_is_a_code_its_causes_and_a_hint() {
        for error in every_error() {
            let text = shown(&error);
            assert!(
                text.starts_with(&format!("error[{}]: ", error.code().id)),
                "{text}"
            );
            assert_eq!(
                error.source().is_some(),
                text.contains("\n  caused by: "),
                "{text}"
            );
            assert!(text.ends_with(&format!("\nhint: {}\n", error.hint())), "{text}");
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}
