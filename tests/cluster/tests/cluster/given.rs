//! What a rendering is given besides the files: values and variables from ConfigMaps and Secrets, and files that the real `sops` encrypted.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, text};
use sluice_sandbox::{Folder, Signature, output, renderer_program};

/// What no face may show: the secret values below, and in base64.
const VALUES: &[&str] = &["tulip", "dHVsaX", "R1bGlw", "0dWxpc"];

fn clean(face: &str, shown: &str) {
    for value in VALUES {
        if let Some(at) = shown.find(value) {
            let from = shown.floor_char_boundary(at.saturating_sub(300));
            panic!(
                "{face} shows a value: …{}",
                shown.get(from..at + value.len()).unwrap_or_default()
            );
        }
    }
}

/// Looks at every face of an Application.
fn all_clean(world: &World<'_>) {
    clean("the Application", &world.get().unwrap().to_string());
    clean(
        "the Events",
        &world.kubectl(&["get", "events", "-o", "yaml"]).unwrap(),
    );
    for command in [
        &["status", "app"][..],
        &["history", "app"],
        &["render", "app", "-vvv"],
        &["plan", "app", "-vvv"],
        &["plan", "app", "-o", "json"],
        &["diff", "app", "-vvv"],
        &["diff", "app", "-o", "json"],
        &["sync", "app", "--timeout", "20s", "-vvv"],
    ] {
        let (_, shown, said) = world.run(command);
        clean(&command.join(" "), &format!("{shown}\n{said}"));
    }
}

fn commit(world: &World<'_>, files: &[(&str, &str)]) -> String {
    for (path, content) in files {
        world.repository.write(path, content).unwrap();
    }
    world
        .commit_with("a commit", Signature::None)
        .unwrap()
        .to_string()
}

fn config(world: &World<'_>, kind: &str, name: &str, entries: Value) {
    let field = if kind == "Secret" { "stringData" } else { "data" };
    let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": world.namespace}, field: entries});
    world.apply(&object).unwrap();
}

fn wait(world: &World<'_>, what: &str, is: impl Fn(&Value) -> bool) {
    sluice_sandbox::wait_for(what, std::time::Duration::from_secs(60), || {
        ensure!(is(&world.object(what)?), "not yet");
        Ok(())
    })
    .unwrap();
}

