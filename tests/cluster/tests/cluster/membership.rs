//! Which objects an application has, where neither a label nor a version tells.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use sluice_cluster_tests::{World, text};

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
