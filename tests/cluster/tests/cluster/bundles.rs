//! Bundles that others publish (`tests/bundles`), as their authors wrote them: what has never seen this engine has to sync at
//! once, rest afterwards, and change hands without a change.
//!
//! In control planes of their own: they bring some sixty kinds, and webhooks whose servers nobody runs. Nothing here asks for an
//! object that one of these webhooks would be called for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, text};
use sluice_sandbox::{bundle, wait_for};

const PATIENCE: Duration = Duration::from_secs(150);
/// What client-side apply can keep in its annotation.
const ANNOTATION: usize = 256 << 10;

const PROMETHEUS: &str = "github.com/prometheus-operator/prometheus-operator";
const GATEWAY: &str = "sigs.k8s.io/gateway-api";
const KUBERNETES: &str = "k8s.io/kubernetes";
const SERVING: &str = "knative.dev/serving";
const OPERATOR: &str = "knative.dev/operator";

/// A file of a module, or all manifests in a folder and below but those whose place in it holds one of some words.
type Part = (&'static str, &'static str, &'static [&'static str]);

/// Left out is what describes an object that another file of the same folder has too, what its own tests fill in first, and
/// what the API server refuses.
const PARTS: &[Part] = &[
    (PROMETHEUS, "bundle.yaml", &[]),
    (PROMETHEUS, "example/rbac/prometheus", &["operator"]),
    (PROMETHEUS, "example/rbac/prometheus-agent", &[]),
    (PROMETHEUS, "example/networkpolicies", &[]),
    (PROMETHEUS, "example/thanos", &[]),
    (
        PROMETHEUS,
        "example/user-guides/alerting",
        &["alerting/alertmanager.yaml", "selector"],
    ),
    (GATEWAY, "config/crd/experimental", &["kustomization"]),
    (GATEWAY, "conformance/base", &[]),
    (GATEWAY, "conformance/mesh", &[]),
    (
        GATEWAY,
        "conformance/tests",
        &[
            "gateway-modify-listeners",
            "gateway-static-addresses",
            "gatewayclass-observed-generation-bump",
            "httproute-invalid-reference-grant",
            "httproute-listener-port-matching",
            "httproute-request-header-modifier-backend",
            "mesh-ports",
            "tlsroute-invalid-reference-grant",
        ],
    ),
    (GATEWAY, "examples/standard/0-namespaces.yaml", &[]),
    (GATEWAY, "examples/standard/cross-namespace-routing", &[]),
    (GATEWAY, "examples/standard/grpc-routing", &["reflection"]),
    (GATEWAY, "examples/standard/http-route-attachment", &[]),
    (GATEWAY, "examples/standard/backendtlspolicy", &[]),
    (
        KUBERNETES,
        "cluster/addons",
        &[
            "calico",
            "fluentd-gcp-ds",
            "legacy-kubelet-user-disable",
            "metadata-agent.yaml",
            // An API whose server nobody runs.
            "metrics-apiservice",
            "node-problem-detector/npd.yaml",
            "standalone/npd-binding",
            // The cluster has such a class.
            "storage-class/",
        ],
    ),
    (KUBERNETES, "test/e2e/testing-manifests/guestbook", &[]),
    (
        KUBERNETES,
        "test/e2e/testing-manifests/statefulset",
        &["mysql-galera", "tester", "controller"],
    ),
    (
        KUBERNETES,
        "test/e2e/testing-manifests/storage-csi/external-attacher",
        &[],
    ),
    (
        KUBERNETES,
        "test/e2e/testing-manifests/storage-csi/external-health-monitor",
        &[],
    ),
    (
        KUBERNETES,
        "test/e2e/testing-manifests/storage-csi/external-provisioner",
        &[],
    ),
    (
        KUBERNETES,
        "test/e2e/testing-manifests/storage-csi/external-resizer",
        &[],
    ),
    // Two objects of kinds that another repository defines.
    (SERVING, "config/core", &["300-knativecertificate", "999-cache"]),
    (SERVING, "config/hpa-autoscaling", &[]),
    (SERVING, "third_party/contour-latest/contour.yaml", &[]),
    (OPERATOR, "config/rbac", &["kustomization", "fake"]),
    (
        OPERATOR,
        "cmd/operator/kodata/security-guard/0.6",
        &["queue-proxy"],
    ),
];

