//! Programs that are asked by the API server: what lets go of them, what brings them back, and what changes their mind.

use super::*;

/// The webhook `w` of the configuration `c`, which the Service `n/checker` answers.
fn webhook(failure_policy: &str, labels: Option<Value>) -> Value {
    let mut entry = json!({"name": "w", "failurePolicy": failure_policy, "rules": [{"operations": ["CREATE"], "resources": ["configmaps"]}],
        "clientConfig": {"service": {"name": "checker", "namespace": "n"}}});
    if let Some(labels) = labels {
        entry["objectSelector"] = json!({"matchLabels": labels});
    }
    entry
}

fn with_webhook() -> Gates {
    let mut live = webhook("Fail", Some(json!({"checked": "true"})));
    live["timeoutSeconds"] = 10.into();
    Gates {
        webhooks: vec![LiveWebhook {
            configuration: ("ValidatingWebhookConfiguration".to_owned(), "c".to_owned()),
            entry: live,
        }],
        selectors: BTreeMap::from([(("n".to_owned(), "checker".to_owned()), json!({"app": "checker"}))]),
        ..Gates::default()
    }
}

fn configuration(name: &str, webhooks: Vec<Value>) -> Step {
    let kind = "ValidatingWebhookConfiguration";
    change(
        apply(
            "admissionregistration.k8s.io/v1",
            kind,
            name,
            json!({"webhooks": webhooks}),
        ),
        "/webhooks",
    )
}

#[test]
fn a_webhook_rests_on_what_lets_go_of_it_or_else_on_what_answers_for_it() {
    let down = ClusterError::Webhook {
        message: "failed calling webhook \"w\": failed to call webhook: Post \"https://checker.n.svc:443/?timeout=1s\": refused".to_owned(),
    };
    let checked = Some(json!({"checked": "true"}));
    let backend = |app: &str| {
        let template = json!({"metadata": {"labels": {"app": app}}});
        change(
            apply(
                "apps/v1",
                "Deployment",
                app,
                json!({"spec": {"template": template}}),
            ),
            "/spec/template",
        )
    };
    let config_map = || apply("v1", "ConfigMap", "a", json!({}));
    let found = |others: &[Step]| rests(config_map(), &down, others, &with_webhook());
    let none = Vec::<String>::new();
    assert_eq!(found(&[backend("checker")]), ["Deployment/checker"]);
    assert_eq!(
        found(&[configuration("other", vec![webhook("Ignore", None)])]),
        none
    );
    assert_eq!(found(&[change(backend("checker"), "/metadata/labels/a")]), none);
    // What lets go of it needs nothing else.
    let lenient = configuration("c", vec![webhook("Ignore", checked.clone())]);
    assert_eq!(
        found(&[backend("checker"), lenient]),
        ["ValidatingWebhookConfiguration/c"]
    );
    assert_eq!(
        found(&[backend("checker"), configuration("c", vec![])]),
        ["ValidatingWebhookConfiguration/c"]
    );
    assert_eq!(
        found(&[backend("checker"), delete(configuration("c", vec![]))]),
        ["ValidatingWebhookConfiguration/c"]
    );
    // What may be stricter goes after what answers for it.
    let wider = configuration("c", vec![webhook("Ignore", None)]);
    let both = [backend("checker"), wider];
    assert_eq!(
        found(&both),
        ["Deployment/checker", "ValidatingWebhookConfiguration/c"]
    );
    assert_eq!(needs(&ready(&both), 1, &with_webhook()), BTreeSet::from([0]));
}

