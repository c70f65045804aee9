//! Several sources of one Application: synced together, each trusted by itself, and held together.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, SHARED_NAMESPACE, World, condition, config_map, text};
use sluice_sandbox::{Repository, Signature};

use crate::signed::{Signed, said};

/// A second repository beside the one of a world.
struct Other(Repository);

impl Other {
    fn new(world: &World<'_>) -> Self {
        world.server.create("other").unwrap();
        Self(Repository::new().unwrap())
    }

    fn commit(&self, world: &World<'_>, value: &str, signature: Signature<'_>) -> String {
        let map = config_map("beside", value);
        self.0.write("deploy/beside.yaml", map).unwrap();
        let commit = self.0.commit(value, signature).unwrap();
        world.server.push(&self.0, "other").unwrap();
        commit
    }
}

/// An Application of both repositories.
fn application(world: &World<'_>) -> Value {
    let mut application = world.application();
    let spec = application["spec"].as_object_mut().unwrap();
    let mut first = spec.remove("source").unwrap();
    first["name"] = json!("first");
    let second = json!({"repoURL": world.server.url("other"), "targetRevision": "main", "path": "deploy"});
    spec.insert("sources".to_owned(), json!([first, second]));
    application
}

/// The revision of both.
fn both(first: &str, second: &str) -> String {
    format!("first={first},other.deploy={second}")
}

fn value(world: &World<'_>, name: &str) -> String {
    let map = world.object(&format!("configmap/{name}")).unwrap();
    text(&map, "/data/value").to_owned()
}

fn commit(world: &World<'_>, value: &str) -> String {
    world
        .write("running.yaml", &config_map("running", value))
        .unwrap();
    world.commit(value).unwrap()
}

#[test]
fn two_repositories_are_synced_together_and_go_back_together() {
    let world = World::shared("several").unwrap();
    let other = Other::new(&world);
    let (a1, b1) = (commit(&world, "a1"), other.commit(&world, "b1", Signature::None));
    world.apply(&application(&world)).unwrap();
    let status = world.wait_synced(&both(&a1, &b1)).unwrap();
    let revisions = json!([{"name": "first", "revision": a1}, {"name": "other.deploy", "revision": b1}]);
    assert_eq!(status["sync"]["revisions"], revisions);
    assert_eq!(
        (value(&world, "running"), value(&world, "beside")),
        ("a1".into(), "b1".into())
    );
    // A commit in either.
    let b2 = other.commit(&world, "b2", Signature::None);
    world.refresh().unwrap();
    world.wait_synced(&both(&a1, &b2)).unwrap();
    let a2 = commit(&world, "a2");
    world.refresh().unwrap();
    world.wait_synced(&both(&a2, &b2)).unwrap();
    assert_eq!(
        (value(&world, "running"), value(&world, "beside")),
        ("a2".into(), "b2".into())
    );
    // Back to the state before the last, of both at once.
    let entry = world.done(&["history", "app", "-o", "json"]);
    assert!(entry.contains(&both(&a1, &b1)), "{entry}");
    world.done(&["rollback", "app", &both(&a1, &b1), "--timeout", "60s"]);
    world.wait_synced(&both(&a1, &b1)).unwrap();
    assert_eq!(
        (value(&world, "running"), value(&world, "beside")),
        ("a1".into(), "b1".into())
    );
    world.done(&["resume", "app"]);
    world.wait_synced(&both(&a2, &b2)).unwrap();
    // One of them alone, to be looked at.
    let plan = world.done(&[
        "plan",
        "app",
        "--revision",
        &format!("other.deploy={b1}"),
        "-o",
        "json",
    ]);
    assert!(
        plan.contains(&both(&a2, &b1)) && plan.contains("beside"),
        "{plan}"
    );
    let (code, _, said) = world.run(&["plan", "app", "--revision", &b1]);
    assert!(
        code == Some(3) && said.contains("K39") && said.contains("other.deploy"),
        "{said}"
    );
    let shown = world.done(&["get"]);
    assert!(shown.contains("first="), "{shown}");
}

#[test]
fn an_object_of_two_sources_is_an_error_unless_it_is_allowed_by_name() {
    let world = World::shared("several-twice").unwrap();
    let other = Other::new(&world);
    world.write("beside.yaml", &config_map("beside", "a")).unwrap();
    let (a, b) = (commit(&world, "a"), other.commit(&world, "b", Signature::None));
    let mut application = application(&world);
    world.apply(&application).unwrap();
    let refused = world.wait_refused("Rendered").unwrap();
    let message = text(&refused, "/message");
    for place in [
        "R11",
        "first:manifests/beside.yaml:1",
        "other.deploy:deploy/beside.yaml:1",
    ] {
        assert!(format!("{refused}").contains(place), "{message}");
    }
    application["spec"]["allowedDuplicates"] = json!([{"kind": "ConfigMap", "name": "beside"}]);
    world.apply(&application).unwrap();
    world.wait_synced(&both(&a, &b)).unwrap();
    assert_eq!(value(&world, "beside"), "b");
}

