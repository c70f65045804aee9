//! Bytes that nobody meant well: no panic, no endless loop, and never trust.

use proptest::prelude::*;
use sluice_fuzz::known::{commit_with, judge, object};
use sluice_model::trust::{SignedKind, Verdict};
use sluice_verify::Keyring;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

/// Bytes that get past the first checks more often than any bytes would.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let id = "a".repeat(64);
    let pieces = vec![
        format!("tree {id}\n"),
        format!("parent {id}\n"),
        format!("object {id}\ntype commit\ntag v1\n"),
        "author A <a> 1 +0000\n".to_owned(),
        "committer A <a> 1 +0000\n".to_owned(),
        "gpgsig-sha256 -----BEGIN PGP SIGNATURE-----\n ".to_owned(),
        "-----BEGIN SSH SIGNATURE-----\n".to_owned(),
        "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg".to_owned(),
        "wsBcBAABCAAQBQJbYKdQCRBK7hj4Ov3rIwAA".to_owned(),
        "\n -----END PGP SIGNATURE-----\n".to_owned(),
        "-----END SSH SIGNATURE-----\n".to_owned(),
        "\n".to_owned(),
        "\0".to_owned(),
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(pieces).prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_object(bytes in prop_oneof![likely(), prop::collection::vec(any::<u8>(), 0..200)]) {
        let keyring = Keyring::from_bytes("x", format!("* {KEY}\n").as_bytes());
        for kind in [SignedKind::Commit, SignedKind::Tag] {
            prop_assert_ne!(judge(&object(kind, &bytes), &keyring).verdict, Verdict::Trusted);
        }
    }

    #[test]
    fn any_signature(bytes in prop::collection::vec(any::<u8>(), 0..300), is_pgp: bool) {
        let keyring = Keyring::from_bytes("x", format!("* {KEY}\n").as_bytes());
        let kind = if is_pgp { "PGP" } else { "SSH" };
        let inside = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes);
        let armour = format!("-----BEGIN {kind} SIGNATURE-----\n\n{inside}\n-----END {kind} SIGNATURE-----\n");
        let verdict = judge(&object(SignedKind::Commit, &commit_with(&armour)), &keyring).verdict;
        prop_assert!(!matches!(verdict, Verdict::Trusted | Verdict::Unsigned), "{:?}", verdict);
    }

    #[test]
    fn any_keyring(bytes in prop::collection::vec(any::<u8>(), 0..300), is_text: bool) {
        let bytes = if is_text { String::from_utf8_lossy(&bytes).into_owned().into_bytes() } else { bytes };
        let keyring = Keyring::from_bytes("x", &bytes);
        prop_assert_eq!(keyring.digest(), Keyring::from_bytes("x", &bytes).digest());
    }

    #[test]
    fn any_allowed_signers(line in "[ -~]{0,60}") {
        let keyring = Keyring::from_bytes("x", format!("{line}\nada {KEY}\n").as_bytes());
        prop_assert!(keyring.fingerprints().len() <= 1 && !keyring.is_empty());
    }
}
