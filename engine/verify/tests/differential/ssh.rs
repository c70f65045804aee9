//! SSH, beside ssh-keygen.

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use sluice_model::trust::Verdict;
use sluice_sandbox::{Folder, output};
use sluice_verify::{Keyring, Policy, Verifier, WeakAlgorithm};

use crate::bench::{Bench, Git, commit, tag};
use crate::mutations::mutations;

fn ssh_key(folder: &Folder, name: &str, arguments: &[&str]) -> (PathBuf, String) {
    let path = folder.path().join(name);
    output(
        Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-C", name, "-f"])
            .arg(&path)
            .args(arguments),
    )
    .unwrap();
    let public = fs_err::read_to_string(path.with_extension("pub")).unwrap();
    (path, public.trim().to_owned())
}

fn ssh_fingerprint(path: &Path) -> String {
    let said = output(Command::new("ssh-keygen").arg("-lf").arg(path)).unwrap();
    said.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn ssh_verdicts_are_gits() {
    use Verdict::{ExpiredKey, NoKey, Trusted, WeakAlgorithm};
    let folder = Folder::new("ssh-keys").unwrap();
    let mut allowed = String::new();
    let mut cases: Vec<(&str, PathBuf, Verdict)> = Vec::new();
    for (name, arguments, options, expected) in [
        ("ed25519", ["-t", "ed25519"].as_slice(), "", Trusted),
        (
            "rsa3072",
            &["-t", "rsa", "-b", "3072"],
            "namespaces=\"file,git\" ",
            Trusted,
        ),
        ("rsa1024", &["-t", "rsa", "-b", "1024"], "", WeakAlgorithm),
        ("rsa6144", &["-t", "rsa", "-b", "6144"], "", Trusted),
        ("p256", &["-t", "ecdsa", "-b", "256"], "", Trusted),
        (
            "p384",
            &["-t", "ecdsa", "-b", "384"],
            "valid-after=\"20200101\" ",
            Trusted,
        ),
        ("p521", &["-t", "ecdsa", "-b", "521"], "", Trusted),
        ("elsewhere", &["-t", "ed25519"], "namespaces=\"file\" ", NoKey),
        (
            "old",
            &["-t", "ed25519"],
            "valid-before=\"20200101\" ",
            ExpiredKey,
        ),
        (
            "early",
            &["-t", "ed25519"],
            "valid-after=\"20990101\" ",
            ExpiredKey,
        ),
        ("unknown", &["-t", "ed25519"], "-", NoKey),
    ] {
        let (path, public) = ssh_key(&folder, name, arguments);
        if options != "-" {
            allowed.push_str(&format!("{name}@example.org {options}{public}\n"));
        }
        cases.push((name, path, expected));
    }
    // A key that an authority vouches for, for the right person and for another.
    let (authority, public) = ssh_key(&folder, "authority", &["-t", "ed25519"]);
    allowed.push_str(&format!("*@example.org cert-authority {public}\n"));
    for (name, principal, expected) in [
        ("certified", "certified@example.org", Trusted),
        ("stranger", "stranger@example.com", NoKey),
    ] {
        let (path, _) = ssh_key(&folder, name, &["-t", "ed25519"]);
        let public = path.with_extension("pub");
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-I", name, "-n", principal, "-V", "-1d:+52w", "-s"])
            .arg(&authority)
            .arg(public);
        output(&mut command).unwrap();
        cases.push((name, folder.path().join(format!("{name}-cert.pub")), expected));
    }
    let bench = Bench::new(&[("allowed_signers", allowed.into_bytes())]);
    let mut all = Vec::new();
    for (name, path, expected) in &cases {
        let configure = |command: &mut Command| {
            command
                .args(["-c", "gpg.format=ssh", "-c"])
                .arg(format!("user.signingKey={}", path.display()));
        };
        for object in [commit(&bench, configure), tag(&bench, name, configure)] {
            let report = bench.ask_us(&object);
            assert_eq!(report.verdict, *expected, "{name}: {}", report.message);
            if report.verdict == Trusted {
                let signer = report.signer.unwrap();
                assert_eq!(signer.fingerprint, ssh_fingerprint(path), "{name}");
                assert_eq!(signer.user_id, Some(format!("{name}@example.org")));
            }
            let mut changed = vec![object.bytes.clone()];
            if ["ed25519", "certified", "rsa3072"].contains(name) {
                changed.extend(mutations(&object.bytes));
            }
            let changed = bench.write(object.kind, &changed).into_iter();
            all.extend(changed.map(|object| ((*name).to_owned(), object)));
        }
    }
    let seen = bench.compare_all(&all);
    println!("{} objects {seen:#?}", all.len());
    assert!(all.len() > 700, "{}", all.len());
}

#[test]
fn a_short_rsa_key_is_allowed_by_its_name() {
    let folder = Folder::new("short-rsa").unwrap();
    let (path, public) = ssh_key(&folder, "short", &["-t", "rsa", "-b", "1024"]);
    let line = format!("short@example.org {public}\n");
    let keyring = Keyring::from_bytes("allowed_signers", line.as_bytes());
    let bench = Bench::new(&[("allowed_signers", line.into_bytes())]);
    let object = commit(&bench, |command| {
        command
            .args(["-c", "gpg.format=ssh", "-c"])
            .arg(format!("user.signingKey={}", path.display()));
    });
    let (git, ours) = bench.compare(&object, "short").unwrap();
    assert_eq!((git, ours), (Git::Good, Verdict::WeakAlgorithm));
    let policy = Policy {
        allow_weak: [WeakAlgorithm::ShortRsa].into(),
        ..Policy::default()
    };
    let verifier = Verifier::new(&keyring, &policy, Timestamp::now());
    let report = verifier.object(&object);
    assert_eq!(report.verdict, Verdict::Trusted, "{}", report.message);
    bench.trusts_no_more_than_git(&verifier, &object);
}
