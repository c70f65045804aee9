//! The keys that are trusted.

use std::path::Path;

use crate::error::VerifyError;

/// Public keys: OpenPGP certificates and SSH allowed signers.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    problems: Vec<KeyringProblem>,
}

/// A part of a keyring that cannot be used. The rest of it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringProblem {
    /// Where: the file or the ConfigMap's key, and the line or block in it.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Keyring {
    /// Reads every key in `bytes`: OpenPGP, armoured or binary, any number of certificates and blocks; or an SSH
    /// `allowed_signers` file. `name` says where they come from in problems. Never fails: what cannot be read is in
    /// [`Keyring::problems`].
    pub fn from_bytes(_name: &str, _bytes: &[u8]) -> Self {
        Self::default()
    }

    /// Reads a file, or every file of a folder (not those below it, and no dot-files).
    ///
    /// # Errors
    /// [`VerifyError::KeyringUnreadable`] where the path itself cannot be read.
    pub fn from_path(_path: &Path) -> Result<Self, VerifyError> {
        Ok(Self::default())
    }

    /// Adds the keys of another keyring. Certificates with the same fingerprint are merged.
    pub fn extend(&mut self, other: Keyring) {
        self.problems.extend(other.problems);
    }

    /// Whether there is no usable key.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// What could not be used, in the order it was found.
    pub fn problems(&self) -> &[KeyringProblem] {
        &self.problems
    }

    /// Digest of all keys: equal keyrings have equal digests, whatever their order. `sha256:…`
    pub fn digest(&self) -> String {
        String::new()
    }
}
