//! Signatures, as `gpg` and `ssh-keygen` make them, and what the cluster does about them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, condition, config_map, text};
use sluice_sandbox::{Folder, Key, Signature};

use crate::signed::{Signed, said};

#[test]
fn a_key_that_comes_is_seen_at_once() {
    let signed = Signed::shared("hot-reload");
    let first = signed.running(&json!({}));
    let second = signed.commit("2", signed.by(&signed.bob));
    signed.refresh();
    let status = signed.refused("V03");
    assert_eq!(text(&status, "/sync/revision"), first);
    assert_eq!(text(&status, "/verification/refusedRevision"), second);
    assert!(said(&status, "Verified").contains(&format!("the cluster stays at {first}")));
    assert_eq!(signed.value(), "1");
    signed.trust(&[&signed.ada, &signed.bob]);
    let status = signed.world.wait_synced(&second).unwrap();
    assert_eq!(text(&status, "/verification/trustedRevision"), second);
    assert_eq!(text(&status, "/verification/startOfTrust"), first);
    assert_eq!(status["verification"]["commits"], 2);
}

#[test]
fn a_revoked_key_takes_its_applications_along() {
    let signed = Signed::shared("revoked");
    signed.trust(&[&signed.ada, &signed.bob]);
    let first = signed.commit("1", signed.by(&signed.ada));
    signed.ask(&json!({}));
    signed.world.wait_synced(&first).unwrap();
    let second = signed.commit("2", signed.by(&signed.bob));
    signed.refresh();
    signed.world.wait_synced(&second).unwrap();
    let third = signed.commit("3", signed.by(&signed.ada));
    signed.refresh();
    signed.world.wait_synced(&third).unwrap();
    let before = signed.world.version("configmap/running").unwrap();

    // What runs was signed by Ada, and what led to it by Bob.
    signed.home.revoke(&signed.bob).unwrap();
    signed.trust(&[&signed.ada, &signed.bob]);
    let status = signed.refused("K24");
    assert!(said(&status, "Verified").contains("revoked"), "{status:#}");
    assert_eq!(text(&status, "/sync/revision"), third);
    assert_eq!(signed.world.version("configmap/running").unwrap(), before);
    // Nothing newer comes in, whoever signs it.
    let fourth = signed.commit("4", signed.by(&signed.ada));
    signed.refresh();
    let status = signed.refused("K24");
    assert_eq!(text(&status, "/verification/refusedRevision"), fourth);
    assert_eq!(signed.value(), "3");
    // Until somebody has looked at what he signed, and says from where on trust starts.
    signed.ask(&json!({"startOfTrust": {"commit": third}}));
    let status = signed.world.wait_synced(&fourth).unwrap();
    assert_eq!(condition(&status, "Verified").unwrap()["status"], "True");
    assert_eq!(text(&status, "/verification/startOfTrust"), third);
}

#[test]
fn a_damaged_key_is_named_and_the_others_serve() {
    let signed = Signed::shared("damaged-key");
    let first = signed.running(&json!({}));
    let good = signed.home.export(&signed.ada).unwrap();
    let damaged = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n-----END PGP PUBLIC KEY BLOCK-----\n";
    signed.map("keys", &json!({"team.asc": good, "new.asc": damaged}));
    let status = signed
        .world
        .wait_status(|status| {
            let keys = condition(status, "KeysReady")?;
            ensure!(text(keys, "/reason") == "K25", "no damaged key is named");
            Ok(())
        })
        .unwrap();
    assert!(said(&status, "KeysReady").contains("new.asc"), "{status:#}");
    assert_eq!(condition(&status, "Verified").unwrap()["status"], "True");
    let second = signed.commit("2", signed.by(&signed.ada));
    signed.refresh();
    signed.world.wait_synced(&second).unwrap();
    assert_ne!(first, second);
    signed.trust(&[&signed.ada]);
    let mended = |status: &Value| {
        ensure!(
            condition(status, "KeysReady")?["status"] == "True",
            "still damaged"
        );
        Ok(())
    };
    signed.world.wait_status(mended).unwrap();
}

