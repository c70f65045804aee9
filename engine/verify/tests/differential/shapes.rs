//! Objects of the forms that Git has besides the plain one: merged tags, encodings, both object formats, odd line ends.

use std::process::Command;

use sluice_model::trust::{SignedKind, SignedObject, Verdict};
use sluice_sandbox::{GnuPg, Key, output};

use crate::bench::Bench;
use crate::mutations::mutations;

struct Signer {
    home: GnuPg,
    key: Key,
    bench: Bench,
}

impl Signer {
    fn new() -> Self {
        let home = GnuPg::new().unwrap();
        let key = home.generate("Ada <ada@example.org>").unwrap();
        let bench = Bench::new(&[("keyring", home.export(&key).unwrap().into_bytes())]);
        Self { home, key, bench }
    }

    fn git(&self) -> Command {
        let mut command = self.bench.repository.git_command();
        command.env("GNUPGHOME", self.home.path());
        command
            .arg("-c")
            .arg(format!("user.signingKey={}", self.key.fingerprint));
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        output(self.git().args(arguments)).unwrap().trim().to_owned()
    }

    fn head(&self) -> SignedObject {
        self.bench
            .read(&self.bench.repository.head().unwrap(), SignedKind::Commit)
    }

    /// Signs bytes as gpg does for Git.
    fn sign(&self, payload: &[u8]) -> String {
        let file = self.bench.folder.write("payload", payload).unwrap();
        let mut command = self.home.gpg();
        command.args([
            "--armor",
            "--detach-sign",
            "--output",
            "-",
            "-u",
            &self.key.fingerprint,
        ]);
        output(command.arg(file)).unwrap()
    }
}

/// The payload with a header put in behind its committer.
fn with_header(payload: &[u8], name: &str, value: &str) -> Vec<u8> {
    let text = payload.to_vec();
    let committer = text
        .windows(10)
        .position(|window| window == b"committer ")
        .unwrap();
    let end = committer + text[committer..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let header = format!("{name} {}\n", value.trim_end().replace('\n', "\n "));
    [&text[..end], header.as_bytes(), &text[end..]].concat()
}

#[test]
fn merged_tags_encodings_and_odd_lines() {
    let signer = Signer::new();
    signer.run(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "-m", "one"]);
    signer.run(&["checkout", "--quiet", "-b", "side"]);
    signer.run(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "-m", "side"]);
    signer.run(&["tag", "--sign", "-m", "v1", "v1"]);
    signer.run(&["checkout", "--quiet", "main"]);
    signer.run(&["merge", "--quiet", "--no-ff", "--gpg-sign", "-m", "merge", "v1"]);
    let merge = signer.head();
    assert!(String::from_utf8_lossy(&merge.bytes).contains("\nmergetag object "));
    let policy = sluice_verify::Policy::default();
    let keyring =
        sluice_verify::Keyring::from_bytes("ada", signer.home.export(&signer.key).unwrap().as_bytes());
    let verifier = sluice_verify::Verifier::new(&keyring, &policy, jiff::Timestamp::now());
    let tags = verifier.merge_tags(&merge);
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0].verdict, Verdict::Trusted);
    assert_eq!(tags[0].revision, signer.run(&["rev-parse", "v1"]));

    let latin = [
        "-c",
        "i18n.commitEncoding=ISO-8859-1",
        "commit",
        "--quiet",
        "--allow-empty",
        "--gpg-sign",
        "-F",
    ];
    let message = signer
        .bench
        .folder
        .write("message", b"gr\xfc\xdfe\n\r\nCRLF\r\n")
        .unwrap();
    signer.run(&[&latin[..], &[message.to_str().unwrap(), "--cleanup=verbatim"]].concat());
    let encoded = signer.head();
    assert!(String::from_utf8_lossy(&encoded.bytes).contains("\nencoding ISO-8859-1\n"));

    let mut objects = vec![merge.bytes.clone(), encoded.bytes.clone()];
    // Headers after the signature, which Git signs as if it were not there.
    let id = signer.run(&["rev-parse", "HEAD^{tree}"]);
    let person = "Ada <ada@example.org> 1700000000 +0000";
    let payload = format!(
        "tree {id}\nauthor {person}\ncommitter {person}\nencoding UTF-8\nx-more one\n two\n\nhello\n"
    );
    let after = with_header(payload.as_bytes(), "gpgsig", &signer.sign(payload.as_bytes()));
    assert!(String::from_utf8_lossy(&after).contains(" -----END PGP SIGNATURE-----\nencoding"));
    objects.push(after);
    // A signature for the other object format beside it, and by itself.
    let plain = format!("tree {id}\nauthor {person}\ncommitter {person}\n\nhello\n");
    let good = signer.sign(plain.as_bytes());
    let both = with_header(
        &with_header(plain.as_bytes(), "gpgsig-sha256", &signer.sign(b"other")),
        "gpgsig",
        &good,
    );
    objects.push(both);
    objects.push(with_header(plain.as_bytes(), "gpgsig-sha256", &good));
    // No message, no end of line, and a signature with Windows' line ends.
    for text in [
        plain.replace("\nhello\n", "\n"),
        plain.trim_end().to_owned(),
        plain.replace("hello", "hello\r"),
    ] {
        objects.push(with_header(
            text.as_bytes(),
            "gpgsig",
            &signer.sign(text.as_bytes()),
        ));
    }
    objects.push(with_header(
        plain.as_bytes(),
        "gpgsig",
        &good.replace('\n', "\r\n"),
    ));
    let written = signer.bench.write(SignedKind::Commit, &objects);
    let verdicts: Vec<Verdict> = written
        .iter()
        .map(|object| signer.bench.ask_us(object).verdict)
        .collect();
    use Verdict::{Trusted, Unsigned};
    assert_eq!(
        verdicts[..8],
        [
            Trusted, Trusted, Trusted, Trusted, Unsigned, Trusted, Trusted, Trusted
        ]
    );
    let mut all: Vec<(String, SignedObject)> = written
        .into_iter()
        .map(|object| ("shape".to_owned(), object))
        .collect();
    for bytes in [&objects[0], &objects[2], &objects[3]] {
        let changed = signer.bench.write(SignedKind::Commit, &mutations(bytes));
        all.extend(
            changed
                .into_iter()
                .map(|object| ("changed shape".to_owned(), object)),
        );
    }
    let seen = signer.bench.compare_all(&all);
    println!("{} objects {seen:#?}", all.len());
    assert!(all.len() > 400, "{}", all.len());
}

#[test]
fn x509_is_never_accepted() {
    let signer = Signer::new();
    signer.run(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "-m", "one"]);
    let commit = String::from_utf8(signer.head().bytes).unwrap();
    let commit = commit.replace("PGP SIGNATURE", "SIGNED MESSAGE");
    let object = signer
        .bench
        .write(SignedKind::Commit, &[commit.into_bytes()])
        .remove(0);
    let report = signer.bench.ask_us(&object);
    assert_eq!(report.verdict, Verdict::Unsupported);
    assert!(report.message.contains("X.509"), "{}", report.message);
}
