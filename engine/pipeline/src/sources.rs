//! The sources of an Application, each by itself: what was found of it, and what of that may be synced.
//!
//! What a source comes from is an [`Origin`]. Only the stages that fetch, verify and read look into it; everything else goes by the text
//! that tells one state of a source from another ([`Origin::id`]), and by the files.

use std::sync::Arc;

use sluice_model::application::{Source, VerificationState};
use sluice_model::manifest::Origin as Place;
use sluice_model::revisions;
use sluice_model::tree::{Revision, Tree};
use sluice_model::trust::{SignatureReport, Signer, Verified};
use sluice_render::Rendered;
use sluice_source::{Fetched, TreeLimits};

use crate::TrustStart;
use crate::error::PipelineError;
use crate::trust::{HeldBack, Starts};

/// A source as the stages take it: its part of the spec, read, and what of the status is about it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSource {
    /// What tells it from the Application's others; empty for one that is alone.
    pub name: String,
    /// What it says, as written.
    pub spec: Source,
    /// The revision that it is kept at instead of its target.
    pub pinned: Option<String>,
    /// Where trust starts in mode `chain`.
    pub start_of_trust: Option<TrustStart>,
    /// What of its history was verified.
    pub verified: VerificationState,
}

impl JobSource {
    /// Returns the name of the revision that is wanted: the pinned one, or the target revision.
    pub fn wanted(&self) -> &str {
        self.pinned.as_deref().unwrap_or(&self.spec.target_revision)
    }

    /// Returns the field of the spec that it is written in; `index` is its place among the Application's sources.
    pub(crate) fn field(&self, index: usize) -> String {
        field_of(&self.name, index)
    }

    /// Returns true for one of several that is only there for the values files of others.
    pub(crate) fn gives_values_alone(&self) -> bool {
        !self.name.is_empty() && !self.spec.is_rendered()
    }
}

/// Where the files of a source are from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A commit of a Git repository.
    Git(GitOrigin),
    /// A version of a chart, or an artifact of a registry.
    Chart(ChartOrigin),
}

/// A version of a chart, or an artifact of a registry.
#[derive(Debug, Clone)]
pub struct ChartOrigin {
    /// The archive, which is its own revision.
    pub(crate) fetched: Arc<sluice_charts::Fetched>,
    /// What was asked for, without what stands for the newest.
    pub(crate) place: sluice_charts::Place,
}

/// A commit of a Git repository.
#[derive(Debug, Clone)]
pub struct GitOrigin {
    /// What the name means.
    pub revision: Revision,
    /// Where its files are, also those beyond the source's folder.
    pub(crate) repository: Arc<Fetched>,
}

impl Origin {
    /// Returns the text that tells this state of the source from all others: of a repository, the commit; of a chart or an
    /// artifact, the SHA-256 of its archive.
    pub fn id(&self) -> &str {
        match self {
            Self::Git(git) => &git.revision.commit,
            Self::Chart(chart) => &chart.fetched.revision.commit,
        }
    }

    /// Returns what was asked for.
    pub fn requested(&self) -> &str {
        match self {
            Self::Git(git) => &git.revision.requested,
            Self::Chart(chart) => &chart.fetched.revision.requested,
        }
    }

    /// Returns the annotated tag that led there, if one did: its full object id.
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Git(git) => git.revision.tag.as_deref(),
            Self::Chart(_) => None,
        }
    }

    /// Returns the version, of a chart; of an artifact, the tag.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Git(_) => None,
            Self::Chart(chart) => Some(&chart.fetched.version),
        }
    }

    /// Returns the revision for people: of a chart, with the version.
    pub fn described(&self) -> String {
        match self {
            Self::Git(git) => git.revision.commit.clone(),
            Self::Chart(chart) => {
                let fetched = &chart.fetched;
                format!("{} (sha256:{})", fetched.version, fetched.revision.commit)
            }
        }
    }
}

