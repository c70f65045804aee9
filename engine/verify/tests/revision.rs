//! What is let through and what isn't, over real repositories signed by real keys.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use jiff::Timestamp;
use sluice_model::Coded as _;
use sluice_model::application::VerificationMode::{self, Chain, Head, None as NoVerification};
use sluice_model::tree::Tree;
use sluice_model::trust::{Evidence, History, SignedKind, Verdict};
use sluice_sandbox::{GnuPg, Key, Repository as Work, Signature};
use sluice_source::{Repository, TreeLimits};
use sluice_verify::{Keyring, Policy, Request, Verification, Verifier, VerifyError, codes};

struct Fixture {
    home: GnuPg,
    ada: Key,
    eve: Key,
    work: Work,
    keyring: Keyring,
}

fn fixture() -> Fixture {
    let home = GnuPg::new().unwrap();
    let ada = home.generate("Ada <ada@example.org>").unwrap();
    let eve = home.generate("Eve <eve@example.org>").unwrap();
    let keyring = Keyring::from_bytes("ada", home.export(&ada).unwrap().as_bytes());
    assert!(keyring.problems().is_empty() && !keyring.is_empty());
    Fixture {
        home,
        ada,
        eve,
        work: Work::new().unwrap(),
        keyring,
    }
}

impl Fixture {
    fn signed(&self, message: &str) -> String {
        self.work.write("app/a.yaml", message).unwrap();
        self.work
            .commit(message, Signature::OpenPgp(&self.home, &self.ada))
            .unwrap()
    }

    fn unsigned(&self, message: &str) -> String {
        self.work.commit(message, Signature::None).unwrap()
    }

    fn source(&self, name: &str, last_trusted: Option<&str>) -> (Tree, History) {
        let repository = Repository::open_local(self.work.path()).unwrap();
        let revision = repository.resolve(name).unwrap();
        let tree = repository.tree(&revision, "", &TreeLimits::default()).unwrap();
        let history = repository.history(&revision, last_trusted, 1000).unwrap();
        (tree, history)
    }

    fn verify(
        &self,
        name: &str,
        mode: VerificationMode,
        last_trusted: Option<&str>,
    ) -> Result<Verification, VerifyError> {
        let (tree, history) = self.source(name, last_trusted);
        self.ask(tree, &history, mode, last_trusted)
    }

    fn again(
        &self,
        tree: Tree,
        history: &History,
        last_trusted: Option<&str>,
    ) -> Result<Verification, VerifyError> {
        self.ask(tree, history, Chain, last_trusted)
    }

    fn ask(
        &self,
        tree: Tree,
        history: &History,
        mode: VerificationMode,
        last_trusted: Option<&str>,
    ) -> Result<Verification, VerifyError> {
        let request = Request {
            mode,
            last_trusted,
            ..Request::default()
        };
        let repository = Repository::open_local(self.work.path()).unwrap();
        Verifier::new(&self.keyring, &Policy::default(), Timestamp::now()).revision(
            tree,
            history,
            &request,
            &repository,
        )
    }
}

#[track_caller]
fn refused(result: Result<Verification, VerifyError>, code: &sluice_model::ErrorCode) -> VerifyError {
    let error = result.expect_err("this must be refused");
    assert_eq!(error.code(), code, "{error}");
    error
}

