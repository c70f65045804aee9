//! The same objects before Git, with real gpg and ssh-keygen, and before us.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use sluice_model::trust::{SignatureReport, SignedKind, SignedObject, Verdict};
use sluice_sandbox::{Folder, GnuPg, Repository, output};
use sluice_verify::{Keyring, Policy, Verifier};

use crate::mutations::mutations;

/// What Git says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Git {
    Good,
    Bad,
    Expired,
    Revoked,
    NoKey,
    /// No signature, or none that it can make out.
    Nothing,
}

/// The keys that Git and we know, and a repository for both.
pub(crate) struct Bench {
    pub(crate) repository: Repository,
    /// Who is known to Git and to us.
    known: GnuPg,
    pub(crate) folder: Folder,
    keyring: Keyring,
}

impl Bench {
    pub(crate) fn new(keyring: &[(&str, Vec<u8>)]) -> Self {
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

    /// The gpg that Git asks.
    pub(crate) fn gpg(&self) -> Command {
        self.known.gpg()
    }

    /// With a keyring of ours that gpg was given in another way.
    pub(crate) fn with(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
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

    /// Writes objects as they are, however odd.
    pub(crate) fn write(&self, kind: SignedKind, objects: &[Vec<u8>]) -> Vec<SignedObject> {
        let folder = Folder::new("objects").unwrap();
        let paths = objects.iter().enumerate().map(|(number, bytes)| {
            let path = folder.write(&number.to_string(), bytes).unwrap();
            format!("{}\n", path.display())
        });
        let paths: String = paths.collect();
        let mut command = self.repository.git_command();
        command.args([
            "hash-object",
            "-w",
            "-t",
            name(kind),
            "--literally",
            "--stdin-paths",
        ]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || input.write_all(paths.as_bytes()).unwrap());
        let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        writer.join().unwrap();
        let ids: Vec<&str> = said.lines().collect();
        assert_eq!(ids.len(), objects.len());
        let written = ids.into_iter().zip(objects);
        written
            .map(|(id, bytes)| SignedObject {
                id: id.to_owned(),
                kind,
                bytes: bytes.clone(),
            })
            .collect()
    }

    pub(crate) fn read(&self, id: &str, kind: SignedKind) -> SignedObject {
        let done = self
            .repository
            .git_command()
            .args(["cat-file", name(kind), id])
            .output()
            .unwrap();
        assert!(done.status.success());
        SignedObject {
            id: id.to_owned(),
            kind,
            bytes: done.stdout,
        }
    }

    /// Returns what Git says, in one word and in full.
    fn ask_git(&self, object: &SignedObject) -> (Git, String) {
        let verb = if object.kind == SignedKind::Commit {
            "verify-commit"
        } else {
            "verify-tag"
        };
        let done = self.git().args([verb, "--raw", &object.id]).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let has = |word: &str| {
            said.lines()
                .any(|line| line.starts_with(&format!("[GNUPG:] {word}")))
        };
        let verdict = match done.status.success() {
            true => Git::Good,
            false if has("BADSIG") || said.contains("incorrect signature") => Git::Bad,
            false if has("REVKEYSIG") => Git::Revoked,
            false if has("EXPKEYSIG") || has("EXPSIG") || said.contains("has expired") => Git::Expired,
            false if has("NO_PUBKEY") || said.contains("No principal matched") => Git::NoKey,
            false if has("ERRSIG") || said.contains("Could not verify signature") => Git::Bad,
            false => Git::Nothing,
        };
        (verdict, said)
    }

    pub(crate) fn ask_us(&self, object: &SignedObject) -> SignatureReport {
        Verifier::new(&self.keyring, &Policy::default(), Timestamp::now()).object(object)
    }

    /// Compares both on one object.
    pub(crate) fn compare(&self, object: &SignedObject, what: &str) -> Result<(Git, Verdict), String> {
        let ((git, said), report) = (self.ask_git(object), self.ask_us(object));
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
            "{what}: git says {git:?}, we say {ours:?} ({})\n{said}\n{}",
            report.message,
            text.escape_debug()
        ))
    }

    /// What is allowed is an algorithm: of what was changed after it was signed, nothing is trusted that Git refuses.
    pub(crate) fn trusts_no_more_than_git(&self, verifier: &Verifier<'_>, object: &SignedObject) {
        let changed = self.write(object.kind, &mutations(&object.bytes));
        assert!(changed.len() > 50, "{}", changed.len());
        let trusted = changed
            .iter()
            .filter(|object| verifier.object(object).verdict == Verdict::Trusted);
        for object in trusted {
            assert_eq!(self.ask_git(object).0, Git::Good);
        }
    }

    /// Compares both on many; how often which pair of answers was given. Panics with all differences.
    pub(crate) fn compare_all(&self, objects: &[(String, SignedObject)]) -> BTreeMap<String, usize> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some((what, object)) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push(self.compare(object, what));
            }
            done
        };
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let done = workers.into_iter().flat_map(|worker| worker.join().unwrap());
            done.collect()
        });
        let mut seen = BTreeMap::new();
        let mut failures = Vec::new();
        for answer in answers {
            match answer {
                Ok((git, ours)) => *seen.entry(format!("{git:?} {ours:?}")).or_default() += 1,
                Err(failure) => failures.push(failure),
            }
        }
        assert!(
            failures.is_empty(),
            "{} differences\n{}",
            failures.len(),
            failures.join("\n\n")
        );
        seen
    }
}

fn name(kind: SignedKind) -> &'static str {
    match kind {
        SignedKind::Commit => "commit",
        SignedKind::Tag => "tag",
    }
}

/// The differences that `sluice_verify` documents. Each trusts less; whatever Git refuses, we do.
fn is_documented(git: Git, ours: Verdict) -> bool {
    match ours {
        Verdict::Trusted => false,
        Verdict::WeakAlgorithm | Verdict::Unsupported | Verdict::Malformed => true,
        _ => git != Git::Good,
    }
}

/// A commit that is signed as `configure` says.
pub(crate) fn commit(bench: &Bench, configure: impl FnOnce(&mut Command)) -> SignedObject {
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

/// A tag that is signed as `configure` says.
pub(crate) fn tag(bench: &Bench, name: &str, configure: impl FnOnce(&mut Command)) -> SignedObject {
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
