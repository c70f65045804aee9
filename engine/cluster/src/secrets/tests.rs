//! What is told of a Secret that the server refuses: never its values, always the field and the kind of mistake.

use serde_json::{Value, json};
use sluice_model::error::Coded as _;

use super::*;

fn secret(fields: &Value) -> Object {
    let mut value =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}});
    for (field, given) in fields.as_object().unwrap() {
        value[field] = given.clone();
    }
    Object::new(value).unwrap()
}

/// The code and the words that come of a server's answer about a Secret.
fn told(code: u16, message: &str, causes: &Value, fields: &Value) -> (&'static str, String) {
    let status = json!({"kind": "Status", "code": code, "message": message,
        "details": {"name": "s", "kind": "secrets", "causes": causes}});
    let error = ClusterError::from_answer(code, None, &status.to_string());
    let error = about_secret(error, Some(&secret(fields)));
    (error.code().id, error.to_string())
}

#[test]
fn requests_about_secrets_are_known_by_their_path() {
    for path in [
        "/api/v1/namespaces/a/secrets/b",
        "/api/v1/namespaces/a/secrets",
        "/api/v1/secrets",
        "/api/v1/namespaces/secrets/secrets/x",
    ] {
        assert!(is_about_secrets(path), "{path}");
    }
    for path in [
        "/api/v1/namespaces/secrets",
        "/api/v1/namespaces/secrets/configmaps/secrets",
        "/apis/x.io/v1/namespaces/a/secrets/b",
        "/api",
        "/",
    ] {
        assert!(!is_about_secrets(path), "{path}");
    }
}

/// As a real API server (1.36) says it.
#[test]
fn a_refusal_tells_the_field_and_the_kind_of_mistake() {
    let nested = json!({"stringData": {"settings.yaml": {"password": "hunter2"}}});
    let quoted = "failed to create typed patch object (n/s; /v1, Kind=Secret): .stringData.settings.yaml: expected string, got &value.valueUnstructured{Value:map[string]interface {}{\"password\":\"hunter2\"}}";
    let expected = "stringData[settings.yaml]: a map where text is needed (is a `|` missing after the name?)";
    assert_eq!(
        told(500, quoted, &json!([]), &nested),
        ("K17", expected.to_owned())
    );
    let decoding = "Secret in version \"v1\" cannot be handled as a Secret: json: cannot unmarshal object into Go struct field Secret.stringData of type string: hunter2";
    assert_eq!(
        told(400, decoding, &json!([]), &nested),
        ("K17", expected.to_owned())
    );

    let base64 = "failed to convert new object (n/s; /v1, Kind=Secret) to proper version: illegal base64 data at input byte 4: hunter2";
    let expected = "data[k]: the value is not base64 (plain text belongs below `stringData`)";
    let plain = json!({"data": {"k": "hunter2-plain"}});
    assert_eq!(
        told(500, base64, &json!([]), &plain),
        ("K17", expected.to_owned())
    );

    let required = "Secret \"s\" is invalid: data[tls.crt]: Required value";
    let causes =
        json!([{"reason": "FieldValueRequired", "field": "data[tls.crt]", "message": "Required value"}]);
    let tls = json!({"type": "kubernetes.io/tls", "data": {"hunter2": "aHVudGVyMg=="}});
    assert_eq!(
        told(422, required, &causes, &tls),
        ("K17", "data[tls.crt]: a value is required".to_owned())
    );

    let immutable = "Secret \"s\" is invalid: data: Forbidden: field is immutable when `immutable` is set";
    let causes = json!([{"reason": "FieldValueForbidden", "field": "data", "message": "hunter2"}]);
    let data = json!({"data": {"k": "aHVudGVyMg=="}});
    assert_eq!(
        told(422, immutable, &causes, &data),
        (
            "K17",
            "data: field is immutable when `immutable` is set".to_owned()
        )
    );
    let kept = ClusterError::Invalid {
        message: immutable.into(),
        fields: vec!["data".to_owned()],
    };
    assert!(about_secret(kept, Some(&secret(&data))).is_immutable());
}

#[test]
fn who_refuses_is_told_and_not_what_they_quote() {
    let data = json!({"stringData": {"k": "hunter2"}});
    let check = |code: u16, message: &str, id: &str, words: &[&str]| {
        let (is, said) = told(code, message, &json!([]), &data);
        assert_eq!(is, id, "{said}");
        assert!(
            !said.contains("hunter2") && !said.contains("aHVudGVy") && !said.contains("unte"),
            "{said}"
        );
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    check(
        403,
        "admission webhook \"v.example.com\" denied the request: `hunter2` is weak, so is unte",
        "K14",
        &["v.example.com"],
    );
    check(
        422,
        "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: aHVudGVyMg==",
        "K14",
        &["'p'", "'b'", "denied the request"],
    );
    check(
        422,
        "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: hunter2 is immutable",
        "K14",
        &["immutable"],
    );
    check(
        500,
        "Internal error occurred: failed calling webhook \"w.x\": failed to call webhook: an error on the server (\"hunter2\") has prevented the request from succeeding",
        "K23",
        &["w.x"],
    );
    check(
        500,
        "Internal error occurred: failed calling webhook \"w.x\": failed to call webhook: Post \"https://hunter2.x.svc:443/\": service \"backend\" not found",
        "K23",
        &["w.x", "service \"backend\" not found"],
    );
    check(
        403,
        "secrets \"s\" is forbidden: User \"u\" cannot patch resource \"secrets\" in API group \"\" in the namespace \"n\": hunter2",
        "K13",
        &["User \"u\" cannot patch", "namespace \"n\""],
    );
    check(
        403,
        "secrets \"s\" is forbidden: exceeded quota: q, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1",
        "K16",
        &["exceeded quota: q, requested"],
    );
    check(
        404,
        "secrets \"s\" not found",
        "K18",
        &["secrets \"s\" not found"],
    );
    check(
        409,
        "Operation cannot be fulfilled on secrets \"s\": hunter2",
        "K20",
        &["modified"],
    );
    check(
        500,
        "hunter2: etcdserver: request is too large",
        "K21",
        &["request is too large"],
    );
    check(500, "hunter2", "K21", &["not shown"]);
    check(
        400,
        "strict decoding error: unknown field \"hunter2\"",
        "K17",
        &["not shown"],
    );
}

/// What is said about other objects keeps its words, but for the values that are known.
#[tokio::test]
async fn other_objects_refusals_lose_the_values_alone() {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let cluster = Cluster::from_config(config)
        .unwrap()
        .hiding([&secret(&json!({"stringData": {"k": "hunter2"}}))]);
    let error = || ClusterError::Admission {
        message: "denied the request: `hunter2` of env X, aHVudGVyMg==".into(),
    };
    let said = cluster.told(error(), None).to_string();
    assert_eq!(said, "denied the request: `••••••••` of env X, ••••••••");
    let said = cluster.told(error(), Some(&[])).to_string();
    assert!(said.starts_with("admission denied the request;"), "{said}");
}
