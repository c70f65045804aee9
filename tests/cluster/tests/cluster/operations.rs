//! What people ask for while the engine works: each with its command, its status and its entry in the history.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, config_map, entry, short_reason, text};
use sluice_sandbox::{GnuPg, Signature, wait_for};

const A_WHILE: Duration = Duration::from_secs(60);

/// A Deployment that no node takes: Progressing until `deadline` seconds have passed, and Degraded then.
pub(crate) fn stuck(deadline: u32, annotations: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: stuck, annotations: {{{annotations}}}}}\nspec:\n  \
         progressDeadlineSeconds: {deadline}\n  selector: {{matchLabels: {{app: stuck}}}}\n  template:\n    \
         metadata: {{labels: {{app: stuck}}}}\n    spec:\n      nodeSelector: {{nowhere: \"true\"}}\n      \
         containers: [{{name: c, image: registry.example.org/c:1}}]\n"
    )
}

/// A hook that runs for ever, as far as anybody can tell.
pub(crate) fn endless(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec:\n  suspend: true\n  \
         template:\n    spec: {{restartPolicy: Never, containers: [{{name: c, image: registry.example.org/c:1}}]}}\n"
    )
}

/// An Application that is synced only when somebody asks for it.
fn manual(world: &World<'_>) {
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({});
    world.apply(&application).unwrap();
}

pub(crate) fn wait_operation(world: &World<'_>, phase: &str) -> Value {
    world
        .wait_status(|status| {
            ensure!(text(status, "/operation/phase") == phase, "not {phase}");
            Ok(())
        })
        .unwrap()
}

fn events(world: &World<'_>) -> String {
    world
        .engine
        .plane
        .kubectl(&format!("-n {} get events.events.k8s.io", world.namespace))
        .unwrap()
}

#[test]
fn a_wave_says_on_what_it_waits_and_can_be_terminated() {
    let world = World::shared("terminate").unwrap();
    world
        .write("hook.yaml", &endless("migrate", "sluice.dev/hook: PreSync"))
        .unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.commit("a hook that never ends").unwrap();
    world.apply(&world.application()).unwrap();
    let status = world
        .wait_status(|status| {
            ensure!(
                status.pointer("/operation/waitingFor").is_some(),
                "nothing is waited for"
            );
            Ok(())
        })
        .unwrap();
    let waiting = &status["operation"]["waitingFor"];
    assert_eq!(text(waiting, "/what"), "PreSync wave 0");
    assert_eq!(
        text(waiting, "/object"),
        format!("Job.batch {}/migrate", world.namespace)
    );
    assert_eq!(text(waiting, "/plugin"), "health-kubernetes");
    assert!(text(waiting, "/since").starts_with("20"), "{waiting}");
    let (code, _, said) = world.run(&["wait", "app", "--timeout", "1s"]);
    assert_eq!(code, Some(9));
    assert!(said.contains("PreSync wave 0 waits for Job.batch"), "{said}");

    world.done(&["terminate", "app"]);
    let status = wait_operation(&world, "Terminated");
    assert_eq!(entry(&status, "Sync").unwrap()["result"], "Terminated");
    assert!(world.object("configmap/running").is_err());
    world
        .engine
        .plane
        .wait_gone(&format!("-n {} job/migrate", world.namespace), A_WHILE)
        .unwrap();
    assert!(events(&world).contains("SyncTerminated"));

    // The automation lets this revision be, and goes on with the next one.
    world.refresh().unwrap();
    let status = world.get().unwrap()["status"].take();
    assert_eq!(text(&status, "/operation/phase"), "Terminated");
    assert_eq!(condition(&status, "Synced").unwrap()["reason"], "Terminated");
    let (code, _, said) = world.run(&["terminate", "app"]);
    assert!(code == Some(3) && said.contains("error[U26]"), "{said}");
    world.repository.remove("manifests/hook.yaml").unwrap();
    let fixed = world.commit("without the hook").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&fixed).unwrap();
}