fn ssh_key(folder: &Folder, name: &str) -> (PathBuf, String) {
    let path = folder.path().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let public = fs_err::read_to_string(path.with_extension("pub")).unwrap();
    (path, public)
}

#[test]
fn keys_come_from_secrets_and_files() {
    let signed = Signed::shared("key-places");
    let folder = Folder::new("keys").unwrap();
    let (cleo, public) = ssh_key(&folder, "cleo");
    let file = folder
        .write(
            "allowed_signers",
            format!("cleo@example.org namespaces=\"git\" {public}"),
        )
        .unwrap();
    let mut binary = signed.home.gpg();
    let binary = binary
        .args(["--export", &signed.ada.fingerprint])
        .output()
        .unwrap()
        .stdout;
    let secret = folder.write("ada.gpg", binary).unwrap();
    let create = format!(
        "create secret generic keys -n {} --from-file={}",
        signed.world.namespace,
        secret.display()
    );
    signed.world.engine.plane.kubectl(&create).unwrap();
    let first = signed.commit("1", signed.by(&signed.ada));
    signed.ask(&json!({"keyrings": [{"secret": {"name": "keys"}}, {"file": file}]}));
    signed.world.wait_synced(&first).unwrap();
    let second = signed.commit("2", Signature::Ssh(&cleo));
    signed.refresh();
    let status = signed.world.wait_synced(&second).unwrap();
    assert!(
        text(&status, "/verification/signer").starts_with("SHA256:"),
        "{status:#}"
    );
    signed.ask(&json!({"keyrings": [{"secret": {"name": "keys"}, "file": file}]}));
    signed.refused("K04");
    // One that is missing may be the one with a revocation: that others have the signers' keys does not help.
    let third = signed.commit("3", signed.by(&signed.ada));
    signed.ask(
        &json!({"keyrings": [{"secret": {"name": "keys"}}, {"file": file}, {"secret": {"name": "more"}}]}),
    );
    let status = signed.refused("K01");
    assert!(
        said(&status, "Verified").contains("Secret key-places/more"),
        "{status:#}"
    );
    assert_eq!(text(&status, "/sync/revision"), second);
    assert_eq!(signed.value(), "2");
    signed
        .world
        .engine
        .plane
        .kubectl(&create.replace(" keys ", " more "))
        .unwrap();
    signed.refresh();
    signed.world.wait_synced(&third).unwrap();
}

#[test]
fn the_newest_trusted_revision_is_synced_where_that_is_asked_for() {
    let signed = Signed::shared("advance");
    signed.running(&json!({"onUnverified": "advance"}));
    signed.commit("2", signed.by(&signed.ada));
    let third = signed.commit("3", signed.by(&signed.ada));
    let fourth = signed.commit("4", Signature::None);
    let fifth = signed.commit("5", signed.by(&signed.ada));
    signed.refresh();
    signed.world.wait_synced(&third).unwrap();
    let status = signed.refused("V03");
    assert_eq!(text(&status, "/verification/trustedRevision"), third);
    assert_eq!(text(&status, "/verification/refusedRevision"), fifth);
    let message = said(&status, "Verified");
    assert!(
        message.contains(&fourth[..12]) && message.contains(&format!("{third} is synced instead")),
        "{message}"
    );
    assert_eq!(signed.value(), "3");
    // Who asks for the newest by name gets it or nothing.
    let arguments = [
        "sync",
        "app",
        "--revision",
        &fifth,
        "-n",
        &signed.world.namespace,
        "--timeout",
        "60s",
    ];
    let asked = signed.world.engine.try_sluice(&arguments).unwrap();
    assert!(!asked.status.success());
    assert_eq!(signed.value(), "3");
}

