//! Provenance files that `helm package --sign` makes with keys of gpg, judged by the stage that judges commits.

use sluice_charts::{Archive, Fetched, Kind};
use sluice_model::Coded as _;
use sluice_model::application::{RuleSet, SignerGroup};
use sluice_model::trust::{Evidence, Verdict};
use sluice_sandbox::{FileServer, Folder, GnuPg, Key};
use sluice_verify::{ChartArchive, Keyring, Policy, Rules, Verifier, VerifyError, codes};

use crate::fixture::{Asking, index, package};

/// A signed chart, fetched.
struct Signed {
    gpg: GnuPg,
    key: Key,
    fetched: Fetched,
}

impl Signed {
    fn new(algorithm: &str) -> Self {
        let gpg = GnuPg::new().unwrap();
        let key = gpg
            .generate_with("Ada <ada@example.org>", algorithm, "never")
            .unwrap();
        let fetched = fetched(&gpg, &key, "1.0.0");
        Self { gpg, key, fetched }
    }

    fn keyring(&self) -> Keyring {
        Keyring::from_bytes("team", self.gpg.export(&self.key).unwrap().as_bytes())
    }
}

fn fetched(gpg: &GnuPg, key: &Key, version: &str) -> Fetched {
    let server = FileServer::start().unwrap();
    package(server.path(), "shop", version, Some((gpg, key)));
    index(server.path());
    Asking::new().fetch(&server.url(), Some("shop"), "*")
}

/// Judges a chart, with another provenance file or archive if they are given.
fn judge_with(
    fetched: &Fetched,
    keyring: &Keyring,
    policy: &Policy,
    provenance: Option<&[u8]>,
) -> Result<Evidence, VerifyError> {
    let metadata = fetched.metadata.as_ref().unwrap();
    let archive = ChartArchive {
        bytes: fetched.archive.bytes(),
        chart: Some((&metadata.name, &metadata.version)),
        provenance,
    };
    let verifier = Verifier::new(keyring, policy, jiff::Timestamp::now());
    let judged = verifier.chart(fetched.tree("").unwrap(), &archive);
    judged.map(|(tree, _)| tree.evidence().clone())
}

fn judge(fetched: &Fetched, keyring: &Keyring) -> Result<Evidence, VerifyError> {
    let provenance = fetched.archive.provenance().map(|file| &**file);
    judge_with(fetched, keyring, &Policy::default(), provenance)
}