#[test]
fn a_repository_that_is_not_reached_holds_all_and_prunes_nothing() {
    let world = World::shared("several-away").unwrap();
    let other = Other::new(&world);
    world.write("more.yaml", &config_map("more", "1")).unwrap();
    let (a1, b1) = (commit(&world, "a1"), other.commit(&world, "b1", Signature::None));
    world.apply(&application(&world)).unwrap();
    world.wait_synced(&both(&a1, &b1)).unwrap();
    let away = world.server.path("away");
    fs_err::rename(world.server.path("other"), &away).unwrap();
    world.repository.remove("manifests/more.yaml").unwrap();
    let a2 = commit(&world, "a2");
    world.refresh().unwrap();
    let refused = world.wait_refused("SourceReady").unwrap();
    assert!(
        text(&refused, "/message").contains("source other.deploy"),
        "{refused}"
    );
    let status = world.get().unwrap();
    assert_eq!(text(&status, "/status/sync/revision"), both(&a1, &b1));
    assert_eq!(
        (value(&world, "running"), value(&world, "beside")),
        ("a1".into(), "b1".into())
    );
    world.object("configmap/more").unwrap();
    // What drifts is healed meanwhile.
    world
        .kubectl(&[
            "patch",
            "configmap",
            "beside",
            "-p",
            r#"{"data":{"value":"drift"}}"#,
        ])
        .unwrap();
    let healed = |_: &Value| {
        ensure!(value(&world, "beside") == "b1", "not healed");
        Ok(())
    };
    world.wait_status(healed).unwrap();
    fs_err::rename(&away, world.server.path("other")).unwrap();
    world.refresh().unwrap();
    world.wait_synced(&both(&a2, &b1)).unwrap();
    assert!(world.object("configmap/more").is_err());
}

