//! Why an application could not be followed to the end of the pipeline.

use std::sync::Arc;

use sluice_apply::ApplyError;
use sluice_charts::ChartError;
use sluice_cluster::ClusterError;
use sluice_model::error::{Coded, ErrorCode};
use sluice_observe::ObserveError;
use sluice_render::RenderErrors;
use sluice_sops::SopsError;
use sluice_source::SourceError;
use sluice_verify::VerifyError;

use crate::Problem;
use crate::codes;

/// A stage that failed.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The repository.
    #[error(transparent)]
    Source(Arc<SourceError>),
    /// The chart repository, or the registry.
    #[error(transparent)]
    Chart(Arc<ChartError>),
    /// The revision is not trusted.
    #[error("{}", refused_text(.commit))]
    Verify {
        /// The commit that was refused.
        commit: String,
        /// Why it is not trusted.
        #[source]
        error: Arc<VerifyError>,
    },
    /// Trust in what the cluster is at.
    #[error("the cluster is at {}, which is no longer trusted", short(.commit))]
    NoLongerTrusted {
        /// The last trusted commit.
        commit: String,
        /// Why it is not trusted.
        #[source]
        error: Arc<VerifyError>,
    },
    /// The manifests could not be rendered.
    #[error("{}", render_text(.0))]
    Render(RenderErrors),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The live state.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A keyring that the spec names is not there.
    #[error("the keyring {what} cannot be used: {detail}")]
    Keyring {
        /// `ConfigMap shop/keys`.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Credentials that the spec names are not there.
    #[error("the credentials Secret {what} cannot be used: {detail}")]
    Credentials {
        /// The Secret, `namespace/name`.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Known hosts or certificates that the spec names are not there.
    #[error("the ConfigMap {what} of known hosts or certificates cannot be used: {detail}")]
    Hosts {
        /// The ConfigMap, `namespace/name`.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Values, variables or keys that the spec names cannot be had.
    #[error("{what} cannot be used: {detail}")]
    Given {
        /// `Secret shop/values`.
        what: String,
        /// What is wrong with it. No value is quoted.
        detail: String,
    },
    /// Encrypted files that are not opened, each with its path; a key that cannot be used has none.
    #[error("{}", undecrypted(.0))]
    Decryption(Vec<(String, SopsError)>),
    /// Mistakes in the spec; never none.
    #[error("{}", spec_text(.0))]
    Spec(Vec<Problem>),
    /// Objects where the engine is not meant to have any.
    #[error("this engine does not manage the namespace of {}", first(.objects))]
    OutOfBounds {
        /// Which, and where they are written.
        objects: Vec<String>,
    },
    /// There is nothing at the revision, and something in the cluster.
    #[error("{}; everything stays as it is", codes::EMPTY.summary)]
    Empty,
    /// One of several sources has nothing, where it is to have something.
    #[error("the source `{source_name}` has no manifests at all; everything stays as it is")]
    EmptySource {
        /// Which one.
        source_name: String,
    },
    /// Revisions of several sources that cannot be told apart.
    #[error("{detail}")]
    Revisions {
        /// What is wrong.
        detail: String,
    },
    /// The automation keeps another revision.
    #[error("the automation keeps the application at {wanted}, so {asked} would not last")]
    Automated {
        /// What it keeps.
        wanted: String,
        /// What was asked for.
        asked: String,
    },
    /// No object is meant.
    #[error("the application neither has nor wants an object that matches {asked}")]
    NothingSelected {
        /// The selectors.
        asked: String,
    },
    /// The hooks for the deletion are not known.
    #[error("the Application has hooks for its deletion, and what they are cannot be read")]
    DeletionHooks,
    /// Which objects are hooks for the deletion is not known.
    #[error("which objects are hooks of the deletion is not known: {problem}")]
    HooksUndecided {
        /// The plugin that did not answer, and why.
        problem: String,
    },
    /// Something that should not happen.
    #[error("a part of the engine failed: {detail}")]
    Internal {
        /// What is known.
        detail: String,
    },
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn refused_text(commit: &str) -> String {
    match commit {
        "" => "no revision can be judged".to_owned(),
        commit => format!("revision {} is refused", short(commit)),
    }
}

/// So many are shown in one message; `sluice render` shows all.
const SHOWN: usize = 20;

fn first(objects: &[String]) -> String {
    let mut text = objects.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if objects.len() > SHOWN {
        text.push_str(&format!(", and {} more", objects.len() - SHOWN));
    }
    text
}

fn render_text(errors: &RenderErrors) -> String {
    let mut lines: Vec<String> = errors
        .iter()
        .take(SHOWN)
        .map(|error| format!("{}: {error}", error.code().id))
        .collect();
    if errors.len() > SHOWN {
        lines.push(format!("and {} more", errors.len() - SHOWN));
    }
    lines.join("\n")
}

fn undecrypted(files: &[(String, SopsError)]) -> String {
    let line = |(file, error): &(String, SopsError)| match file.as_str() {
        "" => error.to_string(),
        file => format!("{file} {error}"),
    };
    let mut lines: Vec<String> = files.iter().take(SHOWN).map(line).collect();
    if files.len() > SHOWN {
        lines.push(format!("and {} more", files.len() - SHOWN));
    }
    lines.join("\n")
}

fn spec_text(problems: &[Problem]) -> String {
    match problems {
        [problem] => problem.to_string(),
        problems => {
            let lines = problems
                .iter()
                .map(|problem| format!("{}: {problem}", problem.code().id));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Each hint once, however many mistakes it is about.
fn hints(problems: &[Problem]) -> String {
    let mut hints: Vec<String> = Vec::new();
    for problem in problems {
        let hint = problem.hint();
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints.join("; ")
}

impl PipelineError {
    /// Returns the failures in it, each with its own code: a set of manifests and a spec may have many.
    pub fn into_coded(self) -> Vec<Box<dyn Coded>> {
        match self {
            Self::Render(errors) => errors
                .iter()
                .map(|error| Box::new(error.clone()) as Box<dyn Coded>)
                .collect(),
            Self::Spec(problems) => problems
                .into_iter()
                .map(|problem| Box::new(problem) as Box<dyn Coded>)
                .collect(),
            Self::Decryption(files) => files
                .into_iter()
                .map(|file| Box::new(Self::Decryption(vec![file])) as Box<dyn Coded>)
                .collect(),
            other => vec![Box::new(other)],
        }
    }

    /// Returns the error of something that should not happen, with what is known of it.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        Self::Internal {
            detail: detail.to_string(),
        }
    }
}

impl From<SourceError> for PipelineError {
    fn from(error: SourceError) -> Self {
        Self::Source(Arc::new(error))
    }
}

impl From<ChartError> for PipelineError {
    fn from(error: ChartError) -> Self {
        Self::Chart(Arc::new(error))
    }
}

impl From<Vec<Problem>> for PipelineError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Spec(problems)
    }
}

impl From<RenderErrors> for PipelineError {
    fn from(errors: RenderErrors) -> Self {
        Self::Render(errors)
    }
}

impl Coded for PipelineError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Source(error) => error.code(),
            Self::Chart(error) => error.code(),
            Self::Verify { error, .. } => error.code(),
            Self::NoLongerTrusted { .. } => &codes::NO_LONGER_TRUSTED,
            Self::Render(errors) => errors.iter().next().map_or(&codes::INTERNAL, Coded::code),
            Self::Cluster(error) => error.code(),
            Self::Observe(error) => error.code(),
            Self::Apply(error) => error.code(),
            Self::Keyring { .. } => &codes::KEYRING,
            Self::Credentials { .. } => &codes::CREDENTIALS,
            Self::Hosts { .. } => &codes::HOSTS,
            Self::Given { .. } => &codes::GIVEN,
            Self::Decryption(files) => files.first().map_or(&codes::INTERNAL, |(_, error)| error.code()),
            Self::Spec(problems) => problems.first().map_or(&codes::SPEC, Coded::code),
            Self::OutOfBounds { .. } => &codes::OUT_OF_BOUNDS,
            Self::Empty | Self::EmptySource { .. } => &codes::EMPTY,
            Self::Revisions { .. } => &codes::REVISIONS,
            Self::Automated { .. } => &codes::AUTOMATED,
            Self::NothingSelected { .. } => &codes::NOTHING_SELECTED,
            Self::DeletionHooks => &codes::DELETION_HOOKS,
            Self::HooksUndecided { .. } => &codes::HOOKS_UNDECIDED,
            Self::Internal { .. } => &codes::INTERNAL,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Source(error) => error.hint(),
            Self::Chart(error) => error.hint(),
            Self::Verify { error, .. } => error.hint(),
            Self::Render(errors) => errors.iter().next().map_or(String::new(), Coded::hint),
            Self::Cluster(error) => error.hint(),
            Self::Observe(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            Self::Spec(problems) => hints(problems),
            Self::Keyring { .. }
            | Self::Credentials { .. }
            | Self::Hosts { .. }
            | Self::Given { .. }
            | Self::Decryption(_)
            | Self::NoLongerTrusted { .. }
            | Self::OutOfBounds { .. }
            | Self::Empty
            | Self::EmptySource { .. }
            | Self::Revisions { .. }
            | Self::Automated { .. }
            | Self::NothingSelected { .. }
            | Self::DeletionHooks
            | Self::HooksUndecided { .. }
            | Self::Internal { .. } => self.code().hint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_should_not_happen_has_a_code_too() {
        let error = PipelineError::internal("a thread panicked");
        assert_eq!(error.code().id, "K07");
        assert!(error.hint().contains("report it"));
    }
}
