//! Who may keep a field that Git sets: hands may not, autoscalers and webhooks may, and another applier is told of.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, definition, text};
use sluice_sandbox::wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

fn deployment(extra: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n{extra}spec:\n{spec}  selector: {{matchLabels: {{app: web}}}}\n  \
         template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - name: web\n        image: registry.example.com/web:1\n"
    )
}

/// A Deployment that is Synced and Healthy.
fn deployed(name: &str, spec: &str, change: impl FnOnce(&mut Value)) -> (World<'static>, String) {
    let world = World::shared(name).unwrap();
    world.write("web.yaml", &deployment("", spec)).unwrap();
    let commit = world.commit("a deployment").unwrap().to_string();
    let mut application = world.application();
    change(&mut application);
    world.apply(&application).unwrap();
    world.wait_synced(&commit).unwrap();
    (world, commit)
}

fn kubectl(world: &World<'_>, arguments: &[&str]) {
    let all: Vec<&str> = ["-n", &world.namespace]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    world.engine.plane.kubectl_with(&all).unwrap();
}

fn becomes(world: &World<'_>, what: &str, pointer: &str, value: &Value) {
    wait_for(pointer, PATIENCE, || {
        let object = world.object(what)?;
        ensure!(object.pointer(pointer) == Some(value), "{object:#}");
        Ok(())
    })
    .unwrap();
}

/// Nothing is written while the controller looks again, and it finds nothing to do.
fn stays(world: &World<'_>, what: &str, commit: &str) {
    world.wait_synced(commit).unwrap();
    let generation = || world.object(what).unwrap()["metadata"]["generation"].clone();
    let before = generation();
    for _ in 0..3 {
        world.refresh().unwrap();
        world.wait_synced(commit).unwrap();
    }
    assert_eq!(generation(), before);
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
fn what_hands_did_is_undone() {
    let (world, commit) = deployed("own-hands", "  replicas: 1\n", |_| ());
    kubectl(&world, &["scale", "deployment/web", "--replicas=3"]);
    becomes(&world, "deployment/web", "/spec/replicas", &json!(1));
    let image = r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example.com/web:9"}]}}}}"#;
    // What `kubectl edit` sends, under the name that it gives itself.
    kubectl(
        &world,
        &[
            "patch",
            "deployment/web",
            "--field-manager=kubectl-edit",
            "-p",
            image,
        ],
    );
    let container = "/spec/template/spec/containers/0/image";
    becomes(
        &world,
        "deployment/web",
        container,
        &json!("registry.example.com/web:1"),
    );
    stays(&world, "deployment/web", &commit);
}

#[test]
fn an_autoscaler_keeps_the_number_that_it_decides() {
    for (name, spec) in [("own-hpa-given", "  replicas: 1\n"), ("own-hpa-not-given", "")] {
        let (world, commit) = deployed(name, spec, |_| ());
        // Without any metric it still raises to its minimum.
        kubectl(
            &world,
            &["autoscale", "deployment/web", "--min=2", "--max=4", "--cpu=80%"],
        );
        becomes(&world, "deployment/web", "/spec/replicas", &json!(2));
        stays(&world, "deployment/web", &commit);
        // Nor does a change of something else touch it.
        world
            .write("web.yaml", &deployment("", spec).replace("web:1", "web:2"))
            .unwrap();
        let changed = world.commit("another image").unwrap();
        world.refresh().unwrap();
        world.wait_synced(&changed).unwrap();
        assert_eq!(world.object("deployment/web").unwrap()["spec"]["replicas"], 2);
    }
}

#[test]
fn another_applier_is_named_and_not_overwritten() {
    let (world, _) = deployed("own-rival", "  replicas: 1\n", |_| ());
    let claim = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": world.namespace}, "spec": {"replicas": 3}});
    let claim = world
        .engine
        .write("own-rival.json", claim.to_string())
        .unwrap()
        .display()
        .to_string();
    let arguments = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=keda",
        "-f",
        &claim,
    ];
    kubectl(&world, &arguments);
    let refused = world.wait_refused("Synced").unwrap();
    for word in ["A04", "K15", "`.spec.replicas`", "`keda (apply)`"] {
        assert!(refused.to_string().contains(word), "{word} is not in {refused}");
    }
    assert_eq!(world.object("deployment/web").unwrap()["spec"]["replicas"], 3);
    // Where a policy says so it is taken.
    let forced = deployment(
        "  annotations: {sluice.dev/force-conflicts: \"true\"}\n",
        "  replicas: 1\n",
    );
    world.write("web.yaml", &forced).unwrap();
    let commit = world.commit("ours").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    assert_eq!(world.object("deployment/web").unwrap()["spec"]["replicas"], 1);
}

