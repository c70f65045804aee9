//! Kinds that come late: their definition takes its time, other servers hear of it later, or somebody else brings it.

use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use sluice_cluster_tests::{Engine, World, condition, config_map, short_reason, text};
use sluice_sandbox::{ApiProxy, Verdict, wait_for};

const A_WHILE: Duration = Duration::from_secs(60);

/// The definition of a kind of `late.example.com`, with a short name.
fn definition(kind: &str, plural: &str, scope: &str, short: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.late.example.com}}\nspec:\n  \
         group: late.example.com\n  scope: {scope}\n  names: {{kind: {kind}, plural: {plural}, shortNames: [{short}]}}\n  versions:\n  \
         - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}}}\n"
    )
}

fn object(kind: &str, annotations: &str) -> String {
    format!(
        "apiVersion: late.example.com/v1\nkind: {kind}\nmetadata: {{name: a, annotations: {{{annotations}}}}}\nspec: {{size: 1}}\n"
    )
}

#[test]
fn what_needs_a_definition_waits_until_the_server_has_taken_it() {
    let world = World::shared("slow-definition").unwrap();
    // Somebody has the short name: until that is gone the server does not serve the other one.
    world
        .engine
        .define(
            "blockers.late.example.com",
            &definition("Blocker", "blockers", "Namespaced", "slo"),
        )
        .unwrap();
    world
        .write(
            "definition.yaml",
            &definition("Slow", "slows", "Namespaced", "slo"),
        )
        .unwrap();
    world.write("slow.yaml", &object("Slow", "")).unwrap();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: after}\nspec: {ports: [{port: 80}]}\n";
    world.write("service.yaml", service).unwrap();
    let commit = world.commit("a kind and one of it").unwrap();
    world.apply(&world.application()).unwrap();
    world
        .engine
        .plane
        .wait_for("crd/slows.late.example.com", A_WHILE, |definition| {
            let names = condition(&definition["status"], "NamesAccepted")?;
            ensure!(names["status"] == "False", "the name is free");
            Ok(())
        })
        .unwrap();
    let status = world.get().unwrap()["status"].take();
    assert_eq!(status["operation"]["phase"], "Running", "{status:#}");
    assert!(
        world.object("service/after").is_err(),
        "what comes after definitions waits"
    );
    world
        .engine
        .plane
        .kubectl("delete crd blockers.late.example.com")
        .unwrap();
    let status = world.wait_synced(&commit).unwrap();
    assert_eq!(status["history"].as_array().unwrap().len(), 1, "at the first try");
    assert_eq!(
        world.object("slows.late.example.com/a").unwrap()["spec"]["size"],
        1
    );
}

#[test]
fn a_server_that_lists_a_new_kind_late_is_waited_for() {
    let engine = Engine::idle();
    let proxy = ApiProxy::start(&engine.plane).unwrap();
    let world = World::new(engine, "late-discovery").unwrap();
    world
        .write(
            "definition.yaml",
            &definition("Lagging", "laggings", "Cluster", "lag"),
        )
        .unwrap();
    world.write("object.yaml", &object("Lagging", "")).unwrap();
    world.commit("a kind and one of it").unwrap();
    world.apply(&world.application()).unwrap();
    let (_, plan, _) = world.run(&["plan", "app", "-o", "json"]);
    let plan = engine.write("late-discovery.json", plan).unwrap();
    // As where several servers stand behind one address: that which is asked does not know yet what another one did.
    let defined: Mutex<Option<Instant>> = Mutex::default();
    let lag = Duration::from_secs(2);
    proxy.set_judge(move |request| {
        let mut defined = defined.lock().unwrap();
        match request.path.as_str() {
            "/api" | "/apis" => match *defined {
                Some(since) if since.elapsed() < lag / 2 => Verdict::Outdated,
                Some(since) if since.elapsed() < lag => Verdict::Busy(1),
                Some(_) | None => Verdict::Forward,
            },
            path => {
                if request.is_write() && path.contains("customresourcedefinitions") {
                    defined.get_or_insert_with(Instant::now);
                }
                Verdict::Forward
            }
        }
    });
    let mut command = engine.command();
    command
        .args(["apply"])
        .arg(&plan)
        .env("KUBECONFIG", proxy.kubeconfig())
        .stdin(Stdio::null());
    let ended = command.output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let seen = proxy.seen();
    assert!(seen.iter().filter(|request| request.path == "/apis").count() > 2);
    engine.plane.get("laggings.late.example.com/a").unwrap();
}

#[test]
fn a_kind_that_somebody_else_will_define_is_waited_for_where_a_policy_says_so() {
    let world = World::shared("awaited-kind").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let write = |annotations: &str| {
        for kind in ["Gizmo", "Gauge"] {
            let file = format!("{}.yaml", kind.to_lowercase());
            world.write(&file, &object(kind, annotations)).unwrap();
        }
    };
    // Without a word it is taken for a mistake, and nothing is done.
    write("");
    world.commit("kinds that nobody knows").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"]["retry"] =
        json!({"limit": 100, "backoff": {"duration": "1s", "factor": 1}});
    world.apply(&application).unwrap();
    let refused = world.wait_refused("Rendered").unwrap();
    let said = text(&refused, "/message");
    assert!(said.contains("Gizmo") && said.contains("Gauge"), "{refused}");
    assert!(world.object("configmap/running").is_err());

    write("argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true");
    let commit = world.commit("which an operator brings").unwrap();
    world.refresh().unwrap();
    let status = world
        .wait_status(|status| {
            ensure!(text(status, "/operation/phase") == "Failed", "not tried yet");
            Ok(())
        })
        .unwrap();
    let said = text(&status, "/operation/message");
    for word in ["K22", "Gizmo", "Gauge", "late.example.com/v1"] {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
    assert!(
        condition(&status, "Rendered").unwrap()["status"] == "True",
        "{status:#}"
    );
    assert!(
        short_reason(condition(&status, "Synced").unwrap()).is_ok(),
        "{status:#}"
    );
    assert_eq!(status["sync"]["status"], "OutOfSync");
    // What needs none of them is there already.
    world.object("configmap/running").unwrap();

    let both = [
        definition("Gizmo", "gizmos", "Namespaced", "giz"),
        definition("Gauge", "gauges", "Cluster", "gau"),
    ];
    world.engine.plane.apply(&both.join("---\n")).unwrap();
    world.wait_synced(&commit).unwrap();
    let size = |what: &str| world.object(what).unwrap()["spec"]["size"].clone();
    assert_eq!(size("gizmos.late.example.com/a"), 1);
    // The one that turns out to be in no namespace, too.
    assert_eq!(size("gauges.late.example.com/a"), 1);
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();

    for file in ["gizmo", "gauge"] {
        world
            .repository
            .remove(&format!("manifests/{file}.yaml"))
            .unwrap();
    }
    let without = world.commit("without both").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&without).unwrap();
    wait_for("both to go", A_WHILE, || {
        for what in ["gizmos.late.example.com/a", "gauges.late.example.com/a"] {
            ensure!(world.object(what).is_err(), "{what} is there");
        }
        Ok(())
    })
    .unwrap();
}
