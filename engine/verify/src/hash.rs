//! The id that a Git object's bytes really have.

use sha1collisiondetection::Sha1CD;
use sha2::{Digest as _, Sha256};
use sluice_model::trust::{SignedKind, SignedObject};

/// The id of an object by its bytes, in the format of the id it came with. None where SHA-1 was attacked: two objects
/// were made to have one id, and which of them this is nobody can say.
pub(crate) fn object_id(object: &SignedObject) -> Option<String> {
    let kind = match object.kind {
        SignedKind::Commit => "commit",
        SignedKind::Tag => "tag",
    };
    let header = format!("{kind} {}\0", object.bytes.len());
    if object.id.len() == 64 {
        let mut hasher = Sha256::new();
        hasher.update(header.as_bytes());
        hasher.update(&object.bytes);
        return Some(hex::encode(hasher.finalize()));
    }
    let mut hasher = Sha1CD::default();
    hasher.update(header.as_bytes());
    hasher.update(&object.bytes);
    hasher.finalize_cd().ok().map(hex::encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_gits() {
        let object = |kind, digits: usize, bytes: &[u8]| SignedObject {
            id: "0".repeat(digits),
            kind,
            bytes: bytes.to_vec(),
        };
        // `git hash-object -t commit --literally --stdin < /dev/null`, and of a tag.
        assert_eq!(
            object_id(&object(SignedKind::Commit, 40, b"")).unwrap(),
            "dcf5b16e76cce7425d0beaef62d79a7d10fce1f5"
        );
        assert_eq!(
            object_id(&object(SignedKind::Tag, 40, b"x\n")).unwrap(),
            "12b2c1ea0ef1e54adc9044f4be072b019535f9fd"
        );
    }
}
