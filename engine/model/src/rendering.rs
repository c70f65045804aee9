//! What a renderer is handed and what it answers: the types of WIT `sluice:render`, for the host and for the stage that asks.
//!
//! A renderer (Helm, Kustomize) is a program in a sandbox that imports nothing. It is handed files and settings. If it has to see
//! more (`../base`, a chart that a kustomization inflates), it says so ([`Need`]) and is asked again with the answers ([`Supply`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which renderer is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer<'a> {
    /// One of the engine's own: `helm`, `kustomize` or `jsonnet`.
    Standard(&'static str),
    /// One of the plugin directory, as an Application names it: `NAME` or `NAME@sha256:…`.
    Added(&'a str),
}

impl<'a> Renderer<'a> {
    /// Returns its name, without a digest.
    pub fn name(self) -> &'a str {
        match self {
            Self::Standard(name) => name,
            Self::Added(written) => written.split('@').next().unwrap_or(written),
        }
    }
}

/// What is to be rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// The folder to render, from the repository's root; empty for the root itself.
    pub path: String,
    /// The files below it, and others that are at hand.
    pub files: Vec<File>,
    /// The settings of the source as JSON, by Argo CD's names; empty for none.
    pub settings: String,
    /// What the settings do not say, as JSON ([`Context`]).
    pub context: String,
    /// The answers to all needs of the earlier rounds.
    pub supplied: Vec<Supply>,
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// From the repository's root, `/` between its parts.
    pub path: String,
    /// Byte for byte.
    pub content: Arc<[u8]>,
}

/// What a rendering depends on besides files and settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Helm's release: the Application's name.
    pub release: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// The version of the cluster's server, such as `1.36.0`; the library's own default if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<String>,
    /// What the cluster serves, `apps/v1` and `apps/v1/Deployment`; the library's own default if it is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_versions: Vec<String>,
    /// What `$NAME` stands for in parameters, images and annotations, as with Argo CD.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Where all randomness comes from, 64 hexadecimal digits. Without it a rendering that needs any is refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seed: String,
    /// What the time is, RFC 3339. Without it a rendering that looks at the clock is refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub now: String,
}

/// What a renderer has to be handed before it can answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A file, or all files below a folder, of the same repository.
    Path(String),
    /// What lies elsewhere, as the user wrote it.
    Remote(String),
    /// A chart that has to be fetched, as JSON: name, repository, version.
    Chart(String),
    /// A chart that has to be rendered by the renderer of charts, as JSON.
    Inflation(String),
}

/// The answer to a need of an earlier round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supply {
    /// Which need.
    pub need: Need,
    /// The folder or file that was asked for.
    pub path: String,
    /// At or below it, and what it needs around it. None: it is not there.
    pub files: Vec<File>,
}

/// What a document is to its chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// An object like any other.
    Manifest,
    /// Of a chart's folder `crds`.
    Crd,
    /// Carries a `helm.sh/hook` annotation.
    Hook,
    /// Is a hook that is a test.
    Test,
}

/// One rendered manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its YAML, as the library gives it.
    pub text: String,
    /// The file that it came from, as the library names it; empty if that cannot be told.
    pub source: String,
    /// What it is to its chart.
    pub part: Part,
}

/// Something for the user to mend, or to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Complaint {
    /// A word that stays the same from version to version.
    pub code: String,
    /// What is wrong, in one sentence, without the place.
    pub message: String,
    /// The file where it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The calls that led there, the innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

impl Complaint {
    /// Returns the texts in it that may quote a file or a value.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        std::iter::once(&mut self.message)
            .chain(&mut self.hint)
            .chain(&mut self.trace)
    }
}

/// What became of the input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendering {
    /// In the order in which the library prints them.
    pub documents: Vec<Document>,
    /// What the chart has to say to its user.
    pub notes: Option<String>,
    /// The paths that were read or looked for; one that ends in `/` stands for the whole folder.
    pub read: Vec<String>,
    /// The functions called that are no function of files and settings, such as `randAlphaNum`.
    pub random: Vec<String>,
    /// What went well, and yet should be known.
    pub warnings: Vec<Complaint>,
    /// The charts that were fetched for it.
    #[serde(default)]
    pub charts: Vec<SuppliedChart>,
}

/// A chart that was fetched for a rendering.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppliedChart {
    /// Its name.
    pub name: String,
    /// The URL of the chart repository or registry.
    pub repository: String,
    /// The version or range that was asked for.
    pub wanted: String,
    /// The version that came.
    pub version: String,
    /// SHA-256 of its archive, 64 hexadecimal digits.
    pub digest: String,
}

/// A renderer's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Rendered, with everything that came of it.
    Rendered(Rendering),
    /// Asked again with these supplied, there is an answer, or more needs.
    Needs(Vec<Need>),
    /// It cannot be rendered.
    Refused(Vec<Complaint>),
}
