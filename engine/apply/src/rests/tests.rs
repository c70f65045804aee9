//! What a refusal rests on, case by case: which steps of a plan can change the answer, and which cannot.

use std::sync::Arc;

use serde_json::json;
use sluice_cluster::ClusterError;
use sluice_model::decision::{ApplyOptions, Phase, Propagation, Strategy};
use sluice_model::difference::FieldChange;
use sluice_model::plan::Precondition;

use super::*;
use crate::grounds;

mod webhooks;

/// A step by its short form: `kind/name` with its API version, in the namespace `n` unless the kind is cluster-scoped.
fn apply(api_version: &str, kind: &str, name: &str, rest: Value) -> Step {
    let cluster_scoped = [
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "APIService",
    ];
    let mut manifest = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    if !cluster_scoped.contains(&kind) && !kind.ends_with("Class") && !api_version.starts_with(ADMISSION) {
        manifest["metadata"]["namespace"] = "n".into();
    }
    for (key, value) in rest.as_object().into_iter().flatten() {
        manifest[key] = value.clone();
    }
    let object = Object::new(manifest.clone()).unwrap().reference();
    Step {
        phase: Phase::Sync,
        wave: 0,
        object,
        action: Action::Apply {
            manifest: Arc::new(manifest),
            strategy: Strategy::ServerSideApply,
            force: false,
            validate: true,
            delete_first: false,
            take_over: Vec::new(),
            record: Default::default(),
            cleanup: Vec::new(),
            options: ApplyOptions::default(),
        },
        origin: None,
        changes: Vec::new(),
        precondition: None,
        rests_on: Vec::new(),
    }
}

/// The same where the object is there and one field changes.
fn change(mut step: Step, pointer: &str) -> Step {
    step.precondition = Some(Precondition {
        uid: "u".to_owned(),
        resource_version: None,
    });
    step.changes = vec![FieldChange {
        pointer: pointer.to_owned(),
        live: None,
        desired: None,
        holder: None,
        stays: false,
    }];
    step
}

fn delete(step: Step) -> Step {
    Step {
        action: Action::Delete {
            propagation: Propagation::Background,
            begun: false,
        },
        ..change(step, "/metadata")
    }
}

fn ready(steps: &[Step]) -> Vec<Ready<'_>> {
    let object = |step: &Step| match &step.action {
        Action::Apply { manifest, .. } => Object::shared(Arc::clone(manifest)).ok(),
        Action::Delete { .. } => None,
    };
    steps
        .iter()
        .map(|step| Ready {
            step,
            object: object(step),
        })
        .collect()
}

/// On which of the others the refusal of the first rests, by name.
fn rests(refused: Step, error: &ClusterError, others: &[Step], gates: &Gates) -> Vec<String> {
    let steps: Vec<Step> = std::iter::once(refused).chain(others.iter().cloned()).collect();
    let steps = ready(&steps);
    let on = on(&steps, 0, &grounds::of(error), &error.to_string(), gates);
    on.into_iter()
        .map(|at| format!("{}/{}", steps[at].step.object.kind, steps[at].step.object.name))
        .collect()
}

fn nothing() -> Gates {
    Gates::default()
}

fn secret() -> Step {
    apply("v1", "Secret", "c", json!({}))
}

fn pod() -> Step {
    apply("v1", "Pod", "p", json!({}))
}

fn quota(name: &str, count: &str) -> Step {
    change(
        apply(
            "v1",
            "ResourceQuota",
            name,
            json!({"spec": {"hard": {"count/secrets": count}}}),
        ),
        "/spec/hard/count~1secrets",
    )
}

