//! What is remembered, what a changed keyring or policy does to it, and what it costs.

use crate::world::{World, trusted, world};
use jiff::{SignedDuration, Timestamp};
use sluice_model::Coded as _;
use sluice_model::application::VerificationMode::Chain;
use sluice_model::trust::Verdict;
use sluice_sandbox::output;
use sluice_verify::{
    Broken, Findings, Keyring, Ledger, Policy, Request, ValidAt, Verifier, WeakAlgorithm, codes,
};

struct Remembered {
    world: World,
    start: String,
    head: String,
    ledger: Ledger,
}

/// Two commits by Ada and one by Bob, verified and remembered.
fn remembered() -> Remembered {
    let world = world();
    let start = world.commit(&world.ada, "a.yaml", "1");
    world.commit(&world.ada, "a.yaml", "2");
    world.commit(&world.bob, "a.yaml", "3");
    let head = world.commit(&world.ada, "a.yaml", "4");
    let mut this = Remembered {
        world,
        start,
        head,
        ledger: Ledger::default(),
    };
    let (findings, ledger) = this.look(&Policy::default(), Timestamp::now());
    trusted(&findings, &this.head);
    assert_eq!(this.fresh(&findings), 3);
    this.ledger = ledger;
    assert_eq!(this.ledger.len(), 3);
    this
}

impl Remembered {
    fn look(&self, policy: &Policy, now: Timestamp) -> (Findings, Ledger) {
        let (repository, _, history) = self.world.source("main", Some(&self.start));
        let request = Request {
            mode: Chain,
            last_trusted: Some(&self.start),
            ..Request::default()
        };
        let verifier = Verifier::new(&self.world.keyring, policy, now).with_ledger(&self.ledger);
        let findings = verifier.examine(&history, &request, &repository).unwrap();
        let mut ledger = self.ledger.clone();
        verifier.remember(&findings, &mut ledger);
        (findings, ledger)
    }

    /// How many were judged anew.
    fn fresh(&self, findings: &Findings) -> usize {
        let reports = findings.reports.iter();
        reports
            .filter(|report| report.message != "verified before")
            .count()
    }

    /// The keyring as it is after gpg was asked to do something to a key.
    fn edited(&mut self, arguments: &[&str]) {
        let mut command = self.world.home.gpg();
        output(command.args(["--passphrase", ""]).args(arguments)).unwrap();
        self.export();
    }

    fn export(&mut self) {
        let armour = output(self.world.home.gpg().args(["--armor", "--export"])).unwrap();
        self.world.keyring = Keyring::from_bytes("team", armour.as_bytes());
    }

    fn broken(&self, policy: &Policy) -> Vec<(String, Option<Broken>, u64)> {
        let review = self.ledger.review(&self.world.keyring, policy, Timestamp::now());
        let all = review.into_iter();
        all.map(|found| (found.signer.user_id.unwrap(), found.broken, found.commits))
            .collect()
    }
}

#[test]
fn what_is_remembered_is_not_verified_again() {
    let mut this = remembered();
    let (findings, ledger) = this.look(&Policy::default(), Timestamp::now());
    trusted(&findings, &this.head);
    assert_eq!(this.fresh(&findings), 0);
    assert_eq!(ledger, this.ledger);
    // A restart: from what was written.
    this.ledger = Ledger::from_json(&ledger.to_json()).unwrap();
    assert_eq!(this.ledger, ledger);
    let later = this.world.commit(&this.world.eve, "a.yaml", "5");
    let (findings, ledger) = this.look(&Policy::default(), Timestamp::now());
    trusted(&findings, &later);
    assert_eq!((this.fresh(&findings), ledger.len()), (1, 4));
    // Bytes that are not those of the id are not let in by a ledger that knows the id.
    let (repository, _, mut history) = this.world.source("main", Some(&this.start));
    history.commits[0].bytes.push(b'x');
    let policy = Policy::default();
    let verifier = Verifier::new(&this.world.keyring, &policy, Timestamp::now()).with_ledger(&ledger);
    assert_eq!(verifier.object(&history.commits[0]).verdict, Verdict::Malformed);
    let request = Request {
        mode: Chain,
        last_trusted: Some(&this.start),
        ..Request::default()
    };
    let error = verifier.examine(&history, &request, &repository).unwrap_err();
    assert_eq!(error.code(), &codes::INCONSISTENT);
}

