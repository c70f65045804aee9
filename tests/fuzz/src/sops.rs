//! Encrypted files: what comes out was encrypted by who had the key.

use sluice_sops::{Format, Keys, Value, decrypt};

/// The key of the example, which is for tests alone.
const KEY: &str = include_str!("../../../examples/encrypted-secrets/keys/demo.agekey");
/// All that was ever encrypted to it, in the seeds.
const VALUES: &[&str] = &["shop", "correct-horse-battery-staple"];

/// Any bytes as an encrypted file of each form.
///
/// # Panics
/// If a value comes out that was not encrypted, or stands in what a renderer is handed.
pub fn run(bytes: &[u8]) {
    let mut keys = Keys::default();
    assert!(keys.add("demo", KEY.as_bytes()).is_ok());
    for name in ["a.yaml", "a.json", "a.env", "a.ini", "a.bin"] {
        let format = Format::of(name, bytes);
        for format in [format, Some(Format::Yaml), Some(Format::Dotenv)]
            .into_iter()
            .flatten()
        {
            let Ok(decrypted) = decrypt(format, bytes, &keys) else {
                continue;
            };
            let opaque = String::from_utf8_lossy(&decrypted.opaque);
            for value in decrypted.values.values() {
                let Value::Text(text) = value else {
                    panic!("only text was encrypted");
                };
                assert!(VALUES.contains(&text.as_str()), "another value came out");
                let is_long = text.len() > 8;
                assert!(
                    !is_long || !opaque.contains(text.as_str()) || contains(bytes, text),
                    "a value is handed on"
                );
            }
        }
    }
    let mut any = Keys::default();
    let _refused = any.add("any", bytes);
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
