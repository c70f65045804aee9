//! Charts and kustomizations on a real cluster: rendered in the sandbox with what this cluster can do, and applied like anything else.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{SHARED_NAMESPACE, World, config_map, text};
use sluice_sandbox::Signature;

fn write(world: &World<'_>, files: &[(&str, &str)]) {
    for (path, content) in files {
        world.repository.write(path, content).unwrap();
    }
}

fn commit(world: &World<'_>, message: &str) -> String {
    world.commit_with(message, Signature::None).unwrap().to_string()
}

fn application(world: &World<'_>, path: &str, field: &str, settings: Value) -> Value {
    let mut application = world.application();
    application["spec"]["source"]["path"] = path.into();
    application["spec"]["source"][field] = settings;
    application
}

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\nkubeVersion: \">=1.30.0-0\"\n";
const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  value: {{ .Values.value | quote }}
  namespace: {{ .Release.Namespace }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  {{- if .Capabilities.APIVersions.Has \"sluice.dev/v1alpha1/Application\" }}
  knows: applications
  {{- end }}
";
const SECRET: &str = "apiVersion: v1
kind: Secret
metadata: {name: made-up}
stringData: {password: {{ randAlphaNum 24 | quote }}}
";
const HOOK: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: before
  annotations: {helm.sh/hook: pre-install}
";

/// Found by users of other engines: a chart's passwords are new at each look, and so it is never Synced.
#[test]
fn a_chart_is_rendered_for_this_cluster_and_its_passwords_stay() {
    let world = World::shared("chart").unwrap();
    write(
        &world,
        &[
            ("chart/Chart.yaml", CHART),
            ("chart/values.yaml", "value: one\n"),
            ("chart/templates/config.yaml", CONFIG),
            ("chart/templates/secret.yaml", SECRET),
            ("chart/templates/hook.yaml", HOOK),
            ("prod.yaml", "value: prod\n"),
        ],
    );
    let first = commit(&world, "a chart");
    world
        .apply(&application(
            &world,
            "chart",
            "helm",
            json!({"valueFiles": ["/prod.yaml"]}),
        ))
        .unwrap();
    world.wait_synced(&first).unwrap();
    let config = world.object("configmap/app").unwrap();
    let data = |name: &str| text(&config, &format!("/data/{name}")).to_owned();
    assert_eq!(
        (data("value"), data("namespace")),
        ("prod".to_owned(), world.namespace.clone())
    );
    assert_eq!(data("knows"), "applications");
    // A server that was built without a version, as this one, leaves Helm's own default.
    assert!(data("kube").starts_with("v1."), "{}", data("kube"));
    // A hook of a chart is one.
    world.object("configmap/before").unwrap();

    let password = || text(&world.object("secret/made-up").unwrap(), "/data/password").to_owned();
    let made_up = password();
    world.refresh().unwrap();
    // A commit that does not touch the chart, and then one beside it that the chart reads.
    write(&world, &[("elsewhere/readme", "hello")]);
    let second = commit(&world, "elsewhere");
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    assert_eq!(password(), made_up);
    write(&world, &[("prod.yaml", "value: again\n")]);
    let third = commit(&world, "values");
    world.refresh().unwrap();
    world.wait_synced(&third).unwrap();
    assert_eq!(
        text(&world.object("configmap/app").unwrap(), "/data/value"),
        "again"
    );
    // Two Applications of one chart have two passwords, and neither can be told from what is in Git.
    let key = format!("-n {SHARED_NAMESPACE} secret/sluice-rendering");
    assert!(
        world
            .engine
            .plane
            .get(&key)
            .unwrap()
            .pointer("/data/key")
            .is_some()
    );
    let shown = world.done(&[
        "render",
        "app",
        "--shared-namespace",
        SHARED_NAMESPACE,
        "--show-secrets",
    ]);
    let encoded = world
        .kubectl(&[
            "get",
            "secret/made-up",
            "-o",
            "go-template={{.data.password | base64decode}}",
        ])
        .unwrap();
    assert!(
        shown.contains(encoded.trim()),
        "the command line renders what the controller renders"
    );
}

#[test]
fn an_overlay_is_built_and_what_it_drops_is_pruned() {
    let world = World::shared("overlay").unwrap();
    write(
        &world,
        &[
            ("base/kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
            ("base/a.yaml", &config_map("a", "1")),
            ("base/b.yaml", &config_map("b", "1")),
            (
                "overlays/prod/kustomization.yaml",
                "resources: [../../base]\nnamePrefix: prod-\nconfigMapGenerator:\n- name: made\n  literals: [x=1]\n",
            ),
        ],
    );
    let first = commit(&world, "an overlay");
    let settings = json!({"commonLabels": {"team": "shop"}, "labelWithoutSelector": true});
    world
        .apply(&application(&world, "overlays/prod", "kustomize", settings))
        .unwrap();
    world.wait_synced(&first).unwrap();
    let live = world.object("configmap/prod-a").unwrap();
    assert_eq!(text(&live, "/metadata/labels/team"), "shop");
    let made = || {
        world
            .kubectl(&["get", "configmap", "-l", "team=shop", "-o", "name"])
            .unwrap()
    };
    assert_eq!(made().lines().count(), 3, "{}", made());

    // The base is outside of the Application's folder, and yet its change counts.
    write(&world, &[("base/kustomization.yaml", "resources: [a.yaml]\n")]);
    let second = commit(&world, "one less");
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    let gone = format!("-n {} configmap/prod-b", world.namespace);
    world
        .engine
        .plane
        .wait_gone(&gone, std::time::Duration::from_secs(30))
        .unwrap();
    assert_eq!(made().lines().count(), 2, "{}", made());
}

#[test]
fn a_chart_that_cannot_be_rendered_holds_everything_as_it_is() {
    let world = World::shared("chart-broken").unwrap();
    write(
        &world,
        &[
            ("chart/Chart.yaml", CHART),
            ("chart/values.yaml", "value: one\n"),
            ("chart/templates/config.yaml", CONFIG),
        ],
    );
    let first = commit(&world, "a chart");
    world
        .apply(&application(&world, "chart", "helm", json!({})))
        .unwrap();
    world.wait_synced(&first).unwrap();
    write(
        &world,
        &[("chart/templates/config.yaml", "{{ fail \"not like this\" }}\n")],
    );
    commit(&world, "broken");
    world.refresh().unwrap();
    let status = world
        .wait_status(|status| {
            let rendered = sluice_cluster_tests::condition(status, "Rendered");
            ensure!(
                rendered.is_ok_and(|rendered| rendered["status"] == "False"),
                "it renders"
            );
            Ok(())
        })
        .unwrap();
    let rendered = sluice_cluster_tests::condition(&status, "Rendered").unwrap();
    let message = text(rendered, "/message");
    assert!(
        message.contains("R20")
            && message.contains("not like this")
            && message.contains("templates/config.yaml"),
        "{message}"
    );
    assert_eq!(
        text(&world.object("configmap/app").unwrap(), "/data/value"),
        "one"
    );
}