#[track_caller]
fn refused_as(judged: Result<Evidence, VerifyError>, expected: Verdict) {
    match judged {
        Err(VerifyError::Untrusted { report, .. }) => {
            assert_eq!(report.verdict, expected, "{}", report.message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_known_key_signed_is_trusted() {
    for algorithm in ["ed25519", "rsa3072"] {
        let signed = Signed::new(algorithm);
        let evidence = judge(&signed.fetched, &signed.keyring()).unwrap();
        assert!(
            matches!(&evidence, Evidence::Provenance { signer } if signer.fingerprint == signed.key.fingerprint)
        );
    }
}

#[test]
fn what_nobody_known_signed_is_not() {
    let signed = Signed::new("ed25519");
    let other = signed.gpg.generate("Eve <eve@example.org>").unwrap();
    let others = Keyring::from_bytes("team", signed.gpg.export(&other).unwrap().as_bytes());
    refused_as(judge(&signed.fetched, &others), Verdict::NoKey);
    refused_as(judge(&signed.fetched, &Keyring::default()), Verdict::NoKey);
    refused_as(
        judge_with(&signed.fetched, &signed.keyring(), &Policy::default(), None),
        Verdict::Unsigned,
    );
    signed.gpg.revoke(&signed.key).unwrap();
    refused_as(judge(&signed.fetched, &signed.keyring()), Verdict::RevokedKey);
}

#[test]
fn an_expired_or_weak_key_is_refused() {
    let gpg = GnuPg::new().unwrap();
    let key = gpg
        .generate_with("Ada <ada@example.org>", "ed25519", "seconds=2")
        .unwrap();
    let chart = fetched(&gpg, &key, "1.0.0");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let keyring = Keyring::from_bytes("team", gpg.export(&key).unwrap().as_bytes());
    refused_as(judge(&chart, &keyring), Verdict::ExpiredKey);

    let short = Signed::new("rsa1024");
    refused_as(judge(&short.fetched, &short.keyring()), Verdict::WeakAlgorithm);
}

#[test]
fn what_was_tampered_with_is_refused() {
    let signed = Signed::new("ed25519");
    let keyring = signed.keyring();
    let file = signed.fetched.archive.provenance().unwrap().to_vec();
    let text = String::from_utf8(file.clone()).unwrap();
    for (changed, verdict) in [
        (text.replace("name: shop", "name: shoq"), Verdict::BadSignature),
        (text.replace("sha256:", "sha256:0"), Verdict::BadSignature),
        (text.replace("Hash:", "Comment:"), Verdict::Malformed),
        (format!("x\n{text}"), Verdict::Malformed),
        (format!("{text}x"), Verdict::Malformed),
        (
            text.replace("-----BEGIN PGP SIGNATURE", "-----BEGIN PGP SIGNATURF"),
            Verdict::Malformed,
        ),
    ] {
        assert_ne!(changed, text);
        let judged = judge_with(
            &signed.fetched,
            &keyring,
            &Policy::default(),
            Some(changed.as_bytes()),
        );
        refused_as(judged, verdict);
    }

    // Well signed, and of another version; and another archive of the same chart and version.
    for (version, other) in [
        ("1.1.0", fetched(&signed.gpg, &signed.key, "1.1.0")),
        ("1.0.0", repackaged(&signed)),
    ] {
        let error = judge_with(&other, &keyring, &Policy::default(), Some(&file)).unwrap_err();
        assert_eq!(error.code().id, "V13", "{version}: {error}");
    }
    // Files that are not of the archive.
    let mut tree = signed.fetched.tree("").unwrap();
    tree.revision.commit = "0".repeat(64);
    let archive = ChartArchive {
        bytes: signed.fetched.archive.bytes(),
        chart: Some(("shop", "1.0.0")),
        provenance: Some(&file),
    };
    let policy = Policy::default();
    let verifier = Verifier::new(&keyring, &policy, jiff::Timestamp::now());
    let error = verifier.chart(tree, &archive).unwrap_err();
    assert_eq!(error.code().id, codes::INCONSISTENT.id);
}

/// The same version, packaged again: its times differ, so its bytes do.
fn repackaged(signed: &Signed) -> Fetched {
    let folder = Folder::new("again").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let path = package(folder.path(), "shop", "1.0.0", None);
    let mut bytes = fs_err::read(path).unwrap();
    if bytes[..] == signed.fetched.archive.bytes()[..] {
        // A comment of gzip's header is no content: the operating system that packed it.
        bytes[9] ^= 1;
    }
    let server = FileServer::start().unwrap();
    server.write("shop-1.0.0.tgz", &bytes).unwrap();
    index(server.path());
    Asking::new().fetch(&server.url(), Some("shop"), "*")
}

#[test]
fn rules_hold_for_charts_too() {
    let signed = Signed::new("ed25519");
    let (keyring, file) = (
        signed.keyring(),
        signed.fetched.archive.provenance().unwrap().to_vec(),
    );
    let judge = |rule: &str| {
        let text = format!(
            "groups: [{{name: team, members: [{{name: Ada, keys: ['{}']}}]}}, {{name: others, members: [{{name: Eve, keys: ['{}']}}]}}]\nrules: [{{name: r, {rule}}}]\n",
            signed.key.fingerprint,
            "A".repeat(40)
        );
        let set: RuleSet = Rules::read("test", &text).unwrap();
        assert!(
            set.groups
                .iter()
                .all(|group: &SignerGroup| !group.members.is_empty())
        );
        let rules = Rules::new(&[("test", &set)], "https://charts.example.org", None).unwrap();
        let policy = Policy {
            rules,
            ..Policy::default()
        };
        judge_with(&signed.fetched, &keyring, &policy, Some(&file)).map_err(|error| error.code().id)
    };
    let refused = Err(codes::NOT_ALLOWED.id);
    for (rule, expected) in [
        ("groups: [team]", Ok(())),
        ("groups: [others]", refused),
        (
            "groups: [others], repositories: ['https://git.example.org/**']",
            Ok(()),
        ),
        ("groups: [others], paths: ['shop/**']", refused),
        ("groups: [others], paths: ['prod/**']", Ok(())),
        ("signatures: 2", refused),
        ("matchCommitter: true", refused),
    ] {
        assert_eq!(judge(rule).map(drop), expected, "{rule}");
    }
}

#[test]
fn artifacts_of_manifests_are_refused() {
    let signed = Signed::new("ed25519");
    let archive = ChartArchive {
        bytes: signed.fetched.archive.bytes(),
        chart: None,
        provenance: None,
    };
    let (keyring, policy) = (signed.keyring(), Policy::default());
    let verifier = Verifier::new(&keyring, &policy, jiff::Timestamp::now());
    let error = verifier
        .chart(signed.fetched.tree("").unwrap(), &archive)
        .unwrap_err();
    assert_eq!(error.code().id, "V14");
    assert!(error.hint().contains("cosign"));
    let same = Archive::new(Kind::Chart, signed.fetched.archive.bytes().clone(), None);
    let tree = signed.fetched.tree("").unwrap();
    assert!(Verifier::chart_as_before(tree.clone(), same.bytes(), same.digest()).is_ok());
    assert!(Verifier::chart_as_before(tree, same.bytes(), &"0".repeat(64)).is_err());
}