/// The same parts of Knative in two releases.
const RELEASES: [&[Part]; 2] = [
    &[
        (
            OPERATOR,
            "cmd/operator/kodata/knative-eventing/1.14.5",
            NOT_OF_EVENTING,
        ),
        (OPERATOR, "cmd/operator/kodata/eventing-source/1.14/ceph", &[]),
        (OPERATOR, "cmd/operator/kodata/eventing-source/1.14/github", &[]),
        (OPERATOR, "cmd/operator/kodata/ingress/1.14", NOT_OF_INGRESS),
    ],
    &[
        (
            OPERATOR,
            "cmd/operator/kodata/knative-eventing/1.15.0",
            NOT_OF_EVENTING,
        ),
        (OPERATOR, "cmd/operator/kodata/eventing-source/1.15/ceph", &[]),
        (OPERATOR, "cmd/operator/kodata/eventing-source/1.15/github", &[]),
        (OPERATOR, "cmd/operator/kodata/ingress/1.15", NOT_OF_INGRESS),
    ],
];
/// What is in the next file once more, certificates for which cert-manager would have to run, and jobs without names.
const NOT_OF_EVENTING: &[&str] = &["1-eventing-crds", "3-eventing-tls", "6-eventing-post-install"];
const NOT_OF_INGRESS: &[&str] = &["istio"];

/// Puts manifests below a folder of those that the Application is about. Returns how many objects they describe.
fn take(world: &World<'_>, below: &str, parts: &[Part]) -> usize {
    let mut objects = 0;
    for (module, place, without) in parts {
        let folder = bundle(module).unwrap();
        for file in manifests(&folder.join(place)) {
            let place = file.strip_prefix(&folder).unwrap().display().to_string();
            if without.iter().any(|word| place.contains(word)) {
                continue;
            }
            let content = fs_err::read_to_string(&file).unwrap();
            objects += content.lines().filter(|line| line.starts_with("kind:")).count();
            world
                .write(&format!("{below}/{module}/{place}"), &content)
                .unwrap();
        }
    }
    objects
}

fn manifests(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml") {
            found.extend(manifests(&path));
        }
    }
    found
}

fn application(world: &World<'_>) -> Value {
    let mut application = world.application();
    application["spec"]["source"]["directory"] = json!({"recurse": true});
    application
}

/// Waits until this many objects are as this commit says; whether their programs work is not asked, since nobody runs them.
fn wait_there(world: &World<'_>, commit: &str) -> Value {
    wait_for("the bundles", PATIENCE, || {
        world.engine.check()?;
        let status = world.get()?["status"].take();
        ensure!(
            text(&status, "/sync/revision") == commit,
            "not at {commit}: {status:#}"
        );
        let synced = text(&status, "/sync/status") == "Synced";
        // What fails afterwards is the wait for the health of what nobody runs.
        assert!(
            synced || text(&status, "/operation/phase") != "Failed",
            "{status:#}"
        );
        ensure!(synced, "not Synced: {status:#}");
        Ok(status)
    })
    .unwrap()
}

/// Nothing differs, nothing would be done, and looking again writes nothing.
fn rests(world: &World<'_>) {
    let differs = world.done(&["diff", "app"]);
    assert!(differs.is_empty(), "{differs}");
    let plan: Value = serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap();
    for list in ["steps", "held", "kept", "blocked"] {
        assert_eq!(plan[list], json!([]), "{list}");
    }
}

/// The members of some kinds that nobody but the engine writes to, once there are as many as that.
fn members(engine: &Engine, kinds: &str, least: usize) -> Vec<Value> {
    let mut list = engine
        .plane
        .get(&format!("{kinds} -A -l applyset.kubernetes.io/part-of"))
        .unwrap();
    let Value::Array(members) = list["items"].take() else {
        panic!("{list}")
    };
    assert!(members.len() >= least, "{} {kinds}", members.len());
    for member in &members {
        let annotations = member["metadata"]["annotations"].to_string();
        assert!(
            !annotations.contains("last-applied-configuration"),
            "{annotations}"
        );
    }
    members
}

fn versions(engine: &Engine) -> Vec<String> {
    const KINDS: &str = "customresourcedefinitions,clusterrolebindings,serviceaccounts,configmaps,networkpolicies,\
                         prometheuses.monitoring.coreos.com,httproutes.gateway.networking.k8s.io";
    let members = members(engine, KINDS, 250);
    let version = |member: &Value| {
        format!(
            "{} {}",
            member["metadata"]["uid"], member["metadata"]["resourceVersion"]
        )
    };
    members.iter().map(version).collect()
}

