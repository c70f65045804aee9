//! Any bytes as a commit and as a tag.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{judge, keyring, object};
use sluice_model::trust::SignedKind;

fuzz_target!(|bytes: &[u8]| {
    let keyring = keyring();
    for kind in [SignedKind::Commit, SignedKind::Tag] {
        judge(&object(kind, bytes), &keyring);
    }
});
