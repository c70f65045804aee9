//! Bundles that others publish (`tests/bundles`), as their authors wrote them: real manifests have what made-up ones do not.
//!
//! In a control plane of their own: they bring some twenty kinds, and webhooks whose servers nobody runs. Nothing here asks for an
//! object that one of these webhooks would be called for.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, text};
use sluice_sandbox::bundle;

const PROMETHEUS: &str = "github.com/prometheus-operator/prometheus-operator";
const SERVING: &str = "knative.dev/serving";

/// A file of a module, or all manifests in a folder and below but those whose place in it holds one of some words.
type Part = (&'static str, &'static str, &'static [&'static str]);

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
        for change in step["changes"].as_array().into_iter().flatten() {
            let pointer = text(change, "/pointer");
            assert!(pointer.starts_with("/metadata/"), "{step:#}");
        }
    }
    let plan = engine.write("adopted-bundles.json", plan).unwrap();
    world.done(&["apply", &plan.display().to_string()]);
    rests(&world);
    assert_eq!(contents(&world, KINDS), before);
    members(&engine, KINDS, objects / 2);
}
