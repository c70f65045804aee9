//! What can go wrong with a repository.

use std::error::Error as StdError;
use std::path::PathBuf;

use sluice_model::{Coded, ErrorCode};
use thiserror::Error;

type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong with a repository. URLs in it carry no credentials.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The URL cannot be used.
    #[error("repository URL `{url}` cannot be used: {reason}")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The remote cannot be reached.
    #[error("repository {url} cannot be reached")]
    Unreachable {
        /// The URL, without credentials.
        url: String,
        /// What went wrong, as Git or the network says it.
        #[source]
        source: Cause,
    },
    /// The remote knows no such repository.
    #[error("repository {url} does not exist, or may not be seen with these credentials")]
    UnknownRepository {
        /// The URL, without credentials.
        url: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The remote does not accept the credentials, or wants some.
    #[error("repository {url} {}", if *.given { "refuses the credentials" } else { "wants credentials, and none were given" })]
    Authentication {
        /// The URL, without credentials.
        url: String,
        /// Whether any were given.
        given: bool,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The SSH server is not the one that is known.
    #[error("repository {url} is not proven to be the host that is known: {}", compared(.seen.as_ref(), .wanted, "host key"))]
    HostKey {
        /// The URL, without credentials.
        url: String,
        /// The fingerprint of the key that it showed.
        seen: Option<String>,
        /// The fingerprints that are known for it.
        wanted: Vec<String>,
        /// What `ssh` said.
        #[source]
        source: Cause,
    },
    /// The HTTPS server's certificate does not prove that it is the host of the URL.
    #[error("repository {url} is not proven to be its host: {}", compared(.seen.as_ref(), .wanted, "certificate"))]
    Certificate {
        /// The URL, without credentials.
        url: String,
        /// The fingerprint of the certificate that it showed.
        seen: Option<String>,
        /// The fingerprints of the certificates that were given; none where the system's authorities judge.
        wanted: Vec<String>,
        /// Why it does not do.
        #[source]
        source: Cause,
    },
    /// A key, a certificate or a proxy that was given cannot be used.
    #[error("repository {url} cannot be reached in the way that is set: {reason}")]
    Setting {
        /// The URL, without credentials.
        url: String,
        /// Which setting, and what is wrong with it.
        reason: String,
    },
    /// A fetch failed after the remote was reached.
    #[error("fetch of {url} failed")]
    Fetch {
        /// The URL, without credentials.
        url: String,
        /// What went wrong, as Git or the network says it.
        #[source]
        source: Cause,
    },
    /// A fetch took too long.
    #[error("fetch of {url} was ended after {seconds} s")]
    Timeout {
        /// The URL, without credentials.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// A fetch was cancelled.
    #[error("fetch of {url} was cancelled")]
    Cancelled {
        /// The URL, without credentials.
        url: String,
    },
    /// The history is not complete.
    #[error("repository {name} is a shallow clone, its history is not complete")]
    Shallow {
        /// The URL or folder.
        name: String,
    },
    /// The cache folder cannot be used.
    #[error("cache folder {} cannot be used", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong, as Git or the network says it.
        #[source]
        source: Cause,
    },
    /// The folder is no Git repository.
    #[error("{} is not a Git repository", path.display())]
    NotARepository {
        /// The folder.
        path: PathBuf,
        /// What went wrong, as Git or the network says it.
        #[source]
        source: Cause,
    },
    /// There is no such branch, tag or commit.
    #[error("revision `{name}` does not exist")]
    UnknownRevision {
        /// What was asked for.
        name: String,
    },
    /// A name means something that is not a commit.
    #[error("revision `{name}` is a {what}, not a commit")]
    NotACommit {
        /// What was asked for.
        name: String,
        /// What it is.
        what: String,
    },
    /// A name means more than one thing.
    #[error("revision `{name}` is ambiguous: it could be {candidates}")]
    AmbiguousRevision {
        /// What was asked for.
        name: String,
        /// What it could mean.
        candidates: String,
    },
    /// There is no such folder in the revision.
    #[error("path `{path}` does not exist in commit {commit}")]
    UnknownPath {
        /// What was asked for.
        path: String,
        /// The commit.
        commit: String,
    },
    /// The path is not a folder.
    #[error("path `{path}` in commit {commit} is {what}, not a folder")]
    NotAFolder {
        /// What was asked for.
        path: String,
        /// The commit.
        commit: String,
        /// `a file`, `a symbolic link`, `a submodule`.
        what: &'static str,
    },
    /// A tree holds a name that no honest repository holds.
    #[error("commit {commit} holds a dangerous file name in `{folder}`: {name}")]
    HostileName {
        /// The commit.
        commit: String,
        /// The folder.
        folder: String,
        /// The name, escaped.
        name: String,
    },
    /// A limit was reached.
    #[error("{what} is too large: the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// There are more new commits than may be read at once.
    #[error("more than {limit} commits lie between the last trusted commit and {commit}")]
    HistoryTooLong {
        /// The new commit.
        commit: String,
        /// The limit.
        limit: usize,
    },
    /// An object is as it was made, and cannot be followed.
    #[error("object {id} is malformed: {reason}")]
    Malformed {
        /// The object.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An object is missing or damaged.
    #[error("object {id} is missing or damaged")]
    Object {
        /// The object.
        id: String,
        /// What went wrong, as Git or the network says it.
        #[source]
        source: Cause,
    },
}

/// What was seen and what was wanted.
fn compared(seen: Option<&String>, wanted: &[String], what: &str) -> String {
    let seen = match seen {
        Some(seen) => format!("it shows the {what} {seen}"),
        None => format!("it shows no {what}"),
    };
    match (wanted, what) {
        ([], "certificate") => format!("{seen}, and wanted is one of the system's authorities"),
        ([], _) => format!("{seen}, and none is known"),
        (wanted, _) => format!("{seen}, and wanted is {}", wanted.join(" or ")),
    }
}

impl Coded for SourceError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            SourceError::Url { .. } => &codes::URL,
            SourceError::Unreachable { .. } => &codes::UNREACHABLE,
            SourceError::UnknownRepository { .. } => &codes::UNKNOWN_REPOSITORY,
            SourceError::Authentication { .. } => &codes::AUTHENTICATION,
            SourceError::HostKey { .. } => &codes::HOST_KEY,
            SourceError::Certificate { .. } => &codes::CERTIFICATE,
            SourceError::Setting { .. } => &codes::SETTING,
            SourceError::Fetch { .. } => &codes::FETCH,
            SourceError::Timeout { .. } => &codes::TIMEOUT,
            SourceError::Cancelled { .. } => &codes::CANCELLED,
            SourceError::Shallow { .. } => &codes::SHALLOW,
            SourceError::Cache { .. } => &codes::CACHE,
            SourceError::NotARepository { .. } => &codes::NOT_A_REPOSITORY,
            SourceError::UnknownRevision { .. } => &codes::UNKNOWN_REVISION,
            SourceError::AmbiguousRevision { .. } => &codes::AMBIGUOUS_REVISION,
            SourceError::UnknownPath { .. } => &codes::UNKNOWN_PATH,
            SourceError::NotAFolder { .. } => &codes::NOT_A_FOLDER,
            SourceError::HostileName { .. } => &codes::HOSTILE_NAME,
            SourceError::TooLarge { .. } => &codes::TOO_LARGE,
            SourceError::HistoryTooLong { .. } => &codes::HISTORY_TOO_LONG,
            SourceError::Object { .. } => &codes::OBJECT,
            SourceError::Malformed { .. } => &codes::MALFORMED,
            SourceError::NotACommit { .. } => &codes::NOT_A_COMMIT,
        }
    }

    fn hint(&self) -> String {
        match self {
            SourceError::Authentication { given: false, .. } => NO_CREDENTIALS.to_owned(),
            _ => self.code().hint.to_owned(),
        }
    }
}

