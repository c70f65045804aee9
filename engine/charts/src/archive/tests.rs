//! Archives as `helm package` makes them, and hostile ones.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

fn packed(tar: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

fn entry(builder: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, link: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    // As it is written: the crate itself would refuse what is dangerous.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn tar(entries: &[(&str, EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, link, content) in entries {
        entry(&mut builder, name, *kind, link, content);
    }
    builder.into_inner().unwrap()
}

const CHART: &[u8] = b"apiVersion: v2\nname: shop\nversion: 1.2.3\n";

#[test]
fn a_chart_is_unpacked() {
    let tar = tar(&[
        ("shop/Chart.yaml", EntryType::Regular, "", CHART),
        ("./shop/templates/", EntryType::Directory, "", b""),
        ("shop/templates/a.yaml", EntryType::Regular, "", b"a: 1\n"),
    ]);
    let bytes = packed(&tar);
    let archive = Archive::new(Kind::Chart, bytes.clone().into(), None);
    assert_eq!(archive.digest(), digest_of(&bytes));
    let unpacked = archive.unpack("shop").unwrap();
    let (folder, metadata) = unpacked.chart("shop").unwrap();
    assert_eq!((folder.as_str(), metadata.version.as_str()), ("shop", "1.2.3"));
    let revision = Revision {
        requested: "*".to_owned(),
        commit: archive.digest().to_owned(),
        tree: archive.digest().to_owned(),
        tag: None,
    };
    let tree = unpacked.tree(&revision, "shop/templates/").unwrap();
    assert_eq!(tree.files.len(), 1);
    assert!(unpacked.tree(&revision, "sho").is_none() && unpacked.tree(&revision, "other").is_none());
    // Without gzip it is the same.
    assert_eq!(unpack("shop", &tar).unwrap(), unpacked);
    assert!(!format!("{archive:?}").contains("31, 139"));
}

#[test]
fn links_are_followed_within_the_archive() {
    let unpacked = unpack(
        "x",
        &tar(&[
            ("base/a.yaml", EntryType::Regular, "", b"a: 1\n"),
            ("over/link.yaml", EntryType::Symlink, "../base/a.yaml", b""),
            ("over/base", EntryType::Symlink, "../base", b""),
            ("over/nowhere", EntryType::Symlink, "gone", b""),
        ]),
    )
    .unwrap();
    let revision = Revision {
        requested: String::new(),
        commit: String::new(),
        tree: String::new(),
        tag: None,
    };
    let tree = unpacked.tree(&revision, "over").unwrap();
    assert_eq!(tree.skipped.len(), 3);
    assert_eq!(tree.links.len(), 2);
    assert_eq!(tree.links["over/link.yaml"].to, "base/a.yaml");
    assert!(tree.links["over/base"].is_folder);
    assert!(matches!(unpacked.chart("x"), Err(ChartError::Archive { .. })));
}

#[test]
fn what_no_honest_archive_has_is_refused() {
    let file = EntryType::Regular;
    for (case, entries) in [
        ("absolute", vec![("/etc/passwd", file, "", &b"x"[..])]),
        ("up", vec![("shop/../../x", file, "", b"x")]),
        ("backslash", vec![("shop\\..\\x", file, "", b"x")]),
        ("drive", vec![("c:/x", file, "", b"x")]),
        ("control", vec![("a\nb", file, "", b"x")]),
        ("link up", vec![("a", EntryType::Symlink, "../x", b"")]),
        (
            "absolute link",
            vec![("a", EntryType::Symlink, "/etc/passwd", b"")],
        ),
        ("hard link", vec![("a", EntryType::Link, "b", b"")]),
        ("device", vec![("a", EntryType::Char, "", b"")]),
        ("fifo", vec![("a", EntryType::Fifo, "", b"")]),
        ("twice", vec![("a", file, "", b"x"), ("./a", file, "", b"y")]),
        (
            "link and file",
            vec![("a", EntryType::Symlink, "b", b""), ("a", file, "", b"y")],
        ),
        (
            "behind a link",
            vec![
                ("a", EntryType::Symlink, "b", b""),
                ("a/x", file, "", b"y"),
                ("b/y", file, "", b"y"),
            ],
        ),
        (
            "within a file",
            vec![("a", file, "", b"x"), ("a/b", file, "", b"y")],
        ),
    ] {
        let error = unpack("x.tgz", &packed(&tar(&entries))).unwrap_err();
        assert!(matches!(error, ChartError::Hostile { .. }), "{case}: {error}");
    }
    for bytes in [&b""[..], b"\x1f\x8b", b"nonsense", &packed(b"")] {
        let error = unpack("x.tgz", bytes).unwrap_err();
        assert!(matches!(error, ChartError::Archive { .. }), "{error}");
    }
    let whole = packed(&tar(&[("a", file, "", b"x")]));
    let cut = &whole[..whole.len() - 9];
    assert!(matches!(unpack("x.tgz", cut), Err(ChartError::Archive { .. })));
}

/// Helm takes no such chart either; and what is shown as a version would be as long as a file may be.
#[test]
fn a_version_is_one() {
    for (version, expected) in [
        ("1.2.3", true),
        ("v1.2", true),
        ("latest", false),
        ("1.0.0,x=y", false),
    ] {
        let chart = format!("name: shop\nversion: '{version}'\n");
        let entries = [("shop/Chart.yaml", EntryType::Regular, "", chart.as_bytes())];
        let unpacked = unpack("x", &tar(&entries)).unwrap();
        assert_eq!(unpacked.chart("x").is_ok(), expected, "{version}");
    }
}

#[test]
fn bombs_go_off_nowhere() {
    let bomb = packed(&vec![0; 300 << 20]);
    assert!(bomb.len() < 1 << 20);
    let error = unpack("x.tgz", &bomb).unwrap_err();
    assert!(matches!(error, ChartError::TooLarge { .. }), "{error}");

    // A size that is written and is not there.
    let mut lying = tar(&[("a", EntryType::Regular, "", b"x")]);
    lying[124..136].copy_from_slice(b"77777777777\0");
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(&lying[..512]);
    header.set_cksum();
    lying[..512].copy_from_slice(header.as_bytes());
    assert!(matches!(unpack("x", &lying), Err(ChartError::TooLarge { .. })));

    let names: Vec<String> = (0..=ENTRIES).map(|number| format!("f{number}")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), EntryType::Regular, "", &b""[..]))
        .collect();
    let error = unpack("x", &tar(&entries)).unwrap_err();
    assert!(
        matches!(&error, ChartError::TooLarge { limit, .. } if limit.contains("entries")),
        "{error}"
    );
}
