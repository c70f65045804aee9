//! The end of an Application, with what runs before and after it.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use sluice_cluster_tests::{Engine, World, condition, config_map, definition, text};
use sluice_sandbox::Service;

const A_WHILE: Duration = Duration::from_secs(90);

const PART_OF: &str = "/metadata/labels/applyset.kubernetes.io~1part-of";

fn hook(name: &str, phase: &str) -> String {
    config_map(name, "1").replace(
        &format!("  name: {name}"),
        &format!("  name: {name}\n  annotations: {{sluice.dev/hook: {phase}}}"),
    )
}

/// A hook that ends when somebody lets it.
fn waits(phase: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: backup, annotations: {{sluice.dev/hook: {phase}}}}}\nspec:\n  \
         suspend: true\n  template:\n    spec: {{restartPolicy: Never, containers: [{{name: c, image: registry.example.org/c:1}}]}}\n"
    )
}

fn prunes(world: &World<'_>) -> Value {
    let mut application = world.application();
    application["spec"]["deletionPolicy"] = "Prune".into();
    application
}

fn delete(world: &World<'_>) {
    let command = format!(
        "-n {} delete applications.sluice.dev/app --wait=false",
        world.namespace
    );
    world.engine.plane.kubectl(&command).unwrap();
}

fn wait_gone(world: &World<'_>, what: &str) {
    let what = format!("-n {} {what}", world.namespace);
    world.engine.plane.wait_gone(&what, A_WHILE).unwrap();
}

#[test]
fn hooks_run_before_and_after_the_objects_go() {
    let world = World::shared("delete-hooks").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.write("backup.yaml", &waits("PreDelete")).unwrap();
    world.write("after.yaml", &hook("after", "PostDelete")).unwrap();
    let commit = world.commit("with hooks for the end").unwrap();
    world.apply(&prunes(&world)).unwrap();
    let status = world.wait_synced(&commit).unwrap();
    assert!(world.object("job/backup").is_err(), "it is for the end");
    assert_eq!(status["deletionHooks"], true);

    delete(&world);
    let status = world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            ensure!(
                text(synced, "/message").contains("PreDelete wave 0 waits for Job.batch"),
                "not waiting"
            );
            Ok(())
        })
        .unwrap();
    assert!(
        status.pointer("/deletion").is_none(),
        "the first stage is not done: {status:#}"
    );
    let running = world.object("configmap/running").unwrap();
    assert!(
        running.pointer("/metadata/deletionTimestamp").is_none(),
        "nothing goes before its hook is done"
    );
    let resume = [
        "-n",
        &world.namespace,
        "patch",
        "job",
        "backup",
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":false}}"#,
    ];
    world.engine.plane.kubectl_with(&resume).unwrap();
    wait_gone(&world, "applications.sluice.dev/app");
    wait_gone(&world, "configmap/running");
    wait_gone(&world, "job/backup");
    // Its delete policy leaves it, and it belongs to nobody.
    let after = world.object("configmap/after").unwrap();
    assert!(after.pointer(PART_OF).is_none(), "{after:#}");
}

#[test]
fn hooks_that_cannot_be_read_hold_the_deletion() {
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    let world = World::new(&engine, "delete-unread").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.write("before.yaml", &hook("before", "PreDelete")).unwrap();
    let commit = world.commit("with a hook for the end").unwrap();
    world.apply(&prunes(&world)).unwrap();
    world.wait_synced(&commit).unwrap();
    engine.stop_controller().unwrap();
    world.server.set_service(Service::Unavailable);
    delete(&world);
    engine.start_controller(&[]).unwrap();
    let refused = world.wait_refused("Synced").unwrap();
    assert_eq!(text(&refused, "/reason"), "K34");
    assert!(text(&refused, "/message").contains("Orphan"), "{refused}");
    world.object("configmap/running").unwrap();
    world.server.set_service(Service::Serving);
    wait_gone(&world, "applications.sluice.dev/app");
    wait_gone(&world, "configmap/running");
}

/// Found: a policy that did not answer made no hook of anything, so the hooks before the deletion were left out and the objects went.
#[test]
fn hooks_that_no_policy_decides_on_hold_the_deletion() {
    let world = World::shared("delete-undecided").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.write("backup.yaml", &waits("PreDelete")).unwrap();
    let commit = world.commit("with a hook for the end").unwrap();
    let application = prunes(&world);
    world.apply(&application).unwrap();
    world.wait_synced(&commit).unwrap();
    let mut broken = application.clone();
    broken["spec"]["policies"] = serde_json::json!({"sync": [{"plugin": "nowhere"}]});
    world.apply(&broken).unwrap();
    delete(&world);
    world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            ensure!(text(synced, "/reason") == "K38", "{synced}");
            ensure!(text(synced, "/message").contains("nowhere"), "{synced}");
            Ok(())
        })
        .unwrap();
    let running = world.object("configmap/running").unwrap();
    assert!(
        running.pointer("/metadata/deletionTimestamp").is_none(),
        "{running:#}"
    );
    // It answers again: the hook runs first.
    world.apply(&application).unwrap();
    world
        .wait_status(|status| {
            let said = text(condition(status, "Synced")?, "/message").to_owned();
            ensure!(said.contains("PreDelete wave 0 waits for Job.batch"), "{said}");
            Ok(())
        })
        .unwrap();
    world.object("configmap/running").unwrap();
}

