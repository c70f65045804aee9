//! What can be wrong with manifests, and where.

use std::fmt;

use sluice_model::error::{Coded, ErrorCode};
use sluice_model::manifest::Origin;
use sluice_model::object::{GroupKind, ObjectRef};
use sluice_model::rendering::Complaint;
use sluice_model::secret::Redactor;

use crate::SourceKind;

/// Everything that is wrong with a set of manifests. Never empty where it is returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderErrors(Vec<RenderError>);

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{problem}", object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default())]
pub struct RenderError {
    /// Where it is written.
    pub place: Place,
    /// Which object, where that is known.
    pub object: Option<ObjectRef>,
    /// What is wrong there.
    pub problem: Problem,
}

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path relative to the repository's root; empty for what concerns no single file.
    pub file: String,
    /// From 1; 0 where there is none.
    pub line: u32,
    /// From 1; 0 where there is none.
    pub column: u32,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is neither YAML nor JSON.
    #[error("cannot be parsed: {reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// The bytes are not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// A map has a key twice.
    #[error("key `{key}` is given twice{}", first(*first_line))]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where it is given first; 0 where that is not known.
        first_line: u32,
    },
    /// A value that JSON lacks, or a tag that does not fit.
    #[error("{reason}")]
    Value {
        /// The reason, for people.
        reason: String,
    },
    /// An anchor, alias or merge key that makes no sense.
    #[error("{reason}")]
    Alias {
        /// The reason, for people.
        reason: String,
    },
    /// Nested too deeply, or too many values.
    #[error("{reason}")]
    TooLarge {
        /// Which limit.
        reason: String,
    },
    /// All files together are too much.
    #[error("the manifests are more than {limit} bytes")]
    TooMuch {
        /// The limit.
        limit: usize,
    },
    /// A document that is no map, or lacks `apiVersion`, `kind` or a name.
    #[error("{reason}")]
    NotAnObject {
        /// What is missing.
        reason: String,
    },
    /// An include or exclude pattern that is no glob.
    #[error("`{pattern}` is no glob: {reason}")]
    Pattern {
        /// As written.
        pattern: String,
        /// The reason, for people.
        reason: String,
    },
    /// A manifest that is a symbolic link or lies in a submodule.
    #[error("is a symbolic link or a submodule, which are not followed")]
    NotFollowed,
    /// A folder to be looked into that is a symbolic link.
    #[error(
        "is a symbolic link to a folder, which is not followed: nothing in it would be read, and what came from it would be pruned"
    )]
    LinkedFolder,
    /// A symbolic link to a folder that it is in.
    #[error("is a symbolic link that leads to itself, or to a folder that it is in")]
    LinkToItself,
    /// The content is kept elsewhere, by Git LFS.
    #[error("is a pointer of Git LFS: its content is not in the repository")]
    Pointer,
    /// The folder is written for another tool.
    #[error("the folder is for {tool}, and would be applied as it is")]
    OtherTool {
        /// The tool that the file is for.
        tool: SourceKind,
    },
    /// Settings of a source that do not go with each other, or with the folder.
    #[error("{reason}")]
    SourceSettings {
        /// What does not go together.
        reason: String,
    },
    /// A chart or a kustomization that cannot be rendered.
    #[error("{}{}", complaint.message, trace(complaint))]
    Refused {
        /// What refused it.
        renderer: String,
        /// What is wrong.
        complaint: Box<Complaint>,
    },
    /// A renderer that is not there, crashed, or took too much time or memory.
    #[error("the renderer `{renderer}` failed: {reason}")]
    Renderer {
        /// Which one.
        renderer: String,
        /// What happened.
        reason: String,
    },
    /// A renderer of the plugin directory that cannot be used, or did not answer.
    #[error("the renderer `{renderer}`: {reason}")]
    Plugin {
        /// Which one.
        renderer: String,
        /// What kind of failure, as the host of plugins has it.
        code: &'static ErrorCode,
        /// What happened.
        reason: String,
    },
    /// Something that rendering needs and cannot have.
    #[error("{what} cannot be had: {reason}")]
    Unmet {
        /// What is needed.
        what: String,
        /// Why it is not there.
        reason: String,
    },
    /// Something of the repository that cannot be read.
    #[error("the repository cannot be read: {reason}")]
    Unreachable {
        /// The reason, for people.
        reason: String,
    },
    /// Two manifests of one object.
    #[error("is given twice; first at {first}")]
    Duplicate {
        /// Where it is given first.
        first: Origin,
    },
    /// No such kind in the cluster, and no CRD for it in the same set.
    #[error("the cluster has no kind {kind} in version `{version}`, and no CRD here defines it")]
    UnknownKind {
        /// Group and kind.
        kind: GroupKind,
        /// Version without the group.
        version: String,
    },
    /// A name or namespace that no server takes.
    #[error("the {what} {name:?} {reason}")]
    Name {
        /// Which of the two.
        what: &'static str,
        /// As written.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A value that was kept out of the rendering, or a variable, cannot be put in.
    #[error("{reason}")]
    Given {
        /// Why not, without quoting it.
        reason: String,
    },
    /// A Secret or ConfigMap that is still encrypted.
    #[error("is encrypted with SOPS, and would be applied as it is")]
    Encrypted,
    /// Something of the metadata has a wrong type or form.
    #[error("{reason}")]
    Metadata {
        /// What is wrong with it.
        reason: String,
    },
}