/// A source at a revision, not judged yet.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which source.
    pub source: JobSource,
    /// What its revision means now.
    pub origin: Origin,
    /// How new the repository was then ([`crate::mirrors::Mirror::version`]).
    pub version: u64,
}

/// A revision of one source that was let through.
#[derive(Debug, Clone)]
pub struct TrustedSource {
    /// Which source.
    pub source: JobSource,
    /// The trusted revision.
    pub origin: Origin,
    /// Its files.
    pub tree: Arc<Verified<Tree>>,
    /// Who signed it; none where nothing was asked for.
    pub signer: Option<Signer>,
    /// Every signature that was looked at for it.
    pub reports: Vec<SignatureReport>,
    /// Where trust starts.
    pub starts: Starts,
    /// Why it is not the revision that was asked for; none where it is.
    pub held_back: Option<HeldBack>,
}

impl TrustedSource {
    /// Reads what its revision has at a path from the root: a file, or all below a folder. None if there is nothing. Nobody has vouched for
    /// it yet: [`Verified::with`] of its own tree does.
    pub(crate) fn at(&self, path: &str) -> Result<Option<Tree>, PipelineError> {
        match &self.origin {
            Origin::Chart(chart) => Ok(chart.fetched.at(path)),
            Origin::Git(git) => Ok(git.repository.at(&git.revision, path, &TreeLimits::default())?),
        }
    }
}

/// What may be synced of an Application: each of its sources, in the order of its spec.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// One for each.
    pub sources: Vec<TrustedSource>,
}

impl Trusted {
    /// Returns the text that tells this state of all sources from all others ([`revisions::joined`]).
    pub fn id(&self) -> String {
        revisions::joined(
            self.sources
                .iter()
                .map(|one| (&*one.source.name, one.origin.id())),
        )
    }

    /// Returns the versions of those that are charts or artifacts, written the same way; none if there is none.
    pub fn version(&self) -> Option<String> {
        let versions = self
            .sources
            .iter()
            .filter_map(|one| Some((&*one.source.name, one.origin.version()?)));
        Some(revisions::joined(versions)).filter(|versions| !versions.is_empty())
    }

    /// Returns what was asked for, written the same way.
    pub fn requested(&self) -> String {
        let requested = |one: &TrustedSource| one.origin.requested().to_owned();
        let named: Vec<_> = self
            .sources
            .iter()
            .map(|one| (&one.source.name, requested(one)))
            .collect();
        revisions::joined(
            named
                .iter()
                .map(|(name, requested)| (name.as_str(), requested.as_str())),
        )
    }

    /// Returns the submodules in the folders of its sources: nothing is read of those.
    pub fn submodules(&self) -> Vec<String> {
        let trees = self.sources.iter().map(|one| one.tree.get());
        trees.flat_map(|tree| tree.submodules.iter().cloned()).collect()
    }
}

/// What a source came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderedSource {
    /// What tells it from the Application's others; empty for one that is alone.
    pub name: String,
    /// By which renderer, `NAME@sha256:…`; none for plain manifests.
    pub renderer: Option<String>,
    /// What it was rendered to.
    pub rendered: Rendered,
}

/// The field of the spec that a source is written in: one that is alone has no name.
pub(crate) fn field_of(name: &str, index: usize) -> String {
    match name {
        "" => "spec.source".to_owned(),
        _ => format!("spec.sources[{index}]"),
    }
}

/// Writes before a file's path which of several sources it is of.
pub(crate) fn place_in(source: &str, file: &str) -> String {
    match source {
        "" => file.to_owned(),
        name => format!("{name}:{file}"),
    }
}

/// The source of a place that [`place_in`] wrote: no name of a source has a colon in it.
pub(crate) fn of_place(place: &Place) -> &str {
    place.file.split_once(':').map_or("", |(source, _)| source)
}

/// Returns the text that tells what was found of all sources of an Application from other states of them.
pub fn id_of(found: &[Found]) -> String {
    revisions::joined(found.iter().map(|one| (&*one.source.name, one.origin.id())))
}
