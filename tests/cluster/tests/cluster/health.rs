//! `sluice health` on a cluster: objects by themselves, Applications as trees, again whenever something changes, and two models beside
//! each other.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use sluice_cluster_tests::{World, config_map, text};

use crate::operations::stuck;

const A_WHILE: Duration = Duration::from_secs(60);
/// A Secret's value, which a Pod says in its status.
const VALUE: &str = "hush-4711-of-the-tree";

/// The names along the way to the culprit.
fn culprit(document: &Value) -> Vec<&str> {
    let way = document["culprit"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    way.iter().map(|named| text(named, "/kind")).collect()
}

fn health(world: &World<'_>, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (code, shown, said) = world.run(&[&["health", "-o", "json"], arguments].concat());
    let line =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line} {said}"));
    (code, shown.lines().map(line).collect())
}

/// Commits a Deployment whose Pod finds no node, and what stands beside it.
fn commit(world: &World<'_>) {
    world.write("stuck.yaml", &stuck(600, "")).unwrap();
    world
        .write("settings.yaml", &config_map("settings", "1"))
        .unwrap();
    let secret =
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{password: {VALUE}}}\n");
    world.write("secret.yaml", &secret).unwrap();
    world.commit("something that does not run").unwrap();
}

/// Waits for the Pod, and has it say that its image cannot be had.
fn broken_pod(world: &World<'_>) -> String {
    let pod = sluice_sandbox::wait_for("the Pod", A_WHILE, || {
        let pod = world.kubectl(&[
            "get",
            "pods",
            "-l",
            "app=stuck",
            "-o",
            "jsonpath={.items[0].metadata.name}",
        ])?;
        ensure!(!pod.is_empty(), "there is none");
        Ok(pod)
    })
    .unwrap();
    let waiting = json!({"reason": "ImagePullBackOff", "message": format!("not found, with {VALUE}")});
    let container = json!({"name": "c", "image": "registry.example.org/c:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": waiting}});
    let patch = json!({"status": {"containerStatuses": [container]}}).to_string();
    world
        .kubectl(&[
            "patch",
            "pod",
            &pod,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ])
        .unwrap();
    pod
}

#[test]
fn an_application_is_a_tree_down_to_its_pods() {
    let world = World::shared("health-tree").unwrap();
    commit(&world);
    world.apply(&world.application()).unwrap();
    let pod = broken_pod(&world);
    let document = sluice_sandbox::wait_for("the culprit", A_WHILE, || {
        let (code, documents) = health(&world, &["app"]);
        let document = documents.into_iter().next().context("nothing")?;
        ensure!(
            culprit(&document) == ["Deployment", "ReplicaSet", "Pod"],
            "{document:#}"
        );
        ensure!(code == Some(1), "{code:?}");
        Ok(document)
    })
    .unwrap();
    assert_eq!(text(&document, "/kind"), "Application");
    assert_eq!(text(&document, "/culprit/2/name"), pod);
    assert_eq!(
        text(&document, "/status"),
        "Progressing",
        "as the Deployment is: {document:#}"
    );
    assert_eq!(document["unseen"], json!([]));
    let objects = document["objects"].as_array().unwrap();
    let kinds: Vec<&str> = objects.iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(kinds, ["ConfigMap", "Secret", "Deployment"]);
    let found = &objects[2]["children"][0]["children"][0];
    assert_eq!(
        (text(found, "/name"), text(found, "/status")),
        (pod.as_str(), "Degraded")
    );
    assert_eq!(
        (&found["counts"], &objects[2]["counts"]),
        (&json!(false), &json!(true))
    );

    let (_, shown, _) = world.run(&["health", "app", "--why"]);
    let first = shown.lines().next().unwrap();
    let way = format!(
        "because of Deployment/stuck → ReplicaSet/{} → Pod/{pod}: ",
        &pod[..pod.rfind('-').unwrap()]
    );
    assert!(first.contains(&way) && first.contains("not found"), "{shown}");
    for part in [
        "└─ Deployment/stuck".to_owned(),
        format!("      └─ Pod/{pod}"),
        "├─ ConfigMap/settings".to_owned(),
        "by: health-kubernetes (Deployment.apps)".to_owned(),
        "read: ".to_owned(),
        "beside it: ReplicaSet.apps owned by it, Pod owned by ReplicaSet/stuck-".to_owned(),
    ] {
        assert!(shown.contains(&part), "{part}: {shown}");
    }
    assert!(
        !shown.contains(VALUE) && !document.to_string().contains(VALUE),
        "{shown}"
    );
}

