//! Any bytes as a commit and as a tag, before the keys that made the seeds' signatures: trusted is only what was signed.

use std::sync::LazyLock;

use crate::known::{PAYLOAD, SIGNED, judge, keyring, object, without_signature};
use sluice_model::trust::{SignedKind, Verdict};
use sluice_verify::Keyring;

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let keyring = keyring();
    assert_eq!(
        judge(&object(SignedKind::Commit, SIGNED), &keyring).verdict,
        Verdict::Trusted
    );
    keyring
});

/// See the module.
pub fn run(bytes: &[u8]) {
    for kind in [SignedKind::Commit, SignedKind::Tag] {
        let report = judge(&object(kind, bytes), &KEYRING);
        if report.verdict == Verdict::Trusted {
            assert_eq!(kind, SignedKind::Commit);
            assert_eq!(without_signature(bytes), PAYLOAD, "{report:?}");
        }
    }
}