#[test]
fn a_rewritten_history_waits_for_a_person() {
    let signed = Signed::shared("rewritten");
    let first = signed.running(&json!({}));
    let repository = &signed.world.repository;
    let second = signed.commit("2", signed.by(&signed.ada));
    signed.refresh();
    signed.world.wait_synced(&second).unwrap();
    repository.git(&["reset", "--quiet", "--hard", &first]).unwrap();
    let other = signed.commit("other", signed.by(&signed.ada));
    signed.refresh();
    let status = signed.refused("V04");
    assert_eq!(text(&status, "/verification/pendingAcceptance"), other);
    assert_eq!(text(&status, "/sync/revision"), second);
    assert_eq!(signed.value(), "2");

    let approve = |commit: &str| {
        let arguments = [
            "approve",
            "app",
            "--history",
            commit,
            "-n",
            &signed.world.namespace,
        ];
        signed.world.engine.try_sluice(&arguments).unwrap().status.code()
    };
    assert_eq!(approve(&first), Some(5), "another one waits");
    assert_eq!(approve(&other), Some(0));
    let status = signed.world.wait_synced(&other).unwrap();
    assert_eq!(text(&status, "/verification/startOfTrust"), other);
    assert_eq!(text(&status, "/verification/pendingAcceptance"), "");
    // From there on as before: what is accepted is a commit, and not whatever is pushed with force next.
    let next = signed.commit("next", signed.by(&signed.ada));
    signed.refresh();
    signed.world.wait_synced(&next).unwrap();
    repository.git(&["reset", "--quiet", "--hard", &second]).unwrap();
    signed.commit("again", signed.by(&signed.ada));
    signed.refresh();
    signed.refused("V04");
}

#[test]
fn an_accepted_history_must_be_signed() {
    let signed = Signed::shared("accepted-unsigned");
    let first = signed.running(&json!({}));
    let repository = &signed.world.repository;
    let amend = ["commit", "--quiet", "--amend", "--no-gpg-sign", "-m", "unsigned"];
    repository.git(&amend).unwrap();
    signed.world.server.push(repository, "app").unwrap();
    let unsigned = repository.head().unwrap();
    signed.refresh();
    signed.refused("V04");
    let arguments = [
        "approve",
        "app",
        "--history",
        &unsigned,
        "-n",
        &signed.world.namespace,
    ];
    signed.world.engine.sluice(&arguments).unwrap();
    let status = signed.refused("V03");
    assert_eq!(text(&status, "/sync/revision"), first);
}

#[test]
fn trust_is_of_commits_and_not_of_a_url() {
    let signed = Signed::shared("moved");
    signed.running(&json!({}));
    // The same history elsewhere goes on.
    let second = signed.commit("2", signed.by(&signed.ada));
    let elsewhere = signed
        .world
        .server
        .push(&signed.world.repository, "elsewhere")
        .unwrap();
    let point_at = |url: &str| {
        let mut application = signed.world.get().unwrap();
        application["spec"]["source"]["repoURL"] = url.into();
        let patch = json!({"spec": application["spec"]});
        let patch = format!(
            "-n {} patch applications.sluice.dev/app --type=merge -p",
            signed.world.namespace
        )
        .split(' ')
        .map(str::to_owned)
        .chain([patch.to_string()])
        .collect::<Vec<_>>();
        let words: Vec<&str> = patch.iter().map(String::as_str).collect();
        signed.world.engine.plane.kubectl_with(&words).unwrap();
    };
    point_at(&elsewhere);
    signed.world.wait_synced(&second).unwrap();
    // Another history does not, whoever signed it.
    let other = sluice_sandbox::Repository::new().unwrap();
    other
        .write("manifests/running.yaml", config_map("running", "foreign"))
        .unwrap();
    let foreign = other.commit("foreign", signed.by(&signed.ada)).unwrap();
    let url = signed.world.server.push(&other, "other").unwrap();
    point_at(&url);
    let status = signed.refused("V04");
    assert_eq!(text(&status, "/verification/pendingAcceptance"), foreign);
    assert_eq!(signed.value(), "2");
}