#[test]
fn a_quota_counts_where_it_is_the_one_and_gives_more() {
    let exceeded = ClusterError::Quota {
        message: "secrets \"c\" is forbidden: exceeded quota: limits, requested: count/secrets=1, used: count/secrets=2, limited: \
                  count/secrets=2".to_owned(),
    };
    let mut elsewhere = quota("limits", "4");
    elsewhere.object.namespace = Some("other".to_owned());
    let cases: &[(Step, &[&str])] = &[
        (quota("limits", "4"), &["ResourceQuota/limits"]),
        (quota("limits", "2"), &[]),
        (quota("limits", "1"), &[]),
        (quota("another", "4"), &[]),
        (elsewhere, &[]),
        (change(quota("limits", "4"), "/metadata/labels/a"), &[]),
        (delete(quota("limits", "2")), &["ResourceQuota/limits"]),
        (delete(apply("v1", "Secret", "old", json!({}))), &["Secret/old"]),
        (delete(apply("v1", "ConfigMap", "old", json!({}))), &[]),
    ];
    for (other, expected) in cases {
        let found = rests(secret(), &exceeded, std::slice::from_ref(other), &nothing());
        assert_eq!(found, *expected, "{other:?}");
    }
    // What gives more goes first; what is deleted stays where it is then.
    let both = [
        delete(apply("v1", "Secret", "old", json!({}))),
        quota("limits", "4"),
    ];
    assert_eq!(
        rests(secret(), &exceeded, &both, &nothing()),
        ["ResourceQuota/limits"]
    );
}