#[test]
fn a_key_that_changed_has_only_its_own_commits_judged_again() {
    let mut this = remembered();
    let bob = this.world.bob.fingerprint.clone();
    this.edited(&["--quick-add-uid", &bob, "Robert <bob@example.org>"]);
    let policy = Policy::default();
    for (who, broken, _) in this.broken(&policy) {
        let expected = who.contains("bob@").then_some(Broken::Changed);
        assert_eq!(broken, expected, "{who}");
    }
    let (findings, ledger) = this.look(&policy, Timestamp::now());
    trusted(&findings, &this.head);
    assert_eq!(this.fresh(&findings), 1);
    this.ledger = ledger;
    assert!(this.broken(&policy).iter().all(|(_, broken, _)| broken.is_none()));
    let (findings, _) = this.look(&policy, Timestamp::now());
    assert_eq!(this.fresh(&findings), 0);
    // Another key that came or went changes nothing.
    this.edited(&[
        "--quick-generate-key",
        "New <new@example.org>",
        "ed25519",
        "sign",
        "never",
    ]);
    let (findings, _) = this.look(&policy, Timestamp::now());
    assert_eq!(this.fresh(&findings), 0);
}

#[test]
fn a_revoked_key_takes_what_it_signed_with_it() {
    let mut this = remembered();
    this.world.home.revoke(&this.world.bob).unwrap();
    this.export();
    let policy = Policy::default();
    let broken = this.broken(&policy);
    assert!(
        matches!(&broken[..], [(a, x, 2), (b, y, 1)] | [(b, y, 1), (a, x, 2)]
            if a.contains("Ada") && x.is_none() && b.contains("Bob") && matches!(y, Some(Broken::Revoked(why)) if why.contains("was revoked"))),
        "{broken:?}"
    );
    let (findings, ledger) = this.look(&policy, Timestamp::now());
    assert_eq!(this.fresh(&findings), 1);
    assert_eq!(findings.trusted(), None);
    assert_eq!(findings.reports[1].verdict, Verdict::RevokedKey);
    // What is refused is not remembered, and what it was is not forgotten by itself.
    assert_eq!(ledger, this.ledger);
    let mut ledger = ledger;
    ledger.forget_broken(&this.world.keyring, &policy, Timestamp::now());
    assert_eq!(ledger.len(), 2);
}

#[test]
fn a_key_that_vanished_takes_what_it_signed_with_it() {
    let mut this = remembered();
    let fingerprint = this.world.bob.fingerprint.clone();
    output(
        this.world
            .home
            .gpg()
            .args(["--yes", "--delete-secret-and-public-key", &fingerprint]),
    )
    .unwrap();
    this.export();
    let policy = Policy::default();
    let broken = this.broken(&policy);
    assert!(
        broken.iter().any(|(who, broken, commits)| who.contains("Bob")
            && *broken == Some(Broken::Vanished)
            && *commits == 1),
        "{broken:?}"
    );
    let (findings, _) = this.look(&policy, Timestamp::now());
    assert_eq!(findings.reports[1].verdict, Verdict::NoKey);
    assert_eq!(this.fresh(&findings), 1);
}

#[test]
fn a_changed_policy_has_everything_judged_again() {
    let mut this = remembered();
    let other = Policy {
        valid_at: ValidAt::Signing,
        ..Policy::default()
    };
    assert!(
        this.broken(&other)
            .iter()
            .all(|(_, broken, _)| *broken == Some(Broken::Policy))
    );
    let (findings, ledger) = this.look(&other, Timestamp::now());
    assert_eq!(this.fresh(&findings), 3);
    assert_eq!(ledger.len(), 3);
    this.ledger = ledger;
    let weak = Policy {
        allow_weak: [WeakAlgorithm::Sha1].into(),
        ..Policy::default()
    };
    assert!(
        this.broken(&weak)
            .iter()
            .all(|(_, broken, _)| *broken == Some(Broken::Policy))
    );
    // Rules are asked every time, and no signature is verified for it.
    let rules = Policy {
        valid_at: ValidAt::Signing,
        ..this.world.policy("rules: [{name: r, groups: [release]}]")
    };
    let (findings, _) = this.look(&rules, Timestamp::now());
    trusted(&findings, &this.head);
    assert_eq!(this.fresh(&findings), 0);
    assert_ne!(rules.digest(), other.digest());
}

