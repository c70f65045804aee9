//! Objects that other tools deployed: they become Sluice's alone, no field is lost, and none stays that Git drops later.

use serde_json::{Value, json};
use sluice_cluster_tests::World;

fn objects(world: &World<'_>, data: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: {0}, labels: {{app: web}}}}\ndata: {{{data}}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: {0}}}\nspec:\n  selector: {{app: web}}\n  ports:\n  - {{name: http, port: 80}}\n---\n\
         apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data, namespace: {0}}}\nspec:\n  accessModes: [ReadWriteOnce]\n  \
         resources: {{requests: {{storage: 1Gi}}}}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {0}, annotations: {{note: a}}}}\nspec:\n  replicas: 1\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      \
         - name: web\n        image: web:1\n        env:\n        - {{name: A, value: \"1\"}}\n        - {{name: B, value: \"1\"}}\n",
        world.namespace
    )
}

const ALL: [&str; 4] = [
    "configmap/settings",
    "service/web",
    "persistentvolumeclaim/data",
    "deployment/web",
];

/// Who is on record for the object itself, apart from those who keep its status.
fn managers(object: &Value) -> Vec<(String, String)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> = entries
        .iter()
        .filter(|entry| {
            text(entry, "subresource").is_empty() && text(entry, "manager") != "kube-controller-manager"
        })
        .filter(|entry| text(entry, "manager") != "kube-scheduler")
        .map(|entry| (text(entry, "manager"), text(entry, "operation")))
        .collect();
    found.sort();
    found
}

fn with_record(world: &World<'_>, what: &str) -> Value {
    world
        .engine
        .plane
        .get(&format!("-n {} {what} --show-managed-fields", world.namespace))
        .unwrap()
}

/// Deploys with another tool's commands, adopts, and then takes things out of Git.
fn check(name: &str, commands: &[&[&str]], marks: &str) {
    let world = World::shared(name).unwrap();
    let deployed = objects(&world, "a: \"1\", b: \"1\", c: \"1\"")
        .replace("{app: web}}\ndata", &format!("{{app: web{marks}}}}}\ndata"));
    let file = world
        .engine
        .write(&format!("{name}.yaml"), &deployed)
        .unwrap()
        .display()
        .to_string();
    for command in commands {
        let arguments: Vec<&str> = command.iter().copied().chain(["-f", &file]).collect();
        let said = world.engine.plane.kubectl_with(&arguments).unwrap();
        assert_eq!(said.lines().count(), ALL.len(), "{said}");
    }
    let uids: Vec<Value> = ALL
        .iter()
        .map(|what| with_record(&world, what)["metadata"]["uid"].clone())
        .collect();

    // Git has less than was deployed: what it does not have goes with the adoption.
    world
        .write("all.yaml", &objects(&world, "a: \"1\", b: \"2\""))
        .unwrap();
    let commit = world.commit("adopt").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    for (what, uid) in ALL.iter().zip(&uids) {
        let live = with_record(&world, what);
        assert_eq!(&live["metadata"]["uid"], uid, "{what} was made anew");
        assert_eq!(
            managers(&live),
            [("sluice".to_owned(), "Apply".to_owned())],
            "{what}"
        );
        let annotations = live["metadata"]["annotations"].to_string();
        assert!(!annotations.contains("last-applied"), "{annotations}");
    }
    let settings = world.object("configmap/settings").unwrap();
    assert_eq!(settings["data"], json!({"a": "1", "b": "2"}), "{name}");
    assert_eq!(
        settings["metadata"]["labels"].as_object().unwrap().len(),
        2,
        "{settings}"
    );

    // What Git drops later goes too: nobody else keeps it.
    let less = objects(&world, "a: \"1\"")
        .replace("        - {name: B, value: \"1\"}\n", "")
        .replace(", annotations: {note: a}", "");
    world.write("all.yaml", &less).unwrap();
    let commit = world.commit("less").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    assert_eq!(
        world.object("configmap/settings").unwrap()["data"],
        json!({"a": "1"}),
        "{name}"
    );
    let deployment = world.object("deployment/web").unwrap();
    assert_eq!(
        deployment.pointer("/spec/template/spec/containers/0/env"),
        Some(&json!([{"name": "A", "value": "1"}])),
        "{name}"
    );
    assert_eq!(deployment.pointer("/metadata/annotations/note"), None, "{name}");

    // And then it rests.
    let before: Vec<_> = ALL
        .iter()
        .map(|what| world.object(what).unwrap()["metadata"]["generation"].clone())
        .collect();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    let after: Vec<_> = ALL
        .iter()
        .map(|what| world.object(what).unwrap()["metadata"]["generation"].clone())
        .collect();
    assert_eq!(before, after, "{name}");
    let differs = world
        .engine
        .try_sluice(&["diff", "app", "-n", &world.namespace])
        .unwrap();
    assert!(
        differs.status.success(),
        "{}",
        String::from_utf8_lossy(&differs.stdout)
    );
}

