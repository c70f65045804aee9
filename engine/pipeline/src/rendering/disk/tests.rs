//! What is kept is found again, and nothing else is taken for it.

use sluice_model::rendering::{Document, Part};

use super::*;

const KEY: &[u8] = b"the key of an installation, of any length";

fn disk(folder: &Path) -> Disk {
    Disk::of(folder, KEY).unwrap()
}

fn question(number: u8) -> Question {
    Question::numbered(number)
}

fn kept(text: &str) -> Kept {
    Kept {
        read: vec![("app/values.yaml".to_owned(), [3; 32])],
        seed: Some("5eed".to_owned()),
        rendering: Rendering {
            documents: vec![Document {
                text: text.to_owned(),
                source: "app/a.yaml".to_owned(),
                part: Part::Hook,
            }],
            random: vec!["randAlphaNum".to_owned()],
            ..Rendering::default()
        },
    }
}

fn texts(disk: &Disk, number: u8) -> Vec<String> {
    let kept = disk.read(&question(number)).into_iter();
    kept.map(|kept| kept.rendering.documents[0].text.clone())
        .collect()
}

fn written(folder: &Path) -> Vec<PathBuf> {
    let all = folders(&folder.join("renderings"));
    all.iter()
        .flat_map(|folder| files(folder))
        .map(|file| file.path)
        .collect()
}

#[test]
fn what_is_kept_is_found_again_and_says_nothing_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    disk(folder.path()).write(&question(1), &kept("password: hunter2"));
    // Kept a second time it is the same file.
    disk(folder.path()).write(&question(1), &kept("password: hunter2"));
    let again = disk(folder.path()).read(&question(1));
    assert_eq!(again.len(), 1);
    let first = &again[0];
    assert_eq!(first.rendering, kept("password: hunter2").rendering);
    assert_eq!((first.seed.as_deref(), first.read.len()), (Some("5eed"), 1));
    assert!(texts(&disk(folder.path()), 2).is_empty());
    let [file] = written(folder.path()).try_into().unwrap();
    let bytes = fs::read(&file).unwrap();
    for clear in ["hunter2", "values.yaml", "5eed", "randAlphaNum"] {
        assert!(
            !bytes.windows(clear.len()).any(|part| part == clear.as_bytes()),
            "{clear}"
        );
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn nothing_else_is_taken_for_it() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("a bit", |file| {
            let mut bytes = fs::read(file).unwrap();
            let last = bytes.len() - 20;
            bytes[last] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("the nonce", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[0] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("cut off", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("empty", |file| fs::write(file, "").unwrap()),
        ("another name", |file| {
            fs::rename(file, file.with_file_name("0".repeat(64))).unwrap();
        }),
    ];
    for (what, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        disk(folder.path()).write(&question(1), &kept("a"));
        change(&written(folder.path())[0]);
        assert!(texts(&disk(folder.path()), 1).is_empty(), "{what}");
        assert!(written(folder.path()).is_empty(), "{what}: it is removed");
    }
    // In the place of another question's.
    let folder = tempfile::tempdir().unwrap();
    disk(folder.path()).write(&question(1), &kept("a"));
    let from = disk(folder.path()).folder_of(&question(1));
    fs::rename(from, disk(folder.path()).folder_of(&question(2))).unwrap();
    assert!(texts(&disk(folder.path()), 2).is_empty());
    // With another installation's key there is not even the name.
    let folder = tempfile::tempdir().unwrap();
    disk(folder.path()).write(&question(1), &kept("a"));
    let other = Disk::of(folder.path(), b"another").unwrap();
    assert!(other.read(&question(1)).is_empty());
    assert_eq!(texts(&disk(folder.path()), 1), ["a"]);
}

#[test]
fn room_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    for number in 0..ANSWERS + 3 {
        disk.write(&question(1), &kept(&number.to_string()));
    }
    assert_eq!(texts(&disk, 1).len(), ANSWERS);
    let one = files(&disk.folder_of(&question(1)))[0].bytes;
    disk.limit = 3 * one + one / 2;
    for number in 2..9 {
        disk.write(&question(number), &kept("x"));
    }
    let left = written(folder.path());
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(texts(&disk, 8), ["x"], "the newest stays");
    assert!(
        folders(&folder.path().join("renderings")).len() == 3,
        "empty folders go"
    );
}

#[test]
fn a_disk_that_takes_nothing_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("renderings"), "a file").unwrap();
    disk(folder.path()).write(&question(1), &kept("a"));
    assert!(texts(&disk(folder.path()), 1).is_empty());
}
