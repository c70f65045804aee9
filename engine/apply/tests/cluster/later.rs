//! What the server refuses before the plan, and takes once the plan has changed what the refusal rests on: that goes first, the
//! object is rehearsed again, and only then anything else is written. What no step of the plan changes stops everything.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_apply::{ApplyError, Finished, Options, Rehearse};
use sluice_model::Coded as _;
use sluice_model::outcome::StepResult;
use sluice_model::plan::Step;
use sluice_sandbox::{Admission, ControlPlane, Webhook};

use crate::world::{World, deletion, pinned_to_uid, plan, results, step, with};

/// A sync that does not wait long for what does not come.
async fn impatient(world: &World, steps: &[Step]) -> Finished {
    let options = Options {
        taking_effect: Duration::from_secs(1),
        ..Options::default()
    };
    world.run(&plan(steps), None, options, |_| Ok(())).await
}

fn code(finished: &Finished) -> Option<&'static str> {
    finished.failure.as_ref().map(|error| error.code().id)
}

fn is_done(finished: &Finished) {
    assert!(finished.failure.is_none(), "{finished:?}");
}

/// The step that changes an object that is there.
async fn changed(world: &World, manifest: Value) -> Step {
    let live = world.get(&manifest).await.unwrap();
    with(manifest, Some(&pinned_to_uid(&live)), |_, _, force| {
        *force = false
    })
}

async fn removed(world: &World, manifest: &Value) -> Step {
    deletion(&world.get(manifest).await.unwrap())
}

/// Waits until a dry-run of an object ends with this code, or passes: what was set up is in force.
async fn until(world: &World, manifest: &Value, expected: Option<&str>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let options = Options {
            rehearse: Rehearse::Only,
            ..Options::default()
        };
        let finished = world
            .run(&plan(&[step(manifest.clone())]), None, options, |_| Ok(()))
            .await;
        let refusal = match &finished.failure {
            Some(ApplyError::Refused { refusals }) => Some(refusals[0].code.id),
            _ => None,
        };
        if refusal == expected {
            return;
        }
        assert!(Instant::now() < deadline, "not {expected:?}: {finished:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the controller of quotas has counted so many Services.
async fn until_counted(world: &World, quota: &Value, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let live = world.get(quota).await.unwrap();
        let used = live.value().pointer("/status/used/count~1services").cloned();
        if used == Some(expected.into()) {
            return;
        }
        assert!(Instant::now() < deadline, "not counted: {live:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn service(world: &World, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": world.namespace}, "spec": {"ports": [{"port": 80}]}})
}

fn pod(world: &World, name: &str, spec: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"containers": [{"name": "c", "image": "example.org/c:1"}]}});
    for (key, value) in spec.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}

