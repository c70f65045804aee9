//! The index of a chart repository: what is found in it is the newest that the range allows, and leads somewhere that can be asked.

use sluice_charts::Constraint;
use sluice_charts::index::Index;
use sluice_charts::version::Version;

const REPOSITORY: &str = "https://charts.example.org/stable";

/// Any bytes as an index. Its first line, a comment, is taken for a range too.
///
/// # Panics
/// If a version is found that the range does not allow, or a newer one is allowed; or if the same bytes come to something else.
pub fn run(bytes: &[u8]) {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let range = String::from_utf8_lossy(first);
    let range = range.trim_start_matches('#').trim();
    let Ok(constraint) = Constraint::read(range) else {
        return;
    };
    let Ok(index) = Index::read(REPOSITORY, bytes) else {
        return;
    };
    let again = Index::read(REPOSITORY, bytes).expect("the same bytes are read again");
    let any = Constraint::default();
    for (wanted, constraint) in [(range, &constraint), ("", &any)] {
        let found = index.find(REPOSITORY, "shop", wanted, constraint);
        let same = again.find(REPOSITORY, "shop", wanted, constraint);
        assert_eq!(found.as_ref().ok(), same.as_ref().ok());
        let Ok(found) = found else { continue };
        if let Ok(place) = found.place(REPOSITORY) {
            assert!(url::Url::parse(&place).is_ok(), "{place}");
        }
        if let Some(digest) = &found.digest {
            let by_digest = index.with_digest("shop", digest);
            assert_eq!(by_digest.and_then(|listed| listed.digest.as_ref()), Some(digest));
        }
        if found.version == wanted {
            continue;
        }
        let version = Version::read(&found.version).expect("what a range allows is a version");
        assert!(constraint.allows(&version), "{} of {wanted}", found.version);
        // Above it the range has nothing that the index has.
        let newer = Constraint::read(&format!("> {}", found.version)).expect("a version is a bound");
        if let Ok(above) = index.find(REPOSITORY, "shop", "", &newer) {
            let above = Version::read(&above.version).expect("what a range allows is a version");
            assert!(
                !constraint.allows(&above),
                "{above:?} is newer than {}",
                found.version
            );
        }
    }
}
