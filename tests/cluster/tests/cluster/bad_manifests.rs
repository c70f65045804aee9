//! Commits that cannot be what anybody wants: a coded condition that names file and place, and what was running stays
//! untouched.

use sluice_cluster_tests::{World, config_map, short_reason, text};

/// Commits something bad to a running Application; expects Rendered to be False with all of `words` in the message.
fn check(name: &str, manifest: &str, words: &[&str]) {
    let world = World::shared(name).unwrap();
    let good = world.running().unwrap();
    let before = world.version("configmap/running").unwrap();

    // Beside it a change that is fine: it must not be applied either.
    world.write("running.yaml", &config_map("running", "2")).unwrap();
    world.write("bad.yaml", manifest).unwrap();
    world.commit("something bad").unwrap();
    world.refresh().unwrap();
    let refused = world.wait_refused("Rendered").unwrap();
    assert!(short_reason(&refused).unwrap().starts_with('R'), "{refused}");
    for word in words {
        assert!(
            text(&refused, "/message").contains(word),
            "{word:?} is not in {refused}"
        );
    }
    assert_eq!(world.version("configmap/running").unwrap(), before);
    assert_eq!(text(&world.get().unwrap(), "/status/sync/revision"), good);
    assert_eq!(text(&world.get().unwrap(), "/status/health/status"), "Healthy");

    world.repository.remove("manifests/bad.yaml").unwrap();
    let mended = world.commit("mended").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&mended).unwrap();
    assert_eq!(
        text(&world.object("configmap/running").unwrap(), "/data/value"),
        "2"
    );
}

#[test]
fn yaml_that_does_not_parse() {
    check(
        "no-yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n",
        &["bad.yaml", ":4:"],
    );
}

#[test]
fn a_document_without_kind() {
    check(
        "no-kind",
        "apiVersion: v1\nmetadata:\n  name: x\n",
        &["bad.yaml", "kind"],
    );
}

#[test]
fn a_duplicate_key() {
    let manifest = format!("{}data:\n  other: x\n", config_map("x", "1"));
    check("duplicate-key", &manifest, &["bad.yaml", "data"]);
}

#[test]
fn two_manifests_of_one_object() {
    check(
        "two-of-one",
        &config_map("running", "3"),
        &["bad.yaml", "running.yaml", "running"],
    );
}

#[test]
fn a_cluster_scoped_object_with_a_namespace() {
    let manifest =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: x\n  namespace: y\n";
    check("namespaced-cluster-role", manifest, &["bad.yaml", "ClusterRole"]);
}

#[test]
fn an_unknown_kind() {
    let manifest = "apiVersion: example.org/v1\nkind: Gizmo\nmetadata:\n  name: x\n";
    check("unknown-kind", manifest, &["bad.yaml", "Gizmo"]);
}

#[test]
fn a_kind_whose_definition_comes_in_the_same_sync() {
    let world = World::shared("own-kind").unwrap();
    world.running().unwrap();
    let definition = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: sprockets.cluster-tests.example.org
spec:
  group: cluster-tests.example.org
  scope: Namespaced
  names: {plural: sprockets, singular: sprocket, kind: Sprocket}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {teeth: {type: integer}}}
";
    let sprocket = "apiVersion: cluster-tests.example.org/v1\nkind: Sprocket\nmetadata:\n  name: a\nspec:\n  teeth: 12\n";
    // The object comes before its definition by name, so that the order is the engine's.
    world.write("a.yaml", sprocket).unwrap();
    world.write("z.yaml", definition).unwrap();
    let commit = world.commit("a kind and one of it").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    assert_eq!(
        world.object("sprockets.cluster-tests.example.org/a").unwrap()["spec"]["teeth"],
        12
    );
}

/// What a link leads to would be pruned, if the link were passed over in silence.
#[test]
fn a_linked_folder_is_told_in_the_status_and_prunes_nothing() {
    let world = World::shared("linked-folder").unwrap();
    world
        .write("base/shared.yaml", &config_map("shared", "1"))
        .unwrap();
    let mut application = world.application();
    application["spec"]["source"]["directory"] = serde_json::json!({"recurse": true});
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let good = world.commit("a folder").unwrap();
    world.apply(&application).unwrap();
    world.wait_synced(&good).unwrap();
    let before = world.version("configmap/shared").unwrap();

    let folder = world.repository.path().join("manifests/base");
    let elsewhere = world.repository.path().join("base");
    std::fs::rename(&folder, &elsewhere).unwrap();
    std::os::unix::fs::symlink("../base", &folder).unwrap();
    world.commit("a link in its place").unwrap();
    world.refresh().unwrap();
    let refused = world.wait_refused("Rendered").unwrap();
    assert_eq!(short_reason(&refused).unwrap(), "R09", "{refused}");
    for word in ["manifests/base", "symbolic link", "hint: "] {
        assert!(
            text(&refused, "/message").contains(word),
            "{word:?} is not in {refused}"
        );
    }
    let (_, shown, said) = world.run(&["status", "app"]);
    assert!(
        shown.contains("R09") && shown.contains("symbolic link"),
        "{shown}{said}"
    );
    let (code, _, said) = world.run(&["plan", "app"]);
    assert!(
        code == Some(3) && said.contains("error[R09]") && said.contains("manifests/base"),
        "{said}"
    );
    assert_eq!(world.version("configmap/shared").unwrap(), before);
}

#[test]
fn an_empty_folder_is_a_mistake_unless_it_is_allowed() {
    let world = World::shared("empty-tree").unwrap();
    world.running().unwrap();
    let before = world.version("configmap/running").unwrap();
    world.repository.remove("manifests/running.yaml").unwrap();
    world
        .repository
        .write("manifests/README.md", "Nothing left.\n")
        .unwrap();
    let empty = world.commit("everything removed").unwrap();
    world.refresh().unwrap();
    let status = world
        .wait_status(|status| {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            let refused = conditions
                .iter()
                .any(|it| it["status"] == "False" && short_reason(it).is_ok());
            anyhow::ensure!(refused, "nothing is refused");
            Ok(())
        })
        .unwrap();
    assert_eq!(world.version("configmap/running").unwrap(), before, "{status:#}");

    let mut application = world.application();
    application["spec"]["syncPolicy"]["automated"]["allowEmpty"] = true.into();
    world.apply(&application).unwrap();
    world
        .wait_status(|status| {
            anyhow::ensure!(text(status, "/sync/revision") == empty, "not there yet");
            anyhow::ensure!(text(status, "/sync/status") == "Synced", "not Synced");
            Ok(())
        })
        .unwrap();
    let namespace = &world.namespace;
    world
        .engine
        .plane
        .wait_gone(
            &format!("-n {namespace} configmap/running"),
            std::time::Duration::from_secs(30),
        )
        .unwrap();
}