#[tokio::test]
async fn a_quota_is_raised_and_used() {
    let world = World::new("later-quota").await;
    let quota = |count: &str| {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limits", "namespace": world.namespace},
            "spec": {"hard": {"count/services": count}}})
    };
    // The Service first: what comes at the same moment as a quota is not counted until minutes later.
    is_done(&world.apply(&[step(service(&world, "a"))]).await);
    is_done(&world.apply(&[step(quota("1"))]).await);
    until_counted(&world, &quota("1"), "1").await;
    until(&world, &service(&world, "b"), Some("K16")).await;

    let map = world.config_map("beside", "1");
    let steps = |quota: Step| {
        [
            step(map.clone()),
            quota,
            step(service(&world, "b")),
            step(service(&world, "c")),
        ]
    };
    // Not enough, and said before anything is written.
    let less = impatient(&world, &steps(changed(&world, quota("0")).await)).await;
    assert_eq!(code(&less), Some("A04"), "{less:?}");
    let elsewhere = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "another", "namespace": world.namespace},
        "spec": {"hard": {"count/services": "9"}}});
    assert_eq!(
        code(&impatient(&world, &steps(step(elsewhere))).await),
        Some("A04")
    );
    assert_eq!(world.get(&map).await, None);

    // A dry-run says what will be rehearsed later, and on what it rests.
    let enough = steps(changed(&world, quota("3")).await);
    let options = Options {
        rehearse: Rehearse::Only,
        ..Options::default()
    };
    let tried = world.run(&plan(&enough), None, options, |_| Ok(())).await;
    is_done(&tried);
    assert_eq!(
        tried.outcomes[2].message,
        "rehearsed later: rests on ResourceQuota later-quota/limits"
    );
    let rests_on = |index: usize| {
        let on = &tried.outcomes[index].rests_on;
        on.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(rests_on(2), ["ResourceQuota later-quota/limits"]);
    assert!(rests_on(0).is_empty() && rests_on(1).is_empty());
    let done = world.apply(&enough).await;
    is_done(&done);
    assert!(
        done.outcomes[2].message.contains("rests on ResourceQuota"),
        "{done:?}"
    );
    assert!(world.get(&service(&world, "c")).await.is_some());

    // More is wanted than the new one gives: it ends there, and nothing but the quota was written.
    until(&world, &service(&world, "d"), Some("K16")).await;
    let wanted: Vec<Step> = [
        changed(&world, quota("4")).await,
        step(world.config_map("after", "1")),
    ]
    .into_iter()
    .chain(["d", "e"].map(|name| step(service(&world, name))))
    .collect();
    // Each alone passes; together they do not, which only the write tells.
    let finished = impatient(&world, &wanted).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
}

#[tokio::test]
async fn limits_are_widened_for_what_needs_more() {
    let world = World::new("later-limits").await;
    let range = |memory: &str| {
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": world.namespace},
            "spec": {"limits": [{"type": "Container", "max": {"memory": memory}}]}})
    };
    let big = pod(
        &world,
        "big",
        json!({"containers": [{"name": "c", "image": "i", "resources": {"limits": {"memory": "2Gi"}}}]}),
    );
    is_done(&world.apply(&[step(range("1Gi"))]).await);
    until(&world, &big, Some("K14")).await;
    let map = world.config_map("beside", "1");
    let finished = impatient(&world, &[step(map.clone()), step(big.clone())]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    // Widened too little: the limits are written, and nothing else.
    let little = changed(&world, range("1536Mi")).await;
    let finished = impatient(&world, &[step(map.clone()), little, step(big.clone())]).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [StepResult::NotTried, StepResult::Configured, StepResult::Failed]
    );
    assert_eq!(world.get(&map).await, None);
    let enough = changed(&world, range("2Gi")).await;
    is_done(&world.apply(&[step(map), enough, step(big)]).await);
}

/// A policy for the ConfigMaps of one namespace, and its binding.
fn policy(world: &World, name: &str, expression: &str) -> [Value; 2] {
    let api = "admissionregistration.k8s.io/v1";
    let name = format!("{}-{name}", world.namespace);
    let mine =
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}});
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]);
    [
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules},
                "validations": [{"expression": expression, "message": "field is not as it must be"}]}}),
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": mine}}),
    ]
}

const SMALL: &str = "object.metadata.name == 'kube-root-ca.crt' || int(object.data.value) < 10";
const MIDDLE: &str = "object.metadata.name == 'kube-root-ca.crt' || int(object.data.value) < 20";

