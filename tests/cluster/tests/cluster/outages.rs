//! What the engine depends on goes away and comes back: nothing changes meanwhile, the status says so, and it goes on.

use anyhow::ensure;
use sluice_cluster_tests::{Engine, World, condition, config_map, short_reason, text};
use sluice_sandbox::Service;

#[test]
fn git() {
    let world = World::shared("git-outage").unwrap();
    let good = world.running().unwrap();
    let before = world.version("configmap/running").unwrap();
    for outage in [Service::Unavailable, Service::Unreachable] {
        world.server.set_service(outage);
        world.refresh().unwrap();
        let refused = world.wait_refused("SourceReady").unwrap();
        assert!(short_reason(&refused).unwrap().starts_with('S'), "{refused}");
        let status = world.get().unwrap()["status"].take();
        assert_eq!(text(&status, "/sync/revision"), good);
        assert_eq!(
            text(&status, "/health/status"),
            "Healthy",
            "health does not come from Git"
        );
        assert_eq!(world.version("configmap/running").unwrap(), before);
        world.server.set_service(Service::Serving);
        world.refresh().unwrap();
        world.wait_synced(&good).unwrap();
    }
}

#[test]
fn drift_is_healed_while_git_is_away() {
    let world = World::shared("git-outage-drift").unwrap();
    world.running().unwrap();
    world.server.set_service(Service::Unavailable);
    world.refresh().unwrap();
    world.wait_refused("SourceReady").unwrap();
    world
        .engine
        .plane
        .kubectl(&format!("-n {} delete configmap running", world.namespace))
        .unwrap();
    sluice_sandbox::wait_for("the ConfigMap", std::time::Duration::from_secs(60), || {
        world.object("configmap/running")
    })
    .unwrap();
}

#[test]
fn api_server_and_controller() {
    // A control plane of its own, because the outage is everybody's.
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    let world = World::new(&engine, "outage").unwrap();
    world.running().unwrap();
    let before = world.version("configmap/running").unwrap();

    engine.plane.stop_program("kube-apiserver").unwrap();
    world.write("running.yaml", &config_map("running", "2")).unwrap();
    let during = world.commit("during the outage").unwrap();
    // Long enough for watches to break and for a few tries in vain.
    std::thread::sleep(std::time::Duration::from_secs(3));
    engine.check().unwrap();
    engine.plane.restart_program("kube-apiserver").unwrap();
    assert_eq!(world.version("configmap/running").unwrap(), before);
    world.refresh().unwrap();
    world.wait_synced(&during).unwrap();

    // The same controller sees changes in the cluster again.
    engine
        .plane
        .kubectl("-n outage delete configmap running")
        .unwrap();
    sluice_sandbox::wait_for("the ConfigMap", std::time::Duration::from_secs(60), || {
        world.object("configmap/running")
    })
    .unwrap();
    world.wait_synced(&during).unwrap();

    // And a new controller finds everything as the old one left it.
    engine.stop_controller().unwrap();
    let before = world.version("configmap/running").unwrap();
    engine
        .plane
        .kubectl("-n outage delete configmap running")
        .unwrap();
    world.write("more.yaml", &config_map("more", "1")).unwrap();
    let while_stopped = world.commit("while nobody was there").unwrap();
    engine.start_controller(&[]).unwrap();
    let status = world.wait_synced(&while_stopped).unwrap();
    assert_ne!(world.version("configmap/running").unwrap(), before);
    world.object("configmap/more").unwrap();
    assert_eq!(condition(&status, "SourceReady").unwrap()["status"], "True");
    let ids: Vec<u64> = status["history"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["id"].as_u64())
        .collect();
    assert!(
        ids.windows(2).all(|pair| pair[0] > pair[1]),
        "the history goes on counting: {ids:?}"
    );
}

#[test]
fn refresh_removes_its_annotation() {
    let world = World::shared("refresh").unwrap();
    world.running().unwrap();
    world.refresh().unwrap();
    let application = world.get().unwrap();
    let annotations = application
        .pointer("/metadata/annotations")
        .cloned()
        .unwrap_or_default();
    assert!(annotations.get("sluice.dev/refresh").is_none(), "{annotations}");
    let status = world.wait_status(|status| {
        ensure!(condition(status, "SourceReady")?["status"] == "True", "not ready");
        Ok(())
    });
    status.unwrap();
}
