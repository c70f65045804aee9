//! A plan is what is applied: not more, not later than the cluster it was made for.

use sluice_cluster_tests::{World, config_map, text};

#[test]
fn a_saved_plan_is_refused_once_the_cluster_has_moved_on() {
    let world = World::shared("moved-on").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let first = world.commit("first").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = serde_json::json!({});
    world.apply(&application).unwrap();
    let namespace = world.namespace.as_str();
    let engine = world.engine;
    engine.sluice(&["sync", "app", "-n", namespace]).unwrap();
    world.wait_synced(&first).unwrap();

    world.write("running.yaml", &config_map("running", "2")).unwrap();
    world.write("another.yaml", &config_map("another", "1")).unwrap();
    world.commit("second").unwrap();
    let plan = engine
        .try_sluice(&["plan", "app", "-n", namespace, "-o", "json"])
        .unwrap();
    let file = engine
        .write("moved-on.plan.json", &plan.stdout)
        .unwrap()
        .display()
        .to_string();

    // Somebody changes what the plan would change.
    engine
        .plane
        .kubectl(&format!(
            "-n {namespace} patch configmap running --type=merge -p {{\"data\":{{\"value\":\"9\"}}}}"
        ))
        .unwrap();
    let before = world.version("configmap/running").unwrap();
    let refused = engine.try_sluice(&["apply", &file, "-n", namespace]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(said.contains("A03"), "{said}");
    assert_eq!(world.version("configmap/running").unwrap(), before);
    assert!(
        world.object("configmap/another").is_err(),
        "nothing of it was done: {said}"
    );

    // A plan of now is applied.
    let plan = engine
        .try_sluice(&["plan", "app", "-n", namespace, "-o", "json"])
        .unwrap();
    let file = engine
        .write("now.plan.json", &plan.stdout)
        .unwrap()
        .display()
        .to_string();
    engine.sluice(&["apply", &file, "-n", namespace]).unwrap();
    assert_eq!(
        text(&world.object("configmap/running").unwrap(), "/data/value"),
        "2"
    );
    world.object("configmap/another").unwrap();
}

#[test]
fn the_same_state_gives_the_same_plan() {
    let world = World::shared("same-plan").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.commit("first").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = serde_json::json!({});
    world.apply(&application).unwrap();
    let plan = || {
        world
            .engine
            .try_sluice(&["plan", "app", "-n", &world.namespace, "-o", "json"])
            .unwrap()
            .stdout
    };
    let first = plan();
    assert!(first.len() > 100, "{}", String::from_utf8_lossy(&first));
    assert_eq!(first, plan());
    // The empty branch's plan is for people too.
    let shown = world
        .engine
        .try_sluice(&["plan", "app", "-n", &world.namespace])
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("running"));
}

/// Exit codes agree with the status: what waits for a person is said by every command that tries or does.
#[test]
fn a_dry_run_ends_as_the_sync_would_where_deletions_are_held() {
    let world = World::shared("dry-run-held").unwrap();
    let held =
        config_map("held", "1").replace("metadata:", "metadata:\n  annotations: {sluice.dev/prune: hold}");
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.write("held.yaml", &held).unwrap();
    let first = world.commit("both").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = serde_json::json!({});
    world.apply(&application).unwrap();
    world.done(&["sync", "app", "--timeout", "60s"]);
    world.wait_synced(&first).unwrap();
    let (code, ..) = world.run(&["sync", "app", "--dry-run", "--timeout", "60s"]);
    assert_eq!(code, Some(0));

    world.repository.remove("manifests/held.yaml").unwrap();
    world.commit("without one").unwrap();
    world.refresh().unwrap();
    for arguments in [
        &["sync", "app", "--dry-run", "--timeout", "60s"][..],
        &["sync", "app", "--dry-run", "--prune", "--timeout", "60s"],
        &["sync", "app", "--timeout", "60s"],
        &["sync", "app", "--prune", "--timeout", "60s"],
    ] {
        let (code, shown, said) = world.run(arguments);
        assert_eq!(code, Some(5), "{arguments:?}: {shown}{said}");
        assert!(shown.contains("sluice approve app"), "{arguments:?}: {shown}");
    }
    let plan = world.done(&["plan", "app", "-o", "json"]);
    let file = world.engine.write("dry-run-held.json", plan).unwrap();
    let (code, shown, said) = world.run(&["apply", "--dry-run", &file.display().to_string()]);
    assert_eq!(code, Some(5), "{shown}{said}");
    world.object("configmap/held").unwrap();
}