/// What a program behind a webhook reads is known to it alone.
#[test]
fn a_webhook_that_is_down_rests_on_all_of_its_namespace() {
    let down = ClusterError::Webhook {
        message: "failed calling webhook \"w\": failed to call webhook: Post \"https://checker.n.svc:443/?timeout=1s\": refused".to_owned(),
    };
    let denied = ClusterError::Admission {
        message: "admission webhook \"w\" denied the request: no".into(),
    };
    let elsewhere = |mut step: Step| {
        step.object.namespace = Some("other".to_owned());
        step
    };
    let rbac = "rbac.authorization.k8s.io/v1";
    let role = |name: &str| change(apply(rbac, "ClusterRole", name, json!({})), "/rules/0");
    let binding = |namespace: &str| {
        let subjects = json!([{"kind": "ServiceAccount", "name": "checker", "namespace": namespace}]);
        let role = json!({"kind": "ClusterRole", "name": "reads"});
        apply(
            rbac,
            "ClusterRoleBinding",
            "b",
            json!({"subjects": subjects, "roleRef": role}),
        )
    };
    let settings = || change(apply("v1", "ConfigMap", "settings", json!({})), "/data/a");
    let gone = |kind: &str, name: &str| delete(apply("v1", kind, name, json!({})));
    let job = || apply("batch/v1", "Job", "j", json!({}));
    let policy = delete(apply("networking.k8s.io/v1", "NetworkPolicy", "p", json!({})));
    // The steps, and which of them count where it is down, and where it said no.
    let cases: &[(Vec<Step>, &[&str], &[&str])] = &[
        (vec![settings()], &["ConfigMap/settings"], &["ConfigMap/settings"]),
        (
            vec![apply("v1", "Secret", "certificate", json!({}))],
            &["Secret/certificate"],
            &["Secret/certificate"],
        ),
        (
            vec![apply("example.com/v1", "Rule", "r", json!({}))],
            &["Rule/r"],
            &[],
        ),
        (
            vec![apply("v1", "ServiceAccount", "checker", json!({}))],
            &["ServiceAccount/checker"],
            &[],
        ),
        (vec![job()], &["Job/j"], &[]),
        (vec![change(settings(), "/metadata/labels/a")], &[], &[]),
        (vec![elsewhere(settings())], &[], &[]),
        (
            vec![change(
                apply("v1", "Namespace", "n", json!({})),
                "/metadata/labels/a",
            )],
            &["Namespace/n"],
            &[],
        ),
        (vec![binding("n")], &["ClusterRoleBinding/b"], &[]),
        (vec![binding("other")], &[], &[]),
        (
            vec![binding("n"), role("reads"), role("writes")],
            &["ClusterRoleBinding/b", "ClusterRole/reads"],
            &[],
        ),
        // Deletions: not what runs, and not what something needs that goes with it.
        (
            vec![gone("ConfigMap", "old")],
            &["ConfigMap/old"],
            &["ConfigMap/old"],
        ),
        (vec![gone("ConfigMap", "old"), gone("Pod", "p")], &[], &[]),
        (
            vec![policy, gone("Pod", "p")],
            &["NetworkPolicy/p"],
            &["NetworkPolicy/p"],
        ),
    ];
    for (others, expected_down, expected_denied) in cases {
        let found = |error| rests(elsewhere(pod()), error, others, &with_webhook());
        assert_eq!(found(&down), *expected_down, "down: {others:?}");
        assert_eq!(found(&denied), *expected_denied, "denied: {others:?}");
    }
    // A role counts where one binds it in the cluster, too.
    let mut gates = with_webhook();
    let Action::Apply { manifest, .. } = binding("n").action else {
        unreachable!()
    };
    gates.bindings = vec![Object::shared(manifest).unwrap()];
    let found = rests(elsewhere(pod()), &down, &[role("reads"), role("writes")], &gates);
    assert_eq!(found, ["ClusterRole/reads"]);
}

#[test]
fn a_conversion_and_an_aggregated_api_rest_on_all_of_their_namespaces_too() {
    let settings = change(apply("v1", "ConfigMap", "settings", json!({})), "/data/a");
    let mut elsewhere = settings.clone();
    elsewhere.object.namespace = Some("other".to_owned());
    let refused = apply("example.com/v1", "Widget", "w", json!({}));
    let mut gates = nothing();
    gates.apis.insert(
        ("example.com".to_owned(), "v1".to_owned()),
        ("n".to_owned(), "server".to_owned()),
    );
    let errors = [
        ClusterError::Refused {
            status: 500,
            message: "conversion webhook for example.com/v1, Kind=Widget failed: Post \"https://c.n.svc:443/?timeout=30s\": EOF".to_owned(),
        },
        ClusterError::GroupDown { group: "example.com".to_owned() },
    ];
    for error in errors {
        let found = rests(
            refused.clone(),
            &error,
            &[settings.clone(), elsewhere.clone()],
            &gates,
        );
        assert_eq!(found, ["ConfigMap/settings"], "{error}");
    }
}

#[test]
fn a_policy_of_a_policy_engine_counts_where_the_refusal_names_it() {
    let denied = ClusterError::Admission {
        message: "admission webhook \"w\" denied the request: resource blocked due to the following policies: require-team: no".into(),
    };
    let policy = |name: &str| change(apply("kyverno.io/v1", "Policy", name, json!({})), "/spec/rules");
    let found = rests(
        pod(),
        &denied,
        &[policy("require-team"), policy("other")],
        &with_webhook(),
    );
    assert_eq!(found, ["Policy/require-team"]);
}
