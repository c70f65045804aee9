//! A server that quotes random Secrets in everything that it says.

use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_model::error::{Coded as _, one_line};
use sluice_sandbox::{any_secret, values_of};

use super::*;

/// What the API server, its webhooks and its policies are known to say, with `%` for what they quote.
const SAID: &[(u16, &str)] = &[
    (
        400,
        "Secret in version \"v1\" cannot be handled as a Secret: json: cannot unmarshal %",
    ),
    (400, "strict decoding error: unknown field \"%\""),
    (400, "illegal base64 data at input byte 4: %"),
    (401, "Unauthorized: %"),
    (
        403,
        "secrets \"s\" is forbidden: User \"u\" cannot patch resource \"secrets\" in API group \"\" in the namespace \"n\": %",
    ),
    (
        403,
        "secrets \"s\" is forbidden: exceeded quota: q, requested: count/secrets=1, %",
    ),
    (403, "admission webhook \"w.example.com\" denied the request: %"),
    (403, "admission webhook \"%\" denied the request: no"),
    (
        403,
        "secrets \"s\" is forbidden: unable to create new content in namespace n because it is being terminated: %",
    ),
    (404, "serviceaccount \"%\" not found"),
    (409, "Operation cannot be fulfilled on secrets \"s\": %"),
    (409, "Apply failed with 1 conflict: conflict with \"x\": %"),
    (
        422,
        "Secret \"s\" is invalid: data[k]: Invalid value: \"%\": field is immutable",
    ),
    (
        422,
        "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: %",
    ),
    (429, "too many requests: %"),
    (
        500,
        "failed to create typed patch object (n/s; /v1, Kind=Secret): .stringData: expected string, got %",
    ),
    (
        500,
        "Internal error occurred: failed calling webhook \"w.example.com\": Post \"https://w.n.svc:443/\": %",
    ),
    (
        500,
        "Internal error occurred: failed calling webhook \"%\": no endpoints available for service \"%\"",
    ),
    (500, ".data.k: field not declared in schema: %"),
    (503, "%"),
    (418, "%"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What comes of it stands, word for word, in conditions, in Events, in the log and on the terminal.
    #[test]
    fn nothing_that_a_server_says_of_a_secret_has_a_value(secret in any_secret(), said in prop::sample::select(SAID), which in any::<prop::sample::Index>()) {
        let values = values_of(&secret);
        let (code, template) = said;
        let quoted = match values.is_empty() {
            true => String::new(),
            false => format!("{} map[k:{}]", which.get(&values), values.join(" ")),
        };
        let message = template.replace('%', &quoted);
        let fields: Vec<Value> = values.iter().map(|value| json!({"field": format!("data[{value}]"), "message": value, "reason": "FieldValueInvalid"})).collect();
        let status = json!({"kind": "Status", "code": code, "message": message, "details": {"name": "s", "kind": "secrets", "causes": fields}});
        let error = ClusterError::from_answer(code, None, &status.to_string());
        let told = about_secret(error, Object::new(secret).ok().as_ref());
        let shown = format!("{} {} {told:?}", one_line(&told), told.hint());
        for value in values {
            prop_assert!(!shown.contains(&value), "`{}` of {}: {}", value, message, shown);
        }
    }
}
