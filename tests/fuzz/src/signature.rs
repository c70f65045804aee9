//! Any text as a signature, and any bytes as the inside of one: over something that nobody has signed.

use std::sync::LazyLock;

use crate::known::{commit_with, judge_forged, keyring, object};
use sluice_model::trust::SignedKind;
use sluice_verify::Keyring;

static KEYRING: LazyLock<Keyring> = LazyLock::new(keyring);

/// See the module.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    judge_forged(&object(SignedKind::Commit, &commit_with(&text)), &KEYRING);
    for kind in ["PGP", "SSH"] {
        let inside = base64(bytes);
        let armour =
            format!("-----BEGIN {kind} SIGNATURE-----\n\n{inside}\n-----END {kind} SIGNATURE-----\n");
        judge_forged(&object(SignedKind::Commit, &commit_with(&armour)), &KEYRING);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk
            .iter()
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}
