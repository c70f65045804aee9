//! Files that the real `sops` encrypted, with real keys of age and gpg: what it encrypted is read, and what was tampered with is refused.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use age::secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use sluice_model::error::Coded as _;
use sluice_sandbox::{Folder, GnuPg, output, renderer_program};
use sluice_sops::{Decrypted, Format, Keys, SopsError, decrypt};

static SOPS: LazyLock<PathBuf> =
    LazyLock::new(|| renderer_program("sops", |build| output(build).map(drop)).unwrap());

/// Where files are encrypted.
struct Bench {
    folder: Folder,
    identity: age::x25519::Identity,
    keys: Keys,
}

impl Bench {
    fn new() -> Self {
        let identity = age::x25519::Identity::generate();
        let mut keys = Keys::default();
        let text = format!("# created\n{}\n", identity.to_string().expose_secret());
        keys.add("test.agekey", text.as_bytes()).unwrap();
        Self {
            folder: Folder::new("sops").unwrap(),
            identity,
            keys,
        }
    }

    fn sops(&self) -> Command {
        let mut command = Command::new(&*SOPS);
        command
            .current_dir(self.folder.path())
            .env("SOPS_AGE_KEY", self.identity.to_string().expose_secret())
            .env("HOME", self.folder.path());
        command
    }

    /// Encrypts a file to the age key.
    fn encrypt(&self, name: &str, content: impl AsRef<[u8]>, options: &[&str]) -> String {
        self.folder.write(name, content).unwrap();
        let recipient = self.identity.to_public().to_string();
        let mut command = self.sops();
        command
            .args(["--encrypt", "--age", &recipient])
            .args(options)
            .arg(name);
        output(&mut command).unwrap()
    }

    fn read(&self, name: &str, encrypted: &str) -> Result<Decrypted, SopsError> {
        let format = Format::of(name, encrypted.as_bytes())
            .unwrap_or_else(|| panic!("{name} is encrypted:\n{encrypted}"));
        decrypt(format, encrypted.as_bytes(), &self.keys)
    }
}

/// The documents of a text, as JSON.
fn documents(text: &[u8]) -> Vec<Json> {
    use serde::Deserialize as _;
    serde_yaml::Deserializer::from_slice(text)
        .map(|document| Json::deserialize(document).unwrap())
        .collect()
}

