//! Any text as an `allowed_signers` file.

use sluice_verify::Keyring;

/// See the module.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let keyring = Keyring::from_bytes("fuzz", text.as_bytes());
    assert_eq!(
        keyring.digest(),
        Keyring::from_bytes("fuzz", text.as_bytes()).digest()
    );
    for fingerprint in keyring.fingerprints() {
        assert!(keyring.entry_digest(&fingerprint).is_some());
    }
    // A line that cannot be used takes no other with it.
    let more = format!(
        "{text}\nada@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti\n"
    );
    let is_armour = text.contains("-----BEGIN PGP ");
    assert!(
        is_armour
            || more.as_bytes()[0] & 0x80 != 0
            || !Keyring::from_bytes("fuzz", more.as_bytes()).is_empty()
    );
}