#[test]
fn the_newest_commit_wins_over_one_that_waits() {
    let world = World::shared("newest-wins").unwrap();
    world.write("stuck.yaml", &stuck(600, "")).unwrap();
    world
        .write(
            "after.yaml",
            &config_map("after", "1").replace(
                "  name: after",
                "  name: after\n  annotations: {sluice.dev/sync-wave: \"1\"}",
            ),
        )
        .unwrap();
    let first = world.commit("never healthy").unwrap();
    world.apply(&world.application()).unwrap();
    world
        .wait_status(|status| {
            ensure!(
                text(status, "/operation/waitingFor/what") == "Sync wave 0",
                "not waiting"
            );
            Ok(())
        })
        .unwrap();
    world.repository.remove("manifests/stuck.yaml").unwrap();
    let second = world.commit("the fix").unwrap();
    world
        .engine
        .sluice(&["refresh", "app", "-n", &world.namespace])
        .unwrap();
    let status = world.wait_synced(&second).unwrap();
    let history = status["history"].as_array().unwrap();
    let superseded = history
        .iter()
        .find(|entry| entry["result"] == "Superseded")
        .unwrap();
    assert_eq!(text(superseded, "/revision"), &*first);
}

#[test]
fn the_health_gate_decides_how_a_sync_ends() {
    let world = World::shared("health-gate").unwrap();
    world.write("stuck.yaml", &stuck(2, "")).unwrap();
    let commit = world.commit("degraded soon").unwrap();
    manual(&world);
    let (code, _, said) = world.run(&["sync", "app", "--timeout", "60s"]);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("K32") && said.contains("Deployment.apps"), "{said}");
    let status = wait_operation(&world, "Failed");
    // Everything is applied, and that is said as it is.
    assert_eq!(text(&status, "/sync/revision"), &*commit);
    assert_eq!(text(&status, "/sync/status"), "Synced");
    let failed = entry(&status, "Sync").unwrap();
    assert_eq!(failed["result"], "Failed");
    let policies = failed["policies"].as_array().unwrap();
    assert!(
        policies
            .iter()
            .any(|policy| policy.as_str().unwrap().starts_with("health-kubernetes@sha256:")),
        "{failed}"
    );
    assert!(text(failed, "/planDigest").starts_with("sha256:"));

    // Time runs out where nothing is said to be broken.
    world.write("stuck.yaml", &stuck(600, "a: b")).unwrap();
    world.commit("never ready").unwrap();
    let patch = r#"{"spec":{"syncPolicy":{"healthTimeout":"3s"}}}"#;
    world
        .engine
        .plane
        .kubectl_with(&[
            "-n",
            &world.namespace,
            "patch",
            "applications.sluice.dev",
            "app",
            "--type=merge",
            "-p",
            patch,
        ])
        .unwrap();
    let (_, _, said) = world.run(&["sync", "app", "--timeout", "60s"]);
    assert!(said.contains("K33") || said.contains("K32"), "{said}");

    // And where all is well, it is done.
    world.repository.remove("manifests/stuck.yaml").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.commit("works").unwrap();
    world.done(&["sync", "app", "--prune", "--timeout", "60s"]);
}

#[test]
fn time_runs_out_at_the_gate() {
    let world = World::shared("health-late").unwrap();
    world.write("stuck.yaml", &stuck(600, "")).unwrap();
    world.commit("never ready").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({"healthTimeout": "2s"});
    world.apply(&application).unwrap();
    let (code, _, said) = world.run(&["sync", "app", "--timeout", "60s"]);
    assert_eq!(code, Some(7), "{said}");
    assert!(
        said.contains("K33") && said.contains("health-kubernetes"),
        "{said}"
    );
}

#[test]
fn a_hook_has_its_own_time() {
    let world = World::shared("hook-timeout").unwrap();
    let annotations =
        "sluice.dev/hook: PreSync, sluice.dev/hook-timeout: 2s, sluice.dev/hook-delete-policy: HookFailed";
    world.write("hook.yaml", &endless("slow", annotations)).unwrap();
    world
        .write(
            "rescue.yaml",
            &config_map("rescue", "1").replace(
                "  name: rescue",
                "  name: rescue\n  annotations: {sluice.dev/hook: SyncFail}",
            ),
        )
        .unwrap();
    world.commit("a hook that takes too long").unwrap();
    manual(&world);
    let (code, _, said) = world.run(&["sync", "app", "--timeout", "60s"]);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("A07") && said.contains("Job.batch"), "{said}");
    world
        .engine
        .plane
        .wait_gone(&format!("-n {} job/slow", world.namespace), A_WHILE)
        .unwrap();
    world.object("configmap/rescue").unwrap();
    // A value that says nothing holds the sync.
    let wrong = annotations.replace("2s", "soon");
    world.write("hook.yaml", &endless("slow", &wrong)).unwrap();
    world.commit("a timeout that is none").unwrap();
    let (_, _, said) = world.run(&["sync", "app", "--timeout", "60s"]);
    assert!(said.contains("hook-timeout: soon"), "{said}");
}