#[track_caller]
fn untrusted(result: Result<Verification, VerifyError>, commit: &str, verdict: Verdict) {
    match refused(result, &codes::UNTRUSTED) {
        VerifyError::Untrusted { report, .. } => {
            assert_eq!(
                (report.revision.as_str(), report.verdict),
                (commit, verdict),
                "{}",
                report.message
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_first_sync_starts_the_trust() {
    let fixture = fixture();
    fixture.unsigned("before anyone cared");
    let head = fixture.signed("one");
    let verification = fixture.verify("main", Chain, None).unwrap();
    let Evidence::Signed { signer, commits: 1 } = verification.tree.evidence() else {
        panic!("{:?}", verification.tree.evidence());
    };
    assert_eq!(signer.fingerprint, fixture.ada.fingerprint);
    assert_eq!(verification.tree.get().revision.commit, head);
    let unsigned = fixture.unsigned("two");
    untrusted(fixture.verify("main", Chain, None), &unsigned, Verdict::Unsigned);
    untrusted(fixture.verify("main", Head, None), &unsigned, Verdict::Unsigned);
}

#[test]
fn every_commit_since_the_last_trusted_one() {
    let fixture = fixture();
    let first = fixture.signed("one");
    assert_eq!(
        *fixture
            .verify("main", Chain, Some(&first))
            .unwrap()
            .tree
            .evidence(),
        Evidence::AlreadyTrusted
    );
    fixture.signed("two");
    fixture.signed("three");
    let verification = fixture.verify("main", Chain, Some(&first)).unwrap();
    assert!(matches!(
        verification.tree.evidence(),
        Evidence::Signed { commits: 2, .. }
    ));
    assert_eq!(verification.reports.len(), 2);

    let unsigned = fixture.unsigned("four");
    untrusted(
        fixture.verify("main", Chain, Some(&first)),
        &unsigned,
        Verdict::Unsigned,
    );
    fixture.signed("five, on top of it");
    untrusted(
        fixture.verify("main", Chain, Some(&first)),
        &unsigned,
        Verdict::Unsigned,
    );
    fixture.verify("main", Head, Some(&first)).unwrap();
}

#[test]
fn what_is_merged_is_judged_too() {
    let fixture = fixture();
    let first = fixture.signed("one");
    fixture.work.git(&["checkout", "--quiet", "-b", "side"]).unwrap();
    let stranger = fixture
        .work
        .commit("side", Signature::OpenPgp(&fixture.home, &fixture.eve))
        .unwrap();
    fixture.work.git(&["checkout", "--quiet", "main"]).unwrap();
    fixture.signed("two");
    let mut merge = fixture.work.git_command();
    merge
        .env("GNUPGHOME", fixture.home.path())
        .arg("-c")
        .arg(format!("user.signingKey={}", fixture.ada.fingerprint));
    merge.args(["merge", "--quiet", "--no-ff", "--gpg-sign", "-m", "merge", "side"]);
    sluice_sandbox::output(&mut merge).unwrap();
    untrusted(
        fixture.verify("main", Chain, Some(&first)),
        &stranger,
        Verdict::NoKey,
    );
    let mut both = fixture.keyring.clone();
    both.extend(Keyring::from_bytes(
        "eve",
        fixture.home.export(&fixture.eve).unwrap().as_bytes(),
    ));
    let both = Fixture {
        keyring: both,
        ..fixture
    };
    assert!(matches!(
        both.verify("main", Chain, Some(&first)).unwrap().tree.evidence(),
        Evidence::Signed { commits: 3, .. }
    ));
}

#[test]
fn a_rewritten_history_is_refused() {
    let fixture = fixture();
    fixture.signed("one");
    let second = fixture.signed("two");
    fixture
        .work
        .git(&["reset", "--quiet", "--hard", "HEAD~1"])
        .unwrap();
    refused(fixture.verify("main", Chain, Some(&second)), &codes::REWRITTEN);
    fixture.signed("two, but another");
    refused(fixture.verify("main", Chain, Some(&second)), &codes::REWRITTEN);
    refused(
        fixture.verify("main", Chain, Some(&"0".repeat(40))),
        &codes::REWRITTEN,
    );
}

#[test]
fn nothing_is_believed_that_the_bytes_do_not_prove() {
    let fixture = fixture();
    let first = fixture.signed("one");
    let middle = fixture.unsigned("two");
    fixture.signed("three");
    let (tree, history) = fixture.source("main", Some(&first));

    let mut without = history.clone();
    without.commits.retain(|commit| commit.id != middle);
    refused(
        fixture.again(tree.clone(), &without, Some(&first)),
        &codes::INCOMPLETE,
    );
    // A boundary that hides everything does not lead to the last trusted commit.
    let mut hidden = without.clone();
    hidden.boundary = vec![middle.clone()];
    refused(
        fixture.again(tree.clone(), &hidden, Some(&first)),
        &codes::REWRITTEN,
    );
    // Another commit's bytes under the unsigned one's name.
    let mut forged = history.clone();
    let good = history.head.bytes.clone();
    forged
        .commits
        .iter_mut()
        .find(|commit| commit.id == middle)
        .unwrap()
        .bytes = good.clone();
    refused(
        fixture.again(tree.clone(), &forged, Some(&first)),
        &codes::INCONSISTENT,
    );
    let mut wrong_kind = history.clone();
    wrong_kind.head.kind = SignedKind::Tag;
    refused(
        fixture.again(tree.clone(), &wrong_kind, Some(&first)),
        &codes::INCONSISTENT,
    );
    // A tree that the commit does not name, and a commit that the tree is not of.
    let mut other = tree.clone();
    other.revision.tree = "1".repeat(40);
    refused(fixture.again(other, &history, None), &codes::INCONSISTENT);
    let mut other = tree.clone();
    other.revision.commit.clone_from(&first);
    refused(fixture.again(other, &history, None), &codes::INCONSISTENT);
    let mut changed = history.clone();
    changed.head.bytes.push(b'x');
    refused(fixture.again(tree.clone(), &changed, None), &codes::INCONSISTENT);
    // A caller that claims a rewritten history is none.
    let mut claimed = history;
    claimed.last_trusted_is_ancestor = true;
    refused(
        fixture.again(tree, &claimed, Some(&"2".repeat(40))),
        &codes::REWRITTEN,
    );
}

#[test]
fn an_empty_keyring_lets_nothing_through() {
    let fixture = fixture();
    fixture.signed("one");
    for text in [
        "",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ] {
        let empty = Fixture {
            keyring: Keyring::from_bytes("broken", text.as_bytes()),
            ..self::fixture()
        };
        empty.signed("one");
        let error = refused(empty.verify("main", Head, None), &codes::KEYRING_EMPTY);
        assert!(error.to_string().contains("broken"), "{error}");
    }
    let missing = Keyring::from_path(std::path::Path::new("/nowhere")).unwrap_err();
    assert_eq!(missing.code(), &codes::KEYRING_UNREADABLE);
}

#[test]
fn without_verification_everything_goes() {
    let fixture = fixture();
    fixture.unsigned("one");
    assert_eq!(
        *fixture
            .verify("main", NoVerification, None)
            .unwrap()
            .tree
            .evidence(),
        Evidence::NotRequired
    );
}

#[test]
fn a_revoked_key_is_refused_whatever_it_signed() {
    let fixture = fixture();
    let head = fixture.signed("one");
    fixture.home.revoke(&fixture.ada).unwrap();
    let keyring = Keyring::from_bytes("ada", fixture.home.export(&fixture.ada).unwrap().as_bytes());
    let fixture = Fixture { keyring, ..fixture };
    untrusted(fixture.verify("main", Chain, None), &head, Verdict::RevokedKey);
}

#[test]
fn sha256_repositories_are_verified_as_such() {
    let fixture = fixture();
    let path = fixture.work.path().join("sha256");
    let git = |arguments: &[&str]| {
        let mut command = fixture.work.git_command();
        command.env("GNUPGHOME", fixture.home.path()).arg("-C").arg(&path);
        command
            .arg("-c")
            .arg(format!("user.signingKey={}", fixture.ada.fingerprint))
            .args(arguments);
        sluice_sandbox::output(&mut command).unwrap()
    };
    std::fs::create_dir(&path).unwrap();
    git(&[
        "init",
        "--quiet",
        "--object-format=sha256",
        "--initial-branch=main",
    ]);
    git(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "-m", "one"]);
    let first = git(&["rev-parse", "HEAD"]).trim().to_owned();
    git(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "-m", "two"]);
    git(&["tag", "--sign", "-m", "v1", "v1"]);
    let repository = Repository::open_local(&path).unwrap();
    let policy = Policy::default();
    let verifier = Verifier::new(&fixture.keyring, &policy, Timestamp::now());
    for name in ["main", "v1"] {
        let report = verifier.object(&repository.object(name).unwrap());
        assert_eq!(report.verdict, Verdict::Trusted, "{name}: {}", report.message);
    }
    // The commit's own signature is the one for its object format, whatever stands under the other's name.
    let commit = String::from_utf8(repository.object("main").unwrap().bytes).unwrap();
    let with_both = commit.replacen(
        "\ngpgsig-sha256 ",
        "\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\ngpgsig-sha256 ",
        1,
    );
    let with_other = commit.replacen("\ngpgsig-sha256 ", "\ngpgsig ", 1);
    for (text, verdict) in [(with_both, Verdict::Trusted), (with_other, Verdict::Unsigned)] {
        fs_err::write(path.join("object"), text).unwrap();
        let id = git(&["hash-object", "-w", "-t", "commit", "object"]);
        let report = verifier.object(&repository.object(id.trim()).unwrap());
        assert_eq!(report.verdict, verdict, "{}", report.message);
        let mut command = fixture.work.git_command();
        command.env("GNUPGHOME", fixture.home.path()).arg("-C").arg(&path);
        let status = command
            .args(["verify-commit", id.trim()])
            .output()
            .unwrap()
            .status;
        assert_eq!(status.success(), verdict == Verdict::Trusted);
    }
    let revision = repository.resolve("main").unwrap();
    let tree = repository.tree(&revision, "", &TreeLimits::default()).unwrap();
    let history = repository.history(&revision, Some(&first), 10).unwrap();
    let request = Request {
        mode: Chain,
        last_trusted: Some(&first),
        ..Request::default()
    };
    verifier.revision(tree, &history, &request, &repository).unwrap();
}

#[test]
fn many_commits_are_judged_in_order() {
    let fixture = fixture();
    let first = fixture.signed("0");
    for number in 1..30 {
        fixture.signed(&number.to_string());
    }
    let verification = fixture.verify("main", Chain, Some(&first)).unwrap();
    let reports: Vec<&str> = verification
        .reports
        .iter()
        .map(|report| report.revision.as_str())
        .collect();
    let expected = fixture
        .work
        .git(&["rev-list", "--reverse", &format!("{first}..main")])
        .unwrap();
    assert_eq!(reports, expected.lines().collect::<Vec<_>>());
}
