//! Provenance files: a chart is trusted only if the text that was signed is in front of the signature, and is about that very archive.

use jiff::Timestamp;
use sluice_charts::archive::{Archive, Kind};
use sluice_model::tree::Revision;
use sluice_verify::{ChartArchive, Keyring, Policy, Verifier};

/// An archive that a key of [`KEYS`] has signed, once, as `shop` 1.0.0.
const ARCHIVE: &[u8] = include_bytes!("../known/chart/shop-1.0.0.tgz");
/// What was signed.
const SIGNED: &str = include_str!("../known/chart/signed");
/// The private half of it is gone.
const KEYS: &[u8] = include_bytes!("../known/keys/charts.asc");

/// Any bytes as a provenance file.
///
/// # Panics
/// If the archive is trusted and something else was signed, or if another archive, chart or version is trusted.
pub fn run(bytes: &[u8]) {
    let keyring = Keyring::from_bytes("charts", KEYS);
    assert!(keyring.problems().is_empty());
    if is_trusted(&keyring, bytes, ARCHIVE, ("shop", "1.0.0")) {
        assert!(has_lines(bytes), "something else was signed");
    }
    let mut other = ARCHIVE.to_vec();
    // A bit of gzip's time, so that the files are the same.
    if let Some(byte) = other.get_mut(4) {
        *byte ^= 1;
    }
    for (archive, chart) in [
        (&*other, ("shop", "1.0.0")),
        (ARCHIVE, ("shop", "1.0.1")),
        (ARCHIVE, ("other", "1.0.0")),
        (ARCHIVE, ("other", "2.0.0")),
    ] {
        assert!(
            !is_trusted(&keyring, bytes, archive, chart),
            "{chart:?} is trusted"
        );
    }
    assert!(!is_trusted(
        &Keyring::default(),
        bytes,
        ARCHIVE,
        ("shop", "1.0.0")
    ));
}

fn is_trusted(keyring: &Keyring, provenance: &[u8], archive: &[u8], chart: (&str, &str)) -> bool {
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    let archive = Archive::new(Kind::Chart, archive.into(), Some(provenance.into()));
    let revision = Revision {
        requested: "fuzz".to_owned(),
        commit: archive.digest().to_owned(),
        tree: archive.digest().to_owned(),
        tag: None,
    };
    let unpacked = archive.unpack("fuzz").expect("it is an archive");
    let tree = unpacked.tree(&revision, "shop").expect("it is a chart");
    let policy = Policy::default();
    let asked = ChartArchive {
        bytes: archive.bytes(),
        chart: Some(chart),
        provenance: archive.provenance().map(|file| &**file),
    };
    let judged = Verifier::new(keyring, &policy, now).chart(tree, &asked);
    judged.is_ok()
}

/// Whether the lines that were signed stand in a file, one after the other; blanks at their ends are not signed.
fn has_lines(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let bare = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim_end().to_owned()).collect() };
    let (wanted, there) = (bare(SIGNED), bare(&text));
    there.windows(wanted.len()).any(|lines| lines == wanted)
}