/// As a webhook would: it changes a value that Git sets, adds a label, and puts a container next to ours.
fn mutate(world: &World<'_>) {
    let name = format!("mutate-{}", world.namespace);
    let image = "object.spec.template.spec.containers.filter(c, c.name != 'proxy').map(c, \
                 Object.spec.template.spec.containers{name: c.name, image: c.image.replace('registry.example.com', \
                 'mirror.example.com')})";
    let sidecar =
        "[Object.spec.template.spec.containers{name: 'proxy', image: 'mirror.example.com/proxy:1'}]";
    let expression = format!(
        "Object{{metadata: Object.metadata{{labels: {{'injected': 'yes'}}}}, spec: Object.spec{{template: \
         Object.spec.template{{spec: Object.spec.template.spec{{containers: {image} + {sidecar}}}}}}}}}"
    );
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
                "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}],
            },
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name},
    });
    world.apply(&policy).unwrap();
    world.apply(&binding).unwrap();
    let probe = deployment("", "").replace("name: web\n", "name: probe\n");
    wait_for("the policy", PATIENCE, || {
        let probe = world
            .engine
            .write("own-webhook.yaml", &probe)?
            .display()
            .to_string();
        let arguments = [
            "-n",
            &world.namespace,
            "create",
            "--dry-run=server",
            "-o",
            "json",
            "-f",
            &probe,
        ];
        let answer = world.engine.plane.kubectl_with(&arguments)?;
        ensure!(answer.contains("mirror.example.com/proxy"), "{answer}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_webhook_makes_of_an_object_is_no_drift() {
    let world = World::shared("own-webhook").unwrap();
    mutate(&world);
    world.write("web.yaml", &deployment("", "")).unwrap();
    let commit = world.commit("a deployment").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    let live = world.object("deployment/web").unwrap();
    assert_eq!(
        text(&live, "/spec/template/spec/containers/0/image"),
        "mirror.example.com/web:1"
    );
    assert_eq!(text(&live, "/spec/template/spec/containers/1/name"), "proxy");
    assert_eq!(text(&live, "/metadata/labels/injected"), "yes");
    stays(&world, "deployment/web", &commit);
    // What Git changes is still seen, and what hands do to the same object too.
    kubectl(&world, &["scale", "deployment/web", "--replicas=2"]);
    world
        .write(
            "web.yaml",
            &deployment("", "  replicas: 1\n").replace("web:1", "web:2"),
        )
        .unwrap();
    let commit = world.commit("another image").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    let live = world.object("deployment/web").unwrap();
    assert_eq!(
        text(&live, "/spec/template/spec/containers/0/image"),
        "mirror.example.com/web:2"
    );
    assert_eq!(live["spec"]["replicas"], 1);
    stays(&world, "deployment/web", &commit);
}

#[test]
fn ignored_differences_are_neither_reported_nor_written() {
    let rules = json!([
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
        {"group": "apps", "kind": "Deployment", "name": "web",
            "jqPathExpressions": [".spec.template.spec.containers[] | select(.name == \"web\") | .image"]},
        {"group": "*", "kind": "*", "managedFieldsManagers": ["tuner"]},
    ]);
    let (world, commit) = deployed(
        "own-ignored",
        "  replicas: 1\n  minReadySeconds: 1\n",
        |application| {
            application["spec"]["ignoreDifferences"] = rules;
        },
    );
    kubectl(&world, &["scale", "deployment/web", "--replicas=2"]);
    kubectl(
        &world,
        &["set", "image", "deployment/web", "web=registry.example.com/web:7"],
    );
    let seconds = r#"{"spec":{"minReadySeconds":2}}"#;
    kubectl(
        &world,
        &["patch", "deployment/web", "--field-manager=tuner", "-p", seconds],
    );
    stays(&world, "deployment/web", &commit);
    // A sync for another reason leaves them alone too.
    let labelled = deployment("  labels: {team: a}\n", "  replicas: 1\n  minReadySeconds: 1\n");
    world.write("web.yaml", &labelled).unwrap();
    let commit = world.commit("a label").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    let live = world.object("deployment/web").unwrap();
    assert_eq!(text(&live, "/metadata/labels/team"), "a");
    assert_eq!(
        (&live["spec"]["replicas"], &live["spec"]["minReadySeconds"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        text(&live, "/spec/template/spec/containers/0/image"),
        "registry.example.com/web:7"
    );
}

#[test]
fn a_rule_that_means_nothing_is_said() {
    let world = World::shared("own-bad-rule").unwrap();
    let mut application = world.application();
    application["spec"]["ignoreDifferences"] =
        json!([{"kind": "Pod", "jqPathExpressions": [".spec | length"]}]);
    world
        .write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        .unwrap();
    world.commit("something").unwrap();
    world.apply(&application).unwrap();
    let status = world
        .wait_status(|status| {
            ensure!(
                condition(status, "Synced")?.to_string().contains("K04"),
                "no code yet"
            );
            Ok(())
        })
        .unwrap();
    let text = condition(&status, "Synced").unwrap().to_string();
    assert!(
        text.contains("spec.ignoreDifferences") && text.contains("`length`"),
        "{text}"
    );
}

const GADGETS: &str = "{spec: {type: object, properties: {rules: {type: array, x-kubernetes-list-type: atomic, \
     items: {type: object, properties: {host: {type: string}, port: {type: integer, default: 80}, path: {type: string}}}}}}}";

#[test]
fn a_field_dropped_from_a_list_that_is_one_value_is_seen() {
    let world = World::shared("own-atomic").unwrap();
    let gadget = |rules: &str| {
        format!(
            "apiVersion: own.example.com/v1\nkind: Gadget\nmetadata: {{name: a}}\nspec:\n  rules:\n{rules}"
        )
    };
    let gadgets = definition("own.example.com", "Gadget", GADGETS);
    world.write("crd.yaml", &gadgets).unwrap();
    world
        .write("a.yaml", &gadget("  - {host: a, path: /x}\n  - {host: b}\n"))
        .unwrap();
    let commit = world.commit("a gadget with defaults").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    let rules = || world.object("gadgets.own.example.com/a").unwrap()["spec"]["rules"].clone();
    assert_eq!(
        rules(),
        json!([{"host": "a", "path": "/x", "port": 80}, {"host": "b", "port": 80}])
    );
    stays(&world, "gadgets.own.example.com/a", &commit);
    world
        .write("a.yaml", &gadget("  - {host: a}\n  - {host: b}\n"))
        .unwrap();
    let commit = world.commit("without the path").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    assert_eq!(
        rules(),
        json!([{"host": "a", "port": 80}, {"host": "b", "port": 80}])
    );
    stays(&world, "gadgets.own.example.com/a", &commit);
}