/// Waits until the Application says that it cannot be rendered, with these words.
fn wait_held(world: &World<'_>, words: &[&str]) -> Value {
    world
        .wait_status(|status| {
            let rendered = condition(status, "Rendered")?;
            ensure!(rendered["status"] == "False", "it renders");
            for word in words {
                ensure!(
                    text(rendered, "/message").contains(word),
                    "{word:?} is not told: {rendered}"
                );
            }
            Ok(())
        })
        .unwrap()
}

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\n";
const TEMPLATE: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  color: {{ .Values.color | quote }}
  size: {{ .Values.size | quote }}
  token: {{ .Values.token | quote }}
  url: {{ printf \"https://%s@example.org\" .Values.token | quote }}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
data: {token: {{ .Values.token | b64enc }}}
";

/// Flux's `valuesFrom`: what changes in the cluster is rendered anew, and a Secret's value is shown nowhere, also where a template put it into
/// a ConfigMap.
#[test]
fn values_of_a_chart_follow_a_config_map_and_a_secret() {
    let world = World::shared("values-from").unwrap();
    config(
        &world,
        "ConfigMap",
        "values",
        json!({"values.yaml": "color: red\nsize: 1\ntoken: none\n"}),
    );
    config(&world, "Secret", "values", json!({"token": "tulip-token-one"}));
    let first = commit(
        &world,
        &[
            ("chart/Chart.yaml", CHART),
            ("chart/values.yaml", "color: white\n"),
            ("chart/templates/web.yaml", TEMPLATE),
        ],
    );
    let mut application = world.application();
    application["spec"]["source"]["path"] = "chart".into();
    application["spec"]["source"]["helm"] = json!({
        "valuesFrom": [
            {"kind": "ConfigMap", "name": "values"},
            {"kind": "Secret", "name": "values", "valuesKey": "token", "targetPath": "token"},
            {"kind": "Secret", "name": "missing", "optional": true},
        ],
        "values": "size: 2\n",
    });
    world.apply(&application).unwrap();
    world.wait_synced(&first).unwrap();
    let map = world.object("configmap/web").unwrap();
    assert_eq!(
        map["data"],
        json!({"color": "red", "size": "2", "token": "tulip-token-one", "url": "https://tulip-token-one@example.org"})
    );
    all_clean(&world);

    config(
        &world,
        "ConfigMap",
        "values",
        json!({"values.yaml": "color: green\n"}),
    );
    wait(&world, "configmap/web", |map| text(map, "/data/color") == "green");
    config(&world, "Secret", "values", json!({"token": "tulip-token-two"}));
    wait(&world, "configmap/web", |map| {
        text(map, "/data/token") == "tulip-token-two"
    });
    all_clean(&world);

    // A template that quotes what it was given, and then nothing to be given.
    commit(
        &world,
        &[(
            "chart/templates/web.yaml",
            "{{ fail (printf \"no: %s\" .Values.token) }}\n",
        )],
    );
    world.refresh().unwrap();
    wait_held(&world, &["R20", "no: ••••"]);
    all_clean(&world);
    world.kubectl(&["delete", "secret", "values"]).unwrap();
    world.refresh().unwrap();
    wait_held(&world, &["K41"]);
    assert_eq!(
        text(&world.object("configmap/web").unwrap(), "/data/token"),
        "tulip-token-two"
    );
}

#[test]
fn variables_are_expanded_and_secret_ones_are_shown_nowhere() {
    let world = World::shared("post-build").unwrap();
    config(
        &world,
        "ConfigMap",
        "variables",
        json!({"region": "north", "replicas": "3"}),
    );
    config(&world, "Secret", "variables", json!({"token": "tulip-variable"}));
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name:=web}\ndata:\n  region: ${region}\n  token: a ${token} b\n  kept: $${token}\n";
    let as_is = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: as-is\n  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}\ndata: {token: '${token}'}\n";
    let first = commit(
        &world,
        &[("manifests/web.yaml", map), ("manifests/as-is.yaml", as_is)],
    );
    let mut application = world.application();
    application["spec"]["postBuild"] = json!({
        "substitute": {"region": "south"},
        "substituteFrom": [{"kind": "ConfigMap", "name": "variables"}, {"kind": "Secret", "name": "variables"}],
    });
    world.apply(&application).unwrap();
    world.wait_synced(&first).unwrap();
    let live = world.object("configmap/web").unwrap();
    assert_eq!(
        live["data"],
        json!({"region": "south", "token": "a tulip-variable b", "kept": "${token}"})
    );
    assert_eq!(
        text(&world.object("configmap/as-is").unwrap(), "/data/token"),
        "${token}"
    );
    all_clean(&world);
    // A change by hand of such a field is a difference that shows neither side.
    let patch = json!({"data": {"token": "tulip-by-hand"}}).to_string();
    world
        .kubectl(&["patch", "configmap", "web", "--type=merge", "-p", &patch])
        .unwrap();
    all_clean(&world);
    wait(&world, "configmap/web", |map| {
        text(map, "/data/token") == "a tulip-variable b"
    });
    config(&world, "Secret", "variables", json!({"token": "tulip-another"}));
    wait(&world, "configmap/web", |map| {
        text(map, "/data/token") == "a tulip-another b"
    });
    all_clean(&world);
    // A secret value in a name would be shown everywhere.
    commit(
        &world,
        &[("manifests/web.yaml", &map.replace("${name:=web}", "x-${token}"))],
    );
    world.refresh().unwrap();
    wait_held(&world, &["R25", "metadata.name"]);
    all_clean(&world);
    world.object("configmap/web").unwrap();
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/encrypted-secrets")
}

/// The key of the example, and to whom it belongs.
fn key() -> (String, String) {
    let text = fs_err::read_to_string(example().join("keys/demo.agekey")).unwrap();
    let recipient = text
        .split_whitespace()
        .find(|word| word.starts_with("age1"))
        .unwrap()
        .to_owned();
    (text, recipient)
}

/// A file as the real `sops` encrypts it.
fn encrypted(name: &str, content: &str, options: &[&str]) -> String {
    let program = renderer_program("sops", |build| output(build).map(drop)).unwrap();
    let folder = Folder::new("sops").unwrap();
    folder.write(name, content).unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["encrypt", "--age", &key().1])
        .args(options)
        .arg(name);
    output(&mut command).unwrap()
}

fn opened(world: &World<'_>, path: &str) -> Value {
    let mut application = world.application();
    application["spec"]["source"]["path"] = path.into();
    application["spec"]["decryption"] = json!({"provider": "sops", "secretRef": {"name": "keys"}});
    application
}

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: plain\nstringData:\n  password: tulip-password\n";