#[test]
fn of_kubectl_client_side() {
    check("adopt-kubectl", &[&["apply"]], "");
}

#[test]
fn of_kubectl_server_side() {
    check("adopt-kubectl-ssa", &[&["apply", "--server-side"]], "");
}

#[test]
fn of_kubectl_that_went_from_one_to_the_other() {
    check(
        "adopt-kubectl-both",
        &[&["apply"], &["apply", "--server-side"]],
        "",
    );
}

/// Helm 3 creates and patches as `helm`, and so does what stands in for it here.
#[test]
fn of_helm() {
    let marks = ", app.kubernetes.io/managed-by: Helm";
    check("adopt-helm", &[&["create", "--field-manager=helm"]], marks);
    check(
        "adopt-helm-4",
        &[&["apply", "--server-side", "--field-manager=helm"]],
        marks,
    );
}

/// Argo CD is `kubectl apply` under another name.
#[test]
fn of_argocd() {
    let marks = ", app.kubernetes.io/instance: web";
    check(
        "adopt-argocd",
        &[&["apply", "--field-manager=argocd-controller"]],
        marks,
    );
    let server_side: &[&str] = &[
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=argocd-controller",
    ];
    check("adopt-argocd-ssa", &[server_side], marks);
}

#[test]
fn of_flux() {
    let server_side: &[&str] = &[
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=kustomize-controller",
    ];
    check(
        "adopt-flux",
        &[server_side],
        ", kustomize.toolkit.fluxcd.io/name: web",
    );
}

#[test]
fn of_our_own_that_was_replaced_before() {
    let world = World::shared("adopt-replaced").unwrap();
    let manifest = |strategy: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, annotations: {{sluice.dev/sync-strategy: {strategy}}}}}\ndata: {{{data}}}\n"
        )
    };
    let mut last = None;
    for (strategy, data, expected) in [
        (
            "replace",
            "a: \"1\", b: \"1\", c: \"1\"",
            json!({"a": "1", "b": "1", "c": "1"}),
        ),
        (
            "replace",
            "a: \"1\", b: \"2\", c: \"1\"",
            json!({"a": "1", "b": "2", "c": "1"}),
        ),
        (
            "server-side-apply",
            "a: \"1\", b: \"2\"",
            json!({"a": "1", "b": "2"}),
        ),
        ("server-side-apply", "a: \"1\"", json!({"a": "1"})),
    ] {
        world.write("settings.yaml", &manifest(strategy, data)).unwrap();
        let commit = world.commit("a strategy").unwrap();
        match last {
            None => world.apply(&world.application()).unwrap(),
            Some(()) => world.refresh().unwrap(),
        }
        last = Some(());
        world.wait_synced(&commit).unwrap();
        assert_eq!(
            world.object("configmap/settings").unwrap()["data"],
            expected,
            "{strategy}"
        );
    }
    let live = with_record(&world, "configmap/settings");
    assert_eq!(managers(&live), [("sluice".to_owned(), "Apply".to_owned())]);
}