#[test]
fn an_application_is_judged_by_its_own_policies() {
    let world = World::shared("health-policies").unwrap();
    commit(&world);
    // It has the name of a command, too.
    let mut application = world.application();
    application["metadata"]["name"] = "diff".into();
    application["spec"]["policies"] = json!({"health": [{"plugin": "health-kstatus"}]});
    world.apply(&application).unwrap();
    let pod = broken_pod(&world);
    let by = |arguments: &[&str]| {
        let (_, documents) = health(&world, arguments);
        text(&documents[0], "/objects/2/children/0/children/0/plugin").to_owned()
    };
    assert_eq!(by(&["application/diff"]), "health-kstatus");
    assert_eq!(
        by(&["application/diff", "--plugin", "health-kubernetes"]),
        "health-kubernetes"
    );

    for which in ["application/diff", "--all"] {
        let compared = [
            "health",
            "diff",
            which,
            "--against",
            "health-kubernetes",
            "-o",
            "json",
        ];
        let (code, shown, said) = world.run(&compared);
        assert_eq!(code, Some(1), "{said}");
        let rows: Vec<Value> = shown
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let row = rows.iter().find(|row| row["name"] == pod.as_str()).unwrap();
        assert_eq!(text(row, "/application"), format!("{}/diff", world.namespace));
        assert_eq!(text(row, "/then/status"), "Degraded");
        assert_eq!(text(row, "/now/plugin"), "health-kstatus");
        assert_ne!(row["now"]["status"], row["then"]["status"]);
        assert!(!shown.contains(VALUE), "{shown}");
    }
    let same = [
        "health",
        "diff",
        "application/diff",
        "--against",
        "health-kstatus",
    ];
    let shown = world.done(&same);
    assert!(shown.contains("0 objects differ, "), "{shown}");
}

#[test]
fn objects_are_judged_by_what_people_call_them() {
    let world = World::shared("health-objects").unwrap();
    let namespace = world.namespace.clone();
    world.kubectl(&["create", "configmap", "settings"]).unwrap();
    world.kubectl(&["create", "serviceaccount", "worker"]).unwrap();
    for what in [
        "configmap/settings",
        "cm/settings",
        "ConfigMap/settings",
        "configmaps/settings",
        "sa/worker",
    ] {
        let (code, rows) = health(&world, &[what]);
        assert_eq!((code, text(&rows[0], "/status")), (Some(0), "Healthy"), "{what}");
        assert_eq!(text(&rows[0], "/namespace"), namespace);
    }
    let (code, rows) = health(
        &world,
        &["cm/settings", "deploy/nobody", &format!("ns/{namespace}")],
    );
    assert_eq!(code, Some(1));
    let found: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (text(row, "/kind"), text(row, "/status")))
        .collect();
    assert_eq!(
        found,
        [
            ("ConfigMap", "Healthy"),
            ("Deployment", "Missing"),
            ("Namespace", "Healthy")
        ]
    );
    assert_eq!(rows[2]["namespace"], Value::Null);
    for (what, code) in [("frob/x", "error[U28]"), ("nobody", "error[U08]")] {
        let (exit, shown, said) = world.run(&["health", what]);
        assert_eq!((exit, shown.as_str()), (Some(3), ""), "{said}");
        assert!(said.contains(code) && said.contains("hint:"), "{said}");
    }
}

/// A command that goes on until it is dropped.
struct Watching {
    child: Child,
    lines: Receiver<Value>,
}

impl Watching {
    fn start(world: &World<'_>, what: &[&str]) -> Self {
        let mut command = world.engine.command();
        command
            .args(["health", "-w", "-o", "json", "-n", &world.namespace])
            .args(what);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            for line in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that is as wanted.
    fn until(&self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self
                .lines
                .recv_timeout(A_WHILE)
                .unwrap_or_else(|_| panic!("{what} was not seen"));
            if is_wanted(&line) {
                return line;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn what_changes_is_printed_again() {
    let world = World::shared("health-watch").unwrap();
    world.running().unwrap();
    let watching = Watching::start(&world, &["app", "cm/later"]);
    watching.until("what is missing", |line| {
        line["name"] == "later" && line["status"] == "Missing"
    });
    let first = watching.until("the Application", |line| line["kind"] == "Application");
    assert_eq!(text(&first, "/status"), "Healthy");
    world.kubectl(&["create", "configmap", "later"]).unwrap();
    watching.until("what came", |line| {
        line["name"] == "later" && line["status"] == "Healthy"
    });
    // A new object of the Application, what controllers make of it, and what is said of that.
    commit(&world);
    world.refresh().unwrap();
    broken_pod(&world);
    watching.until("the culprit", |line| {
        culprit(line) == ["Deployment", "ReplicaSet", "Pod"]
    });
    world.kubectl(&["delete", "configmap", "later"]).unwrap();
    watching.until("what went", |line| {
        line["name"] == "later" && line["status"] == "Missing"
    });
}