const NO_CREDENTIALS: &str = "name a Secret in `source.credentials`, in the Application's namespace, with `username` and `password`, `bearerToken`, `sshPrivateKey`, or `tls.crt` and `tls.key`; where the repository is public, check the URL: some servers ask for credentials when there is no such repository";

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
        /// The URL cannot be used.
        URL = "S01", Input, "the repository URL cannot be used",
            "write `https://`, `http://`, `ssh://`, `user@host:path` or `file://`, without credentials in it";
        /// The remote cannot be reached.
        UNREACHABLE = "S02", Source, "the repository cannot be reached",
            "check the URL, the network, the proxy and whether the server is up; the controller tries again by itself";
        /// The remote knows no such repository.
        UNKNOWN_REPOSITORY = "S03", Source, "the repository does not exist or may not be seen",
            "check the URL; private repositories also answer this when the credentials are missing";
        /// The remote does not accept the credentials.
        AUTHENTICATION = "S04", Source, "the credentials are refused or missing",
            "check the Secret that `source.credentials` names: `username` and `password`, `bearerToken`, `sshPrivateKey`, or `tls.crt` and `tls.key`";
        /// The SSH server is not the one that is known.
        HOST_KEY = "S05", Source, "the host's SSH key is not the known one",
            "compare the fingerprint with the one that the host's operator publishes, then put its line (`ssh-keyscan HOST`) into the known hosts; the check cannot be turned off";
        /// A fetch failed.
        FETCH = "S06", Source, "the fetch failed",
            "see the cause; the controller tries again by itself, and what was fetched before is kept";
        /// A fetch took too long.
        TIMEOUT = "S07", Timeout, "the fetch took too long",
            "check the network and the size of the repository, or allow it more time: --fetch-timeout";
        /// A fetch was cancelled.
        CANCELLED = "S08", Source, "the fetch was cancelled",
            "nothing has to be done: it is tried again if it is still needed";
        /// The history is not complete.
        SHALLOW = "S09", Source, "the repository is a shallow clone",
            "deepen it with `git fetch --unshallow`; signatures are only worth something over the whole history";
        /// The cache folder cannot be used.
        CACHE = "S10", Source, "the cache folder cannot be used",
            "check that it may be written to and that the disk is not full; it can be removed at any time";
        /// The folder is no Git repository.
        NOT_A_REPOSITORY = "S11", Input, "the folder is not a Git repository",
            "name the folder of a clone or of a bare repository";
        /// There is no such branch, tag or commit.
        UNKNOWN_REVISION = "S12", Input, "the revision does not exist",
            "name a branch, a tag, a commit, `HEAD` or a full reference name such as `refs/pull/7/head`; in an Application that is `source.targetRevision`, in `sluice verify` its argument";
        /// A name means more than one thing.
        AMBIGUOUS_REVISION = "S13", Input, "the revision means more than one thing",
            "write `refs/heads/…` or `refs/tags/…`, or more digits of the commit";
        /// There is no such folder.
        UNKNOWN_PATH = "S14", Input, "the path does not exist in the revision",
            "check `source.path`: it is relative to the root of the repository, and case matters";
        /// The path is not a folder.
        NOT_A_FOLDER = "S15", Input, "the path is not a folder",
            "name the folder that holds the manifests; symbolic links and submodules are not followed";
        /// A dangerous file name.
        HOSTILE_NAME = "S16", Input, "a file name in the repository is dangerous",
            "find out who committed it and remove it; nothing of this revision is read";
        /// A limit was reached.
        TOO_LARGE = "S17", Input, "a limit on size was reached",
            "let `source.path` name a smaller folder; for the repository as a whole see --fetch-limit and --object-limit";
        /// Too many new commits.
        HISTORY_TOO_LONG = "S18", Source, "there are too many new commits to verify at once",
            "sync an older commit first, or accept a newer start of trust";
        /// An object is missing or damaged.
        OBJECT = "S19", Source, "a Git object is missing or damaged",
            "a damaged mirror is fetched anew by itself; if this comes again, the repository itself is damaged: `git fsck`";
        /// An object cannot be followed.
        MALFORMED = "S23", Source, "a Git object is malformed",
            "it was made so, and Git cannot follow it either (`git fsck` names it); name a revision that does not lead to it";
        /// A name means something that is not a commit.
        NOT_A_COMMIT = "S20", Input, "the revision is not a commit",
            "name a branch, a commit, or a tag of a commit";
        /// The server's certificate is not good.
        CERTIFICATE = "S21", Source, "the HTTPS server's certificate does not prove who it is",
            "compare the fingerprint with the one that the host's operator publishes, then put its authority's certificate, or its own, into the TLS certificates; the check cannot be turned off";
        /// A setting cannot be used.
        SETTING = "S22", Input, "a key, a certificate or a proxy that was given for the repository cannot be used",
            "correct the setting that is named: PEM for certificates and keys, without a passphrase; `http://` or `https://` for proxies; SSH keys for SSH, the others for HTTPS";
    }
}
