//! Why a revision is not let through.

use std::path::PathBuf;

use sluice_model::trust::SignatureReport;
use sluice_model::{Coded, ErrorCode};
use thiserror::Error;

/// Why a revision is not let through, or a keyring cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A keyring's file or folder cannot be read.
    #[error("keyring {} cannot be read", path.display())]
    KeyringUnreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Nothing in the keyring can be used, although verification is asked for.
    #[error("no key can be used for verification{}", problems_text(.problems))]
    KeyringEmpty {
        /// What was wrong with each part of it.
        problems: Vec<String>,
    },
    /// A commit or tag is not signed by a trusted key.
    #[error("{} {} is not trusted: {}", .kind, short(&.report.revision), .report.message)]
    Untrusted {
        /// `commit`, `tag` or `chart`.
        kind: &'static str,
        /// The first one that was refused, oldest first.
        report: Box<SignatureReport>,
        /// How many of the others were refused too.
        others: usize,
    },
    /// A commit or tag is signed by a trusted key, and a rule does not let that key sign it.
    #[error("{} {} is not allowed by {rule}: {}", .kind, short(&.report.revision), .report.message)]
    NotAllowed {
        /// `commit`, `tag` or `chart`.
        kind: &'static str,
        /// The first one that was refused, oldest first.
        report: Box<SignatureReport>,
        /// The rule.
        rule: String,
        /// How many of the others were refused too, for whatever reason.
        others: usize,
    },
    /// Rules cannot be used as they are written.
    #[error("the signing rules in {place} cannot be used: {detail}")]
    Rules {
        /// Where they are written.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// Mode `tag`, and the revision was not found by an annotated tag that names its commit.
    #[error("`{requested}` is no annotated tag of commit {}: {detail}", short(.commit))]
    NotATag {
        /// What was asked for.
        requested: String,
        /// The commit that it leads to.
        commit: String,
        /// Why not.
        detail: String,
    },
    /// A signed tag stands under another name than the one it was signed for.
    #[error("the tag under the name `{found}` was signed as `{signed}`")]
    TagRenamed {
        /// The name that led to it.
        found: String,
        /// The name in the tag.
        signed: String,
    },
    /// What a commit changes cannot be found out, and a rule depends on it.
    #[error("what commit {} changes cannot be found out", short(.commit))]
    Changes {
        /// The commit.
        commit: String,
        /// Why the changes could not be told.
        #[source]
        source: sluice_model::trust::ChangesError,
    },
    /// A chart's provenance file is signed by a trusted key, and is about something else.
    #[error("the provenance file of chart {chart} is of something else: {detail}")]
    Provenance {
        /// The chart, `NAME-VERSION`.
        chart: String,
        /// What does not fit.
        detail: String,
    },
    /// Signatures are asked for of what cannot have any that are judged.
    #[error("the artifact {} cannot be verified: signatures of artifacts of manifests are not judged", short(.digest))]
    Artifact {
        /// The archive's digest.
        digest: String,
    },
    /// The range that a chart is followed by leads to an older version than the one that was trusted last.
    #[error(
        "chart {chart} was trusted at version {last}, which `{range}` still allows, and is offered at {new} only: an old state of its repository may be passed off as the new one"
    )]
    Older {
        /// The chart.
        chart: String,
        /// The range.
        range: String,
        /// The version that was trusted.
        last: String,
        /// The version that is offered.
        new: String,
        /// The archive's digest.
        digest: String,
    },
    /// A ledger cannot be read.
    #[error("the ledger of verified commits cannot be read: {detail}")]
    Ledger {
        /// What is wrong with it.
        detail: String,
    },
    /// The last trusted commit is not in the history of the new one.
    #[error("history was rewritten, or is another one: the last trusted commit {} is not an ancestor of {}", short(.last_trusted), short(.new))]
    Rewritten {
        /// The commit that was trusted.
        last_trusted: String,
        /// The commit that was asked about.
        new: String,
    },
    /// The bytes of an object do not hash to its id, or do not belong where they were found.
    #[error("object {} is not what its name says: {detail}", short(.id))]
    Inconsistent {
        /// The object.
        id: String,
        /// What does not fit.
        detail: String,
    },
    /// A commit between the new and the last trusted one was not handed over.
    #[error("history is incomplete: {} names the parent {}, which is missing", short(.commit), short(.parent))]
    Incomplete {
        /// The commit that names it.
        commit: String,
        /// What is missing.
        parent: String,
    },
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn problems_text(problems: &[String]) -> String {
    if problems.is_empty() {
        String::new()
    } else {
        format!(": {}", problems.join("; "))
    }
}