#[test]
fn an_unsigned_commit_of_one_source_holds_all_also_after_a_restart() {
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    let signed = Signed::new(&engine, "several-signed");
    let world = &signed.world;
    signed.trust(&[&signed.ada]);
    let other = Other::new(world);
    let a1 = signed.commit("a1", signed.by(&signed.ada));
    let b1 = other.commit(world, "b1", signed.by(&signed.ada));
    let mut application = application(world);
    application["spec"]["verification"] =
        json!({"mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}]});
    world.apply(&application).unwrap();
    let status = world.wait_synced(&both(&a1, &b1)).unwrap();
    assert_eq!(text(&status, "/sources/0/verification/trustedRevision"), a1);
    assert_eq!(text(&status, "/sources/1/verification/startOfTrust"), b1);

    let refused_commit = other.commit(world, "b2", Signature::None);
    signed.refresh();
    let status = signed.refused("V03");
    assert!(
        said(&status, "Verified").contains("source other.deploy"),
        "{status:#}"
    );
    // The first one goes on, and may not by itself.
    let a2 = signed.commit("a2", signed.by(&signed.ada));
    signed.refresh();
    let held = |status: &Value| {
        ensure!(
            text(status, "/sources/0/verification/trustedRevision") == a2,
            "not seen"
        );
        ensure!(text(status, "/sync/revision") == both(&a1, &b1), "moved");
        ensure!(text(status, "/sync/status") == "Synced", "not known");
        Ok(())
    };
    world.wait_status(held).unwrap();
    assert_eq!(signed.value(), "a1");
    engine.stop_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    signed.refresh();
    let status = world.wait_status(held).unwrap();
    assert_eq!(condition(&status, "Verified").unwrap()["status"], "False");
    assert_eq!(
        (signed.value(), value(world, "beside")),
        ("a1".into(), "b1".into())
    );

    // The history without that commit, and one that is signed: only then both go on. The order of sources does not matter, nor their URLs.
    other.0.git(&["reset", "--hard", "-q", "HEAD~1"]).unwrap();
    let b3 = other.commit(world, "b3", signed.by(&signed.ada));
    assert_ne!(refused_commit, b3);
    let sources = application["spec"]["sources"].as_array_mut().unwrap();
    sources.reverse();
    world.apply(&application).unwrap();
    signed.refresh();
    let status = world.wait_synced(&both(&a2, &b3)).unwrap();
    let states = status["sources"].as_array().unwrap();
    let of = |name: &str| states.iter().find(|state| state["name"] == name).unwrap();
    assert_eq!(text(of("first"), "/verification/startOfTrust"), a1);
    assert_eq!(text(of("other.deploy"), "/verification/startOfTrust"), b1);
    assert_eq!(of("first")["verification"]["commits"], 2);

    // A source that is called otherwise goes on from what was trusted of it.
    let sources = application["spec"]["sources"].as_array_mut().unwrap();
    sources[1]["name"] = json!("renamed");
    world.apply(&application).unwrap();
    let status = world
        .wait_synced(&format!("other.deploy={b3},renamed={a2}"))
        .unwrap();
    assert_eq!(text(&status, "/sources/1/verification/startOfTrust"), a1);
    engine.stop_controller().unwrap();
}

#[test]
fn a_base_of_another_source_and_variables_are_of_what_was_verified() {
    // About the cluster, which all Applications share: so it has an installation of its own.
    let engine = Engine::without_controller().unwrap();
    engine
        .start_controller(&["--shared-namespace", SHARED_NAMESPACE])
        .unwrap();
    let signed = Signed::new(&engine, "several-base");
    let world = &signed.world;
    signed.trust(&[&signed.ada]);
    let other = Other::new(world);
    let cluster = |zone: &str| {
        let about = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sluice-cluster", "namespace": SHARED_NAMESPACE},
            "data": {"name": "eu-1", "zone": zone}});
        world.apply(&about).unwrap();
    };
    let namespace = format!("create namespace {SHARED_NAMESPACE}");
    engine.plane.kubectl(&namespace).unwrap();
    cluster("a");
    let address = world.server.url("other");
    other
        .0
        .write("deploy/kustomization.yaml", "resources: [beside.yaml]\n")
        .unwrap();
    other.0.write("envs/prod.yaml", "team: blue\n").unwrap();
    let b1 = other.commit(world, "b1", signed.by(&signed.ada));
    world
        .repository
        .write(
            "overlays/prod/kustomization.yaml",
            format!("resources: ['{address}//deploy']\n"),
        )
        .unwrap();
    let a1 = signed.commit("a1", signed.by(&signed.ada));
    let mut application = application(world);
    application["spec"]["verification"] =
        json!({"mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}]});
    application["spec"]["environment"] =
        json!({"name": "prod", "variablesFrom": [{"source": "other", "path": "envs/<+env.name>.yaml"}]});
    let url = application["spec"]["sources"][0]["repoURL"].clone();
    application["spec"]["sources"] = json!([
        {"name": "first", "repoURL": url, "targetRevision": "main", "path": "overlays/<+env.name>", "kustomize": {
            "commonAnnotations": {"by": "<+env.variables.team> on <+cluster.name> in <+cluster.variables.zone>"}}},
        {"ref": "other", "repoURL": address, "targetRevision": "main"},
    ]);
    world.apply(&application).unwrap();
    let both = |first: &str, second: &str| format!("first={first},other={second}");
    world.wait_synced(&both(&a1, &b1)).unwrap();
    let said_by = || {
        let map = world.object("configmap/beside").unwrap();
        text(&map, "/metadata/annotations/by").to_owned()
    };
    assert_eq!(
        (value(world, "beside"), said_by()),
        ("b1".into(), "blue on eu-1 in a".into())
    );

    // What the cluster says is watched.
    cluster("b");
    sluice_sandbox::wait_for("the other zone", std::time::Duration::from_secs(60), || {
        ensure!(said_by() == "blue on eu-1 in b", "{}", said_by());
        Ok(())
    })
    .unwrap();
    // A base that nobody signed is not taken, and a file of variables neither.
    other.0.write("envs/prod.yaml", "team: red\n").unwrap();
    other.commit(world, "b2", Signature::None);
    signed.refresh();
    signed.refused("V03");
    assert_eq!(
        (value(world, "beside"), said_by()),
        ("b1".into(), "blue on eu-1 in b".into())
    );
    other.0.git(&["reset", "--hard", "-q", "HEAD~1"]).unwrap();
    other.0.write("envs/prod.yaml", "team: green\n").unwrap();
    let b3 = other.commit(world, "b3", signed.by(&signed.ada));
    signed.refresh();
    world.wait_synced(&both(&a1, &b3)).unwrap();
    assert_eq!(
        (value(world, "beside"), said_by()),
        ("b3".into(), "green on eu-1 in b".into())
    );

    // An expression that stands for nothing holds, with its place.
    application["spec"]["sources"][0]["kustomize"]["commonAnnotations"]["by"] =
        json!("<+env.variables.color>");
    world.apply(&application).unwrap();
    let status = world
        .wait_status(|status| {
            let rendered = condition(status, "Rendered")?;
            ensure!(rendered["status"] == "False", "it renders");
            Ok(())
        })
        .unwrap();
    let message = said(&status, "Rendered");
    assert!(
        message.contains("commonAnnotations.by") && message.contains("<+env.variables.color>"),
        "{message}"
    );
}
