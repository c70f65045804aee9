//! Any bytes as a keyring.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{judge, object, signed_commit};
use sluice_model::trust::SignedKind;
use sluice_verify::Keyring;

fuzz_target!(|bytes: &[u8]| {
    let keyring = Keyring::from_bytes("fuzz", bytes);
    assert!(!keyring.is_empty() || !keyring.problems().is_empty() || bytes.iter().all(|byte| *byte < 0x80));
    judge(&object(SignedKind::Commit, &signed_commit("-----BEGIN PGP SIGNATURE-----\n")), &keyring);
});