/// The calls that led to an error, the innermost first, one a line.
fn trace(complaint: &Complaint) -> String {
    complaint
        .trace
        .iter()
        .map(|call| format!("\n    at {call}"))
        .collect()
}

fn first(line: u32) -> String {
    match line {
        0 => String::new(),
        line => format!("; first on line {line}"),
    }
}

/// The documented codes of this stage.
pub mod codes {
    use sluice_model::error::{ErrorCode, ExitKind};

    const fn code(id: &'static str, summary: &'static str, hint: &'static str) -> ErrorCode {
        ErrorCode {
            id,
            summary,
            hint,
            exit: ExitKind::Input,
        }
    }

    /// See [`super::Problem::Syntax`].
    pub const SYNTAX: ErrorCode = code(
        "R01",
        "a manifest cannot be parsed",
        "correct the file at the line and column given; text that has `: `, ` #`, brackets or a tab in it is safe in quotes",
    );
    /// See [`super::Problem::NotText`].
    pub const NOT_TEXT: ErrorCode = code(
        "R02",
        "a manifest is not UTF-8 text",
        "save the file as UTF-8, or exclude it if it is no manifest",
    );
    /// See [`super::Problem::DuplicateKey`].
    pub const DUPLICATE_KEY: ErrorCode = code(
        "R03",
        "a key is given twice in one map",
        "remove one of the two; YAML does not say which would count",
    );
    /// See [`super::Problem::Value`].
    pub const VALUE: ErrorCode = code(
        "R04",
        "a value cannot be represented in JSON, or does not fit its tag",
        "quote the value if it is meant as text, as one that begins with `!`; Kubernetes knows no infinity, NaN or tags of one's own",
    );
    /// See [`super::Problem::Alias`].
    pub const ALIAS: ErrorCode = code(
        "R05",
        "an alias or a merge key makes no sense",
        "define the anchor before its use in the same document, never within itself, and merge only maps; text that begins with `*` or `&` belongs in quotes",
    );
    /// See [`super::Problem::TooLarge`] and [`super::Problem::TooMuch`].
    pub const TOO_LARGE: ErrorCode = code(
        "R06",
        "a manifest is larger or deeper than is sane",
        "split the file, or include only what belongs to the application",
    );
    /// See [`super::Problem::NotAnObject`].
    pub const NOT_AN_OBJECT: ErrorCode = code(
        "R07",
        "a document is no Kubernetes object",
        "give it `apiVersion`, `kind` and `metadata.name`, or exclude the file if it is no manifest",
    );
    /// See [`super::Problem::Pattern`].
    pub const PATTERN: ErrorCode = code(
        "R08",
        "an include or exclude pattern is no glob",
        "write it like `*.yaml`, `{a,b}/*` or `[!_]*`; a star also matches `/`",
    );
    /// See [`super::Problem::NotFollowed`].
    pub const NOT_FOLLOWED: ErrorCode = code(
        "R09",
        "a manifest or a folder is a symbolic link, or in a submodule",
        "commit the files themselves, or exclude the path (`directory.exclude`)",
    );
    /// See [`super::Problem::OtherTool`].
    pub const OTHER_TOOL: ErrorCode = code(
        "R10",
        "a folder of plain manifests holds a chart or a kustomization",
        "point an Application of its own at that folder: it is rendered there; here, leave it out as a whole (`directory.exclude: 'FOLDER/*'`), for without its own file it would be applied unrendered. If it is the folder of the source itself, drop `spec.source.directory`",
    );
    /// See [`super::Problem::Duplicate`].
    pub const DUPLICATE: ErrorCode = code(
        "R11",
        "two manifests describe one object",
        "remove one of the two places; neither is applied until then. If two sources of an Application give it on purpose, name it in `spec.allowedDuplicates`: the later one of `spec.sources` counts",
    );
    /// See [`super::Problem::UnknownKind`].
    pub const UNKNOWN_KIND: ErrorCode = code(
        "R13",
        "the cluster does not know a kind",
        "check `apiVersion` and `kind` for typing errors, or add the CRD that defines the kind to the same path",
    );
    /// See [`super::Problem::Metadata`].
    pub const METADATA: ErrorCode = code(
        "R14",
        "the metadata of an object is malformed",
        "`name` and `namespace` are text, `labels` and `annotations` are maps whose values are text: quote numbers and booleans (`\"1\"`, `\"true\"`)",
    );
    /// See [`super::Problem::Pointer`].
    pub const POINTER: ErrorCode = code(
        "R15",
        "a manifest is kept by Git LFS, which is not followed",
        "commit the file itself (`git lfs untrack`), or exclude it: what LFS serves is not what was signed",
    );
    /// See [`super::Problem::Refused`].
    pub const REFUSED: ErrorCode = code(
        "R20",
        "a chart, a kustomization or what another renderer takes cannot be rendered",
        "correct it at the place given; `sluice render -f APPLICATION --offline` shows the same without a cluster",
    );
    /// See [`super::Problem::Renderer`].
    pub const RENDERER: ErrorCode = code(
        "R21",
        "a renderer is not there or did not answer",
        "a rendering has 30 s and 512 MiB: look for endless recursion or very large values; the renderers lie beside the program (`sluice plugin list`)",
    );
    /// See [`super::Problem::Unmet`].
    pub const UNMET: ErrorCode = code(
        "R22",
        "rendering needs something that cannot be had",
        "commit what is needed to the repository; nothing is fetched that the Application does not declare",
    );
    /// See [`super::Problem::SourceSettings`].
    pub const SOURCE_SETTINGS: ErrorCode = code(
        "R23",
        "the settings of a source do not fit the folder",
        "give `helm` for a chart, `kustomize` for a kustomization, `directory` for plain manifests, `plugin` for another renderer, and only one of them; check `path`",
    );
    /// See [`super::Problem::Unreachable`].
    pub const UNREACHABLE: ErrorCode = code(
        "R24",
        "files that rendering needs cannot be read from the repository",
        "look at the repository with `git fsck`; if it is sound, run it again",
    );
    /// See [`super::Problem::Given`].
    pub const GIVEN: ErrorCode = code(
        "R25",
        "a decrypted value or a variable cannot be put where it belongs",
        "look at the place given; names, kinds and namespaces are shown everywhere, so no decrypted value may be a part of them; `$$` stands for a `$` that begins no variable, and the annotation `kustomize.toolkit.fluxcd.io/substitute: disabled` leaves an object as it is",
    );
    /// See [`super::Problem::Encrypted`].
    pub const ENCRYPTED: ErrorCode = code(
        "R26",
        "a manifest is encrypted, and nothing says with which keys it is opened",
        "set `spec.decryption.secretRef` to a Secret with the keys, or give `sluice render` a `--decryption-key`",
    );
    /// See [`super::Problem::Name`].
    pub const NAME: ErrorCode = code(
        "R19",
        "the name or namespace of an object cannot be part of a path",
        "choose a name without `/` and `%` that is neither `.` nor `..`; no API server takes another, whatever the kind",
    );

