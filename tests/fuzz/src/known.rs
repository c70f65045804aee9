//! What the fuzz targets have in common: keys, objects under the id that their bytes have, and what must always hold.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sluice_model::trust::{SignatureReport, SignedKind, SignedObject, Verdict};
use sluice_verify::{Keyring, Policy, Verifier};

/// A commit that a key of [`keyring`] has signed.
pub const SIGNED: &[u8] = include_bytes!("../known/signed");
/// What was signed of it.
pub const PAYLOAD: &[u8] = include_bytes!("../known/payload");

/// A commit or tag of a SHA-256 repository, so that the id can be had from any bytes.
pub fn object(kind: SignedKind, bytes: &[u8]) -> SignedObject {
    let name = match kind {
        SignedKind::Commit => "commit",
        SignedKind::Tag => "tag",
    };
    let mut hasher = Sha256::new();
    hasher.update(format!("{name} {}\0", bytes.len()));
    hasher.update(bytes);
    SignedObject {
        id: hex::encode(hasher.finalize()),
        kind,
        bytes: bytes.to_vec(),
    }
}

/// Judges, and asks for every explanation.
pub fn judge(object: &SignedObject, keyring: &Keyring) -> SignatureReport {
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    let policy = Policy::default();
    let verifier = Verifier::new(keyring, &policy, now);
    let report = verifier.object(object);
    assert!(!report.message.is_empty());
    let explanation = verifier.explain(object);
    assert_eq!(explanation.report, report);
    assert!(!explanation.asked.is_empty());
    report
}

/// Judges what nobody has signed: whatever the bytes are, they cannot be trusted.
pub fn judge_forged(object: &SignedObject, keyring: &Keyring) {
    let report = judge(object, keyring);
    assert_ne!(report.verdict, Verdict::Trusted, "{report:?}");
}

/// A commit that carries `signature`, and says something else than what any signature here is over.
pub fn commit_with(signature: &str) -> Vec<u8> {
    let id = "b".repeat(64);
    let person = "Ada <ada@example.org> 1700000000 +0000";
    let lines = signature.trim_end().replace('\n', "\n ");
    format!("tree {id}\nauthor {person}\ncommitter {person}\ngpgsig-sha256 {lines}\n\nhello\n").into_bytes()
}

/// The keys that made the signatures of the seeds.
pub fn keyring() -> Keyring {
    let mut keyring = Keyring::from_bytes("team", include_bytes!("../known/keys/team.asc"));
    keyring.extend(Keyring::from_bytes(
        "allowed_signers",
        include_bytes!("../known/keys/allowed_signers"),
    ));
    assert!(keyring.problems().is_empty());
    keyring
}

/// A commit without its signature, found by the simplest reading that there is: the lines from the signature's header to
/// the last one that continues it, taken out of the headers.
pub fn without_signature(commit: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    let (mut is_header, mut is_signature) = (true, false);
    for line in commit.split_inclusive(|byte| *byte == b'\n') {
        is_signature =
            is_header && (line.starts_with(b"gpgsig-sha256 ") || is_signature && line.starts_with(b" "));
        is_header &= line != b"\n";
        if !is_signature {
            rest.extend_from_slice(line);
        }
    }
    rest
}