#[test]
fn while_paused_nothing_is_written() {
    let world = World::shared("pause").unwrap();
    let commit = world.running().unwrap();
    world.done(&["pause", "app", "--reason", "a migration"]);
    let status = world
        .wait_status(|status| {
            ensure!(condition(status, "Paused")?["status"] == "True", "not paused");
            Ok(())
        })
        .unwrap();
    assert!(text(condition(&status, "Paused").unwrap(), "/message").contains("a migration"));
    assert!(world.done(&["get"]).contains("(paused)"));
    world
        .engine
        .plane
        .kubectl(&format!("-n {} delete configmap running", world.namespace))
        .unwrap();
    world.write("more.yaml", &config_map("more", "1")).unwrap();
    let second = world.commit("while paused").unwrap();
    world.refresh().unwrap();
    let status = world
        .wait_status(|status| {
            ensure!(text(status, "/sync/status") == "OutOfSync", "it does not see it");
            Ok(())
        })
        .unwrap();
    assert_eq!(text(&status, "/sync/revision"), &*commit);
    let (code, _, said) = world.run(&["sync", "app", "--timeout", "60s"]);
    assert!(
        code == Some(7) && said.contains("K30") && said.contains("a migration"),
        "{said}"
    );
    let plan = world.done(&["plan", "app", "-o", "json"]);
    let plan = world.engine.write("paused.json", plan).unwrap();
    let (code, _, said) = world.run(&["apply", plan.to_str().unwrap()]);
    assert!(code == Some(5) && said.contains("error[U27]"), "{said}");
    let tried = world.done(&["sync", "app", "--dry-run", "--timeout", "60s"]);
    assert!(tried.contains("2 created"), "{tried}");
    assert!(world.object("configmap/running").is_err() && world.object("configmap/more").is_err());
    world.done(&["resume", "app"]);
    let status = world.wait_synced(&second).unwrap();
    for kind in ["Pause", "Resume", "DryRun"] {
        let entry = entry(&status, kind).unwrap();
        assert!(!text(entry, "/initiatedBy").is_empty(), "{entry}");
    }
    let told = events(&world);
    assert!(told.contains("Paused") && told.contains("Resumed"), "{told}");
    let (code, _, said) = world.run(&["resume", "app"]);
    assert!(code == Some(3) && said.contains("error[U26]"), "{said}");
}

#[test]
fn a_pause_ends_what_goes_on_and_holds_a_deletion() {
    let world = World::shared("pause-deletion").unwrap();
    world
        .write("hook.yaml", &endless("migrate", "sluice.dev/hook: PreSync"))
        .unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.commit("a hook that never ends").unwrap();
    let mut application = world.application();
    application["spec"]["deletionPolicy"] = "Prune".into();
    world.apply(&application).unwrap();
    world
        .wait_status(|status| {
            ensure!(
                status.pointer("/operation/waitingFor").is_some(),
                "nothing is waited for"
            );
            Ok(())
        })
        .unwrap();
    world.done(&["pause", "app"]);
    wait_operation(&world, "Superseded");
    let namespace = &world.namespace;
    world
        .engine
        .plane
        .kubectl(&format!(
            "-n {namespace} delete applications.sluice.dev/app --wait=false"
        ))
        .unwrap();
    world
        .wait_status(|status| {
            ensure!(
                condition(status, "Synced")?["reason"] == "Paused",
                "the deletion does not wait"
            );
            Ok(())
        })
        .unwrap();
    world.object("job/migrate").unwrap();
    world.done(&["resume", "app"]);
    world
        .engine
        .plane
        .wait_gone(&format!("-n {namespace} applications.sluice.dev/app"), A_WHILE)
        .unwrap();
}

