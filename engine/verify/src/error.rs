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
        /// Why.
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
        /// `commit` or `tag`.
        kind: &'static str,
        /// The first one that was refused, oldest first.
        report: Box<SignatureReport>,
        /// How many of the others were refused too.
        others: usize,
    },
    /// The last trusted commit is not in the history of the new one.
    #[error("history was rewritten: the last trusted commit {} is not an ancestor of {}", short(.last_trusted), short(.new))]
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
        summary: "a commit or tag is not signed by a trusted key",
        hint: "sign it with a trusted key, or add the signer's key to the keyring; nothing is synced until then",
        exit: ExitKind::Untrusted,
    };
    /// The last trusted commit is not in the history of the new one.
    pub const REWRITTEN: ErrorCode = ErrorCode {
        id: "V04",
        summary: "the history was rewritten behind the last trusted commit",
        hint: "find out who pushed with force; restore the old history, or have a person accept the new start of trust",
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
    /// All of them.
    pub const ALL: &[&ErrorCode] = &[
        &KEYRING_UNREADABLE,
        &KEYRING_EMPTY,
        &UNTRUSTED,
        &REWRITTEN,
        &INCONSISTENT,
        &INCOMPLETE,
    ];
}
