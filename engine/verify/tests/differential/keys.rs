//! Keys of every kind and state, made with gpg and ssh-keygen.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use sluice_model::trust::Verdict;
use sluice_sandbox::{Folder, GnuPg, Key, output};

/// A program for Git to sign with: gpg in some home, at some time, with some key.
pub(crate) fn program(folder: &Folder, home: &GnuPg, time: Option<&str>, extra: &str) -> PathBuf {
    let time = time
        .map(|time| format!("--faked-system-time {time}!"))
        .unwrap_or_default();
    let script = format!(
        "#!/bin/sh\nexec env GNUPGHOME='{}' gpg {time} {extra} \"$@\"\n",
        home.path().display()
    );
    let name = format!("gpg-{}", fs_err::read_dir(folder.path()).unwrap().count());
    let path = folder.write(&name, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

pub(crate) fn gpg_at(home: &GnuPg, time: &str, arguments: &[&str]) {
    let mut command = home.gpg();
    command
        .args(["--faked-system-time", &format!("{time}!"), "--passphrase", ""])
        .args(arguments);
    output(&mut command).unwrap();
}

pub(crate) fn only_fingerprint(home: &GnuPg, user: &str) -> String {
    let listing = output(home.gpg().args(["--with-colons", "--list-keys", user])).unwrap();
    let line = listing.lines().find(|line| line.starts_with("fpr:")).unwrap();
    line.split(':').nth(9).unwrap().to_owned()
}

pub(crate) fn last_subkey(home: &GnuPg, key: &str) -> String {
    let listing = output(home.gpg().args(["--with-colons", "--list-keys", key])).unwrap();
    listing
        .lines()
        .rfind(|line| line.starts_with("fpr:"))
        .unwrap()
        .split(':')
        .nth(9)
        .unwrap()
        .to_owned()
}

pub(crate) fn edit(home: &GnuPg, key: &str, answers: &str) {
    let mut command = home.gpg();
    command.args([
        "--no-batch",
        "--command-fd",
        "0",
        "--passphrase",
        "",
        "--edit-key",
        key,
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "gpg --edit-key {key}");
}

/// A key, when and how it signs, and what must be said of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) user: String,
    pub(crate) signing: String,
    pub(crate) time: Option<&'static str>,
    pub(crate) extra: &'static str,
    pub(crate) expected: Verdict,
}

pub(crate) fn openpgp_cases(home: &GnuPg) -> Vec<Case> {
    use Verdict::{ExpiredKey, NoKey, RevokedKey, Trusted, Unsupported, WeakAlgorithm};
    let mut cases = Vec::new();
    let mut add = |name, key: &str, time, extra, expected| {
        cases.push(Case {
            name,
            user: key.to_owned(),
            signing: key.to_owned(),
            time,
            extra,
            expected,
        });
    };
    let make =
        |name: &str, algorithm: &str| home.generate_with(name, algorithm, "never").unwrap().fingerprint;
    let ed25519 = make("ed25519", "ed25519");
    add("ed25519", &ed25519, None, "", Trusted);
    // Signatures of each length modulo three: base64 with two, one and no bytes of padding.
    for (name, notation) in [
        ("padding a", "--sig-notation a@example.org="),
        ("padding b", "--sig-notation a@example.org=x"),
        ("padding c", "--sig-notation a@example.org=xx"),
    ] {
        add(name, &ed25519, None, notation, Trusted);
    }
    add(
        "sha1",
        &ed25519,
        None,
        "--digest-algo SHA1 --allow-weak-digest-algos",
        WeakAlgorithm,
    );
    add("rsa2048", &make("rsa2048", "rsa2048"), None, "", Trusted);
    add(
        "rsa3072 sha512",
        &make("rsa3072", "rsa3072"),
        None,
        "--digest-algo SHA512",
        Trusted,
    );
    add("rsa1024", &make("rsa1024", "rsa1024"), None, "", WeakAlgorithm);
    add("dsa", &make("dsa", "dsa2048"), None, "", WeakAlgorithm);
    for curve in ["nistp256", "nistp384", "nistp521"] {
        add(curve, &make(curve, curve), None, "", Trusted);
    }
    for curve in ["brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"] {
        add(curve, &make(curve, curve), None, "", Unsupported);
    }
    gpg_at(
        home,
        "20980101T000000",
        &["--quick-generate-key", "future", "ed25519", "sign", "never"],
    );
    add(
        "not yet valid",
        &only_fingerprint(home, "future"),
        Some("20980601T000000"),
        "",
        ExpiredKey,
    );
    add("unknown", &make("unknown", "ed25519"), None, "", NoKey);
    gpg_at(
        home,
        "20200101T000000",
        &["--quick-generate-key", "expired", "ed25519", "sign", "1y"],
    );
    add(
        "expired",
        &only_fingerprint(home, "expired"),
        Some("20200601T000000"),
        "",
        ExpiredKey,
    );
    let revoked = home.generate_with("revoked", "ed25519", "never").unwrap();
    add("revoked", &revoked.fingerprint, None, "", RevokedKey);
    let quick_subkey = |key: &str, expires: &str| {
        output(home.gpg().args([
            "--passphrase",
            "",
            "--quick-add-key",
            key,
            "ed25519",
            "sign",
            expires,
        ]))
        .unwrap();
        last_subkey(home, key)
    };
    let with_subkey = make("subkey", "rsa2048");
    let good = quick_subkey(&with_subkey, "never");
    let with_revoked = make("subkey-revoked", "ed25519");
    let gone = quick_subkey(&with_revoked, "never");
    let with_retired = make("subkey-retired", "ed25519");
    let retired = quick_subkey(&with_retired, "never");
    gpg_at(
        home,
        "20200101T000000",
        &[
            "--quick-generate-key",
            "subkey-expired",
            "ed25519",
            "sign",
            "never",
        ],
    );
    let with_expired = only_fingerprint(home, "subkey-expired");
    gpg_at(
        home,
        "20200102T000000",
        &["--quick-add-key", &with_expired, "ed25519", "sign", "30d"],
    );
    let old = last_subkey(home, &with_expired);
    for (name, user, signing, time, expected) in [
        ("subkey", with_subkey, good, None, Trusted),
        ("subkey-revoked", with_revoked, gone, None, RevokedKey),
        ("subkey-retired", with_retired, retired, None, RevokedKey),
        (
            "subkey-expired",
            with_expired,
            old,
            Some("20200110T000000"),
            ExpiredKey,
        ),
    ] {
        cases.push(Case {
            name,
            user,
            signing,
            time,
            extra: "",
            expected,
        });
    }
    cases
}

pub(crate) fn revoke(home: &GnuPg, cases: &[Case]) {
    for case in cases {
        match case.name {
            "revoked" => {
                home.revoke(&Key {
                    fingerprint: case.user.clone(),
                    user_id: String::new(),
                })
                .unwrap();
            }
            // No reason, which counts as the worst; no longer used, which says nothing about what it signed before.
            "subkey-revoked" => edit(home, &case.user, "key 1\nrevkey\ny\n0\n\ny\nsave\n"),
            "subkey-retired" => edit(home, &case.user, "key 1\nrevkey\ny\n3\n\ny\nsave\n"),
            _ => {}
        }
    }
}
