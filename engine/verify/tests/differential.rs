//! Every verdict beside that of real `git verify-commit` and `git verify-tag`, with real gpg and ssh-keygen.
//!
//! Objects are made with keys of every kind and state, then changed byte by byte. Two things are held: nothing is
//! trusted that Git refuses, and what Git accepts is trusted, but for the differences that [`is_documented`] lists.
//! `SLUICE_DIFFERENTIAL=full` changes every single byte instead of a few in each line.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use sluice_model::trust::{SignatureReport, SignedKind, SignedObject, Verdict};
use sluice_sandbox::{Folder, GnuPg, Key, Repository, output};
use sluice_verify::{Keyring, Policy, Verifier};

/// What Git says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Git {
    Good,
    Bad,
    Expired,
    Revoked,
    NoKey,
    /// No signature, or none that it can make out.
    Nothing,
}

struct Bench {
    repository: Repository,
    /// Who is known to Git and to us.
    known: GnuPg,
    folder: Folder,
    keyring: Keyring,
}

impl Bench {
    fn new(keyring: &[(&str, Vec<u8>)]) -> Self {
        let known = GnuPg::new().unwrap();
        let folder = Folder::new("differential").unwrap();
        let mut ring = Keyring::default();
        for (name, bytes) in keyring {
            if bytes.starts_with(b"-----BEGIN PGP") {
                known.import(std::str::from_utf8(bytes).unwrap()).unwrap();
            } else {
                folder.write("allowed_signers", bytes).unwrap();
            }
            let read = Keyring::from_bytes(name, bytes);
            assert_eq!(read.problems(), [], "{name}");
            ring.extend(read);
        }
        Self {
            repository: Repository::new().unwrap(),
            known,
            folder,
            keyring: ring,
        }
    }

    /// Git with the same keys as ours.
    fn git(&self) -> Command {
        let mut command = self.repository.git_command();
        command.env("GNUPGHOME", self.known.path());
        let allowed = self.folder.path().join("allowed_signers");
        command
            .arg("-c")
            .arg(format!("gpg.ssh.allowedSignersFile={}", allowed.display()));
        command
    }

