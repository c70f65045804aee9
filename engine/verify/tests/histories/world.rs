//! A repository, four people with keys, and a forge: what the tests about rules, modes and the ledger share.

use std::process::Command;

use jiff::Timestamp;
use sluice_model::application::{RuleSet, VerificationMode};
use sluice_model::tree::Revision;
use sluice_model::trust::History;
use sluice_sandbox::{GnuPg, Key, Repository as Work, output};
use sluice_source::Repository;
use sluice_verify::{Findings, Keyring, Policy, Request, Rules, Verifier, VerifyError};

pub(crate) struct World {
    pub(crate) home: GnuPg,
    /// In the group `release`.
    pub(crate) ada: Key,
    /// In the group `release`.
    pub(crate) bob: Key,
    /// Trusted, and in no group.
    pub(crate) eve: Key,
    /// Signs merges at the press of a button.
    pub(crate) forge: Key,
    pub(crate) work: Work,
    pub(crate) keyring: Keyring,
}

pub(crate) fn world() -> World {
    let home = GnuPg::new().unwrap();
    let make = |name: &str| {
        let user = format!("{name} <{}@example.org>", name.to_lowercase());
        home.generate(&user).unwrap()
    };
    let (ada, bob, eve, forge) = (make("Ada"), make("Bob"), make("Eve"), make("Forge"));
    let armour = output(home.gpg().args(["--armor", "--export"])).unwrap();
    let keyring = Keyring::from_bytes("team", armour.as_bytes());
    assert_eq!(keyring.problems(), []);
    World {
        home,
        ada,
        bob,
        eve,
        forge,
        work: Work::new().unwrap(),
        keyring,
    }
}

impl World {
    /// Git as somebody: their key, their address.
    pub(crate) fn git_as(&self, key: &Key) -> Command {
        let address = key.user_id.split(['<', '>']).nth(1).unwrap();
        let mut command = self.work.git_command();
        command
            .env("GNUPGHOME", self.home.path())
            .env("GIT_COMMITTER_EMAIL", address)
            .arg("-c")
            .arg(format!("user.signingKey={}", key.fingerprint));
        command
    }

    /// Writes a file and commits it, signed.
    pub(crate) fn commit(&self, key: &Key, file: &str, content: &str) -> String {
        self.work.write(file, content).unwrap();
        self.work.git(&["add", "--all"]).unwrap();
        output(
            self.git_as(key)
                .args(["commit", "--quiet", "--gpg-sign", "-m", file]),
        )
        .unwrap();
        self.work.head().unwrap()
    }

    pub(crate) fn unsigned(&self, file: &str, content: &str) -> String {
        self.work.write(file, content).unwrap();
        self.work.commit(file, sluice_sandbox::Signature::None).unwrap()
    }

    pub(crate) fn checkout(&self, arguments: &[&str]) {
        self.work
            .git(&[&["checkout", "--quiet"], arguments].concat())
            .unwrap();
    }

    /// Merges a branch with a merge commit, signed.
    pub(crate) fn merge(&self, key: &Key, branch: &str) -> String {
        let mut command = self.git_as(key);
        command.args(["merge", "--quiet", "--no-ff", "--gpg-sign", "-m", "merge", branch]);
        output(&mut command).unwrap();
        self.work.head().unwrap()
    }

    /// The same, with one more change in the merge commit itself.
    pub(crate) fn merge_with(&self, key: &Key, branch: &str, file: &str, content: &str) -> String {
        self.work
            .git(&["merge", "--quiet", "--no-ff", "--no-commit", branch])
            .unwrap();
        self.commit(key, file, content)
    }

    /// Rules as they are written, with the group `release` of Ada and Bob.
    pub(crate) fn rules(&self, yaml: &str) -> RuleSet {
        let text = format!(
            "groups: [{{name: release, members: [{{name: Ada, keys: [{}]}}, {{name: Bob, keys: [{}]}}]}}]\n{yaml}",
            self.ada.fingerprint, self.bob.fingerprint
        );
        Rules::read("rules", &text.replace("FORGE", &self.forge.fingerprint)).unwrap()
    }

    pub(crate) fn policy(&self, yaml: &str) -> Policy {
        let set = self.rules(yaml);
        let sets = [("rules", &set)];
        Policy {
            rules: Rules::new(&sets, "https://git.example.org/shop.git", Some("main")).unwrap(),
            ..Policy::default()
        }
    }

    pub(crate) fn source(&self, name: &str, last: Option<&str>) -> (Repository, Revision, History) {
        let repository = Repository::open_local(self.work.path()).unwrap();
        let revision = repository.resolve(name).unwrap();
        let history = repository.history(&revision, last, 10_000).unwrap();
        (repository, revision, history)
    }

    /// Asks about the branch `main` in mode `chain`.
    pub(crate) fn chain(&self, policy: &Policy, last: Option<&str>) -> Findings {
        let request = Request {
            mode: VerificationMode::Chain,
            last_trusted: last,
            ..Request::default()
        };
        self.examine(policy, "main", &request).unwrap()
    }

    pub(crate) fn examine(
        &self,
        policy: &Policy,
        name: &str,
        request: &Request<'_>,
    ) -> Result<Findings, VerifyError> {
        let (repository, _, history) = self.source(name, request.last_trusted);
        let verifier = Verifier::new(&self.keyring, policy, Timestamp::now());
        verifier.examine(&history, request, &repository)
    }
}

/// That the revision was let through.
#[track_caller]
pub(crate) fn trusted(findings: &Findings, commit: &str) {
    if let Some(refusal) = &findings.refusal {
        panic!("{refusal}");
    }
    assert_eq!(findings.trusted(), Some(commit));
}

/// That a rule refused this commit first; what it said.
#[track_caller]
pub(crate) fn not_allowed(findings: &Findings, commit: &str) -> String {
    match &findings.refusal {
        Some(VerifyError::NotAllowed { report, rule, .. }) => {
            assert_eq!(report.revision, commit, "{}", report.message);
            assert!(report.message.contains(rule.as_str()), "{}", report.message);
            assert_eq!(findings.trusted(), None);
            report.message.clone()
        }
        other => panic!("not refused by a rule: {other:?}"),
    }
}
