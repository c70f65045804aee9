//! What a team may decide about signatures. Everything that is not written here is refused or decided by the format.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// When a key has to have been valid, and which weak algorithms are put up with. The default is the strict one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// When a key has to be valid.
    #[serde(default)]
    pub valid_at: ValidAt,
    /// Algorithms that are accepted although they are weak.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allow_weak: BTreeSet<WeakAlgorithm>,
}

/// When a key has to be valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValidAt {
    /// Now, as `git verify-commit` does: when a key expires, what it signed is no longer trusted.
    #[default]
    Now,
    /// At the time the signature says it was made. The risk: who gets hold of an expired or retired key can sign with
    /// it and backdate. A key that was revoked for any other reason than being retired or superseded is refused
    /// whatever the signature's time.
    Signing,
}

/// An algorithm that can be broken with known means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeakAlgorithm {
    /// Collisions are found in practice.
    Md5,
    /// Collisions are found in practice.
    Sha1,
    /// 160 bits and no longer studied.
    Ripemd160,
    /// Withdrawn by FIPS 186-5; one repeated or guessed nonce gives the key away.
    Dsa,
    /// Moduli under 2048 bits.
    ShortRsa,
}

impl WeakAlgorithm {
    /// The name it is allowed by.
    pub fn name(self) -> &'static str {
        match self {
            WeakAlgorithm::Md5 => "md5",
            WeakAlgorithm::Sha1 => "sha1",
            WeakAlgorithm::Ripemd160 => "ripemd160",
            WeakAlgorithm::Dsa => "dsa",
            WeakAlgorithm::ShortRsa => "short-rsa",
        }
    }
}
