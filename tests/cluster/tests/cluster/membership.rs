//! Which objects an application has, where neither a label nor a version tells.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use sluice_cluster_tests::{Engine, World, config_map, definition, text};
use sluice_sandbox::wait_for;

const A_WHILE: Duration = Duration::from_secs(60);

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

/// For a server outside of the cluster.
const OUTSIDE: &str = "\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: outside, labels: {kubernetes.io/service-name: outside}}
addressType: IPv4
endpoints: [{addresses: [192.0.2.1]}]
ports: [{port: 80}]
";

const TWO_VERSIONS: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: locks.versions.example.com}
spec:
  group: versions.example.com
  scope: Namespaced
  names: {kind: Lock, plural: locks}
  versions:
  - name: v1
    served: true
    storage: true
    schema: &schema {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {gates: {type: integer}}}}}}
  - name: v1beta1
    served: true
    storage: false
    schema: *schema
";

fn lock(version: &str, name: &str) -> String {
    format!(
        "apiVersion: versions.example.com/{version}\nkind: Lock\nmetadata: {{name: {name}}}\nspec: {{gates: 2}}\n"
    )
}

/// Nothing is left to do, nothing is kept from being deleted, and so many objects are there.
fn has(world: &World<'_>, status: &Value, objects: u64) {
    assert_eq!(status["objects"], objects, "{status:#}");
    let plan: Value = serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap();
    for list in ["steps", "held", "kept", "blocked"] {
        assert_eq!(plan[list], serde_json::json!([]), "{list}");
    }
}

/// The server's controllers copy the labels of a Service to its EndpointSlices.
#[test]
fn what_a_controller_made_of_ours_is_not_ours() {
    let world = World::shared("copied-labels").unwrap();
    world.write("service.yaml", SERVICE).unwrap();
    world.write("outside.yaml", OUTSIDE).unwrap();
    world.commit("a service and an address").unwrap();
    world.apply(&world.application()).unwrap();
    let slices = format!(
        "-n {} endpointslices -l applyset.kubernetes.io/part-of,kubernetes.io/service-name=web",
        world.namespace
    );
    let copied = world
        .engine
        .plane
        .wait_for(&slices, A_WHILE, |found| {
            ensure!(
                found["items"].as_array().is_some_and(|items| items.len() == 1),
                "{found}"
            );
            Ok(())
        })
        .unwrap();
    let copy = format!("endpointslice/{}", text(&copied, "/items/0/metadata/name"));
    world.refresh().unwrap();
    has(&world, &world.get().unwrap()["status"], 2);

    // The kind has nobody left that is ours.
    world.repository.remove("manifests/outside.yaml").unwrap();
    let commit = world.commit("the address is gone").unwrap();
    world.refresh().unwrap();
    let status = world.wait_synced(&commit).unwrap();
    assert_eq!(text(&status, "/operation/summary"), "1 deleted", "{status:#}");
    world
        .engine
        .plane
        .wait_gone(&format!("-n {} endpointslice/outside", world.namespace), A_WHILE)
        .unwrap();
    has(&world, &status, 1);
    assert!(world.object(&copy).unwrap()["metadata"]["deletionTimestamp"].is_null());
}

/// One kind, written at two versions: each object is compared at its own, and both belong to the application.
#[test]
fn objects_of_one_kind_in_two_versions() {
    let world = World::shared("two-versions").unwrap();
    world
        .engine
        .define("locks.versions.example.com", TWO_VERSIONS)
        .unwrap();
    world.write("new.yaml", &lock("v1", "new")).unwrap();
    world.write("old.yaml", &lock("v1beta1", "old")).unwrap();
    world.write("gone.yaml", &lock("v1beta1", "gone")).unwrap();
    let commit = world.commit("locks").unwrap();
    let mut application = world.application();
    application["spec"]["deletionPolicy"] = "Prune".into();
    world.apply(&application).unwrap();
    has(&world, &world.wait_synced(&commit).unwrap(), 3);

    let (uid, _) = world.version("locks/old").unwrap();
    for name in ["new", "old"] {
        let patch = r#"{"spec":{"gates":3}}"#;
        world
            .kubectl(&["patch", &format!("lock/{name}"), "--type=merge", "-p", patch])
            .unwrap();
    }
    for name in ["new", "old"] {
        let lock = format!("-n {} lock/{name}", world.namespace);
        let healed = |lock: &Value| {
            ensure!(lock["spec"]["gates"] == 2, "{lock}");
            Ok(())
        };
        world.engine.plane.wait_for(&lock, A_WHILE, healed).unwrap();
    }
    // Written at another version it is the same object.
    world.repository.remove("manifests/gone.yaml").unwrap();
    world.write("old.yaml", &lock("v1", "old")).unwrap();
    let commit = world.commit("one version").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    world
        .engine
        .plane
        .wait_gone(&format!("-n {} lock/gone", world.namespace), A_WHILE)
        .unwrap();
    assert_eq!(world.version("locks/old").unwrap().0, uid);
    world.write("old.yaml", &lock("v1beta1", "old")).unwrap();
    let commit = world.commit("two versions").unwrap();
    world.refresh().unwrap();
    has(&world, &world.wait_synced(&commit).unwrap(), 2);

    world
        .kubectl(&["delete", "applications.sluice.dev/app", "--timeout=60s"])
        .unwrap();
    for name in ["new", "old"] {
        world
            .engine
            .plane
            .wait_gone(&format!("-n {} lock/{name}", world.namespace), A_WHILE)
            .unwrap();
    }
}

