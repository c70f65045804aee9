//! Archives of charts and of manifests: what is unpacked stays within the archive, and within its limits.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use sluice_charts::archive::{Archive, Kind, Unpacked, digest_of, unpack};
use sluice_model::tree::{Revision, below};

/// As the documentation of the archive's bounds has it.
const UNPACKED_BYTES: usize = 100 << 20;

/// Any bytes as an archive, as they are and packed by gzip.
///
/// # Panics
/// If a path or a link leads out of the archive, a chart has files outside of its folder, or the same bytes come to something else.
pub fn run(bytes: &[u8]) {
    let plain = unpack("fuzz", bytes);
    if let Ok(unpacked) = &plain {
        check(unpacked, bytes);
    }
    // What is packed by gzip holds the same; only the bounds of packed bytes are others.
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
    if let (false, Ok(packed)) = (is_packed, packed(bytes)) {
        let from_packed = unpack("fuzz", &packed);
        if let (Ok(plain), Ok(from_packed)) = (&plain, &from_packed) {
            assert_eq!(plain, from_packed);
        }
        assert!(
            plain.is_ok() || from_packed.is_err(),
            "it is an archive only if it is packed"
        );
    }
}

fn check(unpacked: &Unpacked, bytes: &[u8]) {
    let archive = Archive::new(Kind::Files, bytes.into(), None);
    assert_eq!(archive.unpack("fuzz").as_ref().ok(), Some(unpacked));
    let total: usize = unpacked.files.values().map(|content| content.len()).sum();
    assert!(total <= UNPACKED_BYTES, "{total} bytes");
    let digest = digest_of(bytes);
    let revision = Revision {
        requested: "fuzz".to_owned(),
        commit: digest.clone(),
        tree: digest,
        tag: None,
    };
    let tree = unpacked
        .tree(&revision, "")
        .expect("an archive that was unpacked has files");
    for path in tree.files.keys().chain(tree.links.keys()) {
        is_inside(path);
    }
    for link in tree.links.values() {
        // The root is within the archive too.
        if !link.to.is_empty() {
            is_inside(&link.to);
        }
        let leads_somewhere = tree.files.keys().any(|file| below(file, &link.to).is_some());
        assert!(leads_somewhere, "{}", link.to);
    }
    if let Ok((folder, metadata)) = unpacked.chart("fuzz") {
        is_inside(&folder);
        assert!(
            unpacked.files.keys().all(|file| below(file, &folder).is_some()),
            "{folder}"
        );
        let chart = unpacked.tree(&revision, &folder).expect("its folder has files");
        assert_eq!(chart.files.len(), unpacked.files.len(), "{metadata:?}");
    }
}

/// A path within the archive, by the simplest reading that there is.
fn is_inside(path: &str) {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    assert!(path.split('/').all(is_part), "{path:?}");
    assert!(!path.contains(['\\', '\0', '\n']), "{path:?}");
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}