    fn write(&self, kind: SignedKind, bytes: &[u8]) -> SignedObject {
        let name = if kind == SignedKind::Commit {
            "commit"
        } else {
            "tag"
        };
        let mut command = self.repository.git_command();
        command.args(["hash-object", "-w", "-t", name, "--stdin", "--literally"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let id = String::from_utf8(child.wait_with_output().unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned();
        SignedObject {
            id,
            kind,
            bytes: bytes.to_vec(),
        }
    }

    fn read(&self, id: &str, kind: SignedKind) -> SignedObject {
        let name = if kind == SignedKind::Commit {
            "commit"
        } else {
            "tag"
        };
        let done = self
            .repository
            .git_command()
            .args(["cat-file", name, id])
            .output()
            .unwrap();
        assert!(done.status.success());
        SignedObject {
            id: id.to_owned(),
            kind,
            bytes: done.stdout,
        }
    }

    fn ask_git(&self, object: &SignedObject) -> Git {
        let verb = if object.kind == SignedKind::Commit {
            "verify-commit"
        } else {
            "verify-tag"
        };
        let done = self.git().args([verb, "--raw", &object.id]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let has = |word: &str| {
            said.lines()
                .any(|line| line.starts_with(&format!("[GNUPG:] {word}")))
        };
        match done.status.success() {
            true => Git::Good,
            false if has("BADSIG") || said.contains("incorrect signature") => Git::Bad,
            false if has("REVKEYSIG") => Git::Revoked,
            false if has("EXPKEYSIG") || has("EXPSIG") || said.contains("has expired") => Git::Expired,
            false if has("NO_PUBKEY") || said.contains("No principal matched") => Git::NoKey,
            false if has("ERRSIG") || said.contains("Could not verify signature") => Git::Bad,
            false => Git::Nothing,
        }
    }

    fn ask_us(&self, object: &SignedObject) -> SignatureReport {
        Verifier::new(&self.keyring, &Policy::default(), Timestamp::now()).object(object)
    }

    /// Compares both on one object.
    fn compare(&self, object: &SignedObject, what: &str) -> Result<(Git, Verdict), String> {
        let (git, report) = (self.ask_git(object), self.ask_us(object));
        let ours = report.verdict;
        let agree = match git {
            Git::Good => ours == Verdict::Trusted,
            Git::Bad => matches!(ours, Verdict::BadSignature | Verdict::Malformed),
            Git::Expired => ours == Verdict::ExpiredKey,
            Git::Revoked => ours == Verdict::RevokedKey,
            Git::NoKey => ours == Verdict::NoKey,
            Git::Nothing => matches!(ours, Verdict::Unsigned | Verdict::Malformed),
        };
        if agree || is_documented(git, ours) {
            return Ok((git, ours));
        }
        let text = String::from_utf8_lossy(&object.bytes);
        Err(format!(
            "{what}: git says {git:?}, we say {ours:?} ({})\n{}",
            report.message,
            text.escape_debug()
        ))
    }
}

/// Where we differ from Git, always by trusting less:
/// - weak algorithms are named and refused: SHA-1, DSA, RSA under 2048 bits;
/// - Brainpool curves and RSA beyond what the implementation takes are named as unsupported;
/// - what is loosely written is malformed: doubled headers, armour with something around it, two signatures;
/// - an object that was changed so that its signature names another key or is none at all is refused under the name
///   that fits what is left of it.
fn is_documented(git: Git, ours: Verdict) -> bool {
    match ours {
        Verdict::Trusted => false,
        Verdict::WeakAlgorithm | Verdict::Unsupported | Verdict::Malformed => true,
        _ => git != Git::Good,
    }
}

fn commit(bench: &Bench, configure: impl FnOnce(&mut Command)) -> SignedObject {
    let mut command = bench.repository.git_command();
    configure(&mut command);
    command.args([
        "commit",
        "--quiet",
        "--allow-empty",
        "--gpg-sign",
        "--message",
        "hello\n\nworld",
    ]);
    output(&mut command).unwrap();
    bench.read(&bench.repository.head().unwrap(), SignedKind::Commit)
}

fn tag(bench: &Bench, name: &str, configure: impl FnOnce(&mut Command)) -> SignedObject {
    let mut command = bench.repository.git_command();
    configure(&mut command);
    command.args(["tag", "--sign", "--message", "hello", name]);
    output(&mut command).unwrap();
    let id = bench
        .repository
        .git(&["rev-parse", &format!("refs/tags/{name}")])
        .unwrap();
    bench.read(id.trim(), SignedKind::Tag)
}

/// A program for Git to sign with: gpg in some home, at some time, with some key.
fn program(folder: &Folder, home: &GnuPg, time: Option<&str>, extra: &str) -> PathBuf {
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

fn gpg_at(home: &GnuPg, time: &str, arguments: &[&str]) {
    let mut command = home.gpg();
    command
        .args(["--faked-system-time", &format!("{time}!"), "--passphrase", ""])
        .args(arguments);
    output(&mut command).unwrap();
}

fn only_fingerprint(home: &GnuPg, user: &str) -> String {
    let listing = output(home.gpg().args(["--with-colons", "--list-keys", user])).unwrap();
    let line = listing.lines().find(|line| line.starts_with("fpr:")).unwrap();
    line.split(':').nth(9).unwrap().to_owned()
}

fn last_subkey(home: &GnuPg, key: &str) -> String {
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

fn edit(home: &GnuPg, key: &str, answers: &str) {
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

struct Case {
    name: &'static str,
    user: String,
    signing: String,
    time: Option<&'static str>,
    extra: &'static str,
    expected: Verdict,
}

fn openpgp_cases(home: &GnuPg) -> Vec<Case> {
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
    add(
        "brainpoolP256r1",
        &make("brainpool", "brainpoolP256r1"),
        None,
        "",
        Unsupported,
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

fn revoke(home: &GnuPg, cases: &[Case]) {
    for case in cases {
        match case.name {
            "revoked" => {
                home.revoke(&Key {
                    fingerprint: case.user.clone(),
                    user_id: String::new(),
                })
                .unwrap();
            }
            "subkey-revoked" => edit(home, &case.user, "key 1\nrevkey\ny\n0\n\ny\nsave\n"),
            _ => {}
        }
    }
}

/// The same object with one byte changed, for some bytes of every line, and with lines dropped and doubled.
fn mutations(bytes: &[u8]) -> Vec<Vec<u8>> {
    let is_full = std::env::var("SLUICE_DIFFERENTIAL").is_ok_and(|value| value == "full");
    let mut all = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        let positions: Vec<usize> = if is_full {
            (start..end).collect()
        } else {
            vec![start, (start + end) / 2]
        };
        for at in positions {
            let mut changed = bytes.to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            all.push(changed);
        }
        let mut dropped = bytes[..start].to_vec();
        dropped.extend_from_slice(&bytes[end..]);
        all.push(dropped);
        let mut doubled = bytes[..end].to_vec();
        doubled.extend_from_slice(&bytes[start..]);
        all.push(doubled);
        start = end;
    }
    for extra in [b"\0".as_slice(), b"\n", b" ", b"x"] {
        all.push([bytes, extra].concat());
    }
    all
}

#[test]
fn openpgp_verdicts_are_gits() {
    let home = GnuPg::new().unwrap();
    let cases = openpgp_cases(&home);
    // Signed before the revocations, as it happens in life.
    let signed = Bench::new(&[]);
    let objects: Vec<[SignedObject; 2]> = cases
        .iter()
        .map(|case| {
            let program = program(&signed.folder, &home, case.time, case.extra);
            let configure = |command: &mut Command| {
                command
                    .arg("-c")
                    .arg(format!("gpg.program={}", program.display()));
                command
                    .arg("-c")
                    .arg(format!("user.signingKey={}!", case.signing));
            };
            [
                commit(&signed, configure),
                tag(&signed, &case.name.replace(' ', "-"), configure),
            ]
        })
        .collect();
    revoke(&home, &cases);
    let known: Vec<&str> = cases
        .iter()
        .filter(|case| case.name != "unknown")
        .map(|case| case.user.as_str())
        .collect();
    let armour = output(home.gpg().args(["--armor", "--export"]).args(&known)).unwrap();
    let bench = Bench::new(&[("keyring", armour.into_bytes())]);
    let mut failures = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (case, objects) in cases.iter().zip(&objects) {
        for object in objects {
            let object = bench.write(object.kind, &object.bytes);
            let report = bench.ask_us(&object);
            assert_eq!(report.verdict, case.expected, "{}: {}", case.name, report.message);
            if case.expected != Verdict::NoKey && case.expected != Verdict::Unsupported {
                let signer = report.signer.unwrap();
                assert_eq!(signer.fingerprint, case.user, "{}", case.name);
            }
            failures.extend(bench.compare(&object, case.name).err());
        }
    }
    for case in cases
        .iter()
        .zip(&objects)
        .filter(|(case, _)| ["ed25519", "subkey", "rsa2048"].contains(&case.name))
    {
        let (case, objects) = case;
        for object in objects {
            for bytes in mutations(&object.bytes) {
                let changed = bench.write(object.kind, &bytes);
                match bench.compare(&changed, case.name) {
                    Ok(pair) => *seen.entry(format!("{pair:?}")).or_default() += 1,
                    Err(failure) => failures.push(failure),
                }
            }
        }
    }
    println!("{seen:#?}");
    assert!(
        failures.is_empty(),
        "{} differences\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    assert!(seen.values().sum::<usize>() > 300, "{seen:?}");
}

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
    let mut failures = Vec::new();
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
            failures.extend(bench.compare(&object, name).err());
            if *name == "ed25519" || *name == "certified" {
                for bytes in mutations(&object.bytes) {
                    let changed = bench.write(object.kind, &bytes);
                    failures.extend(bench.compare(&changed, name).err());
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differences\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
