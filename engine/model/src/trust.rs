//! What is known about who signed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A commit or an annotated tag, exactly as Git stores it (without the loose-object header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedObject {
    /// Full object id, lower-case hex: 40 digits for SHA-1, 64 for SHA-256 repositories.
    pub id: String,
    /// Commit or tag.
    pub kind: SignedKind,
    /// The exact bytes that were hashed to `id`.
    pub bytes: Vec<u8>,
}

/// Which kind of Git object carries the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedKind {
    /// A commit, signed in its `gpgsig` header.
    Commit,
    /// An annotated tag, signed at its end.
    Tag,
}

/// What one signature is worth. Only `Trusted` lets anything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Signed by a key of the keyring that is valid.
    Trusted,
    /// There is no signature.
    Unsigned,
    /// Signed by a key that is not in the keyring.
    NoKey,
    /// The signature does not match the bytes.
    BadSignature,
    /// The key has expired.
    ExpiredKey,
    /// The key was revoked.
    RevokedKey,
    /// The signature or its key uses an algorithm that is too weak.
    WeakAlgorithm,
    /// A kind of signature that is never accepted, e.g. X.509.
    Unsupported,
    /// The object or its signature cannot be parsed.
    Malformed,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// Full fingerprint of the primary key, upper-case hex; for SSH `SHA256:…`.
    pub fingerprint: String,
    /// The primary user ID or the SSH principal, where there is one.
    pub user_id: Option<String>,
}

/// The answer about one commit or tag: the contract of `sluice verify -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureReport {
    /// What was asked about: an object id, or the name as given.
    pub revision: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Who signed, where that is known; a signer is named only when the signature was made by a key we hold.
    pub signer: Option<Signer>,
    /// When the signature says it was made.
    pub signed_at: Option<Timestamp>,
    /// Why, for people: which key, which rule, what to do.
    pub message: String,
}

/// Something that the verify stage let through. Render takes nothing else.
///
/// Only the verify stage may call [`Verified::attest`]; a lint (`.clippy.toml`, `disallowed-methods`) holds that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    inner: T,
    evidence: Evidence,
}

/// Why something was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The application asks for no verification.
    NotRequired,
    /// Every commit that had to be was signed by a trusted key.
    Signed {
        /// Signer of the newest commit.
        signer: Signer,
        /// How many commits were verified on the way.
        commits: u32,
    },
    /// The revision is the last trusted one: it was verified before.
    AlreadyTrusted,
}

impl<T> Verified<T> {
    /// Vouches for `inner`. For the verify stage alone.
    pub fn attest(inner: T, evidence: Evidence) -> Self {
        Self { inner, evidence }
    }

    /// What was vouched for.
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// Why.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}