#[test]
fn trust_starts_where_people_say() {
    let signed = Signed::shared("start");
    signed.trust(&[&signed.ada]);
    let unsigned = signed.commit("0", Signature::None);
    let commit = signed.commit("1", signed.by(&signed.ada));
    // Nothing before it is asked for a signature, everything after it is.
    signed.ask(&json!({"startOfTrust": {"commit": unsigned}}));
    let status = signed.world.wait_synced(&commit).unwrap();
    assert_eq!(text(&status, "/verification/startOfTrust"), unsigned);
    let repository = &signed.world.repository;
    repository.tag("v1", signed.by(&signed.bob)).unwrap();
    let second = signed.commit("2", signed.by(&signed.ada));
    signed.ask(&json!({"startOfTrust": {"tag": "v1"}}));
    let status = signed.refused("V03");
    assert!(said(&status, "Verified").contains("tag"), "{status:#}");
    signed.trust(&[&signed.ada, &signed.bob]);
    let status = signed.world.wait_synced(&second).unwrap();
    assert_eq!(text(&status, "/verification/startOfTrust"), commit);
    signed.ask(&json!({"startOfTrust": {"commit": "main"}}));
    signed.refused("K04");
}

#[test]
fn only_signed_tags_where_that_is_asked_for() {
    let signed = Signed::shared("tags");
    signed.trust(&[&signed.ada]);
    let first = signed.commit("1", Signature::None);
    let repository = &signed.world.repository;
    repository.tag("v1", signed.by(&signed.ada)).unwrap();
    signed.world.server.push(repository, "app").unwrap();
    let at = |tag: &str| {
        let mut application = signed.world.application();
        application["spec"]["source"]["targetRevision"] = tag.into();
        application["spec"]["verification"] =
            json!({"mode": "tag", "keyrings": [{"configMap": {"name": "keys"}}]});
        signed.world.apply(&application).unwrap();
    };
    at("v1");
    let status = signed.world.wait_synced(&first).unwrap();
    assert_eq!(text(&status, "/verification/signer"), signed.ada.fingerprint);
    signed.commit("2", signed.by(&signed.ada));
    repository.tag("v2", Signature::None).unwrap();
    repository.git(&["tag", "light"]).unwrap();
    signed.world.server.push(repository, "app").unwrap();
    at("v2");
    signed.refused("V03");
    for light in ["light", "main"] {
        at(light);
        signed.refused("V09");
    }
    assert_eq!(signed.value(), "1");
}

#[test]
fn rules_say_who_may_sign_what() {
    let signed = Signed::shared("rules");
    signed.trust(&[&signed.ada, &signed.bob]);
    let first = signed.commit("1", signed.by(&signed.bob));
    let rule = |key: &Key| {
        let keys = &key.fingerprint;
        let rules = json!({
            "groups": [{"name": "release", "members": [{"name": "somebody", "keys": [keys]}]}],
            "rules": [{"name": "production", "paths": ["manifests/**"], "groups": ["release"]}],
        });
        signed.map("signing-rules", &json!({"rules.yaml": rules.to_string()}));
    };
    signed.ask(&json!({"rulesFrom": [{"configMap": {"name": "signing-rules"}}]}));
    let status = signed.refused("K01");
    assert!(
        said(&status, "Verified").contains("ConfigMap rules/signing-rules"),
        "{status:#}"
    );
    rule(&signed.ada);
    let status = signed.refused("V07");
    assert!(said(&status, "Verified").contains("production"), "{status:#}");
    // Changed rules judge again at once.
    rule(&signed.bob);
    signed.world.wait_synced(&first).unwrap();
    signed.map(
        "signing-rules",
        &json!({"rules.yaml": "rules: [{name: x, unknown: 1}]"}),
    );
    signed.refused("V08");
    // What ran by other rules does not any more; a rule about elsewhere is none for it.
    rule(&signed.ada);
    signed.refused("K24");
    assert_eq!(signed.value(), "1");
    rule(&signed.bob);
    let verified = |status: &Value| {
        ensure!(condition(status, "Verified")?["status"] == "True", "not yet");
        Ok(())
    };
    signed.world.wait_status(verified).unwrap();
}