impl Coded for VerifyError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            VerifyError::KeyringUnreadable { .. } => &codes::KEYRING_UNREADABLE,
            VerifyError::KeyringEmpty { .. } => &codes::KEYRING_EMPTY,
            VerifyError::Untrusted { .. } => &codes::UNTRUSTED,
            VerifyError::Rewritten { .. } => &codes::REWRITTEN,
            VerifyError::Inconsistent { .. } => &codes::INCONSISTENT,
            VerifyError::Incomplete { .. } => &codes::INCOMPLETE,
            VerifyError::NotAllowed { .. } => &codes::NOT_ALLOWED,
            VerifyError::Rules { .. } => &codes::RULES,
            VerifyError::NotATag { .. } => &codes::NOT_A_TAG,
            VerifyError::TagRenamed { .. } => &codes::TAG_RENAMED,
            VerifyError::Changes { .. } => &codes::CHANGES,
            VerifyError::Ledger { .. } => &codes::LEDGER,
            VerifyError::Provenance { .. } => &codes::PROVENANCE,
            VerifyError::Artifact { .. } => &codes::ARTIFACT,
            VerifyError::Older { .. } => &codes::OLDER,
        }
    }

    fn hint(&self) -> String {
        match self {
            VerifyError::Rewritten { new, .. } => format!(
                "find out who pushed with force, or whether repoURL or targetRevision lead elsewhere than before; restore the old history, or have a person accept the new one by its commit: `sluice approve NAME --history {new}`"
            ),
            VerifyError::Older { digest, .. } => format!(
                "find out why the newer version is not offered any more; if it was taken back, name the older one in targetRevision, or have a person accept it: `sluice approve NAME --history {digest}`"
            ),
            _ => self.code().hint.to_owned(),
        }
    }
}

/// The codes of this stage.
pub mod codes {
    use sluice_model::{ErrorCode, ExitKind};