/// The server may not list a kind for a while: after its start, or since somebody switched it off. What is of that kind is not
/// forgotten, and goes once it is seen again.
#[test]
fn a_kind_that_is_out_of_sight_for_a_while() {
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    let world = World::new(&engine, "out-of-sight").unwrap();
    let thing = "things.hidden.example.com";
    let properties = "{spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}";
    engine
        .define(thing, &definition("hidden.example.com", "Thing", properties))
        .unwrap();
    world
        .write(
            "thing.yaml",
            "apiVersion: hidden.example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {}\n",
        )
        .unwrap();
    world.running().unwrap();

    let serve = |served: bool| {
        let patch = format!(r#"[{{"op": "replace", "path": "/spec/versions/0/served", "value": {served}}}]"#);
        world
            .kubectl(&["patch", "crd", thing, "--type=json", "-p", &patch])
            .unwrap();
        wait_for("the server", A_WHILE, || {
            let listed = world.kubectl(&["api-resources", "--api-group=hidden.example.com", "-o", "name"])?;
            ensure!(listed.contains(thing) == served, "{listed}");
            Ok(())
        })
        .unwrap();
    };
    engine.stop_controller().unwrap();
    serve(false);
    engine.start_controller(&[]).unwrap();
    world.repository.remove("manifests/thing.yaml").unwrap();
    let commit = world.commit("no thing").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    let recorded = world.get().unwrap();
    let kinds = text(
        &recorded,
        "/metadata/annotations/applyset.kubernetes.io~1contains-group-kinds",
    );
    assert!(kinds.contains("Thing.hidden.example.com"), "{kinds}");

    serve(true);
    world.object("things/a").unwrap();
    world.refresh().unwrap();
    engine
        .plane
        .wait_gone(&format!("-n {} things/a", world.namespace), A_WHILE)
        .unwrap();
    let without = |application: &Value| {
        let kinds = text(
            application,
            "/metadata/annotations/applyset.kubernetes.io~1contains-group-kinds",
        );
        ensure!(kinds == "ConfigMap", "{kinds}");
        Ok(())
    };
    let application = format!("-n {} applications.sluice.dev/app", world.namespace);
    engine.plane.wait_for(&application, A_WHILE, without).unwrap();
}

/// Of an API whose own server is down nobody knows what it has: nothing is decided before that is known.
#[test]
fn an_api_that_is_down_holds_what_has_objects_of_it() {
    let engine = Engine::without_controller().unwrap();
    let down = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1.down.example.com}\nspec:\n  \
                group: down.example.com\n  version: v1\n  groupPriorityMinimum: 1000\n  versionPriority: 1\n  \
                insecureSkipTLSVerify: true\n  service: {namespace: default, name: nobody}\n";
    engine.plane.apply(down).unwrap();
    engine.start_controller(&[]).unwrap();
    let world = World::new(&engine, "api-down").unwrap();
    world.running().unwrap();
    world.write("more.yaml", &config_map("more", "1")).unwrap();
    let commit = world.commit("more").unwrap();
    let kinds = "applyset.kubernetes.io/contains-group-kinds=ConfigMap,Thing.down.example.com";
    world
        .kubectl(&["annotate", "--overwrite", "applications.sluice.dev/app", kinds])
        .unwrap();
    world.refresh().unwrap();
    let refused = world.wait_refused("ClusterReady").unwrap();
    assert!(
        text(&refused, "/reason") == "K27" && text(&refused, "/message").contains("down.example.com"),
        "{refused}"
    );
    assert!(world.object("configmap/more").is_err());
    let (code, _, said) = world.run(&["plan", "app"]);
    assert!(code == Some(7) && said.contains("K27"), "{said}");

    world
        .kubectl(&["delete", "apiservice", "v1.down.example.com"])
        .unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
}