/// Without the placeholders: every one of them replaced by its value.
fn revealed(node: &mut Json, decrypted: &Decrypted) {
    match node {
        Json::String(text) => {
            let found = decrypted
                .values
                .iter()
                .find(|(placeholder, _)| placeholder.as_str() == text);
            if let Some((_, value)) = found {
                *node = value.json().unwrap();
            }
        }
        Json::Array(entries) => entries.iter_mut().for_each(|entry| revealed(entry, decrypted)),
        Json::Object(entries) => entries.values_mut().for_each(|entry| revealed(entry, decrypted)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

const YAML: &str = r#"# A comment before everything
apiVersion: v1
kind: Secret
metadata:
    name: database # beside
    labels: {tier: "1", app: web}
stringData:
    password: "s3cr3t: # 'quoted' \"twice\" \\ and \t tabs"
    empty: ""
    lines: |
        first
        second

        fourth
    yes: "yes"
    number: "0123"
    unicode: "grüße 🌊 \u2028 and \x07"
    long: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccccccccccccccc"
    plain_unencrypted: visible
# A comment between
numbers:
    int: 42
    negative: -7
    float: 1.5
    tiny: 1.0e-9
    large: 12345678901234567890.0
    round: 3.0
    bools: [true, false, null]
list:
    - one
    # within the list
    - two: {three: 4}
    - [nested, [deeper]]
nothing: null
date: 2024-05-06
"#;

const TWO: &str = "a: 1\nb:\n    - x\n    - y\n---\nc: second\nd_unencrypted: 5\n";

#[test]
fn every_format_and_option_is_read() {
    let bench = Bench::new();
    let json = serde_json::to_string_pretty(&documents(b"{b: 1, a: [x, 2.50, true, {z: null}], text: \"grusse \\u0041 <>&\\n\", e: \"\", big: 123456789012}")[0]).unwrap();
    let cases: &[(&str, &str, &[&str])] = &[
        ("a.yaml", YAML, &[]),
        ("a.yaml", YAML, &["--encrypted-regex", "^(data|stringData)$"]),
        (
            "a.yaml",
            YAML,
            &["--unencrypted-regex", "^(apiVersion|kind|metadata|numbers)$"],
        ),
        ("a.yaml", YAML, &["--encrypted-suffix", "Data"]),
        ("a.yaml", YAML, &["--unencrypted-suffix", "_unencrypted"]),
        (
            "a.yaml",
            YAML,
            &["--mac-only-encrypted", "--encrypted-regex", "^stringData$"],
        ),
        ("a.yaml", YAML, &["--mac-only-encrypted"]),
        ("a.yaml", YAML, &["--indent", "2"]),
        ("two.yml", TWO, &[]),
        ("two.yml", TWO, &["--encrypted-regex", "^[bc]$"]),
        ("a.json", &json, &[]),
        ("a.json", &json, &["--encrypted-regex", "^(a|text)$"]),
        (
            "a.json",
            &json,
            &["--mac-only-encrypted", "--encrypted-regex", "^a$"],
        ),
    ];
    for (name, content, options) in cases {
        let encrypted = bench.encrypt(name, content, options);
        let decrypted = bench
            .read(name, &encrypted)
            .unwrap_or_else(|error| panic!("{name} {options:?}: {error}\n{encrypted}"));
        bench.folder.write(name, &encrypted).unwrap();
        let theirs = output(bench.sops().args(["--decrypt", name])).unwrap();
        let theirs = documents(theirs.as_bytes());
        let clear = String::from_utf8_lossy(&decrypted.clear);
        assert_eq!(
            documents(&decrypted.clear),
            theirs,
            "{name} {options:?}:\n{clear}"
        );
        let mut opaque = documents(&decrypted.opaque);
        opaque
            .iter_mut()
            .for_each(|document| revealed(document, &decrypted));
        assert_eq!(opaque, theirs, "{name} {options:?}");
        let shown = String::from_utf8_lossy(&decrypted.opaque);
        assert!(
            !shown.contains("s3cr3t") && !shown.contains("ENC[AES256_GCM,data") || shown.contains('#'),
            "{shown}"
        );
    }
}

#[test]
fn lines_stay_where_they_are() {
    let bench = Bench::new();
    let encrypted = bench.encrypt("a.yaml", YAML, &["--encrypted-regex", "^stringData$"]);
    let decrypted = bench.read("a.yaml", &encrypted).unwrap();
    let line = |text: &str| text.lines().position(|line| line.starts_with("list:")).unwrap();
    let opaque = String::from_utf8(decrypted.opaque).unwrap();
    assert_eq!(line(&opaque), line(&encrypted), "{opaque}");
    assert!(opaque.contains("# A comment between"), "{opaque}");
}

#[test]
fn dotenv_and_binary_files_are_read_byte_for_byte() {
    let bench = Bench::new();
    let dotenv = "# a comment\nA=one two\nB=\nC=a=b \"c\"\nKEY=line\\nsecond\nD_unencrypted=5\n";
    for (name, content, options) in [
        ("a.env", dotenv.as_bytes(), &[][..]),
        ("a.env", dotenv.as_bytes(), &["--encrypted-regex", "^A$"]),
        (
            "a.env",
            dotenv.as_bytes(),
            &["--mac-only-encrypted", "--encrypted-regex", "^A$"],
        ),
        ("a.bin", b"\x00\xff\xfebinary\n".as_slice(), &[]),
        ("a.txt", b"just text\nof two lines\n".as_slice(), &[]),
    ] {
        let encrypted = bench.encrypt(name, content, options);
        let decrypted = bench.read(name, &encrypted).unwrap();
        if name.ends_with(".env") {
            // The comment stays encrypted: it is in no renderer's way.
            let without = |text: &[u8]| {
                let lines = String::from_utf8_lossy(text)
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .map(str::to_owned)
                    .collect::<Vec<_>>();
                lines.join("\n")
            };
            assert_eq!(without(&decrypted.clear), without(content));
        } else {
            assert_eq!(decrypted.clear, content);
            assert_eq!(decrypted.values.len(), 1);
            assert_eq!(decrypted.opaque.len(), 40);
        }
    }
}

#[test]
fn placeholders_tell_values_and_places_apart() {
    let bench = Bench::new();
    let encrypted = bench.encrypt("a.yaml", "a: same\nb: same\nc: other\n", &[]);
    let (first, again) = (
        bench.read("a.yaml", &encrypted).unwrap(),
        bench.read("a.yaml", &encrypted).unwrap(),
    );
    assert_eq!(first.opaque, again.opaque);
    assert_eq!(first.values.len(), 3);
    for placeholder in first.values.keys() {
        let word = placeholder.as_str();
        assert!(
            word.len() == 40
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
    }
    // A value that is changed by sops keeps the data key, and with it the placeholders of the others.
    bench.folder.write("a.yaml", &encrypted).unwrap();
    output(bench.sops().args(["set", "a.yaml", "[\"c\"]", "\"new\""])).unwrap();
    let changed = fs_err::read_to_string(bench.folder.path().join("a.yaml")).unwrap();
    let changed = bench.read("a.yaml", &changed).unwrap();
    let same = changed
        .values
        .keys()
        .filter(|key| first.values.contains_key(key))
        .count();
    assert_eq!(same, 2);
    assert_eq!(format!("{first:?}"), "Decrypted(3 values)");
}

#[test]
fn what_was_tampered_with_is_refused() {
    let bench = Bench::new();
    let text = "a: first\nb: second\nc:\n    d: third\nn_unencrypted: 5\nm_unencrypted: 6\n";
    let encrypted = bench.encrypt("a.yaml", text, &[]);
    let other = bench.encrypt("b.yaml", text, &[]);
    let line = |text: &str, start: &str| {
        text.lines()
            .find(|line| line.starts_with(start))
            .unwrap()
            .to_owned()
    };
    let value = |text: &str, start: &str| line(text, start).split_once(": ").unwrap().1.to_owned();
    let metadata = |text: &str| text.split_once("sops:").unwrap().1.to_owned();
    let body = encrypted.split_once("sops:").unwrap().0;
    let mac = line(&encrypted, "    mac:");
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "a value moved to another name",
            encrypted.replace("a: ENC", "x: ENC"),
            "E04",
        ),
        (
            "two values swapped",
            encrypted
                .replace(&value(&encrypted, "a:"), "TMP")
                .replace(&value(&encrypted, "b:"), &value(&encrypted, "a:"))
                .replace("TMP", &value(&encrypted, "b:")),
            "E04",
        ),
        (
            "a value left out",
            encrypted.replace(&format!("{}\n", line(&encrypted, "b:")), ""),
            "E05",
        ),
        (
            "a value emptied",
            encrypted.replace(&value(&encrypted, "b:"), "\"\""),
            "E05",
        ),
        (
            "a value in clear",
            encrypted.replace(&value(&encrypted, "b:"), "clear"),
            "E01",
        ),
        (
            "a value cut off",
            encrypted.replace(",type:str]", ",type:str"),
            "E01",
        ),
        (
            "a number in clear changed",
            encrypted.replace("n_unencrypted: 5", "n_unencrypted: 7"),
            "E05",
        ),
        (
            "numbers in clear swapped",
            encrypted
                .replace("n_unencrypted: 5", "n_unencrypted: 6")
                .replace("m_unencrypted: 6", "m_unencrypted: 5"),
            "E05",
        ),
        ("no MAC", encrypted.replace(&format!("{mac}\n"), ""), "E01"),
        ("an empty MAC", encrypted.replace(&mac, "    mac: \"\""), "E01"),
        (
            "the MAC of another file",
            encrypted.replace(&mac, &line(&other, "    mac:")),
            "E05",
        ),
        (
            "another time",
            encrypted.replace("lastmodified: \"2", "lastmodified: \"1"),
            "E05",
        ),
        (
            "the metadata of another file",
            format!("{body}sops:{}", metadata(&other)),
            "E04",
        ),
        (
            "nothing but metadata",
            format!("sops:{}", metadata(&encrypted)),
            "E05",
        ),
        ("no keys", encrypted.replace("    age:", "    aged:"), "E02"),
        (
            "another rule",
            encrypted.replace("unencrypted_suffix: _unencrypted", "encrypted_regex: ^a$"),
            "E05",
        ),
        (
            "a type changed",
            encrypted.replacen("type:str", "type:int", 1),
            "E01",
        ),
    ];
    assert!(bench.read("a.yaml", &encrypted).is_ok());
    for (what, text, code) in cases {
        assert_ne!(text, encrypted, "{what}");
        let error = bench.read("a.yaml", &text).expect_err(what);
        assert_eq!(error.code().id, code, "{what}: {error}");
        let mut told = String::new();
        write!(told, "{error} {error:?}").unwrap();
        assert!(
            !told.contains("first") || what.contains("document") || told.contains("its first"),
            "{told}"
        );
    }
}

#[test]
fn keys_that_do_not_fit_are_named() {
    let bench = Bench::new();
    let encrypted = bench.encrypt("a.yaml", "a: first\n", &[]);
    let format = Format::of("a.yaml", encrypted.as_bytes()).unwrap();
    let stranger = Bench::new();
    for keys in [&stranger.keys, &Keys::default()] {
        let error = decrypt(format, encrypted.as_bytes(), keys).unwrap_err();
        assert_eq!(error.code().id, "E03");
        assert!(
            error
                .to_string()
                .contains(&bench.identity.to_public().to_string()),
            "{error}"
        );
    }
    let clouds = encrypted.replace(
        "    age:",
        "    kms:\n        - arn: arn:aws:kms:x\n          enc: AAAA\n    aged:",
    );
    let error = bench.read("a.yaml", &clouds).unwrap_err();
    assert_eq!(
        (error.code().id, error.to_string().contains("AWS KMS")),
        ("E02", true),
        "{error}"
    );

    let second = age::x25519::Identity::generate().to_public().to_string();
    bench.folder.write("groups.yaml", "a: first\n").unwrap();
    bench.folder.write(".sops.yaml", format!(
        "creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n      - age: [{}]\n      - age: [{second}]\n",
        bench.identity.to_public()
    )).unwrap();
    let groups = output(bench.sops().args(["--encrypt", "groups.yaml"])).unwrap();
    let error = bench.read("groups.yaml", &groups).unwrap_err();
    assert_eq!(
        (error.code().id, error.to_string().contains("Shamir")),
        ("E02", true),
        "{error}"
    );

    let mut keys = Keys::default();
    for (name, text) in [
        ("a.agekey", "# nothing\n"),
        ("b.agekey", "hello\n"),
        ("c.agekey", "AGE-SECRET-KEY-1XYZ\n"),
        (
            "d.asc",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nnonsense\n-----END PGP PRIVATE KEY BLOCK-----\n",
        ),
    ] {
        let error = keys.add(name, text.as_bytes()).unwrap_err();
        assert_eq!(error.code().id, "E06", "{name}");
        assert!(
            error.to_string().contains(name) && !error.to_string().contains("XYZ"),
            "{error}"
        );
    }
    assert!(keys.is_empty());
}

#[test]
fn keys_of_gpg_open_files() {
    let bench = Bench::new();
    let home = GnuPg::new().unwrap();
    for algorithm in ["default", "rsa3072"] {
        let user = format!("{algorithm}@example.org");
        output(home.gpg().args([
            "--passphrase",
            "",
            "--quick-generate-key",
            &user,
            algorithm,
            "default",
            "never",
        ]))
        .unwrap();
        let listed = output(home.gpg().args(["--with-colons", "--list-keys", &user])).unwrap();
        let fingerprint = listed
            .lines()
            .find_map(|line| line.strip_prefix("fpr:"))
            .unwrap()
            .trim_matches(':')
            .to_owned();
        if algorithm == "rsa3072" {
            // An RSA key made in one go has no subkey to encrypt with.
            output(home.gpg().args([
                "--passphrase",
                "",
                "--quick-add-key",
                &fingerprint,
                "rsa3072",
                "encr",
                "never",
            ]))
            .unwrap();
        }
        let secret = output(home.gpg().args(["--armor", "--export-secret-keys", &fingerprint])).unwrap();
        bench.folder.write("p.yaml", "a: by gpg\nb: 5\n").unwrap();
        let mut command = bench.sops();
        command
            .env("GNUPGHOME", home.path())
            .args(["--encrypt", "--pgp", &fingerprint, "p.yaml"]);
        let encrypted = output(&mut command).unwrap();
        let mut keys = Keys::default();
        keys.add("key.asc", secret.as_bytes()).unwrap();
        let decrypted = decrypt(Format::Yaml, encrypted.as_bytes(), &keys).unwrap();
        assert_eq!(
            documents(&decrypted.clear),
            documents(b"a: by gpg\nb: 5\n"),
            "{algorithm}"
        );
        let error = bench.read("p.yaml", &encrypted).unwrap_err();
        assert!(error.to_string().contains(&fingerprint), "{error}");

        let public = output(home.gpg().args(["--armor", "--export", &fingerprint])).unwrap();
        assert_eq!(
            Keys::default()
                .add("p.asc", public.as_bytes())
                .unwrap_err()
                .code()
                .id,
            "E06"
        );
    }
}
