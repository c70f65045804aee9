//! An ordinary refresh asks only what may have changed; a hard one asks for everything again.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, condition, config_map, definition, text};
use sluice_sandbox::{ApiProxy, ApiRequest, GnuPg, Signature, Verdict, wait_for};

/// What of these objects are defaults only the server knows.
const GADGETS: &str = "{rules: {type: array, x-kubernetes-list-type: atomic, \
     items: {type: object, properties: {host: {type: string}, port: {type: integer, default: 80}}}}}";

const GADGET: &str =
    "apiVersion: refreshes.example.com/v1\nkind: Gadget\nmetadata: {name: a}\nrules: [{host: a}]\n";

/// A health check of ConfigMaps that says when it is asked.
const TALKATIVE: &str = r#"
(module
  (import "sluice:policy/log@0.2.0" "write" (func $write (param i32 i32 i32)))
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (data (i32.const 240) "somebody wants to know")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $write (i32.const 2) (i32.const 240) (i32.const 22))
    (call $healthy (local.get $assessment) (i32.const 0) (i32.const 0))
    (i32.const 160)))
"#;

/// What the controller asked for while the Application was refreshed.
fn asked(world: &World<'_>, proxy: &ApiProxy, how: &[&str]) -> Vec<ApiRequest> {
    proxy.set_judge(|_| Verdict::Forward);
    let arguments = [&["refresh", "app", "--wait", "--timeout", "60s"], how].concat();
    world.done(&arguments);
    proxy.seen()
}

#[test]
fn what_was_found_out_is_found_out_again_where_somebody_wants_it() {
    let engine = Engine::without_controller().unwrap();
    let proxy = ApiProxy::start(&engine.plane).unwrap();
    let gadgets = definition("refreshes.example.com", "Gadget", GADGETS);
    engine.define("gadgets.refreshes.example.com", &gadgets).unwrap();
    let talkative = sluice_hostile::build(TALKATIVE, "health-check");
    fs_err::write(engine.plugins().join("talkative.wasm"), talkative).unwrap();
    let kubeconfig = proxy.kubeconfig().display().to_string();
    engine.start_controller(&["--kubeconfig", &kubeconfig]).unwrap();

    let world = World::new(&engine, "refreshes").unwrap();
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Release <release@example.org>").unwrap();
    let armour = format!("--from-literal=release.asc={}", gpg.export(&key).unwrap());
    world.kubectl(&["create", "configmap", "keys", &armour]).unwrap();
    world.write("gadget.yaml", GADGET).unwrap();
    let signed = |value: &str| {
        world
            .write("running.yaml", &config_map("running", value))
            .unwrap();
        world.commit_with(value, Signature::OpenPgp(&gpg, &key)).unwrap()
    };
    let first = signed("1");
    let mut application = world.application();
    application["spec"]["verification"] =
        json!({"mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}]});
    application["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    application["spec"]["syncPolicy"]["managedNamespaceMetadata"] = json!({"labels": {"team": "a"}});
    world.apply(&application).unwrap();
    world.wait_synced(&first).unwrap();
    // What a sync raises as questions is answered by now.
    asked(&world, &proxy, &[]);
    world.wait_synced(&first).unwrap();

    let kinds = |request: &ApiRequest| request.path == "/apis";
    let answers =
        |request: &ApiRequest| request.path.ends_with("/gadgets/a") && request.query.contains("dryRun=All");
    let namespace = |request: &ApiRequest| request.path == "/api/v1/namespaces/refreshes";
    let ledger = |request: &ApiRequest| request.path.ends_with("/configmaps/sluice-ledger-app");
    let verdicts = || engine.controller_log().matches("somebody wants to know").count();

    let before = verdicts();
    assert!(before > 0, "{}", engine.controller_log());
    let seen = asked(&world, &proxy, &[]);
    for what in [kinds, answers, namespace, ledger] {
        assert!(!seen.iter().any(what), "{seen:#?}");
    }
    assert_eq!(verdicts(), before);
    let seen = asked(&world, &proxy, &["--hard"]);
    for (name, what) in [
        ("kinds", kinds as fn(&ApiRequest) -> bool),
        ("the answers of dry-runs", answers),
        ("the namespace", namespace),
    ] {
        assert!(seen.iter().any(what), "{name}: {seen:#?}");
    }
    assert_eq!(verdicts(), before + 1, "health");
    wait_for("the Event", Duration::from_secs(30), || {
        let events = world.kubectl(&["get", "events.events.k8s.io"])?;
        ensure!(events.contains("hard refresh"), "{events}");
        Ok(())
    })
    .unwrap();
    // What is told again is one Event that counts.
    let events = world
        .kubectl(&["get", "events.events.k8s.io", "-o", "json"])
        .unwrap();
    let events: Value = serde_json::from_str(&events).unwrap();
    let normal: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["note"] == "normal refresh")
        .collect();
    assert!(
        normal.len() == 1 && normal[0]["series"]["count"] == 2,
        "{normal:#?}"
    );

    // What was verified is read from where it is written down, once.
    let second = signed("2");
    let seen = asked(&world, &proxy, &[]);
    assert!(
        seen.iter()
            .any(|request| ledger(request) && request.method == "GET"),
        "{seen:#?}"
    );
    world.wait_synced(&second).unwrap();
    let third = signed("3");
    let seen = asked(&world, &proxy, &[]);
    assert!(
        !seen
            .iter()
            .any(|request| ledger(request) && request.method == "GET"),
        "{seen:#?}"
    );
    world.wait_synced(&third).unwrap();

    // And the manifests: that a kind is gone shows only to whoever reads them against the cluster again.
    let mut manual = application.clone();
    manual["spec"]["syncPolicy"] = json!({});
    world.apply(&manual).unwrap();
    world.wait_synced(&third).unwrap();
    engine
        .plane
        .kubectl("delete crd gadgets.refreshes.example.com")
        .unwrap();
    world
        .wait_status(|status| {
            ensure!(status["sync"]["status"] == "OutOfSync", "the gadget is there");
            Ok(())
        })
        .unwrap();
    world.refresh().unwrap();
    let rendered =
        |world: &World<'_>| condition(&world.get().unwrap()["status"], "Rendered").unwrap()["status"].clone();
    assert_eq!(rendered(&world), "True");
    asked(&world, &proxy, &["--hard"]);
    let refused = world.wait_refused("Rendered").unwrap();
    assert!(text(&refused, "/message").contains("Gadget"), "{refused}");
}
