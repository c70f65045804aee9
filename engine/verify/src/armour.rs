//! Takes the armour off an OpenPGP signature, as strictly as gpg does: header lines, an empty line, base64, and the
//! checksum right where there is one. Nothing may stand before or after.
//!
//! gpg finds the end of the content by its padding or by its checksum. Content that has neither it reads on into the
//! last line, and refuses it. So it is refused here too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// How the end of the content is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As gpg finds it.
    AsGpg,
    /// By the last line too: Helm's library writes no checksum.
    AsHelm,
}

/// The bytes inside, or what is wrong.
pub(crate) fn taken_off(text: &[u8], end: End) -> Result<Vec<u8>, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "it is no text")?;
    let mut lines = text.lines().map(str::trim_end);
    if lines.next() != Some(BEGIN) {
        return Err("something stands in its first line");
    }
    loop {
        match lines.next() {
            None => return Err("it ends too early"),
            Some("") => break,
            Some(header) if header.contains(": ") => {}
            Some(_) => return Err("the empty line before its content is missing"),
        }
    }
    let mut base64 = String::new();
    let mut checksum = None;
    loop {
        let line = lines.next().ok_or("its last line is missing")?;
        match line.strip_prefix('=') {
            _ if line == END => break,
            Some(sum) if checksum.is_none() && sum.len() == 4 => checksum = Some(sum),
            None if checksum.is_none() => base64.push_str(line),
            Some(_) | None => return Err("its content is malformed"),
        }
    }
    if lines.any(|line| !line.is_empty()) {
        return Err("something follows its last line");
    }
    if end == End::AsGpg && checksum.is_none() && !base64.ends_with('=') {
        return Err("neither padding nor a checksum ends its content");
    }
    let bytes = STANDARD.decode(base64).map_err(|_| "its content is no base64")?;
    if let Some(checksum) = checksum {
        let [_, expected @ ..] = crc24(&bytes).to_be_bytes();
        if STANDARD.decode(checksum).ok().as_deref() != Some(&expected) {
            return Err("its checksum is wrong");
        }
    }
    Ok(bytes)
}

/// RFC 4880, section 6.1.
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpgs_armour() {
        for text in [
            format!("{BEGIN}\n\naGVsbG8=\n=R/WK\n{END}\n"),
            format!("{BEGIN}\r\nVersion: 1\r\nComment: a: b\r\n \r\naGVs\r\nbG8=\r\n{END}\r\n \n"),
        ] {
            assert_eq!(
                taken_off(text.as_bytes(), End::AsGpg).unwrap(),
                b"hello",
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else() {
        for text in [
            format!("{BEGIN}\naGVsbG8=\n{END}\n"),
            format!("{BEGIN}\n\naGVsbG8=\n=R/WA\n{END}\n"),
            format!("{BEGIN}\n\naGVsbG8=\n=R/WK\n=R/WK\n{END}\n"),
            format!("{BEGIN}\n\n=R/WK\naGVsbG8=\n{END}\n"),
            format!("{BEGIN}\n\naGVsbG8=\n{END}\nx"),
            format!("{BEGIN}x\n\naGVsbG8=\n{END}\n"),
            format!("{BEGIN}\n\naGVsbG8=\n"),
            format!("{BEGIN}\n\naGVs*G8=\n{END}\n"),
            format!("{BEGIN}\n\naGVs\n{END}\n"),
            BEGIN.to_owned(),
            String::new(),
        ] {
            assert!(taken_off(text.as_bytes(), End::AsGpg).is_err(), "{text:?}");
        }
        let bare = format!("{BEGIN}\n\naGVs\n{END}\n");
        assert_eq!(taken_off(bare.as_bytes(), End::AsHelm).unwrap(), b"hel");
    }
}
