//! What can be wrong with an encrypted file or with the keys. No error quotes a value.

use sluice_model::error::{Coded, ErrorCode};

/// Why a file was not decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SopsError {
    /// It is not what SOPS writes.
    #[error("is no file that SOPS encrypted: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// It is encrypted in a way that is not opened here.
    #[error("is encrypted {what}, which is not supported")]
    Unsupported {
        /// In which way.
        what: String,
    },
    /// None of the keys opens it.
    #[error("cannot be opened with the keys at hand: it is encrypted to {}", list(.wanted))]
    NoKey {
        /// To whom it is encrypted: recipients of age, fingerprints of OpenPGP.
        wanted: Vec<String>,
    },
    /// A value was changed, moved or taken from another file.
    #[error("the value `{path}` does not match: it was changed or moved since it was encrypted")]
    Value {
        /// The names that lead to it.
        path: String,
    },
    /// The values together are not those that were encrypted.
    #[error("the MAC does not match: values were changed, added, left out or moved since it was encrypted")]
    Mac,
    /// A key that cannot be used.
    #[error("the key `{name}` cannot be used: {reason}")]
    Key {
        /// What it is called.
        name: String,
        /// What is wrong with it, without quoting it.
        reason: String,
    },
}

fn list(wanted: &[String]) -> String {
    match wanted {
        [] => "none that is named".to_owned(),
        wanted => wanted.join(", "),
    }
}

/// The documented failures of decrypting.
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

    /// See [`super::SopsError::Malformed`].
    pub const MALFORMED: ErrorCode = code(
        "E01",
        "a file looks encrypted by SOPS, and is not what SOPS writes",
        "encrypt it anew with `sops encrypt`; a file that was edited by hand is mended with `sops edit`",
    );
    /// See [`super::SopsError::Unsupported`].
    pub const UNSUPPORTED: ErrorCode = code(
        "E02",
        "a file is encrypted in a way that is not supported",
        "supported are age (X25519) and OpenPGP keys from the Secret that `spec.decryption.secretRef` names, for YAML, JSON, dotenv and binary files; add such a key with `sops rotate --add-age RECIPIENT` or `--add-pgp FINGERPRINT`. Keys of clouds, of Vault and shared among key groups are not asked for",
    );
    /// See [`super::SopsError::NoKey`].
    pub const NO_KEY: ErrorCode = code(
        "E03",
        "no key at hand opens an encrypted file",
        "put the secret key into the Secret that `spec.decryption.secretRef` names, below a name that ends in `.agekey` or `.asc`, or encrypt the file to a key that is there: `sops updatekeys`",
    );
    /// See [`super::SopsError::Value`].
    pub const VALUE: ErrorCode = code(
        "E04",
        "an encrypted value does not match its place",
        "restore the file as `sops` wrote it, or set the value anew: `sops set`; encrypted values cannot be copied from one name or file to another",
    );
    /// See [`super::SopsError::Mac`].
    pub const MAC: ErrorCode = code(
        "E05",
        "the MAC of an encrypted file does not match its values",
        "find out who changed the file without `sops`; if the change is wanted, `sops edit --ignore-mac` writes the MAC anew",
    );
    /// See [`super::SopsError::Key`].
    pub const KEY: ErrorCode = code(
        "E06",
        "a decryption key cannot be used",
        "`*.agekey` holds lines that begin with `AGE-SECRET-KEY-1`, `*.asc` what `gpg --armor --export-secret-keys` prints of a key without a passphrase",
    );
    /// Every code of this crate.
    pub const ALL: &[&ErrorCode] = &[&MALFORMED, &UNSUPPORTED, &NO_KEY, &VALUE, &MAC, &KEY];
}

impl Coded for SopsError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Malformed { .. } => &codes::MALFORMED,
            Self::Unsupported { .. } => &codes::UNSUPPORTED,
            Self::NoKey { .. } => &codes::NO_KEY,
            Self::Value { .. } => &codes::VALUE,
            Self::Mac => &codes::MAC,
            Self::Key { .. } => &codes::KEY,
        }
    }
}

impl SopsError {
    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}