#[test]
fn encrypted_manifests_are_opened_and_shown_nowhere() {
    let world = World::shared("sops-plain").unwrap();
    config(
        &world,
        "Secret",
        "keys",
        json!({"a.agekey": key().0, "readme": "passed over"}),
    );
    let only = ["--encrypted-regex", "^(data|stringData)$"];
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map\ndata:\n  password: tulip-in-a-map\n  color: blue\n";
    let first = commit(
        &world,
        &[
            ("manifests/secret.yaml", &encrypted("secret.yaml", SECRET, &only)),
            (
                "manifests/map.yaml",
                &encrypted("map.yaml", map, &["--encrypted-regex", "^password$"]),
            ),
        ],
    );
    world.apply(&opened(&world, "manifests")).unwrap();
    world.wait_synced(&first).unwrap();
    let password = world
        .kubectl(&[
            "get",
            "secret/plain",
            "-o",
            "go-template={{.data.password | base64decode}}",
        ])
        .unwrap();
    assert_eq!(password.trim(), "tulip-password");
    let live = world.object("configmap/map").unwrap();
    assert_eq!(
        live["data"],
        json!({"password": "tulip-in-a-map", "color": "blue"})
    );
    all_clean(&world);
    let patch = json!({"data": {"password": "tulip-by-hand"}}).to_string();
    world
        .kubectl(&["patch", "configmap", "map", "--type=merge", "-p", &patch])
        .unwrap();
    all_clean(&world);
    wait(&world, "configmap/map", |map| {
        text(map, "/data/password") == "tulip-in-a-map"
    });

    // Without its key, with another one, and tampered with: all stays, nothing is pruned, and the file is named.
    world.kubectl(&["delete", "secret", "keys"]).unwrap();
    world.refresh().unwrap();
    wait_held(&world, &["K41", "keys"]);
    let stranger = "AGE-SECRET-KEY-1E4D4PS4CWZ0JHELZ35QYWR4ZT7UCPMMHS0Q0Q2F49J8V4KTHJ7WSQFQDKW";
    config(&world, "Secret", "keys", json!({"a.agekey": stranger}));
    world.refresh().unwrap();
    wait_held(&world, &["E03", "manifests/secret.yaml"]);
    let names = world
        .kubectl(&["get", "secret/plain", "configmap/map", "-o", "name"])
        .unwrap();
    assert_eq!(names.lines().count(), 2);
    config(&world, "Secret", "keys", json!({"a.agekey": key().0}));
    world.refresh().unwrap();
    world.wait_synced(&first).unwrap();
    let tampered = encrypted("map.yaml", map, &["--encrypted-regex", "^password$"])
        .replace("color: blue", "color: black");
    commit(&world, &[("manifests/map.yaml", &tampered)]);
    world.refresh().unwrap();
    wait_held(&world, &["E05", "manifests/map.yaml"]);
    assert_eq!(
        text(&world.object("configmap/map").unwrap(), "/data/color"),
        "blue"
    );
    all_clean(&world);
}

#[test]
fn an_overlay_generates_secrets_of_encrypted_files() {
    let world = World::shared("sops-overlay").unwrap();
    config(&world, "Secret", "keys", json!({"a.agekey": key().0}));
    let kustomization =
        "resources: [secret.yaml]\nsecretGenerator:\n- name: made\n  envs: [made.env]\n  files: [blob.bin]\n";
    let first = commit(
        &world,
        &[
            ("app/kustomization.yaml", kustomization),
            (
                "app/secret.yaml",
                &encrypted("secret.yaml", SECRET, &["--encrypted-regex", "^stringData$"]),
            ),
            (
                "app/made.env",
                &encrypted("made.env", "TOKEN=tulip-of-env\nOTHER=tulip=x\n", &[]),
            ),
            ("app/blob.bin", &encrypted("blob.bin", "tulip bytes", &[])),
        ],
    );
    world.apply(&opened(&world, "app")).unwrap();
    world.wait_synced(&first).unwrap();
    let made = || {
        let all = world.kubectl(&["get", "secrets", "-o", "name"]).unwrap();
        all.lines()
            .find(|name| name.contains("/made-"))
            .unwrap()
            .to_owned()
    };
    let before = made();
    let data = |name: &str, key: &str| {
        let template = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
        world
            .kubectl(&["get", name, "-o", &template])
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(data(&before, "TOKEN"), "tulip-of-env");
    assert_eq!(data(&before, "OTHER"), "tulip=x");
    assert_eq!(data(&before, "blob.bin"), "tulip bytes");
    assert_eq!(data("secret/plain", "password"), "tulip-password");
    all_clean(&world);
    // A changed value changes the name that is generated.
    let second = commit(
        &world,
        &[(
            "app/made.env",
            &encrypted("made.env", "TOKEN=tulip-changed\n", &[]),
        )],
    );
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    sluice_sandbox::wait_for("the other name", std::time::Duration::from_secs(30), || {
        ensure!(made() != before, "not yet");
        Ok(())
    })
    .unwrap();
    assert_eq!(data(&made(), "TOKEN"), "tulip-changed");
}

#[test]
fn a_chart_computes_on_encrypted_values() {
    let world = World::shared("sops-chart").unwrap();
    config(&world, "Secret", "keys", json!({"a.agekey": key().0}));
    let first = commit(
        &world,
        &[
            ("chart/Chart.yaml", CHART),
            ("chart/values.yaml", "color: white\nsize: 1\n"),
            ("chart/templates/web.yaml", TEMPLATE),
            (
                "chart/secret.yaml",
                &encrypted("secret.yaml", "token: tulip-of-a-file\n", &[]),
            ),
        ],
    );
    let mut application = opened(&world, "chart");
    application["spec"]["source"]["helm"] = json!({"valueFiles": ["secret.yaml"]});
    world.apply(&application).unwrap();
    world.wait_synced(&first).unwrap();
    let map = world.object("configmap/web").unwrap();
    assert_eq!(text(&map, "/data/url"), "https://tulip-of-a-file@example.org");
    all_clean(&world);
}
