//! RSA by ring, which is ten times as fast as the backends of sequoia and ssh-key, and takes longer keys.

use ring::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY as SHORT_SHA256,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY as SHORT_SHA512, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};

/// What ring takes. Whether short ones count for anything is for the policy to say.
pub(crate) const BITS: std::ops::RangeInclusive<usize> = 1024..=8192;
/// Below this a key is short, and ring takes it with some digests only.
pub(crate) const SHORT_BITS: usize = 2048;

/// A digest that ring has for RSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    fn parameters(self, is_short: bool) -> Option<&'static RsaParameters> {
        match (self, is_short) {
            (Digest::Sha256, true) => Some(&SHORT_SHA256),
            (Digest::Sha384, true) => None,
            (Digest::Sha512, true) => Some(&SHORT_SHA512),
            (Digest::Sha256, false) => Some(&RSA_PKCS1_2048_8192_SHA256),
            (Digest::Sha384, false) => Some(&RSA_PKCS1_2048_8192_SHA384),
            (Digest::Sha512, false) => Some(&RSA_PKCS1_2048_8192_SHA512),
        }
    }
}

/// Whether `signature` is by the key over `message` (RFC 8017, section 8.2.2). None where the key is not one that ring
/// takes: others may.
pub(crate) fn verify(
    modulus: &[u8],
    exponent: &[u8],
    digest: Digest,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let (n, e) = (shortest(modulus), shortest(exponent));
    // Odd, and no longer than the 33 bits that ring allows: 32 are enough for everyone.
    let is_taken = BITS.contains(&bits(n)) && e.last()? & 1 == 1 && bits(e) <= 32 && e != [1];
    if !is_taken {
        return None;
    }
    let parameters = digest.parameters(bits(n) < SHORT_BITS)?;
    // As long as the modulus; OpenPGP writes numbers without leading zeros.
    let short = shortest(signature);
    let mut padded = vec![0; n.len().checked_sub(short.len())?];
    padded.extend_from_slice(short);
    let key = RsaPublicKeyComponents { n, e };
    Some(key.verify(parameters, message, &padded).is_ok())
}

/// How many bits a number has.
pub(crate) fn bits(number: &[u8]) -> usize {
    let number = shortest(number);
    let zeros = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len() * 8 - zeros
}

fn shortest(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_are() {
        assert_eq!(
            (bits(&[]), bits(&[0, 0]), bits(&[0, 1]), bits(&[0x80, 0])),
            (0, 0, 1, 16)
        );
    }

    #[test]
    fn what_ring_does_not_take_is_left_to_others() {
        let (long, e) = ([0xff; 256], [1, 0, 1]);
        let ask = |n: &[u8], e: &[u8]| verify(n, e, Digest::Sha256, b"", &[1; 256]);
        assert_eq!(ask(&long, &e), Some(false));
        assert_eq!(ask(&long[129..], &e), None);
        assert_eq!(ask(&[0xff; 1025], &e), None);
        assert_eq!(ask(&long, &[1, 0, 0]), None);
        assert_eq!(ask(&long, &[1]), None);
        assert_eq!(ask(&long, &[1; 9]), None);
        assert_eq!(ask(&[], &[]), None);
    }
}
