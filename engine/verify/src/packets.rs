//! Brings OpenPGP packets into the one right form before anyone reads them.
//!
//! The library that GitHub signed half of the world's merges with, and with which it made its own key, wrote two things
//! wrongly for years: numbers with leading zeros, and in the two octets meant for a quick look at the digest the first
//! two octets of what was digested. gpg cares about neither, sequoia about both. Neither is part of what is hashed, and
//! a signature is verified in full whatever they say: putting them right makes nothing valid that was not. What is not
//! exactly understood here is left as it is.

use sha1collisiondetection::Sha1CD;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

/// Signatures by RSA, DSA, ECDSA and the first EdDSA are one or two such numbers. Later kinds are plain bytes.
const WITH_NUMBERS: [u8; 6] = [1, 2, 3, 17, 19, 22];
const SIGNATURE: u8 = 2;

const PRIMARY_KEY: u8 = 6;
const USER_ID: u8 = 13;
const SUBKEY: u8 = 14;
const USER_ATTRIBUTE: u8 = 17;

/// The packets with every version-4 signature's numbers in their shortest form and, where it is over a key that stands
/// before it, the first octets of the digest as they are.
pub(crate) fn tidied(bytes: &[u8]) -> Vec<u8> {
    let mut tidy = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut over = Over::default();
    while !rest.is_empty() {
        let Some((packet, after)) = Packet::read(rest) else {
            tidy.extend_from_slice(rest);
            break;
        };
        match packet.tag {
            PRIMARY_KEY => {
                over = Over {
                    primary: Some(packet.body),
                    component: None,
                }
            }
            USER_ID | USER_ATTRIBUTE | SUBKEY => over.component = Some((packet.tag, packet.body)),
            _ => {}
        }
        match (packet.tag == SIGNATURE)
            .then(|| signature(packet.body, &over))
            .flatten()
        {
            Some(body) => packet.write(&body, &mut tidy),
            None => tidy.extend_from_slice(packet.whole),
        }
        rest = after;
    }
    tidy
}

/// What is hashed after the document for the one signature of version 4 in these packets (RFC 9580, section 5.2.4).
pub(crate) fn trailer(packets: &[u8]) -> Option<Vec<u8>> {
    let mut rest = packets;
    while let Some((packet, after)) = Packet::read(rest) {
        rest = after;
        if packet.tag == SIGNATURE {
            let body = packet.body;
            let end = 6 + number(body.get(4..6)?);
            let mut trailer = body.get(..end).filter(|body| body.first() == Some(&4))?.to_vec();
            trailer.extend_from_slice(&[4, 0xff]);
            trailer.extend_from_slice(&u32::try_from(end).ok()?.to_be_bytes());
            return Some(trailer);
        }
    }
    None
}

/// What a signature in a certificate is over.
#[derive(Default)]
struct Over<'a> {
    primary: Option<&'a [u8]>,
    component: Option<(u8, &'a [u8])>,
}

impl Over<'_> {
    /// What is hashed for a signature of this type, without the part of the signature itself.
    fn hashed(&self, kind: u8) -> Option<Vec<u8>> {
        let primary = self.primary?;
        let mut bytes = key(primary)?;
        match (kind, self.component) {
            // About the key as a whole.
            (0x1f | 0x20, _) => {}
            // About a user ID.
            (0x10..=0x13 | 0x30, Some((tag @ (USER_ID | USER_ATTRIBUTE), body))) => {
                bytes.push(if tag == USER_ID { 0xb4 } else { 0xd1 });
                bytes.extend_from_slice(&u32::try_from(body.len()).ok()?.to_be_bytes());
                bytes.extend_from_slice(body);
            }
            // About a subkey.
            (0x18 | 0x28, Some((SUBKEY, body))) => bytes.extend(key(body)?),
            _ => return None,
        }
        Some(bytes)
    }
}

