//! What can go wrong with a chart or an artifact.

use std::path::PathBuf;

use sluice_model::{Coded, ErrorCode};
use sluice_source::SourceError;
use thiserror::Error;

/// What can go wrong with a chart or an artifact. URLs in it carry no credentials and no query.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChartError {
    /// The server cannot be reached, or does not let in who asks.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// `repoURL` and `chart` do not name a chart.
    #[error("`{url}` cannot be used: {reason}")]
    Place {
        /// As it was written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A range of versions that means nothing.
    #[error("`{text}` is neither a version nor a range of versions: {reason}")]
    Range {
        /// As it was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The index of a chart repository cannot be read.
    #[error("the index of {url} cannot be read: {reason}")]
    Index {
        /// The repository.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such chart.
    #[error("there is no chart `{chart}` in {url}")]
    UnknownChart {
        /// The chart.
        chart: String,
        /// The repository.
        url: String,
    },
    /// There is no version that would do.
    #[error("{what} has no version `{wanted}`{}", near(.there))]
    UnknownVersion {
        /// The chart and where it is.
        what: String,
        /// The version or range.
        wanted: String,
        /// The newest of those that there are.
        there: Vec<String>,
    },
    /// What came is not what was announced.
    #[error("{what} is not what was announced: its digest is {seen}, and {wanted} was announced")]
    Digest {
        /// What, and from where.
        what: String,
        /// `sha256:…` of what came.
        seen: String,
        /// `sha256:…` that was announced.
        wanted: String,
    },
    /// An archive that is another chart, or another version, than the one it is given out as.
    #[error("the archive given out as {wanted} is {seen}")]
    Another {
        /// Chart and version that were asked for.
        wanted: String,
        /// Chart and version that its `Chart.yaml` has.
        seen: String,
    },
    /// An archive that cannot be unpacked.
    #[error("the archive {name} cannot be unpacked: {reason}")]
    Archive {
        /// Its name.
        name: String,
        /// What is wrong with it, with the entry.
        reason: String,
    },
    /// An archive with an entry that no honest archive has.
    #[error("the archive {name} has a dangerous entry, {entry}: {reason}")]
    Hostile {
        /// Its name.
        name: String,
        /// The entry, escaped.
        entry: String,
        /// Why it is dangerous.
        reason: &'static str,
    },
    /// A bound was reached.
    #[error("{what} is too large: the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// A registry's manifest that is neither of a chart nor of manifests.
    #[error("{what} is neither a chart nor an artifact of manifests: {reason}")]
    Artifact {
        /// Where it is.
        what: String,
        /// What it is instead.
        reason: String,
    },
    /// A registry that answers what no registry answers.
    #[error("the registry of {url} answers what cannot be read: {reason}")]
    Registry {
        /// The place.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// There is no such folder in an artifact.
    #[error("path `{path}` does not exist in {what}")]
    UnknownPath {
        /// What was asked for.
        path: String,
        /// The archive.
        what: String,
    },
    /// The cache cannot be used.
    #[error("the cache of charts {} cannot be used", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

fn near(there: &[String]) -> String {
    match there {
        [] => "; it has none at all that is a version".to_owned(),
        there => format!("; the newest are {}", there.join(", ")),
    }
}

impl Coded for ChartError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Source(error) => error.code(),
            Self::Place { .. } => &codes::PLACE,
            Self::Range { .. } => &codes::RANGE,
            Self::Index { .. } => &codes::INDEX,
            Self::UnknownChart { .. } => &codes::UNKNOWN_CHART,
            Self::UnknownVersion { .. } => &codes::UNKNOWN_VERSION,
            Self::Digest { .. } => &codes::DIGEST,
            Self::Another { .. } => &codes::ANOTHER,
            Self::Archive { .. } => &codes::ARCHIVE,
            Self::Hostile { .. } => &codes::HOSTILE,
            Self::TooLarge { .. } => &codes::TOO_LARGE,
            Self::Artifact { .. } => &codes::ARTIFACT,
            Self::Registry { .. } => &codes::REGISTRY,
            Self::UnknownPath { .. } => &codes::UNKNOWN_PATH,
            Self::Cache { .. } => &codes::CACHE,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Source(error) => error.hint(),
            _ => self.code().hint.to_owned(),
        }
    }
}

/// The codes of this stage.
pub mod codes {
    use sluice_model::{ErrorCode, ExitKind};

    macro_rules! codes {
        ($($(#[$doc:meta])* $name:ident = $id:literal, $exit:ident, $summary:literal, $hint:literal;)*) => {
            $($(#[$doc])* pub const $name: ErrorCode =
                ErrorCode { id: $id, summary: $summary, hint: $hint, exit: ExitKind::$exit };)*
            /// All of them.
            pub const ALL: &[&ErrorCode] = &[$(&$name),*];
        };
    }

    codes! {
        /// `repoURL` and `chart` do not name a chart.
        PLACE = "S40", Input, "the place of a chart or an artifact cannot be used",
            "write `https://…` and `chart` for a chart repository, `oci://HOST/PATH` for a registry (the chart's name is its last part, or `chart`)";
        /// A range that means nothing.
        RANGE = "S41", Input, "a range of chart versions cannot be read",
            "write a version (`1.2.3`), or a range as Helm takes it: `^1.2`, `~1.2.3`, `1.x`, `>=1.2 <2`, `*` for the newest; a prerelease counts only if the range names one";
        /// The index cannot be read.
        INDEX = "S42", Source, "the index of a chart repository cannot be read",
            "`repoURL` is the folder that `index.yaml` is in; look at what it answers, and make the index anew with `helm repo index`";
        /// There is no such chart.
        UNKNOWN_CHART = "S43", Input, "the chart repository has no such chart",
            "check `source.chart` against `helm search repo`; case matters";
        /// There is no such version.
        UNKNOWN_VERSION = "S44", Input, "the chart has no version that would do",
            "name one that there is, or a wider range, in `source.targetRevision`; prereleases count only if the range names one (`>=1.0.0-0`)";
        /// What came is not what was announced.
        DIGEST = "S45", Source, "an archive does not have the digest that was announced for it",
            "it was changed on the way or after it was announced: find out which, and publish the version anew under a new number; nothing of it is used";
        /// An archive of another chart or version.
        ANOTHER = "S46", Source, "an archive is of another chart or version than the one that was asked for",
            "find out who published it: an old release may be passed off as a new one; the index, or the tag, has to say what the archive's Chart.yaml says";
        /// An archive that cannot be unpacked.
        ARCHIVE = "S47", Input, "an archive cannot be unpacked",
            "make it anew: `helm package` for charts, `flux push artifact` or `oras push` for manifests";
        /// A dangerous entry.
        HOSTILE = "S48", Input, "an archive has an entry that no honest archive has",
            "find out who made it; nothing of it is used";
        /// A bound was reached.
        TOO_LARGE = "S49", Input, "a chart, an index or an artifact is larger than is taken",
            "make it smaller: what does not belong to a chart goes into its .helmignore";
        /// Neither chart nor manifests.
        ARTIFACT = "S50", Input, "what the registry has is neither a chart nor an artifact of manifests",
            "a chart is pushed with `helm push`, manifests with `flux push artifact`, or with `oras push` as one layer `application/vnd.oci.image.layer.v1.tar+gzip`; images cannot be rendered";
        /// A registry that answers nonsense.
        REGISTRY = "S51", Source, "a registry answers what cannot be read",
            "check that `repoURL` is of an OCI registry; the controller tries again by itself";
        /// There is no such folder.
        UNKNOWN_PATH = "S52", Input, "the path does not exist in the artifact",
            "check `source.path`: it is relative to the root of the artifact, and case matters";
        /// The cache cannot be used.
        CACHE = "S53", Source, "the cache of charts cannot be used",
            "check that its folder may be written to and that the disk is not full; it can be removed at any time";
    }
}
