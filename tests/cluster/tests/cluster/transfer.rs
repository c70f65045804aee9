//! Two Applications and one object: it moves, and nobody deletes what another one wants.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use sluice_cluster_tests::{Engine, World, condition, config_map, text};
use sluice_sandbox::wait_for;

const A_WHILE: Duration = Duration::from_secs(90);

const PART_OF: &str = "/metadata/labels/applyset.kubernetes.io~1part-of";

/// A second Application of the same repository, for the folder `others`.
fn other(world: &World<'_>) -> Value {
    let mut application = world.application();
    application["metadata"]["name"] = "other".into();
    application["spec"]["source"]["path"] = "others".into();
    application
}

fn status_of(world: &World<'_>, name: &str) -> Result<Value> {
    let what = format!("-n {} applications.sluice.dev/{name}", world.namespace);
    Ok(world.engine.plane.get(&what)?["status"].take())
}

fn wait_synced(world: &World<'_>, name: &str, commit: &str) {
    wait_for(&format!("{name} at {commit}"), A_WHILE, || {
        let status = status_of(world, name)?;
        ensure!(
            text(&status, "/sync/revision") == commit && text(&status, "/sync/status") == "Synced",
            "{status:#}"
        );
        Ok(())
    })
    .unwrap();
}

/// Both are there: `moving` is the first one's.
fn two(name: &str) -> World<'static> {
    let world = World::shared(name).unwrap();
    world.write("moving.yaml", &config_map("moving", "1")).unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world
        .repository
        .write("others/theirs.yaml", config_map("theirs", "1"))
        .unwrap();
    let commit = world.commit("two folders").unwrap();
    world.apply(&world.application()).unwrap();
    world.apply(&other(&world)).unwrap();
    wait_synced(&world, "app", &commit);
    wait_synced(&world, "other", &commit);
    world
}

fn refresh(world: &World<'_>, name: &str) {
    world
        .engine
        .sluice(&["refresh", name, "-n", &world.namespace])
        .unwrap();
}

#[test]
fn an_object_that_moves_between_folders_is_not_deleted() {
    let world = two("moves");
    let before = world.object("configmap/moving").unwrap();
    world.repository.remove("manifests/moving.yaml").unwrap();
    world
        .repository
        .write("others/moving.yaml", config_map("moving", "2"))
        .unwrap();
    let moved = world.commit("it moves").unwrap();
    // Whoever looks first.
    refresh(&world, "app");
    wait_synced(&world, "app", &moved);
    wait_synced(&world, "other", &moved);
    let after = world.object("configmap/moving").unwrap();
    assert_eq!(
        text(&after, "/metadata/uid"),
        text(&before, "/metadata/uid"),
        "it is the same object"
    );
    assert_eq!(text(&after, "/data/value"), "2");
    assert_ne!(text(&after, PART_OF), text(&before, PART_OF));

    // It is the other one's to delete now.
    world.repository.remove("others/moving.yaml").unwrap();
    let gone = world.commit("it goes").unwrap();
    refresh(&world, "other");
    wait_synced(&world, "other", &gone);
    let moving = format!("-n {} configmap/moving", world.namespace);
    world.engine.plane.wait_gone(&moving, A_WHILE).unwrap();
}

#[test]
fn what_two_want_stays_with_its_owner_until_that_lets_it_go() {
    let world = two("both-want");
    let before = world.version("configmap/moving").unwrap();
    world
        .repository
        .write("others/moving.yaml", config_map("moving", "2"))
        .unwrap();
    world.commit("both want it").unwrap();
    refresh(&world, "other");
    wait_for("the other one to be blocked", A_WHILE, || {
        let status = status_of(&world, "other")?;
        let synced = condition(&status, "Synced")?;
        ensure!(synced["reason"] == "A02", "{synced}");
        Ok(())
    })
    .unwrap();
    assert_eq!(
        world.version("configmap/moving").unwrap(),
        before,
        "nobody takes it"
    );
    // Its owner goes, with everything that it owns, but for this.
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
            r#"{"spec":{"deletionPolicy":"Prune"}}"#,
        ])
        .unwrap();
    world
        .engine
        .plane
        .kubectl(&format!(
            "-n {} delete applications.sluice.dev/app --timeout=90s",
            world.namespace
        ))
        .unwrap();
    wait_for("the other one to have it", A_WHILE, || {
        let moving = world.object("configmap/moving")?;
        ensure!(text(&moving, "/data/value") == "2", "not taken over");
        ensure!(text(&moving, "/metadata/uid") == before.0, "it is another object");
        Ok(())
    })
    .unwrap();
    assert!(world.object("configmap/running").is_err());
}

