//! Going back where history has to be signed: what a person names is older than what is trusted already.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{condition, text};
use sluice_sandbox::{Signature, wait_for};

use crate::signed::{Signed, said};

impl Signed<'_> {
    /// Runs a command about the Application; its exit code, and what it says.
    fn sluice(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let more = ["-n", &self.world.namespace, "--timeout", "60s"];
        let output = self
            .world
            .engine
            .try_sluice(&[arguments, &more].concat())
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    /// Goes back to a commit, and waits until the cluster is there.
    fn back_to(&self, commit: &str) -> Value {
        let (code, said) = self.sluice(&["rollback", "app", commit]);
        assert_eq!(code, Some(0), "{said}");
        let status = self.world.wait_synced(commit).unwrap();
        assert_eq!(condition(&status, "Verified").unwrap()["reason"], "Pinned");
        status
    }

    fn resume(&self) {
        let arguments = ["resume", "app", "-n", &self.world.namespace];
        self.world.engine.sluice(&arguments).unwrap();
    }
}

#[test]
fn what_leads_to_an_older_revision_is_judged_commit_by_commit() {
    let signed = Signed::shared("back-rules");
    signed.trust(&[&signed.ada, &signed.bob]);
    let unsigned = signed.commit("unsigned", Signature::None);
    let before = signed.commit("before the start", signed.by(&signed.ada));
    let start = signed.commit("start", signed.by(&signed.ada));
    // Bob may not sign what runs, and does not: he changes something else.
    signed.world.repository.write("notes", "by Bob").unwrap();
    let notes = signed.world.commit_with("notes", signed.by(&signed.bob)).unwrap();
    let newest = signed.commit("newest", signed.by(&signed.ada));
    signed.ask(&json!({
        "startOfTrust": {"commit": start},
        "groups": [{"name": "release", "members": [{"name": "Ada", "keys": [signed.ada.fingerprint]}]}],
        "rules": [{"name": "production", "paths": ["manifests/**"], "groups": ["release"]}],
    }));
    signed.world.wait_synced(&newest).unwrap();

    for commit in [&notes, &start] {
        let status = signed.back_to(commit);
        assert_eq!(signed.value(), "start");
        assert_eq!(text(&status, "/verification/trustedRevision"), newest);
        assert_eq!(text(&status, "/verification/startOfTrust"), start);
    }
    // Nobody verified what is before the start of trust, so that has to be signed itself.
    signed.back_to(&before);
    let (code, _) = signed.sluice(&["rollback", "app", &unsigned]);
    assert_eq!(code, Some(7));
    let status = signed.refused("V03");
    assert!(said(&status, "Verified").contains(&unsigned[..12]), "{status:#}");
    assert_eq!(signed.value(), "before the start");
    signed.resume();
    signed.world.wait_synced(&newest).unwrap();
}

#[test]
fn one_goes_back_to_before_what_a_revoked_key_signed() {
    let signed = Signed::shared("back-revoked");
    signed.trust(&[&signed.ada, &signed.bob]);
    let first = signed.commit("1", signed.by(&signed.ada));
    signed.ask(&json!({}));
    signed.world.wait_synced(&first).unwrap();
    let by_bob = signed.commit("2", signed.by(&signed.bob));
    let newest = signed.commit("3", signed.by(&signed.ada));
    signed.refresh();
    signed.world.wait_synced(&newest).unwrap();
    signed.home.revoke(&signed.bob).unwrap();
    signed.trust(&[&signed.ada, &signed.bob]);
    signed.refused("K24");

    signed.back_to(&first);
    assert_eq!(signed.value(), "1");
    let (code, _) = signed.sluice(&["rollback", "app", &by_bob]);
    assert_eq!(code, Some(7));
    let status = signed.refused("V03");
    assert!(said(&status, "Verified").contains("revoked"), "{status:#}");
    assert_eq!(signed.value(), "1");
    // Nothing of this is forgotten: where it was, the cluster is not moved to again.
    signed.resume();
    let status = signed.refused("K24");
    assert_eq!(text(&status, "/sync/revision"), first);
    signed.refresh();
    assert_eq!(signed.value(), "1");
}

#[test]
fn a_revision_that_was_verified_once_stays_so_when_its_key_expires() {
    let signed = Signed::shared("back-expired");
    signed.trust(&[&signed.ada]);
    let start = signed.commit("start", Signature::None);
    let first = signed.commit("1", signed.by(&signed.ada));
    let second = signed.commit("2", signed.by(&signed.ada));
    let mut application = signed.world.application();
    application["spec"]["syncPolicy"] = json!({});
    application["spec"]["verification"] = json!({
        "mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}], "startOfTrust": {"commit": start},
    });
    signed.world.apply(&application).unwrap();
    let sync = |arguments: &[&str]| {
        let (code, said) = signed.sluice(&[&["sync", "app"], arguments].concat());
        assert_eq!(code, Some(0), "{said}");
    };
    sync(&[]);
    signed.world.wait_synced(&second).unwrap();

    let expire = [
        "--passphrase",
        "",
        "--quick-set-expire",
        &signed.ada.fingerprint,
        "seconds=1",
    ];
    sluice_sandbox::output(signed.home.gpg().args(expire)).unwrap();
    wait_for("the key to expire", std::time::Duration::from_secs(20), || {
        let mut list = signed.home.gpg();
        let list =
            sluice_sandbox::output(list.args(["--with-colons", "--list-keys", &signed.ada.fingerprint]))?;
        ensure!(list.lines().any(|line| line.starts_with("pub:e:")), "still valid");
        Ok(())
    })
    .unwrap();
    signed.trust(&[&signed.ada]);
    sync(&["--revision", &first]);
    assert_eq!(signed.value(), "1");
    let status = signed.world.get().unwrap()["status"].take();
    assert_eq!(condition(&status, "Verified").unwrap()["status"], "True");
    assert_eq!(text(&status, "/verification/trustedRevision"), second);
}
