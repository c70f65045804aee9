//! What a team may decide about signatures. Everything that is not written here is refused or decided by the format.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
pub use sluice_model::application::{ValidAt, WeakAlgorithm};

use crate::rules::Rules;

/// When a key has to have been valid, which weak algorithms are put up with, and who may sign for what. The default is
/// the strict one, without rules.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// When a key has to be valid.
    pub valid_at: ValidAt,
    /// Algorithms that are accepted although they are weak.
    pub allow_weak: BTreeSet<WeakAlgorithm>,
    /// Who may sign for what.
    pub rules: Rules,
}

impl Policy {
    /// Digest of everything that can change an answer. `sha256:…`
    pub fn digest(&self) -> String {
        digest(&(self.valid_at, &self.allow_weak, self.rules.written()))
    }

    /// Digest of what can change the verdict on a signature alone, whatever the rules then say of the signer.
    pub(crate) fn signature_digest(&self) -> String {
        digest(&(self.valid_at, &self.allow_weak))
    }
}

fn digest(value: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(value).expect("plain data can be written as JSON");
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
