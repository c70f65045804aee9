//! What is printed for others to read: manifests, completion, versions.

use std::process::Stdio;

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::program::{run, sluice, text};

fn documents(yaml: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(yaml)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

fn install(arguments: &[&str]) -> String {
    let output = run(&[&["install"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn crds() {
    let yaml = text(&run(&["crds"]).stdout);
    insta::assert_snapshot!("crds", yaml);
    let json: Value = serde_json::from_slice(&run(&["crds", "-o", "json"]).stdout).unwrap();
    assert_eq!(documents(&yaml), [json]);
}

#[test]
fn every_field_of_the_crd_says_what_it_is_for() {
    fn check(schema: &Value, path: &str, missing: &mut Vec<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, property) in properties {
                let path = format!("{path}.{name}");
                if property["description"].as_str().is_none_or(str::is_empty) {
                    missing.push(path.clone());
                }
                check(property, &path, missing);
            }
        }
        if schema["items"].is_object() {
            check(&schema["items"], path, missing);
        }
    }
    let definition: Value = serde_json::from_slice(&run(&["crds", "-o", "json"]).stdout).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(
        schema["description"],
        "A path in a Git repository whose manifests are kept running in a cluster."
    );
    let mut missing = Vec::new();
    check(schema, "", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn install_with_nothing_to_manage() {
    insta::assert_snapshot!("install", install(&[]));
}

#[test]
fn install_for_two_namespaces() {
    let yaml = install(&[
        "--manage-namespace",
        "shop",
        "--manage-namespace",
        "web",
        "-n",
        "gitops",
        "--image",
        "registry.example.com/sluice:1",
        "--impersonate",
        "shop",
        "--default-service-account",
        "deployer",
    ]);
    insta::assert_snapshot!("install-namespaces", yaml);
}

#[test]
fn install_for_the_whole_cluster() {
    let yaml = install(&["--manage-cluster"]);
    let documents = documents(&yaml);
    let bound = documents
        .iter()
        .filter(|document| document["roleRef"]["name"] == "cluster-admin");
    assert_eq!(bound.count(), 1);
}

#[test]
fn nothing_is_granted_that_was_not_asked_for() {
    let rights = |arguments: &[&str]| -> Vec<Value> {
        let documents = documents(&install(arguments));
        documents
            .into_iter()
            .filter(|document| document["kind"] == "ClusterRole")
            .flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default())
            .collect()
    };
    let writes = [
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "*",
        "escalate",
        "bind",
        "impersonate",
    ];
    for rule in rights(&[]) {
        let verbs: Vec<&str> = rule["verbs"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let groups = rule["apiGroups"].as_array().unwrap();
        assert!(
            !groups.contains(&"*".into()) && !rule["resources"].as_array().unwrap().contains(&"*".into()),
            "{rule}"
        );
        // The ledgers of what was verified, in namespaces that were named for it: bound to nobody without one.
        let of_ledgers = rule["resources"] == json!(["configmaps"]) && verbs == ["create", "patch"];
        if verbs.iter().any(|verb| writes.contains(verb)) && !of_ledgers {
            assert!(
                groups
                    .iter()
                    .all(|group| group == "sluice.dev" || group == "events.k8s.io"),
                "{rule}"
            );
        }
    }
    // Secrets may be read by a role that nobody has.
    let all = documents(&install(&[]));
    let given: Vec<&str> = all
        .iter()
        .filter_map(|document| document["roleRef"]["name"].as_str())
        .collect();
    assert_eq!(given, ["sluice-controller", "sluice-controller"]);
    let all = documents(&install(&["--manage-namespace", "shop"]));
    let cluster_wide = all
        .iter()
        .filter(|document| document["kind"] == "ClusterRoleBinding");
    for binding in cluster_wide {
        assert!(
            binding["roleRef"]["name"]
                .as_str()
                .unwrap()
                .starts_with("sluice-"),
            "{binding}"
        );
    }
}

#[test]
fn the_pod_can_do_no_harm() {
    let documents = documents(&install(&[]));
    let deployment = documents
        .iter()
        .find(|document| document["kind"] == "Deployment")
        .unwrap();
    // Unknown fields would be dropped by a server that does not validate: they must not be there.
    let typed: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(deployment.clone()).unwrap();
    let again = serde_json::to_value(&typed).unwrap();
    assert_eq!(again["spec"], deployment["spec"]);
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(
        container["securityContext"]["capabilities"]["drop"],
        serde_json::json!(["ALL"])
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
    // What it is started with is a command line that this binary knows.
    let arguments = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str);
    let expanded: Vec<String> = arguments
        .map(|argument| argument.replace("$(POD_NAMESPACE)", "sluice-system"))
        .collect();
    let arguments: Vec<&str> = expanded.iter().map(String::as_str).collect();
    let output = run(&[arguments.as_slice(), &["--help"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn completion_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completion", shell]);
        assert!(output.status.success());
        let script = text(&output.stdout);
        assert!(script.contains("sluice") && script.contains("approve"), "{shell}");
    }
}

#[test]
fn version() {
    assert_eq!(
        text(&run(&["--version"]).stdout),
        format!("sluice {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_reader_who_leaves_is_no_failure() {
    let mut child = sluice(&["crds"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closed before anything was read.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let full = fs_err::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into_parts()
        .0;
    let output = sluice(&["crds"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(70));
    assert!(
        text(&output.stderr).contains("error[U02]"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn data_for_programs_has_no_colour() {
    for arguments in [
        &["plugin", "list"][..],
        &["plugin", "inspect", "prune-standard"],
        &["crds"],
    ] {
        assert!(!run(arguments).stdout.contains(&0x1b), "{arguments:?}");
    }
}