#[test]
fn limits_policies_and_labels_count_where_they_are_the_ones() {
    let admission = |message: &str| ClusterError::Admission {
        message: message.into(),
    };
    let too_much =
        admission("pods \"p\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi");
    let range = change(apply("v1", "LimitRange", "l", json!({})), "/spec/limits");
    assert_eq!(
        rests(pod(), &too_much, &[range, quota("q", "1")], &nothing()),
        ["LimitRange/l"]
    );

    let api = "admissionregistration.k8s.io/v1";
    let denied = admission(
        "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'p1' with binding 'b1' denied request: no",
    );
    let policies = [
        change(
            apply(api, "ValidatingAdmissionPolicy", "p1", json!({})),
            "/spec/validations",
        ),
        change(
            apply(api, "ValidatingAdmissionPolicy", "p2", json!({})),
            "/spec/validations",
        ),
        delete(apply(api, "ValidatingAdmissionPolicyBinding", "b1", json!({}))),
        change(apply("v1", "ConfigMap", "allowed", json!({})), "/data/a"),
        change(apply("v1", "ConfigMap", "other", json!({})), "/data/a"),
    ];
    let mut gates = nothing();
    gates.parameters.insert(
        ("p1".to_owned(), "b1".to_owned()),
        vec![Parameter {
            kind: GroupKind::new("", "ConfigMap"),
            name: Some("allowed".to_owned()),
            namespace: None,
        }],
    );
    assert_eq!(
        rests(pod(), &denied, &policies, &gates),
        [
            "ValidatingAdmissionPolicy/p1",
            "ValidatingAdmissionPolicyBinding/b1",
            "ConfigMap/allowed"
        ]
    );

    let standards = admission("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": no");
    let labelled = change(
        apply("v1", "Namespace", "n", json!({})),
        "/metadata/labels/pod-security",
    );
    let annotated = change(
        apply("v1", "Namespace", "n", json!({})),
        "/metadata/annotations/a",
    );
    assert_eq!(rests(pod(), &standards, &[labelled], &nothing()), ["Namespace/n"]);
    assert_eq!(
        rests(pod(), &standards, &[annotated], &nothing()),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_named_and_missing_counts_where_the_plan_creates_it() {
    let cases = [
        (
            "pods \"p\" is forbidden: no PriorityClass with name urgent was found",
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "urgent",
            true,
        ),
        (
            "pods \"p\" is forbidden: pod rejected: RuntimeClass \"boxed\" not found",
            "node.k8s.io/v1",
            "RuntimeClass",
            "boxed",
            true,
        ),
        (
            "pods \"p\" is forbidden: error looking up service account n/robot: serviceaccount \"robot\" not found",
            "v1",
            "ServiceAccount",
            "robot",
            true,
        ),
        (
            "pods \"p\" is forbidden: no PriorityClass with name urgent was found",
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "other",
            false,
        ),
        (
            "pods \"p\" is forbidden: no PriorityClass with name urgent was found",
            "v1",
            "ConfigMap",
            "urgent",
            false,
        ),
        (
            "pods \"p\" is forbidden: \"robot\" is no good",
            "v1",
            "ServiceAccount",
            "robot",
            false,
        ),
        (
            "pods \"p\" is forbidden: error looking up service account n/default: serviceaccount \"default\" not found",
            "v1",
            "Namespace",
            "n",
            true,
        ),
    ];
    for (message, api_version, kind, name, expected) in cases {
        let error = ClusterError::Admission {
            message: message.into(),
        };
        let other = apply(api_version, kind, name, json!({}));
        let found = rests(pod(), &error, std::slice::from_ref(&other), &nothing());
        assert_eq!(!found.is_empty(), expected, "{message}: {kind} {name}");
        let there = rests(pod(), &error, &[change(other, "/data")], &nothing());
        assert_eq!(there, Vec::<String>::new(), "{message}: it was there");
    }
}

#[test]
fn a_namespace_comes_as_a_namespace_only() {
    // A ServiceAccount often has the name of the namespace that it is in.
    let missing = ClusterError::NotFound {
        message: "namespaces \"n\" not found".to_owned(),
        namespace: Some("n".to_owned()),
    };
    let account = apply("v1", "ServiceAccount", "n", json!({}));
    let namespace = apply("v1", "Namespace", "n", json!({}));
    assert_eq!(
        rests(account, &missing, &[namespace, quota("q", "1")], &nothing()),
        ["Namespace/n"]
    );
    let alone = rests(
        pod(),
        &missing,
        &[apply("v1", "ServiceAccount", "n", json!({}))],
        &nothing(),
    );
    assert_eq!(alone, Vec::<String>::new());
}

#[test]
fn a_definition_counts_for_its_kind_where_its_spec_changes() {
    let definition = apply(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "widgets.example.com",
        json!({"spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true}]}}),
    );
    let unknown = ClusterError::Invalid {
        message: "strict decoding error: unknown field \"spec.size\"".into(),
        fields: Vec::new(),
    };
    let widget = || apply("example.com/v1", "Widget", "w", json!({}));
    let is_held = |refused, definition: &Step| {
        !rests(refused, &unknown, std::slice::from_ref(definition), &nothing()).is_empty()
    };
    assert!(is_held(widget(), &definition));
    assert!(is_held(widget(), &change(definition.clone(), "/spec/versions")));
    assert!(!is_held(
        widget(),
        &change(definition.clone(), "/metadata/labels/a")
    ));
    assert!(!is_held(apply("v1", "Service", "w", json!({})), &definition));
}

#[test]
fn rights_count_where_they_are_for_the_account_that_lacks_them() {
    let forbidden = ClusterError::Forbidden {
        message: "pods \"p\" is forbidden: User \"system:serviceaccount:n:robot\" cannot patch resource \"pods\" in API group \"\" in the \
                  namespace \"n\"".to_owned(),
    };
    let rbac = "rbac.authorization.k8s.io/v1";
    let binding = |name: &str| {
        let subjects = json!([{"kind": "ServiceAccount", "name": name, "namespace": "n"}]);
        apply(rbac, "RoleBinding", "b", json!({"subjects": subjects}))
    };
    let role = |resource: &str| {
        let rules = json!([{"apiGroups": [""], "resources": [resource], "verbs": ["*"]}]);
        apply(rbac, "Role", "r", json!({"rules": rules}))
    };
    let mut elsewhere = binding("robot");
    elsewhere.object.namespace = Some("other".to_owned());
    let cases: &[(Step, bool)] = &[
        (binding("robot"), true),
        (binding("operator"), false),
        (elsewhere, false),
        (change(role("pods"), "/rules/0"), true),
        (change(role("secrets"), "/rules/0"), false),
        (role("pods"), false),
    ];
    for (other, expected) in cases {
        let found = rests(pod(), &forbidden, std::slice::from_ref(other), &nothing());
        assert_eq!(!found.is_empty(), *expected, "{other:?}");
    }
}

#[test]
fn what_is_done_early_takes_along_what_it_needs() {
    let template = json!({"metadata": {"labels": {"app": "d"}}, "spec": {"serviceAccountName": "robot"}});
    let steps = [
        apply("v1", "ServiceAccount", "robot", json!({})),
        apply("v1", "ConfigMap", "unrelated", json!({})),
        apply(
            "apps/v1",
            "Deployment",
            "d",
            json!({"spec": {"template": template}}),
        ),
    ];
    assert_eq!(needs(&ready(&steps), 2, &nothing()), BTreeSet::from([0]));
}
