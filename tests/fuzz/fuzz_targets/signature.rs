//! Any bytes as the inside of an OpenPGP and of an SSH signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{judge, keyring, object, signed_commit};
use sluice_model::trust::SignedKind;

fuzz_target!(|bytes: &[u8]| {
    let keyring = keyring();
    let text = String::from_utf8_lossy(bytes);
    for kind in ["PGP", "SSH"] {
        let armour = format!("-----BEGIN {kind} SIGNATURE-----\n\n{text}\n-----END {kind} SIGNATURE-----\n");
        judge(&object(SignedKind::Commit, &signed_commit(&armour)), &keyring);
    }
});
