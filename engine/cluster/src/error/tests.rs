//! What each refusal means, and what is said of it.

use super::*;
use serde_json::json;

fn classify(code: u16, status: serde_json::Value) -> ClusterError {
    ClusterError::from_answer(code, None, &status.to_string())
}

fn id(code: u16, message: &str, details: serde_json::Value) -> &'static str {
    classify(
        code,
        json!({"kind": "Status", "code": code, "message": message, "details": details}),
    )
    .code()
    .id
}

#[test]
fn every_refusal_has_its_code() {
    assert_eq!(id(401, "Unauthorized", json!(null)), "K12");
    let rbac = "configmaps \"a\" is forbidden: User \"u\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"n\"";
    assert_eq!(id(403, rbac, json!({"name": "a"})), "K13");
    let webhook = "admission webhook \"v.example.com\" denied the request: no";
    assert_eq!(id(403, webhook, json!(null)), "K14");
    let policy =
        "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no";
    assert_eq!(id(422, policy, json!({"name": "a"})), "K14");
    let pod_security = "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\"";
    assert_eq!(id(403, pod_security, json!({"name": "p", "kind": "pods"})), "K14");
    let quota = "configmaps \"a\" is forbidden: exceeded quota: q, requested: count/configmaps=1";
    assert_eq!(id(403, quota, json!({"name": "a"})), "K16");
    assert_eq!(
        id(
            422,
            "spec.x: Invalid value",
            json!({"causes": [{"field": "spec.x"}]})
        ),
        "K17"
    );
    assert_eq!(
        id(
            400,
            "strict decoding error: unknown field \"spec.y\"",
            json!(null)
        ),
        "K17"
    );
    assert_eq!(
        id(
            404,
            "configmaps \"a\" not found",
            json!({"kind": "configmaps", "name": "a"})
        ),
        "K18"
    );
    assert_eq!(
        id(
            500,
            "Internal error occurred: failed calling webhook \"w\"",
            json!(null)
        ),
        "K23"
    );
    assert_eq!(id(500, "boom", json!(null)), "K21");
    let typed = "failed to create typed patch object (n/a; /v1, Kind=ConfigMap): .dataa: field not declared in schema";
    let error = classify(500, json!({"message": typed}));
    assert!(
        matches!(&error, ClusterError::Invalid { fields, .. } if fields == &[".dataa"]),
        "{error:?}"
    );
    assert!(!error.is_transient());
}

#[test]
fn a_conflict_names_field_and_manager() {
    let error = classify(
        409,
        json!({"reason": "Conflict", "message": "Apply failed with 1 conflict", "details": {"causes": [
            {"reason": "FieldManagerConflict", "message": "conflict with \"hpa\" using apps/v1", "field": ".spec.replicas"}
        ]}}),
    );
    assert_eq!(
        error.to_string(),
        "conflict with other field managers: `.spec.replicas` is owned by `hpa`"
    );
    assert_eq!(error.code().id, "K15");
    let modified = classify(
        409,
        json!({"reason": "Conflict", "message": "the object has been modified"}),
    );
    assert_eq!(modified.code().id, "K20");
    let exists = classify(409, json!({"reason": "AlreadyExists", "message": "exists"}));
    assert!(matches!(exists, ClusterError::Modified { exists: true, .. }));
}

#[test]
fn a_conflict_says_how_the_other_wrote() {
    let read = |message: &str| FieldConflict::read(".f", message).manager.to_string();
    assert_eq!(read("conflict with \"keda\""), "keda (apply)");
    assert_eq!(
        read("conflict with \"kubectl\" with subresource \"scale\" using apps/v1"),
        "kubectl through scale"
    );
    assert_eq!(
        read("conflict with \"kubectl-edit\" using apps/v1 at 2026-01-01T00:00:00Z"),
        "kubectl-edit"
    );
}

#[test]
fn a_busy_server_says_when() {
    let plain = ClusterError::from_answer(429, Some(Duration::from_secs(1)), "Too many requests");
    assert_eq!(
        (plain.code().id, plain.retry_after()),
        ("K19", Some(Duration::from_secs(1)))
    );
    assert!(plain.is_transient());
    let status = classify(
        503,
        json!({"message": "etcd is down", "details": {"retryAfterSeconds": 3}}),
    );
    assert_eq!(status.retry_after(), Some(Duration::from_secs(3)));
}

#[test]
fn a_missing_namespace_is_named() {
    let error = classify(
        404,
        json!({"message": "namespaces \"x\" not found", "details": {"kind": "namespaces", "name": "x"}}),
    );
    assert!(matches!(error, ClusterError::NotFound { namespace: Some(name), .. } if name == "x"));
}

