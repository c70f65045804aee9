//! Admission policies and their parameters.

use serde_json::{Value, json};
use sluice_model::outcome::StepResult;

use super::{changed, code, impatient, is_done, removed, until};
use crate::world::{World, results, step};

/// A policy for the ConfigMaps of one namespace, and its binding.
pub(super) fn policy(world: &World, name: &str, expression: &str) -> [Value; 2] {
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

pub(super) const SMALL: &str = "object.metadata.name == 'kube-root-ca.crt' || int(object.data.value) < 10";
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
