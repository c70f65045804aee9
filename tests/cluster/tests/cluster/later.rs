//! What the server can judge only once something else of the same commit is there.

use serde_json::Value;
use sluice_cluster_tests::{World, config_map, text};

fn quota(count: u32) -> String {
    format!(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: limits}}\nspec: {{hard: {{count/services: \"{count}\"}}}}\n"
    )
}

fn service(name: &str, port: u32) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    )
}

/// An Application that nothing happens to by itself.
fn by_hand(world: &World<'_>) -> Value {
    let mut application = world.application();
    application["spec"]["syncPolicy"] = serde_json::json!({"retry": {"limit": 0}});
    application
}

#[test]
fn a_quota_is_raised_by_the_commit_that_needs_it() {
    let world = World::shared("later-raised").unwrap();
    // The Service first: the controller of quotas counts the objects that are there when a quota is new. It misses one that comes at the
    // same moment until it counts again, minutes later.
    world.write("a.yaml", &service("a", 80)).unwrap();
    world.commit("a service").unwrap();
    world.apply(&by_hand(&world)).unwrap();
    world.done(&["sync", "app"]);
    world.write("quota.yaml", &quota(1)).unwrap();
    world.commit("one of one").unwrap();
    world.done(&["refresh", "app", "--wait"]);
    world.done(&["sync", "app"]);
    sluice_sandbox::wait_for("the quota", std::time::Duration::from_secs(60), || {
        let used = world.object("resourcequota/limits")?;
        anyhow::ensure!(
            text(&used, "/status/used/count~1services") == "1",
            "not in use: {used:#}"
        );
        Ok(())
    })
    .unwrap();
    world.write("b.yaml", &service("b", 80)).unwrap();
    world.commit("two of one").unwrap();
    let (code, shown, said) = world.run(&["sync", "app"]);
    assert!(
        code != Some(0) && format!("{shown}{said}").contains("K16"),
        "{shown}{said}"
    );

    world.write("quota.yaml", &quota(2)).unwrap();
    world.commit("two of two").unwrap();
    world.done(&["refresh", "app", "--wait"]);
    let plan = world.done(&["plan", "app"]);
    assert!(plan.contains("rehearsed later: rests on ResourceQuota"), "{plan}");
    let plan: Value = serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap();
    let new = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["object"]["name"] == "b");
    assert_eq!(new.unwrap()["restsOn"][0]["name"], "limits", "{plan:#}");
    world.done(&["sync", "app"]);
    world.object("service/b").unwrap();
}

#[test]
fn a_bad_object_of_a_new_namespace_is_found_before_any_other_is_written() {
    let world = World::shared("later-destination").unwrap();
    let destination = format!("{}-new", world.namespace);
    let mut application = by_hand(&world);
    application["spec"]["destination"]["namespace"] = destination.as_str().into();
    application["spec"]["syncPolicy"]["syncOptions"] = serde_json::json!(["CreateNamespace=true"]);
    world.write("fine.yaml", &config_map("fine", "1")).unwrap();
    world.write("bad.yaml", &service("bad", 99_999_999)).unwrap();
    world.commit("a port that cannot be").unwrap();
    world.apply(&application).unwrap();
    let plan = world.done(&["plan", "app"]);
    assert!(plan.contains("rehearsed later: rests on Namespace"), "{plan}");
    let (code, shown, said) = world.run(&["sync", "app"]);
    let all = format!("{shown}{said}");
    assert!(code != Some(0) && all.contains("99999999"), "{all}");
    let inside = |what: &str| world.engine.plane.get(&format!("-n {destination} {what}"));
    assert!(
        inside("configmap/fine").is_err(),
        "nothing but the namespace is written"
    );
    world
        .engine
        .plane
        .get(&format!("namespace/{destination}"))
        .unwrap();
    world.write("bad.yaml", &service("bad", 80)).unwrap();
    world.commit("a port that can").unwrap();
    world.done(&["refresh", "app", "--wait"]);
    world.done(&["sync", "app"]);
    inside("configmap/fine").unwrap();
    inside("service/bad").unwrap();
}