#[tokio::test]
async fn a_policy_is_widened_or_removed_with_what_it_then_admits() {
    let world = World::new("later-policy").await;
    let [small, binding] = policy(&world, "small", SMALL);
    let [middle, _] = policy(&world, "small", MIDDLE);
    is_done(&world.apply(&[step(small.clone()), step(binding.clone())]).await);
    let (before, beside) = (world.config_map("before", "11"), world.config_map("beside", "1"));
    until(&world, &before, Some("K14")).await;
    // Another policy is no reason.
    let [other, _] = policy(&world, "other", "true");
    let finished = impatient(&world, &[step(beside.clone()), step(before.clone()), step(other)]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    assert_eq!(world.get(&beside).await, None);
    // Widened, and not enough for this one: the policy is written, and nothing else.
    let wider = changed(&world, middle.clone()).await;
    let finished = impatient(
        &world,
        &[step(beside.clone()), step(world.config_map("a", "30")), wider],
    )
    .await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [StepResult::NotTried, StepResult::Failed, StepResult::Configured]
    );
    assert_eq!(world.get(&beside).await, None);
    // Widened again from the start, with what it admits.
    is_done(&world.apply(&[changed(&world, small).await]).await);
    until(&world, &before, Some("K14")).await;
    let wider = changed(&world, middle).await;
    is_done(&world.apply(&[step(beside.clone()), step(before), wider]).await);
    // Its binding goes.
    let large = world.config_map("large", "30");
    until(&world, &large, Some("K14")).await;
    let gone = removed(&world, &binding).await;
    is_done(&world.apply(&[step(large), gone]).await);
}

#[tokio::test]
async fn parameters_of_a_policy_are_widened() {
    let world = World::new("later-parameters").await;
    let [mut policy, mut binding] = policy(
        &world,
        "p",
        "object.metadata.name in ['kube-root-ca.crt', 'limit'] || int(object.data.value) < int(params.data.value)",
    );
    policy["spec"]["paramKind"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    binding["spec"]["paramRef"] =
        json!({"name": "limit", "namespace": world.namespace, "parameterNotFoundAction": "Deny"});
    let limit = world.config_map("limit", "10");
    is_done(&world.apply(&[step(limit), step(policy), step(binding)]).await);
    let large = world.config_map("large", "11");
    until(&world, &large, Some("K14")).await;
    let wider = changed(&world, world.config_map("limit", "20")).await;
    is_done(&world.apply(&[step(large), wider]).await);
}

fn definition(world: &World, properties: Value) -> Value {
    let group = format!("{}.example.com", world.namespace);
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
}

fn widget(world: &World, name: &str, spec: Value) -> Value {
    json!({"apiVersion": format!("{}.example.com/v1", world.namespace), "kind": "Widget",
        "metadata": {"name": name, "namespace": world.namespace}, "spec": spec})
}

#[tokio::test]
async fn a_definition_gets_a_field_with_an_object_that_uses_it() {
    let world = World::new("later-definition").await;
    let (integer, text) = (json!({"type": "integer"}), json!({"type": "string"}));
    is_done(
        &world
            .apply(&[step(definition(&world, json!({"size": integer})))])
            .await,
    );
    let map = world.config_map("beside", "1");
    let coloured = || step(widget(&world, "coloured", json!({"size": 1, "colour": "red"})));
    let finished = impatient(&world, &[step(map.clone()), coloured()]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    // The new schema does not take it either: the definition is written, and nothing else.
    let new = definition(&world, json!({"size": integer, "weight": integer}));
    let wrong = changed(&world, new).await;
    let finished = impatient(&world, &[wrong, step(map.clone()), coloured()]).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [StepResult::Configured, StepResult::NotTried, StepResult::Failed]
    );
    assert_eq!(world.get(&map).await, None);
    let new = definition(&world, json!({"size": integer, "colour": text}));
    let right = changed(&world, new).await;
    is_done(&world.apply(&[right, step(map), coloured()]).await);
}

/// Objects of a kind that comes with the plan were written without having been looked at.
#[tokio::test]
async fn a_bad_object_of_a_new_kind_is_found_before_anything_else_is_written() {
    let world = World::new("later-kind").await;
    let map = world.config_map("beside", "1");
    let new = definition(&world, json!({"size": {"type": "integer"}}));
    let bad = step(widget(&world, "bad", json!({"size": "large"})));
    let finished = impatient(&world, &[step(new.clone()), step(map.clone()), bad]).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(world.get(&map).await, None);
    assert!(world.get(&new).await.is_some());
}

#[tokio::test]
async fn a_class_comes_with_the_pod_that_names_it() {
    let world = World::new("later-classes").await;
    let urgent = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "later-urgent"}, "value": 1000});
    let boxed = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "later-boxed"}, "handler": "boxed"});
    let robot = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": world.namespace}});
    let first = || {
        pod(
            &world,
            "first",
            json!({"priorityClassName": "later-urgent", "serviceAccountName": "robot"}),
        )
    };
    let second = || pod(&world, "second", json!({"runtimeClassName": "later-boxed"}));
    // One of them only: the other is missed before anything is written.
    let finished = impatient(
        &world,
        &[
            step(urgent.clone()),
            step(robot.clone()),
            step(first()),
            step(second()),
        ],
    )
    .await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    assert_eq!(world.get(&urgent).await, None);
    let all = [urgent, boxed, robot, first(), second()].map(step);
    is_done(&world.apply(&all).await);
}

