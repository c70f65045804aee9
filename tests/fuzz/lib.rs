//! What the fuzz targets have in common: objects under the id that their bytes have, and a keyring to judge them by.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sluice_model::trust::{SignedKind, SignedObject, Verdict};
use sluice_verify::{Keyring, Policy, Verifier};

/// A commit or tag of a SHA-256 repository, so that the id can be had from any bytes.
pub fn object(kind: SignedKind, bytes: &[u8]) -> SignedObject {
    let name = match kind {
        SignedKind::Commit => "commit",
        SignedKind::Tag => "tag",
    };
    let mut hasher = Sha256::new();
    hasher.update(format!("{name} {}\0", bytes.len()));
    hasher.update(bytes);
    SignedObject { id: hex::encode(hasher.finalize()), kind, bytes: bytes.to_vec() }
}

/// Judges by a keyring that has signed nothing of this: whatever the bytes are, they cannot be trusted.
pub fn judge(object: &SignedObject, keyring: &Keyring) {
    let now = Timestamp::from_second(1_700_000_000).expect("a time");
    let report = Verifier::new(keyring, &Policy::default(), now).object(object);
    assert_ne!(report.verdict, Verdict::Trusted, "{report:?}");
    assert!(!report.message.is_empty());
}

/// A commit that carries `signature`.
pub fn signed_commit(signature: &str) -> Vec<u8> {
    let id = "a".repeat(64);
    let person = "Ada <ada@example.org> 1700000000 +0000";
    let lines = signature.trim_end().replace('\n', "\n ");
    format!("tree {id}\nauthor {person}\ncommitter {person}\ngpgsig-sha256 {lines}\n\nhello\n").into_bytes()
}

/// A keyring of one SSH key and nobody's OpenPGP key.
pub fn keyring() -> Keyring {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    Keyring::from_bytes("fuzz", format!("ada@example.org {key}\n* cert-authority {key}\n").as_bytes())
}