#[test]
fn a_key_that_expired_since_breaks_nothing() {
    let mut this = remembered();
    let ada = this.world.ada.fingerprint.clone();
    let later = Timestamp::now() + SignedDuration::from_hours(10 * 24);
    this.edited(&["--quick-set-expire", &ada, "2d"]);
    let policy = Policy::default();
    // The key changed, so what it signed is judged again: as of the moment when it was verified first.
    let (findings, ledger) = this.look(&policy, later);
    trusted(&findings, &this.head);
    assert_eq!(this.fresh(&findings), 2);
    this.ledger = ledger;
    let (findings, _) = this.look(&policy, later);
    assert_eq!(this.fresh(&findings), 0);
    // Without the ledger nobody knows when it was signed, but the one who signed.
    this.ledger = Ledger::default();
    let (findings, _) = this.look(&policy, later);
    assert_eq!(findings.reports[0].verdict, Verdict::ExpiredKey);
}

#[test]
fn ssh_keys_are_remembered_by_their_lines() {
    let folder = sluice_sandbox::Folder::new("ssh").unwrap();
    let mut lines = Vec::new();
    for name in ["ada", "bob"] {
        let path = folder.path().join(name);
        let mut command = std::process::Command::new("ssh-keygen");
        output(command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path)).unwrap();
        let public = fs_err::read_to_string(path.with_extension("pub")).unwrap();
        lines.push(format!("{name}@example.org {public}"));
    }
    let mut this = remembered();
    this.world.keyring = Keyring::from_bytes("allowed_signers", lines.concat().as_bytes());
    for name in ["ada", "bob", "ada"] {
        this.world
            .work
            .write("a.yaml", format!("{name} {}", this.head))
            .unwrap();
        let key = folder.path().join(name);
        this.start = this.head.clone();
        this.head = this
            .world
            .work
            .commit(name, sluice_sandbox::Signature::Ssh(&key))
            .unwrap();
        let (findings, ledger) = this.look(&Policy::default(), Timestamp::now());
        trusted(&findings, &this.head);
        this.ledger = ledger;
    }
    assert_eq!(this.ledger.len(), 6);
    let changed = lines
        .concat()
        .replace("bob@example.org", "bob@example.org valid-before=\"20200101\"");
    this.world.keyring = Keyring::from_bytes("allowed_signers", changed.as_bytes());
    let policy = Policy::default();
    let review = this.ledger.review(&this.world.keyring, &policy, Timestamp::now());
    let changed: Vec<_> = review
        .iter()
        .filter(|found| found.broken == Some(Broken::Changed))
        .collect();
    assert_eq!((changed.len(), changed[0].commits), (1, 1), "{review:?}");
    assert!(changed[0].key.starts_with("SHA256:"));
}

#[test]
fn it_stays_small_enough_for_a_config_map() {
    let this = remembered();
    let policy = Policy::default();
    // The same three verdicts under many ids, as of a history of as many commits.
    let text = this.ledger.to_json();
    let known = this.world.work.git(&["rev-parse", "HEAD"]).unwrap();
    let many: Vec<String> = (0..30_000).map(|number| format!("\"{number:040x}\"")).collect();
    let grown = text.replace(&format!("\"{}\"", known.trim()), &many.join(","));
    assert!(grown.len() > 1 << 20);
    let mut ledger = Ledger::from_json(&grown).unwrap();
    let (repository, _, history) = this.world.source("main", Some(&this.start));
    let request = Request {
        mode: Chain,
        last_trusted: Some(&this.start),
        ..Request::default()
    };
    let verifier = Verifier::new(&this.world.keyring, &policy, Timestamp::now());
    let findings = verifier.examine(&history, &request, &repository).unwrap();
    verifier.remember(&findings, &mut ledger);
    let written = ledger.to_json();
    assert!(written.len() < 1_000_000, "{}", written.len());
    assert!(written.len() > 700_000, "{}", written.len());
    // What has no room is counted, and still depends on its key.
    let review = ledger.review(&this.world.keyring, &policy, Timestamp::now());
    let all: u64 = review.iter().map(|found| found.commits).sum();
    assert_eq!(all, 30_003);
    assert!(!ledger.has_dropped());
    // The newest are those that stay.
    let again = Verifier::new(&this.world.keyring, &policy, Timestamp::now()).with_ledger(&ledger);
    assert_eq!(again.object(&history.head).message, "verified before");
}

#[test]
fn a_ledger_that_cannot_be_read_is_named() {
    for text in [
        "",
        "{}",
        "[]",
        r#"{"version":2,"grounds":[],"runs":[]}"#,
        r#"{"version":1,"grounds":[],"runs":[{"at":"2026-01-01T00:00:00Z","ground":0,"ids":["a"]}]}"#,
        r#"{"version":1,"grounds":[],"runs":[],"more":1}"#,
    ] {
        let error = Ledger::from_json(text).unwrap_err();
        assert_eq!(error.code(), &codes::LEDGER, "{text}");
    }
    assert!(Ledger::default().is_empty());
}