    /// All of them.
    pub const ALL: &[&ErrorCode] = &[
        &SYNTAX,
        &NOT_TEXT,
        &DUPLICATE_KEY,
        &VALUE,
        &ALIAS,
        &TOO_LARGE,
        &NOT_AN_OBJECT,
        &PATTERN,
        &NOT_FOLLOWED,
        &OTHER_TOOL,
        &DUPLICATE,
        &UNKNOWN_KIND,
        &METADATA,
        &POINTER,
        &NAME,
        &REFUSED,
        &RENDERER,
        &UNMET,
        &SOURCE_SETTINGS,
        &UNREACHABLE,
        &GIVEN,
        &ENCRYPTED,
    ];
}

impl Problem {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Syntax { .. } => &codes::SYNTAX,
            Self::NotText => &codes::NOT_TEXT,
            Self::DuplicateKey { .. } => &codes::DUPLICATE_KEY,
            Self::Value { .. } => &codes::VALUE,
            Self::Alias { .. } => &codes::ALIAS,
            Self::TooLarge { .. } | Self::TooMuch { .. } => &codes::TOO_LARGE,
            Self::NotAnObject { .. } => &codes::NOT_AN_OBJECT,
            Self::Pattern { .. } => &codes::PATTERN,
            Self::NotFollowed | Self::LinkedFolder | Self::LinkToItself => &codes::NOT_FOLLOWED,
            Self::OtherTool { .. } => &codes::OTHER_TOOL,
            Self::Duplicate { .. } => &codes::DUPLICATE,
            Self::UnknownKind { .. } => &codes::UNKNOWN_KIND,
            Self::Metadata { .. } => &codes::METADATA,
            Self::Pointer => &codes::POINTER,
            Self::Name { .. } => &codes::NAME,
            Self::Refused { .. } => &codes::REFUSED,
            Self::Renderer { .. } => &codes::RENDERER,
            Self::Plugin { code, .. } => code,
            Self::Unmet { .. } => &codes::UNMET,
            Self::SourceSettings { .. } => &codes::SOURCE_SETTINGS,
            Self::Unreachable { .. } => &codes::UNREACHABLE,
            Self::Given { .. } => &codes::GIVEN,
            Self::Encrypted => &codes::ENCRYPTED,
        }
    }
}

