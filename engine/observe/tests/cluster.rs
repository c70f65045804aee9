//! Watches of a real API server.
#![expect(
    clippy::unwrap_used,
    reason = "what a test builds upon either works or ends it"
)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_cluster::{Cluster, ConnectOptions, Kind, Patch, Target};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::{Coded as _, Object};
use sluice_observe::Observer;
use sluice_sandbox::ControlPlane;
use tokio::sync::mpsc;

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn cluster() -> Cluster {
    let plane = tokio::task::spawn_blocking(ControlPlane::shared).await.unwrap();
    let options = ConnectOptions {
        kubeconfig: Some(plane.kubeconfig().to_owned()),
        context: None,
    };
    Cluster::connect(&options).await.unwrap()
}

fn config_maps() -> Kind {
    Kind {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        plural: "configmaps".to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    }
}

fn config_map(name: &str, owner: &str, value: &str) -> Object {
    let manifest: Value = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"value": value},
        "metadata": {"name": name, "namespace": "default", "labels": {PART_OF_LABEL: owner}}});
    Object::new(manifest).unwrap()
}

async fn apply(cluster: &Cluster, object: &Object) -> Object {
    let reply = cluster
        .apply(&config_maps(), object, Patch::default())
        .await
        .unwrap();
    reply.object().unwrap()
}

fn observer(cluster: &Cluster) -> (Observer, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let tell = move |id: &str| {
        let _nobody_listens_any_more = sender.send(id.to_owned());
    };
    (
        Observer::new(Target::new(cluster.clone()), None, Arc::new(tell)),
        receiver,
    )
}

/// Waits until the members' values are these.
async fn until(
    observer: &Observer,
    changes: &mut mpsc::UnboundedReceiver<String>,
    owner: &str,
    expected: &[&str],
) {
    let reached = async {
        loop {
            let members = observer.snapshot(&[config_maps()], owner);
            let values: Vec<_> = members
                .iter()
                .map(|member| member.value()["data"]["value"].as_str().unwrap_or_default())
                .collect();
            if values == expected {
                return;
            }
            changes.recv().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test]
async fn members_are_seen_come_change_and_go() {
    let cluster = cluster().await;
    let owner = "applyset-observe-life-v1";
    let stored = apply(&cluster, &config_map("observe-a", owner, "1")).await;
    apply(
        &cluster,
        &config_map("observe-other", "applyset-somebody-v1", "x"),
    )
    .await;
    let (observer, mut changes) = observer(&cluster);
    observer.ensure(&[config_maps()], PATIENCE).await.unwrap();
    let members = observer.snapshot(&[config_maps()], owner);
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].metadata("uid"), stored.metadata("uid"));

    apply(&cluster, &config_map("observe-a", owner, "2")).await;
    until(&observer, &mut changes, owner, &["2"]).await;
    let answer = apply(&cluster, &config_map("observe-b", owner, "3")).await;
    observer.learn(&answer);
    let values = observer.snapshot(&[config_maps()], owner).len();
    assert_eq!(values, 2, "our own write is known before the watch tells of it");
    for name in ["observe-a", "observe-b"] {
        let reference = config_map(name, owner, "").reference();
        let propagation = sluice_model::decision::Propagation::Background;
        cluster
            .delete(&config_maps(), &reference, propagation, None, false)
            .await
            .unwrap();
    }
    until(&observer, &mut changes, owner, &[]).await;
    observer.retain(|_| false);
    assert_eq!(observer.size(), (0, 0));
}

#[tokio::test]
async fn what_may_not_be_watched_is_said() {
    let cluster = cluster().await;
    let plane = tokio::task::spawn_blocking(ControlPlane::shared).await.unwrap();
    let text = fs_err::read_to_string(plane.kubeconfig()).unwrap();
    let mut file = kube::config::Kubeconfig::from_yaml(&text).unwrap();
    for user in &mut file.auth_infos {
        if let Some(user) = &mut user.auth_info {
            user.impersonate = Some("nobody-in-particular".to_owned());
        }
    }
    let config = kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
        .await
        .unwrap();
    let nobody = Cluster::from_config(config).unwrap();
    let (observer, _changes) = observer(&nobody);
    let error = observer.ensure(&[config_maps()], PATIENCE).await.unwrap_err();
    assert_eq!(error.code().id, "O01", "{error}");
    drop(cluster);
}

#[tokio::test]
async fn a_dead_server_and_a_slow_one_are_told_apart() {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let (dead, _changes) = observer(&Cluster::from_config(config).unwrap());
    let error = dead.ensure(&[config_maps()], PATIENCE).await.unwrap_err();
    assert_eq!(error.code().id, "O02", "{error}");
    assert!(error.to_string().contains("ConfigMap"), "{error}");

    // Accepts, and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = kube::Config::new(
        format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
    );
    let (slow, _changes) = observer(&Cluster::from_config(config).unwrap());
    let error = slow
        .ensure(&[config_maps()], Duration::from_millis(300))
        .await
        .unwrap_err();
    assert_eq!(error.code().id, "O03", "{error}");
}
