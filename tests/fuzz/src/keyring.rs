//! Any bytes as a keyring, before a commit that was really signed: only the key that signed it makes it trusted.

use crate::known::{SIGNED, judge, keyring, object};
use sluice_model::trust::{SignedKind, Verdict};
use sluice_verify::Keyring;

/// See the module.
pub fn run(bytes: &[u8]) {
    let found = Keyring::from_bytes("fuzz", bytes);
    assert_eq!(found.digest(), Keyring::from_bytes("fuzz", bytes).digest());
    let now = jiff::Timestamp::from_second(1_800_000_000).expect("a time");
    for fingerprint in found.fingerprints() {
        assert!(found.entry_digest(&fingerprint).is_some(), "{fingerprint}");
        found.revocation(&fingerprint, now);
    }
    assert!(found.is_empty() || !found.fingerprints().is_empty());
    let report = judge(&object(SignedKind::Commit, SIGNED), &found);
    if report.verdict == Verdict::Trusted {
        let signer = report.signer.expect("who is trusted is named");
        assert!(found.fingerprints().contains(&signer.fingerprint));
        assert!(keyring().fingerprints().contains(&signer.fingerprint));
    }
}
