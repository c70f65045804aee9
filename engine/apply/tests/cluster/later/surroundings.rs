//! Aggregated APIs, namespaces, and the order of what lets go.

use serde_json::{Value, json};
use sluice_model::outcome::StepResult;
use sluice_model::plan::Step;
use sluice_sandbox::ControlPlane;

use super::definitions::{definition, widget};
use super::policies::{SMALL, policy};
use super::{changed, code, impatient, is_done, pod, removed, service, until};
use crate::world::{World, results, step};

/// An object of an aggregated API, with what answers for it: another API server, behind a Service of this one.
#[tokio::test]
async fn an_aggregated_api_comes_with_an_object_of_it() {
    let world = World::new("later-api").await;
    let other = tokio::task::spawn_blocking(ControlPlane::start)
        .await
        .unwrap()
        .unwrap();
    let group = format!("{}.example.com", world.namespace);
    let everybody = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "everybody"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:unauthenticated"}]});
    let kind = definition(&world, json!({"size": {"type": "integer"}}));
    other.apply(&everybody.to_string()).unwrap();
    other.apply(&kind.to_string()).unwrap();
    other
        .kubectl(&format!("create namespace {}", world.namespace))
        .unwrap();
    let port: u16 = other.server().rsplit_once(':').unwrap().1.parse().unwrap();
    let service = |address: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": world.namespace},
            "spec": {"type": "ExternalName", "externalName": address, "ports": [{"port": port}]}})
    };
    let api = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": format!("v1.{group}")},
        "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10, "insecureSkipTLSVerify": true,
            "service": {"namespace": world.namespace, "name": "api", "port": port}}});
    let map = world.config_map("beside", "1");
    let one = widget(&world, "one", json!({"size": 1}));
    // Without what serves it, nothing is written.
    let finished = impatient(&world, &[step(map.clone()), step(one.clone())]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    assert_eq!(world.get(&map).await, None);
    let steps = [
        step(map),
        step(service("127.0.0.1")),
        step(one.clone()),
        step(api.clone()),
    ];
    is_done(&world.apply(&steps).await);
    assert!(world.get(&one).await.is_some());
    is_done(&world.apply(&[removed(&world, &api).await]).await);
}

#[tokio::test]
async fn what_a_new_namespace_gets_is_looked_at_before_anything_but_the_namespace_is_written() {
    let world = World::new("later-namespace").await;
    let inner = "later-namespace-inner";
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}});
    let inside = |mut manifest: Value| {
        manifest["metadata"]["namespace"] = inner.into();
        manifest
    };
    let mut bad = inside(service(&world, "bad"));
    bad["spec"]["ports"][0]["port"] = 99_999_999.into();
    let fine = inside(world.config_map("fine", "1"));
    let pod = inside(pod(&world, "p", json!({})));
    let steps = [
        step(namespace.clone()),
        step(fine.clone()),
        step(pod.clone()),
        step(bad),
    ];
    let finished = impatient(&world, &steps).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [
            StepResult::Created,
            StepResult::NotTried,
            StepResult::NotTried,
            StepResult::Failed
        ]
    );
    assert_eq!(world.get(&fine).await, None);
    let again = changed(&world, namespace).await;
    let good = inside(service(&world, "good"));
    is_done(&world.apply(&[again, step(fine), step(pod), step(good)]).await);
}

/// The order of waves is the user's; what limits and admits goes before what it holds up all the same.
#[tokio::test]
async fn what_lets_go_is_done_before_its_wave() {
    let world = World::new("later-waves").await;
    let [small, binding] = policy(&world, "small", SMALL);
    is_done(&world.apply(&[step(small), step(binding.clone())]).await);
    let large = world.config_map("large", "11");
    until(&world, &large, Some("K14")).await;
    let gone = Step {
        wave: 3,
        ..removed(&world, &binding).await
    };
    let between = Step {
        wave: 1,
        ..step(world.config_map("between", "1"))
    };
    is_done(&world.apply(&[step(large), between, gone]).await);
}