/// Admission policies and webhooks say it too (public reports: a recreate that was asked for and never came).
#[test]
fn immutability_is_read_whoever_says_it() {
    let admission = |message: &str| ClusterError::Admission {
        message: message.into(),
    };
    let invalid = |message: &str| ClusterError::Invalid {
        message: message.into(),
        fields: Vec::new(),
    };
    for yes in [
        invalid("Job.batch \"j\" is invalid: spec.template: Invalid value: {}: field is immutable"),
        invalid(
            "StatefulSet.apps \"s\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
        ),
        invalid(
            "Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
        ),
        invalid("Widget \"w\" is invalid: spec.size: Invalid value: 3: Value is immutable"),
        admission(
            "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: data.mode: field is immutable",
        ),
        admission("admission webhook \"v.example.com\" denied the request: spec.class is Immutable"),
        admission(
            "admission webhook \"v.example.com\" denied the request: spec.class cannot be changed once set",
        ),
        admission("admission webhook \"v.example.com\" denied the request: spec.class can't be modified"),
        admission("admission webhook \"v.example.com\" denied the request: spec.class may not be updated"),
        admission("admission webhook \"v.example.com\" denied the request: spec.class must not be changed"),
    ] {
        assert!(yes.is_immutable(), "{yes}");
    }
    for no in [
        admission("admission webhook \"v.example.com\" denied the request: label `team` is required"),
        admission("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\""),
        invalid(
            "Service \"s\" is invalid: spec.ports[0].port: Invalid value: 99999999: must be between 1 and 65535",
        ),
        admission("admission webhook \"v.example.com\" denied the request: the image cannot be pulled"),
        ClusterError::Forbidden {
            message: "User \"u\" cannot update resource \"configmaps\"".to_owned(),
        },
    ] {
        assert!(!no.is_immutable(), "{no}");
    }
}

/// A hint is true wherever it is given.
#[test]
fn hints_are_about_what_the_server_says() {
    let invalid = |message: &str| ClusterError::Invalid {
        message: message.into(),
        fields: vec!["spec.x".to_owned()],
    };
    let about = |error: ClusterError| error.hint();
    assert!(!about(invalid("spec.x: Invalid value: 3: must be less than 2")).contains("recreate"));
    assert!(about(invalid("spec.x: Invalid value: 3: field is immutable")).contains("recreate"));
    let admission = |message: &str| ClusterError::Admission {
        message: message.into(),
    };
    assert!(
        about(admission(
            "admission webhook \"v\" denied the request: label `team` is missing"
        ))
        .contains("as the message asks")
    );
    let ours = "admission webhook \"v\" denied the request; the words are not shown";
    let withheld = ClusterError::Admission {
        message: Words::instead(ours, Meaning::Withheld),
    };
    assert!(about(withheld).contains("shows the words"));
    // A webhook may say the same: what counts is kept beside the words.
    assert!(about(admission(ours)).contains("as the message asks"));
    assert!(about(invalid("admission webhook \"v\" does not support dry run")).contains("sideEffects"));
    for unquoted in [
        ".spec.containers[name=\"c\"].env[name=\"A\"].value: expected string, got &value.valueUnstructured{Value:true}",
        ".data.a: expected string, got &value.valueUnstructured{Value:1.1}",
        "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
    ] {
        assert!(about(invalid(unquoted)).contains("quotes"), "{unquoted}");
    }
    let map = ".data.a: expected string, got &value.valueUnstructured{Value:map[string]interface {}{}}";
    assert!(!about(invalid(map)).contains("quotes"));
    let terminating = "unable to create new content in namespace a because it is being terminated";
    assert!(about(admission(terminating)).contains("until the namespace is gone"));
    let escalation =
        "roles \"r\" is forbidden: user \"u\" is attempting to grant RBAC permissions not currently held";
    assert!(
        about(ClusterError::Forbidden {
            message: escalation.to_owned()
        })
        .contains("escalate")
    );
    let record = classify(500, json!({"message": ".spec.a: field not declared in schema"}));
    assert!(about(record).contains("managedFields"));
    let missing = |namespace: Option<&str>| ClusterError::NotFound {
        message: "not found".to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    assert!(
        about(missing(Some("a"))).contains("CreateNamespace")
            && !about(missing(None)).contains("CreateNamespace")
    );
}

#[test]
fn every_code_has_a_hint_of_its_own() {
    let ids: std::collections::BTreeSet<_> = codes::ALL.iter().map(|code| code.id).collect();
    assert_eq!(ids.len(), codes::ALL.len());
    assert!(
        codes::ALL
            .iter()
            .all(|code| !code.hint.is_empty() && !code.summary.is_empty())
    );
}
