//! Any text as a signature, and any bytes as the inside of one: over something that nobody has signed.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::known::{commit_with, judge_forged, keyring, object};
use sluice_model::trust::SignedKind;
use sluice_verify::Keyring;

static KEYRING: LazyLock<Keyring> = LazyLock::new(keyring);

/// See the module.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    judge_forged(&object(SignedKind::Commit, &commit_with(&text)), &KEYRING);
    for kind in ["PGP", "SSH"] {
        let inside = STANDARD.encode(bytes);
        let armour =
            format!("-----BEGIN {kind} SIGNATURE-----\n\n{inside}\n-----END {kind} SIGNATURE-----\n");
        judge_forged(&object(SignedKind::Commit, &commit_with(&armour)), &KEYRING);
    }
}