    /// A keyring's file or folder cannot be read.
    pub const KEYRING_UNREADABLE: ErrorCode = ErrorCode {
        id: "V01",
        summary: "a keyring cannot be read",
        hint: "check that the file or folder exists and may be read by Sluice",
        exit: ExitKind::Input,
    };
    /// Nothing in the keyring can be used.
    pub const KEYRING_EMPTY: ErrorCode = ErrorCode {
        id: "V02",
        summary: "the keyring holds no usable key",
        hint: "put the public keys of those who may sign into the keyring: `gpg --armor --export KEY`, or an SSH allowed_signers file",
        exit: ExitKind::Input,
    };
    /// A commit or tag is not signed by a trusted key.
    pub const UNTRUSTED: ErrorCode = ErrorCode {
        id: "V03",
        summary: "a commit, tag or chart is not signed by a trusted key",
        hint: "sign it with a trusted key, or add the signer's key to the keyring; nothing is synced until then",
        exit: ExitKind::Untrusted,
    };
    /// The last trusted commit is not in the history of the new one.
    pub const REWRITTEN: ErrorCode = ErrorCode {
        id: "V04",
        summary: "the last trusted commit is not in the history: it was rewritten, or is another one",
        hint: "find out who pushed with force, or whether repoURL or targetRevision lead elsewhere than before; restore the old history, or have a person accept the new start of trust",
        exit: ExitKind::Untrusted,
    };
    /// The bytes of an object do not hash to its id.
    pub const INCONSISTENT: ErrorCode = ErrorCode {
        id: "V05",
        summary: "a Git object is not what its name says",
        hint: "the repository or its mirror is damaged or tampered with: remove the mirror from the cache and fetch again",
        exit: ExitKind::Untrusted,
    };
    /// A commit is missing.
    pub const INCOMPLETE: ErrorCode = ErrorCode {
        id: "V06",
        summary: "a commit between the last trusted one and the new one is missing",
        hint: "verify a full clone: `git fetch --unshallow` deepens a shallow one",
        exit: ExitKind::Untrusted,
    };
    /// A rule does not let that key sign that commit.
    pub const NOT_ALLOWED: ErrorCode = ErrorCode {
        id: "V07",
        summary: "a rule does not let this signer sign this commit, tag or chart",
        hint: "have one of those sign who the rule names, or change the rule; nothing is synced until then",
        exit: ExitKind::Untrusted,
    };
    /// Rules cannot be used.
    pub const RULES: ErrorCode = ErrorCode {
        id: "V08",
        summary: "signing rules cannot be used as they are written",
        hint: "correct the rule, group or key that is named; until then nothing is let through",
        exit: ExitKind::Input,
    };
    /// The revision is no annotated tag.
    pub const NOT_A_TAG: ErrorCode = ErrorCode {
        id: "V09",
        summary: "mode `tag` needs a revision that is an annotated tag of a commit",
        hint: "make one with `git tag -s`, and name it in targetRevision",
        exit: ExitKind::Untrusted,
    };
    /// A tag stands under another name.
    pub const TAG_RENAMED: ErrorCode = ErrorCode {
        id: "V10",
        summary: "a signed tag stands under another name than the one it was signed for",
        hint: "find out who moved it: an old release may be passed off as a new one; make the tag anew under its right name",
        exit: ExitKind::Untrusted,
    };
    /// What a commit changes is not known.
    pub const CHANGES: ErrorCode = ErrorCode {
        id: "V11",
        summary: "what a commit changes cannot be found out, and a rule depends on it",
        hint: "see the cause; a repository that is damaged or incomplete has to be fetched again",
        exit: ExitKind::Untrusted,
    };
    /// A ledger cannot be read.
    pub const LEDGER: ErrorCode = ErrorCode {
        id: "V12",
        summary: "the ledger of verified commits cannot be read",
        hint: "remove it: what it knew is verified again",
        exit: ExitKind::Input,
    };
    /// A provenance file is about something else.
    pub const PROVENANCE: ErrorCode = ErrorCode {
        id: "V13",
        summary: "a chart's provenance file is of another chart, version or archive",
        hint: "find out who put it there: an old release may be passed off as a new one; package and sign the version anew",
        exit: ExitKind::Untrusted,
    };
    /// An artifact of manifests.
    pub const ARTIFACT: ErrorCode = ErrorCode {
        id: "V14",
        summary: "an artifact of manifests cannot be verified",
        hint: "signatures by cosign are not judged yet: take the manifests from Git, or a chart with a provenance file, or ask for no verification",
        exit: ExitKind::Untrusted,
    };
    /// A range leads back.
    pub const OLDER: ErrorCode = ErrorCode {
        id: "V15",
        summary: "a range leads to an older version of a chart than the one that was trusted last",
        hint: "find out why the newer version is not offered any more; if it was taken back, name the older one in targetRevision",
        exit: ExitKind::Untrusted,
    };
    /// All of them.
    pub const ALL: &[&ErrorCode] = &[
        &KEYRING_UNREADABLE,
        &KEYRING_EMPTY,
        &UNTRUSTED,
        &REWRITTEN,
        &INCONSISTENT,
        &INCOMPLETE,
        &NOT_ALLOWED,
        &RULES,
        &NOT_A_TAG,
        &TAG_RENAMED,
        &CHANGES,
        &LEDGER,
        &PROVENANCE,
        &ARTIFACT,
        &OLDER,
    ];
}