#[test]
fn an_application_without_such_hooks_goes_without_its_repository() {
    let world = World::shared("delete-no-git").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let commit = world.commit("first").unwrap();
    world.apply(&prunes(&world)).unwrap();
    world.wait_synced(&commit).unwrap();
    world.server.set_service(Service::Unreachable);
    delete(&world);
    wait_gone(&world, "applications.sluice.dev/app");
    wait_gone(&world, "configmap/running");
}

#[test]
fn protection_that_only_git_has_counts() {
    let world = World::shared("delete-protected").unwrap();
    let write = |name: &str, annotations: &str| {
        let object = config_map(name, "1").replace(
            &format!("  name: {name}"),
            &format!("  name: {name}\n  annotations: {{{annotations}}}"),
        );
        world.write(&format!("{name}.yaml"), &object).unwrap();
    };
    let names = ["running", "ours", "argos", "helms", "held"];
    for name in names {
        write(name, "");
    }
    world.commit("first").unwrap();
    let mut application = prunes(&world);
    application["spec"]["syncPolicy"] = serde_json::json!({});
    world.apply(&application).unwrap();
    world.done(&["sync", "app", "--timeout", "60s"]);
    write("ours", "sluice.dev/prune: keep");
    write("argos", "argocd.argoproj.io/sync-options: Delete=false");
    write("helms", "helm.sh/resource-policy: keep");
    write("held", "sluice.dev/prune: hold");
    let protects = world.commit("most of it is to be kept").unwrap();
    world.refresh().unwrap();
    world
        .wait_status(|status| {
            ensure!(text(status, "/sync/target") == protects, "not seen");
            Ok(())
        })
        .unwrap();
    for name in names {
        let live = world.object(&format!("configmap/{name}")).unwrap();
        assert!(live.pointer("/metadata/annotations").is_none(), "{live:#}");
    }
    delete(&world);
    let status = world
        .wait_status(|status| {
            let pending = status.pointer("/pendingApproval/count");
            ensure!(pending == Some(&1.into()), "nothing is held");
            Ok(())
        })
        .unwrap();
    wait_gone(&world, "configmap/running");
    let held = world.object("configmap/held").unwrap();
    assert!(held.pointer("/metadata/deletionTimestamp").is_none(), "{held:#}");
    let digest = text(&status, "/pendingApproval/planDigest");
    world.done(&["approve", "app", "--plan", digest]);
    wait_gone(&world, "applications.sluice.dev/app");
    wait_gone(&world, "configmap/held");
    for name in ["ours", "argos", "helms"] {
        let kept = world.object(&format!("configmap/{name}")).unwrap();
        assert!(
            kept.pointer("/metadata/deletionTimestamp").is_none() && kept.pointer(PART_OF).is_none(),
            "{kept:#}"
        );
    }
}

/// An operator's account, and an object that only the operator can let go (public reports: the object stays for ever).
#[test]
fn what_lets_an_object_go_outlives_it() {
    let world = World::shared("delete-operator").unwrap();
    let kind = definition("operator.example.com", "Realm", "{spec: {type: object}}");
    world.engine.define("realms.operator.example.com", &kind).unwrap();
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: operator}\n";
    world.write("account.yaml", account).unwrap();
    let realm = "apiVersion: operator.example.com/v1\nkind: Realm\nmetadata: {name: main, finalizers: [operator.example.com/cleanup]}\n";
    world.write("realm.yaml", realm).unwrap();
    let commit = world.commit("an operator and what it works on").unwrap();
    world.apply(&prunes(&world)).unwrap();
    world.wait_synced(&commit).unwrap();

    delete(&world);
    world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            let message = text(synced, "/message");
            ensure!(
                message.contains("operator.example.com/cleanup") && message.contains("main"),
                "not named: {message}"
            );
            Ok(())
        })
        .unwrap();
    let account = world.object("serviceaccount/operator").unwrap();
    assert!(
        account.pointer("/metadata/deletionTimestamp").is_none(),
        "it may be what lets the object go: {account:#}"
    );
    let patch = [
        "patch",
        "realms.operator.example.com",
        "main",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ];
    world.kubectl(&patch).unwrap();
    wait_gone(&world, "serviceaccount/operator");
    wait_gone(&world, "applications.sluice.dev/app");
}