/// Found: what an Application wanted and could not have was read out of a list for people, which is cut at fifty. After a restart of
/// the controller the rest of it was deleted, if the Application could not be rendered meanwhile.
#[test]
fn more_than_fifty_blocked_objects_are_still_wanted_after_a_restart() {
    const MANY: usize = 60;
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    let world = World::new(&engine, "many-wanted").unwrap();
    let many = |value: &str| -> String {
        let each = (0..MANY).map(|number| config_map(&format!("many-{number}"), value));
        each.collect::<Vec<_>>().join("---\n")
    };
    world.write("many.yaml", &many("1")).unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world
        .repository
        .write("others/theirs.yaml", config_map("theirs", "1"))
        .unwrap();
    let commit = world.commit("one has many").unwrap();
    world.apply(&world.application()).unwrap();
    world.apply(&other(&world)).unwrap();
    wait_synced(&world, "app", &commit);
    wait_synced(&world, "other", &commit);
    world.repository.write("others/many.yaml", many("2")).unwrap();
    world.commit("both want them").unwrap();
    refresh(&world, "other");
    wait_for("the other one to be blocked", A_WHILE, || {
        let status = status_of(&world, "other")?;
        ensure!(condition(&status, "Synced")?["reason"] == "A02", "{status:#}");
        ensure!(
            status["claims"]["wanted"]
                .as_array()
                .is_some_and(|wanted| wanted.len() == MANY),
            "{status:#}"
        );
        Ok(())
    })
    .unwrap();
    engine.stop_controller().unwrap();
    // The one lets them go; the other one cannot be rendered.
    world.repository.remove("manifests/many.yaml").unwrap();
    world.repository.write("others/broken.yaml", "a: [").unwrap();
    world.commit("they are let go").unwrap();
    engine.start_controller(&[]).unwrap();
    wait_for("the deletions to be kept", A_WHILE, || {
        let status = status_of(&world, "app")?;
        let said = text(condition(&status, "Synced")?, "/message");
        ensure!(said.contains("wants it too"), "{status:#}");
        Ok(())
    })
    .unwrap();
    let left = format!("-n {} get configmaps -o name", world.namespace);
    let left = engine.plane.kubectl(&left).unwrap();
    assert_eq!(left.matches("configmap/many-").count(), MANY, "{left}");
    // It can be rendered again, and takes them over.
    world.repository.remove("others/broken.yaml").unwrap();
    let mended = world.commit("it is mended").unwrap();
    refresh(&world, "app");
    refresh(&world, "other");
    wait_synced(&world, "other", &mended);
    wait_synced(&world, "app", &mended);
    assert_eq!(
        text(&world.object("configmap/many-59").unwrap(), "/data/value"),
        "2"
    );
}

#[test]
fn orphans_are_listed_and_never_touched() {
    let world = World::shared("orphans").unwrap();
    world.running().unwrap();
    let namespace = world.namespace.as_str();
    let plane = &world.engine.plane;
    plane
        .kubectl(&format!("-n {namespace} create configmap lost"))
        .unwrap();
    plane
        .kubectl(&format!(
            "-n {namespace} label configmap lost applyset.kubernetes.io/part-of=applyset-nobody-v1"
        ))
        .unwrap();
    world.refresh().unwrap();
    let listed = world.engine.sluice(&["orphans"]).unwrap();
    assert!(
        listed.contains(&format!("ConfigMap {namespace}/lost")) && listed.contains("applyset-nobody-v1"),
        "{listed}"
    );
    assert!(!listed.contains(&format!("{namespace}/running")), "{listed}");
    world.object("configmap/lost").unwrap();
}

#[test]
fn an_empty_revision_is_taken_for_a_mistake() {
    let world = World::shared("empty").unwrap();
    world.running().unwrap();
    let before = world.version("configmap/running").unwrap();
    world.repository.remove("manifests/running.yaml").unwrap();
    world.write("README.md", "nothing here").unwrap();
    world.commit("everything is gone").unwrap();
    world.refresh().unwrap();
    let refused = world.wait_refused("Synced").unwrap();
    assert!(text(&refused, "/reason") == "K08", "{refused}");
    assert_eq!(world.version("configmap/running").unwrap(), before);
}

#[test]
fn a_keyring_that_is_not_there_holds_everything() {
    let world = World::shared("no-keyring").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.commit("first").unwrap();
    let mut application = world.application();
    application["spec"]["verification"] =
        serde_json::json!({"mode": "chain", "keyrings": [{"configMap": {"name": "nowhere"}}]});
    world.apply(&application).unwrap();
    let refused = world.wait_refused("Verified").unwrap();
    assert!(
        text(&refused, "/reason") == "K01" && text(&refused, "/message").contains("nowhere"),
        "{refused}"
    );
    assert!(world.object("configmap/running").is_err());
}
