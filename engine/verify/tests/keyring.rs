//! Keyrings as people have them: armoured or binary, many keys in a file, some of them damaged.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use sluice_sandbox::{Folder, GnuPg, output};
use sluice_verify::Keyring;

struct Keys {
    home: GnuPg,
    ada: String,
    bob: String,
}

fn keys() -> Keys {
    let home = GnuPg::new().unwrap();
    let ada = home.generate("Ada <ada@example.org>").unwrap();
    let bob = home.generate("Bob <bob@example.org>").unwrap();
    let export = |key| home.export(key).unwrap();
    let (ada, bob) = (export(&ada), export(&bob));
    Keys { home, ada, bob }
}

fn read(text: impl AsRef<[u8]>) -> (usize, Vec<String>) {
    let keyring = Keyring::from_bytes("team", text.as_ref());
    (
        keyring.fingerprints().len(),
        keyring.problems().iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn armoured_binary_and_many() {
    let Keys { home, ada, bob } = keys();
    assert_eq!(read(&ada), (1, vec![]));
    assert_eq!(
        read(format!("Our keys:\n\n{ada}\nand\n\n{bob}\n\nthat is all\n")),
        (2, vec![])
    );
    assert_eq!(
        read(format!("{ada}{ada}")),
        (1, vec![]),
        "the same key twice is one key"
    );
    assert_eq!(read(ada.replace('\n', "\r\n")), (1, vec![]));
    let binary = home.gpg().arg("--export").output().unwrap().stdout;
    assert_eq!(read(&binary), (2, vec![]));
    let one_block = output(home.gpg().args(["--armor", "--export"])).unwrap();
    assert_eq!(read(one_block), (2, vec![]));
}

#[test]
fn a_damaged_key_is_named_and_the_others_serve() {
    let Keys {
        home: _home,
        ada,
        bob,
    } = keys();
    let middle = ada.len() / 2;
    let cut = &ada[..middle];
    let (count, problems) = read(format!("{cut}\n{bob}"));
    assert_eq!(count, 1);
    assert!(problems[0].starts_with("team, line 1: "), "{problems:?}");
    let mut garbled = ada.clone().into_bytes();
    for byte in &mut garbled[60..100] {
        *byte = b'*';
    }
    let (count, problems) = read([bob.as_bytes(), &garbled].concat());
    assert_eq!((count, problems.len()), (1, 1), "{problems:?}");
    for text in [
        "",
        "hello",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "\u{fffd}\0\0",
    ] {
        let (count, problems) = read(text);
        assert_eq!(count, 0, "{text}");
        assert!(!problems.is_empty(), "{text}");
    }
    let (count, problems) = read([0x99, 0xff, 0xff, 0, 1, 2]);
    assert_eq!((count, problems.len()), (0, 1), "{problems:?}");
}

#[test]
fn private_keys_are_turned_away() {
    let Keys { home, .. } = keys();
    let secret = home
        .gpg()
        .args(["--armor", "--export-secret-keys"])
        .output()
        .unwrap()
        .stdout;
    let (count, problems) = read(&secret);
    assert_eq!(count, 0);
    assert!(problems[0].contains("private key"), "{problems:?}");
    let binary = home.gpg().arg("--export-secret-keys").output().unwrap().stdout;
    let (count, problems) = read(&binary);
    assert_eq!(count, 0);
    assert!(problems[0].contains("private key"), "{problems:?}");
}

#[test]
fn a_folder_is_all_its_files() {
    let Keys {
        home: _home,
        ada,
        bob,
    } = keys();
    let folder = Folder::new("keyring").unwrap();
    folder.write("ada.asc", &ada).unwrap();
    folder.write("bob.asc", &bob).unwrap();
    folder.write("..data/eve.asc", "hidden").unwrap();
    folder.write(".swp", "hidden").unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    folder
        .write("allowed_signers", format!("ada@example.org {key}\nnonsense\n"))
        .unwrap();
    let keyring = Keyring::from_path(folder.path()).unwrap();
    assert_eq!(keyring.fingerprints().len(), 3);
    assert_eq!(keyring.problems().len(), 1);
    assert!(
        keyring.problems()[0].place.ends_with("allowed_signers, line 2"),
        "{:?}",
        keyring.problems()
    );
}

#[test]
fn equal_keyrings_have_equal_digests() {
    let Keys {
        home: _home,
        ada,
        bob,
    } = keys();
    let digest = |texts: &[&str]| {
        let mut keyring = Keyring::default();
        for text in texts {
            keyring.extend(Keyring::from_bytes("x", text.as_bytes()));
        }
        keyring.digest()
    };
    assert_eq!(digest(&[&ada, &bob]), digest(&[&bob, &ada, &bob]));
    assert_ne!(digest(&[&ada]), digest(&[&ada, &bob]));
    assert!(digest(&[]).starts_with("sha256:"));
}