impl Coded for RenderError {
    fn code(&self) -> &'static ErrorCode {
        self.problem.code()
    }

    fn hint(&self) -> String {
        match &self.problem {
            Problem::Refused { complaint, .. } => complaint.hint.clone(),
            _ => None,
        }
        .unwrap_or_else(|| self.code().hint.to_owned())
    }
}

impl RenderError {
    pub(crate) fn at(file: &str, line: u32, column: u32, problem: Problem) -> Self {
        Self {
            place: Place {
                file: file.to_owned(),
                line,
                column,
            },
            object: None,
            problem,
        }
    }

    /// Returns what is wrong with an object, at the place where it is written.
    pub fn about(origin: &Origin, object: ObjectRef, problem: Problem) -> Self {
        let place = Place {
            file: origin.file.clone(),
            line: origin.line,
            column: 0,
        };
        Self {
            place,
            object: Some(object),
            problem,
        }
    }
}

/// `apps/web.yaml:12:3`, as far as it is known.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_empty() {
            "source"
        } else {
            &self.file
        })?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

impl RenderErrors {
    /// In the order of files and lines.
    pub fn iter(&self) -> impl Iterator<Item = &RenderError> {
        self.0.iter()
    }

    /// What is wrong with several files, as one.
    pub fn all(errors: impl IntoIterator<Item = Self>) -> Self {
        Self(errors.into_iter().flat_map(|errors| errors.0).collect())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for none: then there is no error.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, error: RenderError) {
        self.0.push(error);
    }

    pub(crate) fn extend(&mut self, errors: RenderErrors) {
        self.0.extend(errors.0);
    }

    /// Takes known values out of everything that is told: a renderer may quote what it was given.
    pub fn redact(&mut self, redactor: &Redactor) {
        for error in &mut self.0 {
            for text in error.problem.texts() {
                redactor.redact(text);
            }
        }
    }

    /// The same at other files: those for which `file` returns another.
    #[must_use]
    pub fn at_files(mut self, file: impl Fn(&str) -> Option<String>) -> Self {
        for error in &mut self.0 {
            if let Some(file) = file(&error.place.file) {
                error.place.file = file;
            }
        }
        self
    }

    /// `value`, if nothing was wrong.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, RenderErrors> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(self),
        }
    }
}

impl Problem {
    /// What in it may quote a file or a value.
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Syntax { reason }
            | Self::Value { reason }
            | Self::Alias { reason }
            | Self::TooLarge { reason }
            | Self::NotAnObject { reason }
            | Self::Pattern { reason, .. }
            | Self::SourceSettings { reason }
            | Self::Renderer { reason, .. }
            | Self::Plugin { reason, .. }
            | Self::Unreachable { reason }
            | Self::Given { reason }
            | Self::Metadata { reason } => vec![reason],
            Self::DuplicateKey { key, .. } => vec![key],
            Self::Unmet { what, reason } => vec![what, reason],
            Self::Name { name, .. } => vec![name],
            Self::Refused { complaint, .. } => complaint.texts().collect(),
            Self::NotText
            | Self::TooMuch { .. }
            | Self::NotFollowed
            | Self::LinkedFolder
            | Self::LinkToItself
            | Self::Pointer
            | Self::OtherTool { .. }
            | Self::Duplicate { .. }
            | Self::UnknownKind { .. }
            | Self::Encrypted => Vec::new(),
        }
    }
}

impl From<RenderError> for RenderErrors {
    fn from(error: RenderError) -> Self {
        Self(vec![error])
    }
}

/// One error a line, each with its code.
impl fmt::Display for RenderErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}: {error}", error.code().id)?;
        }
        Ok(())
    }
}

impl std::error::Error for RenderErrors {}

/// The code of the first of them; [`RenderErrors::iter`] has them all.
impl Coded for RenderErrors {
    fn code(&self) -> &'static ErrorCode {
        self.0.first().map_or(&codes::SYNTAX, Coded::code)
    }
}