#[test]
fn seven_hundred_objects_of_others_in_one_sync_and_the_next_release_of_some() {
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&[]).unwrap();
    // What some are for does not come with them.
    engine.plane.kubectl("create namespace knative-operator").unwrap();
    let world = World::new(&engine, "bundles").unwrap();
    let objects = take(&world, "parts", PARTS) + take(&world, "knative", RELEASES[0]);
    assert!(objects >= 700, "{objects}");
    let commit = world.commit("what others publish").unwrap();
    world.apply(&application(&world)).unwrap();
    let written = world.done(&["render", "app", "-o", "json"]);
    let status = wait_there(&world, &commit);
    assert_eq!(
        text(&status, "/operation/summary"),
        format!("{objects} created"),
        "{status:#}"
    );
    // Many of their controllers' objects carry the labels of these.
    assert_eq!(status["objects"], objects, "{status:#}");
    rests(&world);

    // The large ones arrived as they are written.
    let mut large = 0;
    for line in written.lines() {
        let written: Value = serde_json::from_str(line).unwrap();
        if line.len() > ANNOTATION {
            let live = engine
                .plane
                .get(&format!("crd/{}", text(&written, "/metadata/name")))
                .unwrap();
            assert_eq!(written["spec"]["versions"], live["spec"]["versions"]);
            large += 1;
        }
    }
    assert!(large >= 3, "{large}");

    let before = versions(&engine);
    world.refresh().unwrap();
    assert_eq!(versions(&engine), before);

    world.repository.remove("manifests/knative").unwrap();
    take(&world, "knative", RELEASES[1]);
    let commit = world.commit("a newer Knative").unwrap();
    world.refresh().unwrap();
    wait_there(&world, &commit);
    rests(&world);
}

/// What the objects of some kinds are and say, whoever deployed them.
fn contents(world: &World<'_>, kinds: &str) -> Vec<Value> {
    let mut list = world.engine.plane.get(&format!("{kinds} -A")).unwrap();
    let Value::Array(objects) = list["items"].take() else {
        panic!("{list}")
    };
    let content = |mut object: Value| {
        let parts = object.as_object_mut().unwrap();
        parts.remove("status");
        let metadata = parts.remove("metadata").unwrap();
        json!([metadata["uid"], object])
    };
    objects.into_iter().map(content).collect()
}

/// Each in one of the ways that its own documentation names.
#[test]
fn bundles_that_kubectl_deployed_change_hands_without_a_change() {
    const KINDS: &str = "customresourcedefinitions,clusterroles,clusterrolebindings,roles,services,deployments,daemonsets,\
                         mutatingwebhookconfigurations,validatingwebhookconfigurations";
    let engine = Engine::without_controller().unwrap();
    let world = World::new(&engine, "adopted-bundles").unwrap();
    let deployed: [(&[&str], Part); 3] = [
        (&["apply", "--server-side"], (PROMETHEUS, "bundle.yaml", &[])),
        (
            &["apply"],
            (SERVING, "third_party/cert-manager-latest/cert-manager.yaml", &[]),
        ),
        (
            &["create"],
            (SERVING, "third_party/contour-latest/contour.yaml", &[]),
        ),
    ];
    let mut objects = 0;
    for (command, part) in deployed {
        let file = bundle(part.0).unwrap().join(part.1).display().to_string();
        engine
            .plane
            .kubectl_with(&[command, &["-f", &file]].concat())
            .unwrap();
        objects += take(&world, "all", &[part]);
    }
    let before = contents(&world, KINDS);
    world.commit("what runs already").unwrap();
    world.apply(&application(&world)).unwrap();

    let plan = world.done(&["plan", "app", "-o", "json"]);
    let read: Value = serde_json::from_str(&plan).unwrap();
    let steps = read["steps"].as_array().unwrap();
    assert_eq!(steps.len(), objects);
    for step in steps {
        // Ours from now on, and nothing in it changes.
        assert_ne!(step["action"]["take_over"], json!([]), "{step:#}");
        assert!(step["changes"].as_array().is_none_or(Vec::is_empty), "{step:#}");
    }
    let plan = engine.write("adopted-bundles.json", plan).unwrap();
    world.done(&["apply", &plan.display().to_string()]);
    rests(&world);
    assert_eq!(contents(&world, KINDS), before);
    members(&engine, KINDS, objects / 2);
}
