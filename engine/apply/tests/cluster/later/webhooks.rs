//! Webhooks, and what answers for them.

use serde_json::{Value, json};
use sluice_apply::ApplyError;
use sluice_model::outcome::StepResult;
use sluice_sandbox::{Admission, ControlPlane, Webhook};

use super::{changed, code, impatient, is_done, removed, until};
use crate::world::{World, results, step};

/// A webhook for some ConfigMaps of one namespace. No server answers its calls.
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