/// A webhook for some ConfigMaps of one namespace; nobody answers for it.
fn webhook(world: &World, failure_policy: &str) -> Value {
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]);
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": world.namespace},
        "webhooks": [{"name": format!("{}.example.com", world.namespace), "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "timeoutSeconds": 1, "failurePolicy": failure_policy, "rules": rules,
            "objectSelector": {"matchLabels": {"checked": "true"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
            "clientConfig": {"service": {"name": "checker", "namespace": world.namespace, "path": "/"}}}]})
}

fn checked(world: &World, name: &str) -> Value {
    let mut map = world.config_map(name, "1");
    map["metadata"]["labels"] = json!({"checked": "true"});
    map
}

fn checker(world: &World, image: &str) -> [Value; 2] {
    let labels = json!({"app": "checker"});
    let template =
        json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}});
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "checker", "namespace": world.namespace},
            "spec": {"selector": labels, "ports": [{"port": 443}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checker", "namespace": world.namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": template}}),
    ]
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_is_made_lenient_or_goes() {
    let world = World::new("later-webhook").await;
    is_done(&world.apply(&[step(webhook(&world, "Fail"))]).await);
    until(&world, &checked(&world, "a"), Some("K23")).await;
    // Nothing of the plan mends it.
    let elsewhere = World::new("later-webhook-beside").await;
    let map = elsewhere.config_map("beside", "1");
    let finished = impatient(&world, &[step(map.clone()), step(checked(&world, "a"))]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    assert_eq!(elsewhere.get(&map).await, None);
    let lenient = changed(&world, webhook(&world, "Ignore")).await;
    is_done(
        &world
            .apply(&[step(map), step(checked(&world, "a")), lenient])
            .await,
    );
    let strict = changed(&world, webhook(&world, "Fail")).await;
    is_done(&world.apply(&[strict]).await);
    until(&world, &checked(&world, "b"), Some("K23")).await;
    let gone = removed(&world, &webhook(&world, "Fail")).await;
    is_done(&world.apply(&[step(checked(&world, "b")), gone]).await);
}

#[tokio::test]
async fn what_answers_for_a_webhook_is_mended_first() {
    let world = World::new("later-backend").await;
    let [service, deployment] = checker(&world, "example.org/checker:1");
    is_done(
        &world
            .apply(&[service, deployment, webhook(&world, "Fail")].map(step))
            .await,
    );
    until(&world, &checked(&world, "a"), Some("K23")).await;
    let [_, new] = checker(&world, "example.org/checker:2");
    let elsewhere = World::new("later-backend-beside").await;
    let map = elsewhere.config_map("beside", "1");
    let steps = [
        step(map.clone()),
        step(checked(&world, "a")),
        changed(&world, new.clone()).await,
    ];
    // No kubelet runs it here, so the webhook stays as it is; what could mend it is written, and nothing else.
    let finished = impatient(&world, &steps).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [StepResult::NotTried, StepResult::Failed, StepResult::Configured]
    );
    let Some(ApplyError::Steps { refusals }) = &finished.failure else {
        panic!("{finished:?}")
    };
    assert!(
        refusals[0]
            .message
            .contains("rests on Deployment.apps later-backend/checker"),
        "{refusals:?}"
    );
    let live = world.get(&new).await.unwrap();
    assert_eq!(
        live.value()
            .pointer("/spec/template/spec/containers/0/image")
            .unwrap(),
        "example.org/checker:2"
    );
    assert_eq!(elsewhere.get(&map).await, None);
    is_done(
        &world
            .apply(&[removed(&world, &webhook(&world, "Fail")).await])
            .await,
    );
}