fn key(body: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0x99];
    bytes.extend_from_slice(&u16::try_from(body.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(body);
    (body.first() == Some(&4)).then_some(bytes)
}

/// The first octets of the digest of a signature in a certificate.
fn digest_start(body: &[u8], hashed_end: usize, over: &Over<'_>) -> Option<[u8; 2]> {
    let [_, kind, _, algorithm, ..] = body else {
        return None;
    };
    let mut bytes = over.hashed(*kind)?;
    bytes.extend_from_slice(body.get(..hashed_end)?);
    bytes.extend_from_slice(&[4, 0xff]);
    bytes.extend_from_slice(&u32::try_from(hashed_end).ok()?.to_be_bytes());
    let digest = match algorithm {
        2 => {
            let mut hasher = Sha1CD::default();
            hasher.update(&bytes);
            hasher.finalize_cd().ok()?.to_vec()
        }
        8 => Sha256::digest(&bytes).to_vec(),
        9 => Sha384::digest(&bytes).to_vec(),
        10 => Sha512::digest(&bytes).to_vec(),
        11 => Sha224::digest(&bytes).to_vec(),
        _ => return None,
    };
    digest.first_chunk::<2>().copied()
}

struct Packet<'a> {
    tag: u8,
    whole: &'a [u8],
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A packet of a definite length; the others are of kinds that have no place in keys and signatures.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let first = *bytes.first()?;
        let (tag, header, length) = match first & 0xc0 {
            0xc0 => {
                let (octets, length) = match *bytes.get(1)? {
                    short @ 0..=191 => (1, usize::from(short)),
                    long @ 192..=223 => (
                        2,
                        (usize::from(long) - 192) * 256 + usize::from(*bytes.get(2)?) + 192,
                    ),
                    224..=254 => return None,
                    255 => (5, number(bytes.get(2..6)?)),
                };
                (first & 0x3f, 1 + octets, length)
            }
            0x80 => {
                let octets = match first & 3 {
                    0 => 1,
                    1 => 2,
                    2 => 4,
                    _ => return None,
                };
                ((first >> 2) & 0x0f, 1 + octets, number(bytes.get(1..1 + octets)?))
            }
            _ => return None,
        };
        let (whole, after) = bytes.split_at_checked(header.checked_add(length)?)?;
        Some((
            Self {
                tag,
                whole,
                body: whole.get(header..)?,
            },
            after,
        ))
    }

    fn write(&self, body: &[u8], target: &mut Vec<u8>) {
        let Ok(length) = u32::try_from(body.len()) else {
            return target.extend_from_slice(self.whole);
        };
        target.extend_from_slice(&[0xc0 | self.tag, 0xff]);
        target.extend_from_slice(&length.to_be_bytes());
        target.extend_from_slice(body);
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// A version-4 signature put right; none where that changes nothing.
fn signature(body: &[u8], over: &Over<'_>) -> Option<Vec<u8>> {
    let [4, _type, algorithm, _hash, ..] = body else {
        return None;
    };
    if !WITH_NUMBERS.contains(algorithm) {
        return None;
    }
    let hashed = 6 + number(body.get(4..6)?);
    let unhashed = hashed + 2 + number(body.get(hashed..hashed + 2)?);
    let (head, rest) = body.split_at_checked(unhashed)?;
    let (start, mut rest) = rest.split_first_chunk::<2>()?;
    let mut tidy = head.to_vec();
    tidy.extend_from_slice(&digest_start(body, hashed, over).unwrap_or(*start));
    while !rest.is_empty() {
        let bits = number(rest.get(..2)?);
        let (value, after) = rest.get(2..)?.split_at_checked(bits.div_ceil(8))?;
        let start = value.iter().position(|byte| *byte != 0).unwrap_or(value.len());
        let value = value.get(start..)?;
        let zeros = value.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let bits = u16::try_from(value.len() * 8 - zeros).ok()?;
        tidy.extend_from_slice(&bits.to_be_bytes());
        tidy.extend_from_slice(value);
        rest = after;
    }
    (tidy != body).then_some(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(numbers: &[u8]) -> Vec<u8> {
        let body = [&[4, 0, 1, 8, 0, 1, 0xaa, 0, 2, 0xbb, 0xcc, 0x12, 0x34], numbers].concat();
        [&[0xc2, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
    }

    #[test]
    fn numbers_are_shortened() {
        let loose = packet(&[0, 24, 0x00, 0x01, 0xff]);
        let expected = [
            &[0xc2, 0xff, 0, 0, 0, 17][..],
            &[
                4, 0, 1, 8, 0, 1, 0xaa, 0, 2, 0xbb, 0xcc, 0x12, 0x34, 0, 9, 0x01, 0xff,
            ],
        ]
        .concat();
        assert_eq!(tidied(&loose), expected);
        assert_eq!(tidied(&expected), expected);
    }

    #[test]
    fn everything_else_is_left() {
        let right = packet(&[0, 9, 0x01, 0xff]);
        for bytes in [
            right.clone(),
            packet(&[0, 24, 0x00]),
            packet(&[0]),
            vec![],
            vec![0x99],
            vec![0xc2, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            vec![0xc2, 0xe0, 1],
            b"hello".to_vec(),
            [right.as_slice(), b"\0rest"].concat(),
        ] {
            assert_eq!(tidied(&bytes), bytes);
        }
    }
}