#[test]
fn some_objects_alone() {
    let world = World::shared("selective").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.write("b.yaml", &config_map("b", "1")).unwrap();
    world
        .write(
            "hook.yaml",
            &config_map("h", "1").replace(
                "  name: h",
                "  name: h\n  annotations: {sluice.dev/hook: PostSync}",
            ),
        )
        .unwrap();
    let commit = world.commit("two and a hook").unwrap();
    manual(&world);
    let one = format!("/ConfigMap/{}/a", world.namespace);
    world.done(&["sync", "app", "--resource", &one, "--timeout", "60s"]);
    world.object("configmap/a").unwrap();
    assert!(world.object("configmap/b").is_err() && world.object("configmap/h").is_err());
    let status = world.get().unwrap()["status"].take();
    assert_eq!(text(&status, "/sync/status"), "OutOfSync");
    assert_eq!(
        text(&status, "/sync/revision"),
        "",
        "it is not at the revision yet"
    );
    assert_eq!(entry(&status, "SelectiveSync").unwrap()["result"], "Succeeded");
    world.done(&[
        "sync",
        "app",
        "--resource",
        "*/*/*/b",
        "--with-hooks",
        "--timeout",
        "60s",
    ]);
    world.object("configmap/h").unwrap();
    world.wait_synced(&commit).unwrap();

    let (_, _, said) = world.run(&["sync", "app", "--resource", "apps/*/*/*", "--timeout", "60s"]);
    assert!(said.contains("K35"), "{said}");
    let (code, _, said) = world.run(&["sync", "app", "--resource", "a"]);
    assert!(
        code == Some(2) && said.contains("group/kind/namespace/name"),
        "{said}"
    );
    // What is deleted is selected too; nothing else goes.
    world.repository.remove("manifests/a.yaml").unwrap();
    world.repository.remove("manifests/b.yaml").unwrap();
    world.write("c.yaml", &config_map("c", "1")).unwrap();
    world.commit("without both").unwrap();
    world.done(&["sync", "app", "--prune", "--resource", &one, "--timeout", "60s"]);
    let a = format!("-n {} configmap/a", world.namespace);
    world.engine.plane.wait_gone(&a, A_WHILE).unwrap();
    world.object("configmap/b").unwrap();
    // What was left out is not forgotten for it.
    world.done(&["sync", "app", "--prune", "--timeout", "60s"]);
    let b = format!("-n {} configmap/b", world.namespace);
    world.engine.plane.wait_gone(&b, A_WHILE).unwrap();
}

#[test]
fn what_is_not_pruned_is_not_forgotten() {
    let world = World::shared("not-forgotten").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world
        .write(
            "s.yaml",
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s}\n",
        )
        .unwrap();
    world.commit("two kinds").unwrap();
    manual(&world);
    world.done(&["sync", "app", "--timeout", "60s"]);
    world.repository.remove("manifests/s.yaml").unwrap();
    world.commit("one kind").unwrap();
    world.done(&["sync", "app", "--timeout", "60s"]);
    world.object("serviceaccount/s").unwrap();
    // No kind of Git's leads to it any more; the record of members does.
    world.done(&["sync", "app", "--prune", "--timeout", "60s"]);
    let gone = format!("-n {} serviceaccount/s", world.namespace);
    world.engine.plane.wait_gone(&gone, A_WHILE).unwrap();
}