/// What the controller has said since a length of its log.
fn said_since(engine: &Engine, length: usize) -> String {
    engine.controller_log().split_off(length)
}

#[test]
fn a_restart_costs_no_verification() {
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    let signed = Signed::new(&engine, "restart");
    signed.trust(&[&signed.ada]);
    for value in ["1", "2", "3", "4"] {
        signed.commit(value, signed.by(&signed.ada));
    }
    let start = signed
        .world
        .repository
        .git(&["rev-list", "--max-parents=0", "HEAD"])
        .unwrap();
    let fifth = signed.commit("5", signed.by(&signed.ada));
    signed.ask(&json!({"startOfTrust": {"commit": start.trim()}}));
    let status = signed.world.wait_synced(&fifth).unwrap();
    assert_eq!(status["verification"]["commits"], 4);
    assert!(
        engine.controller_log().contains("verified=4"),
        "{}",
        engine.controller_log()
    );
    let ledger = || signed.world.object("configmap/sluice-ledger-app").unwrap();
    let owner = ledger()["metadata"]["ownerReferences"][0].take();
    assert_eq!(owner["kind"], "Application");
    let before = ledger()["metadata"]["resourceVersion"].clone();

    let restart = || {
        engine.stop_controller().unwrap();
        let length = engine.controller_log().len();
        engine.start_controller(&[]).unwrap();
        signed.refresh();
        length
    };
    let length = restart();
    signed.world.wait_synced(&fifth).unwrap();
    assert!(
        !said_since(&engine, length).contains("verified="),
        "{}",
        said_since(&engine, length)
    );
    // Another key changes nothing of what is in the ledger.
    signed.trust(&[&signed.ada, &signed.bob]);
    let sixth = signed.commit("6", signed.by(&signed.bob));
    signed.refresh();
    signed.world.wait_synced(&sixth).unwrap();
    let since = said_since(&engine, length);
    assert_eq!(since.matches("verified=").count(), 1, "{since}");
    assert!(since.contains("verified=1"), "{since}");
    assert_ne!(ledger()["metadata"]["resourceVersion"], before);

    // A ledger that another writer has changed is not believed.
    let forged = text(&ledger(), "/data/ledger.json").replace(&fifth, &"a".repeat(40));
    let patch = json!({"data": {"ledger.json": forged}}).to_string();
    let namespace = &signed.world.namespace;
    let arguments = [
        "-n",
        namespace,
        "patch",
        "configmap",
        "sluice-ledger-app",
        "--type=merge",
        "-p",
        &patch,
    ];
    engine.plane.kubectl_with(&arguments).unwrap();
    let length = restart();
    signed.trust(&[&signed.bob, &signed.ada]);
    let carol = signed.home.generate("Carol <carol@example.org>").unwrap();
    signed.trust(&[&signed.bob, &signed.ada, &carol]);
    let seventh = signed.commit("7", signed.by(&carol));
    signed.refresh();
    signed.world.wait_synced(&seventh).unwrap();
    let since = said_since(&engine, length);
    assert!(since.contains("another writer has changed it"), "{since}");
    // It goes with the Application.
    let delete = format!("delete applications.sluice.dev/app -n {}", signed.world.namespace);
    engine.plane.kubectl(&delete).unwrap();
    sluice_sandbox::wait_for(
        "the ledger's end",
        std::time::Duration::from_secs(60),
        || match signed.world.object("configmap/sluice-ledger-app") {
            Ok(_) => Err(anyhow::anyhow!("it is still there")),
            Err(_) => Ok(()),
        },
    )
    .context("garbage collection")
    .unwrap();
}
