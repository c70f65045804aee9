//! The id that a Git object's bytes really have.

use sha1collisiondetection::Sha1CD;
use sha2::{Digest as _, Sha256};
use sluice_model::trust::{SignedKind, SignedObject};

/// Whether the bytes of an object hash to its id. No where SHA-1 was attacked: two objects were made to have one id, and
/// which of them this is cannot be said.
pub(crate) fn is_id_right(object: &SignedObject) -> bool {
    id_of(object.kind, &object.bytes, object.id.len()).as_deref() == Some(object.id.as_str())
}

/// The id of an object by its bytes, in the format of ids of that many digits. None where SHA-1 was attacked.
pub(crate) fn id_of(kind: SignedKind, bytes: &[u8], digits: usize) -> Option<String> {
    let kind = match kind {
        SignedKind::Commit => "commit",
        SignedKind::Tag => "tag",
    };
    let header = format!("{kind} {}\0", bytes.len());
    if digits == 64 {
        let mut hasher = Sha256::new();
        hasher.update(header.as_bytes());
        hasher.update(bytes);
        return Some(hex::encode(hasher.finalize()));
    }
    let mut hasher = Sha1CD::default();
    hasher.update(header.as_bytes());
    hasher.update(bytes);
    hasher.finalize_cd().ok().map(hex::encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_gits() {
        // `git hash-object -t commit --literally --stdin < /dev/null`, and of a tag.
        assert_eq!(
            id_of(SignedKind::Commit, b"", 40).unwrap(),
            "dcf5b16e76cce7425d0beaef62d79a7d10fce1f5"
        );
        assert_eq!(
            id_of(SignedKind::Tag, b"x\n", 40).unwrap(),
            "12b2c1ea0ef1e54adc9044f4be072b019535f9fd"
        );
    }
}
