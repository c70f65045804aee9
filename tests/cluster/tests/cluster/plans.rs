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
