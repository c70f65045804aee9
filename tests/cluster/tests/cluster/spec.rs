//! What an Application says and means nothing, or names and is not there: a condition with its code.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, config_map};

/// Creates the Application, changed, and waits until a condition says the code.
fn refused(name: &str, code: &str, change: impl FnOnce(&mut Value)) {
    let world = World::shared(name).unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.commit("something").unwrap();
    let mut application = world.application();
    change(&mut application);
    world.apply(&application).unwrap();
    world
        .wait_status(|status| {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            let says = |condition: &Value| {
                condition["reason"]
                    .as_str()
                    .is_some_and(|reason| reason.starts_with(code))
            };
            ensure!(conditions.iter().any(says), "no condition says {code}");
            Ok(())
        })
        .unwrap();
    assert!(world.object("configmap/a").is_err(), "{code}: nothing is done");
}

#[test]
fn a_keyring_that_is_not_there() {
    refused("spec-keyring", "K01", |application| {
        application["spec"]["verification"] =
            json!({"mode": "chain", "keyrings": [{"configMap": {"name": "missing"}}]});
    });
}

#[test]
fn credentials_that_are_not_there() {
    refused("spec-credentials", "K02", |application| {
        application["spec"]["source"]["credentials"] = json!({"name": "missing"});
    });
}

#[test]
fn a_cluster_that_there_is_not() {
    refused("spec-cluster", "K03", |application| {
        application["spec"]["destination"]["name"] = "elsewhere".into();
    });
}

#[test]
fn an_account_that_is_no_name() {
    refused("spec-account", "K04", |application| {
        application["spec"]["destination"]["serviceAccount"] = "Not A Name".into();
    });
}

#[test]
fn all_mistakes_are_said_at_once_and_the_corrected_spec_is_synced() {
    let world = World::shared("spec-mistakes").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    let commit = world.commit("something").unwrap();
    let right = world.application();
    let mut wrong = right.clone();
    wrong["spec"]["syncPolicy"]["healthTimeout"] = "soon".into();
    wrong["spec"]["ignoreDifferences"] = json!([{"kind": "Pod", "jsonPointers": ["spec"]}]);
    wrong["spec"]["destination"]["name"] = "elsewhere".into();
    world.apply(&wrong).unwrap();
    let fields = [
        "spec.destination.name",
        "spec.syncPolicy.healthTimeout",
        "spec.ignoreDifferences[0].jsonPointers[0]",
    ];
    world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?.to_string();
            let missing = fields.iter().find(|field| !synced.contains(*field));
            ensure!(missing.is_none(), "{missing:?} is not said: {synced}");
            ensure!(
                synced.contains("kubectl explain application.spec.syncPolicy.healthTimeout"),
                "no hint: {synced}"
            );
            Ok(())
        })
        .unwrap();
    assert!(world.object("configmap/a").is_err(), "nothing is done");
    world.apply(&right).unwrap();
    world.wait_synced(&commit).unwrap();
}

/// Its objects stay, so nothing of the spec matters any more but the account that takes the labels off.
#[test]
fn an_application_with_mistakes_can_be_deleted() {
    let world = World::shared("spec-deleted").unwrap();
    world.running().unwrap();
    let mut wrong = world.application();
    wrong["spec"]["syncPolicy"]["healthTimeout"] = "soon".into();
    wrong["spec"]["deletionPolicy"] = "Orphan".into();
    world.apply(&wrong).unwrap();
    world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?.to_string();
            ensure!(synced.contains("K04"), "not read yet: {synced}");
            Ok(())
        })
        .unwrap();
    let delete = format!(
        "-n {} delete applications.sluice.dev/app --timeout=60s",
        world.namespace
    );
    world.engine.plane.kubectl(&delete).unwrap();
    let kept = world.object("configmap/running").unwrap();
    assert_eq!(
        kept.pointer("/metadata/labels/applyset.kubernetes.io~1part-of"),
        None
    );
}

#[test]
fn a_request_that_cannot_be_read() {
    let world = World::shared("spec-request").unwrap();
    world.running().unwrap();
    let annotate = format!(
        "-n {} annotate applications.sluice.dev/app sluice.dev/operation=nonsense",
        world.namespace
    );
    world.engine.plane.kubectl(&annotate).unwrap();
    world
        .wait_status(|status| {
            ensure!(status.to_string().contains("K05"), "nobody says K05");
            Ok(())
        })
        .unwrap();
}