/// A webhook that reads what is right from a ConfigMap of its own namespace each time.
fn reads_its_settings(home: &str) -> Webhook {
    let plane = ControlPlane::shared();
    let settings = format!("-n {home} configmap/settings");
    Webhook::behind_service(home, move |_| {
        let settings = plane.get(&settings).unwrap_or_default();
        match settings["data"]["value"].as_str() {
            Some("admit") => Admission::Admit,
            Some("deny") => Admission::Deny("not by these settings".to_owned()),
            _ => Admission::Silence,
        }
    })
    .unwrap()
}

/// What mends it, or changes its mind, is a text of its namespace: nothing that is behind the Service by a label.
#[tokio::test]
async fn a_webhook_is_mended_by_its_settings() {
    let world = World::new("later-settings").await;
    let home = World::new("later-settings-home").await;
    let namespace = home.namespace.clone();
    let answering = tokio::task::spawn_blocking(move || reads_its_settings(&namespace))
        .await
        .unwrap();
    let mut hook = webhook(&world, "Fail");
    hook["webhooks"][0]["clientConfig"] = answering.service_config(&home.namespace);
    hook["webhooks"][0]["timeoutSeconds"] = 10.into();
    let settings = |value: &str| home.config_map("settings", value);
    let service = answering.service(&home.namespace);
    is_done(&home.apply(&[step(service), step(settings("broken"))]).await);
    is_done(&world.apply(&[step(hook.clone())]).await);
    let (map, one) = (world.config_map("beside", "1"), checked(&world, "a"));
    for (before, code_before) in [("broken", "K23"), ("deny", "K14")] {
        is_done(&home.apply(&[changed(&home, settings(before)).await]).await);
        until(&world, &one, Some(code_before)).await;
        // What is in other namespaces does not count, nor what the webhook holds up itself.
        let beside = [step(map.clone()), step(checked(&world, "b")), step(one.clone())];
        assert_eq!(code(&impatient(&world, &beside).await), Some("A04"), "{before}");
        assert_eq!(world.get(&map).await, None);
        // Not well enough: that is written, and nothing else.
        let worse = changed(&home, settings("worse")).await;
        let finished = impatient(&world, &[step(map.clone()), step(one.clone()), worse]).await;
        assert_eq!(code(&finished), Some("A05"), "{before}: {finished:?}");
        assert_eq!(
            results(&finished),
            [StepResult::NotTried, StepResult::Failed, StepResult::Configured]
        );
        is_done(&home.apply(&[changed(&home, settings(before)).await]).await);
        until(&world, &one, Some(code_before)).await;
        let right = changed(&home, settings("admit")).await;
        let done = world.apply(&[step(map.clone()), step(one.clone()), right]).await;
        is_done(&done);
        assert!(
            done.outcomes[1]
                .message
                .contains("rests on ConfigMap later-settings-home/settings"),
            "{done:?}"
        );
        let gone = [removed(&world, &map).await, removed(&world, &one).await];
        is_done(&world.apply(&gone).await);
    }
    is_done(&world.apply(&[removed(&world, &hook).await]).await);
}

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
