//! What a file is known by.

use sha2::{Digest as _, Sha256};

/// Returns the digest of some bytes, `sha256:…`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