#[test]
fn going_back_is_kept_by_the_automation_until_it_is_resumed() {
    let world = World::shared("rollback").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let first = world.commit("first").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&first).unwrap();
    let (code, _, said) = world.run(&["rollback", "app"]);
    assert!(code == Some(3) && said.contains("error[U25]"), "{said}");
    world.write("running.yaml", &config_map("running", "2")).unwrap();
    world.write("extra.yaml", &config_map("extra", "1")).unwrap();
    let second = world.commit("second").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();

    let (_, _, said) = world.run(&["sync", "app", "--revision", &first, "--timeout", "60s"]);
    assert!(said.contains("K31"), "{said}");
    world.done(&["rollback", "app", "--reason", "broken", "--timeout", "60s"]);
    let status = world.wait_synced(&first).unwrap();
    let value = || text(&world.object("configmap/running").unwrap(), "/data/value").to_owned();
    assert_eq!(value(), "1");
    let extra = format!("-n {} configmap/extra", world.namespace);
    world.engine.plane.wait_gone(&extra, A_WHILE).unwrap();
    assert_eq!(entry(&status, "Rollback").unwrap()["result"], "Succeeded");
    assert_eq!(condition(&status, "Pinned").unwrap()["status"], "True");
    assert!(world.done(&["get"]).contains("(pinned)"));

    // Drift is undone to it, and newer commits wait.
    world.write("running.yaml", &config_map("running", "3")).unwrap();
    let third = world.commit("third").unwrap();
    world.refresh().unwrap();
    let patch = r#"{"data":{"value":"drift"}}"#;
    world
        .engine
        .plane
        .kubectl_with(&[
            "-n",
            &world.namespace,
            "patch",
            "configmap",
            "running",
            "--type=merge",
            "-p",
            patch,
        ])
        .unwrap();
    wait_for("the drift to be undone", A_WHILE, || {
        ensure!(value() == "1", "still {}", value());
        Ok(())
    })
    .unwrap();
    world.wait_synced(&first).unwrap();
    world.done(&["resume", "app"]);
    let status = world.wait_synced(&third).unwrap();
    assert_eq!(value(), "3");
    assert!(condition(&status, "Pinned").is_err());
    // By its number.
    let number = entry(&status, "Rollback").unwrap()["id"].to_string();
    world.done(&["rollback", "app", &number, "--timeout", "60s"]);
    world.wait_synced(&first).unwrap();
}

#[test]
fn only_a_trusted_revision_can_be_gone_back_to() {
    let world = World::shared("rollback-trust").unwrap();
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Release <release@example.org>").unwrap();
    let armour = format!("--from-literal=release.asc={}", gpg.export(&key).unwrap());
    world
        .engine
        .plane
        .kubectl_with(&["-n", &world.namespace, "create", "configmap", "keys", &armour])
        .unwrap();
    let signed = |value: &str| {
        world
            .write("running.yaml", &config_map("running", value))
            .unwrap();
        world.commit_with(value, Signature::OpenPgp(&gpg, &key)).unwrap()
    };
    world
        .write("running.yaml", &config_map("running", "unsigned"))
        .unwrap();
    let unsigned = world.commit("before the start of trust").unwrap();
    let first = signed("1");
    let mut application = world.application();
    application["spec"]["verification"] =
        json!({"mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}]});
    world.apply(&application).unwrap();
    world.wait_synced(&first).unwrap();
    let second = signed("2");
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();

    world.done(&["rollback", "app", "--timeout", "60s"]);
    let status = world.wait_synced(&first).unwrap();
    assert_eq!(
        text(&status, "/verification/trustedRevision"),
        &*second,
        "trust does not go back"
    );

    let (code, _, said) = world.run(&["rollback", "app", &unsigned, "--timeout", "60s"]);
    assert_eq!(code, Some(7), "{said}");
    let status = world
        .wait_status(|status| {
            let verified = condition(status, "Verified")?;
            ensure!(verified["status"] == "False", "not refused");
            ensure!(short_reason(verified)?.starts_with('V'), "without a code");
            Ok(())
        })
        .unwrap();
    assert_eq!(text(&status, "/sync/revision"), &*first);
    assert_eq!(
        text(&world.object("configmap/running").unwrap(), "/data/value"),
        "1"
    );
    world.done(&["resume", "app"]);
    world.wait_synced(&second).unwrap();
    let third = signed("3");
    world.refresh().unwrap();
    world.wait_synced(&third).unwrap();
}

#[test]
fn the_sync_of_a_second_commit_has_an_event_of_its_own() {
    let world = World::shared("two-events").unwrap();
    let first = world.running().unwrap();
    world.write("running.yaml", &config_map("running", "2")).unwrap();
    let second = world.commit("soon after the first").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    wait_for("both Events", A_WHILE, || {
        let told = events(&world);
        let succeeded = told.lines().filter(|line| line.contains("SyncSucceeded"));
        let succeeded: String = succeeded.collect();
        ensure!(
            succeeded.contains(&*first) && succeeded.contains(&*second),
            "{told}"
        );
        Ok(())
    })
    .unwrap();
}
